"""A file that forgets what is written into it."""

from __future__ import annotations

import io
from typing import Any


class Sink(io.RawIOBase):
    """Swallows what is written: a sidecar's signing copies the whole clip, which nobody needs."""

    def __init__(self) -> None:
        self._place = 0
        self._size = 0

    def write(self, content: Any, /) -> int:  # noqa: ANN401 - any buffer; its type has a name from Python 3.12 on
        """Count it."""
        count = memoryview(content).nbytes
        self._place += count
        self._size = max(self._size, self._place)
        return count

    def read(self, size: int = -1, /) -> bytes:  # noqa: ARG002 - the protocol of streams
        """Nothing."""
        return b""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place in what was not kept."""
        self._place = offset + (0, self._place, self._size)[whence]
        return self._place

    def tell(self) -> int:
        """The place that writing has come to."""
        return self._place
