"""Landmarks steadied in time, per track, without lag.

The points around each frame are laid over its own by a rigid fit, so that head and face are steadied apart; then each
region of the face (mouth and jaw, either eye, brows, the rest) and the head's place get a local line through a few
frames to either side. Weights fall with distance in time and with how far that region has changed, in units near the
finder's own noise (a bilateral filter along time; Tomasi and Manduchi, ICCV 1998): where nothing moves, several frames
are averaged, where something moves, hardly any, so that a mouth at its widest stays as wide. The window is symmetric:
the output comes a few frames later, but nothing is shifted in time.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.face.landmarks import LIPS, RIGID, RIGID_68, canonical_face, landmarks_from_mesh
from shared.face.pose import fit_pose, fit_pose_68
from shared.types import Face, Floats, Frame

Doubles: TypeAlias = NDArray[np.float64]

_CHIN: Final = (152, 148, 377, 176, 400, 199, 200)
_RIGHT_EYE: Final = (33, 160, 159, 158, 133, 153, 145, 144, 161, 157, 154, 163)
_LEFT_EYE: Final = (263, 387, 386, 385, 362, 380, 374, 373, 388, 384, 381, 390)
_BROWS: Final = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
_MOUTH_68: Final = (*range(5, 12), *range(48, 68))
_EDGE_CM: Final = 0.6
"""Width over which one region fades into the next, in canonical centimetres."""


@dataclass(frozen=True, slots=True)
class SmoothOptions:
    """How points are steadied; changes are root mean squares in distances of the outer eye corners."""

    frames: int = 3
    """Frames looked at to either side."""
    time_s: float = 0.06
    """Standard deviation of the weight in time."""
    head: float = 0.006
    """Change of the head's place at which a weight falls to 0.6."""
    mouth: float = 0.004
    """The same for lips and chin."""
    eyes: float = 0.006
    """The same for the lids of one eye."""
    rest: float = 0.01
    """The same for brows, nose and cheeks."""
    jump: float = 0.5
    """A step between two frames above this, in eye distances, ends the window."""


@dataclass(slots=True)
class Seen:
    """A frame with its tracked faces, before or after smoothing."""

    frame: Frame
    faces: list[Face]
    shot: int


@dataclass(frozen=True, slots=True)
class _Regions:
    """Regions of a point set: who measures the change of each, and how far each point belongs to it."""

    rigid: NDArray[np.intp]
    measured: tuple[NDArray[np.intp], ...]
    """Mouth, right eye, left eye, the rest."""
    belongs: Doubles
    """(N, 4), rows sum to 1."""


@dataclass(slots=True)
class Window:
    """The frames that are looked at, up to `SmoothOptions.frames` to either side of the next one to be given out."""

    seen: deque[Seen] = field(default_factory=deque)
    place: int = 0
    """Of the next one, in `seen`."""

    def push(self, seen: Seen, options: SmoothOptions) -> Iterator[Seen]:
        """Take the next frame in; the one that has all its neighbours by it comes out, its points steadied."""
        self.seen.append(seen)
        if len(self.seen) - self.place > options.frames:
            yield _steady(self.seen, self.place, options)
            self.place += 1
            if self.place > options.frames:
                self.seen.popleft()
                self.place -= 1

    def flush(self, options: SmoothOptions) -> Iterator[Seen]:
        """Those that are left when no frame follows."""
        while self.place < len(self.seen):
            yield _steady(self.seen, self.place, options)
            self.place += 1


def smooth(raw: Iterable[Seen], options: SmoothOptions) -> Iterator[Seen]:
    """The same frames and faces with steadied points, in order, `options.frames` later."""
    window = Window()
    for seen in raw:
        yield from window.push(seen, options)
    yield from window.flush(options)


def _steady(window: deque[Seen], place: int, options: SmoothOptions) -> Seen:
    faces = []
    for face in window[place].faces:
        times, near = _run(window, place, face.track, options)
        faces.append(_fit(times, near, face, options) if len(near) > 1 else face)
    return replace(window[place], faces=faces)


