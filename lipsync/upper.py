"""The upper face of a clip made to follow an expression, by its own pixels: brows drawn, lids closed.

Brows are moved to where the expression has them beside the clip's own usual, so that what the clip's person did with
them is replaced. Lids are brought nearer (`lipsync.lids`), never apart where they are shut in the clip: under them is
no eye to be shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from lipsync.expression import BROWS, EYES, Expression, usual_brows
from lipsync.lids import BROWS_OF, HALF, Eye, ShutEyes, find_shut, shut_patches
from lipsync.mouth import FreeFace, free_face
from lipsync.pull import Pull
from lipsync.seat import faces_in
from shared.face.analyse import ClipFaces
from shared.face.landmarks import eye_distance
from shared.picture.planes import cut
from shared.picture.warp import box_around, gaussian, piecewise_warp, to_float
from shared.types import Face, Floats, Frame, IntBox, Patch

HELD: Final = np.array([0, 1, 15, 16, *range(27, 31), *range(36, 48)])
"""Points that stay where brows move: beside the ears, the nose's bridge, the eyes."""
LID_UNDER: Final = np.array([36, 37, 37, 38, 39, 42, 43, 44, 44, 45])
"""The point of the eye under each point of the brows."""
BROW_EDGE: Final = 0.4
"""Share of the way from the one to the other up to which there is brow."""
BROW_WIDTH: Final = 0.30
"""Reach of a brow's pull, in eye distances."""
MOST_CM: Final = 0.8
"""No brow is moved further."""
FRONTAL_DEG, TURNED_DEG = 25.0, 40.0
"""A head that is turned further than the first begins to keep its own expression, and keeps it beyond the second."""
MARGIN: Final = 0.45
"""The patch reaches so far around brows and eyes, in eye distances."""
SEEN_PX: Final = 0.1
"""Pixels that are moved by less are left as they are, more and more."""
SOFT_PX: Final = 1.5
MOST_TRACKS: Final = 64
"""Remembered at a time, so that memory stays flat over a long clip of many shots."""


