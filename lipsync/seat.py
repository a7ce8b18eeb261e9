"""Where a clip's head wears its mouth and chin, against where the heads of a voice's footage wear theirs.

The canonical face is one for all cameras. How far the lens stood and how far the head is bowed leaves mouth and chin of
one and the same person some millimetres higher in one clip's canonical face than in another's: laid in where the
footage has it, the chin would end above the neck's own edge. So corners of the mouth and jaw are compared at like
mouths, over all of a track, and the new mouth is seated where this clip's was. Measured on five clips of a man, with a
voice of his from elsewhere: the corners lay 0.3 to 2.7 mm too high, the chin up to 5 mm; within one camera's clips of
another man 0.6 mm and less. What the head itself tells (`lipsync.bearing`) is in the new mouth already, and taken out
of both sides before they are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.bearing import Bearing, slow_upper
from lipsync.borne import Borne
from lipsync.mouth import JAW_POINTS, LIP_POINTS, LIPS, MouthBasis, aperture_cm, free_face
from lipsync.synthesise import LowerFace
from lipsync.voice import Pool, Voice, lips_of
from shared.face.analyse import ClipFaces, track_of
from shared.types import Face, Floats

MOST_FACES: Final = 40
"""Faces of a track that are looked at, evenly spread."""
WELL_KNOWN: Final = 25
"""Frames of a track from which what is seen counts for more than none: in a second somebody says anything."""
LARGEST_CM: Final = 0.8
"""No mouth is moved further; what asks for more is a wrong face, or one that is hidden."""
MOST_TRACKS: Final = 64
"""Remembered at a time, so that memory stays flat over a long clip of many shots."""
CORNERS, JAW, MOUTH = [48, 54], slice(0, 17), slice(48, 68)
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


def usual_of(voice: Voice) -> Usual:
    """Fit, by least squares, where the pool of a voice wears its corners and its jaw."""
    points = np.asarray(voice.pool.points)
    if voice.bearing is not None:
        points = points - _told(voice.basis, _shifts(voice.bearing, voice.pool))
    forms = _forms(points)
    held = STIFFNESS * len(points) * np.diag([0.0, *forms[:, 1:].var(axis=0) + 1e-6])
    slopes = np.linalg.solve(forms.T @ forms + held, forms.T @ _places(points).reshape(len(points), -1))
    return Usual(np.asarray(slopes.reshape(-1, 18, 2), dtype=np.float64))


def _shifts(bearing: Bearing, pool: Pool) -> Floats:
    """What the heads of a pool tell of its mouths, (N, 20)."""
    shifts = np.zeros((len(pool.clips), bearing.slopes.shape[1]), dtype=np.float32)
    for clip in np.unique(pool.clips):
        rows = np.flatnonzero(pool.clips == clip)
        rows = rows[np.argsort(pool.times_s[rows])]
        shifts[rows] = bearing.shifts(slow_upper(pool.points[rows], pool.times_s[rows]))
    return shifts


def _told(basis: MouthBasis, shifts: Floats) -> Floats:
    """Changes of shapes (N, 20) as changes of faces, (N, 68, 2) centimetres."""
    change = np.zeros((len(shifts), 68, 2), dtype=np.float32)
    mouths = (shifts @ basis.components).reshape(len(shifts), -1, 2)
    change[:, list(LIP_POINTS)] = mouths[:, : len(LIP_POINTS)]
    if basis.mean.size > LIPS:
        change[:, list(JAW_POINTS)] = mouths[:, -len(JAW_POINTS) :]
    return change


class Seats:
    """How far from the footage's place each track of a clip wears its mouth; found when it is first asked for."""

    def __init__(
        self, voice: Voice, faces_of: Callable[[int], list[tuple[int, Face]]], borne: Borne | None = None
    ) -> None:
        """Seat the mouths of a voice.

        Parameters
        ----------
        faces_of : faces of a track, each with the number of its frame.
        borne : what their heads tell, where the voice knows it.
        """
        self._usual, self._basis, self._faces_of, self._borne = usual_of(voice), voice.basis, faces_of, borne
        self._shift = lru_cache(MOST_TRACKS)(self._find)

    def seated(self, lower: LowerFace, track: int) -> LowerFace:
        """A lower face whose lips and jaw are wanted where the track wears them."""
        return replace(lower, points=lower.points + self._shift(track))

    def _points(self, track: int) -> Floats:
        """Faces of a track without what their heads tell, (N, 68, 2)."""
        faces = self._faces_of(track)
        points = np.array([free_face(face).points for _, face in faces], dtype=np.float32).reshape(-1, 68, 2)
        if self._borne is not None and faces:
            points -= _told(self._basis, np.array([self._borne.shift(track, index) for index, _ in faces]))
        return points

    def _find(self, track: int) -> Floats:
        """(68, 2) centimetres, 0 for all but lips and jaw."""
        points = self._points(track)
        shift = np.zeros((68, 2), dtype=np.float32)
        if len(points):
            beside = np.median(self._usual.beside(points), axis=0)
            shift[MOUTH], shift[JAW] = beside[0], beside[1:]
            shift *= len(points) / (len(points) + WELL_KNOWN)
            shift *= min(1.0, LARGEST_CM / max(float(np.linalg.norm(beside[0])), LARGEST_CM))
        return shift


def faces_in(clip: ClipFaces) -> Callable[[int], list[tuple[int, Face]]]:
    """What reads faces of a track of an analysed clip, spread over the frames in which it is."""

    def read(number: int) -> list[tuple[int, Face]]:
        track = track_of(clip, number)
        if track is None:
            return []
        count = min(MOST_FACES, track.last - track.first + 1)
        places = np.linspace(track.first, track.last, count).round().astype(int)
        return [(int(place), face) for place in places for face in clip.faces_at(int(place)) if face.track == number]

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
