"""Faces as found, with what a person put right laid over them: at the frames corrected and, inside the shot, between.

A correction is the change of each point in the face's own measure (turned and scaled with its eyes), so that it moves
with the face. Between two corrected frames of a track the changes are interpolated; beyond the first and the last one
they fade. Where the finder lost the face between two corrections, the points themselves are interpolated, but not for
long. Whose face was corrected is told by where it lies, since another finder numbers the tracks otherwise.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from shared.face.landmarks import EYE_CORNERS_68, canonical_face, landmarks_from_mesh
from shared.face.pose import fit_pose, fit_pose_68
from shared.store.corrections import Correction
from shared.types import Face, Floats

FADE_FRAMES: Final = 5
"""Frames over which a correction fades before the first and after the last corrected one of a shot."""
LOST_FRAMES: Final = 30
"""Between corrections at most so far apart, about a second, a face is laid where the finder saw none."""
LEAST_OVERLAP: Final = 0.1
"""Share of what a found and a corrected face cover together that both cover, from which on they are one face."""
Box = tuple[float, float, float, float]
Complex = NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class _Anchor:
    """A corrected frame of a track."""

    frame: int
    face: Face
    """As corrected."""
    change: Complex
    """(68,) what was moved, in the face's own measure; 0 where the finder saw no face."""
    mask: Complex | None
    """(N,) corners in the same measure, about the middle of the eyes."""


class Corrected:
    """The corrections of one clip, ready to be laid over its faces.

    Parameters
    ----------
    found : the faces that the finder saw in a frame.
    shot_of : the number of a frame's shot.
    """

    def __init__(
        self,
        corrections: Sequence[Correction],
        found: Callable[[int], Sequence[Face]],
        shot_of: Callable[[int], int],
    ) -> None:
        self._anchors: dict[tuple[int, int], list[_Anchor]] = {}
        for one in sorted(corrections, key=lambda each: each.frame):
            track, seen = _whose(one, found, shot_of)
            anchor = _anchor_of(replace(one, track=track), seen)
            if anchor is not None:
                self._anchors.setdefault((track, shot_of(one.frame)), []).append(anchor)

    def at(self, frame: int, shot: int, faces: Sequence[Face]) -> tuple[Face, ...]:
        """The faces of a frame as corrected, by track."""
        tracks = {track for track, its_shot in self._anchors if its_shot == shot}
        if not tracks:
            return tuple(faces)
        by_track = {face.track: face for face in faces}
        for track in tracks:
            face = _laid(frame, self._anchors[track, shot], by_track.get(track))
            if face is not None:
                by_track[track] = face
        return tuple(by_track[track] for track in sorted(by_track))


def moved(face: Face, landmarks: Floats, box: Box | None = None) -> Face:
    """A face whose landmarks were moved: its mesh follows them smoothly, its pose is fitted again.

    Parameters
    ----------
    landmarks : (68, 2) frame pixels.
    box : None for the bounds of the points.
    """
    mesh = face.mesh
    if mesh is None:
        pose = fit_pose_68(landmarks, canonical_face().landmarks).angles_deg
        return replace(face, landmarks=landmarks, pose_deg=pose, box=box or _bounds(landmarks))
    old = landmarks_from_mesh(mesh).astype(np.float64)
    bend = RBFInterpolator(old, landmarks.astype(np.float64) - old, kernel="thin_plate_spline", smoothing=1e-6)
    bent = mesh.copy()
    bent[:, :2] += bend(mesh[:, :2].astype(np.float64)).astype(np.float32)
    pose = fit_pose(bent, canonical_face().vertices).angles_deg
    return replace(face, landmarks=landmarks, mesh=bent, pose_deg=pose, box=box or _bounds(bent[:, :2]))


def _whose(
    one: Correction, found: Callable[[int], Sequence[Face]], shot_of: Callable[[int], int]
) -> tuple[int, Face | None]:
    """The track of the face that a correction lies on, and that face if it was found in this very frame.

    Where nothing found there overlaps it, the frames around it in the shot are asked, and at last the number it was
    given to.
    """
    place = _place_of(one)
    shot = shot_of(one.frame)
    for away in range(LOST_FRAMES + 1):
        for frame in dict.fromkeys((one.frame - away, one.frame + away)):
            faces = found(frame) if shot_of(frame) == shot else ()
            best = max(faces, key=lambda face: _overlap(place, face.box), default=None)
            if best is not None and _overlap(place, best.box) >= LEAST_OVERLAP:
                return best.track, best if away == 0 else None
    return one.track, next((face for face in found(one.frame) if face.track == one.track), None)