@dataclass(frozen=True, slots=True)
class Moved:
    """An upper face that was moved.

    Attributes
    ----------
    patches : nothing where nothing is to be seen of it.
    shifts : (68, 2) frame pixels, of the landmarks.
    """

    patches: tuple[Patch, ...]
    shifts: Floats


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a track: its usual brows (10, 2), canonical centimetres, and its eyes where they are shut."""

    brows: Floats | None
    shut: ShutEyes | None


class UpperFaces:
    """The upper faces of a clip under one expression; what is usual of each track is found when it is first asked."""

    def __init__(self, expression: Expression, clip: ClipFaces, strength: float) -> None:
        """Follow an expression, as far as a strength in [0, 1] says."""
        self._expression, self._clip, self._faces_of, self._strength = expression, clip, faces_in(clip), strength
        self._known = lru_cache(MOST_TRACKS)(self._find)

    def moved(self, frame: Frame, face: Face, free: FreeFace) -> Moved:
        """The upper face of a face of a frame, moved to what the expression is at its time."""
        brows, lids, told = self._expression.at(float(frame.time_s))
        share = np.float32(self._strength * told * _frontal(free.pose.angles_deg[0]))
        known = self._known(face.track)
        drawn = np.zeros_like(brows)
        if known.brows is not None:
            drawn = share * _bounded(known.brows + brows - free.points[BROWS])
        return move(frame, face, free.in_frame(drawn), 1.0 + share * (lids - 1.0), known.shut)

    def _find(self, track: int) -> _Known:
        points = [free_face(face).points for _, face in self._faces_of(track)]
        return _Known(usual_brows(np.array(points)) if points else None, find_shut(self._clip, track))


def move(frame: Frame, face: Face, drawn: Floats, lids: Floats, shut: ShutEyes | None) -> Moved:
    """Move brows and lids of one face.

    Parameters
    ----------
    drawn : (10, 2) frame pixels, by which the points 17 to 26 are moved.
    lids : (2,) in [0, 1.15], by how much of their gap the lids of each eye are apart afterwards.
    shut : the eyes of this person, shut; without them lids fall half-way.
    """
    landmarks = face.landmarks
    shares = np.maximum(lids, HALF).tolist()
    eyes = [
        Eye.of(landmarks[list(points)], landmarks[list(brow)], share)
        for points, brow, share in zip(EYES, BROWS_OF, shares, strict=True)
    ]
    shifts = np.zeros_like(landmarks)
    shifts[BROWS] = drawn
    for eye, points in zip(eyes, EYES, strict=True):
        for point in (points[1], points[2]):
            shifts[point] = eye.landed(landmarks[point]) - landmarks[point]
    box = _box(landmarks, shifts)
    map_x, map_y = _maps(landmarks, shifts, eyes, box)
    away_x, away_y = (
        axis - np.arange(size, dtype=np.float32).reshape(shape)
        for axis, size, shape in ((map_x, map_x.shape[1], (1, -1)), (map_y, map_y.shape[0], (-1, 1)))
    )
    away = np.sqrt(away_x * away_x + away_y * away_y)
    over = [] if shut is None else shut_patches(frame, face, shut, lids)
    if float(away.max()) < SEEN_PX:
        return Moved(tuple(over), shifts)
    mask = gaussian(np.clip(away / np.float32(SEEN_PX) - 1.0, 0.0, 1.0), SOFT_PX)
    mask[[0, -1]] = mask[:, [0, -1]] = 0.0
    picture = piecewise_warp(to_float(cut(frame, box)), map_x, map_y, sharp=True)
    return Moved((Patch(box, np.clip(picture, 0.0, 1.0), mask, track=face.track), *over), shifts)


def _frontal(yaw_deg: float) -> float:
    return float(np.clip((TURNED_DEG - abs(yaw_deg)) / (TURNED_DEG - FRONTAL_DEG), 0.0, 1.0))


def _bounded(shift: Floats) -> Floats:
    """Shifts (10, 2) centimetres, all smaller alike so that none is larger than `MOST_CM`."""
    furthest = float(np.linalg.norm(shift, axis=1).max())
    return np.asarray(shift * min(1.0, MOST_CM / max(furthest, MOST_CM)), dtype=np.float32)


def _box(landmarks: Floats, shifts: Floats) -> IntBox:
    points = np.concatenate([landmarks[BROWS], landmarks[BROWS] + shifts[BROWS], landmarks[36:48]])
    x0, y0, x1, y1 = box_around(points)
    margin = int(MARGIN * eye_distance(landmarks)) + 2
    return x0 - margin, y0 - margin, x1 + margin, y1 + margin


def _maps(landmarks: Floats, shifts: Floats, eyes: list[Eye], box: IntBox) -> tuple[Floats, Floats]:
    """Where in the box each of its pixels is read, two of (h, w)."""
    brows = np.arange(68)[BROWS]
    # Held at its lower edge too, a brow is moved and not drawn out.
    edge = landmarks[brows] + np.float32(BROW_EDGE) * (landmarks[LID_UNDER] - landmarks[brows])
    places = np.concatenate([landmarks[brows] + shifts[brows], edge + shifts[brows], landmarks[HELD]])
    back = np.concatenate([-shifts[brows], -shifts[brows], np.zeros((len(HELD), 2), dtype=np.float32)])
    width = BROW_WIDTH * eye_distance(landmarks)
    to_box = np.array([[1.0, 0.0, -box[0]], [0.0, 1.0, -box[1]], [0.0, 0.0, 1.0]])
    map_x, map_y = Pull(places, back, width).through(to_box, box)
    corner = np.array(box[:2], dtype=np.float32)
    for eye in eyes:
        eye.narrow(map_x, map_y, corner)
    return map_x, map_y