def _run(window: deque[Seen], place: int, track: int, options: SmoothOptions) -> tuple[Doubles, list[Face]]:
    """Times from now and faces of a track in the window, unbroken around `place`."""
    now = window[place].frame.time_s
    found: dict[int, Face] = {}
    for step in (-1, 1):
        at, last = place, None
        while 0 <= at < len(window) and abs(at - place) <= options.frames and window[at].shot == window[place].shot:
            face = next((face for face in window[at].faces if face.track == track), None)
            if face is None or (last is not None and _step_between(face, last) > options.jump):
                break
            found[at] = last = face
            at += step
    places = sorted(found)
    return np.array([float(window[at].frame.time_s - now) for at in places]), [found[at] for at in places]


def _step_between(one: Face, other: Face) -> float:
    return float(np.abs(one.landmarks.mean(axis=0) - other.landmarks.mean(axis=0)).max()) / _eyes(other)


def _eyes(face: Face) -> float:
    return max(float(np.linalg.norm(face.landmarks[45] - face.landmarks[36])), 1e-3)


def _fit(times: Doubles, near: list[Face], face: Face, options: SmoothOptions) -> Face:
    if face.mesh is not None and all(one.mesh is not None for one in near):
        points = np.stack([one.mesh for one in near if one.mesh is not None]).astype(np.float64)
        mesh = steadied(times, points, _mesh_regions(), _eyes(face), options)
        canonical = canonical_face().vertices
        box = (*mesh[:, :2].min(axis=0).tolist(), *mesh[:, :2].max(axis=0).tolist())
        pose = fit_pose(mesh, canonical).angles_deg
        return replace(face, mesh=mesh, landmarks=landmarks_from_mesh(mesh), box=box, pose_deg=pose)
    points = np.stack([one.landmarks for one in near]).astype(np.float64)
    landmarks = steadied(times, points, _regions_68(), _eyes(face), options)
    return replace(face, landmarks=landmarks, pose_deg=fit_pose_68(landmarks, canonical_face().landmarks).angles_deg)


def steadied(times: Doubles, points: Doubles, regions: _Regions, unit: float, options: SmoothOptions) -> Floats:
    """The points at time 0.

    Parameters
    ----------
    times : (T,) seconds from now, one of them 0.
    points : (T, N, 2 or 3) pixels.
    unit : distance of the outer eye corners in pixels.

    Returns
    -------
    (N, 2 or 3) float32.
    """
    now = int(np.argmin(np.abs(times)))
    nearness = -0.5 * (times / options.time_s) ** 2
    laid = _lay_over(points, points[now], regions.rigid)
    shares = np.empty((len(times), regions.belongs.shape[1]))
    limits = (options.mouth, options.eyes, options.eyes, options.rest)
    for number, (chosen, limit) in enumerate(zip(regions.measured, limits, strict=True)):
        change = _change(laid[:, chosen], laid[now, chosen]) / unit
        shares[:, number] = _line_weights(times, np.exp(nearness - 0.5 * (change / limit) ** 2))
    shape = np.einsum("tn,tnd->nd", shares @ regions.belongs.T, laid)
    head = points[:, regions.rigid]
    weights = np.exp(nearness - 0.5 * (_change(head, head[now]) / unit / options.head) ** 2)
    place = np.tensordot(_line_weights(times, weights), head, axes=1)
    moved = _lay_over(np.concatenate([head[now], shape])[np.newaxis], place, np.arange(len(place)))
    return np.asarray(moved[0, len(place) :], dtype=np.float32)


def _change(points: Doubles, now: Doubles) -> Doubles:
    """(T,) root mean square distance in the picture of (T, N, D) points from (N, D)."""
    return np.asarray(np.sqrt(((points - now)[..., :2] ** 2).sum(axis=-1).mean(axis=-1)))