def _place_of(one: Correction) -> Box:
    if one.landmarks is not None:
        return _bounds(one.landmarks)
    if one.box is not None:
        return one.box
    return (0.0, 0.0, 0.0, 0.0) if one.mask is None else _bounds(one.mask)


def _overlap(first: Box, second: Box) -> float:
    """Intersection over union."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (first, second)]
    return width * height / (sum(areas) - width * height)


def _anchor_of(one: Correction, seen: Face | None) -> _Anchor | None:
    """A correction in the face's own measure; None where there is neither a face nor landmarks to begin with."""
    points = one.landmarks
    if points is None and seen is not None:
        points = seen.landmarks if one.box is None else _into_box(seen, one.box)
    if points is None:
        return None
    if seen is None:
        whole = Face(one.box or _bounds(points), points, None, 1.0, one.track)
        face = moved(whole, points, one.box)
        change = np.zeros(68, dtype=np.complex128)
    else:
        face = replace(moved(seen, points, one.box), presence=1.0)
        change = (_flat(points) - _flat(seen.landmarks)) / _eyes(seen.landmarks)
    mask = None if one.mask is None else (_flat(one.mask) - _middle(points)) / _eyes(points)
    return _Anchor(one.frame, replace(face, outline=one.mask), change, mask)


def _laid(frame: int, anchors: Sequence[_Anchor], seen: Face | None) -> Face | None:
    """One face at a frame, under the corrections of its track and shot; None where nothing is known of it."""
    place = bisect_left([anchor.frame for anchor in anchors], frame)
    if place < len(anchors) and anchors[place].frame == frame:
        return anchors[place].face
    if 0 < place < len(anchors):
        return _between(frame, anchors[place - 1], anchors[place], seen)
    near = anchors[min(place, len(anchors) - 1)]
    weight = 1.0 - abs(frame - near.frame) / (FADE_FRAMES + 1)
    if seen is None or weight <= 0:
        return seen
    return moved(seen, _points(_flat(seen.landmarks) + weight * near.change * _eyes(seen.landmarks)))


def _between(frame: int, before: _Anchor, after: _Anchor, seen: Face | None) -> Face | None:
    if seen is None and after.frame - before.frame > LOST_FRAMES:
        return None
    share = (frame - before.frame) / (after.frame - before.frame)
    if seen is None:
        first, second = before.face.landmarks, after.face.landmarks
        points = np.asarray((1 - share) * first + share * second, dtype=np.float32)
        face = moved(before.face, points)
    else:
        change = (1 - share) * before.change + share * after.change
        face = moved(seen, _points(_flat(seen.landmarks) + change * _eyes(seen.landmarks)))
    if before.mask is None or after.mask is None:
        return replace(face, outline=None)
    if len(before.mask) == len(after.mask):
        mask = (1 - share) * before.mask + share * after.mask
    else:  # drawn with other corners: the nearer one counts
        mask = before.mask if share < 0.5 else after.mask
    return replace(face, outline=_points(mask * _eyes(face.landmarks) + _middle(face.landmarks)))


def _into_box(face: Face, box: Box) -> Floats:
    """Landmarks carried along as their box is moved and stretched."""
    old = np.array(face.box).reshape(2, 2)
    new = np.array(box).reshape(2, 2)
    stretch = (new[1] - new[0]) / np.maximum(old[1] - old[0], 1e-6)
    return np.asarray((face.landmarks - old[0]) * stretch + new[0], dtype=np.float32)


def _flat(points: Floats) -> Complex:
    return points[..., 0].astype(np.float64) + 1j * points[..., 1]


def _points(flat: Complex) -> Floats:
    return np.stack([flat.real, flat.imag], axis=-1).astype(np.float32)


def _eyes(points: Floats) -> complex:
    """From one outer eye corner to the other, as a complex number; never 0."""
    right, left = EYE_CORNERS_68
    across = _flat(points)[left] - _flat(points)[right]
    return complex(across) if abs(across) > 1e-6 else 1e-6 + 0j


def _middle(points: Floats) -> complex:
    right, left = EYE_CORNERS_68
    return complex(_flat(points)[[right, left]].mean())


def _bounds(points: Floats) -> Box:
    low, high = points.min(axis=0), points.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
