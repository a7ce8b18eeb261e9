"""Synthetic frames, faces and face sets: drawn, seeded, of nobody."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.align import crop_from_frame
from faceswap.lay import Setting, figures, lay
from faceswap.options import SwapOptions
from faceswap.rows import KIND, PICTURES, SCHEMA, FaceRow, write_rows
from faceswap.steer import Field
from faceswap.view import Made
from shared.picture.image import write_png
from shared.picture.warp import transform
from shared.store.artefact import artefact, fingerprint
from shared.types import ColourSpec, Face, Floats, Frame, Patch, PixelFormat

Rgb = NDArray[np.uint8]


def face_points(centre: tuple[float, float], width: float, opening: float = 0.0, turn: float = 0.0) -> Floats:
    """68 points of a plain frontal face `width` pixels wide, its mouth open by a share of the width."""
    jaw = np.linspace(np.pi, 0, 17)
    points = np.zeros((68, 2))
    points[:17] = np.stack([np.cos(jaw) * 0.5, -0.1 + np.sin(jaw) * 0.7], axis=1)
    for first, middle in ((17, -0.25), (22, 0.25)):
        points[first : first + 5, 0] = middle + np.linspace(-0.14, 0.14, 5)
        points[first : first + 5, 1] = -0.3 - 0.03 * np.sin(np.linspace(0, np.pi, 5))
    points[27:31] = np.stack([np.zeros(4), np.linspace(-0.2, 0.05, 4)], axis=1)
    points[31:36] = np.stack([np.linspace(-0.09, 0.09, 5), np.full(5, 0.12)], axis=1)
    ring = np.array([(-1, 0), (-0.4, -0.5), (0.4, -0.5), (1, 0), (0.4, 0.5), (-0.4, 0.5)]) * 0.08
    points[36:42], points[42:48] = ring - np.array([0.22, 0.17]), ring + np.array([0.22, -0.17])
    around = np.linspace(np.pi, -np.pi, 12, endpoint=False)
    points[48:60] = np.stack([np.cos(around) * 0.17, 0.3 - np.sin(around) * (0.05 + opening / 2)], axis=1)
    inner = np.linspace(np.pi, -np.pi, 8, endpoint=False)
    points[60:68] = np.stack([np.cos(inner) * 0.12, 0.3 - np.sin(inner) * opening / 2], axis=1)
    cos, sin = np.cos(turn), np.sin(turn)
    turned = points @ np.array([[cos, sin], [-sin, cos]])
    return np.asarray(turned * width + centre, dtype=np.float32)


def draw_face(size: tuple[int, int], points: Floats, skin: tuple[int, int, int], seed: int = 0) -> Rgb:
    """A picture of such a face on a mottled ground."""
    random = np.random.default_rng(seed)
    ground = cv2.resize(random.integers(60, 140, (8, 8, 3), dtype=np.uint8), size[::-1], interpolation=cv2.INTER_CUBIC)
    picture = np.ascontiguousarray(ground, dtype=np.uint8)

    def fill(part: Floats, colour: tuple[int, int, int]) -> None:
        hull = cv2.convexHull(part.astype(np.float32))
        cv2.fillConvexPoly(picture, np.rint(hull * 16).astype(np.int32), colour, cv2.LINE_AA, 4)

    fill(points[:27], skin)
    for eye in (points[36:42], points[42:48]):
        fill(eye, (240, 240, 240))
        middle = np.rint(eye.mean(axis=0)).astype(int)
        cv2.circle(picture, (int(middle[0]), int(middle[1])), 2, (40, 60, 90), -1, cv2.LINE_AA)
    fill(points[27:36], (int(skin[0] * 0.85), int(skin[1] * 0.85), int(skin[2] * 0.85)))
    fill(points[48:60], (170, 60, 70))
    fill(points[60:68], (40, 10, 10))
    return picture


def frame_of(picture: Rgb, index: int = 0) -> Frame:
    """An RGB picture as a decoder would give it: planes G, B, R."""
    planes = tuple(np.ascontiguousarray(picture[..., channel]) for channel in (1, 2, 0))
    colour = ColourSpec("rgb", True, 0, 2, 2, 2)
    return Frame(planes, PixelFormat("gbrp", 8, (0, 0), "rgb"), colour, index, index, Fraction(1, 25))


def face_of(points: Floats, track: int = 0) -> Face:
    """A face with these landmarks."""
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return Face((float(x0), float(y0), float(x1), float(y1)), points, None, 1.0, track, sharpness=100.0)


def make_faceset(folder: Path, skin: tuple[int, int, int], count: int, seed: int, crop_px: int = 96) -> Path:
    """A face set of one drawn person whose mouth opens and closes."""
    random = np.random.default_rng(seed)
    wanted = fingerprint(seed=seed, count=count)
    details = {"embedding": [1.0] + [0.0] * 127, "faces": count}
    with artefact(folder, KIND, SCHEMA, wanted, details=details) as partial:
        rows = []
        for number in range(count):
            points = face_points((48, 50), 44, opening=0.1 * (1 + np.sin(number / 2)), turn=random.normal(0, 0.05))
            matrix = crop_from_frame(points, crop_px)
            placed = transform(matrix, points)
            write_png(partial / PICTURES / f"{number:06d}.png", draw_face((crop_px, crop_px), placed, skin, seed))
            rows.append(
                FaceRow(
                    f"{number:06d}.png", 0, number, number / 25, 0, 60.0, 100.0, 1.0, 0.0, 0.0, 0.0, placed, True, ""
                )
            )
        write_rows(partial, rows)
    return folder


def laid_alone(made: Made, options: SwapOptions, field: Field | None = None, measured: Made | None = None) -> Patch:
    """A made face laid by its own figures, or by those of another one, as if nothing came before it."""
    numbers = figures(measured or made, options)
    return lay(made, numbers, numbers, options, Setting(field))
