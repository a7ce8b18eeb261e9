"""The streams beside the picture: copied packet by packet where the container can hold them, else encoded anew."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.codec import Codec
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream

from shared.errors import MediaError
from shared.media.reader import open_input, shown_video, sound_origin

log = logging.getLogger(__name__)

LOSSY_AUDIO = ("aac", "libopus", "libmp3lame")
GAP_S = 0.02
"""Silence is put where decoded sound leaves a longer gap than this, so that later sound keeps its time."""
STEREO_ONLY = ("libopus",)
"""Encoders that want a mapping for more than two channels; those are mixed down."""


class Lane(Protocol):
    """One stream on its way into the output."""

    def feed(self, packet: Packet[Stream]) -> None:
        """Take one packet of the source."""

    def finish(self, end_s: Fraction | None) -> None:
        """Write what is still held, no further than `end_s`."""


class CopyLane:
    """Packets as they are, with their own times."""

    def __init__(self, output: OutputContainer, stream: Stream) -> None:
        self._output = output
        self._target = output.add_stream_from_template(stream)
        self._target.metadata.update(stream.metadata)
        self._target.disposition = stream.disposition
        # AVI has no time before 0, and would shift the picture to make room for pre-roll.
        self._keeps_preroll = output.format.name != "avi"
        self._last: int | None = None

    def feed(self, packet: Packet[Stream]) -> None:
        """Write the packet, unless its time goes back, which no container takes."""
        if not self._keeps_preroll and _time_of(packet) < 0:
            return
        packet.dts = packet.pts if packet.dts is None else packet.dts
        packet.pts = packet.dts if packet.pts is None else packet.pts
        if self._last is not None and packet.dts is not None and packet.dts <= self._last:
            log.warning("stream %d: packet at %.3f s is out of order, dropped", packet.stream_index, _time_of(packet))
            return
        self._last = packet.dts
        packet.stream = self._target
        self._output.mux(packet)

    def finish(self, end_s: Fraction | None) -> None:
        """Nothing is held back."""


class EncodeLane:
    """Sound decoded and encoded by another codec, at its own rate, on its own clock plus `offset_s`."""

    def __init__(
        self, output: OutputContainer, stream: AudioStream, encoder: str, bitrate: int, offset_s: Fraction = Fraction(0)
    ) -> None:
        self._output, self._stream, self._offset_s = output, stream, offset_s
        context = stream.codec_context
        rate = _nearest_rate(encoder, context.sample_rate)
        channels = context.layout.nb_channels
        # WAV and AVI often state a count of channels without saying where they belong.
        layout = {1: "mono", 2: "stereo"}.get(channels, context.layout.name)
        if encoder in STEREO_ONLY and channels > 2:
            layout = "stereo"
        target = output.add_stream(encoder, rate=rate, layout=layout)
        if not isinstance(target, AudioStream):
            raise TypeError(f"{encoder} is no sound encoder")
        if encoder in LOSSY_AUDIO:
            target.bit_rate = bitrate
        target.metadata.update(stream.metadata)
        self._target = target
        self._resampler = av.AudioResampler(format=target.format, layout=target.layout, rate=rate)
        self._rate = rate
        self._next: int | None = None
        self.end_s: Fraction | None = None
        """Samples after this time are cut off."""

    def feed(self, packet: Packet[Stream]) -> None:
        """Decode, and encode what came out."""
        try:
            decoded = self._stream.decode(packet)
        except av.FFmpegError as error:
            log.warning("sound at %s s could not be decoded: %s", packet.pts and packet.pts * packet.time_base, error)
            return
        for frame in decoded:
            self._take(frame)

    def finish(self, end_s: Fraction | None) -> None:
        """Flush decoder, resampler and encoder."""
        self.end_s = end_s
        try:
            for frame in self._stream.decode(None):
                self._take(frame)
        except EOFError:
            log.debug("the sound decoder was flushed by the demuxer already")
        for frame in self._resampler.resample(None):
            self._encode(frame)
        self._output.mux(self._target.encode(None))

    def _take(self, frame: AudioFrame) -> None:
        if self._next is None or frame.pts is not None:
            start_s = self._offset_s + (frame.pts or 0) * (frame.time_base or Fraction(1, frame.sample_rate))
            start = round(start_s * self._rate)
            if self._next is None:
                self._next = start
            elif start - self._next > GAP_S * self._rate:
                for quiet in self._resampler.resample(_silence(frame, (start - self._next) / self._rate)):
                    self._encode(quiet)
        frame.pts = None
        for part in self._resampler.resample(frame):
            self._encode(part)

    def _encode(self, frame: AudioFrame) -> None:
        start = self._next or 0
        if self.end_s is not None:
            left = int(self.end_s * self._rate) - start
            if left <= 0:
                return
            frame = _first_samples(frame, left)
        frame.pts, frame.time_base = start, Fraction(1, self._rate)
        self._next = start + frame.samples
        self._output.mux(self._target.encode(frame))


class SideFeed:
    """Hands one source's packets to their lanes in step with the picture, so that the muxer holds little."""

    def __init__(self, path: Path, lanes: dict[int, Lane], container: InputContainer, offset_s: Fraction) -> None:
        self._path, self._lanes, self._container, self._offset_s = path, lanes, container, offset_s
        self._packets = self._read()
        self._held: Packet[Stream] | None = None

    def advance(self, until_s: Fraction | None) -> None:
        """Feed the packets that start before `until_s`, or all that are left."""
        while True:
            packet = self._held if self._held is not None else next(self._packets, None)
            self._held = packet
            if packet is None:
                return
            if until_s is not None and _time_of(packet) + self._offset_s >= until_s:
                return
            self._held = None
            self._lanes[packet.stream_index].feed(packet)

    def finish(self, end_s: Fraction | None) -> None:
        """Feed what is left, up to `end_s`, and flush."""
        for lane in self._lanes.values():
            if isinstance(lane, EncodeLane):
                lane.end_s = end_s
        self.advance(end_s)
        for lane in self._lanes.values():
            lane.finish(end_s)

    def close(self) -> None:
        """Close the source."""
        self._container.close()

    def _read(self) -> Iterator[Packet[Stream]]:
        streams = [stream for stream in self._container.streams if stream.index in self._lanes]
        try:
            for packet in self._container.demux(*streams):
                if packet.size and (packet.dts is not None or packet.pts is not None):
                    yield packet
        except av.FFmpegError as error:
            log.warning("%s: its sound and subtitles stop early: %s", self._path, error.strerror)


