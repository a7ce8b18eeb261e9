"""How every writer ends: whole, early but usable after an interrupt, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from shared.interrupt import postponed


class Ends(Protocol):
    """What grows under a temporary name until it is finished."""

    def finish(self, interrupted: bool = False) -> None:
        """Let what was written appear under its final name; raise nothing for want of frames where `interrupted`."""

    def abandon(self) -> None:
        """Remove what was written."""


Writer = TypeVar("Writer", bound=Ends)


@contextmanager
def ended(writer: Writer) -> Iterator[Writer]:
    """Finish a writer when the block ends or an interrupt (Ctrl-C) comes; abandon it after any other failure.

    An interrupt that comes while it is finished is raised when it is; finishing is never begun twice.
    """
    whole = begun = False
    try:
        yield writer
        with postponed() as interrupted:
            begun = True
            writer.finish()
            whole = True
        if interrupted():
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        if not begun:
            with postponed():
                writer.finish(interrupted=True)
                whole = True
        raise
    finally:
        if not whole:
            writer.abandon()
