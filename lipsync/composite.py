"""The stage: a new lower face laid into each frame, from the nose base to below the chin, cheek to cheek.

No row of the old jaw stays visible under the mask, or the result follows the old jaw and not the speech; the masks of
the old and of the new mouth are therefore laid together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.features import SAMPLE_RATE_HZ
from lipsync.light import Light, light_between, mean_light, relight
from lipsync.mouth import FreeFace, free_face, landmarks_in_frame
from lipsync.options import SyncOptions
from lipsync.plane import TexturePlane
from lipsync.predict import MouthTrack, predict_track
from lipsync.synthesise import LowerFace, Synthesiser
from lipsync.voice import open_voice
from shared.face.analyse import ClipFaces
from shared.face.landmarks import eye_distance
from shared.media.sound import load_sound
from shared.picture.mask import erode, feather, mouth_mask, polygon_mask
from shared.picture.planes import warp
from shared.picture.warp import box_around, to_float, warp_picture
from shared.progress import Progress
from shared.types import Edit, Face, Floats, IntBox, Matrix, Patch, Scene, Stage

CHANGED: Final = np.array([*range(2, 15), *range(48, 68)])
"""iBUG points that speech moves: the jaw without its ends, and the lips."""
OUTWARD: Final = np.array(
    [-0.10, -0.09, -0.08, -0.07, -0.05, 0.0, 0.09, 0.16, 0.18, 0.16, 0.09, 0.0, -0.05, -0.07, -0.08, -0.09, -0.10]
)
"""How far outside each jaw point the mask reaches, in eye distances: under the chin there is neck, beside the jaw
there is background, which must stay the frame's own."""
STEADY_FRAMES: Final = 12
"""Colour is averaged over this many frames on either side."""
FADE_DEG: Final = (38.0, 52.0)
"""Between these angles of yaw the new mouth fades out: the plane does not hold for a profile."""


@dataclass(slots=True)
class _Made:
    """One face with its new lower face, waiting for its colour."""

    face: Face
    free: FreeFace
    lower: LowerFace
    light: Light | None
    """What the clip's light is to the texture's; None where no skin can be compared."""


def open_stage(
    options: SyncOptions,
    clip: ClipFaces,  # noqa: ARG001 - the signature that both engines share
    device: str,  # noqa: ARG001
    progress: Progress,  # noqa: ARG001
) -> Stage:
    """Open the engine: the voice loads and the speech is heard here, before the first frame.

    Of the analysed clip nothing is needed but the faces that come with the scenes; a net of 60 cells runs on the CPU.

    Raises
    ------
    ArtefactError, WeightsError
        The voice is not one, or damaged.
    MediaError
        The speech has no sound.
    """
    voice = open_voice(options.voice)
    track = predict_track(voice, load_sound(options.speech, SAMPLE_RATE_HZ), options)
    synthesiser = Synthesiser(voice, options)
    return lambda scenes: _stage(scenes, track, synthesiser, voice.plane, options)


def _stage(
    scenes: Iterator[Scene], track: MouthTrack, synthesiser: Synthesiser, plane: TexturePlane, options: SyncOptions
) -> Iterator[tuple[Scene, Edit]]:
    waiting: deque[tuple[Scene, list[_Made]]] = deque()
    done = 0
    for scene in scenes:
        shape = track.at(float(scene.frame.time_s))
        waiting.append((scene, [_make(scene, face, shape, synthesiser, plane) for face in scene.faces]))
        if len(waiting) - done > STEADY_FRAMES:
            yield _finish(waiting, done, plane, options)
            done += 1
        if done > STEADY_FRAMES:
            waiting.popleft()
            done -= 1
    while done < len(waiting):
        yield _finish(waiting, done, plane, options)
        done += 1


def _make(scene: Scene, face: Face, shape: Floats, synthesiser: Synthesiser, plane: TexturePlane) -> _Made:
    free = free_face(face)
    lower = synthesiser.make(shape, free.pose.angles_deg)
    own = to_float(warp(scene.frame, plane.texture_from_frame(free.pose), plane.size))
    old, new = (_skin(plane.to_texture(points), plane.size) for points in (free.points, lower.points))
    return _Made(face, free, lower, light_between(lower.texture, own, np.minimum(old, new)))


def _skin(points: Floats, size: tuple[int, int]) -> Floats:
    """Cheeks and chin, without lips, jaw edge and nose: where both pictures show skin."""
    eyes_px = eye_distance(points)
    outline = np.concatenate([widened(points, eyes_px, np.full(17, -0.12))[2:15], points[[35, 31]]])
    skin = polygon_mask(outline, size) - mouth_mask(points, size, grow=1.25)
    return erode(np.clip(skin, 0.0, 1.0).astype(np.float32), 1.0)


