"""Masks of a face and of its parts, with edges that always fall to 0 inside the crop.

Masks are (H, W) float32 in [0, 1], 1 = the part. Shapes from landmarks are drawn with a quarter of a pixel's
precision, so that they glide with the face instead of stepping; `feather` is the last step before a mask is used.
"""

from __future__ import annotations

import math
from functools import partial

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.types import Floats

SUPERSAMPLE = 4
FIXED_POINT_BITS = 8
FARTHEST = 25_000.0
"""Corners further away than this are taken to lie here; fixed-point numbers go no further."""
SQUARE = np.ones((3, 3), dtype=np.uint8)
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=np.uint8)
SQUARE_SHARE = 0.4142
"""Share of 3x3 square steps, the rest crosses, with which repeated growth makes a regular octagon (sqrt 2 - 1)."""

JAW, BROWS, EYES = slice(0, 17), slice(17, 27), slice(36, 48)
OUTER_LIP, NOSE_BASE, UPPER_LIP = slice(48, 60), 33, 51
JAW_MARGINS = np.array(
    [-0.10, -0.09, -0.08, -0.07, -0.05, 0.01, 0.08, 0.12, 0.13, 0.12, 0.08, 0.01, -0.05, -0.07, -0.08, -0.09, -0.10]
)
"""How far outside each jaw point the lower face reaches, in distances of the outer eye corners: under the chin there
is neck, beside the jaw there is background, which must stay the frame's own."""
BELOW_NOSE = 0.3
"""Where the lower face begins: 0 at the nose base, 1 at the upper lip."""


def polygon_mask(points: ArrayLike, size: tuple[int, int], *others: ArrayLike) -> Floats:
    """The inside of a closed polygon, or of any of several, smooth at its edge.

    Parameters
    ----------
    points, others : (N, 2) corners in crop pixels, N >= 3; may lie outside the crop.
    size : (height, width) of the mask.
    """
    polygons = [np.clip(_corners(one), -FARTHEST, FARTHEST) for one in (points, *others)]
    mask = np.zeros(size, dtype=np.float32)
    # Only where the polygons are: most are small parts of a face.
    xs, ys = (np.concatenate(polygons) if others else polygons[0]).T.tolist()
    left, right = max(0, math.floor(min(xs)) - 1), min(size[1], math.ceil(max(xs)) + 2)
    top, bottom = max(0, math.floor(min(ys)) - 1), min(size[0], math.ceil(max(ys)) + 2)
    if right <= left or bottom <= top:
        return mask
    height, width = bottom - top, right - left
    canvas = np.zeros((height * SUPERSAMPLE, width * SUPERSAMPLE), dtype=np.uint8)
    for corners in polygons:
        fine = (corners - (left - 0.5, top - 0.5)) * SUPERSAMPLE - 0.5
        fixed = np.rint(fine * 2**FIXED_POINT_BITS).astype(np.int32)
        cv2.fillPoly(canvas, [fixed], SUPERSAMPLE**2, lineType=cv2.LINE_8, shift=FIXED_POINT_BITS)
    # Halved twice, which OpenCV does several times as fast as by four at once; of so many samples the means are whole.
    half = cv2.resize(canvas, (2 * width, 2 * height), interpolation=cv2.INTER_AREA)
    small = cv2.resize(half, (width, height), interpolation=cv2.INTER_AREA)
    np.multiply(small, np.float32(1 / SUPERSAMPLE**2), out=mask[top:bottom, left:right])
    return mask


def hull_mask(landmarks: ArrayLike, size: tuple[int, int]) -> Floats:
    """The convex hull of the 68 landmarks: jaw line to brows."""
    return polygon_mask(_hull(_points68(landmarks)), size)


def extended_hull(landmarks: ArrayLike, size: tuple[int, int], rise: float = 0.7) -> Floats:
    """The hull with the brow points moved up, so that the whole brow and some forehead lie inside.

    Parameters
    ----------
    rise : how far the brow moves, as a multiple of its own distance to the eyes, >= 0.
    """
    points = _points68(landmarks)
    lift = points[BROWS].mean(axis=0) - points[EYES].mean(axis=0)
    raised = points[BROWS] + rise * lift
    return polygon_mask(_hull(np.concatenate([points, raised])), size)


def mouth_mask(landmarks: ArrayLike, size: tuple[int, int], grow: float = 1.0) -> Floats:
    """The hull of the outer lip, multiplied by `grow` about its centre."""
    lip = _points68(landmarks)[OUTER_LIP]
    centre = lip.mean(axis=0)
    return polygon_mask(_hull(centre + (lip - centre) * grow), size)


