"""Which frames of the footage look like a wanted mouth, and how much each of them counts.

Suwajanakorn et al. 2017, section 4.2: candidates are the ``n`` frames whose shapes are nearest to the wanted one,
weighted ``w_i = exp(-||S_i - S||^2 / 2 sigma^2)``. A small sigma flickers, a large one blurs; it is found for each
wanted shape so that the ``n`` nearest carry a share of 0.9 of the weight of the whole pool.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.types import Floats

BISECTIONS = 60
NARROWEST = 1e-4
"""Smallest sigma, as a share of the root mean square distance to the pool."""
WIDEST = 1e4
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
        self._pool = pool.astype(np.float64)
        self._norms = np.einsum("nd,nd->n", self._pool, self._pool)
        self._count = candidate_count(pool.shape[0], options)
        self._share = options.share

    def find(self, shape: Floats) -> Candidates:
        """Find the exact nearest frames of one wanted shape, and their weights."""
        wanted = shape.astype(np.float64)
        squares = np.maximum(self._norms - 2.0 * (self._pool @ wanted) + wanted @ wanted, 0.0)
        nearest = np.argpartition(squares, self._count - 1)[: self._count]
        nearest = nearest[np.lexsort((nearest, squares[nearest]))]
        sigma = _sigma(squares, nearest, self._share)
        weights = _weights(squares, sigma)[nearest]
        return Candidates(nearest, (weights / weights.sum()).astype(np.float32), sigma)


def retrieve(shapes: Iterable[Floats], pool: Floats, options: RetrieveOptions) -> Iterator[Candidates]:
    """Find the candidates of each wanted shape, lazily and in order.

    Parameters
    ----------
    shapes : (D,) float32 each, the wanted mouth shapes.
    pool : (N, D) float32, the shapes of the footage.
    """
    ready = Retriever(pool, options)
    return (ready.find(shape) for shape in shapes)


def _weights(squares: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    # Relative to the nearest frame: a common factor changes no share, and nothing underflows to 0 / 0.
    return np.asarray(np.exp(-(squares - squares.min()) / (2.0 * sigma * sigma)), dtype=np.float64)


def _sigma(squares: NDArray[np.float64], nearest: NDArray[np.intp], share: float) -> float:
    # The share falls from 1 (only the nearest counts) to n / N as sigma grows, so bisection on its logarithm finds it.
    # Many frames at exactly the n-th distance (a still picture) can keep it below for every sigma: the narrowest then.
    scale = float(np.sqrt(squares.mean()))
    if scale == 0.0 or nearest.shape[0] == squares.shape[0]:
        return max(scale, 1.0)
    low, high = np.log(NARROWEST * scale), np.log(WIDEST * scale)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        weights = _weights(squares, float(np.exp(middle)))
        if weights[nearest].sum() >= share * weights.sum():
            low = middle
        else:
            high = middle
    return float(np.exp(low))
