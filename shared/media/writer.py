"""Frames back into a clip: times, size, colour, orientation and fields kept, the other streams copied.

The file grows under a temporary name beside the final one and is renamed when it is whole. An interrupt (Ctrl-C) ends
it early but playable, under its final name; any other failure leaves nothing behind.
"""

from __future__ import annotations

import math
import os
from contextlib import AbstractContextManager, suppress
from fractions import Fraction
from pathlib import Path

import av
from av.codec.context import Flags
from av.container import OutputContainer
from av.filter import Graph
from av.video.stream import VideoStream

from shared.errors import LipswapError, MediaError
from shared.media.describe import display_matrix
from shared.media.encoder import Choice, choose_encoder, container_of, taken_off
from shared.media.ending import ended
from shared.media.muxer import as_media_errors, open_muxer
from shared.media.options import EncodeOptions
from shared.media.pixel import fill_planes
from shared.media.side import SideFeed, copy_streams, speech_stream
from shared.types import ClipInfo, Frame

__all__ = ["ClipWriter", "EncodeOptions", "open_writer"]

FEW_FRAMES = 4
"""x265 gives no sound decoding times to clips shorter than its run of B-frames; they are made here."""
MATROSKA_STEP = Fraction(1, 1000)
"""Matroska can hold finer times; FFmpeg's muxer writes whole milliseconds."""


class ClipWriter:
    """An open output; see `open_writer`."""

    def __init__(
        self, path: Path, like: ClipInfo, options: EncodeOptions, sound: tuple[Path, Fraction] | None, kinds: set[str]
    ) -> None:
        self.path, self._like = path, like
        self.notes: list[str] = []
        """What was done about streams and formats, one line each."""
        self.frames = 0
        """Frames written."""
        self._partial = path.with_name(f".{path.stem}.partial{path.suffix}")
        self._choice = choose_encoder(path, like, options)
        self.notes += self._choice.notes
        self._feeds: list[SideFeed] = []
        self._end_s = Fraction(0)
        self._last_pts: int | None = None
        container = container_of(path)
        self._output = open_muxer(self._partial, container.muxer, like)
        self._time_base = 1 / like.rate if container.muxer == "avi" else like.time_base
        self._inexact = 0
        self._taken_off_s = taken_off(container.muxer, like)
        self._step_s = MATROSKA_STEP if container.muxer in ("matroska", "webm") else self._time_base
        self._stream = _add_video(self._output, like, self._choice, options, self._time_base)
        self._duration = max(1, round(1 / (like.rate * self._time_base)))
        self._fields = _field_marker(like, self._choice) if self._choice.interlaced else None
        if container.muxer == "avi":
            self._stream.codec_context.max_b_frames = 0
        self.notes += _limits(container.muxer, like)
        self._begin(container.audio, options, sound, kinds)

    def write(self, frame: Frame) -> None:
        """Encode one frame at its own time; times must grow.

        Raises
        ------
        ValueError : wrong size or format, or a time not after the last frame's.
        MediaError, NoSpaceError : the file cannot be written.
        """
        if frame.pixels != self._like.pixels:
            raise ValueError(f"frames must be {self._like.pixels.name}, got {frame.pixels.name}")
        time_s = frame.time_s - self._taken_off_s
        exact = time_s / self._time_base
        pts = math.floor(exact + Fraction(1, 2))
        self._inexact += int((time_s / self._step_s).denominator != 1)
        if self._last_pts is not None and pts <= self._last_pts:
            if exact != pts:
                raise MediaError(f"{self.path}: this container cannot hold the clip's variable frame rate; write .mp4")
            raise ValueError(f"frame {frame.index} at {float(frame.time_s):.6f} s does not come after the last one")
        self._last_pts = pts
        picture = self._encoder_frame(frame, pts)
        with as_media_errors(self.path):
            for feed in self._feeds:
                feed.advance(time_s)
            self._mux(picture)
        self.frames += 1
        self._end_s = (pts + self._duration) * self._time_base

    def finish(self, interrupted: bool = False) -> None:
        """Flush, close, sync and rename; after an interrupt the other streams end with the picture."""
        if self.frames == 0:
            self.abandon()
            if not interrupted:
                raise MediaError(f"{self.path}: no frame was given, nothing is written")
            return
        with as_media_errors(self.path):
            self._mux(None)
            for feed in self._feeds:
                feed.finish(self._end_s if interrupted or self._cut_sound else None)
                feed.close()
            self._output.close()
            with self._partial.open("rb+") as written:
                os.fsync(written.fileno())
            self._partial.replace(self.path)
        if self._inexact:
            self.notes.append(f"{self._inexact} frame times were rounded to {self._step_s} s")
        if interrupted:
            self.notes.append(f"interrupted: {self.path} ends after {self.frames} frames and is playable")

    def abandon(self) -> None:
        """Close everything and remove the unfinished file."""
        for feed in self._feeds:
            feed.close()
        with suppress(av.FFmpegError, OSError, ValueError):
            self._output.close()
        self._partial.unlink(missing_ok=True)

    def _begin(
        self, encoder: str, options: EncodeOptions, sound: tuple[Path, Fraction] | None, kinds: set[str]
    ) -> None:
        self._cut_sound = sound is not None
        try:
            feeds = []
            if self._like.path.is_file():
                bitrate = options.audio_bitrate
                feeds.append(copy_streams(self._output, self._like, encoder, bitrate, kinds, self.notes))
            if sound is not None:
                start_s = sound[1] - self._taken_off_s
                feeds.append(speech_stream(self._output, sound[0], encoder, options.audio_bitrate, start_s, self.notes))
            self._feeds = [feed for feed in feeds if feed is not None]
            with as_media_errors(self.path):
                self._output.start_encoding()
        except LipswapError:
            self.abandon()
            raise

    def _encoder_frame(self, frame: Frame, pts: int) -> av.VideoFrame:
        height, width = self._like.coded_size
        picture = av.VideoFrame(width, height, frame.pixels.name)
        fill_planes(picture, frame.planes, frame.pixels)
        colour = frame.colour
        picture.colorspace, picture.color_primaries = colour.matrix_code, colour.primaries_code
        picture.color_trc, picture.color_range = colour.transfer_code, _range_code(self._like)
        if self._choice.pix_fmt != frame.pixels.name:
            same_range = {"src_color_range": picture.color_range, "dst_color_range": picture.color_range}
            picture = picture.reformat(format=self._choice.pix_fmt, **same_range)
        picture.pts, picture.time_base, picture.duration = pts, self._time_base, self._duration
        if self._fields is not None:
            self._fields.push(picture)
            picture = self._fields.vpull()
        return picture

    def _mux(self, picture: av.VideoFrame | None) -> None:
        packets = self._stream.encode(picture)
        if picture is None and 0 < len(packets) == self.frames <= FEW_FRAMES:
            first = min(packet.pts or 0 for packet in packets)
            for place, packet in enumerate(packets):
                packet.dts = first - (len(packets) - 1 - place) * self._duration
        self._output.mux(packets)


