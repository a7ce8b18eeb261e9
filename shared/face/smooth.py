"""Landmarks steadied in time, per track, without lag: a local line fitted over a few frames to either side.

Weights fall with distance in time and with distance in shape, measured in units of the finder's own noise (a bilateral
filter, Tomasi and Manduchi, ICCV 1998, along time): where the face is still, several frames are averaged; where it
moves, hardly any, so that a mouth at its widest stays as wide. The window looks ahead, so the output comes a few
frames later, but it is symmetric: nothing is shifted in time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared.face.landmarks import landmarks_from_mesh
from shared.types import Face, Floats, Frame


@dataclass(frozen=True, slots=True)
class SmoothOptions:
    """How points are steadied."""

    frames: int = 3
    """Frames looked at to either side."""
    time_s: float = 0.06
    """Standard deviation of the weight in time."""
    noise: float = 0.004
    """Change of shape at which the weight falls to 0.6, root mean square, in eye distances."""
    jump: float = 0.5
    """A step between two frames above this, in eye distances, ends the window."""


@dataclass(slots=True)
class Seen:
    """A frame with its tracked faces, before smoothing."""

    frame: Frame
    faces: list[Face]
    shot: int


def smooth(raw: Iterable[Seen], options: SmoothOptions) -> Iterator[Seen]:
    """The same frames and faces with steadied points, in order, `options.frames` later."""
    window: deque[Seen] = deque()
    place = 0
    for seen in raw:
        window.append(seen)
        if len(window) - place > options.frames:
            yield _steady(window, place, options)
            place += 1
            if place > options.frames:
                window.popleft()
                place -= 1
    while place < len(window):
        yield _steady(window, place, options)
        place += 1


def _steady(window: deque[Seen], place: int, options: SmoothOptions) -> Seen:
    centre = window[place]
    faces = []
    for face in centre.faces:
        near = _run(window, place, face.track, options)
        faces.append(_fit(near, face, float(centre.frame.time_s), options) if len(near) > 1 else face)
    return replace(centre, faces=faces)


def _run(window: deque[Seen], place: int, track: int, options: SmoothOptions) -> list[tuple[float, Face]]:
    """(time, face) of a track in the window, unbroken around `place`."""
    places = [place]
    found = {place: _of_track(window[place], track)}
    for step in (-1, 1):
        at = place + step
        while 0 <= at < len(window) and abs(at - place) <= options.frames and window[at].shot == window[place].shot:
            face = _of_track(window[at], track)
            last = found[at - step]
            if face is None or last is None or _step_between(face, last) > options.jump:
                break
            found[at] = face
            places.append(at)
            at += step
    return [(float(window[at].frame.time_s), face) for at in sorted(places) if (face := found[at]) is not None]


def _of_track(seen: Seen, track: int) -> Face | None:
    for face in seen.faces:
        if face.track == track:
            return face
    return None


def _points(face: Face) -> Floats:
    return face.mesh if face.mesh is not None else face.landmarks


def _step_between(one: Face, other: Face) -> float:
    return float(np.abs(one.landmarks.mean(axis=0) - other.landmarks.mean(axis=0)).max()) / _eyes(other)


def _eyes(face: Face) -> float:
    return max(float(np.linalg.norm(face.landmarks[45] - face.landmarks[36])), 1e-3)


def _fit(near: list[tuple[float, Face]], face: Face, now: float, options: SmoothOptions) -> Face:
    times = np.array([time for time, _ in near]) - now
    points = np.stack([_points(one) for _, one in near]).astype(np.float64)
    eyes = _eyes(face)
    apart = np.sqrt(((points[..., :2] - _points(face)[:, :2]) ** 2).mean(axis=(1, 2))) / eyes
    weights = np.exp(-0.5 * (times / options.time_s) ** 2 - 0.5 * (apart / options.noise) ** 2)
    steadied = np.asarray(np.tensordot(_line_weights(times, weights), points, axes=1), dtype=np.float32)
    if face.mesh is None:
        return replace(face, landmarks=steadied)
    return replace(face, mesh=steadied, landmarks=landmarks_from_mesh(steadied))


def _line_weights(times: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each sample counts in the value at time 0 of the weighted line through all samples."""
    total, first, second = weights.sum(), (weights * times).sum(), (weights * times * times).sum()
    spread = total * second - first * first
    if spread <= 1e-12 * total * total:
        return np.asarray(weights / total)
    return np.asarray(weights * (second - first * times) / spread)
