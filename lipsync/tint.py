"""The colour of lips: as in the clip, where the same lips are pinker or greyer than the light on the skin makes them.

Light is told by skin (`lipsync.light`), and from one day, camera and make-up to the next lips change otherwise: in five
clips of one man his own lips have 1.06 to 1.18 times the red, beside their green, of those of his footage under the
skin's light. So the mean colour of the lips is compared, in the clip and in what is laid over it, over all frames,
since single ones say different things; what lies between the lips is left out, and not changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lipsync.inside import Region, light_on_mouth
from lipsync.light import Light
from lipsync.opening import OUTER_LIPS
from lipsync.plane import TexturePlane
from shared.picture.mask import erode, polygon_mask
from shared.types import Floats

Rgb: TypeAlias = tuple[float, float, float]
NONE: Final[Rgb] = (0.0, 0.0, 0.0)
FEWEST_PIXELS: Final = 30
"""Lips that are smaller show no colour to compare."""
EDGE_PX: Final = 1.0
"""Left out at both edges of the lips, whose landmarks are that exact."""
DARKEST: Final = 0.02
"""Added to both sides of a ratio: below it, samples are noise."""
BELIEVED: Final = 0.8
"""Share of a difference that is taken out: how lips are held changes their shine."""
SURE_FRAMES: Final = 3.0
"""Frames measured that count as much as what is held without any: that the lips are alike."""
MOST: Final = 0.3
"""Logarithm of the largest gain of a channel, either way."""


@dataclass(slots=True)
class _Level:
    """Sums over the frames measured: by how much, in logarithms, the clip's lips are brighter than those laid over."""

    apart: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    frames: int = 0


@dataclass(slots=True)
class Tints:
    """The colour of the lips of each track, in the clip and in what is laid over it."""

    levels: dict[int, _Level] = field(default_factory=dict)

    def see(
        self, track: int, plane: TexturePlane, own: tuple[Floats, Floats], made: tuple[Floats, Floats], light: Light
    ) -> None:
        """Look at one frame.

        Parameters
        ----------
        own, made : texture (H, W, 3) float32 in [0, 1] on the plane and its lips (H, W), the second in the light of its
            footage.
        light : brings the second to the light of the first.
        """
        insides = [lips > 0.5 for _, lips in (own, made)]
        if min(inside.sum() for inside in insides) < FEWEST_PIXELS:
            return
        sides = zip((own[0], made[0]), insides, strict=True)
        shown, lit = (texture[inside].mean(axis=0, dtype=np.float64) for texture, inside in sides)
        lit *= np.exp(light_on_mouth(light, plane))
        level = self.levels.setdefault(track, _Level())
        level.apart += np.log((shown + DARKEST) / (lit + DARKEST))
        level.frames += 1

    def tint(self, track: int) -> Rgb:
        """Logarithm of the gain of each channel on the lips of a track, beyond the light's."""
        level = self.levels.get(track)
        if level is None:
            return NONE
        apart = BELIEVED * level.apart / (level.frames + SURE_FRAMES)
        red, green, blue = np.clip(apart, -MOST, MOST).tolist()
        return red, green, blue


def lips_of(flat: Floats, inside: Floats, plane: TexturePlane, edge_px: float = EDGE_PX) -> Floats:
    """Draw the lips of a face (68, 2) on the plane, less an edge and their inside (H, W): (H, W) float32 in [0, 1]."""
    whole = polygon_mask(plane.to_texture(flat)[OUTER_LIPS], plane.size)
    return np.asarray(np.maximum(erode(whole, edge_px) - erode(inside, -edge_px), 0.0), dtype=np.float32)


def tinted(texture: Floats, lips: Region | None, tint: Rgb) -> Floats:
    """A texture (H, W, 3) in [0, 1] whose lips have another colour."""
    if lips is None or tint == NONE:
        return texture
    made = texture.copy()
    gain = np.exp(np.array(tint, dtype=np.float32)) - np.float32(1.0)
    part = made[lips.part]
    part *= 1.0 + gain * lips.mask[..., np.newaxis]
    np.clip(part, 0.0, 1.0, out=part)
    return made
