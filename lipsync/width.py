"""How wide the weights of candidates are: sigma, from the nearest frames exactly and from bounds on all others.

Suwajanakorn et al. 2017, section 4.2: sigma is such that the n nearest carry a share of the whole pool's weight. Frames
are grouped by what they are further away than the nearest, squared: s. ``exp(-s / 2 sigma^2)`` is convex in s, so its
mean over a group is at least its value at the mean of s (Jensen), and at most that of the chord from the group's least
s to its most.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from shared.types import Floats

SHARE_ERROR: Final = 0.005
"""Leaves are read until the n nearest are known to carry the share within this."""
BISECTIONS: Final = 24
"""Halvings of the logarithm of that range: sigma to one part in a million."""
BIN_BITS: Final = 19
"""Bits of a float32 that its bin leaves out: 16 bins an octave."""
BINS: Final = 1 << (31 - BIN_BITS)
WEIGHTLESS: Final = 60.0
"""Exponent beyond which even millions of frames weigh nothing beside the nearest one."""
COUNT, LEAST, MEAN, MOST = range(4)
"""Rows of a table of groups."""

Groups = NDArray[np.float64]
"""(4, G): how many frames, and the least, mean and most of what they are further away than the nearest, squared."""

Whole = int | np.integer[Any]
Real = float | np.floating[Any]
"""What the compiler takes for a number."""


@njit(cache=True, nogil=True)
def empty_bins() -> Groups:
    """Bins with nothing in them, (4, BINS); in place of means they have sums."""
    bins = np.zeros((4, BINS))
    bins[LEAST] = np.inf
    return bins


@njit(cache=True, nogil=True)
def filled(bins: Groups) -> Groups:
    """Bins that hold something, in order, with the mean in place of the sum."""
    groups = bins[:, np.flatnonzero(bins[COUNT] > 0)]
    for k in range(groups.shape[1]):
        groups[MEAN, k] = min(max(groups[MEAN, k] / groups[COUNT, k], groups[LEAST, k]), groups[MOST, k])
    return groups


@njit(cache=True, nogil=True)
def bin_frames(bins: Groups, squares: Floats, base: Real) -> None:
    """Count frames by the logarithm of their distance beyond the nearest; a negative one was counted elsewhere."""
    beyond = np.maximum(squares - np.float32(base), np.float32(0.0))
    numbers = beyond.view(np.int32)
    for k in range(squares.shape[0]):
        if squares[k] >= 0:
            number, own = numbers[k] >> BIN_BITS, np.float64(beyond[k])
            bins[COUNT, number] += 1
            bins[LEAST, number] = min(bins[LEAST, number], own)
            bins[MEAN, number] += own
            bins[MOST, number] = max(bins[MOST, number], own)


@njit(cache=True, nogil=True)
def _weights(groups: Groups, k: Whole, steepness: Real) -> tuple[float, float]:
    """Bounds on the weight of a group: Jensen's and the chord's."""
    least, mean, most = groups[LEAST, k], groups[MEAN, k], groups[MOST, k]
    if least * steepness > WEIGHTLESS:
        return 0.0, 0.0
    lower = groups[COUNT, k] * math.exp(-mean * steepness)
    if most <= least:
        return lower, lower
    near, far = math.exp(-least * steepness), math.exp(-most * steepness)
    return lower, groups[COUNT, k] * ((most - mean) * near + (mean - least) * far) / (most - least)


@njit(cache=True, nogil=True)
def solve(head: NDArray[np.float64], groups: Groups, share: float, narrowest: float, widest: float) -> float:
    """Sigma at which the head carries the share, the groups weighing the mean of their bounds.

    That is the weight of a pool too (half of each group at its mean, half at its ends), so the share falls with sigma.
    """
    low, high = math.log(narrowest), math.log(widest)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        steepness = 0.5 * math.exp(-2 * middle)
        own, rest = np.exp(-head * steepness).sum(), 0.0
        for k in range(groups.shape[1]):
            lower, upper = _weights(groups, k, steepness)
            rest += (lower + upper) / 2
        if own >= share * (own + rest):
            low = middle
        else:
            high = middle
    return math.exp(low)


@njit(cache=True, nogil=True)
def loose_below(head: NDArray[np.float64], groups: Groups, closed: Groups, sigma: float) -> float:
    """Distance below which leaves must be opened for the share to be known well enough; 0 where it is."""
    steepness = 0.5 / (sigma * sigma)
    own = np.exp(-head * steepness).sum()
    total = own
    for k in range(groups.shape[1]):
        total += _weights(groups, k, steepness)[0]
    # d share = own / total^2 d rest, and the rest is known to half the gap between its bounds.
    allowed = 2 * SHARE_ERROR * total * total / own
    gap = 0.0
    for k in range(closed.shape[1] - 1, -1, -1):
        lower, upper = _weights(closed, k, steepness)
        gap += upper - lower
        if gap > allowed:
            return float(closed[LEAST, k + 1]) if k + 1 < closed.shape[1] else np.inf
    return 0.0
