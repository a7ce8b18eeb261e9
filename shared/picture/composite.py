"""Patches laid back into a frame's native planes: nothing outside a mask, grown to the chroma grid, changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.picture.yuv import is_left_sited, samples_from_rgb
from shared.types import Floats, Frame, Patch, Plane


@dataclass(frozen=True, slots=True)
class _Piece:
    """The part of a patch that changes the frame, in coded orientation: top left corner, RGB, mask."""

    x0: int
    y0: int
    picture: Floats
    mask: Floats


def composite(frame: Frame, patches: Sequence[Patch]) -> Frame:
    """Lay `patches` over an upright frame in order, on its own planes.

    Luma is ``old + mask * (new - old)``; on subsampled planes the mask is averaged onto the chroma grid and the new
    chroma is the mask-weighted mean of the patch around the sample's place. Rounded to nearest, no dither; samples
    where the (averaged) mask is 0 keep their bits. A frame that nothing touches is returned as it is.
    """
    pieces = [piece for patch in patches if (piece := _visible_piece(frame, patch)) is not None]
    if not pieces:
        return frame
    planes: tuple[Plane, ...] = tuple(plane.copy() for plane in frame.planes)
    forward = samples_from_rgb(frame.colour, frame.pixels)
    coarse_grid = frame.pixels.kind == "yuv" and frame.pixels.chroma_shift != (0, 0)
    top = (1 << frame.pixels.depth) - 1
    for piece in pieces:
        samples = _planar_samples(piece.picture, forward)
        _blend(planes[0], piece.x0, piece.y0, samples[0], piece.mask, top)
        if coarse_grid:
            x0, y0, coarse, mask = _onto_chroma_grid(frame, piece, samples[1:])
            for number in (1, 2):
                _blend(planes[number], x0, y0, coarse[number - 1], mask, top)
        else:
            for number in range(1, len(planes)):
                _blend(planes[number], piece.x0, piece.y0, samples[number], piece.mask, top)
    return replace(frame, planes=planes)


def changed_support(frame: Frame, patches: Sequence[Patch]) -> tuple[NDArray[np.bool_], ...]:
    """Where `composite` may change each plane: masks above 0, grown to the chroma grid on subsampled planes."""
    supports = tuple(np.zeros(plane.shape, dtype=np.bool_) for plane in frame.planes)
    for patch in patches:
        piece = _visible_piece(frame, patch)
        if piece is None:
            continue
        rows, columns = np.nonzero(piece.mask > 0)
        supports[0][rows + piece.y0, columns + piece.x0] = True
    down, across = frame.pixels.chroma_shift if frame.pixels.kind == "yuv" else (0, 0)
    rows, columns = np.nonzero(supports[0])
    for support in supports[1:]:
        support[rows >> down, columns >> across] = True
    return supports


def _visible_piece(frame: Frame, patch: Patch) -> _Piece | None:
    """Cut a patch to where its mask is above 0 inside the frame, and turn it to coded orientation."""
    height, width = frame.size
    x0, y0, x1, y1 = patch.box
    left, top = max(0, -x0), max(0, -y0)
    right, bottom = min(x1, width) - x0, min(y1, height) - y0
    if right <= left or bottom <= top:
        return None
    inside = patch.mask[top:bottom, left:right] > 0
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if rows.size == 0:
        return None
    ys = slice(top + int(rows[0]), top + int(rows[-1]) + 1)
    xs = slice(left + int(columns[0]), left + int(columns[-1]) + 1)
    picture, mask = patch.picture[ys, xs], patch.mask[ys, xs]
    turns = frame.quarter_turns % 4
    if turns or frame.mirrored:
        picture, mask = np.rot90(picture, -turns), np.rot90(mask, -turns)
        picture, mask = (picture[:, ::-1], mask[:, ::-1]) if frame.mirrored else (picture, mask)
        picture, mask = np.ascontiguousarray(picture), np.ascontiguousarray(mask)
    corner = _coded_corner(frame, x0 + xs.start, y0 + ys.start, mask.shape)
    return _Piece(*corner, picture.astype(np.float32, copy=False), mask.astype(np.float32, copy=False))


def _coded_corner(frame: Frame, x: int, y: int, coded_shape: tuple[int, ...]) -> tuple[int, int]:
    """Top left corner on the coded plane of a box whose upright corner is (x, y) and whose coded size is given."""
    coded_height, coded_width = frame.planes[0].shape
    height, width = coded_shape[0], coded_shape[1]
    turns = frame.quarter_turns % 4
    # One turn counter-clockwise sends coded (cx, cy) to upright (cy, coded_width - 1 - cx), and so on round.
    corners = {
        0: (x, y),
        1: (coded_width - y - width, x),
        2: (coded_width - x - width, coded_height - y - height),
        3: (y, coded_height - x - height),
    }
    coded_x, coded_y = corners[turns]
    return (coded_width - coded_x - width, coded_y) if frame.mirrored else (coded_x, coded_y)


def _blend(plane: Plane, x0: int, y0: int, new: Floats, mask: Floats, top: int) -> None:
    """Blend in place; `plane` is the copy that the new frame owns."""
    box = plane[y0 : y0 + mask.shape[0], x0 : x0 + mask.shape[1]]
    old = box.astype(np.float32)
    blended = new - old
    blended *= mask
    blended += old
    np.rint(blended, out=blended)
    np.clip(blended, 0, top, out=blended)
    box[...] = blended.astype(plane.dtype)


def _planar_samples(picture: Floats, forward: NDArray[np.float64]) -> Floats:
    """(P, H, W) sample values of an RGB picture."""
    return np.asarray(cv2.split(cv2.transform(picture, forward)), dtype=np.float32)


def _onto_chroma_grid(frame: Frame, piece: _Piece, new: Floats) -> tuple[int, int, Floats, Floats]:
    """Corner of a piece on the chroma planes, its mask-weighted (2, h, w) chroma there, and its averaged mask."""
    down, across = frame.pixels.chroma_shift
    step_y, step_x = 1 << down, 1 << across
    height, width = piece.mask.shape
    before_y, before_x = piece.y0 % step_y, piece.x0 % step_x
    around = ((before_y, -(piece.y0 + height) % step_y), (before_x, -(piece.x0 + width) % step_x))
    # Mask and mask-weighted chroma in one stack, so that one pass sums all three.
    weighted = np.zeros((3, height + sum(around[0]), width + sum(around[1])), dtype=np.float32)
    inner = weighted[:, before_y : before_y + height, before_x : before_x + width]
    inner[0] = piece.mask
    np.multiply(new, piece.mask, out=inner[1:])
    rows = weighted[:, 0::step_y].copy()
    for row in range(1, step_y):
        rows += weighted[:, row::step_y]
    columns = [np.ascontiguousarray(rows[:, :, column::step_x]) for column in range(step_x)]
    blocks = columns[0].copy()
    for column in columns[1:]:
        blocks += column
    mask = np.asarray(blocks[0] / _counted_pixels(frame, piece, around, (step_y, step_x)), dtype=np.float32)
    if is_left_sited(frame.colour):
        # A left-sited sample lies on the block's first column: a triangle around it, 1 2 1 where chroma is halved.
        for away in range(1, step_x):
            blocks += (step_x - away) * columns[away - 1]
            blocks[:, :, 1:] += away * columns[away][:, :, :-1]
    coarse = np.asarray(blocks[1:] / np.maximum(blocks[0], np.finfo(np.float32).tiny), dtype=np.float32)
    return piece.x0 // step_x, piece.y0 // step_y, coarse, mask


def _counted_pixels(
    frame: Frame, piece: _Piece, around: tuple[tuple[int, int], tuple[int, int]], steps: tuple[int, int]
) -> Floats:
    """How many pixels of the frame each chroma sample of the padded piece covers: fewer at odd edges."""
    counts = []
    for length, start, extent, (before, after), step in (
        (frame.planes[0].shape[0], piece.y0, piece.mask.shape[0], around[0], steps[0]),
        (frame.planes[0].shape[1], piece.x0, piece.mask.shape[1], around[1], steps[1]),
    ):
        blocks = (before + extent + after) // step
        first = start - before + step * np.arange(blocks)
        counts.append(np.minimum(step, length - first).astype(np.float32))
    return np.asarray(counts[0][:, None] * counts[1][None, :], dtype=np.float32)
