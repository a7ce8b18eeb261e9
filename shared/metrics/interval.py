"""Paired bootstrap intervals over clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

FigureOf: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Sums (..., K) to figures (...): a mean over frames, a rate, a correlation; see `shared.metrics.pooled`."""


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


def pooled_interval(
    sums: NDArray[np.float64], figure: FigureOf, seed: int, rounds: int = 2_000, confidence: float = 0.95
) -> Interval:
    """A figure of all clips together, with a percentile bootstrap interval over clips.

    For what is no mean of one number a clip (a correlation over all frames, a rate of rare events).

    Parameters
    ----------
    sums : (N, K) of one clip each; the figure of several clips is that of their sum.
    figure : see `FigureOf`; NaN where it cannot be told.
    """
    if sums.ndim != 2:
        raise ValueError(f"expected (N, K) sums, got {sums.shape}")
    return _pooled(len(sums), figure(sums.sum(axis=0)), lambda drawn: figure(drawn @ sums), seed, rounds, confidence)


def paired_pooled_interval(
    made: NDArray[np.float64],
    baseline: NDArray[np.float64],
    figure: FigureOf,
    seed: int,
    rounds: int = 2_000,
    confidence: float = 0.95,
) -> Interval:
    """The difference made - baseline of a figure of all clips, both drawn together; see `pooled_interval`."""
    if made.shape != baseline.shape or made.ndim != 2:
        raise ValueError(f"expected two (N, K) lists of sums, got {made.shape} and {baseline.shape}")
    difference = figure(made.sum(axis=0)) - figure(baseline.sum(axis=0))
    return _pooled(
        len(made), difference, lambda drawn: figure(drawn @ made) - figure(drawn @ baseline), seed, rounds, confidence
    )


def _pooled(
    count: int,
    whole: NDArray[np.float64],
    figures_of: FigureOf,
    seed: int,
    rounds: int,
    confidence: float,
) -> Interval:
    low = high = float("nan")
    if count > 1:
        drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), rounds).astype(np.float64)
        figures = figures_of(drawn)
        told = figures[np.isfinite(figures)]
        if len(told):
            low, high = np.quantile(told, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return Interval(float(whole), low, high, count)
