"""Which frames of the target a speech is laid over, so that the head is still where the speech pauses.

Suwajanakorn et al. 2017, section 4.4: a dynamic programme over synthesised frames i and target frames j. The target
plays forward; a frame may be shown twice (state 1), never three times. With A(i) whether synthesised frame i is voiced
and V(j) the speed of target frame j::

    F(i, j, 0) = min(F(i-1, j-1, 0), F(i-1, j-1, 1)) + G(i, j)
    F(i, j, 1) = F(i-1, j, 0) + alpha_S V(j) + G(i, j)
    G(i, j) = V(j) in a pause, -alpha_U V(j) two frames after speech sets in, else 0

Beyond the paper a frame j may cost something whatever is heard (U(j), part of both states), and there may be jumps
(`Jumps`): further ways into F(i, k, 0) from F(i-1, j, .), at a cost of their own.

Costs are kept for one i at a time and the choices of `BLOCK` frames i, with the costs at the start of each block, from
which a block's choices are found again on the way back, within float32: an hour over an hour (90,000 x 90,000) takes
less than 0.4 GB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.progress import Progress, silent
from shared.types import Floats

Doubles: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int64]
Frontier: TypeAlias = tuple[Doubles, Doubles]
"""F(i, ., 0) and F(i, ., 1) of one i, both (N,)."""

REPEAT: Final = 2.0
"""alpha_S."""
ONSET: Final = 2.0
"""alpha_U."""
BLINK: Final = 1.0
"""alpha_B, part of V where the target blinks."""
UNSEEN: Final = 1.0
"""What a frame without a face that can speak costs whenever it is shown: as much as a blink in a pause."""
BRIDGED_S: Final = 0.5
"""Shorter pauses are no pauses."""
BLOCK: Final = 1024
PLANNING: Final = "choosing frames for the speech"
MOST_SOURCES: Final = 100
"""Jumps into one frame: choices are kept in a byte."""


@dataclass(frozen=True, slots=True)
class Target:
    """What the programme knows of the N frames of a target.

    Attributes
    ----------
    speed : (N,) float64, V(j): of the landmarks, in eye distances a frame, and `BLINK` more where the target blinks.
    may_repeat : (N,) bool.
    edge : (N,) float64, what it costs to begin or end with a frame; nothing in the paper.
    toll : (N,) float64, U(j), what it costs to show a frame at all, `UNSEEN` where nobody is seen to speak.
    """

    speed: Doubles
    may_repeat: Bools
    edge: Doubles
    toll: Doubles

    def __post_init__(self) -> None:
        shape, others = self.speed.shape, (self.may_repeat.shape, self.edge.shape, self.toll.shape)
        if len(shape) != 1 or not shape[0] or set(others) != {shape}:
            raise ValueError(f"speed, may_repeat, edge and toll must be (N,) with N > 0, got {shape}, {others}")

    def __len__(self) -> int:
        return len(self.speed)


@dataclass(frozen=True, slots=True)
class Jumps:
    """Ways into a frame from another one than the frame before it.

    Attributes
    ----------
    landing : (L,) int64, frames that are jumped to, each once.
    source : (L, K) int64, frames shown before them, K <= `MOST_SOURCES`.
    cost : (L, K) float64, infinite where there is no such jump.
    until : (L, K) int64, row before which each costs `early` more for every row that it comes too soon.
    early : see there.
    opens : row before which all of them cost `hop` more for every row that they come too soon.
    hop : see there.
    """

    landing: Ints
    source: Ints
    cost: Doubles
    until: Ints
    early: float = 0.0
    opens: int = 0
    hop: float = 0.0

    def __post_init__(self) -> None:
        shape = self.source.shape
        fits = len(shape) == 2 and shape[1] <= MOST_SOURCES and self.landing.shape == shape[:1]
        if not fits or self.cost.shape != shape or self.until.shape != shape:
            raise ValueError(
                f"jumps need landing (L,), and source, cost and until (L, K) with K <= {MOST_SOURCES}, got "
                f"{self.landing.shape}, {shape}, {self.cost.shape}, {self.until.shape}"
            )

    def costs_at(self, row: int) -> Doubles:
        """(L, K) of a jump whose landing is shown at `row`."""
        hop = self.hop * max(self.opens - row, 0)
        return np.asarray(self.cost + self.early * np.maximum(self.until - row, 0) + hop)


@dataclass(frozen=True, slots=True)
class Path:
    """What is shown at each of T rows.

    Attributes
    ----------
    frames : (T,) int64, of the target.
    repeated : (T,) bool, whether it is shown the second time in a row.
    jumped : (T,) bool, whether it was jumped to from the row before.
    cost : of the whole; NaN where it was found in parts.
    """

    frames: Ints
    repeated: Bools
    jumped: Bools
    cost: float


def voiced_rows(spans: Sequence[tuple[float, float]], count: int, rate: float) -> Bools:
    """A(i): which of `count` frames, `rate` a second from 0 on, are voiced, shorter pauses than `BRIDGED_S` included.

    Parameters
    ----------
    spans : (start, end) of speech in seconds, in order.
    """
    times = (np.arange(count) + 0.5) / rate
    voiced = np.zeros(count, dtype=np.bool_)
    last_s = -np.inf
    for start, end in spans:
        begin = last_s if start - last_s < BRIDGED_S else start
        voiced |= (times >= begin) & (times <= end)
        last_s = end
    return voiced


def row_weights(voiced: Bools) -> Doubles:
    """(T,) by what V(j) counts in G(i, j): 1 in pauses, -alpha_U two rows after speech sets in, else 0."""
    weights = np.where(voiced, 0.0, 1.0)
    before = np.concatenate([[False] * 3, voiced])[: len(voiced)]  # A(i - 3); before the first row nobody speaks
    then = np.concatenate([[False] * 2, voiced])[: len(voiced)]
    weights[voiced & then & ~before] = -ONSET
    return weights


def began(target: Target, weights: Doubles) -> Frontier:
    """F(0, ., .): any frame may be the first."""
    return target.edge + target.toll + weights[0] * target.speed, np.full(len(target), np.inf)


def cheapest_path(
    target: Target,
    weights: Doubles,
    begin: Frontier,
    end: Doubles,
    jumps: Jumps | None = None,
    progress: Progress = silent,
) -> Path | None:
    """The cheapest way through all rows; None where there is none.

    Parameters
    ----------
    weights : (T,) of `row_weights`.
    begin : costs of row 0, as of `began`.
    end : (N,) what it costs to end with a frame.
    """
    frontier, starts = begin, list[Floats]()
    choices = np.zeros((0, len(target)), dtype=np.uint8)
    blocks = range(1, len(weights), BLOCK)
    for number, first in enumerate(blocks):
        progress(number, 2 * len(blocks), PLANNING)
        starts.append(_light(frontier))
        is_last = first + BLOCK >= len(weights)
        frontier, choices = _sweep(target, weights, first, frontier, jumps, keep=is_last)
    totals = np.stack(frontier) + end
    state, frame = divmod(int(totals.argmin()), len(target))
    cost = float(totals[state, frame])
    if not np.isfinite(cost):
        return None
    frames = np.zeros(len(weights), dtype=np.int64)
    repeated, jumped = np.zeros(len(weights), dtype=np.bool_), np.zeros(len(weights), dtype=np.bool_)
    frames[-1], repeated[-1] = frame, bool(state)
    for number in reversed(range(len(blocks))):
        progress(2 * len(blocks) - number, 2 * len(blocks), PLANNING)
        if number < len(blocks) - 1:
            _, choices = _sweep(target, weights, blocks[number], starts[number].astype(np.float64), jumps, keep=True)
        for row in reversed(range(len(choices))):
            at, taken = blocks[number] + row, int(choices[row, frames[blocks[number] + row]])
            frames[at - 1], repeated[at - 1], jumped[at] = _before(int(frames[at]), bool(repeated[at]), taken, jumps)
    return Path(frames, repeated, jumped, cost)


def _light(frontier: Frontier) -> Floats:
    """(2, N) float32 costs against the least, where none of those that may be on the way loses anything."""
    costs = np.stack(frontier)
    least = float(costs.min())
    return np.asarray(costs - (least if np.isfinite(least) else 0.0), dtype=np.float32)


def _before(frame: int, is_repeated: bool, choice: int, jumps: Jumps | None) -> tuple[int, bool, bool]:
    """Frame and state of the row before, and whether it was left by a jump."""
    if is_repeated:
        return frame, False, False
    if choice < 2 or jumps is None:
        return frame - 1, bool(choice), False
    slot, state = divmod(choice - 2, 2)
    row = int(np.searchsorted(jumps.landing, frame))
    return int(jumps.source[row, slot]), bool(state), True


def _sweep(
    target: Target, weights: Doubles, first: int, frontier: Frontier | Doubles, jumps: Jumps | None, *, keep: bool
) -> tuple[Frontier, NDArray[np.uint8]]:
    """Rows `first` to `first` + BLOCK; the choices into state 0 of each where they are to be kept.

    A choice is the state of frame j - 1 that was left, or 2 + 2 K' + state for the jump in column K'.
    """
    rows = weights[first : first + BLOCK]
    choices = np.zeros((len(rows) if keep else 0, len(target)), dtype=np.uint8)
    once, twice = frontier
    dear = np.where(target.may_repeat, REPEAT * target.speed, np.inf)
    for row, weight in enumerate(rows.tolist()):
        second = twice < once
        best = np.where(second, twice, once)
        played = np.concatenate([[np.inf], best[:-1]])
        if keep:
            choices[row, 1:] = second[:-1]
        if jumps is not None and len(jumps.landing):
            told = best[jumps.source] + jumps.costs_at(first + row)
            slots = told.argmin(axis=1)
            cheapest = told[np.arange(len(slots)), slots]
            better = cheapest < played[jumps.landing]
            landing = jumps.landing[better]
            played[landing] = cheapest[better]
            if keep:
                left = jumps.source[better, slots[better]]
                choices[row, landing] = 2 + 2 * slots[better] + second[left]
        shown = weight * target.speed + target.toll
        once, twice = played + shown, once + dear + shown
    return (once, twice), choices
