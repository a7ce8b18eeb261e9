"""Which encoder and pixel format can hold a clip in a container, and the options each encoder wants."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.codec.codec import Codec, UnknownCodecError

from shared.errors import MediaError
from shared.media.options import EncodeOptions
from shared.media.pixel import planar_format
from shared.types import ClipInfo, PixelFormat


@dataclass(frozen=True, slots=True)
class Container:
    """What a file suffix stands for: FFmpeg's muxer, and its encoders in order of preference."""

    muxer: str
    video: tuple[str, ...]
    deep: tuple[str, ...]
    """Encoders for more than 8 bits."""
    lossless: tuple[str, ...]
    audio: str


@dataclass(frozen=True, slots=True)
class Choice:
    """An encoder, the pixel format it is fed, its options, and what a person should know about it."""

    encoder: str
    pix_fmt: str
    exact: bool
    """Whether `pix_fmt` holds the clip's samples without loss."""
    options: dict[str, str]
    interlaced: bool
    notes: tuple[str, ...]


_H264_FIRST = ("libx264", "libx264rgb", "libx265")
_HEVC_FIRST = ("libx265", "libx264", "libx264rgb")
_AVI = ("libx264", "libx264rgb", "ffv1")
_MP4_LOSSLESS = ("libx264", "libx264rgb", "libx265", "ffv1")
CONTAINERS = {
    ".mp4": Container("mp4", _H264_FIRST, _HEVC_FIRST, _MP4_LOSSLESS, "aac"),
    ".m4v": Container("mp4", _H264_FIRST, _HEVC_FIRST, _MP4_LOSSLESS, "aac"),
    ".mov": Container("mov", _H264_FIRST, _HEVC_FIRST, _MP4_LOSSLESS[:3], "aac"),
    ".mkv": Container("matroska", _H264_FIRST, _HEVC_FIRST, ("ffv1",), "flac"),
    ".webm": Container("webm", ("libvpx-vp9", "libsvtav1"), ("libsvtav1", "libvpx-vp9"), ("libvpx-vp9",), "libopus"),
    # AVI has no colour tags of its own; H.264 carries them inside.
    ".avi": Container("avi", _AVI, _AVI, _AVI, "pcm_s16le"),
}
ENCODERS = {
    "h264": "libx264",
    "hevc": "libx265",
    "h265": "libx265",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
    "prores": "prores_ks",
}
"""Names people know to FFmpeg's encoders."""
EVEN_SIZES = ("libx264", "libx265", "prores_ks", "dnxhd", "h264_nvenc", "hevc_nvenc")
"""Encoders that refuse a size the chroma grid does not divide (H.264 7.4.2.1.1: cropping in chroma units)."""
FIELD_CODERS = ("libx264", "libx264rgb", "ffv1", "prores_ks", "mpeg2video")
"""Encoders that keep the mark of interlaced frames."""
LOSSLESS = ("libx264", "libx264rgb", "libx265", "ffv1", "libvpx-vp9", "utvideo", "huffyuv")


def container_of(path: Path) -> Container:
    """The container that a file's suffix asks for; MediaError where it is not one of those known."""
    found = CONTAINERS.get(path.suffix.lower())
    if found is None:
        raise MediaError(f"{path}: cannot write {path.suffix or 'a file without suffix'}; use {', '.join(CONTAINERS)}")
    return found


def taken_off(muxer: str, like: ClipInfo) -> Fraction:
    """Seconds taken off all times of a clip: AVI has no clock and starts at 0, FFmpeg would fill it up from there."""
    return like.start_s if muxer == "avi" else Fraction(0)


def choose_encoder(path: Path, like: ClipInfo, options: EncodeOptions) -> Choice:
    """Find the encoder that holds the clip's pixel format and size, else the format that loses least.

    Raises
    ------
    MediaError : no such encoder, or lossless asked for where the container has none for this format.
    """
    names = _candidates(path, like, options)
    wanted = like.pixels
    for name in names:
        held = [each for each in _formats(name) if planar_format(each) == wanted and _takes_size(name, each, like)]
        if held:
            best = wanted.name if wanted.name in held else held[0]
            return _choice(name, best, True, like, options)
    ranked = sorted(
        (
            (_loss(wanted, planar_format(each)), number, place, each)
            for number, name in enumerate(names)
            for place, each in enumerate(_formats(name))
            if _takes_size(name, each, like)
        ),
    )
    if not ranked:
        raise MediaError(f"{path}: {names[0]} cannot hold {wanted.name} at {like.size[1]}x{like.size[0]}; use .mkv")
    loss, number, _, best = ranked[0]
    if options.lossless and loss > (0, 0, 99, 99):
        raise MediaError(f"{path}: no lossless codec of this container holds {wanted.name}; write .mkv")
    return _choice(names[number], best, False, like, options)


