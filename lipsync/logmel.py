"""Audio features of the default recipe: the logarithm of 40 mel bands at 100 Hz from 16 kHz sound.

Filters, windows and times are those of the paper's front end (`lipsync.features`), without its cosine transform: a
network with convolutions finds its own combinations of bands, and noise, room and voice can be varied on them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lipsync.features import BLOCK, MEL_FILTERS, emphasised, mel_power, row_count, windows_of
from shared.types import Floats, Sound

BANDS = MEL_FILTERS
FLOOR = 50.0
"""Added to the power of each band: about that of white noise at -80 dBFS (5.2 s^2 for a standard deviation of s on the
int16 scale), so that digital silence and the faintest noise are one and the same."""


def log_mel(sound: Sound) -> Floats:
    """Turn 16 kHz sound into rows of log-mel bands.

    Parameters
    ----------
    sound : 16 kHz, at its final loudness (`lipsync.features.LOUDNESS_DBFS`); what it lacks of a last window counts as
        zeros.

    Returns
    -------
    (T, 40) float32 natural logarithms, T = ceil(samples / 160), at `lipsync.features.row_times_s`.
    """
    rows = row_count(sound)
    bands = np.zeros((rows, BANDS), dtype=np.float32)
    for start in range(0, rows, BLOCK):
        end = min(start + BLOCK, rows)
        bands[start:end] = bands_of(windows_of(emphasised(sound.samples, start, end)[1]))
    return bands


def bands_of(sharp: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-mel bands of windows (N, 409) with pre-emphasis: (N, 40) float64."""
    return np.asarray(np.log(mel_power(sharp) + FLOOR), dtype=np.float64)
