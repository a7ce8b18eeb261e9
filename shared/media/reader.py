"""A clip as a stream of timed frames in the decoder's own planes, in constant memory.

`open_clip` decodes the first frame at once, since only it tells the display matrix, the pixel format and the colour
for certain. Frames that cannot be decoded are counted in `ClipReader.damaged`, never fatal.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.stream import Disposition, Stream

from shared.errors import MediaError, from_os_error
from shared.media.pixel import colour_of, planar_format, planes_of
from shared.types import ClipInfo, ColourSpec, FieldOrder, Frame, PixelFormat, StreamInfo

log = logging.getLogger(__name__)

DEFAULT_RATE = Fraction(25)
"""Frames a second where neither the container nor the codec says (still pictures, raw streams)."""
TOP_FIELD_FIRST = (2, 5)
"""AVFieldOrder TT and BT: the top field is shown first."""
BOTTOM_FIELD_FIRST = (3, 4)
"""AVFieldOrder BB and TB."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """What all frames of a stream share."""

    pixels: PixelFormat
    native: str
    colour: ColourSpec
    coded_size: tuple[int, int]
    quarter_turns: int
    mirrored: bool


class ClipReader:
    """An open clip: what is known of it, and its frames once, in order of presentation."""

    def __init__(self, path: Path, container: InputContainer) -> None:
        self._path = path
        self._container = container
        self._stream = _video_of(path, container)
        self._stream.thread_type = "AUTO"
        self._time_base = self._stream.time_base or Fraction(1, 90000)
        self._packets = 0
        self._last_pts: int | None = None
        self._rebuilt = 0
        self.damaged = 0
        """Frames that were lost or decoded with errors, so far."""
        self._decoded = self._decode()
        first = next(self._decoded, None)
        if first is None:
            raise MediaError(
                f"{path}: no frame of its video could be decoded; the file is damaged or of a codec unknown"
            )
        self._first: av.VideoFrame | None = first
        self._layout = _layout_of(first)
        self.info = _describe(path, container, self._stream, first, self._layout)

    def frames(self) -> Iterator[Frame]:
        """Yield each frame with its exact time; the planes are read-only views of the decoder's buffers."""
        if self._first is None:
            raise ValueError(f"{self._path}: the frames of a reader are given once; open the clip again")
        first, self._first = self._first, None
        index = 0
        yield self._frame(first, index)
        del first
        for decoded in self._decoded:
            index += 1
            yield self._frame(decoded, index)
        self._count_missing(index + 1)
        if self._rebuilt:
            log.warning("%s: %d frame times were missing or out of order and were rebuilt", self._path, self._rebuilt)

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Decoded pictures; errors are counted and passed over."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError as error:
                log.warning("%s: reading stopped early: %s", self._path, error.strerror)
                packet = None
            if packet is not None and packet.size:
                self._packets += 1
            try:
                pictures = self._stream.decode(packet)
            except EOFError:
                return
            except av.FFmpegError:
                self.damaged += 1
                pictures = []
            for picture in pictures:
                self.damaged += int(picture.is_corrupt)
                yield picture
            if packet is None:
                return

    def _frame(self, decoded: av.VideoFrame, index: int) -> Frame:
        layout = self._layout
        if (decoded.height, decoded.width) != layout.coded_size:
            log.warning("%s: the picture size changes at frame %d; scaled to the first size", self._path, index)
            decoded = _with_time(decoded.reformat(width=layout.coded_size[1], height=layout.coded_size[0]), decoded)
        return Frame(
            planes=planes_of(decoded, layout.pixels),
            pixels=layout.pixels,
            colour=layout.colour,
            index=index,
            pts=self._presentation_time(decoded),
            time_base=self._time_base,
            quarter_turns=layout.quarter_turns,
            mirrored=layout.mirrored,
            field_order=_field_order(decoded, self._stream.codec_context.field_order),
        )

    def _presentation_time(self, decoded: av.VideoFrame) -> int:
        """The frame's own time, or one step after the last where it is missing or does not grow."""
        pts = decoded.pts
        if pts is not None and decoded.time_base and decoded.time_base != self._time_base:
            pts = round(pts * decoded.time_base / self._time_base)
        last = self._last_pts
        if pts is None or (last is not None and pts <= last):
            self._rebuilt += 1
            step = max(1, round(1 / (self.info.rate * self._time_base)))
            pts = 0 if last is None else last + (decoded.duration or step)
        self._last_pts = pts
        return pts

    def _count_missing(self, given: int) -> None:
        """Count frames that the container promises and the file, cut short, no longer holds."""
        promised = self._stream.frames
        if self._packets < promised:
            self.damaged = max(self.damaged, promised - given)
            log.warning("%s: the file ends early, with %d of its %d frames", self._path, given, promised)


