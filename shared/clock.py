"""Frames, samples and feature rows to seconds and back; the only file in which these units meet.

Seconds are the common axis. Rates are exact (`fractions.Fraction` or int), so that an hour at 30000/1001 frames a
second drifts by nothing.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.types import Floats

FEATURE_RATE_HZ = 100
"""Rows of audio features a second (Suwajanakorn et al. 2017, section 4.1: 10 ms hop)."""


def time_of_frame(index: int, rate: Fraction) -> Fraction:
    """Time in seconds of frame `index` at a constant `rate` in frames a second."""
    return index / rate


def frame_at(time_s: Fraction | float, rate: Fraction) -> int:
    """Index of the constant-rate frame shown at `time_s`: the last one that starts at or before it."""
    return int((Fraction(time_s) * rate).__floor__())


def sample_at(time_s: Fraction | float, rate_hz: int) -> int:
    """Index of the sample nearest to `time_s`."""
    return int((Fraction(time_s) * rate_hz + Fraction(1, 2)).__floor__())


def time_of_sample(index: int, rate_hz: int) -> Fraction:
    """Time in seconds of sample `index`."""
    return Fraction(index, rate_hz)


def row_at(time_s: Fraction | float, rate_hz: int, first_row_s: float = 0.0) -> float:
    """Fractional feature row at `time_s`, where row 0 is centred at `first_row_s`."""
    return (float(time_s) - first_row_s) * rate_hz


def rows_around(time_s: float, rate_hz: int, first_row_s: float, count: int) -> tuple[int, int, np.float32]:
    """The rows before and after a time, of so many (>= 1), and the share of the second; beyond an end its own row."""
    last = count - 1
    place = min(max(row_at(time_s, rate_hz, first_row_s), 0.0), float(last))
    before = int(place)
    return before, min(before + 1, last), np.float32(place - before)


def times_of_rows(count: int, rate_hz: int, first_row_s: float = 0.0) -> NDArray[np.float64]:
    """Times in seconds of the first `count` feature rows, where row 0 is centred at `first_row_s`."""
    return first_row_s + np.arange(count, dtype=np.float64) / rate_hz


def resample_track(values: Floats, times_s: ArrayLike, new_times_s: ArrayLike) -> Floats:
    """Linear interpolation of a track at new times; constant beyond its ends.

    Parameters
    ----------
    values : (T, ...) float32.
    times_s : (T,) strictly increasing seconds.
    new_times_s : (N,) seconds.

    Returns
    -------
    (N, ...) float32.
    """
    old = np.asarray(times_s, dtype=np.float64)
    new = np.asarray(new_times_s, dtype=np.float64)
    if old.ndim != 1 or old.shape[0] != values.shape[0] or old.shape[0] == 0:
        raise ValueError(f"times must be (T,) with T = {values.shape[0]} > 0, got {old.shape}")
    if np.any(np.diff(old) <= 0):
        raise ValueError("times must increase strictly")
    if old.shape[0] == 1:
        return np.repeat(values.astype(np.float32), new.shape[0], axis=0)
    right = np.clip(np.searchsorted(old, new, side="right"), 1, old.shape[0] - 1)
    left = right - 1
    share = np.clip((new - old[left]) / (old[right] - old[left]), 0.0, 1.0)
    share = share.reshape((-1,) + (1,) * (values.ndim - 1))
    return np.asarray(values[left] * (1.0 - share) + values[right] * share, dtype=np.float32)