def copy_streams(
    output: OutputContainer, path: Path, encoder: str, bitrate: int, with_audio: bool, notes: list[str]
) -> SideFeed | None:
    """Prepare the audio and subtitle streams of the clip at `path`; says in `notes` what happens to each."""
    container = open_input(path)
    lanes: dict[int, Lane] = {}
    muxer = output.format.name
    shown = shown_video(container)
    for stream in container.streams:
        if shown is not None and stream.index == shown.index:
            continue
        name = f"{stream.type} stream {stream.index}"
        context = stream.codec_context
        codec = context.codec.canonical_name if context is not None else ""
        if stream.type == "audio" and not with_audio:
            notes.append(f"{name} replaced by the speech")
        elif stream.type in ("audio", "subtitle") and context is not None and _can_copy(muxer, stream):
            lanes[stream.index] = CopyLane(output, stream)
            notes.append(f"{name} ({codec}) copied")
        elif isinstance(stream, AudioStream) and context is not None:
            lanes[stream.index] = EncodeLane(output, stream, encoder, bitrate)
            notes.append(f"{name} ({codec}) encoded as {encoder}: {muxer} cannot hold it")
        else:
            notes.append(f"{name} ({codec or 'unknown'}) dropped: {muxer} cannot hold it beside the picture")
    if not lanes:
        container.close()
        return None
    return SideFeed(path, lanes, container, Fraction(0))


def speech_stream(
    output: OutputContainer, path: Path, encoder: str, bitrate: int, start_s: Fraction, notes: list[str]
) -> SideFeed:
    """Prepare the sound file at `path`, whose own time 0 is laid at `start_s`; MediaError where it has no sound."""
    container = open_input(path)
    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream):
        container.close()
        raise MediaError(f"{path}: has no audio track; give a file with sound as speech")
    start_s -= sound_origin(container, stream)
    lane = EncodeLane(output, stream, encoder, bitrate, start_s)
    notes.append(f"speech encoded as {encoder}")
    return SideFeed(path, {stream.index: lane}, container, start_s)


def _time_of(packet: Packet[Stream]) -> Fraction:
    stamp = packet.pts if packet.pts is not None else packet.dts
    return (stamp or 0) * (packet.time_base or Fraction(1))


def _can_copy(muxer: str, stream: Stream) -> bool:
    """Whether the muxer takes the stream as it is: tried, since FFmpeg's tables promise more than its headers hold."""
    try:
        with av.open(BytesIO(), "w", format=muxer) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _nearest_rate(encoder: str, rate: int) -> int:
    """The encoder's own rate that loses nothing: the lowest at or above `rate`, else its highest."""
    offered = sorted(Codec(encoder, "w").audio_rates or [])
    return next((each for each in offered if each >= rate), offered[-1]) if offered else rate


def _silence(like: AudioFrame, seconds: float) -> AudioFrame:
    samples = round(seconds * like.sample_rate)
    quiet = np.resize(like.to_ndarray(), _array_shape(like, samples))
    quiet[:] = 128 if "u8" in like.format.name else 0
    frame = AudioFrame.from_ndarray(cast(Any, quiet), format=like.format.name, layout=like.layout.name)
    frame.sample_rate = like.sample_rate
    return frame


def _array_shape(like: AudioFrame, samples: int) -> tuple[int, int]:
    """Shape of PyAV's array of `samples`: (channels, samples) where planar, else (1, samples * channels)."""
    channels = like.layout.nb_channels
    return (channels, samples) if like.format.is_planar else (1, samples * channels)


def _first_samples(frame: AudioFrame, count: int) -> AudioFrame:
    if frame.samples <= count:
        return frame
    kept = np.ascontiguousarray(frame.to_ndarray()[:, : _array_shape(frame, count)[1]])
    short = AudioFrame.from_ndarray(cast(Any, kept), format=frame.format.name, layout=frame.layout.name)
    short.sample_rate = frame.sample_rate
    return short
