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

from shared.face.cuts import Cuts
from shared.face.detect import KNOWN, Detection, FaceFinder, agrees, overlap
from shared.face.identity import THRESHOLD, Embedder, FaceEmbedder, cosine, unit
from shared.face.landmarks import RIGID_68, eye_distance
from shared.face.smooth import Seen, SmoothOptions, smooth
from shared.types import Face, Floats, Frame, Scene

MOST_EMBEDDINGS: Final = 8
MOST_PENDING: Final = 16
JUMP: Final = 0.02
"""Step of a face, in eye distances, that together with an unusual change of the picture may be a cut,"""
JUMP_RATIO: Final = 5.0
"""and how many times the steps before it must be exceeded."""
SURE: Final = 0.8
"""Detector's score that makes a track a face: real ones reach 0.85-0.95, a vase 0.69."""
NEARLY_SURE: Final = 0.73


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


@dataclass(slots=True)
class TrackSummary:
    """What is known of a track so far."""

    number: int
    shot: int
    embedding: Floats
    """Sum of the embeddings taken."""
    embeddings: int = 0
    hits: int = 0
    """How often the detector saw the face too, and (below) how sure it was at best and in all."""
    best_score: float = 0.0
    scores: float = 0.0
    last_hit: int = -1
    """Number of the last frame in which it did."""
    misses: int = 0
    """How often in a row it has not, since."""
    doubtful: list[tuple[int, int]] = field(default_factory=list)
    """First and last frames of stretches in which only the mesh saw a face, and then lost it."""

    @property
    def is_confirmed(self) -> bool:
        """Whether the detector was ever sure, or often nearly so: what looks like a face to the mesh alone is none."""
        return self.best_score >= SURE or (self.hits >= 3 and self.scores / self.hits >= NEARLY_SURE)

    def hit(self, score: float, frame: int) -> None:
        """Note that the detector saw the face in a frame."""
        self.hits += 1
        self.best_score = max(self.best_score, score)
        self.scores += score
        self.last_hit = frame
        self.misses = 0

    def lose(self, frame: int) -> None:
        """Note that the face was lost at a frame."""
        if self.misses > 1:
            self.doubtful.append((self.last_hit + 1, frame))
        self.misses = 0


@dataclass(slots=True)
class _Live:
    summary: TrackSummary
    face: Face
    seen_s: float
    embedded_s: float
    motion: float = 0.0
    """Largest step between two frames of late, in eye distances."""


