"""A way through a target that is shorter than its speech: the dynamic programme with jumps, a window at a time.

Which jumps may be taken depends on those taken of late, which no dynamic programme over frames knows. So `AHEAD_S` of
speech are planned, what comes up to the first jump is settled (at most `SETTLED_S`), and from there it is planned
again: an hour of speech takes as long as a few passes over its frames.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from lipsync.jumps import AGAIN_S, LEAST_S, SOON
from lipsync.retime import PLANNING, Bools, Doubles, Frontier, Ints, Jumps, Path, Target, began, cheapest_path
from shared.progress import Progress, silent

AHEAD_S: Final = 20.0
SETTLED_S: Final = 10.0
NEAR_S: Final = 0.4
"""Jumps whose ends both lie so near to each other's, in either direction, look like the same one."""
EARLY: Final = 1.0
"""What each row costs by which a jump comes again too early: as much as a blink in a pause, more than any stillness
saves."""
HOP: Final = 25.0
"""What each row costs by which any jump comes too soon after the last one: rather one that was taken a second before
its time."""


def endless_path(
    target: Target, weights: Doubles, jumps: Jumps, rate: float, progress: Progress = silent
) -> Path | None:
    """The way through all T rows of `weights`; None where no jump leads on.

    Parameters
    ----------
    jumps : as of `lipsync.jumps.find_jumps`.
    rate : frames a second.
    """
    rows, ahead, settled = len(weights), round(AHEAD_S * rate), round(SETTLED_S * rate)
    frames = np.zeros(rows, dtype=np.int64)
    repeated, jumped = np.zeros(rows, dtype=np.bool_), np.zeros(rows, dtype=np.bool_)
    shown = np.full(len(target), -np.inf)
    begin, done = began(target, weights), 0
    while True:
        last = min(done + ahead, rows)
        end = target.edge if last == rows else _alive(len(target), jumps)
        taken = jumps_taken(frames[: done + 1], jumped[: done + 1])
        path = cheapest_path(target, weights[done:last], begin, end, _cooled(jumps, taken, done, shown, rate))
        if path is None:
            return None
        first = np.flatnonzero(path.jumped)
        upto = min(int(first[0]), settled) if len(first) else len(path.frames) - 1 if last == rows else settled
        part = slice(done, done + upto + 1)
        frames[part], repeated[part] = path.frames[: upto + 1], path.repeated[: upto + 1]
        jumped[done + 1 : part.stop] = path.jumped[1 : upto + 1]
        shown[frames[part]] = np.arange(part.start, part.stop)
        done += upto
        progress(done + 1, rows, PLANNING)
        if done == rows - 1:
            return Path(frames, repeated, jumped, np.nan)
        begin = _only(len(target), int(frames[done]), bool(repeated[done]))


def jumps_taken(frames: Ints, jumped: Bools) -> Ints:
    """(J, 3) of each jump the row at which it lands, the frame before, and the frame it lands at."""
    rows = np.flatnonzero(jumped)
    return np.stack([rows, frames[rows - 1], frames[rows]], axis=1)


def taken_again(taken: Ints, rate: float) -> int:
    """How many of the jumps look like one that was taken less than `AGAIN_S` before."""
    again = 0
    for number, (row, source, landing) in enumerate(taken.tolist()):
        before = taken[:number]
        late = before[before[:, 0] > row - AGAIN_S * rate]
        again += bool(len(late)) and bool(_alike(late[:, 1], late[:, 2], source, landing, rate).any())
    return again


def _cooled(jumps: Jumps, taken: Ints, done: int, shown: Doubles, rate: float) -> Jumps:
    """The jumps at row `done`: dear where they were taken of late, and where what they lead to was."""
    landing = np.broadcast_to(jumps.landing[:, np.newaxis], jumps.source.shape)
    until = np.zeros(jumps.source.shape, dtype=np.int64)
    away = AGAIN_S * rate
    for row, source, end in taken[taken[:, 0] > done - away].tolist():
        alike = _alike(jumps.source, landing, source, end, rate)
        until[alike] = np.maximum(until[alike], row + round(away) - done)
    opens = int(taken[-1, 0]) + round(LEAST_S * rate) - done if len(taken) else 0
    of_late = SOON * np.clip(1.0 - (done - shown[jumps.landing]) / away, 0.0, 1.0)
    return replace(jumps, cost=jumps.cost + of_late[:, np.newaxis], until=until, early=EARLY, opens=opens, hop=HOP)


def _alike(source: Ints, landing: Ints, one: int, other: int, rate: float) -> Bools:
    """Which jumps look like the one from frame `one` to frame `other`, or back."""
    near = round(NEAR_S * rate)
    there = (np.abs(source - one) <= near) & (np.abs(landing - other) <= near)
    back = (np.abs(source - other) <= near) & (np.abs(landing - one) <= near)
    return np.asarray(there | back)


def _alive(count: int, jumps: Jumps) -> Doubles:
    """(N,) what it costs to be at a frame when a window ends: all where nothing leads on from it."""
    sources = jumps.source[np.isfinite(jumps.cost)]
    last = int(sources.max()) if len(sources) else -1
    return np.where(np.arange(count) <= last, 0.0, np.inf)


def _only(count: int, frame: int, is_repeated: bool) -> Frontier:
    """The costs where one frame in one state is shown for certain."""
    once, twice = np.full(count, np.inf), np.full(count, np.inf)
    (twice if is_repeated else once)[frame] = 0.0
    return once, twice
