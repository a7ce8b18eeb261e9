"""Progress through several long steps: which one, and how long all of it will still take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from shared.progress import Progress


class Steps:
    """Numbers the steps of a plan, tells each as it begins, and puts its number before what it reports.

    Parameters
    ----------
    plan : step -> usual seconds on two cores, in order; what has passed corrects the estimate of what is left.
    progress, say : where to report.
    """

    def __init__(self, plan: Mapping[str, float], progress: Progress, say: Callable[[str], None]) -> None:
        self._plan = dict(plan)
        self._progress = progress
        self._say = say
        self._began = time.monotonic()
        self.timings_s: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[Progress]:
        """Run one step of the plan; gives the progress to hand on."""
        mark = f"[{list(self._plan).index(name) + 1}/{len(self._plan)}]"
        self._say(f"{mark} {name}; in all about {_minutes(self.left_s())} to go")
        start = time.monotonic()

        def numbered(done: float, total: float, label: str) -> None:
            self._progress(done, total, f"{mark} {label}")

        yield numbered
        self.timings_s[name] = round(time.monotonic() - start, 2)

    def left_s(self) -> float:
        """Seconds left in all steps that have not ended, scaled by how the ended ones went."""
        ended = sum(self._plan[name] for name in self.timings_s)
        left = sum(self._plan.values()) - ended
        if ended < 0.05 * (ended + left):
            return left
        return left * min(max((time.monotonic() - self._began) / ended, 0.2), 5.0)

    @property
    def total_s(self) -> float:
        """Seconds since the first step was planned."""
        return round(time.monotonic() - self._began, 1)


def _minutes(seconds: float) -> str:
    whole = max(1, round(seconds))
    return f"{whole // 60}:{whole % 60:02d} min"
