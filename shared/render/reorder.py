"""A clip's frames in the order of a timeline, on the output's own clock, with those between two of them.

Frames are read forward; where the timeline jumps a second reader goes on, so that both sides of a jump are at hand and
no clip is held in memory. It goes to the key frame before the one wanted, where the container tells for certain, else
the clip is opened again and read from its start. A frame that is shown as filmed keeps its planes.
"""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Final, Self

from shared.errors import MediaError
from shared.face.between import face_between
from shared.media.reader import FAR, open_clip
from shared.picture.flow import frame_between
from shared.render.timeline import Timeline
from shared.types import ClipInfo, Face, Frame, Scene

KEPT: Final = 8
"""Frames that a reader still has behind the last one read, and that it may go ahead for the next."""
READERS: Final = 2


def retimed(
    info: ClipInfo,
    timeline: Timeline,
    scene_of: Callable[[Frame], Scene],
    time_of: Callable[[int], float] | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> Iterator[Scene]:
    """The scenes of an output, lazily.

    Parameters
    ----------
    info : of the clip; the output begins at its first frame's time.
    scene_of : a frame of the clip with its faces that are to be changed.
    time_of : the time of a frame of the clip in seconds, by which it is sought; None where none is.
    told : given a line, once, where frames cannot be sought.
    """
    begin = info.start_s / info.time_base
    with _Frames(info, time_of, told) as frames:
        for index, (first, second, share) in enumerate(
            zip(timeline.first.tolist(), timeline.second.tolist(), timeline.share.tolist(), strict=True)
        ):
            scene = scene_of(frames.at(first))
            frame, faces = scene.frame, scene.faces
            if share > 0:
                other = scene_of(frames.at(second))
                frame = frame_between(frame, other.frame, share)
                faces = faces_between(faces, other.faces, share)
                scene = scene if share <= 0.5 else other
            beat = Fraction(index) / (timeline.rate * info.time_base)
            yield replace(scene, frame=replace(frame, index=index, pts=round(begin + beat)), faces=faces)


def faces_between(first: Sequence[Face], second: Sequence[Face], share: float) -> tuple[Face, ...]:
    """The faces of a frame between two: those of the nearer one, moved on towards where the other one has them."""
    near, far, away = (first, second, share) if share <= 0.5 else (second, first, 1.0 - share)
    found = []
    for face in near:
        same = [other for other in far if other.track == face.track]
        if not same and len(near) == len(far) == 1:
            same = list(far)  # lost and found again in the meantime
        found.append(face_between(face, same[0], away) if same else face)
    return tuple(found)


class _Frames:
    """Frames of a clip by index, from at most `READERS` readers that go forward."""

    def __init__(self, info: ClipInfo, time_of: Callable[[int], float] | None, told: Callable[[str], None]) -> None:
        self._info, self._time_of, self._told = info, time_of, told
        self._is_told = False
        self._readers: list[_Reader] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.close()

    def at(self, index: int) -> Frame:
        """One frame.

        Raises
        ------
        MediaError
            The clip has no such frame: it was changed since its faces were found.
        """
        reader = next((one for one in self._readers if one.is_near(index)), None)
        if reader is None:
            reader = self._turned_to(index)
        self._readers.sort(key=lambda one: one is reader)  # the one used last comes last
        return reader.at(index)

    def _turned_to(self, index: int) -> _Reader:
        """The reader that was not used last, sought or opened again where it is past the frame or far before it."""
        is_full = len(self._readers) == READERS
        if is_full:
            idle = self._readers.pop(0)
            ahead = index - idle.last
            is_soon = ahead > 0 and (ahead <= FAR or self._time_of is None)
            if is_soon or self._is_sought(idle, index):
                self._readers.append(idle)
                return idle
            idle.close()
            gc.collect()  # what it held waits for that, see `ClipReader.close`; beside what is read anew it is little
        reader = _Reader(self._info.path)
        if not is_full and index > FAR and not self._is_sought(reader, index):
            reader.close()
            reader = _Reader(self._info.path)
        self._readers.append(reader)
        return reader

    def _is_sought(self, reader: _Reader, index: int) -> bool:
        """Whether a reader now stands before a frame; if not, it is of no more use."""
        if self._time_of is None:
            return False
        first = max(index - KEPT, 0)
        is_found = reader.seek(first, round(self._time_of(first) / self._info.time_base))
        if not is_found and index > FAR:
            self._tell_slow()
        return is_found

    def _tell_slow(self) -> None:
        if not self._is_told:
            self._told(
                f"{self._info.path}: its key frames cannot be found for certain, so that it is read from its "
                "start at each jump far into it; in MP4 or MKV it would not be"
            )
        self._is_told = True


class _Reader:
    """A clip that is read forward, with the frames read last."""

    def __init__(self, path: Path) -> None:
        self._path, self._opened = path, ExitStack()
        self._clip = self._opened.enter_context(open_clip(path))
        self._frames = self._clip.frames()
        self._kept: OrderedDict[int, Frame] = OrderedDict()
        self.last = -1
        """Index of the frame read last."""

    def seek(self, index: int, pts: int) -> bool:
        """As of `ClipReader.seek`."""
        self._kept.clear()
        self._frames, self.last = self._clip.frames(), index - 1
        return self._clip.seek(index, pts)

    def is_near(self, index: int) -> bool:
        """Whether a frame is at hand, or comes soon."""
        return index in self._kept or self.last < index <= self.last + KEPT

    def at(self, index: int) -> Frame:
        """One frame, at hand or yet to be read."""
        while index not in self._kept:
            frame = next(self._frames, None)
            if frame is None:
                raise MediaError(f"{self._path}: has no frame {index} any more; was it changed meanwhile?")
            self.last = frame.index
            self._kept[frame.index] = frame
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return self._kept[index]

    def close(self) -> None:
        """Close the clip."""
        self._kept.clear()
        self._opened.close()
