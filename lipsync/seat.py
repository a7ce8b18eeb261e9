"""Where a clip's head wears its mouth and chin, against where the heads of a voice's footage wear theirs.

The canonical face is one for all cameras. How far the lens stood and how far the head is bowed leaves mouth and chin of
one and the same person some millimetres higher in one clip's canonical face than in another's: laid in where the
footage has it, the chin would end above the neck's own edge. So corners of the mouth and jaw are compared at like
mouths, over all of a track, and the new mouth is seated where this clip's was. Measured on five clips of a man, with a
voice of his from elsewhere: the corners lay 0.3 to 2.7 mm too high, the chin up to 5 mm; within one camera's clips of
another man 0.6 mm and less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.mouth import FreeFace, aperture_cm, free_face
from lipsync.synthesise import LowerFace
from lipsync.voice import Pool, lips_of
from shared.face.analyse import ClipFaces
from shared.types import Face, Floats

MOST_FACES: Final = 40
"""Faces of a track that are looked at, evenly spread."""
WELL_KNOWN: Final = 25
"""Frames of a track from which what is seen counts for more than none: in a second somebody says anything."""
LARGEST_CM: Final = 0.8
"""No mouth is moved further; what asks for more is a wrong face, or one that is hidden."""
MOST_TRACKS: Final = 64
"""Remembered at a time, so that memory stays flat over a long clip of many shots."""
CORNERS, JAW, LIPS = [48, 54], slice(0, 17), slice(48, 68)
STIFFNESS: Final = 0.01
"""Share of the variance that holds slopes down where the footage's mouths hardly differ."""


@dataclass(frozen=True, slots=True)
class Usual:
    """Where a voice wears corners and jaw for a mouth of a form.

    Attributes
    ----------
    slopes : (4, 18, 2) float64 centimetres, for 1 and what `_forms` tells.
    """

    slopes: NDArray[np.float64]

    def beside(self, points: Floats) -> Floats:
        """How far faces (N, 68, 2) wear their corners' middle and their jaw from there, (N, 18, 2) centimetres."""
        return np.asarray(_places(points) - np.einsum("nk,kpc->npc", _forms(points), self.slopes), dtype=np.float32)


def usual_of(pool: Pool) -> Usual:
    """Fit, by least squares, where the pool of a voice wears its corners and its jaw."""
    points = np.asarray(pool.points)
    forms = _forms(points)
    held = STIFFNESS * len(points) * np.diag([0.0, *forms[:, 1:].var(axis=0) + 1e-6])
    slopes = np.linalg.solve(forms.T @ forms + held, forms.T @ _places(points).reshape(len(points), -1))
    return Usual(np.asarray(slopes.reshape(-1, 18, 2), dtype=np.float64))


class Seats:
    """How far from the footage's place each track of a clip wears its mouth; found when it is first asked for."""

    def __init__(self, usual: Usual, faces_of: Callable[[int], list[Face]]) -> None:
        self._usual, self._faces_of = usual, faces_of
        self._known: dict[int, Floats] = {}

    def seated(self, lower: LowerFace, track: int) -> LowerFace:
        """A lower face whose lips and jaw are wanted where the track wears them."""
        shift = self._known.pop(track, None)
        if shift is None:
            shift = self._shift([free_face(face) for face in self._faces_of(track)])
        self._known[track] = shift  # the last seen last
        for other in list(self._known)[:-MOST_TRACKS]:
            del self._known[other]
        return replace(lower, points=lower.points + shift)

    def _shift(self, faces: list[FreeFace]) -> Floats:
        """(68, 2) centimetres, 0 for all but lips and jaw."""
        shift = np.zeros((68, 2), dtype=np.float32)
        if faces:
            beside = np.median(self._usual.beside(np.array([face.points for face in faces])), axis=0)
            shift[LIPS], shift[JAW] = beside[0], beside[1:]
            shift *= len(faces) / (len(faces) + WELL_KNOWN)
            shift *= min(1.0, LARGEST_CM / max(float(np.linalg.norm(beside[0])), LARGEST_CM))
        return shift


def faces_in(clip: ClipFaces) -> Callable[[int], list[Face]]:
    """What reads faces of a track of an analysed clip, spread over the frames in which it is."""

    def read(number: int) -> list[Face]:
        track = next((track for track in clip.tracks if track.number == number), None)
        if track is None:
            return []
        count = min(MOST_FACES, track.last - track.first + 1)
        places = np.linspace(track.first, track.last, count).round().astype(int)
        return [face for place in places for face in clip.faces_at(int(place)) if face.track == number]

    return read


def _forms(points: Floats) -> NDArray[np.float64]:
    """What tells mouths (N, 68, 2) apart wherever they are: 1, width, gap and height of the lips, (N, 4)."""
    width = np.linalg.norm(points[:, 54] - points[:, 48], axis=1)
    height = np.linalg.norm(points[:, 57] - points[:, 51], axis=1)
    return np.stack([np.ones(len(points)), width, aperture_cm(lips_of(points)), height], axis=1).astype(np.float64)


def _places(points: Floats) -> NDArray[np.float64]:
    """Middle of the corners, and jaw, of faces (N, 68, 2): (N, 18, 2)."""
    middle = points[:, CORNERS].mean(axis=1, keepdims=True)
    return np.concatenate([middle, points[:, JAW]], axis=1).astype(np.float64)
