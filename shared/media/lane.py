"""One stream beside the picture on its way into the output: copied packet by packet, or encoded anew."""

from __future__ import annotations

import logging
import math
from fractions import Fraction
from typing import Any, Protocol, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.codec import Codec
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from shared.media.describe import sound_form

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
    """Packets as they are, with their own times plus `offset_s`."""

    def __init__(self, output: OutputContainer, stream: Stream, offset_s: Fraction = Fraction(0)) -> None:
        self._output, self._offset_s = output, offset_s
        self._target = output.add_stream_from_template(stream)
        self._target.metadata.update(stream.metadata)
        self._target.disposition = stream.disposition
        # AVI has no time before 0, and would shift the picture to make room for pre-roll.
        self._keeps_preroll = output.format.name != "avi"
        # Two subtitles may well begin together.
        self._may_repeat = stream.type == "subtitle"
        self._last: int | None = None

    def feed(self, packet: Packet[Stream]) -> None:
        """Write the packet, unless its time goes back, which no container takes."""
        if not self._keeps_preroll and time_of(packet) + self._offset_s < 0:
            return
        if self._offset_s and packet.time_base:
            later = round(self._offset_s / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + later
            packet.dts = None if packet.dts is None else packet.dts + later
        packet.dts = packet.pts if packet.dts is None else packet.dts
        packet.pts = packet.dts if packet.pts is None else packet.pts
        last, now = self._last, packet.dts
        if last is not None and now is not None and (now < last or (now == last and not self._may_repeat)):
            log.warning("stream %d: packet at %.3f s is out of order, dropped", packet.stream_index, time_of(packet))
            return
        self._last = packet.dts
        packet.stream = self._target
        self._output.mux(packet)

    def finish(self, end_s: Fraction | None) -> None:
        """Nothing is held back."""


class EncodeLane:
    """Sound decoded and encoded by another codec, at its own rate, on its own clock plus `offset_s`.

    Samples before `begin_s` and, once it is set, after `end_s` are cut off.
    """

    def __init__(
        self,
        output: OutputContainer,
        stream: AudioStream,
        encoder: str,
        bitrate: int,
        offset_s: Fraction = Fraction(0),
        begin_s: Fraction | None = None,
    ) -> None:
        self._output, self._stream, self._offset_s, self._begin_s = output, stream, offset_s, begin_s
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
        self._rate = rate
        self._form: tuple[str, str, int] | None = None
        self._resampler = self._new_resampler()
        self._next: int | None = None
        self.end_s: Fraction | None = None

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

    def _new_resampler(self) -> av.AudioResampler:
        return av.AudioResampler(format=self._target.format, layout=self._target.layout, rate=self._rate)

    def _take(self, frame: AudioFrame) -> None:
        if self._form not in (None, sound_form(frame)):
            for rest in self._resampler.resample(None):
                self._encode(rest)
            self._resampler = self._new_resampler()
        self._form = sound_form(frame)
        if self._next is None or frame.pts is not None:
            start_s = self._offset_s + (frame.pts or 0) * (frame.time_base or Fraction(1, frame.sample_rate))
            start = round(start_s * self._rate)
            if self._next is None:
                self._next = start
            elif start - self._next > GAP_S * self._rate:
                self._be_silent(frame, Fraction(start - self._next, self._rate))
        frame.pts = None
        for part in self._resampler.resample(frame):
            self._encode(part)

    def _be_silent(self, like: AudioFrame, seconds: Fraction) -> None:
        """In pieces of a second, so that a gap of an hour takes no memory."""
        while seconds > 0:
            for quiet in self._resampler.resample(_silence(like, float(min(seconds, Fraction(1))))):
                self._encode(quiet)
            seconds -= 1

    def _encode(self, frame: AudioFrame) -> None:
        start = self._next or 0
        early = 0 if self._begin_s is None else math.ceil(self._begin_s * self._rate) - start
        if early > 0:
            self._next = start + min(early, frame.samples)
            if early >= frame.samples:
                return
            frame, start = _samples_of(frame, early, frame.samples), start + early
        if self.end_s is not None:
            left = int(self.end_s * self._rate) - start
            if left <= 0:
                return
            frame = _samples_of(frame, 0, left)
        frame.pts, frame.time_base = start, Fraction(1, self._rate)
        self._next = start + frame.samples
        self._output.mux(self._target.encode(frame))


def time_of(packet: Packet[Stream]) -> Fraction:
    """Presentation time in seconds, of decoding where it has none other."""
    stamp = packet.pts if packet.pts is not None else packet.dts
    return (stamp or 0) * (packet.time_base or Fraction(1))


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


def _samples_of(frame: AudioFrame, first: int, end: int) -> AudioFrame:
    if first <= 0 and frame.samples <= end:
        return frame
    edges = slice(_array_shape(frame, first)[1], _array_shape(frame, end)[1])
    kept = np.ascontiguousarray(frame.to_ndarray()[:, edges])
    short = AudioFrame.from_ndarray(cast(Any, kept), format=frame.format.name, layout=frame.layout.name)
    short.sample_rate = frame.sample_rate
    return short
