"""Every decoder's format finds planes that hold it, and its samples survive the repacking."""

from __future__ import annotations

from typing import Any, cast

import av
import numpy as np
import pytest

from shared.errors import MediaError
from shared.media.pixel import colour_of, fill_planes, planar_format, plane_count, plane_shape, planes_of

REPACKED = {
    "nv12": ("yuv420p", 8, (1, 1)),
    "nv21": ("yuv420p", 8, (1, 1)),
    "nv16": ("yuv422p", 8, (0, 1)),
    "p010le": ("yuv420p10le", 10, (1, 1)),
    "p016le": ("yuv420p16le", 16, (1, 1)),
    "yuyv422": ("yuv422p", 8, (0, 1)),
    "uyvy422": ("yuv422p", 8, (0, 1)),
    "y210le": ("yuv422p10le", 10, (0, 1)),
    "rgb24": ("gbrp", 8, (0, 0)),
    "bgr24": ("gbrp", 8, (0, 0)),
    "rgb48le": ("gbrp16le", 16, (0, 0)),
    "yuv420p10be": ("yuv420p10le", 10, (1, 1)),
    "gray16be": ("gray16le", 16, (0, 0)),
    "yuv411p": ("yuv411p", 8, (0, 2)),
    "yuv440p": ("yuv440p", 8, (1, 0)),
    "gray": ("gray", 8, (0, 0)),
}


def random_frame(name: str, width: int = 62, height: int = 34) -> av.VideoFrame:
    """Noise in the samples of a format, zeros in bits that it does not use."""
    rng = np.random.default_rng(5)
    frame = av.VideoFrame(width, height, name)
    bits = max(part.bits for part in frame.format.components)
    for plane in frame.planes:
        if bits == 8:
            samples = np.frombuffer(cast(Any, plane), np.uint8)
            samples[:] = rng.integers(0, 256, samples.size)
        else:
            words = np.frombuffer(cast(Any, plane), ">u2" if name.endswith("be") else "<u2")
            shift = 16 - bits if name.startswith(("p0", "y2")) else 0
            words[:] = rng.integers(0, 1 << bits, words.size) << shift
    return frame


def visible(frame: av.VideoFrame, number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    plane = frame.planes[number]
    bytes_a_row = plane.width * (frame.format.padded_bits_per_pixel // 8 if len(frame.planes) == 1 else 1)
    if len(frame.planes) > 1 and max(part.bits for part in frame.format.components) > 8:
        bytes_a_row *= 2
    if frame.format.name in ("nv12", "nv21", "nv16", "p010le", "p016le") and number == 1:
        bytes_a_row *= 2
    rows = np.frombuffer(cast(Any, plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, :bytes_a_row]


@pytest.mark.parametrize("native", REPACKED)
@pytest.mark.parametrize("colour_range", [0, 1, 2])
def test_repacking_loses_nothing(native: str, colour_range: int) -> None:
    pixels = planar_format(native)
    assert (pixels.name, pixels.depth, pixels.chroma_shift) == REPACKED[native]
    frame = random_frame(native)
    frame.color_range = colour_range
    planes = planes_of(frame, pixels)
    assert [plane.shape for plane in planes] == [
        plane_shape(pixels, number, (34, 62)) for number in range(plane_count(pixels))
    ]
    again = av.VideoFrame(62, 34, pixels.name)
    fill_planes(again, planes, pixels)
    back = again if native == pixels.name else again.reformat(format=native)
    for number in range(len(frame.planes)):
        assert np.array_equal(visible(frame, number), visible(back, number))


@pytest.mark.parametrize("native", ["yuva420p", "gbrap", "rgba", "bgra", "ya8", "vuya"])
def test_alpha_is_dropped_and_colour_kept(native: str) -> None:
    frame = random_frame(native, 64, 32)
    pixels = planar_format(native)
    planes = planes_of(frame, pixels)
    opaque = {
        "rgba": "rgb24",
        "bgra": "rgb24",
        "gbrap": "gbrp",
        "yuva420p": "yuv420p",
        "ya8": "gray",
        "vuya": "yuv444p",
    }
    wanted = planes_of(frame.reformat(format=opaque[native]), planar_format(opaque[native]))
    for plane, other in zip(planes, wanted, strict=True):
        assert np.array_equal(plane, other)


def test_planes_are_read_only_views_without_padding() -> None:
    frame = random_frame("yuv420p", 61, 33)
    planes = planes_of(frame, planar_format("yuv420p"))
    assert [plane.shape for plane in planes] == [(33, 61), (17, 31), (17, 31)]
    assert planes[0].base is not None
    with pytest.raises(ValueError, match="read-only"):
        planes[0][0, 0] = 1


def test_views_outlive_the_frame() -> None:
    planes = planes_of(random_frame("yuv420p"), planar_format("yuv420p"))
    copies = [plane.copy() for plane in planes]
    for _ in range(20):
        random_frame("yuv420p")
    assert all(np.array_equal(plane, copy) for plane, copy in zip(planes, copies, strict=True))


def test_formats_that_no_planes_can_hold_are_media_errors() -> None:
    with pytest.raises(MediaError, match="bayer_bggr8 cannot be held"):
        planar_format("bayer_bggr8")
    with pytest.raises(MediaError, match="not known"):
        planar_format("no_such_format")


def test_a_wrong_plane_shape_is_a_value_error() -> None:
    pixels = planar_format("yuv420p")
    frame = av.VideoFrame(64, 32, "yuv420p")
    with pytest.raises(ValueError, match=r"plane 0 of yuv420p must be \(32, 64\)"):
        fill_planes(frame, planes_of(random_frame("yuv420p"), pixels), pixels)


@pytest.mark.parametrize(
    ("native", "size", "matrix", "colour_range", "wanted"),
    [
        ("yuv420p", (1080, 1920), 1, 1, ("bt709", False)),
        ("yuv420p", (1080, 1920), 2, 0, ("bt709", False)),
        ("yuv420p", (288, 360), 2, 0, ("bt601", False)),
        ("yuv420p", (1080, 1920), 6, 2, ("bt601", True)),
        ("yuv420p10le", (2160, 3840), 9, 1, ("bt2020", False)),
        ("yuvj420p", (288, 360), 5, 2, ("bt601", True)),
        ("yuvj420p", (288, 360), 2, 0, ("bt601", True)),
        ("gray", (288, 360), 2, 0, ("bt601", True)),
        ("gray", (288, 360), 2, 1, ("bt601", False)),
        ("rgb24", (288, 360), 0, 0, ("rgb", True)),
    ],
)
def test_untagged_colour_is_guessed_as_players_do(
    native: str, size: tuple[int, int], matrix: int, colour_range: int, wanted: tuple[str, bool]
) -> None:
    spec = colour_of(native, size, matrix, 2, 2, colour_range)
    assert (spec.matrix, spec.full_range) == wanted
    assert spec.matrix_code == matrix
