"""By how much the sounds of a footage's many clips are off against each other, told by a network that learns them.

Clips that were cut out of long recordings have sound and pictures cut apart: of GRID's sentences, "in sync" all, the
sounds come 19 ms (standard deviation) before or after what is usual, some 50 ms. A regression tells that of one
sentence to 12 ms (`shared.metrics.lag`); two networks agree on it to 2 ms. What is left in makes a network answer with
a mean over all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.crops import Example
from shared.clock import FEATURE_RATE_HZ, resample_track
from shared.metrics.track import parabolic_peak
from shared.types import Floats

REACH: Final = 15
"""Rows (10 ms) that are tried, either way."""
LEAST_ROWS: Final = 100
"""Rows of a clip from which its offset is told."""
EXPLAINED: Final = 0.5
"""Share of a mouth's movement that must be told by its sound where they fit best, or it is not this sound's."""
LEAST_CLIPS: Final = 10


def late_s(made: Floats, shapes: Floats, known: NDArray[np.bool_]) -> float:
    """By how much a clip's sound comes after its mouth, seconds; NaN where it cannot be told.

    Parameters
    ----------
    made : (T, D) float32, what a network says of the sound, 100 rows a second.
    shapes : (T, D) float32, the mouth; of it the `known` (T,) rows.
    """
    rows = np.flatnonzero(known)
    rows = rows[(rows >= REACH) & (rows < len(made) - REACH)]
    if rows.size < LEAST_ROWS:
        return float("nan")
    real = shapes[rows] - shapes[rows].mean(axis=0)
    left = np.zeros(2 * REACH + 1)
    for number, shift in enumerate(range(-REACH, REACH + 1)):
        one = made[rows + shift]
        left[number] = np.square(one - one.mean(axis=0) - real).sum(axis=1).mean()
    best = int(np.argmin(left))
    if best in (0, 2 * REACH) or left[best] > (1.0 - EXPLAINED) * np.square(real).sum(axis=1).mean():
        return float("nan")
    return (parabolic_peak(-left) - REACH) / FEATURE_RATE_HZ


def jitter_s(made: Sequence[Floats], examples: Sequence[Example]) -> tuple[float, ...]:
    """What each clip's offset is beside the usual one, seconds; 0 where it cannot be told, or of too few clips."""
    late = np.array([late_s(one, example.shapes, example.known) for one, example in zip(made, examples, strict=True)])
    told = np.isfinite(late)
    if int(told.sum()) < LEAST_CLIPS:
        return (0.0,) * len(late)
    return tuple(np.where(told, late - np.median(late[told]), 0.0).tolist())


def moved(example: Example, late: float) -> Example:
    """A mouth that leads its sound by `late` seconds belongs to the sound of so much later."""
    if late == 0.0:
        return example
    count = len(example.known)
    rows = np.arange(count, dtype=np.float64)
    wanted = rows - late * FEATURE_RATE_HZ
    places = np.clip(wanted, 0.0, count - 1.0)
    before = np.minimum(places.astype(np.intp), max(count - 2, 0))
    after = np.minimum(before + 1, count - 1)
    shapes = resample_track(example.shapes, rows, places)
    return replace(example, shapes=shapes, known=example.known[before] & example.known[after] & (places == wanted))
