"""Items made in a background thread, a few ahead of their use: decoding beside finding."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Item(Generic[T]):
    value: T


def ahead(items: Iterable[T], depth: int = 6) -> Generator[T]:
    """The same items in order, made in a thread at most `depth` ahead; an error there is raised here.

    Closing the generator ends the thread after the item it is working on.
    """
    ready: queue.Queue[_Item[T] | BaseException | None] = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def give(entry: _Item[T] | BaseException | None) -> None:
        while not stop.is_set():
            try:
                return ready.put(entry, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in items:
                give(_Item(item))
                if stop.is_set():
                    return
            give(None)
        except BaseException as error:  # it is raised again on the reader's side
            give(error)

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        while (entry := ready.get()) is not None:
            if isinstance(entry, BaseException):
                raise entry
            yield entry.value
    finally:
        stop.set()
        thread.join()
