"""Patches as one layer: laid over a frame it does what the patches do one after the other."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from shared.picture.composite import composite
from shared.picture.layer import rgba16, stacked, yuva_planes
from shared.picture.planes import cut
from shared.picture.warp import to_float
from shared.picture.yuv import rgb_from_samples
from shared.types import ColourSpec, Floats, Frame, IntBox, Patch, PixelFormat

SIZE = (40, 56)
RGB = PixelFormat("gbrp16le", 16, (0, 0), "rgb")
YUV444 = PixelFormat("yuv444p10le", 10, (0, 0), "yuv")
BT709 = ColourSpec("bt709", False, 1, 1, 1, 1)


def frame(seed: int = 0) -> Frame:
    planes = np.random.default_rng(seed).integers(0, 65536, (3, *SIZE), dtype=np.uint16)
    return Frame(tuple(planes), RGB, ColourSpec("rgb", True, 0, 2, 2, 2), 0, 0, Fraction(1, 25))


def patch(box: IntBox, seed: int) -> Patch:
    random = np.random.default_rng(seed)
    size = (box[3] - box[1], box[2] - box[0])
    mask = random.random(size).astype(np.float32) * (random.random(size) > 0.3)
    mask[0], mask[-1], mask[:, 0], mask[:, -1] = 0, 0, 0, 0
    return Patch(box, random.random((*size, 3), dtype=np.float32), mask.astype(np.float32))


def laid_over(one: Frame, rgba: Floats) -> Floats:
    below = cut(one, (0, 0, SIZE[1], SIZE[0])) / np.float32(65535)
    alpha = rgba[..., 3:]
    return np.asarray(rgba[..., :3] * alpha + below * (1 - alpha), dtype=np.float32)


@pytest.mark.parametrize(
    "boxes",
    [
        [(4, 6, 24, 30)],
        [(4, 6, 24, 30), (14, 12, 44, 36)],
        [(-8, -5, 20, 20), (10, 10, 70, 60)],
        [(1, 1, 9, 9), (40, 30, 52, 38)],
    ],
)
def test_the_layer_over_the_frame_is_the_frame_with_the_patches_over_it(boxes: list[IntBox]) -> None:
    patches = [patch(box, number) for number, box in enumerate(boxes)]
    below = frame()
    wanted = cut(composite(below, patches), (0, 0, SIZE[1], SIZE[0])) / np.float32(65535)
    rgba = to_float(rgba16(stacked(patches, SIZE), SIZE))
    assert float(np.abs(laid_over(below, rgba) - wanted).max()) < 2e-4


def test_colour_goes_on_outside_the_matte_and_is_not_multiplied_by_it() -> None:
    box = (4, 6, 24, 30)
    red = np.zeros((24, 20, 3), np.float32)
    red[..., 0] = 0.8
    mask = np.zeros((24, 20), np.float32)
    mask[8:16, 8:12] = 0.25
    layer = stacked([Patch(box, red, mask)], SIZE)
    assert layer is not None
    np.testing.assert_allclose(layer.picture, red, atol=1e-6)
    np.testing.assert_array_equal(layer.matte, mask)


def test_a_patch_outside_the_frame_or_none_is_no_layer() -> None:
    assert stacked([], SIZE) is None
    assert stacked([patch((60, 2, 70, 12), 0)], SIZE) is None
    assert not rgba16(None, SIZE).any()
    planes = yuva_planes(None, frame(), BT709, YUV444)
    assert [int(plane.max()) for plane in planes] == [64, 512, 512, 0]


@pytest.mark.parametrize(("turns", "mirrored"), [(0, False), (1, False), (3, True)])
def test_planes_hold_the_layer_s_colour_in_the_frame_s_coded_orientation(turns: int, mirrored: bool) -> None:
    turned = dataclasses.replace(frame(), quarter_turns=turns, mirrored=mirrored)
    layer = stacked([patch((4, 6, 24, 30), 3)], turned.size)
    assert layer is not None
    planes = yuva_planes(layer, turned, BT709, YUV444)
    assert all(plane.shape == SIZE for plane in planes)
    # A frame whose own planes hold the layer is brought upright by the reader's door.
    held = dataclasses.replace(turned, planes=planes[:3], pixels=YUV444, colour=BT709)
    upright = cut(held, (4, 6, 24, 30)) / np.float32(65535)
    step = float(np.abs(rgb_from_samples(BT709, YUV444)[:, :3]).sum(axis=1).max()) / 65535
    assert float(np.abs(upright - layer.picture).max()) < step
    alpha = dataclasses.replace(held, planes=(planes[3],) * 3)
    gbr = dataclasses.replace(alpha, pixels=PixelFormat("gbrp10le", 10, (0, 0), "rgb"))
    matte = cut(gbr, (4, 6, 24, 30))[..., 0] / np.float32(65535)
    assert float(np.abs(matte - layer.matte).max()) < 1 / 1000
