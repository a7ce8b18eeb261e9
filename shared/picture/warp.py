"""Geometry and resampling of pictures: the typed door to OpenCV.

Matrices are (3, 3) float64, named ``to_from``; points have (0, 0) at the centre of the top-left pixel, which is also
OpenCV's own convention, so no half-pixel shifts are needed except where sizes are scaled (`resize_matrix`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.types import Floats, IntBox, Matrix, Picture

Border = Literal["replicate", "zero"]
Pixels = TypeVar("Pixels", bound=NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32])
"""An (H, W) or (H, W, C) array of uint8, uint16 or float32; functions give back the dtype that they were given."""

ANTI_ALIAS_BELOW = 0.5
"""Linear interpolation reads 2x2 samples, so it skips some once a warp shrinks by more than two."""


@contextmanager
def in_this_thread() -> Iterator[None]:
    """Inside the block OpenCV computes in the calling thread alone, in all threads of the process.

    Its own wait for each other by spinning: where steps of a chain run side by side, on pictures of faces, they only
    take the cores away from those.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def similarity(points_from: ArrayLike, points_to: ArrayLike, weights: ArrayLike | None = None) -> Matrix:
    """The scale, rotation and shift that bring one point set onto another with least squared error.

    Written with complex numbers, in which a similarity without reflection is ``z -> a z + b``; equal to Umeyama,
    "Least-squares estimation of transformation parameters between two point patterns", PAMI 13(4), 1991, with the
    determinant held positive.

    Parameters
    ----------
    points_from, points_to : (N, 2), N >= 2.
    weights : (N,) not negative; all equal where None.

    Returns
    -------
    Matrix
        ``to_from``.

    Raises
    ------
    ValueError
        If the shapes differ or the points of `points_from` fall together.
    """
    old, new = _pairs(points_from, points_to, least=2)
    share = np.ones(len(old)) if weights is None else np.asarray(weights, dtype=np.float64)
    if share.shape != (len(old),) or np.any(share < 0) or share.sum() <= 0:
        raise ValueError(f"weights must be ({len(old)},), not negative and not all zero, got shape {share.shape}")
    share = share / share.sum()
    z, w = old[:, 0] + 1j * old[:, 1], new[:, 0] + 1j * new[:, 1]
    z_mean, w_mean = np.sum(share * z), np.sum(share * w)
    spread = float(np.sum(share * np.abs(z - z_mean) ** 2))
    if spread <= 1e-12:
        raise ValueError("a similarity needs at least two different points to map from")
    turn = np.sum(share * np.conj(z - z_mean) * (w - w_mean)) / spread
    shift = w_mean - turn * z_mean
    return np.array(
        [[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag], [0.0, 0.0, 1.0]], dtype=np.float64
    )


def affine(points_from: ArrayLike, points_to: ArrayLike) -> Matrix:
    """The affine map that brings one point set onto another with least squared error.

    Parameters
    ----------
    points_from, points_to : (N, 2), N >= 3, not on one line.

    Returns
    -------
    Matrix
        ``to_from``.
    """
    old, new = _pairs(points_from, points_to, least=3)
    centre = old.mean(axis=0)
    unknowns, _, rank, _ = np.linalg.lstsq(np.column_stack([old - centre, np.ones(len(old))]), new, rcond=None)
    if rank < 3:
        raise ValueError("an affine map needs three points that are not on one line")
    matrix = np.eye(3)
    matrix[:2, :2] = unknowns[:2].T
    matrix[:2, 2] = unknowns[2] - unknowns[:2].T @ centre
    return matrix


def transform(matrix: Matrix, points: ArrayLike) -> Floats:
    """Points of shape (..., 2) moved by an affine (3, 3) matrix, as float32."""
    places = np.asarray(points, dtype=np.float64)
    if matrix.shape != (3, 3) or places.shape[-1:] != (2,):
        raise ValueError(f"expected a (3, 3) matrix and (..., 2) points, got {matrix.shape} and {places.shape}")
    return cast(Floats, (places @ matrix[:2, :2].T + matrix[:2, 2]).astype(np.float32))


