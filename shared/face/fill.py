"""The pass over a clip that fills its face store, from the first frame or from where an earlier run ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from shared.face.detect import FaceFinder
from shared.face.identity import people_of, unit
from shared.face.landmarks import mouth_opening
from shared.face.resume import UnfitError, pack, unpack
from shared.face.smooth import Seen
from shared.face.state import TrackState
from shared.face.track import Tracker, TrackOptions
from shared.media.reader import ClipReader, open_clip
from shared.pipe import in_background
from shared.progress import Progress
from shared.store.faces import StoredTrack
from shared.store.facewriter import FaceWriter
from shared.types import Frame

LOG = logging.getLogger(__name__)
ROOM: Final = 6
"""Frames decoded ahead of the finder: 3 MB each at 1080p 4:2:0."""
SAVE_EVERY_S: Final = 2.0
"""Work that an interrupt may cost, where saving is cheap: some milliseconds with a few faces,"""
SAVE_SHARE: Final = 0.01
"""and the most of the time that saving may take where it is not."""


def fill(path: Path, file: Path, finder: FaceFinder, options: TrackOptions, progress: Progress) -> None:
    """Find and store the faces of each frame of a clip, the tracks, and the facts of the clip.

    Parameters
    ----------
    path : the clip.
    file : of the store; where an interrupted run with the same clip, finder and options left it, this one goes on.

    Raises
    ------
    MediaError : the clip cannot be read.
    KeyboardInterrupt : saying what is kept.
    """
    with open_clip(path) as clip, FaceWriter(file) as writer:
        try:
            fits = writer.is_complete or _find(clip, writer, finder, options, progress)
        except KeyboardInterrupt as interrupt:
            saved = writer.saved
            if saved is None:
                raise
            kept = f"the faces of its first {saved.frames} frames are kept; the same command goes on there"
            raise KeyboardInterrupt(f"{path}: {kept}") from interrupt
    if not fits:
        file.unlink()
        fill(path, file, finder, options, progress)


def _find(clip: ClipReader, writer: FaceWriter, finder: FaceFinder, options: TrackOptions, progress: Progress) -> bool:
    """Find what is not stored yet; false where what is stored does not fit the clip."""
    total = clip.info.frame_count
    with in_background(clip.frames(), ROOM, "decode") as frames:
        state = _state(clip, writer, frames, progress)
        if state is None:
            return False
        tracker, due_s = Tracker(finder, options, state=state), time.monotonic() + SAVE_EVERY_S
        for frame in frames:
            _add(writer, tracker.push(frame))
            progress(frame.index + 1, total, "finding faces")
            if tracker.is_settled and time.monotonic() >= due_s:
                due_s = _save(writer, tracker.state)
    _add(writer, tracker.end())
    _finish(clip, writer, tracker.state)
    return True


def _state(clip: ClipReader, writer: FaceWriter, frames: Iterator[Frame], progress: Progress) -> TrackState | None:
    """The state to begin with, after reading `frames` up to it; None where the saved one does not fit the clip."""
    saved = writer.saved
    if saved is None:
        return TrackState()
    LOG.info("%s: analysis taken up again after frame %d", clip.info.path, saved.frames)
    try:
        return unpack(saved, _told(frames, saved.frames, progress))
    except UnfitError as error:
        LOG.warning("%s: its unfinished analysis does not fit (%s); beginning anew", clip.info.path, error)
        return None


def _told(frames: Iterable[Frame], until: int, progress: Progress) -> Iterator[Frame]:
    for frame in frames:
        progress(frame.index + 1, until, f"returning to frame {until}")
        yield frame


def _save(writer: FaceWriter, state: TrackState) -> float:
    """Save what was done; when it is worth saving again, on the monotonic clock."""
    begun_s = time.monotonic()
    writer.save(pack(state))
    ended_s = time.monotonic()
    return ended_s + max(SAVE_EVERY_S, (ended_s - begun_s) / SAVE_SHARE)


def _add(writer: FaceWriter, done: Iterable[Seen]) -> None:
    for seen in done:
        frame = seen.frame
        rows = [(face, mouth_opening(face.landmarks)) for face in seen.faces]
        writer.add(frame.index, frame.pts, float(frame.time_s), seen.shot, rows)


def _finish(clip: ClipReader, writer: FaceWriter, state: TrackState) -> None:
    """Leave out what was no face, and store the tracks and the facts."""
    frames = state.last + 1
    for summary in state.summaries:
        if not summary.is_confirmed:
            writer.drop(summary.number, 0, frames, "unsure")
        for first, last in summary.doubtful:
            writer.drop(summary.number, first, last, "lost")
    height, width = clip.info.size
    facts: dict[str, int | float | str] = {
        "frames": frames,
        "with_face": writer.frames_with_face(),
        "damaged": clip.damaged,
        "height": height,
        "width": width,
        "time_base": str(clip.info.time_base),
    }
    writer.finish(_tracks(state, writer), facts)


def _tracks(state: TrackState, writer: FaceWriter) -> list[StoredTrack]:
    numbers = writer.statistics()
    known = [summary for summary in state.summaries if summary.number in numbers]
    spans = [numbers[summary.number][:2] for summary in known]
    apart = [
        frozenset(
            other for other, (first, last) in enumerate(spans) if other != one and first <= span[1] and last >= span[0]
        )
        for one, span in enumerate(spans)
    ]
    embeddings = [unit(summary.embedding) for summary in known]
    people = people_of(embeddings, apart)
    return [
        StoredTrack(summary.number, person, summary.shot, *numbers[summary.number], embedding)
        for summary, person, embedding in zip(known, people, embeddings, strict=True)
    ]
