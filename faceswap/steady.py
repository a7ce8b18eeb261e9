"""Figures of a face that must not flicker, steadied along its track.

A track never crosses a cut, so a cut starts afresh. Causal, but for the first frames of a track, whose mean it
starts from: a first frame that happens to be odd does not tint what follows.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
MOST_TRACKS = 1024
"""Remembered at a time: more faces than any frame shows, and memory stays flat over a clip of many shots."""


class Steadied:
    """Exponential means of vectors by track, over a time constant in seconds."""

    def __init__(self, window_s: float) -> None:
        if window_s <= 0:
            raise ValueError(f"window_s must be above 0, got {window_s}")
        self._window_s = window_s
        self._known: dict[int, tuple[float, Values]] = {}

    def start(self, firsts: Iterable[tuple[int, Values]]) -> None:
        """Give the first vectors, each with its track; of tracks already known they are left alone."""
        fresh: dict[int, list[Values]] = defaultdict(list)
        for track, values in firsts:
            if track not in self._known:
                fresh[track].append(values)
        for track, vectors in fresh.items():
            self._known[track] = (-math.inf, np.mean(np.stack(vectors), axis=0))

    def known(self, track: int) -> Values | None:
        """The steadied vector of a track as it stands; None where nothing of it is known."""
        return self._known[track][1] if track in self._known else None

    def add(self, track: int, time_s: float, values: Values) -> Values:
        """Take the vector of one frame in and give the steadied one."""
        if track not in self._known:
            self._known[track] = (time_s, values)
        before_s, mean = self._known[track]
        # Just started: the frame is in the mean already.
        weight = 0.0 if math.isinf(before_s) else 1.0 - math.exp(-max(0.0, time_s - before_s) / self._window_s)
        mean = mean + weight * (values - mean)
        del self._known[track]
        self._known[track] = (time_s, mean)  # the last seen last
        if len(self._known) > MOST_TRACKS:
            del self._known[next(iter(self._known))]
        return mean