def _candidates(path: Path, like: ClipInfo, options: EncodeOptions) -> tuple[str, ...]:
    container = container_of(path)
    if options.codec != "auto":
        name = ENCODERS.get(options.codec, options.codec)
        if options.lossless and name not in LOSSLESS:
            raise MediaError(f"{path}: {options.codec} is never lossless; use ffv1 or h264")
        _encoder(name)
        return (name, "libx264rgb") if name == "libx264" else (name,)
    names = container.lossless if options.lossless else container.deep if like.pixels.depth > 8 else container.video
    fielded = tuple(name for name in names if name in FIELD_CODERS)
    return fielded if like.field_order != "progressive" and fielded else names


def _encoder(name: str) -> Codec:
    try:
        return Codec(name, "w")
    except UnknownCodecError as error:
        raise MediaError(f"{name}: this installation has no such encoder; use auto, h264, hevc, vp9 or ffv1") from error


def _formats(name: str) -> list[str]:
    """Opaque pixel formats of an encoder, planar ones first, without FFmpeg's deprecated full-range names."""
    known = [each for each in _encoder(name).video_formats or [] if "yuvj" not in each.name and "msb" not in each.name]
    opaque = [each.name for each in known if not any(part.is_alpha for part in each.components)]
    return sorted(opaque, key=lambda each: planar_format(each).name != each)


def _takes_size(name: str, pix_fmt: str, like: ClipInfo) -> bool:
    down, across = planar_format(pix_fmt).chroma_shift
    height, width = like.coded_size
    return name not in EVEN_SIZES or (height % (1 << down) == 0 and width % (1 << across) == 0)


def _loss(wanted: PixelFormat, offered: PixelFormat) -> tuple[int, int, int, int]:
    """Rank of a substitute: kind changed, chroma or bits lost, then the least that is added."""
    kind = int(wanted.kind != offered.kind and not (wanted.kind == "gray" and offered.kind == "yuv"))
    chroma_lost = sum(
        max(0, there - here) for here, there in zip(wanted.chroma_shift, offered.chroma_shift, strict=True)
    )
    lost = (max(0, wanted.depth - offered.depth) + 4 * chroma_lost) if wanted.kind != "gray" else 0
    chroma_added = sum(
        max(0, here - there) for here, there in zip(wanted.chroma_shift, offered.chroma_shift, strict=True)
    )
    return kind, lost, chroma_added, max(0, offered.depth - wanted.depth)


def _choice(name: str, pix_fmt: str, exact: bool, like: ClipInfo, options: EncodeOptions) -> Choice:
    notes = []
    if not exact:
        height, width = like.coded_size
        notes.append(f"{name} cannot hold {like.pixels.name} at {width}x{height}: written as {pix_fmt}")
    interlaced = like.field_order != "progressive"
    if interlaced and name not in FIELD_CODERS:
        notes.append(f"{name} cannot mark interlaced frames: the fields are kept, their order is not")
        interlaced = False
    return Choice(name, pix_fmt, exact, _encoder_options(name, like, options), interlaced, tuple(notes))


def _encoder_options(name: str, like: ClipInfo, options: EncodeOptions) -> dict[str, str]:
    crf = f"{options.crf:g}"
    # VP9's and AV1's scales end at 63 where x264's ends at 51.
    wide_crf = str(min(63, round(options.crf * 63 / 51)))
    fields = {} if like.field_order == "progressive" else {"x264-params": f"{like.field_order}=1"}
    x264 = {**({"qp": "0"} if options.lossless else {"crf": crf}), **fields, "preset": options.preset}
    x265_params = "log-level=error:lossless=1" if options.lossless else "log-level=error"
    vp9 = {"lossless": "1"} if options.lossless else {"crf": wide_crf}
    table = {
        "libx264": x264,
        "libx264rgb": x264,
        "libx265": {"crf": crf, "preset": options.preset, "x265-params": x265_params},
        "libvpx-vp9": {**vp9, "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
        "libsvtav1": {"crf": wide_crf, "preset": "8"},
        "ffv1": {"level": "3", "slicecrc": "1", "g": "1"},
    }
    if name.endswith("_nvenc"):
        return {"rc": "vbr", "cq": crf, "b": "0", "preset": "p5"}
    return table.get(name, {})
