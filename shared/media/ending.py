"""How every writer ends: whole, early but usable after an interrupt, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar


class Ends(Protocol):
    """What grows under a temporary name until it is finished."""

    def finish(self, interrupted: bool = False) -> None:
        """Let what was written appear under its final name; raise nothing for want of frames where `interrupted`."""

    def abandon(self) -> None:
        """Remove what was written."""


Writer = TypeVar("Writer", bound=Ends)


@contextmanager
def ended(writer: Writer) -> Iterator[Writer]:
    """Finish a writer when the block ends or an interrupt (Ctrl-C) comes; abandon it after any other failure."""
    whole = False
    try:
        yield writer
        writer.finish()
        whole = True
    except KeyboardInterrupt:
        writer.finish(interrupted=True)
        whole = True
        raise
    finally:
        if not whole:
            writer.abandon()
