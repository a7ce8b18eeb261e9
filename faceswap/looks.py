"""What a cut-out face looks like, in numbers: light, colour, expression, how far its points are from any head.

All of it is measured on the crop and its landmarks alone, so that pictures from anywhere can be compared.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.face.landmarks import CORNERS_68, CanonicalFace, eye_distance, mouth_opening
from shared.face.pose import FLIP, fit_pose_68
from shared.picture.colour import lab_from_rgb
from shared.picture.mask import hull_mask, mouth_mask, polygon_mask
from shared.picture.warp import resize, to_float
from shared.types import Floats

MEASURED_PX: Final = 80
"""Side of the copy of the crop that is measured: light and colour need no more."""
BLACK, WHITE = 3, 252
"""8-bit levels at which a sample tells nothing any more."""
PART_GROW: Final = 1.4
NOSE_BASE: Final = 33
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)
FIRM: Final = (*range(17, 48),)
"""Brows, nose and eyes: what the misfit looks at beside the rigid points."""


@dataclass(frozen=True, slots=True)
class Looks:
    """Measures of one face; units as of the columns of `faceswap.rows.FaceRow` with these names."""

    light: float
    side_light: float
    top_light: float
    red: float
    yellow: float
    burnt: float
    mouth: float
    smile: float
    eyes: float
    brows: float

    def as_columns(self) -> dict[str, Any]:
        """The measures by name."""
        return dataclasses.asdict(self)


def looks_of(crop: NDArray[np.uint8], landmarks: Floats) -> Looks:
    """Measure a crop.

    Parameters
    ----------
    crop : (S, S, 3) RGB.
    landmarks : (68, 2) pixels of the crop.
    """
    scale = MEASURED_PX / crop.shape[0]
    points = (landmarks + 0.5) * scale - 0.5
    small = resize(crop, (MEASURED_PX, MEASURED_PX))
    skin = skin_mask(points, MEASURED_PX)
    lab = lab_from_rgb(to_float(small))
    middle = points[27:34].mean(axis=0)
    across, down = np.meshgrid(np.arange(MEASURED_PX), np.arange(MEASURED_PX))
    lightness = np.asarray(lab[..., 0])
    extreme = (small <= BLACK).all(axis=2) | (small >= WHITE).all(axis=2)
    return Looks(
        light=_mean(lightness, skin),
        side_light=_mean(lightness, skin & (across > middle[0])) - _mean(lightness, skin & (across <= middle[0])),
        top_light=_mean(lightness, skin & (down < points[NOSE_BASE, 1]))
        - _mean(lightness, skin & (down >= points[NOSE_BASE, 1])),
        red=_mean(np.asarray(lab[..., 1]), skin),
        yellow=_mean(np.asarray(lab[..., 2]), skin),
        burnt=_mean(np.asarray(extreme, dtype=np.float32), skin),
        **expression_of(landmarks),
    )


def expression_of(landmarks: Floats) -> dict[str, float]:
    """``mouth``, ``smile``, ``eyes`` and ``brows`` from (68, 2) points: ratios, free of size and roll."""
    unit = max(eye_distance(landmarks), 1e-6)
    width = float(np.linalg.norm(landmarks[54] - landmarks[48]))
    return {
        "mouth": mouth_opening(landmarks),
        "smile": width / unit,
        "eyes": (_lids(landmarks[RIGHT_EYE]) + _lids(landmarks[LEFT_EYE])) / 2,
        "brows": float(np.linalg.norm(landmarks[17:27].mean(axis=0) - landmarks[36:48].mean(axis=0))) / unit,
    }


def gaze_of(landmarks: Floats, irises: Floats) -> tuple[float, float]:
    """How far to the picture's right and how far down somebody looks, irises against eyes, in widths of an eye.

    Parameters
    ----------
    landmarks : (68, 2) pixels.
    irises : (2, 2) pixels of the same picture.
    """
    eyes = landmarks[np.array(CORNERS_68)]
    axes = eyes[:, 1] - eyes[:, 0]
    away = irises - eyes.mean(axis=1)
    squares = np.maximum((axes**2).sum(axis=1), 1e-6)
    across = float(((away * axes).sum(axis=1) / squares).mean())
    down = float(((away[:, 1] * axes[:, 0] - away[:, 0] * axes[:, 1]) / squares).mean())
    return across, down


def skin_mask(points: Floats, size_px: int) -> NDArray[np.bool_]:
    """Where a face shows skin: inside its hull, without eyes and mouth, (S, S) bool."""
    size = (size_px, size_px)
    parts = mouth_mask(points, size, PART_GROW)
    for eye in (points[RIGHT_EYE], points[LEFT_EYE]):
        centre = eye.mean(axis=0)
        parts = np.maximum(parts, polygon_mask(centre + (eye - centre) * PART_GROW, size))
    return np.asarray((hull_mask(points, size) > 0.5) & (parts < 0.5))


def misfit_of(landmarks: Floats, canonical: CanonicalFace) -> float:
    """How far (68, 2) landmarks are from a head in their pose: root mean square over the firm points, in eye distances.

    The head is the canonical face under the scaled orthographic camera that fits the rigid points best; speech moves
    none of the points compared much. Good points of real people come to 0.03 to 0.1.
    """
    model = canonical.landmarks
    pose = fit_pose_68(landmarks, model)
    projected = pose.scale * (model[list(FIRM)].astype(np.float64) @ (FLIP @ pose.rotation).T)[:, :2] + pose.offset[:2]
    apart = landmarks[list(FIRM)] - projected
    unit = max(eye_distance(model[:, :2]) * pose.scale, 1e-6)
    return float(np.sqrt((apart**2).sum(axis=1).mean())) / unit


def _mean(values: Floats, where: NDArray[np.bool_]) -> float:
    return float(values[where].mean()) if where.any() else 0.0


def _lids(eye: Floats) -> float:
    """Mean gap of the lids over the width of an eye, (6, 2) points."""
    gaps = np.linalg.norm(eye[[1, 2]] - eye[[5, 4]], axis=1)
    return float(gaps.mean() / max(np.linalg.norm(eye[3] - eye[0]), 1e-6))
