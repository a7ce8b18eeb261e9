"""Paired bootstrap intervals over clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the range that holds it at the stated confidence."""

    mean: float
    low: float
    high: float
    count: int
    """Clips that went in."""


def paired_interval(
    made: ArrayLike, baseline: ArrayLike, seed: int, rounds: int = 10_000, confidence: float = 0.95
) -> Interval:
    """The mean difference made - baseline over clips, with a percentile bootstrap interval.

    Efron and Tibshirani, "An introduction to the bootstrap", 1993, section 13.3. Clips are drawn with replacement,
    both figures of a clip together; a difference is settled where 0 lies outside.

    Parameters
    ----------
    made, baseline : (N,) one figure a clip, in the same order; clips where either is NaN are left out.
    seed : of the drawing.
    rounds : how often N clips are drawn.
    confidence : share of the means that the interval holds.
    """
    first, second = np.asarray(made, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"expected two (N,) lists of figures, got {first.shape} and {second.shape}")
    return mean_interval(first - second, seed, rounds, confidence)


def mean_interval(figures: ArrayLike, seed: int, rounds: int = 10_000, confidence: float = 0.95) -> Interval:
    """The mean of one figure a clip, with a percentile bootstrap interval; see `paired_interval`."""
    values = np.asarray(figures, dtype=np.float64)
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    rng = np.random.default_rng(seed)
    means = np.array([values[rng.integers(0, len(values), len(values))].mean() for _ in range(rounds)])
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(values.mean()), float(low), float(high), len(values))
