"""The inside of a drawn mouth: dark cavity, tongue, lower and upper teeth, each fixed to its own part of the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.picture.warp import gaussian, warp_picture
from shared.types import Floats, Matrix

PER_CM: Final = 24.0
"""Pixels of the drawn sprites a canonical centimetre."""
SPAN_CM: Final = (4.0, 7.0)
"""Height and width of a sprite; its middle is the middle of the closed lips."""
CAVITY: Final = (0.20, 0.075, 0.075)
TONGUE: Final = (0.62, 0.31, 0.31)
TOOTH: Final = (0.93, 0.89, 0.82)
LIP_SHADOW: Final = 0.42
"""Darkening under the upper lip, fading over 0.4 cm."""
_UPPER_WIDTHS_CM: Final = (0.86, 0.68, 0.76, 0.66, 0.60)
_LOWER_WIDTHS_CM: Final = (0.52, 0.58, 0.64, 0.62, 0.60)


@dataclass(frozen=True, slots=True)
class Interior:
    """Sprites, (H, W, 4) float32 RGB (multiplied by alpha) and alpha, at `PER_CM`."""

    upper: Floats
    lower: Floats
    tongue: Floats


def make_interior() -> Interior:
    """Draw the sprites once."""
    return Interior(
        upper=_teeth(_UPPER_WIDTHS_CM, edge_cm=-0.16, root_cm=1.0, up=1.0),
        lower=_teeth(_LOWER_WIDTHS_CM, edge_cm=-0.06, root_cm=-1.0, up=-1.0),
        tongue=_tongue(),
    )


def sprite_from_face() -> Matrix:
    """The map from canonical (x, y up) relative to the middle of the closed lips to sprite pixels."""
    height, width = (round(side * PER_CM) for side in SPAN_CM)
    return np.array([[PER_CM, 0, (width - 1) / 2], [0, -PER_CM, (height - 1) / 2], [0, 0, 1.0]])


def draw_interior(
    interior: Interior, box_from_head: Matrix, box_from_jaw: Matrix, tongue_cm: float, depth_px: Floats
) -> Floats:
    """The mouth's inside in a box of the frame.

    Parameters
    ----------
    box_from_head, box_from_jaw : maps from canonical (x, y up), relative to the middle of the closed lips, to box
        pixels, for what is fixed to the skull and to the jaw.
    tongue_cm : how far the tongue is raised.
    depth_px : (H, W) distance of each pixel below the upper lip's edge, in canonical centimetres.

    Returns
    -------
    (H, W, 3) float32 RGB in [0, 1].
    """
    size = (depth_px.shape[0], depth_px.shape[1])
    face_from_sprite = np.linalg.inv(sprite_from_face())
    picture = np.broadcast_to(np.array(CAVITY, dtype=np.float32), (*size, 3)).copy()
    raised = np.array([[1, 0, 0], [0, 1, tongue_cm], [0, 0, 1.0]])
    layers = (
        (interior.tongue, box_from_jaw @ raised),
        (interior.lower, box_from_jaw),
        (interior.upper, box_from_head),
    )
    for sprite, box_from_face in layers:
        layer = warp_picture(sprite, box_from_face @ face_from_sprite, size, "zero")
        picture = picture * (1.0 - layer[..., 3:]) + layer[..., :3]
    shade = 1.0 - LIP_SHADOW * np.exp(-np.maximum(depth_px, 0.0) / 0.18)
    return np.asarray(picture * shade[..., np.newaxis], dtype=np.float32)


def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    height, width = (round(side * PER_CM) for side in SPAN_CM)
    face_from_sprite = np.linalg.inv(sprite_from_face())
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    return face_from_sprite[0, 0] * columns + face_from_sprite[0, 2], face_from_sprite[1, 1] * rows + face_from_sprite[
        1, 2
    ]


def _teeth(widths_cm: tuple[float, ...], edge_cm: float, root_cm: float, up: float) -> Floats:
    """A row of teeth along an arc; they narrow and darken towards the sides."""
    x, y = _grid()
    picture = np.zeros((*x.shape, 4), dtype=np.float32)
    for side in (-1.0, 1.0):
        start = 0.0
        for number, width in enumerate(widths_cm):
            end = start + width * (1.0 - 0.13 * number)
            middle, half = side * (start + end) / 2, (end - start) / 2 - 0.015
            tip = edge_cm + up * (0.05 * number + 0.04 * (number == 1))
            across = np.clip((half - np.abs(x - middle)) / 0.04 + 0.5, 0.0, 1.0)
            rounded = 0.10 * (np.abs(x - middle) / max(half, 1e-6)) ** 4
            along = np.clip((up * (y - tip) - rounded) / 0.05 + 0.5, 0.0, 1.0)
            below_root = np.clip(up * (root_cm - y) / 0.05 + 0.5, 0.0, 1.0)
            alpha = (across * along * below_root).astype(np.float32)
            light = (1.0 - 0.17 * number) * (0.93 + 0.07 * np.cos(np.pi * (x - middle) / (2 * half)))
            fresh = (light * alpha)[..., np.newaxis] * np.array(TOOTH)
            picture[..., :3] = picture[..., :3] * (1 - alpha[..., np.newaxis]) + fresh
            picture[..., 3] = picture[..., 3] * (1 - alpha) + alpha
            start = end
    return gaussian(picture, 0.8)


def _tongue() -> Floats:
    x, y = _grid()
    away = np.sqrt((x / 1.9) ** 2 + ((y + 1.15) / 0.75) ** 2)
    alpha = np.clip((1.0 - away) / 0.12, 0.0, 1.0)
    light = (0.75 + 0.25 * np.clip(1.0 - away, 0.0, 1.0)) * (1.0 - 0.12 * np.exp(-((x / 0.15) ** 2)))
    picture = np.concatenate([(light * alpha)[..., np.newaxis] * np.array(TONGUE), alpha[..., np.newaxis]], axis=-1)
    return gaussian(picture.astype(np.float32), 1.5)