def _finish(
    waiting: deque[tuple[Scene, list[_Made]]], place: int, plane: TexturePlane, options: SyncOptions
) -> tuple[Scene, Edit]:
    scene, made = waiting[place]
    if not made:
        return scene, Edit(notes=("no-face",))
    patches, faces, notes = [], [], []
    for one in made:
        strength = _strength(one.free)
        if strength <= 0.0:
            faces.append(one.face)
            notes.append("turned-away")
            continue
        lower = _coloured(one, waiting, options)
        landmarks = landmarks_in_frame(lower.points, one.free.pose, one.face.landmarks, CHANGED)
        patches.append(_patch(one, lower, landmarks, plane, options.feather, strength))
        faces.append(_moved(one.face, landmarks))
        if strength < 1.0:
            notes.append("faded")
    return scene, Edit(tuple(patches), tuple(faces), tuple(notes))


def _strength(free: FreeFace) -> float:
    yaw = abs(free.pose.angles_deg[0])
    return float(np.clip((FADE_DEG[1] - yaw) / (FADE_DEG[1] - FADE_DEG[0]), 0.0, 1.0))


def _coloured(one: _Made, waiting: deque[tuple[Scene, list[_Made]]], options: SyncOptions) -> LowerFace:
    """Bring the texture into the clip's own light, averaged along the track."""
    near = [made.light for _, others in waiting for made in others if made.face.track == one.face.track]
    known = [light for light in near if light is not None]
    if not known or options.match_colour <= 0.0:
        return one.lower
    return replace(one.lower, texture=relight(one.lower.texture, mean_light(known), options.match_colour))


def _patch(one: _Made, lower: LowerFace, landmarks: Floats, plane: TexturePlane, soft: float, strength: float) -> Patch:
    eyes_px = eye_distance(one.face.landmarks)
    outlines = [outline(points, eyes_px) for points in (one.face.landmarks, landmarks)]
    feather_px = max(2.0, soft * eyes_px)
    x0, y0, x1, y1 = box_around(np.concatenate(outlines))
    spare = int(np.ceil(feather_px)) + 2
    box: IntBox = (x0 - spare, y0 - spare, x1 + spare, y1 + spare)
    size = (box[3] - box[1], box[2] - box[0])
    corner = np.array([box[0], box[1]], dtype=np.float32)
    mask = np.maximum(*(polygon_mask(points - corner, size) for points in outlines))
    mask = feather(mask.astype(np.float32), feather_px) * np.float32(strength)
    box_from_frame: Matrix = np.array([[1.0, 0.0, -box[0]], [0.0, 1.0, -box[1]], [0.0, 0.0, 1.0]])
    box_from_texture: Matrix = box_from_frame @ np.linalg.inv(plane.texture_from_frame(one.free.pose))
    return Patch(box, warp_picture(lower.texture, box_from_texture, size), mask)


def outline(landmarks: Floats, eyes_px: float) -> Floats:
    """Polygon of the part that is laid over: jaw line with its margin, closed under the nose, (N, 2)."""
    jaw = widened(landmarks, eyes_px, OUTWARD)
    nose, lip = landmarks[33], landmarks[51]
    wings = landmarks[[35, 31]] + 0.35 * (lip - nose)
    under = nose + 0.35 * (lip - nose)
    return np.concatenate([jaw[2:15], wings[:1], under[np.newaxis], wings[1:]]).astype(np.float32)


def widened(landmarks: Floats, eyes_px: float, outward: NDArray[np.float64]) -> Floats:
    """Jaw points moved away from the middle of the mouth by shares of the eye distance."""
    jaw = landmarks[:17]
    away = jaw - landmarks[48:60].mean(axis=0)
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    return np.asarray(jaw + away * (outward[:, np.newaxis] * eyes_px), dtype=np.float32)


def _moved(face: Face, landmarks: Floats) -> Face:
    """The face with its new landmarks, its mesh carried along: what the next stage sees."""
    if face.mesh is None:
        return replace(face, landmarks=landmarks)
    mesh = face.mesh.copy()
    mesh[:, :2] += _carried(face.landmarks, landmarks - face.landmarks, mesh[:, :2])
    return replace(face, landmarks=landmarks, mesh=mesh)


def _carried(anchors: Floats, shifts: Floats, points: Floats) -> Floats:
    """Shifts of the anchors spread to other points by a Gaussian kernel of a fifth of the eye distance."""
    width = 0.2 * max(eye_distance(anchors), 1.0)
    wide = anchors.astype(np.float64)

    def kernel(one: NDArray[np.floating]) -> NDArray[np.float64]:
        squares = ((one[:, np.newaxis] - wide[np.newaxis]) ** 2).sum(axis=2)
        return np.asarray(np.exp(-squares / (2 * width * width)), dtype=np.float64)

    weights = np.linalg.solve(kernel(wide) + 1e-3 * np.eye(len(wide)), shifts.astype(np.float64))
    return np.asarray(kernel(points.astype(np.float64)) @ weights, dtype=np.float32)
