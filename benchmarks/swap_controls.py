"""Controls that a face swap must beat: the source's mean face warped into place, and the nearest of its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.interpolate import RBFInterpolator

from faceswap.align import VIEW_SHARE
from faceswap.faceset import PICTURES, usable
from shared.picture.image import read_image
from shared.picture.warp import piecewise_warp, resize, to_float
from shared.types import Floats

SIDE_PX = 256
"""Side of the views that are judged."""


@dataclass(frozen=True)
class Source:
    """The source person as the controls need it."""

    mean_view: Floats
    mean_points: Floats
    points: Floats
    """(N, 68, 2) in view pixels."""
    pictures: list[Path]


def source_of(folder: Path) -> Source:
    """Mean face and landmarks of a face set, in view pixels."""
    rows = usable(folder)
    paths = [folder / PICTURES / row.name for row in rows]
    crop_px = read_image(paths[0]).shape[0]
    low, view_px = crop_px * (1 - VIEW_SHARE) / 2, crop_px * VIEW_SHARE
    points = np.stack([(row.landmarks - low + 0.5) * SIDE_PX / view_px - 0.5 for row in rows]).astype(np.float32)
    few = paths[:: max(1, len(paths) // 300)]
    mean = np.mean([view_picture(path) for path in few], axis=0)
    return Source(np.asarray(mean, np.float32), points.mean(axis=0), points, paths)


def view_picture(path: Path) -> Floats:
    """The view of a stored crop, (SIDE_PX, SIDE_PX, 3) float32."""
    crop = read_image(path)
    low = round(crop.shape[0] * (1 - VIEW_SHARE) / 2)
    return to_float(resize(crop[low:-low, low:-low], (SIDE_PX, SIDE_PX)))


def warped(picture: Floats, here: Floats, there: Floats) -> Floats:
    """`picture` with its points `here` brought to `there` by a thin-plate spline; the border stays."""
    line = np.linspace(0, SIDE_PX - 1, 5)
    ring = np.array([(x, y) for x in line for y in line if x in line[[0, -1]] or y in line[[0, -1]]])
    grid = np.linspace(0, SIDE_PX - 1, 33)
    places = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    spline = RBFInterpolator(np.concatenate([there, ring]), np.concatenate([here, ring]), smoothing=1.0)
    coarse = spline(places).reshape(33, 33, 2).astype(np.float32)
    dense = resize(np.ascontiguousarray(np.concatenate([coarse, coarse[..., :1]], axis=-1)), (SIDE_PX, SIDE_PX))
    return piecewise_warp(picture, np.ascontiguousarray(dense[..., 0]), np.ascontiguousarray(dense[..., 1]))


def nearest(points: Floats, wanted: Floats) -> int:
    """Number of the picture whose brows, nose, eyes and mouth lie nearest to the wanted ones, places apart."""
    centred = points[:, 17:] - points[:, 17:].mean(axis=1, keepdims=True)
    apart = centred - (wanted[17:] - wanted[17:].mean(axis=0))
    return int(np.argmin((apart**2).sum(axis=(1, 2))))
