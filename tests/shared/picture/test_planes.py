"""Boxes cut from native planes and patches laid back, against slow references on drawn pictures."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.picture.planes import changed_support, composite, cut, luma, thumbnail, upright_from_coded, warp
from shared.picture.yuv import chroma_from_luma, rgb_from_samples, samples_from_rgb
from shared.types import ColourMatrix, ColourSpec, Floats, Frame, Matrix, Patch, PixelFormat, Plane

FORMATS = {
    "yuv420p": PixelFormat("yuv420p", 8, (1, 1), "yuv"),
    "yuv422p": PixelFormat("yuv422p", 8, (0, 1), "yuv"),
    "yuv444p": PixelFormat("yuv444p", 8, (0, 0), "yuv"),
    "yuv411p": PixelFormat("yuv411p", 8, (0, 2), "yuv"),
    "yuv420p10le": PixelFormat("yuv420p10le", 10, (1, 1), "yuv"),
    "yuv444p12le": PixelFormat("yuv444p12le", 12, (0, 0), "yuv"),
    "gray": PixelFormat("gray", 8, (0, 0), "gray"),
    "gbrp": PixelFormat("gbrp", 8, (0, 0), "rgb"),
    "gbrp10le": PixelFormat("gbrp10le", 10, (0, 0), "rgb"),
}
ORIENTATIONS = list(itertools.product(range(4), (False, True)))


def colour(matrix: ColourMatrix = "bt709", full_range: bool = False) -> ColourSpec:
    return ColourSpec(matrix, full_range, 2, 2, 2, 0)


def frame_of(rgb: Floats, pixels: PixelFormat, spec: ColourSpec, turns: int = 0, mirrored: bool = False) -> Frame:
    """A frame whose coded planes hold smooth `rgb` (H, W, 3) in [0, 1], chroma sampled at its own sites, bilinear."""
    matrix = samples_from_rgb(spec, pixels)
    samples = rgb @ matrix[:, :3].T + matrix[:, 3]
    planes: list[Plane] = []
    for number in range(matrix.shape[0]):
        values = samples[..., number]
        if number and pixels.kind == "yuv":
            values = at_chroma_sites(values, pixels, spec)
        planes.append(as_plane(np.rint(values).clip(0, (1 << pixels.depth) - 1), pixels))
    return Frame(tuple(planes), pixels, spec, 0, 0, Fraction(1, 25), turns, mirrored)


def as_plane(values: NDArray[Any], pixels: PixelFormat) -> Plane:
    return values.astype(np.uint8) if pixels.depth == 8 else values.astype(np.uint16)


def at_chroma_sites(values: NDArray[np.float64], pixels: PixelFormat, spec: ColourSpec) -> NDArray[np.float64]:
    height, width = values.shape
    to_luma = np.linalg.inv(chroma_from_luma(spec, pixels))
    rows = np.arange(-(-height >> pixels.chroma_shift[0])) * to_luma[1, 1] + to_luma[1, 2]
    columns = np.arange(-(-width >> pixels.chroma_shift[1])) * to_luma[0, 0] + to_luma[0, 2]
    return np.array([[bilinear(values, x, y) for x in columns] for y in rows])


def bilinear(values: NDArray[np.float64], x: float, y: float) -> float:
    """The slow reference: one sample, edge repeated."""
    height, width = values.shape
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    total = 0.0
    for row, column in itertools.product((y0, y0 + 1), (x0, x0 + 1)):
        weight = max(0.0, 1 - abs(x - column)) * max(0.0, 1 - abs(y - row))
        total += weight * float(values[min(max(row, 0), height - 1), min(max(column, 0), width - 1)])
    return total


def smooth_rgb(height: int, width: int) -> Floats:
    """A picture without symmetry whose channels are straight ramps, which bilinear sampling keeps."""
    y, x = np.mgrid[0:height, 0:width] / float(max(height, width))
    return np.stack([0.2 + 0.5 * x, 0.75 - 0.5 * y, 0.3 + 0.2 * x + 0.3 * y], axis=-1).astype(np.float32)


def upright(picture: NDArray[np.float32], turns: int, mirrored: bool) -> NDArray[np.float32]:
    return np.rot90(picture[:, ::-1] if mirrored else picture, turns)


def noise_frame(pixels: PixelFormat, size: tuple[int, int], seed: int = 0) -> Frame:
    rng = np.random.default_rng(seed)
    planes: list[Plane] = []
    for number in range(1 if pixels.kind == "gray" else 3):
        shape = size
        if number and pixels.kind == "yuv":
            shape = (-(-size[0] >> pixels.chroma_shift[0]), -(-size[1] >> pixels.chroma_shift[1]))
        planes.append(as_plane(rng.integers(0, 1 << pixels.depth, shape), pixels))
    return Frame(tuple(planes), pixels, colour(), 0, 0, Fraction(1, 25))


def round_patch(box: tuple[int, int, int, int], seed: int = 1) -> Patch:
    rng = np.random.default_rng(seed)
    height, width = box[3] - box[1], box[2] - box[0]
    y, x = np.mgrid[0:height, 0:width]
    radius = np.hypot((x - (width - 1) / 2) / (width / 2), (y - (height - 1) / 2) / (height / 2))
    mask = np.clip(2.0 - 2.2 * radius, 0.0, 1.0).astype(np.float32)
    return Patch(box, rng.random((height, width, 3), dtype=np.float32), mask)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
@pytest.mark.parametrize("full_range", [False, True])
def test_colours_come_back_from_every_format(name: str, matrix: ColourMatrix, full_range: bool) -> None:
    pixels, spec = FORMATS[name], colour(matrix, full_range)
    rgb = smooth_rgb(20, 28)
    if pixels.kind == "gray":
        rgb = np.repeat(rgb[..., :1], 3, axis=2)
    picture = cut(frame_of(rgb, pixels, spec), (4, 4, 24, 16))
    top = 255.0 if pixels.depth == 8 else 65535.0
    assert picture.dtype == (np.uint8 if pixels.depth == 8 else np.uint16)
    assert np.abs(picture / top - rgb[4:16, 4:24]).max() < 3.2 / (1 << pixels.depth)


def test_the_matrices_are_those_of_the_standards() -> None:
    eight = FORMATS["yuv444p"]
    bt601 = samples_from_rgb(colour("bt601"), eight)
    # ITU-R BT.601-7, 2.5.3: 65.481, 128.553, 24.966; white is 235, a pure blue's Cb is 240.
    assert np.allclose(bt601[0], [65.481, 128.553, 24.966, 16.0], atol=1e-3)
    assert np.allclose(bt601 @ [1, 1, 1, 1], [235, 128, 128])
    assert np.allclose(bt601[1] @ [0, 0, 1, 1], 240)
    full = samples_from_rgb(colour("bt709", True), eight)
    assert np.allclose(full @ [1, 1, 1, 1], [255, 128, 128])
    assert np.allclose(rgb_from_samples(colour("bt709", True), eight) @ [255, 128, 128, 1], [255, 255, 255])


@pytest.mark.parametrize(("turns", "mirrored"), ORIENTATIONS)
@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv444p", "gbrp"])
def test_a_cut_is_upright(name: str, turns: int, mirrored: bool) -> None:
    rgb = smooth_rgb(31, 42)
    frame = frame_of(rgb, FORMATS[name], colour("bt601"), turns, mirrored)
    wanted = upright(rgb, turns, mirrored)
    assert frame.size == wanted.shape[:2]
    picture = cut(frame, (5, 6, 25, 24)) / 255.0
    assert np.abs(picture - wanted[6:24, 5:25]).max() < 0.02


def test_a_cut_keeps_luma_exactly_and_repeats_the_edge_outside() -> None:
    frame = replace(noise_frame(FORMATS["gray"], (40, 50)), colour=colour("bt601", True))
    plane = frame.planes[0]
    assert np.array_equal(cut(frame, (3, 5, 33, 35))[..., 1], plane[5:35, 3:33])
    beyond = cut(frame, (-4, -3, 54, 43))[..., 0]
    assert np.array_equal(beyond, np.pad(plane, ((3, 3), (4, 4)), mode="edge"))


@pytest.mark.parametrize(("matrix", "full_range", "centred"), [("bt601", True, True), ("bt601", False, False)])
def test_chroma_lies_where_the_standards_put_it(matrix: ColourMatrix, full_range: bool, centred: bool) -> None:
    # A steep ramp of Cb along x: JPEG's samples are the means of pixel pairs, MPEG-2's lie on the even pixels.
    pixels, spec = PixelFormat("yuv420p16le", 16, (1, 1), "yuv"), colour(matrix, full_range)
    ramp = 20000.0 + 500.0 * np.arange(40)
    sampled = ramp.reshape(-1, 2).mean(axis=1) if centred else ramp[::2]
    middle = np.full((10, 20), 32768, np.uint16)
    frame = Frame(
        (np.full((20, 40), 30000, np.uint16), np.tile(sampled.astype(np.uint16), (10, 1)), middle),
        *(pixels, spec, 0, 0, Fraction(1, 25)),
    )
    picture = cut(frame, (4, 4, 36, 16))
    wanted = rgb_from_samples(spec, pixels) @ np.stack(
        [np.full(32, 30000), ramp[4:36], np.full(32, 32768), np.ones(32)]
    )
    assert np.abs(picture[6, :, 2] - wanted[2].clip(0, 65535)).max() < 60


def test_a_zero_border_is_black() -> None:
    frame = frame_of(np.ones((20, 20, 3), np.float32), FORMATS["yuv420p"], colour())
    shift: Matrix = np.array([[1.0, 0, 15], [0, 1, 0], [0, 0, 1]])
    picture = warp(frame, shift, (10, 30), border="zero")
    assert picture[:, :13].max() <= 1
    assert picture[:, 16:].min() >= 253


@pytest.mark.parametrize(("turns", "mirrored"), ORIENTATIONS)
def test_a_warp_agrees_with_sampling_every_plane_by_hand(turns: int, mirrored: bool) -> None:
    rng = np.random.default_rng(turns)
    rgb = rng.random((8, 10, 3)).astype(np.float32).repeat(6, axis=0).repeat(6, axis=1)
    frame = frame_of(rgb, FORMATS["yuv420p"], colour("bt601"), turns, mirrored)
    angle = 0.3
    crop_from_frame: Matrix = np.array(
        [[np.cos(angle), np.sin(angle), -9.0], [-np.sin(angle), np.cos(angle), 4.0], [0, 0, 1]]
    )
    picture = warp(frame, crop_from_frame, (18, 22))
    frame_from_crop = np.linalg.inv(crop_from_frame)
    coded_from_upright = np.linalg.inv(upright_from_coded(frame))
    to_rgb = rgb_from_samples(frame.colour, frame.pixels)
    to_chroma = chroma_from_luma(frame.colour, frame.pixels)
    for y, x in itertools.product(range(0, 18, 3), range(0, 22, 3)):
        place = coded_from_upright @ frame_from_crop @ np.array([x, y, 1.0])
        chroma = to_chroma @ place
        samples = [bilinear(frame.planes[0].astype(np.float64), place[0], place[1])]
        samples += [bilinear(plane.astype(np.float64), chroma[0], chroma[1]) for plane in frame.planes[1:]]
        wanted = np.clip(to_rgb @ np.array([*samples, 1.0]), 0, 255)
        assert np.abs(picture[y, x] - wanted).max() < 5.0


def test_shrinking_averages_instead_of_skipping() -> None:
    frame = replace(noise_frame(FORMATS["gray"], (400, 400)), colour=colour("bt601", True))
    small: Matrix = np.array([[0.125, 0, 0], [0, 0.125, 0], [0, 0, 1]])
    picture = warp(frame, small, (50, 50))[..., 0].astype(float)
    # White noise of std 74 averaged over 8 x 8 pixels keeps an eighth of it.
    assert picture[1:-1, 1:-1].std() < 74 / 8 * 1.3


def test_shrinking_does_not_move_the_picture() -> None:
    rgb = smooth_rgb(200, 240)
    frame = frame_of(rgb, FORMATS["yuv420p"], colour("bt709"))
    for scale in (0.45, 0.3, 0.21, 0.1):
        matrix: Matrix = np.array([[scale, 0, 0.5 * scale - 0.5], [0, scale, 0.5 * scale - 0.5], [0, 0, 1]])
        size = (int(200 * scale), int(240 * scale))
        picture = warp(frame, matrix, size)
        inverse = np.linalg.inv(matrix)
        _, x = np.mgrid[2 : size[0] - 2, 2 : size[1] - 2]
        wanted_red = 0.2 + 0.5 * (x * inverse[0, 0] + inverse[0, 2]) / 240
        got = picture[2:-2, 2:-2, 0] / 255.0
        assert np.abs(got - wanted_red).max() < 0.012


def test_a_crop_far_outside_the_frame_shows_its_edge() -> None:
    frame = frame_of(np.full((30, 30, 3), 0.5, np.float32), FORMATS["yuv420p"], colour())
    for scale in (1.0, 0.2):
        matrix: Matrix = np.array([[scale, 0, 500.0], [0, scale, 900.0], [0, 0, 1]])
        assert np.abs(warp(frame, matrix, (8, 8)).astype(int) - 128).max() <= 3


@pytest.mark.parametrize(("turns", "mirrored"), ORIENTATIONS)
def test_a_thumbnail_is_small_upright_and_says_its_scale(turns: int, mirrored: bool) -> None:
    rgb = smooth_rgb(240, 320)
    frame = frame_of(rgb, FORMATS["yuv420p10le"], colour(), turns, mirrored)
    picture, scale = thumbnail(frame, 80)
    wanted = upright(rgb, turns, mirrored)
    assert scale == 0.25
    assert picture.dtype == np.uint8
    assert picture.shape == (wanted.shape[0] // 4, wanted.shape[1] // 4, 3)
    blocks = wanted.reshape(picture.shape[0], 4, picture.shape[1], 4, 3).mean(axis=(1, 3))
    assert np.abs(picture / 255.0 - blocks).max() < 0.02
    grey = luma(frame, 80)
    assert grey.shape == picture.shape[:2]
    assert grey.dtype == np.uint8


def test_a_thumbnail_never_enlarges() -> None:
    frame = frame_of(smooth_rgb(30, 40), FORMATS["gbrp"], colour())
    picture, scale = thumbnail(frame, 640)
    assert (picture.shape, scale) == ((30, 40, 3), 1.0)
    assert luma(frame, 640).shape == (30, 40)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [(40, 48), (41, 47)])
def test_nothing_changes_outside_the_grown_mask(name: str, size: tuple[int, int]) -> None:
    frame = noise_frame(FORMATS[name], size)
    before = [plane.copy() for plane in frame.planes]
    patches = [round_patch((7, 5, 26, 30)), round_patch((30, 25, 60, 60), seed=2), round_patch((-9, -9, 8, 8), seed=3)]
    after = composite(frame, patches)
    supports = changed_support(frame, patches)
    for number, (old, new, support) in enumerate(zip(before, after.planes, supports, strict=True)):
        assert np.array_equal(old, frame.planes[number])
        assert np.array_equal(old[~support], new[~support])
        assert (old[support] != new[support]).mean() > 0.6
        assert new.dtype == old.dtype


@pytest.mark.parametrize(("turns", "mirrored"), ORIENTATIONS)
@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv444p12le", "gbrp", "gray"])
def test_a_patch_laid_down_is_what_a_cut_sees(name: str, turns: int, mirrored: bool) -> None:
    pixels = FORMATS[name]
    rgb = smooth_rgb(61, 80)
    frame = frame_of(np.full_like(rgb, 0.5), pixels, colour("bt601"), turns, mirrored)
    height, width = frame.size
    box = (3, 4, width - 6, height - 5)
    new = smooth_rgb(box[3] - box[1], box[2] - box[0])
    if pixels.kind == "gray":
        new = np.repeat(new[..., :1], 3, axis=2)
    mask = np.zeros(new.shape[:2], np.float32)
    mask[1:-1, 1:-1] = 1.0
    after = composite(frame, [Patch(box, new, mask)])
    top = 255.0 if pixels.depth == 8 else 65535.0
    seen = cut(after, box) / top
    assert np.abs(seen[5:-5, 5:-5] - new[5:-5, 5:-5]).max() < 0.012


def test_half_a_mask_blends_luma_half_way() -> None:
    frame = replace(noise_frame(FORMATS["gray"], (20, 20)), colour=colour("bt601", True))
    mask = np.zeros((12, 12), np.float32)
    mask[2:10, 2:10] = 0.5
    after = composite(frame, [Patch((4, 4, 16, 16), np.ones((12, 12, 3), np.float32), mask)])
    old = frame.planes[0][6:14, 6:14].astype(np.float64)
    assert np.abs(after.planes[0][6:14, 6:14] - (old + 255) / 2).max() <= 0.5


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv411p"])
def test_chroma_agrees_with_a_slow_weighted_mean(name: str) -> None:
    pixels, spec = FORMATS[name], colour("bt709")
    frame = replace(noise_frame(pixels, (21, 23)), colour=spec)
    rng = np.random.default_rng(4)
    holes = rng.random((23, 24), dtype=np.float32) * (rng.random((23, 24)) > 0.4)
    patch = Patch((3, 2, 27, 25), rng.random((23, 24, 3), dtype=np.float32), holes.astype(np.float32))
    after = composite(frame, [patch])
    matrix = samples_from_rgb(spec, pixels)
    mask = np.zeros((24, 32))
    chroma = np.zeros((24, 32))
    mask[2:21, 3:23] = patch.mask[:19, :20]
    chroma[2:21, 3:23] = patch.picture[:19, :20] @ matrix[1, :3] + matrix[1, 3]
    tall, wide = 1 << pixels.chroma_shift[0], 1 << pixels.chroma_shift[1]
    for row, column in np.ndindex(after.planes[1].shape):
        ys, xs = range(tall * row, tall * (row + 1)), range(wide * column, wide * (column + 1))
        covered = sum(1 for y, x in itertools.product(ys, xs) if y < 21 and x < 23)
        share = sum(mask[y, x] for y, x in itertools.product(ys, xs)) / covered
        # Left-sited: a triangle of the block's width around its first column.
        triangle = [(wide * column + k, wide - abs(k)) for k in range(1 - wide, wide)]
        weights = {(y, x): w * mask[y, x] for y in ys for x, w in triangle}
        old = float(frame.planes[1][row, column])
        if share == 0:
            assert after.planes[1][row, column] == old
            continue
        mean = sum(weight * chroma[place] for place, weight in weights.items()) / sum(weights.values())
        assert abs(after.planes[1][row, column] - (old + share * (mean - old))) <= 0.51


def test_a_frame_that_no_patch_touches_is_returned_as_it_is() -> None:
    frame = noise_frame(FORMATS["yuv420p"], (20, 20))
    outside = round_patch((40, 40, 60, 60))
    empty = Patch((0, 0, 4, 4), np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.float32))
    assert composite(frame, []) is frame
    assert composite(frame, [outside, empty]) is frame


def test_full_mask_reaches_odd_edges() -> None:
    frame = frame_of(np.zeros((21, 23, 3), np.float32), FORMATS["yuv420p"], colour("bt601"))
    picture = np.zeros((29, 31, 3), np.float32)
    picture[..., 0] = 1.0
    after = composite(frame, [Patch((-4, -4, 27, 25), picture, np.ones((29, 31), np.float32))])
    red = samples_from_rgb(frame.colour, frame.pixels) @ [1.0, 0.0, 0.0, 1.0]
    for plane, sample in zip(after.planes, red, strict=True):
        assert np.abs(plane - sample).max() <= 0.51


def test_ill_formed_calls_are_value_errors() -> None:
    frame = noise_frame(FORMATS["yuv420p"], (20, 20))
    with pytest.raises(ValueError, match="x0 < x1"):
        cut(frame, (5, 5, 5, 9))
    with pytest.raises(ValueError, match="affine"):
        warp(frame, np.ones((3, 3)), (8, 8))
    with pytest.raises(ValueError, match="invertible"):
        warp(frame, np.diag([0.0, 1.0, 1.0]), (8, 8))
    with pytest.raises(ValueError, match="at least 1"):
        thumbnail(frame, 0)
