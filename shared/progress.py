"""Progress of long work: a callback for stages, a bar for terminals, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Protocol, TextIO

LINE_EVERY_S = 5.0
BAR_EVERY_S = 0.2
BAR_WIDTH = 24


class Progress(Protocol):
    """Told of work done; a stage calls it, the command line draws it."""

    def __call__(self, done: float, total: float, label: str) -> None:
        """Report that `done` of `total` (0 where unknown) units of `label` are finished."""


def silent(done: float, total: float, label: str) -> None:
    """Draw nothing: the default of library calls."""


class TerminalProgress:
    """A bar with rate and ETA on a terminal, one line every few seconds when it is not one."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._label = ""
        self._started = 0.0
        self._first = 0.0
        self._shown = 0.0
        self._open_line = False

    def __call__(self, done: float, total: float, label: str) -> None:
        """Draw the state if enough time has passed since the last drawing, and always at the end."""
        now = time.monotonic()
        if label != self._label:
            self.close()
            self._label, self._started, self._first, self._shown = label, now, done, 0.0
        live = self._stream.isatty()
        finished = total > 0 and done >= total
        if not finished and now - self._shown < (BAR_EVERY_S if live else LINE_EVERY_S):
            return
        self._shown = now
        text = _describe(done, total, label, (done - self._first) / max(now - self._started, 1e-6))
        if live:
            self._stream.write("\r\x1b[2K" + text)
            self._open_line = True
        else:
            self._stream.write(text + "\n")
        self._stream.flush()

    def close(self) -> None:
        """End the bar's line, so that what follows starts on its own."""
        if self._open_line:
            self._stream.write("\n")
            self._stream.flush()
        self._open_line = False


def _describe(done: float, total: float, label: str, rate: float) -> str:
    count = f"{done:.0f}/{total:.0f}" if total > 0 else f"{done:.0f}"
    text = f"{label}: {count}"
    if total > 0:
        filled = round(BAR_WIDTH * min(1.0, done / total))
        text = f"{label}: [{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {count}"
    if rate > 0:
        text += f", {rate:.1f}/s"
        if total > done:
            left = round((total - done) / rate)
            text += f", ETA {left // 60}:{left % 60:02d}"
    return text
