"""When each phone of a known text is spoken: estimates by an aligner that learns from the speech itself.

A semi-Markov alignment (each phone one segment with a typical length, a pause between any two words) under one
diagonal Gaussian a phone over mel cepstra. The Gaussians start from crude classes (silence, stop, fricative, nasal,
vowel told apart by energy and spectral balance) and are re-estimated from the alignment a few times, as in embedded
Viterbi training (Juang and Rabiner, "The segmental K-means algorithm", IEEE ASSP 38(9), 1990). Good for speech of one
clean, regular voice such as a synthesiser's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.fft import dct

from shared.types import Sound

Rows = NDArray[np.float64]

HOP_S: Final = 0.005
WINDOW_S: Final = 0.020
LONGEST_S: Final = 0.45
"""No segment is longer."""
LAST_PAUSES: Final = 4
"""Further pause segments at the end, where synthesisers leave a longer silence."""
PAUSE: Final = "SIL"
ROUNDS: Final = 5
MEL_FILTERS: Final = 26
CEPSTRA: Final = 13

_CLASS_OF: Final = {
    PAUSE: "pause",
    **dict.fromkeys(("P", "T", "K"), "stop"),
    **dict.fromkeys(("B", "D", "G"), "voiced stop"),
    **dict.fromkeys(("S", "SH", "CH"), "hiss"),
    **dict.fromkeys(("F", "TH", "HH"), "breath"),
    **dict.fromkeys(("Z", "ZH", "JH", "V", "DH"), "buzz"),
    **dict.fromkeys(("M", "N", "NG"), "nasal"),
    **dict.fromkeys(("L", "R", "W", "Y"), "glide"),
}
"""All others are vowels."""
_CRUDE: Final = {  # loudness below the loudest vowels in dB, share of the energy above 2.5 kHz, below 500 Hz
    "pause": (-60.0, 0.3, 0.3),
    "stop": (-38.0, 0.5, 0.2),
    "voiced stop": (-24.0, 0.1, 0.7),
    "hiss": (-20.0, 0.9, 0.0),
    "breath": (-30.0, 0.6, 0.2),
    "buzz": (-22.0, 0.4, 0.5),
    "nasal": (-14.0, 0.03, 0.8),
    "glide": (-8.0, 0.05, 0.6),
    "vowel": (-4.0, 0.08, 0.45),
}
_CRUDE_SPREAD: Final = (8.0, 0.22, 0.25)
_TYPICAL_S: Final = {
    "pause": 0.12,
    "stop": 0.08,
    "voiced stop": 0.06,
    "hiss": 0.10,
    "breath": 0.08,
    "buzz": 0.065,
    "nasal": 0.07,
    "glide": 0.065,
    "vowel": 0.09,
}
_LONG_VOWELS: Final = ("AA", "AO", "AW", "AY", "EY", "IY", "OW", "OY", "UW", "ER", "AE")
LENGTH_SPREAD: Final = 0.45
"""Standard deviation of a segment's log length."""
PAUSE_COST: Final = -1.0
"""Log probability of a pause between two words."""


@dataclass(frozen=True, slots=True)
class Phone:
    """One segment of speech."""

    name: str
    """ARPAbet without stress, or ``SIL``."""
    start_s: float
    end_s: float


def align(sounds: Sequence[Sound], texts: Sequence[Sequence[tuple[str, ...]]]) -> list[list[Phone]]:
    """Phone times of several utterances of one voice, each from 0 to the end of its sound.

    Parameters
    ----------
    sounds : one sentence each.
    texts : for each sentence its words, each a tuple of phones.
    """
    if len(sounds) != len(texts) or not sounds:
        raise ValueError(f"expected as many texts as sounds and at least one, got {len(texts)} and {len(sounds)}")
    rows = [_rows(sound) for sound in sounds]
    crude = [_crude_rows(sound) for sound in sounds]
    names = [_segments(words) for words in texts]
    scores = [_crude_scores(row, name[0]) for row, name in zip(crude, names, strict=True)]
    for number in range(ROUNDS + 1):
        found = [_best(score, *name) for score, name in zip(scores, names, strict=True)]
        if number < ROUNDS:
            scores = _learnt_scores(rows, crude, names, found)
    return [
        [Phone(name[0][k], begin * HOP_S, end * HOP_S) for k, begin, end in spans]
        for name, spans in zip(names, found, strict=True)
    ]


def _segments(words: Sequence[tuple[str, ...]]) -> tuple[list[str], NDArray[np.bool_]]:
    """Names of the segments, pauses around each word, and which may be left out."""
    names = [PAUSE]
    for word in words:
        names += [*word, PAUSE]
    names += [PAUSE] * LAST_PAUSES
    return names, np.array([name == PAUSE for name in names])


def _class(name: str) -> str:
    return _CLASS_OF.get(name, "vowel")


