"""What the frames of the pool look like from afar, so that changes from one to the next can be weighed.

A texture's look is a small picture of it. Two looks are compared by their mean squared difference, in units of what
changes from one frame of the footage to the next: the footage says what is a usual change.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.voice import Pool
from shared.picture.warp import resize
from shared.types import Floats

SIZE: Final = (9, 12)
"""Height and width of a look."""
READ: Final = 4
"""Rows and columns of the texture that are read for each of its pixels; more of a large texture would tell no more."""
SAMPLES: Final = 200
"""Pairs of neighbouring frames by which a usual change is measured."""
LEAST_CHANGE: Final = 0.25
"""Usual change of a still picture, levels of 255, squared."""
LATEST_S: Final = 0.02
"""A frame that comes this much too early or too late does not follow, also after a gap."""
KEPT: Final = 20_000
"""Looks kept in memory (26 MB)."""


class Looks:
    """The looks of a pool, read when they are asked for."""

    def __init__(self, pool: Pool, textures: NDArray[np.uint8]) -> None:
        self._pool, self._textures = pool, textures
        self._look = lru_cache(KEPT)(self._read)
        self.usual = self._usual_change()
        """Usual change from one frame to the next; infinite where no clip has two."""

    def of(self, indices: NDArray[np.intp]) -> Floats:
        """Looks (K, F) float32 of rows of the pool (K,), levels of 255."""
        return np.array([self._look(int(index)) for index in indices], dtype=np.float32)

    def unlike(self, one: Floats, other: Floats) -> NDArray[np.float64]:
        """How unlike looks (K, F) and others (L, F) are: (K, L), 1 for a usual change."""
        squares = (one**2).sum(axis=1)[:, np.newaxis] + (other**2).sum(axis=1) - 2.0 * one @ other.T
        return np.asarray(np.maximum(squares, 0.0) / (one.shape[1] * self.usual), dtype=np.float64)

    def follows(self, one: NDArray[np.intp], other: NDArray[np.intp], step_s: float) -> NDArray[np.bool_]:
        """Which rows `other` (L,) came in the footage a step after rows `one` (K,): (K, L)."""
        times, clips = self._pool.times_s, self._pool.clips
        passed = times[other] - times[one][:, np.newaxis]
        near = np.abs(passed - step_s) < min(step_s / 2, LATEST_S)
        return np.asarray(near & (clips[one][:, np.newaxis] == clips[other]), dtype=np.bool_)

    def _read(self, index: int) -> Floats:
        texture = self._textures[self._pool.rows[index]]
        step_y, step_x = (max(1, size // (READ * cells)) for size, cells in zip(texture.shape, SIZE, strict=False))
        return resize(np.ascontiguousarray(texture[::step_y, ::step_x], np.float32), SIZE).reshape(-1)

    def _usual_change(self) -> float:
        clips = self._pool.clips
        pairs = np.flatnonzero(clips[1:] == clips[:-1])
        if pairs.shape[0] == 0:
            return np.inf
        first = pairs[np.linspace(0, pairs.shape[0] - 1, min(SAMPLES, pairs.shape[0])).round().astype(np.intp)]
        changes = ((self.of(first + 1) - self.of(first)) ** 2).mean(axis=1)
        return max(float(np.median(changes)), LEAST_CHANGE)