def invert(matrix: Matrix) -> Matrix:
    """The affine map the other way: ``invert(crop_from_frame)`` is ``frame_from_crop``.

    Raises
    ------
    ValueError
        The map has no inverse.
    """
    # Written out, it takes a fifth of the time of a solver for any matrix.
    (a, b, x), (c, d, y), _ = matrix.tolist()
    area = a * d - b * c
    if area == 0.0:
        raise ValueError(f"this map has no inverse: {matrix!r}")
    a, b, c, d = d / area, -b / area, -c / area, a / area
    return np.array([[a, b, -(a * x + b * y)], [c, d, -(c * x + d * y)], [0.0, 0.0, 1.0]])


def scale_of(matrix: Matrix) -> float:
    """How many output pixels one input pixel becomes, along one side: the root of the area's growth."""
    (a, b, _), (c, d, _) = matrix[:2].tolist()
    return math.sqrt(abs(a * d - b * c))


def box_around(points: ArrayLike, grow: float = 1.0) -> IntBox:
    """The smallest integer box (exclusive ends) around points, its sides multiplied by `grow` about its centre."""
    places = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if len(places) == 0 or not np.all(np.isfinite(places)):
        raise ValueError("a box needs at least one point, all finite")
    low, high = places.min(axis=0), places.max(axis=0)
    centre, half = (low + high) / 2, (high - low) / 2 * grow
    first, last = np.floor(centre - half), np.ceil(centre + half) + 1
    return int(first[0]), int(first[1]), int(last[0]), int(last[1])


def box_from_frame(box: IntBox) -> Matrix:
    """The map from pixels of a frame to those of a box cut out of it."""
    return np.array([[1.0, 0.0, -box[0]], [0.0, 1.0, -box[1]], [0.0, 0.0, 1.0]])


def resize_matrix(size_from: tuple[int, int], size_to: tuple[int, int]) -> Matrix:
    """The map from pixels of a picture of `size_from` (height, width) to those of its resized copy."""
    scale_y, scale_x = size_to[0] / size_from[0], size_to[1] / size_from[1]
    return np.array(
        [[scale_x, 0.0, (scale_x - 1) / 2], [0.0, scale_y, (scale_y - 1) / 2], [0.0, 0.0, 1.0]], dtype=np.float64
    )


def warp_picture(
    picture: Pixels, out_from_in: Matrix, size: tuple[int, int], border: Border = "replicate", linear: bool = True
) -> Pixels:
    """A picture resampled through an affine map.

    Parameters
    ----------
    picture : (H, W) or (H, W, C) uint8, uint16 or float32.
    out_from_in : affine, from pixels of `picture` to pixels of the result.
    size : (height, width) of the result.
    border : what lies outside the picture: its edge repeated, or zeros.
    linear : linear interpolation, with averaging before a shrink of more than two; False takes the nearest sample.
    """
    scale = scale_of(out_from_in)
    if linear and 0 < scale < ANTI_ALIAS_BELOW:
        height, width = picture.shape[:2]
        small = (max(1, round(height * scale)), max(1, round(width * scale)))
        out_from_in = out_from_in @ invert(resize_matrix((height, width), small))
        picture = resize(picture, small)
    warped = cv2.warpAffine(
        picture,
        out_from_in[:2],
        (size[1], size[0]),
        flags=cv2.INTER_LINEAR if linear else cv2.INTER_NEAREST,
        borderMode=_border_code(border),
    )
    return _same_rank(warped, picture)


def piecewise_warp(
    picture: Pixels, map_x: Floats, map_y: Floats, border: Border = "replicate", sharp: bool = False
) -> Pixels:
    """A picture read at one place for each output pixel.

    Parameters
    ----------
    picture : (H, W) or (H, W, C).
    map_x, map_y : (h, w) float32, where in `picture` each pixel of the result is read.
    sharp : interpolate by cubics instead of linearly: detail stays, edges may overshoot.
    """
    if map_x.shape != map_y.shape or map_x.ndim != 2:
        raise ValueError(f"maps must be two (h, w) arrays, got {map_x.shape} and {map_y.shape}")
    warped = cv2.remap(
        picture,
        map_x.astype(np.float32, copy=False),
        map_y.astype(np.float32, copy=False),
        cv2.INTER_CUBIC if sharp else cv2.INTER_LINEAR,
        borderMode=_border_code(border),
    )
    return _same_rank(warped, picture)