def _lay_over(points: Doubles, onto: Doubles, rigid: NDArray[np.intp]) -> Doubles:
    """Each point set under the similarity that brings its rigid points onto those of `onto` (Umeyama, PAMI 1991).

    `onto` holds either all points or, in the order of `rigid`, the rigid ones only.
    """
    wanted = onto if len(onto) == len(rigid) else onto[rigid]
    model = points[:, rigid]
    wanted_mean, model_mean = wanted.mean(axis=0), model.mean(axis=1, keepdims=True)
    wanted_rest, model_rest = wanted - wanted_mean, model - model_mean
    left, singular, right = np.linalg.svd(np.einsum("nd,tne->tde", wanted_rest, model_rest))
    signs = np.ones_like(singular)
    signs[:, -1] = np.sign(np.linalg.det(left @ right))
    turn = (left * signs[:, np.newaxis, :]) @ right
    scale = (singular * signs).sum(axis=1) / np.maximum((model_rest**2).sum(axis=(1, 2)), 1e-12)
    return np.asarray(
        np.einsum("tde,tne->tnd", turn * scale[:, np.newaxis, np.newaxis], points - model_mean) + wanted_mean
    )


def _line_weights(times: Doubles, weights: Doubles) -> Doubles:
    """What each sample counts in the value at time 0 of the weighted line through all samples."""
    total, first, second = weights.sum(), (weights * times).sum(), (weights * times * times).sum()
    spread = total * second - first * first
    if spread <= 1e-9 * total * total * float(np.abs(times).max()) ** 2:
        return np.asarray(weights / total)
    return np.asarray(weights * (second - first * times) / spread)


@functools.lru_cache(maxsize=1)
def _mesh_regions() -> _Regions:
    face = canonical_face().vertices.astype(np.float64)
    irises = [face[[33, 133]].mean(axis=0)] * 5 + [face[[263, 362]].mean(axis=0)] * 5  # 468-472 right, 473-477 left
    points = np.concatenate([face, irises])
    measured = ((*LIPS, *_CHIN), _RIGHT_EYE, _LEFT_EYE, (*_BROWS, *RIGID))
    return _regions(points, RIGID, measured, face[2, 1])


@functools.lru_cache(maxsize=1)
def _regions_68() -> _Regions:
    points = canonical_face().landmarks.astype(np.float64)
    measured = (_MOUTH_68, tuple(range(36, 42)), tuple(range(42, 48)), (*range(17, 27), *RIGID_68))
    return _regions(points, RIGID_68, measured, points[33, 1])


def _regions(
    points: Doubles, rigid: tuple[int, ...], measured: tuple[tuple[int, ...], ...], nose_base: float
) -> _Regions:
    """Points below the nose are the mouth's, those around an eye the eye's; each edge fades over `_EDGE_CM`."""
    chosen = tuple(np.array(numbers, dtype=np.intp) for numbers in measured)
    mouth = _fade(nose_base - _EDGE_CM - points[:, 1])
    eyes = []
    for numbers in chosen[1:3]:
        centre = points[numbers].mean(axis=0)
        reach = np.abs(points[numbers] - centre).max(axis=0)[:2] + np.array([0.3, 0.5])
        eyes.append(_fade(_EDGE_CM * (1.0 - np.sqrt((((points - centre)[:, :2] / reach) ** 2).sum(axis=1)))))
    belongs = np.stack([mouth, *eyes], axis=1)
    belongs /= np.maximum(belongs.sum(axis=1, keepdims=True), 1.0)
    belongs = np.concatenate([belongs, 1.0 - belongs.sum(axis=1, keepdims=True)], axis=1)
    return _Regions(np.array(rigid, dtype=np.intp), chosen, belongs)


def _fade(inside_cm: Doubles) -> Doubles:
    """0 outside, 1 inside, by the depth inside the region."""
    return np.asarray(np.clip(0.5 + inside_cm / _EDGE_CM, 0.0, 1.0))
