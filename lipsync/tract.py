"""Another voice's vocal tract brought to that of the speaker, before his network hears it.

A longer tract shrinks the axis of frequencies. It is stretched by the factor with which an acoustic model of many
voices (`models.ear`) finds a sound likeliest (Lee and Rose, "A frequency warping approach to speaker normalization",
IEEE Transactions on Speech and Audio Processing 6(1), 1998), less the speaker's own: with two of Obama's speeches and
the voice of a GRID speaker that is 1.14 and 1.18; a network followed him best with 1.05 to 1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from lipsync.features import HIGHEST_HZ, LOWEST_HZ, mel_of_hz
from lipsync.logmel import BANDS
from models.ear import LOUD_ROWS, Ear
from shared.clock import FEATURE_RATE_HZ
from shared.types import Floats

FACTORS: Final = tuple(float(factor) for factor in np.geomspace(0.8, 1.25, 13))
"""Factors tried: a woman's voice and a man's differ by about 0.85."""
MOST_ROWS, LEAST_ROWS = 400, 40
"""Rows that are judged, and of each of many sounds: in a second of one core, and in three."""
STRONG: Final = 2.76
"""They have at most so much less power than the loudest quarter of a second (12 dB, natural logarithm): vowels, which
noise spoils last. By all rows within 17 dB in the mean of their bands, a man was taken for one with a tract of .85 of
his own once there was pink noise 20 dB under his speech, by these for one of .90."""
CLEAR: Final = 3.45
"""Speech that is louder than what is always there by so much (15 dB, natural logarithm) stands well over it."""
ALWAYS: Final = 10.0
"""Percentile of a band's rows that is always there."""
MIXED: Final = 1.0
"""Bands over which rows are mixed where factors are judged (standard deviation)."""
SOFT: Final = 0.15
"""Log-likelihood of a row by which a factor counts a third of the likeliest: between 0.95 and 1.05 hardly a voice
differs by more, and the mean of what is as good as the best is steadier than the best."""
PARTS, PART_ROWS = 10, 600
"""Of a sound of more than a minute so many parts are judged, evenly spread."""
BLOCK: Final = 10_000
"""Rows stretched at once."""
MOST_CLIPS: Final = 30
TRUST_S: Final = 5.0
"""Seconds of strong rows at which half of what is found is believed: of single sentences (0.9 s) factors of one man
differ by 0.04 (standard deviation), and a woman's vowels of one may be a man's with a longer tract."""


def stretched(features: Floats, factors: NDArray[np.float64]) -> Floats:
    """Log-mel rows (B, T, 40) with their axis of frequencies stretched, each crop by its own factor (B,)."""
    place = _places(factors)
    below = np.minimum(place.astype(np.intp), BANDS - 2)
    share = (place - below).astype(np.float32)[:, np.newaxis]
    first = np.take_along_axis(features, below[:, np.newaxis], axis=2)
    second = np.take_along_axis(features, below[:, np.newaxis] + 1, axis=2)
    return np.asarray(first + share * (second - first))


def _places(factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Between which bands each band of a stretched sound lies, (B, 40) in [0, 39]."""
    low, step = mel_of_hz(LOWEST_HZ), (mel_of_hz(HIGHEST_HZ) - mel_of_hz(LOWEST_HZ)) / (BANDS + 1)
    centres_hz = 700.0 * (10.0 ** ((low + step * np.arange(1, BANDS + 1)) / 2595.0) - 1.0)
    mels = 2595.0 * np.log10(1.0 + centres_hz / factors[:, np.newaxis] / 700.0)
    return np.clip((mels - low) / step - 1.0, 0.0, BANDS - 1.0)


def _mixes() -> NDArray[np.float32]:
    """What brings rows to each of the `FACTORS`, (F, 40, 40).

    Wider than `stretched`: a band that is mixed of two is likelier than one as it was, and each factor must mix alike.
    """
    away = _places(np.array(FACTORS))[:, np.newaxis] - np.arange(BANDS)[:, np.newaxis]
    shares = np.exp(-0.5 * (away / MIXED) ** 2)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=np.float32)


def tract_of(ear: Ear, sounds: Sequence[Floats]) -> float:
    """The factor that brings a voice to the acoustic model's, by log-mel rows (T, 40) of its sounds; 1 without any."""
    heard = [sound for sound in sounds if len(sound) > 0]
    heard = heard[:: max(1, -(-len(heard) // MOST_CLIPS))]
    if not heard:
        return 1.0
    most = max(LEAST_ROWS, MOST_ROWS // len(heard))
    likely = np.zeros(len(FACTORS))
    mixes = _mixes()
    for sound in heard:
        some = _excerpts(sound)
        strong = torch.from_numpy(strong_rows(some))
        likely += [ear.likelihood(torch.from_numpy(some @ mix)[np.newaxis], strong, most) for mix in mixes]
    shares = np.exp((likely - likely.max()) / (SOFT * len(heard)))
    return float(np.exp(shares @ np.log(FACTORS) / shares.sum()))


def factor_to(ear: Ear, features: Floats, own: float) -> float:
    """What brings any voice to one with the tract `own`, as far as log-mel rows (T, 40) of it tell that; 1 for none."""
    if len(features) == 0:
        return 1.0
    strong = strong_rows(features)
    strong_s = float(strong.sum()) / FEATURE_RATE_HZ
    trust = clearness(features, strong) * strong_s / (strong_s + TRUST_S)
    return float((tract_of(ear, [features]) / own) ** trust)


def clearness(features: Floats, strong: NDArray[np.bool_]) -> float:
    """Share of the bands of (T, 40) log-mel rows in which the strong ones stand well over what is always there."""
    over = features[strong].mean(axis=0) - np.percentile(features, ALWAYS, axis=0)
    return float(np.mean(over >= CLEAR))


def strong_rows(features: Floats) -> NDArray[np.bool_]:
    """Which rows (T, 40), T >= 1, have not much less power than the loudest quarter of a second; one at least.

    How loud that is, is told by the mean of the logarithms: a click is no quarter of a second.
    """
    level = np.log(np.exp(features).mean(axis=1))
    rows = min(LOUD_ROWS, len(level))
    loudest = np.convolve(level, np.full(rows, 1.0 / rows), mode="valid").max()
    return np.asarray(level >= min(loudest - STRONG, level.max()))


def brought(features: Floats, factor: float) -> Floats:
    """Log-mel rows (T, 40) with their axis of frequencies stretched by a factor."""
    factors = np.array([factor])
    blocks = [stretched(features[np.newaxis, at : at + BLOCK], factors)[0] for at in range(0, len(features), BLOCK)]
    return np.concatenate(blocks, dtype=np.float32) if blocks else features


def _excerpts(sound: Floats) -> Floats:
    if len(sound) <= PARTS * PART_ROWS:
        return sound
    starts = np.linspace(0, len(sound) - PART_ROWS, PARTS).round().astype(int)
    return np.concatenate([sound[start : start + PART_ROWS] for start in starts])
