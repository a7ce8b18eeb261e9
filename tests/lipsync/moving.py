"""Heads that move as a test says: drawn upper faces on a made path."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lipsync.heads import UPPER, Heads
from shared.types import Floats

OPEN, SHUT = 0.3, 0.08


def wandering(count: int, seed: int = 0, step: float = 0.012, memory: float = 0.97) -> NDArray[np.float64]:
    """(N, 2) places of a head that wanders about, rests now and then, and comes back, in eye distances."""
    rng = np.random.default_rng(seed)
    places = np.zeros((count, 2))
    way = np.zeros(2)
    for index in range(1, count):
        way = 0.8 * way + rng.normal(0, step, 2) - (1 - memory) * 0.5 * places[index - 1]
        places[index] = places[index - 1] + way * (1.0 if index % 70 < 45 else 0.1)
    return places


def heads_at(
    places: NDArray[np.float64], blinks: tuple[int, ...] = (), shots: NDArray[np.int64] | None = None
) -> Heads:
    """A head at each place; it blinks for three frames from each given one on."""
    count = len(places)
    shape = np.random.default_rng(5).uniform(-0.5, 0.5, (len(UPPER), 2))
    upper: Floats = (shape + places[:, np.newaxis]).astype(np.float32)
    lids = np.full(count, OPEN, dtype=np.float32)
    for at in blinks:
        lids[at : at + 3] = SHUT
    shots = np.zeros(count, np.int64) if shots is None else shots
    return Heads(np.arange(count) / 25, shots, upper, lids, np.zeros(count, dtype=np.float32))
