"""Seconds, frames, samples and rows."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import clock

NTSC = Fraction(30000, 1001)
RATES = st.sampled_from([Fraction(25), NTSC, Fraction(24000, 1001), Fraction(60000, 1001), Fraction(15, 2)])


def test_ntsc_does_not_drift_over_an_hour() -> None:
    frames = 3600 * 30000 // 1001
    exact = frames * 48000 * 1001 / 30000
    assert clock.sample_at(clock.time_of_frame(frames, NTSC), 48000) == round(exact)
    assert clock.sample_at(clock.time_of_frame(30000, NTSC), 48000) == 1001 * 48000


@given(index=st.integers(0, 10**7), rate=RATES)
def test_the_frame_at_the_time_of_a_frame_is_that_frame(index: int, rate: Fraction) -> None:
    assert clock.frame_at(clock.time_of_frame(index, rate), rate) == index


@given(index=st.integers(0, 10**9), rate_hz=st.sampled_from([8000, 16000, 44100, 48000]))
def test_the_sample_at_the_time_of_a_sample_is_that_sample(index: int, rate_hz: int) -> None:
    assert clock.sample_at(clock.time_of_sample(index, rate_hz), rate_hz) == index


def test_a_row_is_found_at_its_own_centre() -> None:
    assert clock.row_at(0.0128 + 0.25, 100, first_row_s=0.0128) == pytest.approx(25.0)


def test_the_rows_times_are_those_at_which_the_rows_are_found() -> None:
    times = clock.times_of_rows(4, 100, first_row_s=0.0128)
    assert times[0] == 0.0128
    assert [clock.row_at(time_s, 100, first_row_s=0.0128) for time_s in times] == pytest.approx([0, 1, 2, 3])


def test_resampling_a_line_gives_the_line() -> None:
    times = np.array([0.0, 0.03, 0.1, 0.2])
    values = np.stack([2 * times, 1 - times], axis=1).astype(np.float32)
    new = np.linspace(0.0, 0.2, 17)
    expected = np.stack([2 * new, 1 - new], axis=1)
    np.testing.assert_allclose(clock.resample_track(values, times, new), expected, atol=1e-6)


def test_resampling_holds_the_ends() -> None:
    values = np.array([1.0, 3.0], dtype=np.float32)
    np.testing.assert_array_equal(clock.resample_track(values, [0.0, 1.0], [-5.0, 9.0]), [1.0, 3.0])


def test_resampling_one_row_repeats_it() -> None:
    out = clock.resample_track(np.ones((1, 2), dtype=np.float32), [0.5], [0.0, 1.0, 2.0])
    assert out.shape == (3, 2)


def test_resampling_refuses_times_that_do_not_increase() -> None:
    with pytest.raises(ValueError, match="increase strictly"):
        clock.resample_track(np.ones(2, dtype=np.float32), [0.0, 0.0], [0.0])
    with pytest.raises(ValueError, match="got"):
        clock.resample_track(np.ones(2, dtype=np.float32), [0.0], [0.0])


@pytest.mark.parametrize(
    ("time_s", "around"), [(0.0, (0, 1, 0.0)), (2.0125, (0, 1, 0.25)), (2.025, (1, 2, 0.5)), (9.0, (2, 2, 0.0))]
)
def test_a_time_lies_between_two_rows_and_beyond_the_ends_on_one(time_s: float, around: tuple[int, int, float]) -> None:
    assert clock.rows_around(time_s, 100, 2.01, 3) == pytest.approx(around, abs=1e-4)
