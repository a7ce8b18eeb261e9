"""Boxes of a frame as upright RGB, and small upright copies of the whole of it, straight from its native planes.

Only what is asked for is converted: a warp samples each plane on its own grid and turns the small result into RGB, so
that its cost does not grow with the frame. What goes back into the planes is `shared.picture.composite`'s work,
re-exported here as the other half of the same door.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from shared.picture.composite import changed_support, composite
from shared.picture.warp import box_from_frame, eight_bit, invert, scale_of
from shared.picture.yuv import LUMA_WEIGHTS, black_sample, chroma_from_luma, rgb_from_samples
from shared.types import ColourSpec, Frame, IntBox, Matrix, Picture, PixelFormat, Plane

__all__ = ["changed_support", "composite", "cut", "luma", "thumbnail", "upright_from_coded", "warp"]

Border = Literal["replicate", "zero"]


@dataclass(frozen=True, slots=True)
class _Reading:
    """How a crop is read from planes of one size.

    Attributes
    ----------
    part : rows and columns of the plane that are averaged.
    factor : side of the blocks that are averaged first; 1 where none are.
    small_from_crop : where each pixel of the crop lies among their averages.
    """

    part: tuple[slice, slice]
    factor: int
    small_from_crop: Matrix


def upright_from_coded(frame: Frame) -> Matrix:
    """(3, 3) map from pixel coordinates of the coded planes to those of the upright picture."""
    height, width = frame.planes[0].shape
    matrix: Matrix = np.eye(3)
    if frame.mirrored:
        matrix = np.array([[-1.0, 0, width - 1.0], [0, 1, 0], [0, 0, 1]])
    for _ in range(frame.quarter_turns % 4):
        matrix = np.array([[0.0, 1, 0], [-1, 0, width - 1.0], [0, 0, 1]]) @ matrix
        height, width = width, height
    return matrix


def cut(frame: Frame, box: IntBox) -> Picture:
    """The upright RGB of `box`; parts outside the frame repeat its edge.

    Returns
    -------
    (H, W, 3) RGB, uint8 for 8-bit frames, else uint16 over the full 16-bit range. Luma is exact; chroma is interpolated
    from its own grid.
    """
    x0, y0, x1, y1 = box
    if x1 <= x0 or y1 <= y0:
        raise ValueError(f"box needs x0 < x1 and y0 < y1, got {box}")
    return warp(frame, box_from_frame(box), (y1 - y0, x1 - x0))


def warp(frame: Frame, crop_from_frame: Matrix, size: tuple[int, int], border: Border = "replicate") -> Picture:
    """Sample an upright crop of `size` from the planes, bilinear, with shrinking by more than 2 averaged first.

    Parameters
    ----------
    crop_from_frame : (3, 3) affine map from upright frame pixels to crop pixels.
    size : (height, width) of the crop.
    border : what lies outside the frame: its edge repeated, or black.

    Returns
    -------
    (height, width, 3) RGB, uint8 or (deep input) uint16.
    """
    if crop_from_frame.shape != (3, 3) or np.abs(crop_from_frame[2] - (0.0, 0.0, 1.0)).max() > 1e-8:
        raise ValueError(f"crop_from_frame must be a (3, 3) affine matrix, got {crop_from_frame!r}")
    crop_from_coded = crop_from_frame @ upright_from_coded(frame)
    first = rest = _reading(frame.planes[0].shape, crop_from_coded, size)
    if frame.pixels.kind == "yuv" and frame.pixels.chroma_shift != (0, 0):
        crop_from_chroma = crop_from_coded @ invert(chroma_from_luma(frame.colour, frame.pixels))
        rest = _reading(frame.planes[1].shape, crop_from_chroma, size)
    parts = []
    for number, plane in enumerate(frame.planes):
        outside = None if border == "replicate" else black_sample(frame.colour, frame.pixels, number)
        parts.append(_warp_plane(plane, rest if number else first, size, outside))
    return picture_from_planes(parts, frame.colour, frame.pixels)


def thumbnail(frame: Frame, long_side_px: int) -> tuple[NDArray[np.uint8], float]:
    """A small upright copy of the whole frame for detection; never larger than the frame.

    Returns
    -------
    picture : (h, w, 3) RGB uint8.
    scale : small / full. With pixel centres at whole numbers, ``full = (small + 0.5) / scale - 0.5``.
    """
    size, scale = _small_size(frame, long_side_px)
    parts = [_shrink(plane, size) for plane in frame.planes]
    picture = _turn_upright(picture_from_planes(parts, frame.colour, frame.pixels), frame)
    return eight_bit(picture), scale


def luma(frame: Frame, long_side_px: int) -> NDArray[np.uint8]:
    """A small upright grey copy of the frame as (h, w) uint8, in the frame's own range; for cut detection."""
    size, _ = _small_size(frame, long_side_px)
    if frame.pixels.kind == "rgb":
        red, blue = LUMA_WEIGHTS["rgb"]
        small = [_shrink(plane, size).astype(np.float32) for plane in frame.planes]
        grey = small[0] * (1.0 - red - blue) + small[1] * blue + small[2] * red
    else:
        grey = _shrink(frame.planes[0], size).astype(np.float32)
    bytes_ = np.rint(grey / float(1 << (frame.pixels.depth - 8))).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(_turn_upright(bytes_, frame))


