"""A small synthetic speaker: landmarks, frames and a voice whose textures are drawn, so that truth is known."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lipsync.closure import open_as_made
from lipsync.mouth import FreeFace, fit_basis
from lipsync.plane import HALF_WIDTH_CM, TOP_CM, TexturePlane
from lipsync.ring import between
from lipsync.voice import Pool, Voice, lips_of
from models.audio2mouth import Audio2Mouth, Audio2MouthConfig
from shared.face.pose import FacePose, rotation_from_angles
from shared.picture.mask import polygon_mask
from shared.types import ColourSpec, Face, Floats, Frame, Picture, PixelFormat

PLANE = TexturePlane(4.0)


def face_points(opening_cm: float = 0.0) -> Floats:
    """(68, 2) canonical centimetres of a face that is about the canonical one, mouth and chin lowered by an opening."""
    points = np.zeros((68, 2), dtype=np.float32)
    turn = np.linspace(np.pi, 2 * np.pi, 17)
    points[:17] = np.stack([7.6 * np.cos(turn), 1.5 + 10.9 * np.sin(turn)], axis=1)
    points[17:27, 0], points[17:27, 1] = np.linspace(-6, 6, 10), 5.5
    points[27:31, 1] = np.linspace(3.3, -0.5, 4)
    points[31:36] = [[-1.4, -1.7], [-0.6, -2.0], [0, -2.1], [0.6, -2.0], [1.4, -1.7]]
    points[36:42] = [[-4.4, 2.6], [-3.5, 3.2], [-2.6, 3.2], [-1.8, 2.5], [-2.6, 2.2], [-3.5, 2.2]]
    points[42:48] = points[[39, 38, 37, 36, 41, 40]] * [-1, 1]
    upper = [[-2.4, -4.4], [-1.4, -3.6], [-0.7, -3.3], [0, -3.4], [0.7, -3.3], [1.4, -3.6], [2.4, -4.4]]
    lower = [[1.4, -5.1], [0.7, -5.3], [0, -5.4], [-0.7, -5.3], [-1.4, -5.1]]
    points[48:60] = [*upper, *lower]
    points[60:65] = [[-2.1, -4.4], [-1.0, -4.2], [0, -4.2], [1.0, -4.2], [2.1, -4.4]]
    points[65:68] = [[1.0, -4.2], [0, -4.2], [-1.0, -4.2]]
    share = np.zeros(68, dtype=np.float32)
    share[5:12], share[55:60], share[65:68] = 0.8, 1.0, 1.0
    points[:, 1] -= share * opening_cm
    return points


def pose_at(yaw_deg: float = 0.0, scale: float = 6.0, centre: tuple[float, float] = (80.0, 70.0)) -> FacePose:
    return FacePose(scale, rotation_from_angles(yaw_deg, 0.0, 0.0), np.array([*centre, 0.0]))


def face_of(points: Floats, pose: FacePose, track: int = 0) -> Face:
    """The flat face of points that all lie on the textures' plane."""
    deep = np.concatenate([points, np.full((68, 1), 4.7, dtype=np.float32)], axis=1)
    landmarks = pose.to_frame(deep)[:, :2]
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return Face(box, landmarks, None, 1.0, track, pose.angles_deg)


def free_of(points: Floats, pose: FacePose) -> FreeFace:
    return FreeFace(points, points.copy(), pose, between(points))


def frame_of(picture: Picture, index: int = 0) -> Frame:
    """A full-range RGB frame, 25 a second, that shows the picture exactly."""
    planes = tuple(np.ascontiguousarray(picture[..., k]).astype(np.uint8) for k in (1, 2, 0))
    colour = ColourSpec("rgb", True, 0, 1, 1, 2)
    return Frame(planes, PixelFormat("gbrp", 8, (0, 0), "rgb"), colour, index, index, Fraction(1, 25))


def texture_of(opening_cm: float, level: int = 150) -> Picture:
    """Skin with a dark mouth whose height is the opening."""
    texture = np.full((*PLANE.size, 3), level, dtype=np.uint8)
    texture[..., 2] = level // 2
    corners = PLANE.to_texture(np.array([[-2.0, -4.2], [2.0, -4.2 - opening_cm]], dtype=np.float32))
    (x0, y0), (x1, y1) = np.rint(corners).astype(int)
    texture[y0 : y1 + 1, x0 : x1 + 1] = (40, 10, 10)
    return texture


