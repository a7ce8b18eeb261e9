"""Which frames of the footage look like a wanted mouth, and how much each of them counts.

Suwajanakorn et al. 2017, section 4.2: candidates are the ``n`` frames whose shapes are nearest to the wanted one,
weighted ``w_i = exp(-||S_i - S||^2 / 2 sigma^2)``. A small sigma flickers, a large one blurs; it is found for each
wanted shape so that the ``n`` nearest carry a share of 0.9 of the weight of the whole pool.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lipsync.pool import plant, search
from shared.types import Floats

SMALL_POOL_SHARE = 1 / 30


@dataclass(frozen=True, slots=True)
class RetrieveOptions:
    """How many candidates make a texture."""

    candidates: int = 50
    """n of the paper (50-100 of 1.9 million frames there), for pools of 1,500 frames and more, >= 1."""
    fewest: int = 8
    """n for the smallest pools."""
    share: float = 0.9
    """Share of the pool's weight that the n nearest carry (the paper's alpha), in (0, 1)."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Frames of the pool for one wanted shape, nearest first."""

    indices: NDArray[np.intp]
    """(n,) rows of the pool."""
    weights: Floats
    """(n,) float32, > 0 for the first, adding up to 1."""
    sigma: float
    """Width found, in units of the shapes."""


def candidate_count(pool_size: int, options: RetrieveOptions) -> int:
    """Return n for a pool of N frames.

    The paper's n is 1/20,000 of its pool; n mouths of a small pool are not alike, and their median is a blur. So n is
    a thirtieth of the pool, within ``[fewest, candidates]``: 8 of 240 frames (10 s), 50 of 1,500 (a minute). And
    the share can only be met while N > n / share (with equal weights the n nearest carry n / N), so n never exceeds
    half the pool; a pool of one frame gives that frame.
    """
    if pool_size < 1:
        raise ValueError("the pool is empty")
    wanted = min(max(round(pool_size * SMALL_POOL_SHARE), options.fewest), options.candidates)
    return max(1, min(wanted, pool_size // 2))


class Retriever:
    """A pool made ready for many wanted shapes."""

    def __init__(self, pool: Floats, options: RetrieveOptions) -> None:
        """Take the shapes of the footage, (N, D) float32; one copy of them is kept."""
        self._size = pool.shape[0]
        self._count = candidate_count(pool.shape[0], options)
        self._share = options.share
        self._tree = plant(pool)

    def find(self, shape: Floats, without: NDArray[np.intp] | None = None) -> Candidates:
        """Find the exact nearest frames of one wanted shape (D,), and their weights.

        Parameters
        ----------
        without : rows to leave out, some but not all; sigma is that of the pool with them.
        """
        left_out = 0 if without is None else without.shape[0]
        count, asked = min(self._count, self._size - left_out), min(self._count + left_out, self._size)
        wanted = np.ascontiguousarray(shape, dtype=np.float32)
        indices, squares, sigma = search(self._tree, wanted, asked, self._share)
        if without is not None:
            kept = np.flatnonzero(~np.isin(indices, without))[:count]
            indices, squares = indices[kept], squares[kept]
        # Relative to the nearest frame: a common factor changes nothing, and nothing underflows to 0 / 0.
        weights = np.exp(-(squares - squares[0]) / (2.0 * sigma * sigma))
        return Candidates(indices, (weights / weights.sum()).astype(np.float32), sigma)
