"""Patches as a layer of their own: what is laid over a frame, with its matte, for a compositor.

Alpha is straight: colours are not multiplied by it, and go on outside the matte as far as a patch reaches, so that a
lossy codec has no edge to blur where the matte ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.picture.yuv import samples_from_rgb
from shared.types import ColourSpec, Floats, Frame, IntBox, Patch, PixelFormat

LEAST_ALPHA = 1e-6


@dataclass(frozen=True, slots=True)
class Layer:
    """What lies over one frame.

    Attributes
    ----------
    box : in the upright frame, inside it.
    picture : (H, W, 3) float32 RGB in [0, 1], gamma-coded as the frame is.
    matte : (H, W) float32 in [0, 1].
    """

    box: IntBox
    picture: Floats
    matte: Floats


def stacked(patches: Sequence[Patch], size: tuple[int, int]) -> Layer | None:
    """All patches of a frame as one layer that does the same as laying them over it one after the other.

    Porter and Duff, "Compositing digital images", SIGGRAPH 1984, the operator *over*, for straight alpha.

    Parameters
    ----------
    size : upright (height, width) of the frame.

    Returns
    -------
    The layer; None where no patch touches the frame.
    """
    boxes = [_within(patch.box, size) for patch in patches]
    touching = [(patch, box) for patch, box in zip(patches, boxes, strict=True) if box is not None]
    if not touching:
        return None
    corners = np.array([box for _, box in touching])
    x0, y0, x1, y1 = (int(v) for v in (*corners[:, :2].min(axis=0), *corners[:, 2:].max(axis=0)))
    picture = np.zeros((y1 - y0, x1 - x0, 3), dtype=np.float32)
    matte = np.zeros((y1 - y0, x1 - x0), dtype=np.float32)
    for patch, box in touching:
        there = np.s_[box[1] - y0 : box[3] - y0, box[0] - x0 : box[2] - x0]
        left, top = patch.box[:2]
        here = np.s_[box[1] - top : box[3] - top, box[0] - left : box[2] - left]
        over, under = patch.mask[here], matte[there] * (1.0 - patch.mask[here])
        total = over + under
        new = patch.picture[here]
        mixed = (new * over[..., np.newaxis] + picture[there] * under[..., np.newaxis]) / np.maximum(
            total, LEAST_ALPHA
        )[..., np.newaxis]
        picture[there] = np.where((total > LEAST_ALPHA)[..., np.newaxis], mixed, new)
        matte[there] = total
    return Layer((x0, y0, x1, y1), picture, matte)


def rgba16(layer: Layer | None, size: tuple[int, int]) -> NDArray[np.uint16]:
    """A layer as a whole upright picture, (height, width, 4) RGBA over the full 16-bit range, straight alpha."""
    whole = np.zeros((*size, 4), dtype=np.uint16)
    if layer is not None:
        x0, y0, x1, y1 = layer.box
        four = np.concatenate([layer.picture, layer.matte[..., np.newaxis]], axis=2)
        whole[y0:y1, x0:x1] = np.rint(np.clip(four, 0.0, 1.0) * 65535.0).astype(np.uint16)
    return whole


def yuva_planes(
    layer: Layer | None, frame: Frame, colour: ColourSpec, pixels: PixelFormat
) -> tuple[NDArray[np.uint16], ...]:
    """A layer as whole planes Y, U, V and alpha in the frame's coded orientation.

    Parameters
    ----------
    colour, pixels : what the samples shall mean: a ``yuv`` format without chroma subsampling, of more than 8 bits.
    """
    forward = samples_from_rgb(colour, pixels)
    height, width = frame.size
    top = (1 << pixels.depth) - 1
    planes = [np.full((height, width), round(value), dtype=np.uint16) for value in (*forward[:, 3], 0.0)]
    if layer is not None:
        x0, y0, x1, y1 = layer.box
        samples = layer.picture @ forward[:, :3].T.astype(np.float32) + forward[:, 3].astype(np.float32)
        for plane, values in zip(planes, (*np.moveaxis(samples, 2, 0), layer.matte * top), strict=True):
            plane[y0:y1, x0:x1] = np.rint(np.clip(values, 0, top)).astype(np.uint16)
    coded = [np.rot90(plane, -(frame.quarter_turns % 4)) for plane in planes]
    return tuple(np.ascontiguousarray(plane[:, ::-1] if frame.mirrored else plane) for plane in coded)


def _within(box: IntBox, size: tuple[int, int]) -> IntBox | None:
    """The part of a box inside the frame; None where there is none."""
    x0, y0, x1, y1 = max(0, box[0]), max(0, box[1]), min(box[2], size[1]), min(box[3], size[0])
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None
