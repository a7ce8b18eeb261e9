"""Faces through a clip: shots, tracks inside them, people kept apart; streaming, with a bounded number of frames held.

Faces are followed from frame to frame; the detector runs every few frames, when a face is lost, and after a cut. A
face that the detector finds late is followed backwards to the detection before, so that none comes into the picture
late. No track crosses a cut. Who is who is settled by embeddings: where a lost face comes back, and where a followed
one turns out to be somebody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from shared.face.detect import KNOWN, Detection, FaceFinder, agrees, overlap
from shared.face.identity import THRESHOLD, Embedder, FaceEmbedder, cosine, unit
from shared.face.landmarks import RIGID_68, eye_distance
from shared.face.smooth import Seen, SmoothOptions
from shared.face.state import Live, TrackState, TrackSummary
from shared.types import Face, Floats, Frame, Scene

MOST_EMBEDDINGS: Final = 8
MOST_PENDING: Final = 16
JUMP: Final = 0.02
"""Step of a face, in eye distances, that together with an unusual change of the picture may be a cut,"""
JUMP_RATIO: Final = 5.0
"""and how many times the steps before it must be exceeded."""


@dataclass(frozen=True, slots=True)
class TrackOptions:
    """How faces are followed."""

    detect_every_s: float = 0.2
    """The detector runs this often; 0 for each frame."""
    thorough_every_s: float = 1.0
    """It searches a larger copy this often, for small faces beside large ones."""
    embed_every_s: float = 2.0
    """A followed face is compared with itself this often."""
    rejoin_s: float = 3.0
    """A lost face that comes back within this time, in the same shot, keeps its track."""
    stranger: float = 0.1
    """Cosine to the track's own mean below which a followed face is somebody else."""
    enter_score: float = 0.7
    """Detector's score at which a new track may begin."""
    misses: int = 5
    """A followed face that the detector misses this often in a row is lost, since the time it was last seen."""
    most_faces: int = 24
    """Faces followed at a time, the largest first."""
    smooth: SmoothOptions | None = field(default_factory=SmoothOptions)
    """None leaves the points as the finder gave them."""


