"""Hands and microphones drawn with a known alpha, to be laid in front of real faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared.picture.warp import gaussian
from shared.types import Floats, IntBox, Patch

Kind = Literal["hand", "microphone"]
LIGHT = np.array([-0.35, -0.6, 0.72])
SOFT_PX = 1.2
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tube:
    """A tapered tube with round ends, in units of the thing's size about its own middle; y points down."""

    start: tuple[float, float]
    end: tuple[float, float]
    radii: tuple[float, float]


HAND = (
    Tube((0.0, 0.25), (0.0, 2.6), (0.30, 0.42)),
    Tube((0.0, 0.18), (0.0, -0.05), (0.36, 0.37)),
    Tube((-0.25, -0.18), (-0.36, -0.72), (0.105, 0.08)),
    Tube((-0.09, -0.25), (-0.13, -0.92), (0.11, 0.085)),
    Tube((0.08, -0.25), (0.09, -0.86), (0.11, 0.08)),
    Tube((0.24, -0.18), (0.31, -0.66), (0.095, 0.07)),
    Tube((0.28, 0.15), (0.68, -0.16), (0.125, 0.09)),
)
MICROPHONE = (Tube((0.0, 0.2), (0.0, 2.6), (0.15, 0.13)), Tube((0.0, 0.0), (0.0, -0.1), (0.30, 0.30)))


def drawn(
    kind: Kind,
    centre: Doubles,
    size_px: float,
    turn: float,
    skin: Floats,
    size: tuple[int, int],
    seed: int,
) -> Patch | None:
    """The thing as a patch of a frame; None where it lies outside.

    Parameters
    ----------
    centre : (2,) of the palm or the microphone's head, frame pixels.
    size_px : of one unit.
    turn : radians; 0 points up.
    skin : (3,) RGB in [0, 1], of a hand.
    size : (height, width) of the frame.
    """
    reach = 3.2 * size_px
    x0, y0 = np.maximum(np.floor(centre - reach), -2).astype(int)
    x1, y1 = np.minimum(np.ceil(centre + reach), [size[1] + 2, size[0] + 2]).astype(int)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return None
    rows, columns = np.indices((y1 - y0, x1 - x0)).astype(np.float64)
    away = np.stack([columns + x0 - centre[0], rows + y0 - centre[1]], axis=-1) / size_px
    turned = away @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    inside, height = _solid(HAND if kind == "hand" else MICROPHONE, turned)
    alpha = np.clip(inside * size_px / SOFT_PX + 0.5, 0, 1).astype(np.float32)
    alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1] = 0, 0, 0, 0
    picture = _lit(height * size_px, _paint(kind, turned, skin, seed, size_px))
    box: IntBox = (int(x0), int(y0), int(x1), int(y1))
    return Patch(box, picture, alpha)


def _solid(tubes: tuple[Tube, ...], places: Doubles) -> tuple[Doubles, Doubles]:
    """Depth inside the outline and height above the picture, both (H, W) in units."""
    inside, height = np.full(places.shape[:2], -9.0), np.zeros(places.shape[:2])
    for tube in tubes:
        start, along = np.array(tube.start), np.array(tube.end) - np.array(tube.start)
        share = np.clip(((places - start) @ along) / (along @ along), 0, 1)
        distance = np.linalg.norm(places - start - share[..., np.newaxis] * along, axis=-1)
        radius = tube.radii[0] + share * (tube.radii[1] - tube.radii[0])
        inside = np.maximum(inside, radius - distance)
        height = np.maximum(height, np.sqrt(np.maximum(radius**2 - distance**2, 0)))
    return inside, height


def _paint(kind: Kind, places: Doubles, skin: Floats, seed: int, size_px: float) -> Floats:
    """(H, W, 3) colours before light."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=(*places.shape[:2], 1)).astype(np.float32)
    coarse = gaussian(noise, 0.06 * size_px)
    coarse /= max(float(coarse.std()), 1e-6)
    if kind == "hand":
        return np.asarray(skin * (1 + 0.04 * coarse + 0.012 * gaussian(noise, 0.7) / 0.3), dtype=np.float32)
    grid = 0.5 + 0.5 * np.sign(np.sin(places[..., :1] * 60) * np.sin(places[..., 1:] * 60))
    return np.asarray(np.float32([0.16, 0.16, 0.18]) * (0.8 + 0.4 * grid), dtype=np.float32)


def _lit(height_px: Doubles, paint: Floats) -> Floats:
    smooth = gaussian(height_px.astype(np.float32), 1.0)
    down, across = np.gradient(smooth)
    normal = np.stack([-across, -down, np.ones_like(smooth)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    light = 0.45 + 0.65 * np.maximum(normal @ LIGHT, 0)
    return np.asarray(np.clip(paint * light[..., np.newaxis], 0, 1), dtype=np.float32)
