"""The colours that a voice's footage shows at each place of a lower face, with its mouth open and shut.

Few of many frames say it: for each pixel those colours of it and its neighbours are kept that differ most, each time
the one farthest from all that were taken (Gonzalez, TCS 38, 1985).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from lipsync.light import Light, gain_of
from lipsync.plane import COARSEST, TexturePlane
from lipsync.voice import Voice
from shared.picture.colour import lab_from_rgb
from shared.picture.warp import gaussian, resize, to_float
from shared.types import Floats

SEEN_ON: Final = TexturePlane(COARSEST)
"""The plane that is looked at: a pixel is a third of a centimetre."""
SAMPLES: Final = 96
"""Frames of the footage, evenly spread, whose colours are taken."""
COLOURS: Final = 12
"""Colours kept for each pixel."""
LIGHT_WEIGHT: Final = 1 / 1.5
"""Of L beside a and b: shadows and wrinkles change light more than colour."""
BLUR_PX: Final = 0.7
"""Blur of the frame, against grain."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours on `SEEN_ON`.

    Attributes
    ----------
    colours : (K, H, W, 3) float32 RGB in [0, 1], the median first.
    """

    colours: Floats

    @property
    def usual(self) -> Floats:
        """(H, W, 3) the median of the footage."""
        return np.asarray(self.colours[0], dtype=np.float32)

    def difference(self, own: Floats, light: Light) -> Floats:
        """How far each pixel of a face is from all colours under a light, (H, W) float32 in (weighted) Lab units.

        Parameters
        ----------
        own : (H, W, 3) float32 RGB in [0, 1].
        light : what brings the colours to the face's light.
        """
        gain = gain_of(light, SEEN_ON.size)
        apart = _weighted(self.colours * gain)
        apart -= _weighted(gaussian(own, BLUR_PX))
        return np.asarray(np.sqrt(_squared(apart).min(axis=0)), dtype=np.float32)


def palette_of(voice: Voice) -> Palette:
    """The colours of a voice's textures."""
    count = len(voice.pool.rows)
    rows = np.linspace(0, count - 1, min(SAMPLES, count)).round().astype(np.intp)
    textures = [voice.textures[voice.pool.rows[row]] for row in rows]
    return spread_colours(np.array([resize(to_float(np.asarray(one)), SEEN_ON.size) for one in textures]))


def spread_colours(pictures: Floats) -> Palette:
    """The median of pictures (N, H, W, 3), and for each pixel the colours there and beside it that differ most."""
    usual = np.median(pictures, axis=0).astype(np.float32)
    height, width = usual.shape[:2]
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    near = np.concatenate([padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3)])
    lab = _weighted(near)
    kept = [usual]
    away = _squared(lab - _weighted(usual))
    for _ in range(COLOURS - 1):
        farthest = away.argmax(axis=0)[np.newaxis, ..., np.newaxis]
        kept.append(np.take_along_axis(near, farthest, axis=0)[0])
        away = np.minimum(away, _squared(lab - np.take_along_axis(lab, farthest, axis=0)))
    return Palette(np.array(kept, dtype=np.float32))


def _weighted(rgb: Floats) -> Floats:
    lab = lab_from_rgb(rgb)
    lab[..., 0] *= np.float32(LIGHT_WEIGHT)
    return lab


def _squared(apart: Floats) -> Floats:
    """Squares of (..., 3) summed, in place; a sum along an axis of three is slow."""
    apart *= apart
    return np.asarray(apart[..., 0] + apart[..., 1] + apart[..., 2], dtype=np.float32)
