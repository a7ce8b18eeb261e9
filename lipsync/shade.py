"""What is left of the difference in light once a light is fitted: how another room models the same cheeks and chin.

`lipsync.light` is one gain that changes evenly across the face. A lamp from above leaves the sides of a jaw dark that
one from the front does not, and no such gain brings the two together: the new jaw's edge would be seen as a step of
colour. So what remains is taken as it is, over a centimetre and more, from the skin that both show, and steadied along
the track by its mean, in which the shades of what was said before go under.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from lipsync.light import DARKEST, Light, gain_of
from lipsync.palette import SEEN_ON
from shared.picture.warp import gaussian, resize
from shared.types import Floats

EVERY: Final = 3
"""Shades are measured in every third frame: they are as smooth in time as in place."""
BLUR_CM: Final = 1.0
"""What is smaller is a wrinkle, or follows the lips."""
DOUBT: Final = 0.2
"""Weight of no difference, where a whole surrounding of skin weighs 1."""
LARGEST: Final = float(np.log(1.5))
"""No shade is stronger; what is, is a thing or a beard."""


def shade_between(texture: Floats, own: Floats, skin: Floats, light: Light) -> Floats:
    """Logarithm of the gain that is left, smooth, on `SEEN_ON`: (h, w, 3) float32, 0 far from any skin.

    Parameters
    ----------
    texture, own : (H, W, 3) float32 in [0, 1], of the textures' plane, aligned.
    skin : (H, W) float32 weights, where both show skin.
    light : what brings the texture to the light of `own`.
    """
    size = SEEN_ON.size
    known = resize(texture, size) * gain_of(light, size)
    left = np.log((resize(own, size) + np.float32(DARKEST)) / (known + np.float32(DARKEST)))
    weight = resize(skin, size)[..., np.newaxis]
    sigma = BLUR_CM * SEEN_ON.px_per_cm
    smooth = gaussian(np.concatenate([left * weight, weight], axis=2), sigma)
    return np.asarray(np.clip(smooth[..., :3] / (smooth[..., 3:] + np.float32(DOUBT)), -LARGEST, LARGEST), np.float32)


def steady_shade(shades: Sequence[tuple[Floats, float]]) -> Floats | None:
    """The mean of shades by their weights; None where there are none."""
    if not shades:
        return None
    total = sum(weight for _, weight in shades)
    return np.asarray(sum(shade * np.float32(weight / total) for shade, weight in shades), dtype=np.float32)
