"""Ctrl-C heard at the end of a step, so that no state is saved half-made."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def postponed() -> Iterator[Callable[[], bool]]:
    """Inside the block an interrupt only makes the given function true; a second one interrupts at once.

    Outside the main thread, where Python hears no signals, the function stays false; so it does for a signal that the
    process ignores, as one started in the background of a script ignores Ctrl-C.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    heard = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        if heard.is_set():
            signal.default_int_handler(number, frame)
        heard.set()

    heeded = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, note) for number in heeded}
    try:
        yield heard.is_set
    finally:
        for number, action in before.items():
            signal.signal(number, action)