class Tracker:
    """The tracks of one clip; `summaries` is complete when `seen` has ended."""

    def __init__(
        self, finder: FaceFinder, options: TrackOptions | None = None, embedder: FaceEmbedder | None = None
    ) -> None:
        self._finder = finder
        self._options = options or TrackOptions()
        self._embedder = embedder
        self._live: list[_Live] = []
        self._lost: list[_Live] = []
        self._shot = 0
        self._detected_s = -np.inf
        self._searched_s = -np.inf
        self.summaries: list[TrackSummary] = []

    def scenes(self, frames: Iterable[Frame]) -> Iterator[Scene]:
        """Each frame with its tracked, smoothed faces, in order."""
        for seen in self.seen(frames):
            yield Scene(seen.frame, tuple(seen.faces))

    def seen(self, frames: Iterable[Frame]) -> Iterator[Seen]:
        """As `scenes`, with the number of the shot."""
        raw = self._follow(frames)
        return raw if self._options.smooth is None else smooth(raw, self._options.smooth)

    def _follow(self, frames: Iterable[Frame]) -> Iterator[Seen]:
        cuts = Cuts()
        pending: list[Seen] = []
        number = -1
        for frame in frames:
            now = float(frame.time_s)
            change = cuts.judge(frame)
            if change == "cut" or (change == "suspect" and self._jumps(frame)):
                yield from pending
                pending = []
                self._end_shot(frame.index)
            if change == "suspect":
                for live in self._live:
                    live.embedded_s = -np.inf
            lost = self._step(frame, now)
            seen = Seen(frame, [], self._shot)
            if lost or now - self._detected_s >= self._options.detect_every_s - 1e-6 or len(pending) >= MOST_PENDING:
                self._detect(frame, now, pending)
                seen.faces = [live.face for live in self._live]
                yield from pending
                yield seen
                pending = []
            else:
                seen.faces = [live.face for live in self._live]
                pending.append(seen)
            number = frame.index
        yield from pending
        self._end_shot(number + 1)

    def _end_shot(self, number: int) -> None:
        for live in self._live:
            live.summary.lose(number)
        self._shot += 1
        self._live, self._lost = [], []
        self._detected_s = self._searched_s = -np.inf

    def _step(self, frame: Frame, now: float) -> bool:
        """Follow the live faces into `frame`; whether any was lost."""
        found = self._finder.follow(frame, [live.face for live in self._live])
        kept: list[_Live] = []
        for live, face in sorted(zip(self._live, found, strict=True), key=lambda pair: -_nearness(*pair)):
            if face is None or any(overlap(face.box, other.face.box) > 0.5 for other in kept):
                self._lose(live, frame.index)
                continue
            live.motion = max(_step_between(live.face, face), 0.7 * live.motion)
            live.face, live.seen_s = replace(face, track=live.summary.number), now
            if now - live.embedded_s < self._options.embed_every_s or self._is_same(frame, live, now):
                kept.append(live)
            else:
                self._lose(live, frame.index)
        lost = len(kept) < len(self._live)
        self._live = kept
        self._lost = [live for live in self._lost if now - live.seen_s <= self._options.rejoin_s]
        return lost

    def _jumps(self, frame: Frame) -> bool:
        """Whether a followed face jumps out of rest: a cut between two takes of one scene."""
        found = self._finder.follow(frame, [live.face for live in self._live])
        for live, face in zip(self._live, found, strict=True):
            if face is not None and _step_between(live.face, face) > max(JUMP, JUMP_RATIO * live.motion):
                return True
        return False

    def _is_same(self, frame: Frame, live: _Live, now: float) -> bool:
        embedding = self._embed(frame, live.face)
        live.embedded_s = now
        if cosine(embedding, live.summary.embedding) < self._options.stranger:
            return False
        if live.summary.embeddings < MOST_EMBEDDINGS:
            live.summary.embedding = live.summary.embedding + embedding
            live.summary.embeddings += 1
        return True

    def _detect(self, frame: Frame, now: float, pending: Sequence[Seen]) -> None:
        thorough = now - self._searched_s >= self._options.thorough_every_s
        self._detected_s = now
        self._searched_s = now if thorough else self._searched_s
        detections = self._finder.detect(frame, thorough)
        for detection in self._confirm(detections, frame.index):
            if detection.score < self._options.enter_score or len(self._live) >= self._options.most_faces:
                continue
            face = self._finder.look(frame, detection)
            if face is None or self._corrects(face, detection, frame.index):
                continue
            live = self._enter(frame, face, now)
            live.summary.hit(detection.score, frame.index)
            self._live.append(live)
            self._fill_back(live.face, pending)

    def _confirm(self, detections: Sequence[Detection], number: int) -> list[Detection]:
        """Match detections with live faces, drop those missed too often; the detections that are left."""
        left = sorted(detections, key=lambda one: -one.score)
        kept = []
        for live in self._live:
            near = [(overlap(one.box, live.face.box), place) for place, one in enumerate(left)]
            best, place = max(near, default=(0.0, -1))
            live.summary.misses += 1
            if best > KNOWN and agrees(live.face, left[place]):
                live.summary.hit(left.pop(place).score, number)
            if live.summary.misses < self._options.misses:
                kept.append(live)
            else:
                self._lose(live, number)
        self._live = kept
        return left

    def _corrects(self, face: Face, detection: Detection, number: int) -> bool:
        """Whether a face newly looked at is one that is followed; if that one had drifted, it is put right."""
        for live in self._live:
            if overlap(face.box, live.face.box) > KNOWN:
                if live.summary.misses > 0:
                    live.face = replace(face, track=live.summary.number)
                    live.summary.hit(detection.score, number)
                return True
        return False

    def _lose(self, live: _Live, number: int) -> None:
        live.summary.lose(number)
        self._lost.append(live)

    def _enter(self, frame: Frame, face: Face, now: float) -> _Live:
        """A face that is not followed yet: a lost one come back, or a new track."""
        embedding = self._embed(frame, face)
        likeness = [(cosine(embedding, lost.summary.embedding), number) for number, lost in enumerate(self._lost)]
        best, number = max(likeness, default=(-1.0, -1))
        if best >= THRESHOLD:
            lost = self._lost.pop(number)
            lost.face, lost.seen_s = replace(face, track=lost.summary.number), now
            return lost
        summary = TrackSummary(len(self.summaries), self._shot, embedding, 1)
        self.summaries.append(summary)
        return _Live(summary, replace(face, track=summary.number), now, now)

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


def _nearness(live: _Live, face: Face | None) -> float:
    return -1.0 if face is None else overlap(live.face.box, face.box)


def _step_between(one: Face, other: Face) -> float:
    """Mean distance of the rigid points of two faces, in eye distances."""
    rigid = list(RIGID_68)
    apart = np.linalg.norm(one.landmarks[rigid] - other.landmarks[rigid], axis=1)
    return float(apart.mean()) / max(eye_distance(one.landmarks), 1e-3)
