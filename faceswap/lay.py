"""One made face laid over the face it replaces: its colour, its sharpness, its mask, its place in the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faceswap.align import FACE_SHARE, view_from_frame
from faceswap.options import SwapOptions
from shared.picture.colour import LabStatistics, lab_statistics, match_lab
from shared.picture.mask import erode, extended_hull, feather, hull_mask, polygon_mask
from shared.picture.planes import warp
from shared.picture.warp import (
    box_around,
    gaussian,
    grey_of,
    invert,
    laplacian,
    resize_matrix,
    scale_of,
    to_float,
    transform,
    warp_picture,
)
from shared.types import Face, Floats, Frame, IntBox, Matrix, Patch

UNSHARP_SIGMA_PX: Final = 1.5
"""At the net's own size; finer detail than that it does not draw."""
MOST_UNSHARP: Final = 2.0
MOST_GROWTH: Final = np.array([2.0, 1.25, 1.25], dtype=np.float32)
"""Furthest that the spread of L, a, b may grow: a face with red cheeks must not turn another's eyes to teal."""
INNER_SHARE: Final = 0.06
"""The hull is eroded by this share of the view before figures are taken, so that no background counts."""
VIEW_INSET: Final = 0.02
"""The mask ends this share of the view before the view does."""
SMALLEST_DETAIL: Final = 1e-6


@dataclass(frozen=True, slots=True)
class View:
    """A face of the clip as the net sees it.

    Attributes
    ----------
    face : the face, in frame pixels.
    view_from_frame : (3, 3).
    picture : (V, V, 3) float32 RGB in [0, 1].
    inner : (V, V) float32, well inside the face.
    """

    face: Face
    view_from_frame: Matrix
    picture: Floats
    inner: Floats


def look_at(frame: Frame, face: Face, view_px: int) -> View:
    """Cut the view of a face out of a frame."""
    matrix = view_from_frame(face.landmarks, view_px)
    picture = to_float(warp(frame, matrix, (view_px, view_px)))
    hull = hull_mask(transform(matrix, face.landmarks), (view_px, view_px))
    inner = erode(hull, INNER_SHARE * view_px)
    return View(face, matrix, picture, inner if inner.any() else np.ones_like(inner))


def figures(view: View, made: Floats) -> NDArray[np.float64]:
    """What is steadied along the track: Lab mean and spread of the old and of the made face, log detail of both.

    Returns
    -------
    (14,) float64.
    """
    old, new = lab_statistics(view.picture, view.inner), lab_statistics(made, view.inner)
    details = [np.log(max(SMALLEST_DETAIL, _detail(picture, view.inner))) for picture in (view.picture, made)]
    return np.concatenate([old.mean, old.std, new.mean, new.std, details]).astype(np.float64)


def lay(view: View, made: Floats, steady: NDArray[np.float64], options: SwapOptions) -> Patch:
    """Make the patch that puts a made face into the frame.

    Parameters
    ----------
    made : (V, V, 3) float32, what the net drew for this view.
    steady : (14,) the steadied `figures`.
    """
    old, new = (LabStatistics(*steady[start : start + 6].astype(np.float32).reshape(2, 3)) for start in (0, 6))
    old = LabStatistics(old.mean, np.minimum(old.std, new.std * MOST_GROWTH))
    picture = match_lab(made, new, old, options.colour) if options.colour > 0 else made
    picture = _sharpen(picture, float(np.exp((steady[12] - steady[13]) / 2)), options.sharpen)
    scale = scale_of(view.view_from_frame)
    face_px = FACE_SHARE * made.shape[0] / scale
    box = _box(view, made.shape[0], face_px * options.feather)
    shift = np.eye(3)
    shift[:2, 2] = -box[0], -box[1]
    size = (box[3] - box[1], box[2] - box[0])
    patch_from_view = shift @ invert(view.view_from_frame)
    mask = _mask(transform(shift, view.face.landmarks), patch_from_view, made.shape[0], size, face_px, options)
    return Patch(box, _enlarged(picture, patch_from_view, size), mask)


