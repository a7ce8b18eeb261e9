"""Edits of a face's shape, off the line between real faces: jaw, chin, eyes, brows, nose, mouth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.face.landmarks import CanonicalFace


@dataclass(frozen=True, slots=True)
class Reshape:
    """How far each part moves; ratios are relative growth, ``_cm`` canonical centimetres; 0 leaves it as it is."""

    jaw: float = 0.0
    """Growth of the jaw's width."""
    forehead: float = 0.0
    """Growth of the forehead's width."""
    width: float = 0.0
    """Growth of the whole face's width."""
    chin_cm: float = 0.0
    """Chin moved down."""
    tall: float = 0.0
    """Growth of the face's height, in tenths."""
    eye_gap_cm: float = 0.0
    """Each eye moved outwards."""
    eye_rise_cm: float = 0.0
    eye_size: float = 0.0
    eye_tilt_cm: float = 0.0
    """Inner eye corner moved up."""
    brow_rise_cm: float = 0.0
    nose_width: float = 0.0
    nose_length_cm: float = 0.0
    nose_depth_cm: float = 0.0
    mouth_width: float = 0.0
    mouth_rise_cm: float = 0.0
    lip_height: float = 0.0


def reshaped(shape: NDArray[np.float64], by: Reshape, canonical: CanonicalFace) -> NDArray[np.float64]:
    """A pose-free shape (468, 3) in canonical units (x right, y up, z to the camera) with the edits made."""
    reach = _Reach(canonical.vertices.astype(np.float64))
    new = shape.copy()
    y = reach.flat[:, 1]
    low, high = _step(-(y + 1.5) / 1.2), _step((y - 3.5) / 1.2)
    new[:, 0] *= 1.0 + by.jaw * low + by.forehead * high + by.width
    new[:, 1] += by.tall * y * 0.1 - by.chin_cm * _step(-(y + 4.5))
    for side, corners, brow in ((1.0, (263, 362), (334, 296)), (-1.0, (33, 133), (105, 66))):
        eye = reach.around(corners, 2.0, 1.6)
        new[:, 0] += side * by.eye_gap_cm * eye
        new[:, 1] += by.eye_rise_cm * eye
        grow = by.eye_size * reach.around(corners, 1.5, 1.1)
        new[:, :2] += grow[:, np.newaxis] * (new - new[list(corners)].mean(axis=0))[:, :2]
        new[:, 1] += by.eye_tilt_cm * reach.around(corners[1:], 1.0, 1.0)
        new[:, 1] += by.brow_rise_cm * reach.around(brow, 2.0, 1.0)
    new[:, 0] *= 1.0 + by.nose_width * reach.around((4, 5), 1.3, 2.0)
    new[:, 1] -= by.nose_length_cm * reach.around((4, 2, 98, 327), 1.6, 1.3)
    new[:, 2] += by.nose_depth_cm * reach.around((4,), 1.2, 2.0)
    mouth = reach.around((13, 14), 2.4, 1.4)
    new[:, 0] *= 1.0 + by.mouth_width * mouth
    new[:, 1] += by.mouth_rise_cm * mouth
    lips = by.lip_height * reach.around((13, 14), 2.2, 0.9)
    new[:, 1] += lips * (new[:, 1] - new[[13, 14], 1].mean())
    return new


class _Reach:
    """Soft neighbourhoods on the canonical face."""

    def __init__(self, vertices: NDArray[np.float64]) -> None:
        self.flat = vertices[:, :2]

    def around(self, vertices: Sequence[int], across_cm: float, up_cm: float) -> NDArray[np.float64]:
        """(468,) a Gaussian bump about the mean of some vertices."""
        apart = (self.flat - self.flat[list(vertices)].mean(axis=0)) / (across_cm, up_cm)
        return np.asarray(np.exp(-0.5 * (apart**2).sum(axis=1)), dtype=np.float64)


def _step(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-values)), dtype=np.float64)