def small_voice(folder: Path = Path()) -> Voice:
    """60 frames whose openings run from 0 to 2 cm, in two clips."""
    openings = np.linspace(0.0, 2.0, 60)
    points = np.array([face_points(float(opening)) for opening in openings])
    pool = Pool(
        points=points,
        flat=points.copy(),
        angles_deg=np.zeros((60, 3), dtype=np.float32),
        times_s=np.arange(60) / 25.0,
        clips=np.repeat(np.array([0, 1], dtype=np.int32), 30),
        rows=np.arange(60),
    )
    basis = fit_basis(lips_of(points))
    torch.manual_seed(0)
    shapes = basis.encode(lips_of(points))
    textures = np.array([texture_of(float(opening)) for opening in openings])
    net = Audio2Mouth(Audio2MouthConfig()).eval()
    return Voice(folder, net, basis, shapes[0], open_as_made(shapes[0]), pool, shapes, shapes, PLANE, textures)


@pytest.fixture
def voice() -> Voice:
    return small_voice()


@pytest.fixture
def plane() -> TexturePlane:
    return PLANE


@pytest.fixture
def points_of() -> Callable[[float], Floats]:
    return face_points


@pytest.fixture
def posed() -> Callable[..., FacePose]:
    return pose_at


@pytest.fixture
def face_from() -> Callable[..., Face]:
    return face_of


@pytest.fixture
def free_from() -> Callable[..., FreeFace]:
    return free_of


@pytest.fixture
def framed() -> Callable[..., Frame]:
    return frame_of


@pytest.fixture
def drawn() -> Callable[..., Picture]:
    return texture_of


FINE = TexturePlane(12.0)


def toothed_mouth(
    opening_cm: float, raised_cm: float = 0.0, rows: str = "upper lower"
) -> tuple[Picture, Floats, Floats]:
    """A drawn mouth with a tongue: texture on `FINE`, landmarks (68, 2) cm, and where teeth are, 1 wholly and 0 not.

    The upper teeth hang from the skull, whatever the upper lip does; the lower ones stand on the lower lip.
    """
    flat = face_points(opening_cm)
    flat[[*range(49, 54), 61, 62, 63], 1] += raised_cm
    size, points = FINE.size, FINE.to_texture(flat)
    x, y = np.meshgrid(
        (np.arange(size[1]) + 0.5) / FINE.px_per_cm - HALF_WIDTH_CM,
        TOP_CM - (np.arange(size[0]) + 0.5) / FINE.px_per_cm,
    )
    low = -4.2 - opening_cm
    tongue = edge(-np.hypot(x / 1.3, (y - low - 0.4) / 0.35) + 1.0)
    drawn = {"upper": tooth_row(x, y, -4.8, 1.6, 0.8), "lower": tooth_row(x, -y, -low - 0.5, 1.3, 0.52)}
    outer, inner = polygon_mask(points[48:60], size), polygon_mask(points[60:68], size)
    picture = np.tile(np.array([0.78, 0.55, 0.42]), (*size, 1))
    picture = mixed(picture, (0.72, 0.36, 0.36), outer)
    inside = mixed(np.tile(np.array([0.10, 0.05, 0.05]), (*size, 1)), (0.62, 0.31, 0.30), tongue)
    teeth = np.zeros(size)
    for row in rows.split():
        solid, shade = drawn[row]
        inside = mixed(inside, np.array([0.80, 0.77, 0.68]) * shade[..., np.newaxis], solid)
        teeth = np.maximum(teeth, solid)
    picture = mixed(picture, inside, inner)
    return np.rint(picture * 255).astype(np.uint8), flat, (teeth * inner).astype(np.float32)


def tooth_row(x: NDArray[Any], y: NDArray[Any], end: float, half: float, width: float) -> tuple[NDArray[Any], ...]:
    """Teeth from their ends upwards for 1.2 cm: how solid, and how bright with the gaps between them."""
    solid = edge(y - end) * edge(end + 1.2 - y) * edge(half - np.abs(x))
    gap = np.abs((x / width) % 1.0 - 0.5) * width
    return solid, 0.45 + 0.55 * np.clip((width / 2 - gap) / 0.12, 0.0, 1.0)


def edge(distance_cm: NDArray[Any]) -> NDArray[Any]:
    return np.clip(distance_cm * FINE.px_per_cm + 0.5, 0.0, 1.0)


def mixed(below: NDArray[Any], above: object, share: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(below + share[..., np.newaxis] * (np.asarray(above) - below))


@pytest.fixture
def fine_plane() -> TexturePlane:
    return FINE


@pytest.fixture
def toothed() -> Callable[..., tuple[Picture, Floats, Floats]]:
    return toothed_mouth
