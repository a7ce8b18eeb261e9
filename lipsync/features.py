"""Audio features of the paper: 28-D rows at 100 Hz from 16 kHz sound.

Suwajanakorn et al. 2017, section 4.1, and its released training code: 13 Mel cepstra as CMU Sphinx makes them, the
log energy, and the first difference of these 14. The front end works on int16-scaled samples of speech at a fixed
loudness; without that scale the energy term ``ln(1 + mean x^2)`` is 0 for everything.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from shared.clock import FEATURE_RATE_HZ, times_of_rows
from shared.types import Floats, Sound

SAMPLE_RATE_HZ = 16_000
HOP = SAMPLE_RATE_HZ // FEATURE_RATE_HZ
"""160 samples, 10 ms."""
WINDOW = 409
"""25.6 ms, cut to whole samples as Sphinx does."""
FFT_SIZE = 512
PRE_EMPHASIS = 0.97
MEL_FILTERS = 40
LOWEST_HZ = 133.3333
HIGHEST_HZ = 6855.4976
LOG_FLOOR = 1e-5
CEPSTRA = 13
STATIC = CEPSTRA + 1
DIMENSIONS = 2 * STATIC
INT16_SCALE = 32767.0
FIRST_ROW_S = (WINDOW - 1) / 2 / SAMPLE_RATE_HZ
"""Time of row 0, the centre of its window: 12.75 ms."""
LOUDNESS_DBFS = -26.0
"""RMS of the voiced parts before the front end."""
BLOCK = 1000
"""Rows worked on at once: an hour of speech is never there as float64, nor as a spectrogram."""


def audio_features(sound: Sound) -> Floats:
    """Turn 16 kHz sound into feature rows.

    Parameters
    ----------
    sound : 16 kHz, at its final loudness (see `LOUDNESS_DBFS`); what it lacks of a last window counts as zeros.

    Returns
    -------
    (T, 28) float32, T = ceil(samples / 160); row k is centred at `row_times_s`.
    """
    rows = row_count(sound)
    features = np.zeros((rows, DIMENSIONS), dtype=np.float32)
    last = None
    for start in range(0, rows, BLOCK):
        plain, sharp = emphasised(sound.samples, start, min(start + BLOCK, rows))
        static = static_of(windows_of(plain), windows_of(sharp))
        end = start + static.shape[0]
        features[start:end, :STATIC] = static
        features[start : end - 1, STATIC:] = np.diff(static, axis=0)
        if last is not None:
            features[start - 1, STATIC:] = static[0] - last
        last = static[-1]
    return features


def row_count(sound: Sound) -> int:
    """How many feature rows a sound has, one for each 10 ms begun."""
    if sound.rate_hz != SAMPLE_RATE_HZ:
        raise ValueError(f"features need sound at {SAMPLE_RATE_HZ} Hz, got {sound.rate_hz}")
    return -(-len(sound.samples) // HOP)


def row_times_s(rows: int) -> NDArray[np.float64]:
    """Times in seconds of the first `rows` feature rows: the centres of their windows."""
    return times_of_rows(rows, FEATURE_RATE_HZ, FIRST_ROW_S)


def mel_of_hz(frequency_hz: float) -> float:
    """Mel scale of the front end, 2595 log10(1 + f / 700)."""
    return float(2595.0 * np.log10(1.0 + frequency_hz / 700.0))


def band_centres_mel() -> NDArray[np.float64]:
    """Where each filter has its peak on the mel scale: (40,) float64, rising."""
    return np.linspace(mel_of_hz(LOWEST_HZ), mel_of_hz(HIGHEST_HZ), MEL_FILTERS + 2)[1:-1]


@cache
def mel_filters() -> NDArray[np.float64]:
    """Triangular filters of unit area in Hz, their corners rounded to FFT bins as Sphinx does: (257, 40) float64."""
    mels = np.linspace(mel_of_hz(LOWEST_HZ), mel_of_hz(HIGHEST_HZ), MEL_FILTERS + 2)
    bin_hz = SAMPLE_RATE_HZ / FFT_SIZE
    corners = np.round(700.0 * (10.0 ** (mels / 2595.0) - 1.0) / bin_hz)
    bins = np.arange(FFT_SIZE // 2 + 1, dtype=np.float64)
    filters = np.zeros((bins.shape[0], MEL_FILTERS))
    for k, (left, centre, right) in enumerate(zip(corners, corners[1:], corners[2:], strict=False)):
        height = 2.0 / ((right - left) * bin_hz)
        rising = (bins - left) / max(centre - left, 1.0)
        falling = (right - bins) / max(right - centre, 1.0)
        shape = np.where(bins < centre, rising, np.where(bins == centre, 1.0, falling))
        filters[:, k] = height * np.clip(shape, 0.0, 1.0)
    return filters


@cache
def _cosines() -> NDArray[np.float64]:
    # Sphinx's "legacy" transform: half weight on the first filter, divided by the number of filters: (40, 13).
    angles = np.pi / MEL_FILTERS * np.outer(np.arange(MEL_FILTERS) + 0.5, np.arange(CEPSTRA))
    matrix = np.cos(angles)
    matrix[0] *= 0.5
    return matrix / MEL_FILTERS


def static_of(plain: NDArray[np.float64], sharp: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cepstra and energy of windows (N, 409), without and with pre-emphasis: (N, 14) float64."""
    cepstra = np.log(np.maximum(mel_power(sharp), LOG_FLOOR)) @ _cosines()
    return np.column_stack([cepstra, _log_energy(plain)])


def emphasised(samples: Floats, start: int, end: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The samples under rows `start` to `end` on the int16 scale, plain and with pre-emphasis, zeros beyond the end."""
    first, count = start * HOP, (end - start - 1) * HOP + WINDOW
    padded = np.zeros(1 + count)  # with the one sample before, which pre-emphasis asks for
    heard = samples[max(first - 1, 0) : first + count].astype(np.float64) * INT16_SCALE
    padded[int(first == 0) : int(first == 0) + heard.shape[0]] = heard
    return padded[1:], padded[1:] - PRE_EMPHASIS * padded[:-1]


def windows_of(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Windows of samples, one each 10 ms: (N, 409) float64."""
    windows: NDArray[np.float64] = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    return windows


def mel_power(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power of each mel band in windows (N, 409): (N, 40) float64."""
    spectrum = np.fft.rfft(windows * np.hamming(WINDOW), FFT_SIZE)
    return np.asarray((spectrum.real**2 + spectrum.imag**2) @ mel_filters(), dtype=np.float64)


def _log_energy(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.log1p(np.mean(np.square(windows), axis=1)), dtype=np.float64)
