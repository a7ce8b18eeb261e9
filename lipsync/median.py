"""Exact weighted median of candidate textures, per pixel and channel.

Suwajanakorn et al. 2017, section 4.2: ``m(u, v) = argmin_c sum_i w_i |I_i(u, v) - c|``. For 8-bit samples the
minimiser is found bit by bit: of all values c below which less than half of the weight lies, the largest. Eight
passes over the candidates, no sorting, and the compiler runs them many pixels at a time.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from shared.types import Floats

BLOCK = 2048
"""Samples worked on at a time, so that sums and bounds of a block stay in the first-level cache."""


def weighted_median(
    stack: NDArray[np.uint8], weights: Floats, rows: NDArray[np.intp] | None = None
) -> NDArray[np.uint8]:
    """Return the weighted median over the first axis.

    Parameters
    ----------
    stack : (N, ...) uint8, one texture a candidate.
    weights : (n,) float32 >= 0, not all 0. Where exactly half of the weight lies on either side of a gap, the lower
        end of the gap is taken.
    rows : (n,) which of the stack are candidates; all where None.
    """
    count = stack.shape[0] if rows is None else rows.shape[0]
    if stack.dtype != np.uint8 or stack.ndim < 2 or count != weights.shape[0]:
        raise ValueError(f"need uint8 (n, ...) and n weights, got {stack.dtype} {stack.shape} and {weights.shape}")
    total = float(weights.sum(dtype=np.float64))
    if total <= 0 or float(weights.min()) < 0:
        raise ValueError("weights must be >= 0 and not all 0")
    flat = np.ascontiguousarray(stack.reshape(stack.shape[0], -1))
    out = np.empty(flat.shape[1], dtype=np.uint8)
    # Heaviest first: float32 sums then lose least, and the order does not depend on how candidates were listed.
    order = np.argsort(-weights, kind="stable")
    _medians(flat, order if rows is None else rows[order], (weights[order] / total).astype(np.float32), out)
    return out.reshape(stack.shape[1:])


@njit(cache=True, nogil=True)
def _medians(flat: NDArray[np.uint8], order: NDArray[np.int64], weights: Floats, out: NDArray[np.uint8]) -> None:
    below = np.empty(BLOCK, dtype=np.float32)
    middle = np.empty(BLOCK, dtype=np.uint8)
    for start in range(0, flat.shape[1], BLOCK):
        size = min(BLOCK, flat.shape[1] - start)
        found = out[start : start + size]
        found[:] = 0
        for bit in range(7, -1, -1):
            step = np.uint8(1 << bit)
            for p in range(size):
                middle[p] = found[p] | step
                below[p] = np.float32(0.0)
            for k in range(order.shape[0]):
                weight = weights[k]
                row = flat[order[k], start : start + size]
                for p in range(size):
                    below[p] += weight if row[p] < middle[p] else np.float32(0.0)
            # A sum, not a branch: its way is as good as random, and the compiler would not run many at a time.
            for p in range(size):
                found[p] += np.uint8(below[p] < np.float32(0.5)) * step