def _mask(
    points: Floats, patch_from_view: Matrix, view_px: int, size: tuple[int, int], face_px: float, options: SwapOptions
) -> Floats:
    """Hull in patch pixels, within the view, made smaller and soft."""
    hull = extended_hull(points, size, options.forehead) if options.forehead > 0 else hull_mask(points, size)
    inset = VIEW_INSET * view_px + face_px * options.feather / 2 * scale_of(patch_from_view) ** -1
    low, high = inset - 0.5, view_px - 0.5 - inset
    corners = np.array([(low, low), (high, low), (high, high), (low, high)])
    hull = np.minimum(hull, polygon_mask(transform(patch_from_view, corners), size))
    return feather(erode(hull, face_px * options.erode), face_px * options.feather)


def _box(view: View, view_px: int, margin_px: float) -> IntBox:
    """Frame box around the face and the soft edge, but no larger than the view."""
    corners = np.array([(-0.5, -0.5), (view_px - 0.5, -0.5), (view_px - 0.5, view_px - 0.5), (-0.5, view_px - 0.5)])
    x0, y0, x1, y1 = box_around(transform(invert(view.view_from_frame), corners))
    room = round(margin_px) // 2 + 2
    return x0 - room, y0 - room, x1 + room, y1 + room


def _enlarged(picture: Floats, patch_from_view: Matrix, size: tuple[int, int]) -> Floats:
    """Resample to the patch; where it grows, by a cubic first, since linear interpolation alone would soften it."""
    growth = scale_of(patch_from_view)
    if growth > 0.75:
        times = min(8, int(np.ceil(1.5 * growth)))
        large = enlarge(picture, times)
        patch_from_view = patch_from_view @ invert(resize_matrix(picture.shape[:2], large.shape[:2]))
        picture = large
    return np.clip(warp_picture(picture, patch_from_view, size), 0.0, 1.0)


def enlarge(picture: Floats, times: int) -> Floats:
    """A whole number of times larger, by Catmull-Rom cubics (Keys 1981, a = -0.5)."""
    rows = _cubic(picture.shape[0], times)
    columns = _cubic(picture.shape[1], times)
    height, width, channels = picture.shape
    tall = (rows @ picture.reshape(height, -1)).reshape(-1, width, channels)
    by_channel = np.ascontiguousarray(np.moveaxis(tall, 2, 1)).reshape(-1, width)
    wide = (by_channel @ columns.T).reshape(len(rows), channels, len(columns))
    return np.ascontiguousarray(np.moveaxis(wide, 1, 2))


def _cubic(length: int, times: int) -> Floats:
    """(length * times, length) weights, edges repeated."""
    places = (np.arange(length * times) + 0.5) / times - 0.5
    weights = np.zeros((length * times, length), dtype=np.float32)
    first = np.floor(places).astype(int) - 1
    for step in range(4):
        distance = np.abs(places - (first + step))
        near = 1.5 * distance**3 - 2.5 * distance**2 + 1
        far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
        value = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
        np.add.at(weights, (np.arange(length * times), np.clip(first + step, 0, length - 1)), value)
    return weights


def _sharpen(picture: Floats, ratio: float, strength: float) -> Floats:
    """Unsharp masking by as much as the old face has more fine detail than the new one."""
    amount = strength * min(MOST_UNSHARP, max(0.0, ratio - 1.0))
    if amount <= 0:
        return picture
    return np.clip(picture + np.float32(amount) * (picture - gaussian(picture, UNSHARP_SIGMA_PX)), 0.0, 1.0)


def _detail(picture: Floats, inner: Floats) -> float:
    """Mean square of the Laplacian over the inner face."""
    return float((laplacian(grey_of(picture)) ** 2 * inner).sum() / inner.sum())