def picture_from_planes(planes: Sequence[Plane], colour: ColourSpec, pixels: PixelFormat) -> Picture:
    """Turn planes of one common size into RGB, uint8 where the depth is 8, else uint16 over the full range."""
    three = list(planes) * 3 if len(planes) == 1 else list(planes)
    if pixels.kind == "rgb" and pixels.depth == 8:
        return _picture(cv2.merge([three[2], three[0], three[1]]))
    return _picture(cv2.transform(cv2.merge(three), rgb_from_samples(colour, pixels)))


def _reading(shape: tuple[int, ...], crop_from_plane: Matrix, size: tuple[int, int]) -> _Reading:
    """Choose how a crop of `size` reads planes of a shape; blocks are averaged only in the part that it sees."""
    scale = scale_of(crop_from_plane)
    if not scale > 0.0:
        raise ValueError("crop_from_frame must be invertible")
    plane_from_crop = invert(crop_from_plane)
    factor = int(1.0 / scale)
    if factor < 2:
        return _Reading((slice(None), slice(None)), 1, plane_from_crop)
    height, width = size
    corners = np.array([[-1.0, width, -1.0, width], [-1.0, -1.0, height, height], [1, 1, 1, 1]])
    seen = plane_from_crop[:2] @ corners
    starts, stops = [], []
    for low, high, length in zip(seen.min(axis=1).tolist(), seen.max(axis=1).tolist(), shape[::-1], strict=True):
        start = min(max(math.floor(low) - factor, 0), length - 1)
        starts.append(start)
        stops.append(min(max(math.ceil(high) + 1 + factor, start + 1), length))
    part = slice(starts[1], stops[1]), slice(starts[0], stops[0])
    half = (factor - 1) / 2.0
    plane_from_small = np.array([[factor, 0, starts[0] + half], [0, factor, starts[1] + half], [0, 0, 1.0]])
    return _Reading(part, factor, invert(plane_from_small) @ plane_from_crop)


def _warp_plane(plane: Plane, reading: _Reading, size: tuple[int, int], outside: float | None) -> Plane:
    part, factor = plane[reading.part], reading.factor
    if factor > 1:
        spare_y, spare_x = -part.shape[0] % factor, -part.shape[1] % factor
        if spare_x or spare_y:
            part = _plane(cv2.copyMakeBorder(part, 0, spare_y, 0, spare_x, cv2.BORDER_REPLICATE))
        small = (part.shape[1] // factor, part.shape[0] // factor)
        part = _plane(cv2.resize(part, small, interpolation=cv2.INTER_AREA))
    warped = cv2.warpAffine(
        part,
        reading.small_from_crop[:2],
        (size[1], size[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT,
        borderValue=(outside or 0.0,),
    )
    return _plane(warped)


def _small_size(frame: Frame, long_side_px: int) -> tuple[tuple[int, int], float]:
    """Coded (height, width) of a copy whose long side is at most `long_side_px`, and its scale."""
    if long_side_px < 1:
        raise ValueError(f"long_side_px must be at least 1, got {long_side_px}")
    height, width = frame.planes[0].shape
    scale = min(1.0, long_side_px / max(height, width))
    return (max(1, round(height * scale)), max(1, round(width * scale))), scale


def _shrink(plane: Plane, size: tuple[int, int]) -> Plane:
    if plane.shape == size:
        return plane
    smaller = plane.shape[0] >= size[0] and plane.shape[1] >= size[1]
    return _plane(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR))


def _turn_upright(picture: NDArray[Any], frame: Frame) -> NDArray[Any]:
    turned = picture[:, ::-1] if frame.mirrored else picture
    return np.ascontiguousarray(np.rot90(turned, frame.quarter_turns % 4))


def _plane(image: MatLike) -> Plane:
    return cast(Plane, np.asarray(image))


def _picture(image: MatLike) -> Picture:
    return cast(Picture, np.asarray(image))
