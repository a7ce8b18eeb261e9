"""Sounds varied in training, so that another voice, room or microphone still drives the mouth, and silence rests it.

All of it happens on rows of log-mel power (`lipsync.logmel`), some sounds at a time: powers of sounds that have nothing
to do with each other add, a microphone is a factor on each band, a room a decaying tail, a vocal tract a stretch of the
mel axis (Jaitly and Hinton 2013), and what is masked must be guessed from its neighbours (SpecAugment, Park et al.
2019). Nothing is decoded or transformed twice, and the shapes stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from lipsync.features import LOUDNESS_DBFS, SAMPLE_RATE_HZ
from lipsync.logmel import BANDS, FLOOR, log_mel
from lipsync.tract import stretched
from shared.clock import FEATURE_RATE_HZ
from shared.types import Floats, Sound

Doubles = NDArray[np.float64]
NOISES: Final = ("white", "pink", "brown", "hum")
NOISE_S: Final = 10.0
"""Length of each noise; crops begin anywhere in it."""
SEED: Final = 20170720
"""The noises are the same in every training; where crops begin in them is not."""
BABBLE: Final = 0.25
DECAY_DB: Final = 60.0
"""A room's reverberation time is that of a decay by so much."""


@dataclass(frozen=True, slots=True)
class SoundOptions:
    """How far sounds are varied; shares are those of the sounds, or of the crops of a batch, [0, 1]."""

    clean: float = 0.4
    """Share of crops that are heard as they were recorded; of much footage more (`lipsync.learn.CLEANEST`)."""
    gain_db: float = 4.0
    """Standard deviation of the level."""
    tilt_db: float = 3.0
    """Standard deviation of the microphone's colour: of each of three slow waves over the bands."""
    voices: float = 0.5
    """Share with another length of vocal tract."""
    tract: float = 0.12
    """Its largest change, up and down."""
    rooms: float = 0.3
    """Share in a room."""
    room_s: tuple[float, float] = (0.2, 0.8)
    """Reverberation times."""
    room_db: tuple[float, float] = (0.0, 15.0)
    """Direct to reverberant sound."""
    noises: float = 0.4
    """Share in noise, a quarter of it (`BABBLE`) other speech, of the same footage and played backwards."""
    noise_db: tuple[float, float] = (5.0, 35.0)
    """Speech to noise."""
    gates: float = 0.2
    """Share whose pauses are made quieter, as other recordings' are."""
    gate_db: tuple[float, float] = (25.0, 40.0)
    """Rows so far under speech count as pause..."""
    gated_db: tuple[float, float] = (10.0, 60.0)
    """...and are made so much quieter."""
    masks: float = 0.4
    """Share of crops with hidden bands, and with hidden rows."""
    masked: tuple[int, int] = (6, 8)
    """Most hidden bands and rows."""
    silences: float = 0.1
    """Share of crops in which nobody speaks: noise alone, under a mouth at rest."""
    silence_dbfs: tuple[float, float] = (-95.0, -25.0)
    """Its level."""


def varied(features: Floats, others: Floats, options: SoundOptions, rng: np.random.Generator) -> Floats:
    """Vary sounds of speech.

    Parameters
    ----------
    features : (B, T, 40) float32 log-mel rows of speech at the usual loudness; not changed.
    others : (N, B, T, 40) float32, the same of what N others may say beside each, N >= 1.

    Returns
    -------
    (B, T, 40) float32.
    """
    crops = features.shape[0]
    chosen = _chosen(options.voices, crops, rng)
    bands = features.copy()
    bands[chosen] = _other_tracts(features[chosen], options.tract, rng)
    power = np.maximum(np.exp(bands) - np.float32(FLOOR), np.float32(0.0))
    power *= _microphones(crops, options, rng)
    power *= _gates(power, options, rng)
    chosen = _chosen(options.rooms, crops, rng)
    power[chosen] = _in_rooms(power[chosen], options, rng)
    power += _around(others, options, rng)
    return np.asarray(np.log(power + np.float32(FLOOR)))


def silences(count: int, rows: int, options: SoundOptions, rng: np.random.Generator) -> Floats:
    """Crops in which nobody speaks: noises at any level, digital silence among them: (count, rows, 40) float32."""
    level = _within(options.silence_dbfs, count, rng) - LOUDNESS_DBFS
    power = _noise(count, rows, rng) * _factor(level) * _microphones(count, options, rng)
    return np.asarray(np.log(power + np.float32(FLOOR)))


def _factor(decibels: Doubles) -> Floats:
    """Factors of power of one level a crop (B,): (B, 1, 1) float32."""
    return np.asarray(10.0 ** (decibels / 10.0), dtype=np.float32)[:, np.newaxis, np.newaxis]


def _within(ends: tuple[float, float], crops: int, rng: np.random.Generator) -> Doubles:
    return np.asarray(rng.uniform(*ends, crops), dtype=np.float64)


