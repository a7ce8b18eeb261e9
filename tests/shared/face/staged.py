"""A staged clip for the tests of tracking: plain frames, and a finder and an embedder that follow a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from shared.face.detect import Detection, agrees, overlap, without_doubles
from shared.types import ColourSpec, Face, Floats, Frame, PixelFormat

GREY = PixelFormat("gray", 8, (0, 0), "gray")
COLOUR = ColourSpec("bt601", True, 2, 2, 2, 2)
SIDE = 60.0


def blank(index: int, level: int = 90, rate: int = 25, size: tuple[int, int] = (72, 128)) -> Frame:
    """A frame of one grey level."""
    return Frame((np.full(size, level, np.uint8),), GREY, COLOUR, index, index, Fraction(1, rate))


def points_at(x: float, y: float, side: float = SIDE) -> Floats:
    """68 points laid out roughly as a face of that size about (x, y)."""
    points = np.random.default_rng(5).uniform(-0.5, 0.5, size=(68, 2))
    points[36:42], points[42:48] = (-0.2, -0.15), (0.2, -0.15)
    points[36], points[45] = (-0.3, -0.15), (0.3, -0.15)
    points[30], points[48], points[54] = (0.0, 0.05), (-0.15, 0.25), (0.15, 0.25)
    return (points * side + (x, y)).astype(np.float32)


def face_at(x: float, y: float, track: int = -1, shift: float = 0.0) -> Face:
    """A face about (x, y)."""
    box = (x - SIDE / 2, y - SIDE / 2, x + SIDE / 2, y + SIDE / 2)
    return Face(box, points_at(x + shift, y), None, 1.0, track)


@dataclass
class Actor:
    """Somebody in the staged clip."""

    name: int
    places: Mapping[int, tuple[float, float]]
    """Frame number to the centre of the face."""
    score: float = 0.9
    unseen: frozenset[int] = frozenset()
    """Frames in which the detector misses the face, though it is there."""


@dataclass
class Script:
    """A finder that knows who stands where."""

    actors: Sequence[Actor]
    detections: list[int] = field(default_factory=list)
    """Frames in which the detector ran."""
    turns: int = 0

    def detect(self, frame: Frame, thorough: bool = False) -> tuple[Detection, ...]:
        """The actors of the frame."""
        del thorough
        self.detections.append(frame.index)
        found = []
        for actor in self.actors:
            if frame.index in actor.places and frame.index not in actor.unseen:
                face = face_at(*actor.places[frame.index])
                points = face.landmarks
                eyes = [points[36:42].mean(axis=0), points[42:48].mean(axis=0)]
                five = np.stack([*eyes, points[30], points[48], points[54]])
                found.append(Detection(face.box, five, actor.score))
        return tuple(found)

    def look(self, frame: Frame, detection: Detection) -> Face | None:
        """The actor at the detection."""
        x0, y0, x1, y1 = detection.box
        face = self._near(frame, ((x0 + x1) / 2, (y0 + y1) / 2))
        return face if face is not None and agrees(face, detection) else None

    def find(self, frame: Frame) -> tuple[Face, ...]:
        """All actors of the frame."""
        looked = (self.look(frame, detection) for detection in self.detect(frame, True))
        return without_doubles([face for face in looked if face is not None])

    def follow(self, frame: Frame, faces: Sequence[Face]) -> tuple[Face | None, ...]:
        """The nearest actor within half a face."""
        centres = [((face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2) for face in faces]
        return tuple(self._near(frame, centre) for centre in centres)

    def _near(self, frame: Frame, centre: tuple[float, float]) -> Face | None:
        places = [actor.places[frame.index] for actor in self.actors if frame.index in actor.places]
        apart = [abs(x - centre[0]) + abs(y - centre[1]) for x, y in places]
        if not apart or min(apart) > SIDE / 2:
            return None
        return face_at(*places[int(np.argmin(apart))])


@dataclass
class Namer:
    """An embedder that tells the actors apart; in frames of `masked` it sees a stranger."""

    script: Script
    masked: frozenset[int] = frozenset()

    def embed(self, frame: Frame, face: Face) -> Floats:
        """One axis for each actor."""
        vector = np.zeros(128, np.float32)
        vector[127] = 0.1
        for actor in self.script.actors:
            place = actor.places.get(frame.index)
            if place is not None and overlap(face_at(*place).box, face.box) > 0.3:
                vector[100 if frame.index in self.masked else actor.name] = 1.0
        return vector
