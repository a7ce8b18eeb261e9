"""Run the steps of a chain side by side: an iterator drained in a thread of its own, into a bounded queue."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")
WAKE_S = 0.5
"""A waiting main thread looks up this often, so that Ctrl-C is heard on every system."""


class _Pipe(Generic[T]):
    """A bounded queue with an end, an error and a stop."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._stopped = False
        self._error: BaseException | None = None

    def fill(self, items: Iterator[T]) -> None:
        """Put all items; an error goes to whoever drains."""
        error: BaseException | None = None
        try:
            for item in items:
                if not self._put(item):
                    break
        except BaseException as caught:  # raised again in the thread that drains
            error = caught
        try:
            close = getattr(items, "close", None)
            if close is not None:
                close()
        except BaseException as caught:  # as above; the first error says more
            error = error or caught
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def drain(self) -> Iterator[T]:
        """Give the items in order; then the error, if there was one."""
        while True:
            with self._changed:
                while not self._items and not self._ended and not self._stopped:
                    self._changed.wait(WAKE_S)
                if self._stopped:
                    return
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item

    def stop(self) -> None:
        """Let both sides go, and drop what waits."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()

    def _put(self, item: T) -> bool:
        with self._changed:
            while len(self._items) >= self._room and not self._stopped:
                self._changed.wait(WAKE_S)
            if self._stopped:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True


@contextmanager
def in_background(items: Iterator[T], room: int, name: str) -> Iterator[Iterator[T]]:
    """Drain `items` in a thread, at most `room` ahead; order and errors are kept.

    On leaving the thread is stopped and has ended. Where one of these feeds another, leave the last one first.
    """
    if room < 1:
        raise ValueError(f"room must be at least 1, got {room}")
    pipe: _Pipe[T] = _Pipe(room)
    thread = threading.Thread(target=pipe.fill, args=(items,), name=name, daemon=True)
    thread.start()
    try:
        yield pipe.drain()
    finally:
        pipe.stop()
        thread.join()
