"""Where a face lies in its aligned crop: one mean face, one similarity fit, used by extraction and by conversion.

The crop shows the face with surroundings; a net sees only the *view*, its central 62.5% (160 of 256 px), so that
training pictures can be turned, shifted and warped without running out of picture.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import numpy as np

from shared.picture.warp import similarity
from shared.types import Floats, Matrix

VIEW_SHARE: Final = 0.625
"""Side of the view as a share of the crop's."""
FACE_SHARE: Final = 1 / 1.12
"""Longer side of the mean face (jaw to brow) as a share of the view's, where the view is of the face."""
Centring: TypeAlias = Literal["face", "head", "legacy"]
"""What the view shows: jaw to brows, the whole head with its hair, or tightly brows to mouth as in 2017."""

MEAN_FACE: Final[Floats] = np.array(
    [
        *((-5.72, -4.25), (-4.99, -4.8), (-3.99, -5.11), (-2.76, -5.1), (-1.4, -5.01)),
        *((1.4, -5.01), (2.76, -5.1), (3.99, -5.11), (4.99, -4.8), (5.72, -4.25)),
        *((0.0, -3.27), (0.0, -1.73), (0.0, -0.37), (0.0, 0.46)),
        *((-1.41, 1.71), (-0.6, 2.01), (0.0, 2.09), (0.6, 2.01), (1.41, 1.71)),
        *((-4.45, -2.66), (-3.67, -2.93), (-2.72, -2.96), (-1.86, -2.59), (-2.72, -2.32), (-3.67, -2.36)),
        *((1.86, -2.59), (2.72, -2.96), (3.67, -2.93), (4.45, -2.66), (3.67, -2.36), (2.72, -2.32)),
    ],
    dtype=np.float32,
)
"""(31, 2) iBUG points 17-47 (brows, nose, eyes), which speech moves little: MediaPipe's canonical face seen from the
front, in centimetres, x to the right, y down."""
STEADY: Final = slice(17, 48)
"""The points of `MEAN_FACE` among the 68."""
LOWEST, HIGHEST, WIDEST = 9.40, -5.11, 7.74
"""Chin, brows and half the width of the same face, in centimetres."""
_FRAMED: Final[dict[Centring, tuple[float, float]]] = {
    "face": (FACE_SHARE, 0.0),
    "head": (0.64, 4.0),
    "legacy": (1.12, 1.0),
}
"""For each centring: longer side of the mean face as a share of the view's, and how far the view's middle lies above
the face's, in centimetres. Hair ends about 8 cm above the brows."""
HAIR: Final = 3.7
"""How far above the brows a head's hair ends, in distances of brows and eyes (8 cm over 2.2 cm)."""


def face_share(centring: Centring) -> float:
    """Longer side of the mean face as a share of the view's."""
    return _FRAMED[centring][0]


def mean_face(size_px: int, centring: Centring = "face") -> Floats:
    """The mean face as it lies in a crop of `size_px`, (31, 2) float32 pixels."""
    share, rise_cm = _FRAMED[centring]
    side_cm = max(LOWEST - HIGHEST, 2 * WIDEST) / share / VIEW_SHARE
    middle = np.array([0.0, (LOWEST + HIGHEST) / 2 - rise_cm])
    placed = ((MEAN_FACE - middle) / side_cm + 0.5) * size_px - 0.5
    return np.asarray(placed, dtype=np.float32)


def crop_from_frame(landmarks: Floats, size_px: int, centring: Centring = "face") -> Matrix:
    """The similarity that brings a face into its crop.

    Parameters
    ----------
    landmarks : (68, 2) frame pixels.
    size_px : side of the crop.
    """
    return similarity(landmarks[STEADY], mean_face(size_px, centring))


def view_from_frame(landmarks: Floats, view_px: int, centring: Centring = "face") -> Matrix:
    """The similarity that brings a face into its view, `view_px` pixels wide: the central part of the crop."""
    size = view_px / VIEW_SHARE
    shift = np.eye(3)
    shift[:2, 2] = -(size - view_px) / 2
    fit = similarity(landmarks[STEADY], mean_face(1, centring))
    # Pixel centres: a crop of one pixel has its centre at 0, one of n pixels at (n - 1) / 2.
    grow = np.array([[size, 0.0, (size - 1) / 2], [0.0, size, (size - 1) / 2], [0.0, 0.0, 1.0]])
    return np.asarray(shift @ grow @ fit, dtype=np.float64)
