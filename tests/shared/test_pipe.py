"""Items come in order, errors come through, and nothing runs on after the reader stops."""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Iterator

import pytest

from shared.pipe import in_background


def test_order_is_kept_through_two_threads() -> None:
    with (
        in_background(iter(range(500)), 3, "one") as first,
        in_background((n * 2 for n in first), 3, "two") as second,
    ):
        assert list(second) == [n * 2 for n in range(500)]


def test_no_more_than_the_room_is_made_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for n in range(100):
            made.append(n)
            yield n

    with in_background(items(), 4, "ahead") as drained:
        next(drained)
        time.sleep(0.1)
        assert len(made) <= 1 + 4 + 1


def test_steps_run_side_by_side() -> None:
    def slow(items: Iterator[int]) -> Iterator[int]:
        for n in items:
            time.sleep(0.01)
            yield n

    start = time.monotonic()
    with (
        in_background(slow(iter(range(30))), 2, "one") as first,
        in_background(slow(first), 2, "two") as second,
    ):
        assert len(list(slow(second))) == 30
    assert time.monotonic() - start < 0.75  # 0.9 s one after the other


def test_an_error_arrives_after_the_items_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("broken here")

    seen: list[int] = []
    with pytest.raises(ValueError, match="broken here"), in_background(broken(), 2, "broken") as drained:
        seen.extend(drained)
    assert seen == [1]


def test_leaving_early_ends_the_threads_and_closes_the_source() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    before = threading.active_count()
    with in_background(endless(), 2, "one") as first, in_background((n for n in first), 2, "two") as second:
        next(second)
    assert closed.is_set()
    assert threading.active_count() == before


@pytest.mark.parametrize("fails", [False, True])
def test_a_source_that_cannot_be_closed_still_ends(fails: bool) -> None:
    class Stuck:
        def __init__(self) -> None:
            self._left = iter(range(3))

        def __iter__(self) -> Iterator[int]:
            return self

        def __next__(self) -> int:
            if fails:
                raise ValueError("no item")
            return next(self._left)

        def close(self) -> None:
            raise RuntimeError("cannot close")

    with in_background(Stuck(), 2, "stuck") as drained:
        if fails:
            with pytest.raises(ValueError, match="no item"):
                list(drained)
        else:
            assert [next(drained) for _ in range(3)] == [0, 1, 2]
            with pytest.raises(RuntimeError, match="cannot close"):
                next(drained)


def test_an_interrupt_is_heard_while_the_next_item_is_awaited() -> None:
    """As on a system whose locks no signal wakes: `interrupt_main` only leaves a mark for the main thread to find."""
    released = threading.Event()

    def late() -> Iterator[int]:
        yield int(released.wait(10))

    interrupt = threading.Timer(0.1, _thread.interrupt_main)
    with in_background(late(), 2, "late") as drained:
        interrupt.start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            next(drained)
        heard_s = time.monotonic() - start
        released.set()
    interrupt.join()
    assert heard_s < 5


def test_no_room_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="room must be at least 1"), in_background(iter(()), 0, "none"):
        pass