class Tracker:
    """The tracks of one clip; `summaries` is complete at the end of it.

    Parameters
    ----------
    state : what an earlier tracker of the same clip, finder and options knew when it was put down (`state`).
    """

    def __init__(
        self,
        finder: FaceFinder,
        options: TrackOptions | None = None,
        embedder: FaceEmbedder | None = None,
        state: TrackState | None = None,
    ) -> None:
        self._finder = finder
        self._options = options or TrackOptions()
        self._embedder = embedder
        self.state = state or TrackState()
        """Whole between two calls of `push`."""
        finder.turns = self.state.turns

    @property
    def summaries(self) -> list[TrackSummary]:
        """The tracks so far, by number."""
        return self.state.summaries

    @property
    def is_settled(self) -> bool:
        """Whether no frame waits for the next detection, so that `state` is small and can be put down."""
        return not self.state.pending

    def scenes(self, frames: Iterable[Frame]) -> Iterator[Scene]:
        """Each frame with its tracked, smoothed faces, in order."""
        for seen in self.seen(frames):
            yield Scene(seen.frame, tuple(seen.faces), seen.shot, seen.frame.index)

    def seen(self, frames: Iterable[Frame]) -> Iterator[Seen]:
        """As `scenes`, with the number of the shot."""
        for frame in frames:
            yield from self.push(frame)
        yield from self.end()

    def push(self, frame: Frame) -> list[Seen]:
        """Take the next frame; those that are done with by it, in order."""
        return self._steadied(self._follow(frame))

    def end(self) -> list[Seen]:
        """Those that are left when no frame follows."""
        done = self._steadied(self.state.pending)
        self.state.pending = []
        self._end_shot(self.state.last + 1)
        return done if self._options.smooth is None else [*done, *self.state.window.flush(self._options.smooth)]

    def _steadied(self, raw: list[Seen]) -> list[Seen]:
        smooth = self._options.smooth
        return raw if smooth is None else [done for seen in raw for done in self.state.window.push(seen, smooth)]

    def _follow(self, frame: Frame) -> list[Seen]:
        state, now = self.state, float(frame.time_s)
        given: list[Seen] = []
        change = state.cuts.judge(frame)
        if change == "cut" or (change == "suspect" and self._jumps(frame)):
            given, state.pending = state.pending, []
            self._end_shot(frame.index)
        if change == "suspect":
            for live in state.live:
                live.embedded_s = -np.inf
        lost = self._step(frame, now)
        waited = now - state.detected_s >= self._options.detect_every_s - 1e-6
        is_due = lost or waited or len(state.pending) >= MOST_PENDING
        if is_due:
            self._detect(frame, now)
        state.pending.append(Seen(frame, [live.face for live in state.live], state.shot))
        state.last = frame.index
        if is_due:
            given += state.pending
            state.pending = []
        return given

    def _end_shot(self, number: int) -> None:
        for live in self.state.live:
            live.summary.lose(number)
        self.state.shot += 1
        self.state.live, self.state.lost = [], []
        self.state.detected_s = self.state.searched_s = -np.inf

    def _step(self, frame: Frame, now: float) -> bool:
        """Follow the live faces into `frame`; whether any was lost."""
        found = self._finder.follow(frame, [live.face for live in self.state.live])
        kept: list[Live] = []
        for live, face in sorted(zip(self.state.live, found, strict=True), key=lambda pair: -_nearness(*pair)):
            if face is None or any(overlap(face.box, other.face.box) > 0.5 for other in kept):
                self._lose(live, frame.index)
                continue
            live.motion = max(_step_between(live.face, face), 0.7 * live.motion)
            live.face, live.seen_s = replace(face, track=live.summary.number), now
            if now - live.embedded_s < self._options.embed_every_s or self._is_same(frame, live, now):
                kept.append(live)
            else:
                self._lose(live, frame.index)
        lost = len(kept) < len(self.state.live)
        self.state.live = kept
        self.state.lost = [live for live in self.state.lost if now - live.seen_s <= self._options.rejoin_s]
        return lost

    def _jumps(self, frame: Frame) -> bool:
        """Whether a followed face jumps out of rest: a cut between two takes of one scene."""
        found = self._finder.follow(frame, [live.face for live in self.state.live])
        for live, face in zip(self.state.live, found, strict=True):
            if face is not None and _step_between(live.face, face) > max(JUMP, JUMP_RATIO * live.motion):
                return True
        return False

    def _is_same(self, frame: Frame, live: Live, now: float) -> bool:
        embedding = self._embed(frame, live.face)
        live.embedded_s = now
        if cosine(embedding, live.summary.embedding) < self._options.stranger:
            return False
        if live.summary.embeddings < MOST_EMBEDDINGS:
            live.summary.embedding = live.summary.embedding + embedding
            live.summary.embeddings += 1
        return True

    def _detect(self, frame: Frame, now: float) -> None:
        thorough = now - self.state.searched_s >= self._options.thorough_every_s
        self.state.detected_s = now
        self.state.searched_s = now if thorough else self.state.searched_s
        detections = self._finder.detect(frame, thorough)
        self.state.turns = self._finder.turns
        for detection in self._confirm(detections, frame.index):
            if detection.score < self._options.enter_score or len(self.state.live) >= self._options.most_faces:
                continue
            face = self._finder.look(frame, detection)
            if face is None or self._corrects(face, detection, frame.index):
                continue
            live = self._enter(frame, face, now)
            live.summary.hit(detection.score, frame.index)
            self.state.live.append(live)
            self._fill_back(live.face, self.state.pending)

    def _confirm(self, detections: Sequence[Detection], number: int) -> list[Detection]:
        """Match detections with live faces, drop those missed too often; the detections that are left."""
        left = sorted(detections, key=lambda one: -one.score)
        kept = []
        for live in self.state.live:
            near = [(overlap(one.box, live.face.box), place) for place, one in enumerate(left)]
            best, place = max(near, default=(0.0, -1))
            live.summary.misses += 1
            if best > KNOWN and agrees(live.face, left[place]):
                live.summary.hit(left.pop(place).score, number)
            if live.summary.misses < self._options.misses:
                kept.append(live)
            else:
                self._lose(live, number)
        self.state.live = kept
        return left

    def _corrects(self, face: Face, detection: Detection, number: int) -> bool:
        """Whether a face newly looked at is one that is followed; if that one had drifted, it is put right."""
        for live in self.state.live:
            if overlap(face.box, live.face.box) > KNOWN:
                if live.summary.misses > 0:
                    live.face = replace(face, track=live.summary.number)
                    live.summary.hit(detection.score, number)
                return True
        return False

    def _lose(self, live: Live, number: int) -> None:
        live.summary.lose(number)
        self.state.lost.append(live)

    def _enter(self, frame: Frame, face: Face, now: float) -> Live:
        """A face that is not followed yet: a lost one come back, or a new track."""
        embedding = self._embed(frame, face)
        likeness = [(cosine(embedding, lost.summary.embedding), number) for number, lost in enumerate(self.state.lost)]
        best, number = max(likeness, default=(-1.0, -1))
        if best >= THRESHOLD:
            lost = self.state.lost.pop(number)
            lost.face, lost.seen_s = replace(face, track=lost.summary.number), now
            return lost
        summary = TrackSummary(len(self.state.summaries), self.state.shot, embedding, 1)
        self.state.summaries.append(summary)
        return Live(summary, replace(face, track=summary.number), now, now)

    def _fill_back(self, face: Face, pending: Sequence[Seen]) -> None:
        for seen in reversed(pending):
            earlier = self._finder.follow(seen.frame, [face])[0]
            if earlier is None or any(
                other.track == face.track or overlap(earlier.box, other.box) > KNOWN for other in seen.faces
            ):
                return
            face = replace(earlier, track=face.track)
            seen.faces.append(face)

    def _embed(self, frame: Frame, face: Face) -> Floats:
        if self._embedder is None:
            self._embedder = Embedder()
        return unit(self._embedder.embed(frame, face))


def track(frames: Iterable[Frame], finder: FaceFinder, options: TrackOptions | None = None) -> Iterator[Scene]:
    """Each frame with the faces in it, tracked and smoothed; lazy, in order, in constant memory."""
    return Tracker(finder, options).scenes(frames)


def _nearness(live: Live, face: Face | None) -> float:
    return -1.0 if face is None else overlap(live.face.box, face.box)


def _step_between(one: Face, other: Face) -> float:
    """Mean distance of the rigid points of two faces, in eye distances."""
    rigid = list(RIGID_68)
    apart = np.linalg.norm(one.landmarks[rigid] - other.landmarks[rigid], axis=1)
    return float(apart.mean()) / max(eye_distance(one.landmarks), 1e-3)