def resize(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """A picture at another (height, width): averaged over areas where it shrinks, linear where it grows."""
    height, width = picture.shape[:2]
    if size == (height, width):
        return cast(Pixels, picture.copy())
    shrinks = size[0] * size[1] < height * width
    smaller = cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return _same_rank(smaller, picture)


def enlarge(picture: Pixels, times: int) -> Pixels:
    """A picture a whole number of times larger, by cubics (Keys 1981, a = -0.75): edges stay, and stay sharp."""
    if times < 1:
        raise ValueError(f"times must be at least 1, got {times}")
    size = (picture.shape[1] * times, picture.shape[0] * times)
    return _same_rank(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), picture)


def gaussian(picture: Pixels, sigma_px: float) -> Pixels:
    """A picture blurred by a Gaussian, its edge repeated outside; `sigma_px` 0 or less copies it."""
    if sigma_px <= 0:
        return cast(Pixels, picture.copy())
    blurred = cv2.GaussianBlur(picture, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE)
    return _same_rank(blurred, picture)


def laplacian(grey: NDArray[np.uint8] | Floats) -> Floats:
    """The 4-neighbour Laplacian of an (H, W) picture, float32."""
    if grey.ndim != 2:
        raise ValueError(f"expected a grey (H, W) picture, got {grey.shape}")
    return np.asarray(cv2.Laplacian(grey, cv2.CV_32F, ksize=1), dtype=np.float32)


def laplacian_variance(grey: NDArray[np.uint8] | Floats) -> float:
    """Variance of the 4-neighbour Laplacian of an (H, W) picture, in the picture's own units squared."""
    return float(np.var(laplacian(grey)))


def grey_of(picture: Pixels) -> Pixels:
    """Luma of an RGB picture by the weights of BT.601, in the same dtype."""
    return cast(Pixels, np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)))


def spread(grey: Floats, channels: int = 3) -> Floats:
    """An (H, W) picture as (H, W, C), the same in each channel."""
    return np.asarray(cv2.merge([grey] * channels), dtype=np.float32).reshape(*grey.shape, channels)


def to_float(picture: NDArray[np.uint8] | NDArray[np.uint16]) -> Floats:
    """Integer samples as float32 in [0, 1]."""
    if picture.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"expected uint8 or uint16, got {picture.dtype}")
    return picture.astype(np.float32) * np.float32(1.0 / np.iinfo(picture.dtype).max)


def eight_bit(picture: Picture) -> NDArray[np.uint8]:
    """A picture as uint8: as it is, or 16-bit samples over the full range rounded to the nearest of 255 steps."""
    if picture.dtype == np.uint8:
        return picture.astype(np.uint8, copy=False)
    if picture.dtype != np.uint16:
        raise ValueError(f"expected uint8 or uint16, got {picture.dtype}")
    # 65535 is 257 x 255, so half a step is 128.
    return ((picture.astype(np.uint32) + 128) // 257).astype(np.uint8)


def to_uint8(floats: Floats) -> NDArray[np.uint8]:
    """Floats in [0, 1] as uint8, rounded, cut off outside."""
    return cast("NDArray[np.uint8]", np.rint(np.clip(floats, 0.0, 1.0) * 255.0).astype(np.uint8))


def _pairs(points_from: ArrayLike, points_to: ArrayLike, least: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    old, new = np.asarray(points_from, dtype=np.float64), np.asarray(points_to, dtype=np.float64)
    if old.ndim != 2 or old.shape[1] != 2 or old.shape != new.shape or len(old) < least:
        raise ValueError(f"expected two (N, 2) point sets with N >= {least}, got {old.shape} and {new.shape}")
    if not (np.all(np.isfinite(old)) and np.all(np.isfinite(new))):
        raise ValueError("points must be finite")
    return old, new


def _border_code(border: Border) -> int:
    return cv2.BORDER_REPLICATE if border == "replicate" else cv2.BORDER_CONSTANT


def _same_rank(result: object, like: Pixels) -> Pixels:
    """OpenCV drops a last axis of length one; give it back."""
    array = np.asarray(result)
    return cast(Pixels, array.reshape(array.shape[:2] + like.shape[2:]))
