"""Optical flow, and frames between two others along it: each plane warped on its own grid, never through RGB.

The flow is found on luma; Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016, at OpenCV's
medium preset.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.picture.warp import resize, resize_matrix, transform
from shared.picture.yuv import LUMA_WEIGHTS, chroma_from_luma
from shared.types import Floats, Frame, Matrix, Plane

Grey = NDArray[np.uint8]
LEAST_SIDE: Final = 12
"""Pixels of a side below which the search finds no patch; smaller pictures are blended where they are."""
FLOW_PX: Final = 960
"""Longest side on which flow is searched; larger pictures use that of a smaller copy, enlarged."""
ROUNDS: Final = 2
"""Steps by which a point between two pictures is followed back to where its flow was measured: with none a rotation
of 120 x 90 px by 4 degrees is met half-way to 0.056 px, with one to 0.0025, with two to 0.0006."""


def optical_flow(first: Grey, second: Grey) -> Floats:
    """Flow from one grey picture to another: ``second(x + flow(x))`` shows what ``first(x)`` shows.

    Parameters
    ----------
    first, second : (H, W) uint8, at least `LEAST_SIDE` a side.

    Returns
    -------
    (H, W, 2) float32, x and y in pixels.
    """
    if first.shape != second.shape or first.ndim != 2 or min(first.shape) < LEAST_SIDE:
        raise ValueError(
            f"expected two grey pictures of one size of {LEAST_SIDE} px or more, got {first.shape}, {second.shape}"
        )
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    start = np.zeros((*first.shape, 2), dtype=np.float32)
    return np.asarray(engine.calc(first, second, start), dtype=np.float32)


def frame_between(first: Frame, second: Frame, share: float) -> Frame:
    """The frame a `share` of the way from one to another: both warped there along the flow, and blended.

    Suwajanakorn et al. 2017, section 4.4, replace a repeated frame so, half-way to the one after it.

    Parameters
    ----------
    first, second : frames of one format and size; the result has the index and time of the first.
    share : 0 (the first) to 1 (the second).
    """
    if first.pixels != second.pixels or first.planes[0].shape != second.planes[0].shape:
        raise ValueError(
            f"expected two frames of one format and size, got {first.pixels.name} {first.planes[0].shape} and "
            f"{second.pixels.name} {second.planes[0].shape}"
        )
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"share must lie in [0, 1], got {share}")
    if first.field_order == "progressive":
        return replace(first, planes=_mixed(first, second, share))
    planes = tuple(np.empty_like(plane) for plane in first.planes)
    for parity in (0, 1):  # the lines of the two fields are of two moments and move apart
        fields = [replace(each, planes=tuple(p[parity::2] for p in each.planes)) for each in (first, second)]
        for plane, lines in zip(planes, _mixed(fields[0], fields[1], share), strict=True):
            plane[parity::2] = lines
    return replace(first, planes=planes)


def _mixed(first: Frame, second: Frame, share: float) -> tuple[Plane, ...]:
    """The planes between those of two frames."""
    greys = _grey(first), _grey(second)
    if min(greys[0].shape) < LEAST_SIDE:
        pairs = zip(first.planes, second.planes, strict=True)
        return tuple(_blended(one.astype(np.float32), other.astype(np.float32), share, one) for one, other in pairs)
    there, back = _came(greys[0], greys[1], share), _came(greys[1], greys[0], 1.0 - share)
    chroma = np.eye(3)
    if first.pixels.kind == "yuv":
        chroma = chroma_from_luma(first.colour, first.pixels)
    top = (1 << first.pixels.depth) - 1
    planes = []
    for number, (one, other) in enumerate(zip(first.planes, second.planes, strict=True)):
        plane_from_luma = chroma if number else np.eye(3)
        warped = [_warped(plane, flow, plane_from_luma) for plane, flow in ((one, there), (other, back))]
        planes.append(_blended(warped[0], warped[1], share, one, top))
    return tuple(planes)


def _came(first: Grey, second: Grey, share: float) -> Floats:
    """Where the points of the picture a `share` of the way to a second one come from in the first.

    Returns
    -------
    (H, W, 2) float32, pixels to add to each place.
    """
    scale = FLOW_PX / max(first.shape)
    if scale >= 1.0:
        return _arriving(optical_flow(first, second), share)
    size = (max(LEAST_SIDE, round(first.shape[0] * scale)), max(LEAST_SIDE, round(first.shape[1] * scale)))
    small = _arriving(optical_flow(resize(first, size), resize(second, size)), share)
    growth = 1.0 / np.diag(resize_matrix((first.shape[0], first.shape[1]), size))[:2]
    return np.asarray(resize(small, (first.shape[0], first.shape[1])) * growth.astype(np.float32), dtype=np.float32)


def _arriving(flow: Floats, share: float) -> Floats:
    """`_came` of a flow.

    A point y between the pictures began at x with x + share * flow(x) = y, which is solved by going back from y with
    the flow found so far.
    """
    places = _places(flow.shape[:2])
    came = -share * flow
    for _ in range(ROUNDS):
        came = -share * _read(flow, places + came)
    return np.asarray(came, dtype=np.float32)


def _warped(plane: Plane, came: Floats, plane_from_luma: Matrix) -> Floats:
    """A plane read, by cubics, where its samples come from; `came` is in luma pixels on the luma grid."""
    places = _places(plane.shape)
    if not np.array_equal(plane_from_luma, np.eye(3)):
        luma_from_plane = np.asarray(np.linalg.inv(plane_from_luma), dtype=np.float64)
        came = _read(came, transform(luma_from_plane, places))
        came = np.asarray(came * np.diag(plane_from_luma)[:2], dtype=np.float32)
    # Cubics overshoot at edges: floats keep what an 8-bit result would cut off before the blend.
    return _read(plane.astype(np.float32), places + came, cv2.INTER_CUBIC)


def _blended(one: Floats, other: Floats, share: float, like: Plane, top: float = 65535.0) -> Plane:
    mixed = one + np.float32(share) * (other - one)
    return cast(Plane, np.rint(mixed).clip(0, top).astype(like.dtype))


def _grey(frame: Frame) -> Grey:
    """(H, W) uint8 brightness of the coded planes."""
    if frame.pixels.kind == "rgb":
        red, blue = LUMA_WEIGHTS["rgb"]
        green_blue_red = [plane.astype(np.float32) for plane in frame.planes]
        grey = green_blue_red[0] * (1.0 - red - blue) + green_blue_red[1] * blue + green_blue_red[2] * red
    else:
        grey = frame.planes[0].astype(np.float32)
    return np.asarray(np.rint(grey / float(1 << (frame.pixels.depth - 8))).clip(0, 255), dtype=np.uint8)


def _places(shape: tuple[int, ...]) -> Floats:
    """(H, W, 2) x and y of each pixel."""
    ys, xs = np.indices(shape[:2], dtype=np.float32)
    return np.stack([xs, ys], axis=-1)


def _read(values: Floats, places: Floats, how: int = cv2.INTER_LINEAR) -> Floats:
    """Values (H, W[, C]) at places (h, w, 2), the edge repeated outside."""
    x, y = (np.ascontiguousarray(places[..., axis], dtype=np.float32) for axis in (0, 1))
    return np.asarray(cv2.remap(values, x, y, how, borderMode=cv2.BORDER_REPLICATE), dtype=np.float32)
