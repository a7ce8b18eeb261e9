"""The progress bar and its plain lines."""

from __future__ import annotations

import io
import itertools

import pytest

from shared.progress import TerminalProgress, silent


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_are_plain_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    progress = TerminalProgress(out)
    progress(1, 10, "tracking")
    progress(10, 10, "tracking")
    text = out.getvalue()
    assert "tracking" in text
    assert "10/10" in text
    assert "\r" not in text


def test_a_terminal_gets_one_line_that_is_redrawn() -> None:
    out = _Terminal()
    progress = TerminalProgress(out)
    progress(5, 10, "training")
    progress(10, 10, "training")
    progress.close()
    assert out.getvalue().count("\n") == 1
    assert "10/10" in out.getvalue()


def test_the_rate_is_that_of_this_run_where_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(100.0, 10.0)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    out = io.StringIO()
    progress = TerminalProgress(out)
    progress(500, 800, "finding faces")
    progress(600, 800, "finding faces")
    assert "600/800, 10.0/s, ETA 0:20" in out.getvalue().splitlines()[-1]


def test_a_new_label_ends_the_old_line() -> None:
    out = _Terminal()
    progress = TerminalProgress(out)
    progress(1, 2, "one")
    progress(1, 2, "two")
    assert out.getvalue().index("\n") < out.getvalue().index("two")


def test_the_silent_progress_says_nothing() -> None:
    silent(1, 2, "nothing is drawn")
