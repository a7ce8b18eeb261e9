"""Triangle meshes: values spread over pixels, and the ring of triangles that joins a face to the picture around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from shared.face.landmarks import CANONICAL_POINTS, OVAL
from shared.picture.mask import polygon_mask
from shared.types import Floats

Triangles = NDArray[np.int64]
SLACK = 1e-4
"""Barycentric slack, so that no pixel on a shared edge stays empty."""


@dataclass(frozen=True, slots=True)
class Surround:
    """Points around a face and the triangles between them and its oval.

    Attributes
    ----------
    points : (K, 2) float64 picture pixels; vertex ``468 + k`` is point ``k``.
    triangles : (M, 3) int64 vertex numbers over face and surround together.
    """

    points: NDArray[np.float64]
    triangles: Triangles


def paint(places: NDArray[np.float64], triangles: Triangles, values: NDArray[np.float64], canvas: Floats) -> None:
    """Fill `canvas` in place with vertex values, linear over each triangle; later triangles cover earlier ones.

    Parameters
    ----------
    places : (N, 2) float64 vertex positions in canvas pixels.
    triangles : (M, 3) int64 vertex numbers; triangles of no area are left out.
    values : (N, K) float64.
    canvas : (H, W, K) float32.
    """
    if values.shape != (places.shape[0], canvas.shape[2]):
        raise ValueError(f"values must be {(places.shape[0], canvas.shape[2])}, got {values.shape}")
    _paint(
        np.ascontiguousarray(places, dtype=np.float64),
        np.ascontiguousarray(triangles, dtype=np.int64),
        np.ascontiguousarray(values, dtype=np.float64),
        canvas,
    )


def identity_maps(size: tuple[int, int]) -> Floats:
    """(H, W, 2) float32, each pixel's own x and y."""
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    return np.stack([columns, rows], axis=-1).astype(np.float32)


def surround(face: NDArray[np.float64], size: tuple[int, int], step_px: float) -> Surround:
    """A grid of points outside the oval of a face, joined to it by triangles.

    Parameters
    ----------
    face : (468, 2) float64 mesh vertices in picture pixels.
    size : (height, width) of the picture.
    step_px : distance of grid points.
    """
    height, width = size
    columns = np.linspace(0, width - 1, max(2, round(width / step_px) + 1))
    rows = np.linspace(0, height - 1, max(2, round(height / step_px) + 1))
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    oval = face[list(OVAL)]
    near = np.linalg.norm(grid[:, np.newaxis] - oval[np.newaxis], axis=2).min(axis=1) < 0.6 * step_px
    grid = grid[~near & ~_inside(grid, oval, size)]
    ring = np.concatenate([face[list(OVAL)], grid])
    numbers = np.concatenate([np.array(OVAL), CANONICAL_POINTS + np.arange(len(grid))])
    corners = np.asarray(Delaunay(ring).simplices, dtype=np.int64)
    outside = corners[~_inside(ring[corners].mean(axis=1), oval, size)]
    return Surround(grid, numbers[outside])


def spread(
    moved: NDArray[np.float64], anchors: NDArray[np.float64], points: NDArray[np.float64], reach_px: float
) -> NDArray[np.float64]:
    """How points follow the displacement of anchors: inverse-cube weights, fading over `reach_px`.

    Parameters
    ----------
    moved : (A, D) displacement of each anchor.
    anchors, points : (A, 2) and (K, 2) positions.

    Returns
    -------
    (K, D) float64.
    """
    apart = np.linalg.norm(points[:, np.newaxis] - anchors[np.newaxis], axis=2)
    share = 1.0 / (apart**3 + 1.0)
    mean = (share @ moved) / share.sum(axis=1, keepdims=True)
    fade = np.exp(-((apart.min(axis=1) / reach_px) ** 2))
    return np.asarray(mean * fade[:, np.newaxis], dtype=np.float64)


def _inside(points: NDArray[np.float64], polygon: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    mask = polygon_mask(polygon, size)
    columns = np.clip(np.rint(points[:, 0]).astype(int), 0, size[1] - 1)
    rows = np.clip(np.rint(points[:, 1]).astype(int), 0, size[0] - 1)
    return np.asarray(mask[rows, columns] > 0.5)


@njit(cache=True)
def _paint(places: NDArray[np.float64], triangles: Triangles, values: NDArray[np.float64], canvas: Floats) -> None:
    height, width, depth = canvas.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0 = places[a, 0], places[a, 1]
        ux, uy = places[b, 0] - x0, places[b, 1] - y0
        vx, vy = places[c, 0] - x0, places[c, 1] - y0
        area = ux * vy - vx * uy
        if abs(area) < 1e-9:
            continue
        top = max(0, int(np.ceil(min(y0, y0 + uy, y0 + vy) - SLACK)))
        bottom = min(height - 1, int(np.floor(max(y0, y0 + uy, y0 + vy) + SLACK)))
        left = max(0, int(np.ceil(min(x0, x0 + ux, x0 + vx) - SLACK)))
        right = min(width - 1, int(np.floor(max(x0, x0 + ux, x0 + vx) + SLACK)))
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                u = ((column - x0) * vy - vx * (row - y0)) / area
                v = (ux * (row - y0) - (column - x0) * uy) / area
                if u >= -SLACK and v >= -SLACK and u + v <= 1.0 + SLACK:
                    for k in range(depth):
                        canvas[row, column, k] = (1.0 - u - v) * values[a, k] + u * values[b, k] + v * values[c, k]
