"""Frames between two others against pictures drawn half-way, on every kind of planes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.picture import flow
from shared.picture.flow import FLOW_PX, LEAST_SIDE, frame_between, optical_flow
from shared.picture.yuv import chroma_from_luma
from shared.types import ColourSpec, FieldOrder, Frame, Matrix, PixelFormat, Plane

LIMITED = ColourSpec("bt709", False, 1, 1, 1, 1)
FORMATS = [
    PixelFormat("yuv420p", 8, (1, 1), "yuv"),
    PixelFormat("yuv444p", 8, (0, 0), "yuv"),
    PixelFormat("yuv411p", 8, (0, 2), "yuv"),
    PixelFormat("yuv422p10le", 10, (0, 1), "yuv"),
    PixelFormat("gray", 8, (0, 0), "gray"),
    PixelFormat("gbrp10le", 10, (0, 0), "rgb"),
]
SIZE = (90, 120)


def texture(places: NDArray[np.float64], phase: float) -> NDArray[np.float64]:
    """Soft blobs in [0.1, 0.9] at places (..., 2)."""
    x, y = places[..., 0] + 7 * phase, places[..., 1]
    wave = np.sin(x / 5) * np.cos(y / 7) + 0.5 * np.sin((x + 2 * y) / 11 + phase)
    return np.asarray(0.5 + wave * 0.26)


def turned(deg: float, shift: tuple[float, float] = (0.0, 0.0)) -> Matrix:
    """Rotation about the middle, then a shift."""
    angle, middle = np.radians(deg), np.array([SIZE[1] / 2, SIZE[0] / 2])
    matrix = np.eye(3)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:2, 2] = middle - matrix[:2, :2] @ middle + shift
    return matrix


def drawn(pixels: PixelFormat, moved: Matrix, index: int = 0) -> Frame:
    """The texture moved by a map, each plane sampled where its samples lie."""
    top = (1 << pixels.depth) - 1
    planes: list[Plane] = []
    for number in range(1 if pixels.kind == "gray" else 3):
        luma_from_plane: Matrix = np.eye(3)
        shape = SIZE
        if number and pixels.kind == "yuv":
            luma_from_plane = np.asarray(np.linalg.inv(chroma_from_luma(LIMITED, pixels)), dtype=np.float64)
            shape = tuple(-(-side >> shift) for side, shift in zip(SIZE, pixels.chroma_shift, strict=True))  # type: ignore[assignment]
        ys, xs = np.indices(shape, dtype=np.float64)
        places = np.stack([xs, ys, np.ones(shape)], axis=-1) @ (np.linalg.inv(moved) @ luma_from_plane).T
        plane = np.rint(texture(places[..., :2], 0.3 * number) * top)
        planes.append(plane.astype(np.uint8) if pixels.depth == 8 else plane.astype(np.uint16))
    return Frame(tuple(planes), pixels, LIMITED, index, index, Fraction(1, 25))


def inner(plane: Plane) -> NDArray[np.float64]:
    """Away from the border, where nothing comes into the picture."""
    down, across = plane.shape[0] // 6, plane.shape[1] // 6
    return plane[down:-down, across:-across].astype(np.float64)


@pytest.mark.parametrize("pixels", FORMATS, ids=lambda pixels: pixels.name)
@pytest.mark.parametrize(("deg", "shift", "share"), [(0, (3, -2), 0.5), (3, (1, 0), 0.5), (0, (4, 1), 0.25)])
def test_the_frame_between_is_the_one_drawn_there(
    pixels: PixelFormat, deg: float, shift: tuple[float, float], share: float
) -> None:
    first, second = drawn(pixels, turned(0), 4), drawn(pixels, turned(deg, shift), 5)
    wanted = drawn(pixels, turned(deg * share, (shift[0] * share, shift[1] * share)))
    found = frame_between(first, second, share)
    scale = 2.0 ** (8 - pixels.depth)
    for got, should, nearest in zip(found.planes, wanted.planes, first.planes, strict=True):
        assert got.dtype == should.dtype
        error = np.abs(inner(got) - inner(should)).mean() * scale
        blend = np.abs(inner(nearest) - inner(should)).mean() * scale
        assert error < max(1.5, 0.12 * blend), (error, blend)
    assert (found.index, found.pts) == (4, 4)


def test_two_equal_frames_have_themselves_between_them() -> None:
    frame = drawn(FORMATS[0], turned(0))
    for got, same in zip(frame_between(frame, frame, 0.5).planes, frame.planes, strict=True):
        np.testing.assert_array_equal(got, same)


def test_the_ends_are_the_frames_themselves() -> None:
    first, second = drawn(FORMATS[0], turned(0)), drawn(FORMATS[0], turned(0, (3, 1)))
    for share, end in ((0.0, first), (1.0, second)):
        for got, same in zip(frame_between(first, second, share).planes, end.planes, strict=True):
            np.testing.assert_array_equal(got, same)


def test_points_between_are_followed_back_to_where_their_flow_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotation, whose flow differs from place to place: without going back the point is missed."""
    ys, xs = np.indices(SIZE, dtype=np.float64)
    places = np.stack([xs, ys, np.ones(SIZE)], axis=-1)
    whole = (places @ turned(4).T - places)[..., :2].astype(np.float32)
    begun = (places @ np.linalg.inv(np.eye(3) + 0.5 * (turned(4) - np.eye(3))).T - places)[..., :2]
    misses = []
    for rounds in (0, 1, flow.ROUNDS):
        monkeypatch.setattr(flow, "ROUNDS", rounds)
        misses.append(float(np.abs(flow._arriving(whole, 0.5) - begun)[15:-15, 15:-15].max()))
    assert misses[0] > 0.04
    assert misses[-1] < 0.01, misses


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_fields_are_moved_apart(order: FieldOrder) -> None:
    """Lines of one parity show another picture; between two such frames they still do."""

    def woven(shift: float) -> Frame:
        one, other = drawn(FORMATS[1], turned(0, (shift, 0))), drawn(FORMATS[1], turned(0, (shift + 30, 0)))
        planes = tuple(plane.copy() for plane in one.planes)
        for plane, lines in zip(planes, other.planes, strict=True):
            plane[1::2] = lines[1::2]
        return replace(one, planes=planes, field_order=order)

    first, second = woven(0), woven(4)
    found = frame_between(first, second, 0.5)
    assert np.abs(inner(found.planes[0]) - inner(woven(2).planes[0])).mean() < 2.0
    for parity in (0, 1):
        one, other = (
            replace(frame, planes=tuple(plane[parity::2] for plane in frame.planes), field_order="progressive")
            for frame in (first, second)
        )
        for lines, alone in zip(found.planes, frame_between(one, other, 0.5).planes, strict=True):
            np.testing.assert_array_equal(lines[parity::2], alone)
    assert found.field_order == order


