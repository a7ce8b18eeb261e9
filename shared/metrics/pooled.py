"""Figures of many clips from sums of each clip, so that clips can be drawn again for an interval.

Each pair here is what a clip adds (a row of K sums) and the figure that the sums of some clips give (`FigureOf` in
`shared.metrics.interval`). Figures are NaN where nothing was counted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.types import Floats

Sums = NDArray[np.float64]
GAP_BINS = 200
WIDEST_GAP = 0.10
"""Of the face width; gaps beyond it fall into the last bin."""


def mean_sums(figures: ArrayLike) -> Sums:
    """(2,) of the finite figures of a clip, for `mean`."""
    values = np.asarray(figures, dtype=np.float64)
    values = values[np.isfinite(values)]
    return np.array([values.sum(), len(values)])


def mean(sums: Sums) -> Sums:
    """Mean over all frames, or rate over all events."""
    return _over(sums[..., 0], sums[..., 1])


def pair_sums(made: ArrayLike, real: ArrayLike) -> Sums:
    """(6,) of two lists of a clip, where both are finite, for `correlation` and `spread_ratio`."""
    first, second = np.asarray(made, dtype=np.float64), np.asarray(real, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"expected two (T,) lists, got {first.shape} and {second.shape}")
    known = np.isfinite(first) & np.isfinite(second)
    x, y = first[known], second[known]
    return np.array([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y])


def correlation(sums: Sums) -> Sums:
    """Pearson's r over all frames; NaN where one side does not move."""
    count, x, y, _, _, xy = np.moveaxis(sums, -1, 0)
    both = _over(xy, count) - _over(x, count) * _over(y, count)
    first, second = _spreads(sums)
    moves = (first > 1e-9) & (second > 1e-9)
    return np.where(moves, _over(both, np.where(moves, first * second, 0.0)), np.nan)


def spread_ratio(sums: Sums) -> Sums:
    """Standard deviation over all frames, made / real."""
    return _over(*_spreads(sums))


def excess(sums: Sums) -> Sums:
    """Rate less rate, of (4,) sums: hits and count of the one, hits and count of the other."""
    return mean(sums[..., :2]) - mean(sums[..., 2:])


def relative_rate(sums: Sums) -> Sums:
    """Rate over rate, of sums as for `excess`."""
    return _over(mean(sums[..., :2]), mean(sums[..., 2:]))


def closed_sums(made: Floats, real: Floats, closed: float) -> Sums:
    """(2 x bins,) histograms of made gaps where the real mouth is closed, and where it is open, for `closed_recall`.

    Parameters
    ----------
    made, real : (T,) gaps as shares of the face width; NaN frames are left out.
    closed : largest real gap of a closed mouth.
    """
    known = np.isfinite(made) & np.isfinite(real)
    bins = np.clip(made[known] / WIDEST_GAP * GAP_BINS, 0, GAP_BINS - 1).astype(int)
    shut = real[known] <= closed
    counts = [np.bincount(bins[chosen], minlength=GAP_BINS) for chosen in (shut, ~shut)]
    return np.concatenate(counts).astype(np.float64)


def closed_recall(sums: Sums, precision: float = 0.85) -> Sums:
    """Share of the closed frames that a threshold on the made gap finds, at the stated precision or better.

    The best threshold is taken, so the figure tells how well closed frames are told apart, not how wide the gap is;
    0 where no threshold reaches the precision.
    """
    right, wrong = np.cumsum(sums[..., :GAP_BINS], axis=-1), np.cumsum(sums[..., GAP_BINS:], axis=-1)
    good = right >= precision * (right + wrong)
    return _over(np.where(good, right, 0.0).max(axis=-1), right[..., -1])


def _spreads(sums: Sums) -> tuple[Sums, Sums]:
    count, x, y, xx, yy, _ = np.moveaxis(sums, -1, 0)
    first, second = (
        np.sqrt(np.maximum(_over(square, count) - _over(total, count) ** 2, 0.0))
        for total, square in ((x, xx), (y, yy))
    )
    return first, second


def _over(above: Sums, below: Sums) -> Sums:
    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    nothing = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    return np.asarray(np.divide(above, below, out=nothing, where=below > 0), dtype=np.float64)