@contextmanager
def open_clip(path: Path) -> Iterator[ClipReader]:
    """Open a clip for reading.

    Raises
    ------
    MediaError : no such file, empty, not a media file, cut off before its index, no video, nothing decodable.
    """
    container = open_input(path)
    try:
        yield ClipReader(path, container)
    finally:
        container.close()


def probe(path: Path) -> ClipInfo:
    """What is known of a clip, from its headers and its first frame; errors as of `open_clip`."""
    with open_clip(path) as reader:
        return reader.info


def open_input(path: Path) -> InputContainer:
    """Open any media file for demuxing; errors as of `open_clip`."""
    try:
        if path.is_dir():
            raise MediaError(f"{path}: is a folder; name a media file")
        if path.stat().st_size == 0:
            raise MediaError(f"{path}: is empty (0 bytes); copy the file again")
    except OSError as error:
        raise from_os_error(error, path, "opening the file") from error
    try:
        return av.open(f"file:{path}", metadata_errors="replace")
    except av.FFmpegError as error:
        raise MediaError(
            f"{path}: not a readable media file ({error.strerror}): of an unknown kind, or cut off before its index"
        ) from error
    except OSError as error:
        raise from_os_error(error, path, "opening the file") from error


def shown_video(container: InputContainer) -> av.VideoStream | None:
    """The stream a player would show: marked as default, then the largest; never a cover picture."""
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    return max(
        streams,
        key=lambda stream: (
            bool(stream.disposition & Disposition.default),
            stream.codec_context.width * stream.codec_context.height,
        ),
        default=None,
    )


def _video_of(path: Path, container: InputContainer) -> av.VideoStream:
    stream = shown_video(container)
    if stream is None:
        raise MediaError(f"{path}: has no video stream; give a file with a picture")
    return stream


def _layout_of(first: av.VideoFrame) -> _Layout:
    native = first.format.name
    size = (first.height, first.width)
    tags = (int(first.colorspace), int(first.color_primaries), int(first.color_trc), int(first.color_range))
    turns, mirrored = _orientation(first)
    return _Layout(planar_format(native), native, colour_of(native, size, *tags), size, turns, mirrored)


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


def _field_order(frame: av.VideoFrame, order: int) -> FieldOrder:
    if not frame.interlaced_frame:
        return "progressive"
    return "bff" if order in BOTTOM_FIELD_FIRST else "tff"


def _with_time(frame: av.VideoFrame, like: av.VideoFrame) -> av.VideoFrame:
    frame.pts, frame.time_base = like.pts, like.time_base
    return frame


def _describe(
    path: Path, container: InputContainer, stream: av.VideoStream, first: av.VideoFrame, layout: _Layout
) -> ClipInfo:
    time_base = stream.time_base or Fraction(1, 90000)
    rate = _fraction(stream.average_rate) or _fraction(stream.guessed_rate) or DEFAULT_RATE
    duration_s = float(stream.duration * time_base) if stream.duration else (container.duration or 0) / av.time_base
    height, width = layout.coded_size
    start = first.pts if first.pts is not None else (stream.start_time or 0)
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
        field_order=_field_order(first, stream.codec_context.field_order),
        streams=tuple(_stream_info(each) for each in container.streams),
    )


def _stream_info(stream: Stream) -> StreamInfo:
    context = stream.codec_context
    detail = ""
    if isinstance(stream, av.VideoStream):
        detail = f"{stream.codec_context.width}x{stream.codec_context.height}"
    elif isinstance(stream, av.AudioStream):
        detail = f"{stream.codec_context.sample_rate} Hz {stream.codec_context.layout.name}"
    return StreamInfo(
        index=stream.index,
        kind=stream.type if stream.type in ("video", "audio", "subtitle", "attachment") else "data",
        codec=context.codec.canonical_name if context is not None else "",
        language=stream.language or "",
        duration_s=float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0,
        detail=detail,
    )


def _fraction(value: object) -> Fraction | None:
    """A positive exact rate or aspect, or None where the container says 0/0 or nothing."""
    number = getattr(value, "numerator", 0)
    return Fraction(number, value.denominator) if number and isinstance(value, Fraction) and value > 0 else None
