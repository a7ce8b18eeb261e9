"""What is carried from frame to frame while faces are tracked: all of it, so that a run can be taken up again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from shared.face.cuts import Cuts
from shared.face.smooth import Seen, Window
from shared.types import Face, Floats

SURE: Final = 0.8
"""Detector's score that makes a track a face: real ones reach 0.85-0.95, a vase 0.69."""
NEARLY_SURE: Final = 0.73


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
class Live:
    """A track that is followed, or was lost a moment ago."""

    summary: TrackSummary
    face: Face
    """As it was last seen."""
    seen_s: float
    embedded_s: float
    """When it was last compared with itself."""
    motion: float = 0.0
    """Largest step between two frames of late, in eye distances."""


@dataclass(slots=True)
class TrackState:
    """All that a tracker knows between two frames; times are seconds, minus infinity for never."""

    cuts: Cuts = field(default_factory=Cuts)
    shot: int = 0
    last: int = -1
    """Number of the last frame taken."""
    live: list[Live] = field(default_factory=list)
    lost: list[Live] = field(default_factory=list)
    summaries: list[TrackSummary] = field(default_factory=list)
    detected_s: float = float("-inf")
    searched_s: float = float("-inf")
    """When the detector last searched the larger copy."""
    turns: int = 0
    """The finder's `turns`."""
    pending: list[Seen] = field(default_factory=list)
    """Frames since the last detection, in which a face may still be found by following it backwards."""
    window: Window = field(default_factory=Window)
