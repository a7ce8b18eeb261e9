"""A clip as a stream of timed frames in the decoder's own planes, in constant memory.

`open_clip` decodes the first frame at once, since only it tells the display matrix, the pixel format and the colour
for certain. Frames that cannot be decoded are counted in `ClipReader.damaged`, never fatal.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer
from av.stream import Disposition

from shared.errors import MediaError, from_os_error
from shared.media.describe import describe, field_order_of, guessed_delay, layout_of
from shared.media.pixel import planes_of
from shared.types import ClipInfo, Frame

log = logging.getLogger(__name__)

INDEXED: Final = frozenset({"mov", "matroska"})
"""Containers that list where their key frames are, as FFmpeg names them; others are sought by guess."""
FAR: Final = 250
"""Frames that are sooner read than sought."""
EARLIER_S: Final = 1
"""Pictures shown before a key frame may be decoded only from the one before it, and are shown this much before it at
most: a few frames."""


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
        self._begin = 0
        self._layout = layout_of(first)
        self._delay = guessed_delay(container, self._stream, first)
        self.info = describe(path, container, self._stream, first, self._layout)

    def frames(self) -> Iterator[Frame]:
        """Yield each frame with its exact time; the planes are read-only views of the decoder's buffers."""
        if self._first is None:
            raise ValueError(f"{self._path}: the frames of a reader are given once; seek, or open the clip again")
        first, self._first = self._first, None
        index, all_decoded = self._begin, self._decoded
        yield self._frame(first, index)
        del first
        for decoded in all_decoded:
            index += 1
            yield self._frame(decoded, index)
        if not self._begin and all_decoded is self._decoded:
            self._count_missing(index + 1)
        if self._rebuilt:
            log.warning("%s: %d frame times were missing or out of order and were rebuilt", self._path, self._rebuilt)

    def seek(self, index: int, pts: int) -> bool:
        """Let `frames` begin with the frame shown at `pts`, from the key frame before it, and count it as `index`.

        Frames that were being given end there; `frames` gives those from this one on, once more.

        Returns
        -------
        Whether it was found for certain; if not, this reader is of no more use: open the clip again.
        """
        self.close()
        if not INDEXED & set(self._container.format.name.split(",")):
            return False
        try:
            early = max(self.info.start_s, pts * self._time_base - EARLIER_S)
            self._container.seek(round(early / self._time_base) + self._delay, stream=self._stream, backward=True)
        except av.FFmpegError:
            return False
        self._decoded, self._last_pts, self._packets = self._decode(), None, 0
        for decoded in self._decoded:
            at = self._own_time(decoded)
            if at is None or at > pts or decoded.is_corrupt:
                return False
            if at == pts:
                self._first, self._begin = decoded, index
                return True
        return False

    def close(self) -> None:
        """Let go of what is being decoded, which refers to this reader and this reader to it.

        The first picture and its side data, which were asked for its orientation, refer to each other too: it waits for
        the garbage collector, which counts objects and not their megabytes, and with it the decoder's pool of pictures.
        Who reads a clip in many places does so with one reader (`seek`).
        """
        self._first = None
        with suppress(ValueError):  # somebody decodes in another thread, and ends on the container that is closed next
            self._decoded.close()

    def _decode(self) -> Generator[av.VideoFrame]:
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
            field_order=field_order_of(decoded, self._stream.codec_context.field_order),
        )

    def _presentation_time(self, decoded: av.VideoFrame) -> int:
        """The frame's own time, or one step after the last where it is missing or does not grow."""
        pts, last = self._own_time(decoded), self._last_pts
        if pts is None or (last is not None and pts <= last):
            self._rebuilt += 1
            step = max(1, round(1 / (self.info.rate * self._time_base)))
            pts = 0 if last is None else last + (decoded.duration or step)
        self._last_pts = pts
        return pts

    def _own_time(self, decoded: av.VideoFrame) -> int | None:
        """What the frame says of its time, in the clip's time base."""
        pts = decoded.pts
        if pts is not None and decoded.time_base and decoded.time_base != self._time_base:
            pts = round(pts * decoded.time_base / self._time_base)
        return None if pts is None else pts - self._delay

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
        with closing(ClipReader(path, container)) as reader:
            yield reader
    finally:
        container.close()


def read_frame(path: Path, index: int, time_s: float) -> Frame | None:
    """One frame of a clip, by its time; None where it is far in and cannot be sought for certain.

    Its planes stay valid. Errors as of `open_clip`.
    """
    with open_clip(path) as reader:
        if reader.seek(index, round(time_s / reader.info.time_base)):
            return next(reader.frames())
    if index >= FAR:
        return None
    with open_clip(path) as reader:
        return next((frame for frame in reader.frames() if frame.index == index), None)


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
    """The stream a player would show: marked as default, then the largest; no cover picture, no unknown codec."""
    streams = [stream for stream in _pictures(container) if stream.codec_context is not None]
    return max(
        streams,
        key=lambda stream: (
            bool(stream.disposition & Disposition.default),
            stream.codec_context.width * stream.codec_context.height,
        ),
        default=None,
    )


def heard_audio(path: Path, container: InputContainer) -> av.AudioStream:
    """The stream a player would play; MediaError where there is none, or none that can be decoded."""
    best = container.streams.best("audio")
    known = [stream for stream in (best, *container.streams.audio) if stream is not None and stream.codec_context]
    for stream in known:
        if isinstance(stream, av.AudioStream):
            return stream
    why = "this installation can decode" if best is not None else ""
    raise MediaError(f"{path}: has no audio track{why and ' '}{why}; give --speech FILE")


def clip_origin(path: Path) -> Fraction:
    """The time in a file that is 0 on its clip's clock: that of its first picture, or of its sound where it has none.

    A transport stream begins at 1.4 s, a captured broadcast at hours, an MP3 after a delay. What is laid beside a clip
    (speech) and what is measured against it (its own sound) starts with its picture; errors as of `open_clip`.
    """
    container = open_input(path)
    try:
        with suppress(MediaError), closing(ClipReader(path, container)) as reader:
            return reader.info.start_s
        with suppress(MediaError):
            sound = heard_audio(path, container)
            return (sound.start_time or 0) * (sound.time_base or Fraction(1))
        return Fraction(0)
    finally:
        container.close()


def _pictures(container: InputContainer) -> list[av.VideoStream]:
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def _video_of(path: Path, container: InputContainer) -> av.VideoStream:
    stream = shown_video(container)
    if stream is None and _pictures(container):
        raise MediaError(f"{path}: its video is of a codec unknown to this installation; convert it to H.264")
    if stream is None:
        raise MediaError(f"{path}: has no video stream; give a file with a picture")
    return stream


def _with_time(frame: av.VideoFrame, like: av.VideoFrame) -> av.VideoFrame:
    frame.pts, frame.time_base = like.pts, like.time_base
    return frame