def _chosen(share: float, crops: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    return np.asarray(rng.random(crops) < share)


def _microphones(crops: int, options: SoundOptions, rng: np.random.Generator) -> Floats:
    """Factors of power of each band: (B, 1, 40) float32."""
    place = (np.arange(BANDS) + 0.5) / BANDS
    waves = np.cos(np.pi * np.outer(np.arange(4), place))
    scale = np.array([options.gain_db, *[options.tilt_db] * 3])
    decibels = (rng.standard_normal((crops, 4)) * scale) @ waves
    return np.asarray(10.0 ** (decibels / 10.0), dtype=np.float32)[:, np.newaxis]


def _gates(power: Floats, options: SoundOptions, rng: np.random.Generator) -> Floats:
    """Factors that quieten rows far under speech: (B, T, 1) float32."""
    crops = power.shape[0]
    chosen = _chosen(options.gates, crops, rng)[:, np.newaxis, np.newaxis]
    under = _factor(-_within(options.gate_db, crops, rng)) * _speech_power()
    quieter = _factor(-_within(options.gated_db, crops, rng))
    gated = chosen & (power.mean(axis=2, keepdims=True) < under)
    return np.where(gated, quieter, np.float32(1.0))


def _in_rooms(power: Floats, options: SoundOptions, rng: np.random.Generator) -> Floats:
    """Add the tail of one room, each crop at its own distance."""
    if power.shape[0] == 0:
        return power
    decay = 10.0 ** (-DECAY_DB / 10.0 / (rng.uniform(*options.room_s) * FEATURE_RATE_HZ))
    tail = np.asarray(lfilter([0.0, 1.0 - decay], [1.0, -decay], power, axis=1), dtype=np.float32)
    return np.asarray(power + tail * _factor(-_within(options.room_db, power.shape[0], rng)))


def _around(others: Floats, options: SoundOptions, rng: np.random.Generator) -> Floats:
    """Power of what else is heard: noise, or others backwards, whose mouths nobody could follow."""
    crops, rows = others.shape[1:3]
    chosen, voices = (_chosen(share, crops, rng)[:, np.newaxis, np.newaxis] for share in (options.noises, BABBLE))
    babble = np.exp(others[:, :, ::-1]).mean(axis=0) - np.float32(FLOOR)
    level = np.where(chosen, _factor(-_within(options.noise_db, crops, rng)), np.float32(0.0))
    return np.asarray(np.where(voices, babble, _noise(crops, rows, rng)) * level)


def _noise(crops: int, rows: int, rng: np.random.Generator) -> Floats:
    """Power of noises at the loudness of speech: (B, T, 40) float32."""
    bank = _noises()
    kinds = rng.integers(0, bank.shape[0], crops)
    starts = rng.integers(0, bank.shape[1], crops)
    return np.asarray(bank[kinds[:, np.newaxis], (starts[:, np.newaxis] + np.arange(rows)) % bank.shape[1]])


def _other_tracts(features: Floats, largest: float, rng: np.random.Generator) -> Floats:
    """Stretch or shrink the axis of frequencies, each crop by its own factor."""
    factors = 1.0 + _within((-largest, largest), features.shape[0], rng)
    return stretched(features, factors)


def mask(bands: Floats, options: SoundOptions, rng: np.random.Generator) -> None:
    """Hide some bands and some rows of crops (B, T, 40) under the crop's mean, in place."""
    for axis, most in ((2, options.masked[0]), (1, options.masked[1])):
        size = bands.shape[axis]
        for crop in np.flatnonzero(rng.random(bands.shape[0]) < options.masks):
            width = int(rng.integers(1, min(most, size) + 1))
            start = int(rng.integers(0, size - width + 1))
            hidden = bands[crop, :, start : start + width] if axis == 2 else bands[crop, start : start + width]
            hidden[...] = bands[crop].mean()


@cache
def _noises() -> Floats:
    """Power rows of each noise at the loudness of speech: (4, T, 40) float32."""
    rng = np.random.default_rng(SEED)
    rows = []
    for kind in NOISES:
        samples = _drawn(kind, rng)
        samples *= 10.0 ** (LOUDNESS_DBFS / 20.0) / np.sqrt(np.mean(np.square(samples)))
        rows.append(np.exp(log_mel(Sound(samples.astype(np.float32), SAMPLE_RATE_HZ))) - FLOOR)
    return np.maximum(np.array(rows, dtype=np.float32)[:, 3:-3], 0.0)


def _drawn(kind: str, rng: np.random.Generator) -> Doubles:
    """Samples of a noise: white, falling by 3 or 6 dB an octave, or a mains hum with its overtones."""
    count = round(NOISE_S * SAMPLE_RATE_HZ)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequencies = np.maximum(np.fft.rfftfreq(count, 1.0 / SAMPLE_RATE_HZ), 20.0)
    power = {"white": 0.0, "pink": 0.5, "brown": 1.0, "hum": 1.0}[kind]
    samples = np.fft.irfft(spectrum / frequencies**power, count)
    if kind == "hum":
        times = np.arange(count) / SAMPLE_RATE_HZ
        tones = [np.sin(2 * np.pi * 50.0 * k * times + k) / k for k in (1, 2, 3, 4, 6, 8)]
        samples = samples / samples.std() + 3.0 * np.sum(tones, axis=0)
    return np.asarray(samples)


@cache
def _speech_power() -> np.float32:
    """Mean power of a band of speech, taken for that of pink noise at its loudness."""
    return np.float32(_noises()[NOISES.index("pink")].mean())
