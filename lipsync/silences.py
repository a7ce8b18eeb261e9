"""Sounds without speech, under which a mouth must rest: zeros, room tone, noise."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.features import SAMPLE_RATE_HZ
from shared.media.sound import normalise_rms
from shared.types import Sound

LENGTH_S: Final = 30.0
ROOM_DBFS: Final = -50.0
NOISE_DBFS: Final = -26.0
"""As loud as speech (ITU-T P.56)."""
HUM_HZ: Final = (50.0, 100.0, 150.0)
HUM_DB: Final = -6.0
"""Level of the hum against the noise of the room."""


def made_silences(seed: int) -> dict[str, Sound]:
    """30 s each of digital zeros, room tone at -50 dBFS and pink noise at -26 dBFS, by name."""
    rng = np.random.default_rng(seed)
    count = round(LENGTH_S * SAMPLE_RATE_HZ)
    times = np.arange(count) / SAMPLE_RATE_HZ
    hum = sum(np.sin(2 * np.pi * frequency * times) for frequency in HUM_HZ)
    rumble = _unit(_coloured(rng, count, 1.0))  # noise of a room falls by about 6 dB an octave
    room = rumble + 10 ** (HUM_DB / 20) * _unit(np.asarray(hum))
    return {
        "zeros": Sound(np.zeros(count, dtype=np.float32), SAMPLE_RATE_HZ),
        "room": _at(room, ROOM_DBFS),
        "pink": _at(_coloured(rng, count, 0.5), NOISE_DBFS),
    }


def _coloured(rng: np.random.Generator, count: int, slope: float) -> NDArray[np.float64]:
    """Noise whose amplitude falls with frequency ** -slope above 40 Hz."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequencies = np.fft.rfftfreq(count, 1 / SAMPLE_RATE_HZ)
    return np.asarray(np.fft.irfft(spectrum * np.maximum(frequencies, 40.0) ** -slope, count), dtype=np.float64)


def _unit(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(samples / np.sqrt(np.mean(samples**2)), dtype=np.float64)


def _at(samples: NDArray[np.float64], dbfs: float) -> Sound:
    scaled = np.asarray(_unit(samples) * 0.05, dtype=np.float32)
    return normalise_rms(Sound(scaled, SAMPLE_RATE_HZ), dbfs)