def test_large_pictures_use_the_flow_of_a_smaller_copy() -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(30, 220, (20, 40)).astype(np.float64)
    ys, xs = np.indices((500, 2 * FLOW_PX), dtype=np.float64)

    def picture(shift: float) -> NDArray[np.uint8]:
        x, y = (xs - shift) / 53.0 % 39, ys / 29.0 % 19
        column, row = x.astype(int), y.astype(int)
        across = coarse[row, column] * (1 - x % 1) + coarse[row, column + 1] * (x % 1)
        return np.asarray(across, dtype=np.uint8)

    found = flow._came(picture(0), picture(10), 0.5)
    assert found.shape == (500, 2 * FLOW_PX, 2)
    assert np.median(found[100:-100, 100:-100, 0]) == pytest.approx(-5.0, abs=0.25)


def test_a_picture_too_small_for_flow_is_blended() -> None:
    pixels = PixelFormat("gray", 8, (0, 0), "gray")
    dark, bright = (
        Frame((np.full((LEAST_SIDE - 1, 20), level, np.uint8),), pixels, LIMITED, 0, 0, Fraction(1, 25))
        for level in (100, 120)
    )
    assert (frame_between(dark, bright, 0.5).planes[0] == 110).all()


def test_what_does_not_go_together_is_refused() -> None:
    frame = drawn(FORMATS[0], turned(0))
    with pytest.raises(ValueError, match=r"two frames of one format and size, got yuv420p .* and gray"):
        frame_between(frame, drawn(FORMATS[4], turned(0)), 0.5)
    with pytest.raises(ValueError, match=r"share must lie in \[0, 1\], got 1.5"):
        frame_between(frame, frame, 1.5)
    with pytest.raises(ValueError, match="two grey pictures of one size of 12 px or more"):
        optical_flow(np.zeros((8, 40), np.uint8), np.zeros((8, 40), np.uint8))