def _spectra(sound: Sound) -> Rows:
    hop, window = round(HOP_S * sound.rate_hz), round(WINDOW_S * sound.rate_hz)
    padded = np.pad(sound.samples.astype(np.float64), window // 2)
    count = max(1, sound.samples.size // hop)
    index = np.arange(count)[:, np.newaxis] * hop + np.arange(window) + hop // 2
    pieces = padded[np.minimum(index, padded.size - 1)] * np.hamming(window)
    return np.asarray(np.abs(np.fft.rfft(pieces, 512)) ** 2, dtype=np.float64)


def _rows(sound: Sound) -> Rows:
    """(T, 26) cepstra and their slopes, one row each 5 ms."""
    spectra = _spectra(sound)
    frequencies = np.linspace(0, sound.rate_hz / 2, spectra.shape[1])
    top = 2595 * np.log10(1 + 7000 / 700)
    centres = 700 * (10 ** (np.linspace(60, top, MEL_FILTERS + 2) / 2595) - 1)
    rise = (frequencies - centres[:-2, np.newaxis]) / (centres[1:-1] - centres[:-2])[:, np.newaxis]
    fall = (centres[2:, np.newaxis] - frequencies) / (centres[2:] - centres[1:-1])[:, np.newaxis]
    bank = np.clip(np.minimum(rise, fall), 0.0, None)
    log_mel = np.log(spectra @ bank.T + 1e-6)
    cepstra = dct(log_mel, type=2, norm="ortho", axis=1)[:, :CEPSTRA]
    ahead = np.pad(cepstra, ((3, 3), (0, 0)), mode="edge")
    return np.concatenate([cepstra, ahead[6:] - ahead[:-6]], axis=1)


def _crude_rows(sound: Sound) -> Rows:
    """(T, 3) loudness in dB below the loudest, share of the energy above 2.5 kHz, share below 500 Hz."""
    spectra = _spectra(sound) + 1e-9
    frequencies = np.linspace(0, sound.rate_hz / 2, spectra.shape[1])
    total = spectra.sum(axis=1)
    loud = 10 * np.log10(total)
    high = spectra[:, frequencies > 2500].sum(axis=1) / total
    low = spectra[:, frequencies < 500].sum(axis=1) / total
    return np.stack([np.maximum(loud - np.quantile(loud, 0.95), -60.0), high, low], axis=1)


def _crude_scores(rows: Rows, names: Sequence[str]) -> Rows:
    means = np.array([_CRUDE[_class(name)] for name in names])
    return np.asarray(-0.5 * (((rows[:, np.newaxis] - means) / _CRUDE_SPREAD) ** 2).sum(axis=2), dtype=np.float64)


def _learnt_scores(
    rows: Sequence[Rows],
    crude: Sequence[Rows],
    names: Sequence[tuple[list[str], NDArray[np.bool_]]],
    found: Sequence[list[tuple[int, int, int]]],
) -> list[Rows]:
    """Log likelihoods under one Gaussian a phone, means drawn towards all rows where a phone is rare."""
    pooled: dict[str, list[Rows]] = {}
    for row, name, spans in zip(rows, names, found, strict=True):
        for k, begin, end in spans:
            pooled.setdefault(name[0][k], []).append(row[begin:end])
    every = np.concatenate(list(rows))
    within = np.concatenate([row - row.mean(axis=0) for row in (np.concatenate(v) for v in pooled.values())])
    spread = within.std(axis=0) + 1e-3
    by_class: dict[str, list[Rows]] = {}
    for phone, parts in pooled.items():
        by_class.setdefault(_class(phone), []).extend(parts)
    means: dict[str, Rows] = {}
    for phone in {phone for name in names for phone in name[0]}:
        own = np.concatenate(pooled[phone]) if phone in pooled else np.empty((0, every.shape[1]))
        kin = np.concatenate(by_class[_class(phone)]) if _class(phone) in by_class else every
        prior = 20.0  # rows, i.e. 100 ms, of the phone's class
        means[phone] = (own.sum(axis=0) + prior * kin.mean(axis=0)) / (len(own) + prior)
    scores = []
    for row, coarse, name in zip(rows, crude, names, strict=True):
        mean = np.stack([means[phone] for phone in name[0]])
        fine = -0.5 * (((row[:, np.newaxis] - mean) / spread) ** 2).mean(axis=2) * CEPSTRA / 2
        scores.append(fine + 0.5 * _crude_scores(coarse, name[0]))
    return scores


def _best(scores: Rows, names: list[str], optional: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """The best segmentation: (segment, first row, one past the last row), in order, of those that take part."""
    typical = np.array([_TYPICAL_S[_class(name)] * (1.35 if name in _LONG_VOWELS else 1.0) for name in names]) / HOP_S
    longest = round(LONGEST_S / HOP_S)
    lengths = np.arange(1, longest + 1)
    prior = -((np.log(lengths / typical[:, np.newaxis]) / LENGTH_SPREAD) ** 2)
    prior[optional] = PAUSE_COST
    spans = _segment(np.ascontiguousarray(scores), prior, optional)
    return [(int(k), int(begin), int(end)) for k, begin, end in spans if end > begin]


@njit(cache=True)
def _segment(scores: Rows, prior: Rows, optional: NDArray[np.bool_]) -> NDArray[np.int64]:
    rows, count = scores.shape
    total = np.zeros((count, rows + 1))
    for k in range(count):
        for t in range(rows):
            total[k, t + 1] = total[k, t] + scores[t, k]
    best = np.full((count + 1, rows + 1), -1e12)
    length = np.zeros((count + 1, rows + 1), dtype=np.int64)
    best[0, 0] = 0.0
    for k in range(count):
        for t in range(rows + 1):
            if optional[k] and best[k, t] > best[k + 1, t]:
                best[k + 1, t] = best[k, t]
                length[k + 1, t] = 0
            for d in range(2, min(prior.shape[1], t) + 1):
                value = best[k, t - d] + total[k, t] - total[k, t - d] + prior[k, d - 1]
                if value > best[k + 1, t]:
                    best[k + 1, t] = value
                    length[k + 1, t] = d
    spans = np.zeros((count, 3), dtype=np.int64)
    t = rows
    for k in range(count - 1, -1, -1):
        d = length[k + 1, t]
        spans[k, 0], spans[k, 1], spans[k, 2] = k, t - d, t
        t -= d
    return spans