def open_writer(
    path: Path,
    like: ClipInfo,
    options: EncodeOptions | None = None,
    sound: Path | None = None,
    sound_start_s: Fraction = Fraction(0),
    retimed: bool = False,
) -> AbstractContextManager[ClipWriter]:
    """Open `path` for frames that look like those of the clip `like`.

    Parameters
    ----------
    path : the output; its suffix chooses the container (.mp4 .m4v .mov .mkv .webm .avi).
    like : the clip whose times, size, colour and orientation are kept; where its file exists, its audio and subtitle
        streams are copied too.
    sound : a file whose sound replaces all audio; cut at the end of the picture.
    sound_start_s : time in the clip's file at which the sound file's own `clip_origin` is laid; to start with the
        picture, the clip's.
    retimed : the frames are no longer at the clip's own times, and its subtitles are left out.

    Raises
    ------
    MediaError : unknown suffix or encoder, unwritable place; no frame was written.
    NoSpaceError : the disk is full.
    """
    kinds = {kind for kind, kept in (("audio", sound is None), ("subtitle", not retimed)) if kept}
    speech = None if sound is None else (sound, sound_start_s)
    return ended(ClipWriter(path, like, options or EncodeOptions(), speech, kinds))


def _add_video(
    output: OutputContainer, like: ClipInfo, choice: Choice, options: EncodeOptions, time_base: Fraction
) -> VideoStream:
    stream = output.add_stream(choice.encoder, rate=like.rate, options=dict(choice.options))
    if not isinstance(stream, VideoStream):
        raise MediaError(f"{choice.encoder} is no video encoder; use auto, h264, hevc, vp9 or ffv1")
    context = stream.codec_context
    context.height, context.width = like.coded_size
    context.pix_fmt = choice.pix_fmt
    context.time_base = stream.time_base = time_base
    context.sample_aspect_ratio = like.sample_aspect
    context.colorspace, context.color_primaries = like.colour.matrix_code, like.colour.primaries_code
    context.color_trc, context.color_range = like.colour.transfer_code, _range_code(like)
    context.thread_count, context.thread_type = options.threads, "AUTO"
    if choice.encoder == "libx265" and output.format.name in ("mp4", "mov"):
        context.codec_tag = "hvc1"
    if choice.interlaced:
        context.flags |= Flags.interlaced_dct
        context.field_order = 2 if like.field_order == "tff" else 3
    if like.quarter_turns or like.mirrored:
        stream.set_display_matrix(display_matrix(like))
    return stream


def _limits(muxer: str, like: ClipInfo) -> list[str]:
    """What of this clip the container cannot say."""
    notes = []
    if muxer == "avi" and (like.quarter_turns or like.mirrored):
        notes.append("AVI cannot hold the display matrix: the picture plays turned")
    if muxer == "avi" and like.start_s:
        notes.append(f"AVI starts at 0: all times are {float(like.start_s):.3f} s earlier")
    if muxer in ("avi", "matroska", "webm") and (like.coded_size[1] * like.sample_aspect).denominator != 1:
        notes.append(f"{muxer} cannot hold the sample aspect ratio {like.sample_aspect} exactly")
    return notes


def _range_code(like: ClipInfo) -> int:
    """The range to write: as read, but said aloud where FFmpeg's guess depends on the format (untagged grey)."""
    colour = like.colour
    return 2 if colour.range_code == 0 and colour.full_range and like.pixels.kind == "gray" else colour.range_code


def _field_marker(like: ClipInfo, choice: Choice) -> Graph:
    """A filter that marks frames as interlaced, which PyAV's frames do not offer themselves."""
    height, width = like.coded_size
    graph = Graph()
    source = graph.add_buffer(
        width=width, height=height, format=av.VideoFormat(choice.pix_fmt, width, height), time_base=like.time_base
    )
    marker = graph.add("setfield", like.field_order)
    graph.link_nodes(source, marker, graph.add("buffersink")).configure()
    return graph
