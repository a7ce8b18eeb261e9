"""One made face laid over the face it replaces: its colour, its sharpness, its mask, its place in the frame."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from faceswap.align import FACE_SHARE
from faceswap.colours import METHODS, matched, visible
from faceswap.matte import laid_mask
from faceswap.options import SwapOptions
from faceswap.steer import GRID, MARGIN, Field
from faceswap.view import Made, View
from shared.picture.warp import (
    box_around,
    gaussian,
    grey_of,
    invert,
    laplacian,
    piecewise_warp,
    scale_of,
    warp_picture,
)
from shared.types import Floats, IntBox, Matrix, Patch

UNSHARP_SIGMA_PX: Final = 1.5
"""At the net's own size; finer detail than that it does not draw."""
MOST_UNSHARP: Final = 2.0
SMALLEST_DETAIL: Final = 1e-6


def figures(made: Made, options: SwapOptions) -> NDArray[np.float64]:
    """What is steadied along the track: log detail of the old and of the made face, and the measures of their colour.

    Returns
    -------
    (2 + K,) float64, K by the method of colour.
    """
    seen = visible(made)
    details = [np.log(max(SMALLEST_DETAIL, _detail(picture, seen))) for picture in (made.view.picture, made.picture)]
    return np.concatenate([details, METHODS[options.colour_method].measure(made, seen)])


def lay(made: Made, steady: NDArray[np.float64], options: SwapOptions, field: Field | None = None) -> Patch:
    """Make the patch that puts a made face into the frame.

    Parameters
    ----------
    steady : the steadied `figures`.
    field : how the made face is warped; None where it is laid as it is.
    """
    view, picture = made.view, made.picture
    picture = matched(picture, steady[2:], options)
    picture = _sharpen(picture, float(np.exp((steady[0] - steady[1]) / 2)), options.sharpen)
    side = len(picture)
    face_px = FACE_SHARE * side / scale_of(view.view_from_frame)
    box = _box(view, face_px, options)
    shift = np.eye(3)
    shift[:2, 2] = -box[0], -box[1]
    size = (box[3] - box[1], box[2] - box[0])
    patch_from_view = shift @ invert(view.view_from_frame)
    places = _places(patch_from_view, size, side, field)
    mask = laid_mask(made, shift, places, face_px, options)
    enlarged = _enlarged(picture, places, scale_of(patch_from_view))
    return Patch(box, enlarged, mask, view.view_from_frame, view.face.track)


def _box(view: View, face_px: float, options: SwapOptions) -> IntBox:
    """Frame box around the face, its forehead and the soft edge."""
    points = view.face.landmarks
    lift = options.forehead * (points[17:27].mean(axis=0) - points[36:48].mean(axis=0))
    x0, y0, x1, y1 = box_around(np.concatenate([points, points[17:27] + lift]))
    room = round(face_px * (options.feather / 2 + _growth(options))) + 2
    return x0 - room, y0 - room, x1 + room, y1 + room


def _growth(options: SwapOptions) -> float:
    """How far the mask grows beyond the hull at most, in face widths."""
    sides = (options.erode_top, options.erode_bottom, options.erode_left, options.erode_right)
    return max(0.0, -options.erode) + max(0.0, -min(sides))


def _places(patch_from_view: Matrix, size: tuple[int, int], side: int, field: Field | None) -> tuple[Floats, Floats]:
    """X and y in view pixels at which each pixel of the patch is read, (H, W) each."""
    view_from_patch = invert(patch_from_view)
    columns, rows = np.arange(size[1], dtype=np.float32), np.arange(size[0], dtype=np.float32)[:, np.newaxis]
    x, y = ((row[0] * columns + (row[1] * rows + row[2])).astype(np.float32) for row in view_from_patch[:2].tolist())
    if field is not None:
        step = (1 + 2 * MARGIN) / GRID * side
        view_from_grid = np.array([[step, 0, step / 2], [0, step, step / 2], [0, 0, 1.0]])
        view_from_grid[:2, 2] -= MARGIN * side + 0.5
        steps = warp_picture(field.steps * np.float32(side), patch_from_view @ view_from_grid, size)
        x, y = x + steps[..., 0], y + steps[..., 1]
    return x, y


def _enlarged(picture: Floats, places: tuple[Floats, Floats], growth: float) -> Floats:
    """Resample to the patch; where it grows, by a cubic first, since linear interpolation alone would soften it."""
    times = min(8, int(np.ceil(1.5 * growth))) if growth > 0.75 else 1
    if times > 1:
        picture = enlarge(picture, times)
        places = (places[0] * times + (times - 1) / 2, places[1] * times + (times - 1) / 2)
    return np.clip(piecewise_warp(picture, *places), 0.0, 1.0)


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
