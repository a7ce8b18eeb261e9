"""Items come in order, errors come through, and nothing runs on after the reader stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from shared.face.ahead import ahead


def test_items_come_in_order() -> None:
    assert list(ahead(range(100), 3)) == list(range(100))


def test_an_error_is_raised_where_the_items_are_read() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("broken")

    made = ahead(items())
    assert next(made) == 1
    with pytest.raises(KeyError, match="broken"):
        next(made)


def test_no_more_than_the_depth_is_made_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(50):
            made.append(number)
            yield number

    with closing(ahead(items(), 2)) as read:
        next(read)
        time.sleep(0.2)
        assert len(made) <= 5


def test_closing_ends_the_thread() -> None:
    before = threading.active_count()
    with closing(ahead(iter(int, 1), 2)) as read:
        next(read)
    assert threading.active_count() == before
