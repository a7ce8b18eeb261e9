"""The upper face of a clip made to follow an expression, by its own pixels: brows drawn, lids closed.

Brows are moved to where the expression has them beside the clip's own usual, so that what the clip's person did with
them is replaced. Lids keep what they do in the clip, and fall (`lipsync.lids`) or are opened a little wider beside it:
where they are shut in the clip there is no eye to be shown, so its own blinks stay. Whatever is in front of brows and
eyes, hair or glasses or a hand, is moved with them.
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
from shared.face.analyse import ClipFaces, track_of
from shared.face.landmarks import eye_distance
from shared.picture.planes import cut
from shared.picture.warp import box_around, box_from_frame, gaussian, piecewise_warp, resize, to_float
from shared.types import Face, Floats, Frame, IntBox, Patch

HELD: Final = np.array([0, 1, 15, 16])
"""Points beside the ears, which stay where brows move."""
LINE: Final = np.array([36, 37, 38, 39, 42, 43, 44, 45])
"""The line of the upper lids, under which nothing moves with the brows."""
LEAST_APART: Final = 0.02
"""Brow and lid are taken to be so far from each other at least, in eye distances."""
LID_UNDER: Final = np.array([36, 37, 37, 38, 39, 42, 43, 44, 44, 45])
"""The point of the eye under each point of the brows."""
BROW_EDGE: Final = 0.4
"""Share of the way from the one to the other up to which there is brow."""
BROW_WIDTH: Final = 0.30
"""Reach of a brow's pull, in eye distances."""
MOST_CM: Final = 0.8
"""No brow is moved further."""
NEAREST: Final = 0.6
"""Share of the skin between a brow's lower edge and its lid by which the brow may come down."""
FRONTAL_DEG, TURNED_DEG = 25.0, 40.0
"""A head that is turned further than the first begins to keep its own expression, and keeps it beyond the second."""
READ_SHUT: Final = 0.1
"""Finders see shut eyes open by so much of the usual, and so the next stage shall."""
MARGIN: Final = 0.45
"""The patch reaches so far around brows and eyes, in eye distances; what moves with the brows less and less."""
STEP: Final = 0.02
"""How far pixels follow the brows is told so finely, in eye distances."""
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


STILL: Final = Moved((), np.zeros((68, 2), dtype=np.float32))


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
        self._shut_of = lru_cache(MOST_TRACKS)(self._find_shut)

    def moved(self, frame: Frame, face: Face, free: FreeFace) -> Moved:
        """The upper face of a face of a frame, moved to what the expression is at its time."""
        brows, lids, told = self._expression.at(float(frame.time_s))
        share = np.float32(self._strength * told * _frontal(free.pose.angles_deg[0]))
        known = self._known(face.track)
        drawn = np.zeros_like(brows)
        if known.brows is not None:
            drawn = share * _bounded(known.brows + brows - free.points[BROWS], free.points)
        return move(frame, face, free.in_frame(drawn), 1.0 + share * (lids - 1.0), known.shut)

    def _find(self, track: int) -> _Known:
        points = [free_face(face).points for _, face in self._faces_of(track)]
        known = track_of(self._clip, track)
        shut = None if known is None else self._shut_of(known.person)
        return _Known(usual_brows(np.array(points)) if points else None, shut)

    def _find_shut(self, person: int) -> ShutEyes | None:
        return find_shut(self._clip, person)


def move(frame: Frame, face: Face, drawn: Floats, lids: Floats, shut: ShutEyes | None) -> Moved:
    """Move brows and lids of one face.

    Parameters
    ----------
    drawn : (10, 2) frame pixels, by which the points 17 to 26 are moved.
    lids : (2,) in [0, 1.15], by how much of their gap the lids of each eye are apart afterwards.
    shut : the eyes of this person, shut; without them lids fall half-way.
    """
    landmarks = face.landmarks
    eyes = [Eye.of(landmarks[list(points)], landmarks[list(brow)]) for points, brow in zip(EYES, BROWS_OF, strict=True)]
    half = np.maximum(lids, HALF)
    read = half if shut is None else np.maximum(lids, READ_SHUT)
    shifts = np.zeros_like(landmarks)
    shifts[BROWS] = drawn
    for eye, points, left in zip(eyes, EYES, read.tolist(), strict=True):
        for point in (points[1], points[2]):
            shifts[point] = eye.landed(landmarks[point], left) - landmarks[point]
    box = _box(landmarks, shifts)
    map_x, map_y = _maps(landmarks, shifts, box)
    for eye, left in zip(eyes, half.tolist(), strict=True):
        eye.narrow(map_x, map_y, np.array(box[:2], dtype=np.float32), left)
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
    picture = to_float(piecewise_warp(cut(frame, box), map_x, map_y, sharp=True))
    return Moved((Patch(box, picture, mask, track=face.track), *over), shifts)


