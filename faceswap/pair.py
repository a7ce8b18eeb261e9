"""The two people's shares of a step, side by side in two threads.

On a CPU, torch would rather split each small tensor among its threads. Those meet after every operation and wait for
each other by spinning: on two cores that is no faster, and where anything else runs it is several times slower. One
thread a person needs no meeting but at the end of the step.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final, TypeVar

import torch

T = TypeVar("T")
MOST_THREADS: Final = 4
"""Of torch for each person; such thin layers gain nothing from more."""


class Pair:
    """Runs a function for person 0 and person 1; at once where torch may use more than one thread of a CPU."""

    def __init__(self, device: torch.device) -> None:
        self._before = torch.get_num_threads()
        self._pool: ThreadPoolExecutor | None = None
        if device.type == "cpu" and self._before > 1:
            each = max(1, min(MOST_THREADS, self._before // 2))
            # The number is kept for each thread, so every one is told.
            torch.set_num_threads(each)
            self._pool = ThreadPoolExecutor(2, "train", torch.set_num_threads, (each,))

    def map(self, function: Callable[[int], T]) -> tuple[T, T]:
        """Call `function` with 0 and with 1 and give both results."""
        if self._pool is None:
            return function(0), function(1)
        first, second = self._pool.submit(function, 0), self._pool.submit(function, 1)
        wait((first, second))  # where one fails, the other must not go on behind the caller's back
        return first.result(), second.result()

    def close(self) -> None:
        """End the threads and give torch its number back."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
            torch.set_num_threads(self._before)
