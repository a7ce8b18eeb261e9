"""Another voice's vocal tract brought to that of the speaker, before his network hears it.

A longer tract shrinks the axis of frequencies. It is stretched by the factor with which an acoustic model of many
voices (`models.ear`) finds a sound likeliest (Lee and Rose, "A frequency warping approach to speaker normalization",
IEEE Transactions on Speech and Audio Processing 6(1), 1998), less the speaker's own: with Obama's speech and the voice
of a GRID speaker that is 1.08, and the factor with which the network followed him best 1.05 to 1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from lipsync.features import HIGHEST_HZ, LOWEST_HZ, mel_of_hz
from lipsync.logmel import BANDS
from models.ear import Ear
from shared.clock import FEATURE_RATE_HZ
from shared.types import Floats

FACTORS: Final = tuple(float(factor) for factor in np.geomspace(0.8, 1.25, 13))
"""Factors tried: a woman's voice and a man's differ by about 0.85."""
MOST_ROWS: Final = 400
"""Loud rows of a sound that are judged: enough for a hundredth of a factor, in a second of one core."""
PARTS, PART_ROWS = 10, 600
"""Of a sound of more than a minute so many parts are judged, evenly spread."""
BLOCK: Final = 10_000
"""Rows stretched at once."""
MOST_CLIPS: Final = 30
TRUST_S: Final = 5.0
"""Seconds of loud speech at which half of what is found is believed: of single sentences (1.7 s) factors of one man
differ by 0.06 (standard deviation). It costs his own sentences nothing (M-LMD 2.44 and 2.43 px, r .952 and .952), and
brings r of Obama's opening in two clips from .572 and .558 to .583 and .580 (a network of 33 minutes of GRID)."""


def stretched(features: Floats, factors: NDArray[np.float64]) -> Floats:
    """Log-mel rows (B, T, 40) with their axis of frequencies stretched, each crop by its own factor (B,)."""
    low, step = mel_of_hz(LOWEST_HZ), (mel_of_hz(HIGHEST_HZ) - mel_of_hz(LOWEST_HZ)) / (BANDS + 1)
    centres_hz = 700.0 * (10.0 ** ((low + step * np.arange(1, BANDS + 1)) / 2595.0) - 1.0)
    mels = 2595.0 * np.log10(1.0 + centres_hz / factors[:, np.newaxis] / 700.0)
    place = np.clip((mels - low) / step - 1.0, 0.0, BANDS - 1.0)
    below = np.minimum(place.astype(np.intp), BANDS - 2)
    share = (place - below).astype(np.float32)[:, np.newaxis]
    first = np.take_along_axis(features, below[:, np.newaxis], axis=2)
    second = np.take_along_axis(features, below[:, np.newaxis] + 1, axis=2)
    return np.asarray(first + share * (second - first))


def tract_of(ear: Ear, sounds: Sequence[Floats]) -> float:
    """The factor that brings a voice to the acoustic model's, by log-mel rows (T, 40) of its sounds; 1 without any."""
    heard = [sound for sound in sounds if len(sound) > 0]
    heard = heard[:: max(1, -(-len(heard) // MOST_CLIPS))]
    if not heard:
        return 1.0
    most = max(1, MOST_ROWS // len(heard))
    likely = np.zeros(len(FACTORS))
    for sound in heard:
        # Stretching blurs between bands, which is likelier by itself: all factors are tried on rows as blurred.
        padded = np.pad(_excerpts(sound), ((0, 0), (1, 1)), mode="edge")
        blurred = (padded[:, :-2] + 2.0 * padded[:, 1:-1] + padded[:, 2:]) / 4.0
        for number, factor in enumerate(FACTORS):
            rows = torch.from_numpy(stretched(blurred[np.newaxis].astype(np.float32), np.array([factor])))
            likely[number] += ear.likelihood(rows, most)
    return float(np.exp(_peak(np.log(FACTORS), likely)))


def as_own(ear: Ear, features: Floats, own: float) -> Floats:
    """Log-mel rows (T, 40) of any voice as one with the tract `own` would have said them, as far as that is told."""
    if len(features) == 0:
        return features
    loud_s = ear.loud_rows(torch.from_numpy(features)[np.newaxis]) / FEATURE_RATE_HZ
    trust = loud_s / (loud_s + TRUST_S)
    factor = (tract_of(ear, [features]) / own) ** trust
    factors = np.array([factor])
    blocks = [stretched(features[np.newaxis, at : at + BLOCK], factors)[0] for at in range(0, len(features), BLOCK)]
    return np.concatenate(blocks, dtype=np.float32)


def _excerpts(sound: Floats) -> Floats:
    if len(sound) <= PARTS * PART_ROWS:
        return sound
    starts = np.linspace(0, len(sound) - PART_ROWS, PARTS).round().astype(int)
    return np.concatenate([sound[start : start + PART_ROWS] for start in starts])


def _peak(places: NDArray[np.float64], heights: NDArray[np.float64]) -> float:
    """Where heights at even places are highest, between the places by a parabola."""
    best = int(np.argmax(heights))
    if best in (0, len(heights) - 1):
        return float(places[best])
    before, here, after = heights[best - 1 : best + 2]
    bend = before - 2.0 * here + after
    shift = 0.0 if bend >= 0.0 else 0.5 * (before - after) / bend
    return float(places[best] + shift * (places[1] - places[0]))
