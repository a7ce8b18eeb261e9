"""What a clip says of itself: layout and orientation from its first picture, the rest from its headers."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.stream import Stream

from shared.media.pixel import colour_of, planar_format
from shared.types import ClipInfo, ColourSpec, FieldOrder, PixelFormat, StreamInfo

log = logging.getLogger(__name__)

DEFAULT_RATE = Fraction(25)
"""Frames a second where neither the container nor the codec says (still pictures, raw streams)."""
TICKS_NOT_FRAMES = 1000
"""From this "rate" on it is a clock's (1000 of Matroska, 12800 of MP4 remuxed into it), not a camera's."""
BOTTOM_FIELD_FIRST = (3, 4)
"""AVFieldOrder BB and TB: the bottom field is shown first."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What all frames of a stream share."""

    pixels: PixelFormat
    native: str
    colour: ColourSpec
    coded_size: tuple[int, int]
    quarter_turns: int
    mirrored: bool


def layout_of(first: av.VideoFrame) -> Layout:
    """Read the layout from a decoded picture, which alone tells it for certain."""
    native = first.format.name
    size = (first.height, first.width)
    tags = (int(first.colorspace), int(first.color_primaries), int(first.color_trc), int(first.color_range))
    turns, mirrored = _orientation(first)
    return Layout(planar_format(native), native, colour_of(native, size, *tags), size, turns, mirrored)


def _orientation(frame: av.VideoFrame) -> tuple[int, bool]:
    """Quarter turns counter-clockwise, after a horizontal mirror, that the display matrix asks for."""
    try:
        side_data = bytes(cast(Any, frame.side_data)[Type.DISPLAYMATRIX])
    except KeyError:
        return 0, False
    except ValueError:
        # PyAV 18 does not list side data of kinds newer than itself (EXIF); the turn alone can still be had.
        return round(frame.rotation / 90) % 4, False
    matrix = np.frombuffer(side_data, dtype=np.int32).astype(np.float64)
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    # Column vectors, y down: a turn by t counter-clockwise is (cos t, sin t; -sin t, cos t), and so c = sin t and
    # d = cos t, with or without a mirror of x before it (which only changes the signs of a and b).
    quarters = float(np.arctan2(c, d)) / (np.pi / 2)
    if abs(quarters - round(quarters)) > 0.01:
        log.warning("display matrix turns by %.1f degrees; taken for the nearest quarter", quarters * 90)
    return round(quarters) % 4, bool(a * d - b * c < 0)


def display_matrix(like: ClipInfo) -> list[int]:
    """FFmpeg's nine numbers for a mirror of x and then quarter turns counter-clockwise, kept at x, y >= 0."""
    cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[like.quarter_turns % 4]
    a, b = (-cosine, sine) if like.mirrored else (cosine, -sine)
    height, width = like.coded_size
    shift_x = -min(0, a * width) - min(0, sine * height)
    shift_y = -min(0, b * width) - min(0, cosine * height)
    one = 1 << 16
    return [a * one, b * one, 0, sine * one, cosine * one, 0, shift_x * one, shift_y * one, 1 << 30]


def field_order_of(frame: av.VideoFrame, order: int) -> FieldOrder:
    """The order in which a frame's fields are shown; `order` is the codec context's AVFieldOrder."""
    if not frame.interlaced_frame:
        return "progressive"
    return "bff" if order in BOTTOM_FIELD_FIRST else "tff"


def describe(
    path: Path, container: InputContainer, stream: av.VideoStream, first: av.VideoFrame, layout: Layout
) -> ClipInfo:
    """Gather what the headers and the first picture of a clip say."""
    time_base = stream.time_base or Fraction(1, 90000)
    duration_s = float(stream.duration * time_base) if stream.duration else (container.duration or 0) / av.time_base
    rate = _rate_of(path, stream, duration_s)
    height, width = layout.coded_size
    start = (stream.start_time or 0) if first.pts is None else first.pts - guessed_delay(container, stream, first)
    return ClipInfo(
        path=path,
        container=container.format.name,
        codec=stream.codec_context.codec.canonical_name,
        size=(width, height) if layout.quarter_turns % 2 else (height, width),
        coded_size=layout.coded_size,
        pixels=layout.pixels,
        native_format=layout.native,
        colour=layout.colour,
        rate=rate,
        time_base=time_base,
        start_s=start * time_base,
        duration_s=duration_s,
        frame_count=stream.frames or round(duration_s * rate),
        bit_rate=stream.codec_context.bit_rate or container.bit_rate or 0,
        sample_aspect=_fraction(stream.sample_aspect_ratio) or Fraction(1),
        quarter_turns=layout.quarter_turns,
        mirrored=layout.mirrored,
        field_order=field_order_of(first, stream.codec_context.field_order),
        streams=tuple(_stream_info(each) for each in container.streams),
    )


def guessed_delay(container: InputContainer, stream: av.VideoStream, first: av.VideoFrame) -> int:
    """Ticks to take off each time: AVI holds none of presentation, and FFmpeg guesses those of H.264 a frame late."""
    if container.format.name != "avi" or first.pts is None or stream.start_time is None:
        return 0
    return first.pts - stream.start_time


def sound_form(frame: AudioFrame) -> tuple[str, str, int]:
    """(sample format, layout, rate): a resampler takes frames of one form only, and broadcasts change it midway."""
    return frame.format.name, frame.layout.name, frame.sample_rate


def _stream_info(stream: Stream) -> StreamInfo:
    context = stream.codec_context  # None where FFmpeg knows no decoder
    detail = ""
    if context is not None and isinstance(stream, av.VideoStream):
        detail = f"{stream.codec_context.width}x{stream.codec_context.height}"
    elif context is not None and isinstance(stream, av.AudioStream):
        detail = f"{stream.codec_context.sample_rate} Hz {stream.codec_context.layout.name}"
    return StreamInfo(
        index=stream.index,
        kind=stream.type if stream.type in ("video", "audio", "subtitle", "attachment") else "data",
        codec=context.codec.canonical_name if context is not None else "",
        language=stream.language or "",
        duration_s=float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0,
        detail=detail,
    )


def _rate_of(path: Path, stream: av.VideoStream, duration_s: float) -> Fraction:
    """Frames a second as the headers say, unless they give the ticks of a clock for it."""
    for stated in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        rate = _fraction(stated)
        if rate is not None and rate < TICKS_NOT_FRAMES:
            return rate
    if stream.frames and duration_s > 0:
        return Fraction(stream.frames / duration_s).limit_denominator(1001)
    log.warning("%s: does not say its frame rate; %s is taken where one is needed", path, DEFAULT_RATE)
    return DEFAULT_RATE


def _fraction(value: object) -> Fraction | None:
    """A positive exact rate or aspect, or None where the container says 0/0 or nothing."""
    number = getattr(value, "numerator", 0)
    return Fraction(number, value.denominator) if number and isinstance(value, Fraction) and value > 0 else None
