"""Candidates that follow one another: a dynamic programme over the footage frames of successive pictures.

Chosen for each picture by themselves, candidates come and go, and the texture flickers. So takes are followed through
time: a take is one candidate for each picture. It costs how far its mouths and poses are from those wanted, and how
unlike its successive pictures look, measured by what changes from frame to frame in the footage itself. What followed
in the footage costs nothing (Schoedl, Szeliski, Salesin, Essa, "Video textures", SIGGRAPH 2000, section 3), a frame
shown twice as much as a usual change. The best take is found, then the best of what it leaves, and so on; the weighted
median of some takes, each of which is steady, is steady, and the fewer they are, the sharper it is.

On 12 GRID clips made anew from others (`benchmarks/steadiness.py`) the paper's median of 50 has 0.66 of the real
mouth's sharpness and 1.55 times the lower face's flicker; takes have 0.68 and 0.99 at steadiness 0.25, 0.64 and 0.84 at
0.5, and 0.1 to 0.4 dB more PSNR around the mouth. Sharpened and laid into the frames of 6 held-out clips, takes at 0.5
have as much detail as the real mouth, as the paper's have, 0.95 of its flicker (the paper's 1.02), and 34.2 dB of PSNR
around it (33.7).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from lipsync.looks import Looks
from lipsync.retrieve import Candidates
from shared.types import Floats

MOST_TAKES: Final = 24
"""Takes at steadiness 1."""
SMOOTH_FRAMES: Final = 4.0
"""Standard deviation of the Gaussian over the costs that takes are weighted by, so that weights do not jump."""
KEPT_FRAMES: Final = 12
"""Costs remembered for it."""
LEAST_WEIGHT: Final = 1e-30
"""Weight that a candidate's cost is read from, where it has less."""

Costs = NDArray[np.float64]


def take_count(steadiness: float, candidates: int) -> int:
    """How many takes are followed: one at steadiness 0; half the candidates at most, so that there is a choice."""
    return max(1, min(1 + round((MOST_TAKES - 1) * steadiness), candidates // 2))


def disjoint_takes(own: Costs, change: Costs, starts: Costs) -> NDArray[np.intp]:
    """Find cheap ways through candidates, none of which two share.

    Parameters
    ----------
    own : (T, K) cost of each candidate of each picture.
    change : (T - 1, K, K) cost of going from each candidate to each of the next picture.
    starts : (P, K) what it costs each take to begin, P <= K.

    Returns
    -------
    (P, T) numbers of candidates: the cheapest take, then the cheapest that shares none of its candidates, and so on.
    """
    takes = np.empty((starts.shape[0], own.shape[0]), dtype=np.intp)
    free = own.copy()
    pictures = np.arange(own.shape[0])
    for number, start in enumerate(starts):
        cost, steps = start + free[0], []
        for before, here in zip(change, free[1:], strict=True):
            total = cost[:, np.newaxis] + before
            steps.append(total.argmin(axis=0))
            cost = total.min(axis=0) + here
        place = int(cost.argmin())
        takes[number, -1] = place
        for k in range(own.shape[0] - 2, -1, -1):
            place = int(steps[k][place])
            takes[number, k] = place
        free[pictures, takes[number]] = np.inf
    return takes


@dataclass(slots=True)
class _Picture:
    """A picture that waits for its takes."""

    found: Candidates
    looks: Floats
    """(K, F) float32."""
    time_s: float
    own: Costs
    """(K,) what each candidate costs."""
    change: Costs | None
    """(K, K) what it costs to come from each candidate of the picture before."""


class Follower:
    """Follows takes for one face, picture by picture, a little ahead of what is shown."""

    def __init__(self, looks: Looks, steadiness: float) -> None:
        self._looks, self._steadiness = looks, steadiness
        self._waiting: deque[_Picture] = deque()
        self._last: _Picture | None = None
        self._picks: NDArray[np.intp] | None = None
        self._spent: deque[Costs] = deque(maxlen=KEPT_FRAMES)

    def add(self, found: Candidates, time_s: float) -> None:
        """Take in the candidates of the next picture; each picture has as many."""
        looks = self._looks.of(found.indices)
        before = self._waiting[-1] if self._waiting else self._last
        change = None
        if before is not None:
            change = self._change(before, found, looks, time_s)
        weights = found.weights.astype(np.float64)
        own = -np.log(np.maximum(weights / weights.max(), LEAST_WEIGHT))
        self._waiting.append(_Picture(found, looks, time_s, own, change))

    def decide(self, count: int) -> list[Candidates]:
        """Settle the takes of the first pictures that wait, looking ahead as far as any wait."""
        if count < 1:
            return []
        pictures = list(self._waiting)
        own = np.array([picture.own for picture in pictures])
        starts = np.zeros((take_count(self._steadiness, own.shape[1]), own.shape[1]))
        if self._picks is not None and pictures[0].change is not None:
            starts = pictures[0].change[self._picks]
        change = [picture.change for picture in pictures[1:] if picture.change is not None]
        takes = disjoint_takes(own, np.array(change).reshape(-1, own.shape[1], own.shape[1]), starts)
        weights = self._weights(own[np.arange(len(pictures))[:, np.newaxis], takes.T], count)
        self._last, self._picks = pictures[count - 1], takes[:, count - 1]
        return [_chosen(self._waiting.popleft().found, takes[:, k], weights[k]) for k in range(count)]

    def _change(self, before: _Picture, found: Candidates, looks: Floats, time_s: float) -> Costs:
        unlike = self._looks.unlike(before.looks, looks)
        unlike[before.found.indices[:, np.newaxis] == found.indices] = 1.0
        unlike[self._looks.follows(before.found.indices, found.indices, time_s - before.time_s)] = 0.0
        return self._steadiness * unlike

    def _weights(self, spent: Costs, count: int) -> Floats:
        """Weights (count, P) of takes by their costs (T, P), smoothed: all alike at steadiness 1."""
        past = len(self._spent)
        smooth = gaussian_filter1d(np.concatenate([*self._spent, *spent]).reshape(-1, spent.shape[1]), SMOOTH_FRAMES, 0)
        self._spent.extend(spent[:count])
        smooth = smooth[past : past + count]
        weights = np.exp(-(1.0 - self._steadiness) * (smooth - smooth.min(axis=1, keepdims=True)))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def _chosen(found: Candidates, takes: NDArray[np.intp], weights: Floats) -> Candidates:
    return Candidates(found.indices[takes], weights, found.sigma)


def follow(looks: Looks, steadiness: float, found: Sequence[Candidates], times_s: Sequence[float]) -> list[Candidates]:
    """Takes through a few pictures at once."""
    follower = Follower(looks, steadiness)
    for one, time_s in zip(found, times_s, strict=True):
        follower.add(one, time_s)
    return follower.decide(len(found))
