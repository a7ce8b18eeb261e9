"""The streams beside the picture: copied where the container can hold them, else encoded, in step with the frames."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream

from shared.errors import MediaError
from shared.media.encoder import taken_off
from shared.media.lane import CopyLane, EncodeLane, Lane, time_of
from shared.media.reader import clip_origin, heard_audio, open_input, shown_video
from shared.types import ClipInfo

log = logging.getLogger(__name__)


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
            if until_s is not None and time_of(packet) + self._offset_s >= until_s:
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
    output: OutputContainer, like: ClipInfo, encoder: str, bitrate: int, kinds: Collection[str], notes: list[str]
) -> SideFeed | None:
    """Prepare streams of some `kinds` (audio, subtitle) of the clip `like`; says in `notes` what happens to each."""
    container = open_input(like.path)
    lanes: dict[int, Lane] = {}
    muxer = output.format.name
    offset_s = -taken_off(muxer, like)
    begin_s = Fraction(0) if offset_s else None
    shown = shown_video(container)
    for stream in container.streams:
        if shown is not None and stream.index == shown.index:
            continue
        name = f"{stream.type} stream {stream.index}"
        context = stream.codec_context
        codec = context.codec.canonical_name if context is not None else ""
        if stream.type == "audio" and "audio" not in kinds:
            notes.append(f"{name} replaced by the speech")
        elif stream.type == "subtitle" and "subtitle" not in kinds:
            notes.append(f"{name} ({codec}) dropped: it keeps time with the clip's own frames and speech")
        elif stream.type in ("audio", "subtitle") and context is not None and _can_copy(muxer, stream):
            lanes[stream.index] = CopyLane(output, stream, offset_s)
            notes.append(f"{name} ({codec}) copied")
        elif isinstance(stream, AudioStream) and context is not None:
            lanes[stream.index] = EncodeLane(output, stream, encoder, bitrate, offset_s, begin_s)
            notes.append(f"{name} ({codec}) encoded as {encoder}: {muxer} cannot hold it")
        else:
            notes.append(f"{name} ({codec or 'unknown'}) dropped: {muxer} cannot hold it beside the picture")
    if not lanes:
        container.close()
        return None
    return SideFeed(like.path, lanes, container, offset_s)


def speech_stream(
    output: OutputContainer, path: Path, encoder: str, bitrate: int, start_s: Fraction, notes: list[str]
) -> SideFeed:
    """Prepare the sound file at `path`, whose own `clip_origin` is laid at `start_s`; MediaError where it is mute."""
    container = open_input(path)
    try:
        stream = heard_audio(path, container)
        offset_s = start_s - clip_origin(path)
    except MediaError:
        container.close()
        raise
    lane = EncodeLane(output, stream, encoder, bitrate, offset_s, begin_s=start_s)
    notes.append(f"speech encoded as {encoder}")
    return SideFeed(path, {stream.index: lane}, container, offset_s)


def _can_copy(muxer: str, stream: Stream) -> bool:
    """Whether the muxer takes the stream as it is: tried, since FFmpeg's tables promise more than its headers hold."""
    try:
        with av.open(BytesIO(), "w", format=muxer) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True