def lower_face_mask(landmarks: ArrayLike, size: tuple[int, int], *others: ArrayLike) -> Floats:
    """The inside of `lower_face_outline`, or of any of several faces'.

    No row of the old jaw may stay visible, or the result follows it instead of the new speech: give the old and the new
    landmarks together.
    """
    return polygon_mask(lower_face_outline(landmarks), size, *(lower_face_outline(other) for other in others))


def lower_face_outline(landmarks: ArrayLike) -> Floats:
    """Polygon of everything below the nose base, the jaw line with its margin around it, (N, 2) float32.

    Parameters
    ----------
    landmarks : (68, 2) crop pixels.
    """
    points = _points68(landmarks)
    down = BELOW_NOSE * (points[UPPER_LIP] - points[NOSE_BASE])
    under_nose = points[[35, 33, 31]] + down
    return np.concatenate([widened_jaw(points, JAW_MARGINS)[2:15], under_nose]).astype(np.float32)


def widened_jaw(landmarks: ArrayLike, margins: NDArray[np.float64]) -> Floats:
    """The jaw line (17, 2) float32, each point moved away from the middle of the mouth.

    Parameters
    ----------
    landmarks : (68, 2) crop pixels.
    margins : (17,) in distances of the outer eye corners; negative ones move inwards.
    """
    points = _points68(landmarks)
    eyes_px = math.dist(points[45], points[36])
    if eyes_px <= 0:
        raise ValueError("the two eyes of these landmarks fall together")
    away = points[JAW] - points[OUTER_LIP].mean(axis=0)
    shares = margins * eyes_px / np.maximum(np.hypot(away[:, 0], away[:, 1]), 1e-6)
    return np.asarray(points[JAW] + away * shares[:, np.newaxis], dtype=np.float32)


def erode(mask: Floats, px: float) -> Floats:
    """The mask shrunk by `px` pixels on all sides, grown where negative; outside the crop counts as 0.

    Soft edges keep their shape and fractions of a pixel count, so the result moves smoothly with its input.
    """
    whole = int(abs(px))
    part = np.float32(abs(px) - whole)
    step = partial(cv2.erode if px > 0 else cv2.dilate, borderType=cv2.BORDER_CONSTANT, borderValue=(0.0,))
    stepped = np.asarray(_checked(mask))
    for count in range(whole):
        stepped = np.asarray(step(stepped, _brush(count)))
    if part > 0:
        stepped = stepped * (1 - part) + np.asarray(step(stepped, _brush(whole))) * part
    return np.array(stepped, dtype=np.float32)


def feather(mask: Floats, px: float) -> Floats:
    """A mask with a soft edge `px` wide, centred on the old edge, that is exactly 0 on the crop's border.

    The mask is first cut off at half the softness from the border, so that nothing is left to reach it: three box
    averages in a row are nearly a Gaussian (sigma about px / 6) but end after exactly half the width.

    Parameters
    ----------
    mask : (H, W) float32 in [0, 1].
    px : width of the edge; at most half of the shorter side is used. 0 only clears the border.
    """
    half = max(0, min(round(px / 2), min(mask.shape) // 4))
    soft = _checked(mask).copy()
    border = half + 1
    soft[:border], soft[-border:], soft[:, :border], soft[:, -border:] = 0, 0, 0, 0
    for radius in (half // 3 + (half % 3 > 0), half // 3 + (half % 3 > 1), half // 3):
        if radius > 0:
            soft = np.asarray(cv2.blur(soft, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_CONSTANT))
    soft = soft.astype(np.float32, copy=False)
    soft[soft < 1e-5] = 0.0  # running sums leave crumbs behind
    soft[soft > 1 - 1e-5] = 1.0
    soft[0], soft[-1], soft[:, 0], soft[:, -1] = 0, 0, 0, 0
    return soft


def _brush(count: int) -> NDArray[np.uint8]:
    square = int((count + 1) * SQUARE_SHARE) > int(count * SQUARE_SHARE)
    return SQUARE if square else CROSS


def _hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.convexHull(points.astype(np.float32)), dtype=np.float64).reshape(-1, 2)


def _corners(points: ArrayLike) -> NDArray[np.float64]:
    corners = np.asarray(points, dtype=np.float64)
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
        raise ValueError(f"a polygon needs (N, 2) corners with N >= 3, got {corners.shape}")
    return corners


def _points68(landmarks: ArrayLike) -> NDArray[np.float64]:
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (68, 2):
        raise ValueError(f"expected (68, 2) landmarks, got {points.shape}")
    return points


def _checked(mask: Floats) -> Floats:
    if mask.ndim != 2 or mask.dtype != np.float32:
        raise ValueError(f"expected an (H, W) float32 mask, got {mask.shape} {mask.dtype}")
    return mask