def _frontal(yaw_deg: float) -> float:
    return float(np.clip((TURNED_DEG - abs(yaw_deg)) / (TURNED_DEG - FRONTAL_DEG), 0.0, 1.0))


def _bounded(shift: Floats, points: Floats) -> Floats:
    """Shifts (10, 2) of brows, centimetres, all smaller alike so that none is further than `MOST_CM` or on its lid."""
    furthest = float(np.linalg.norm(shift, axis=1).max())
    free = (1.0 - BROW_EDGE) * NEAREST * (points[BROWS] - points[LID_UNDER])[:, 1]
    down = float((-shift[:, 1] / np.maximum(free, 1e-3)).max())
    return np.asarray(shift * min(1.0, MOST_CM / max(furthest, MOST_CM), 1.0 / max(down, 1.0)), dtype=np.float32)


def _box(landmarks: Floats, shifts: Floats) -> IntBox:
    points = np.concatenate([landmarks[BROWS], landmarks[BROWS] + shifts[BROWS], landmarks[36:48]])
    x0, y0, x1, y1 = box_around(points)
    margin = int(MARGIN * eye_distance(landmarks)) + 2
    return x0 - margin, y0 - margin, x1 + margin, y1 + margin


def _maps(landmarks: Floats, shifts: Floats, box: IntBox) -> tuple[Floats, Floats]:
    """Where in the box each of its pixels is read as the brows move, two of (h, w)."""
    columns = np.arange(box[2] - box[0], dtype=np.float32)
    rows = np.arange(box[3] - box[1], dtype=np.float32)[:, np.newaxis]
    places = np.concatenate([landmarks[BROWS] + shifts[BROWS], landmarks[HELD]])
    back = np.concatenate([-shifts[BROWS], np.zeros((len(HELD), 2), dtype=np.float32)])
    map_x, map_y = Pull(places, back, BROW_WIDTH * eye_distance(landmarks)).through(box_from_frame(box), box)
    share = _followed(landmarks, shifts, box)
    return columns + share * (map_x - columns), rows + share * (map_y - rows)


def _followed(landmarks: Floats, shifts: Floats, box: IntBox) -> Floats:
    """How far the pixels of a box follow the brows, (h, w) in [0, 1].

    Wholly from the brows' lower edge upwards, not at all from the lids down nor at the box's border. Evenly between,
    where skin is drawn out or pushed together: nothing is folded as long as a brow stays over its lid.
    """
    eyes = eye_distance(landmarks)
    step = max(1, int(eyes * STEP))
    (width, height), fade = (box[2] - box[0], box[3] - box[1]), np.float32(MARGIN * eyes)
    x, y = ((np.arange(-(-side // step), dtype=np.float32) + 0.5) * step - 0.5 for side in (width, height))
    y = y[:, np.newaxis]
    along = landmarks[45] - landmarks[36]
    along /= np.float32(max(float(np.linalg.norm(along)), 1e-6))
    up = np.array([along[1], -along[0]], dtype=np.float32)
    brows = landmarks[BROWS] + shifts[BROWS] + np.float32(BROW_EDGE) * (landmarks[LID_UNDER] - landmarks[BROWS])
    lids = landmarks[LINE]
    u, v = (axis[0] * (x + np.float32(box[0])) + axis[1] * (y + np.float32(box[1])) for axis in (along, up))
    low = _line(u, lids @ along, lids @ up)
    high = np.maximum(_line(u, brows @ along, brows @ up), low + np.float32(LEAST_APART * eyes))
    share: Floats = np.clip((v - low) / (high - low), 0.0, 1.0).astype(np.float32)
    for place, side in ((x, width), (y, height)):
        share *= np.clip(np.minimum(place, side - 1 - place) / fade, 0.0, 1.0)
    return resize(share, (len(y) * step, len(x) * step))[:height, :width]


def _line(u: Floats, along: Floats, up: Floats) -> Floats:
    """How high a line through points is at each u, level beyond its ends."""
    return np.asarray(np.interp(u, along, up), dtype=np.float32)
