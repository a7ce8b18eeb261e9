"""What one light is to another on the same skin: a gain for each colour that changes evenly across the face.

A lamp of another strength, colour or place multiplies linear light; gamma-coded samples follow a power law, so it
multiplies these too (von Kries, for each channel of RGB, Finlayson et al., "Spectral sharpening", JOSA A 1994). The
gain is ``exp(a + b x + c y)`` for each channel: strength and colour in a, the side it comes from in b and c. Nothing is
stretched, so lips and teeth keep their own contrast to the skin.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.picture.warp import gaussian, resize
from shared.types import Floats

FEWEST_PIXELS: Final = 24.0
"""Skin below which nothing is said of the light."""
DARKEST: Final = 0.02
"""Added to both sides of a ratio: below it, samples are noise."""
BLUR_PX: Final = 2.0
STIFFNESS: Final = 0.02
"""Weight (as a share of the skin) that holds the slopes at 0, so that little skin gives no wild slope."""
SLOWEST, FASTEST = float(np.log(0.2)), float(np.log(4.0))


@dataclass(frozen=True, slots=True)
class Light:
    """Logarithm of the gain: (3 terms, 3 channels) float64, for 1, x and y over the texture from -1 to 1."""

    terms: NDArray[np.float64]


def light_between(texture: Floats, own: Floats, skin: Floats) -> Light | None:
    """Fit the gain that brings a texture to the light of another picture of the same skin.

    Parameters
    ----------
    texture, own : (H, W, 3) float32 in [0, 1], aligned.
    skin : (H, W) float32 weights, where both show skin.
    """
    total = float(skin.sum())
    if total < FEWEST_PIXELS:
        return None
    inside = np.flatnonzero(skin > 0)
    weight = skin.reshape(-1)[inside].astype(np.float64) / total
    basis = _basis(skin.shape)[inside]
    seen, known = (gaussian(picture, BLUR_PX).reshape(-1, 3)[inside] for picture in (own, texture))
    ratio = np.log((seen + DARKEST) / (known + DARKEST))
    held = STIFFNESS * np.diag([0.0, 1.0, 1.0])
    weighed = (basis * weight[:, np.newaxis]).T
    terms = np.linalg.solve(weighed @ basis + held, weighed @ ratio)
    return Light(np.asarray(terms, dtype=np.float64))


def steady_light(lights: Sequence[Light]) -> Light:
    """Take the median of gains, term by term: a hand before the mouth for some frames does not change the light."""
    return Light(np.asarray(np.median([light.terms for light in lights], axis=0), dtype=np.float64))


def relight(texture: Floats, light: Light, strength: float = 1.0, shade: Floats | None = None) -> Floats:
    """Apply a gain to a texture (H, W, 3); `strength` 0 leaves it, 1 applies it all.

    Parameters
    ----------
    shade : (h, w, 3) logarithm of a further gain, of another size (`lipsync.shade`).
    """
    size = (texture.shape[0], texture.shape[1])
    exponent = _exponent(light, size)
    if shade is not None:
        exponent += resize(shade, size)
    np.clip(exponent, SLOWEST, FASTEST, out=exponent)
    if strength != 1.0:
        exponent *= np.float32(strength)
    gain = np.exp(exponent, out=exponent)
    gain *= texture
    return np.clip(gain, 0.0, 1.0, out=gain)


def gain_of(light: Light, size: tuple[int, int]) -> Floats:
    """The gain itself over a texture of a size, (H, W, 3) float32, however dark or bright."""
    return np.asarray(np.exp(_exponent(light, size)), dtype=np.float32)


def log_gain_at(light: Light, point: Floats, size: tuple[int, int]) -> NDArray[np.float64]:
    """Logarithm of the gain of each channel at a pixel (2,) of a texture of a size: (3,)."""
    x, y = (2.0 * float(place) / (side - 1) - 1.0 for place, side in zip(point, size[::-1], strict=True))
    return np.asarray(np.array([1.0, x, y]) @ light.terms, dtype=np.float64)


def _exponent(light: Light, size: tuple[int, int]) -> Floats:
    """Logarithm of the gain over a texture of a size, (H, W, 3) float32."""
    (constant, across, down), rows, columns = light.terms, *(np.linspace(-1.0, 1.0, side) for side in size)
    along = (constant + rows[:, np.newaxis] * down).astype(np.float32)
    aside = (columns[:, np.newaxis] * across).astype(np.float32)
    exponent = np.empty((*size, 3), dtype=np.float32)
    for channel in range(3):  # sums along an axis of three are slow
        np.add(along[:, np.newaxis, channel], aside[:, channel], out=exponent[..., channel])
    return exponent


@functools.lru_cache(maxsize=8)
def _basis(size: tuple[int, ...]) -> NDArray[np.float64]:
    """1, x and y for each pixel of a size, (H W, 3)."""
    rows, columns = np.linspace(-1.0, 1.0, size[0]), np.linspace(-1.0, 1.0, size[1])
    y, x = np.meshgrid(rows, columns, indexing="ij")
    basis = np.stack([np.ones_like(x), x, y], axis=-1).reshape(-1, 3)
    basis.flags.writeable = False
    return basis
