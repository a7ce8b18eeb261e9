"""What is shown follows what is wished, and never faster than its rate."""

from __future__ import annotations

import pytest

from lipsync.ease import INSIDE_PER_S, SHARPER_PER_S, TINT_PER_S, Manner, eased

PLAIN = (0.0, 0.0, 0.0)


def test_what_begins_is_the_mean_of_what_the_frames_around_wish() -> None:
    wishes = [Manner(1.0, 0.0, (0.3, 0.0, 0.0)), Manner(0.7, -1.0, PLAIN), Manner(0.7, -0.5, (0.0, 0.0, -0.3))]
    shown = eased(wishes, None, 0.04)
    assert (shown.inside, shown.sharper) == pytest.approx((0.8, -0.5))
    assert shown.tint == pytest.approx((0.1, 0.0, -0.1))


@pytest.mark.parametrize("elapsed_s", [1 / 60, 1 / 25, 1.0])
@pytest.mark.parametrize("sign", [-1, 1])
def test_nothing_changes_faster_than_its_rate(elapsed_s: float, sign: int) -> None:
    shown = eased([Manner(0.8 + sign, sign * 9.0, (sign * 2.0, 0.0, 0.0))], Manner(0.8, 0.0, PLAIN), elapsed_s)
    assert (shown.inside - 0.8) / elapsed_s == pytest.approx(sign * INSIDE_PER_S)
    assert shown.sharper / elapsed_s == pytest.approx(sign * SHARPER_PER_S)
    assert shown.tint == pytest.approx((sign * TINT_PER_S * elapsed_s, 0.0, 0.0))


def test_what_is_near_is_reached() -> None:
    near = Manner(0.801, -0.003, (0.001, 0.0, -0.002))
    assert eased([near], Manner(0.8, 0.0, PLAIN), 0.04) == near


def test_time_that_runs_back_changes_nothing() -> None:
    before = Manner(0.8, 0.0, PLAIN)
    assert eased([Manner(0.6, -1.0, (0.2, 0.0, 0.0))], before, -0.04) == before
