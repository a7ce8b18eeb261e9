"""What the net reads off a face, steadied along its track before anything is drawn from it.

Read off single pictures, the code trembles with the clip's noise, and what a decoder draws from it flickers, skin and
all. A Gaussian in time, ahead as well as behind so that nothing lags, takes the trembling out; how far a mouth opens is
told apart from the rest, over a shorter time, so that neither closures nor blinks are lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faceswap.model import Reading
from faceswap.view import View
from shared.types import Scene

LONGER: Final = 2.0
"""The free part of the code, which guides leave little of the movement, is steadied over so many times as long."""
REACH: Final = 2.5
"""Standard deviations beyond which a frame no longer counts."""


@dataclass(frozen=True, slots=True)
class Read:
    """A scene with what is seen of its faces, and what the net reads off them.

    Attributes
    ----------
    views : of each face.
    reading : of all of them; None where there is no face.
    answer : the same for the decoder that makes the new faces, told so that they open mouth and eyes as far as asked;
        None where it is told what was read.
    """

    scene: Scene
    views: tuple[View, ...]
    reading: Reading | None
    answer: Reading | None = None

    @property
    def time_s(self) -> float:
        """Presentation time in seconds."""
        return float(self.scene.frame.time_s)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is held of a scene that was given on: what was read, and of whom."""

    time_s: float
    tracks: tuple[int, ...]
    reading: Reading | None


def calmed(items: Iterator[Read], steady_ms: float) -> Iterator[Read]:
    """Steady the readings along their tracks; order is kept, `LONGER` times `REACH` times `steady_ms` later.

    Readings of nets without guides, all of whose movement is in the free part of the code, stay as they are.

    Parameters
    ----------
    steady_ms : standard deviation for the guides, milliseconds; 0 leaves all as it is.
    """
    if steady_ms <= 0:
        yield from items
        return
    reach_s = REACH * LONGER * steady_ms / 1000
    seen: deque[_Seen] = deque()
    waiting: deque[Read] = deque()
    for item in items:
        seen.append(_Seen(item.time_s, tuple(view.face.track for view in item.views), item.reading))
        waiting.append(item)
        while waiting[0].time_s + reach_s < item.time_s:
            yield _calm(waiting.popleft(), seen, steady_ms)
            while seen[0].time_s + reach_s < waiting[0].time_s:
                seen.popleft()
    for item in waiting:
        yield _calm(item, seen, steady_ms)


def _calm(item: Read, seen: Iterable[_Seen], steady_ms: float) -> Read:
    """A scene's reading, steadied by those around it."""
    if item.reading is None or item.reading.guides is None:
        return item
    readings = []
    for view in item.views:
        near = [
            (one.time_s - item.time_s, one.reading.of(number))
            for one in seen
            if one.reading is not None
            for number, track in enumerate(one.tracks)
            if track == view.face.track
        ]
        apart_ms = np.array([1000 * apart for apart, _ in near])
        free, told = (_weights(apart_ms, width) for width in (LONGER * steady_ms, steady_ms))
        readings.append(Reading.mean([reading for _, reading in near], free, told))
    return replace(item, reading=Reading.joined(readings))


def _weights(apart_ms: NDArray[np.float64], width_ms: float) -> list[float]:
    """Gaussian weights that add up to 1."""
    shares = apart_ms / width_ms
    weights = np.where(np.abs(shares) <= REACH, np.exp(-0.5 * shares**2), 0.0)
    return [float(weight) for weight in weights / weights.sum()]
