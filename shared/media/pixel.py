"""Pixel formats: which planar format holds a decoder's own without loss, and numpy views of its planes."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any, cast

import av
import numpy as np
from av.video.format import VideoFormat

from shared.errors import MediaError
from shared.types import ColourMatrix, ColourSpec, PixelFormat, Plane

log = logging.getLogger(__name__)

FULL_RANGE_ALIASES = {
    "yuvj420p": "yuv420p",
    "yuvj422p": "yuv422p",
    "yuvj444p": "yuv444p",
    "yuvj440p": "yuv440p",
    "yuvj411p": "yuv411p",
}
"""FFmpeg's deprecated names that carry the range in the format."""
DEPTHS = (8, 9, 10, 12, 14, 16)
YUV_NAMES = {(1, 1): "420", (0, 1): "422", (0, 0): "444", (1, 0): "440", (0, 2): "411", (2, 2): "410"}
"""(vertical, horizontal) chroma shift to the digits of FFmpeg's name."""
MATRICES: dict[int, ColourMatrix] = {0: "rgb", 1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020", 10: "bt2020"}
"""H.273 MatrixCoefficients."""
NEAREST_MATRICES: dict[int, ColourMatrix] = {4: "bt601", 7: "bt709"}
"""FCC and SMPTE 240M differ from these by under 1%."""
UNSPECIFIED = 2
HD_HEIGHT = 720
"""From this height (or width 1280) an untagged clip is taken for BT.709, as players do."""


@lru_cache(maxsize=64)
def planar_format(native: str) -> PixelFormat:
    """The planar format that holds every colour sample of FFmpeg's pixel format `native`; alpha is dropped.

    Raises
    ------
    MediaError : no planar integer format can hold it (Bayer, hardware surfaces).
    """
    try:
        description = VideoFormat(native, 64, 64)
    except ValueError as error:
        raise MediaError(f"pixel format {native} is not known; convert the clip to yuv420p first") from error
    colours = [part for part in description.components if not part.is_alpha]
    if description.is_bayer or not colours:
        raise MediaError(f"pixel format {native} cannot be held in planes; convert the clip to yuv420p first")
    bits = min(16, max(part.bits for part in colours))
    depth = next(known for known in DEPTHS if known >= bits)
    suffix = "" if depth == 8 else f"{depth}le"
    if description.is_rgb or description.has_palette or native.startswith("xyz"):
        return PixelFormat(f"gbrp{suffix}", depth, (0, 0), "rgb")
    if len(colours) == 1:
        return PixelFormat(f"gray{suffix}", depth, (0, 0), "gray")
    shift = (_log2(64 // colours[1].height), _log2(64 // colours[1].width))
    return _yuv_format(shift, depth)


def colour_of(
    native: str, size: tuple[int, int], matrix: int, primaries: int, transfer: int, colour_range: int
) -> ColourSpec:
    """What the samples of a stream mean: its tags, and the usual guess where they say nothing.

    Parameters
    ----------
    native : the decoder's pixel format.
    size : (height, width), from which the matrix of an untagged clip is guessed.
    matrix, primaries, transfer : H.273 codes, 2 where unspecified.
    colour_range : FFmpeg's AVColorRange, 0 where unspecified.
    """
    kind = planar_format(native).kind
    hd = size[0] >= HD_HEIGHT or size[1] >= 1280
    if kind == "rgb":
        name: ColourMatrix = "rgb"
    elif matrix in MATRICES and MATRICES[matrix] != "rgb":
        name = MATRICES[matrix]
    else:
        name = NEAREST_MATRICES.get(matrix, "bt709" if hd else "bt601")
        if matrix not in (*NEAREST_MATRICES, UNSPECIFIED):
            log.warning("colour matrix %d of the clip is not supported, read as %s", matrix, name)
    if native in FULL_RANGE_ALIASES:
        colour_range = 2
    # Untagged grey is full range in FFmpeg, untagged YUV limited; RGB planes are always full.
    full = kind == "rgb" or colour_range == 2 or (colour_range == 0 and kind == "gray")
    return ColourSpec(name, full, matrix, primaries, transfer, colour_range)


def planes_of(frame: av.VideoFrame, pixels: PixelFormat) -> tuple[Plane, ...]:
    """Read-only views of a decoded frame's planes, which keep its buffers alive; packed formats are unpacked first."""
    native = FULL_RANGE_ALIASES.get(frame.format.name, frame.format.name)
    if native != pixels.name and not drops_alpha(native, pixels):
        # The range is only named so that FFmpeg does not convert it; samples are moved, never changed.
        same = frame.color_range or None
        frame = frame.reformat(format=pixels.name, src_color_range=same, dst_color_range=same)
    return tuple(_view(frame, number, pixels) for number in range(plane_count(pixels)))


def plane_count(pixels: PixelFormat) -> int:
    """Planes of a format: 1 for grey, else 3."""
    return 1 if pixels.kind == "gray" else 3


def plane_shape(pixels: PixelFormat, number: int, size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of plane `number` of a picture of coded `size`, rounded up as FFmpeg does."""
    if number == 0 or pixels.kind != "yuv":
        return size
    down, across = pixels.chroma_shift
    return -(-size[0] >> down), -(-size[1] >> across)


def fill_planes(frame: av.VideoFrame, planes: tuple[Plane, ...], pixels: PixelFormat) -> None:
    """Copy `planes` into a freshly made frame of the same format and size."""
    for number, plane in enumerate(planes):
        target = _rows(frame, number, pixels)
        if target.shape != plane.shape:
            raise ValueError(f"plane {number} of {pixels.name} must be {target.shape}, got {plane.shape}")
        np.copyto(target, plane, casting="equiv")


def drops_alpha(native: str, pixels: PixelFormat) -> bool:
    """Whether `native` is the planar format with an alpha plane after it, which a view can leave out."""
    return native.replace("yuva", "yuv").replace("gbrap", "gbrp") == pixels.name


def _view(frame: av.VideoFrame, number: int, pixels: PixelFormat) -> Plane:
    view = _rows(frame, number, pixels)
    view.flags.writeable = False
    return view


def _rows(frame: av.VideoFrame, number: int, pixels: PixelFormat) -> Plane:
    plane = frame.planes[number]
    height, width = plane_shape(pixels, number, (frame.height, frame.width))
    dtype = np.dtype("u1") if pixels.depth == 8 else np.dtype("<u2")
    stride = abs(plane.line_size)
    rows = np.frombuffer(cast(Any, plane), dtype=np.uint8).reshape(height, stride)
    rows = rows[::-1] if plane.line_size < 0 else rows
    return cast(Plane, rows[:, : width * dtype.itemsize].view(dtype))


def _yuv_format(shift: tuple[int, int], depth: int) -> PixelFormat:
    """The nearest planar YUV format that FFmpeg knows: finer chroma, then more bits, where the exact one is missing."""
    if shift not in YUV_NAMES:
        raise MediaError(f"chroma subsampling {shift} is not known; convert the clip to yuv420p first")
    for wanted in (known for known in DEPTHS if known >= depth):
        name = f"yuv{YUV_NAMES[shift]}p" + ("" if wanted == 8 else f"{wanted}le")
        try:
            VideoFormat(name)
        except ValueError:
            continue
        return PixelFormat(name, wanted, shift, "yuv")
    return _yuv_format((0, 0), depth)


def _log2(number: int) -> int:
    return number.bit_length() - 1
