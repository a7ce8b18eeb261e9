"""Figures along a track."""

from __future__ import annotations

import numpy as np
import pytest

from faceswap.steady import Steadied


def test_noise_is_steadied_and_a_level_kept() -> None:
    random = np.random.default_rng(0)
    steady = Steadied(1.0)
    noisy = random.normal(5.0, 1.0, (400, 2))
    steady.start((0, row) for row in noisy[:8])
    calm = np.array([steady.add(0, number / 25, values) for number, values in enumerate(noisy)])
    assert np.abs(np.diff(calm, axis=0)).mean() < 0.06 * np.abs(np.diff(noisy, axis=0)).mean()
    assert calm[200:].mean() == pytest.approx(5.0, abs=0.3)


def test_a_lasting_change_is_followed_within_the_window() -> None:
    steady = Steadied(0.5)
    steady.add(0, 0.0, np.zeros(1))
    values = [float(steady.add(0, number / 25, np.ones(1))[0]) for number in range(1, 40)]
    assert values[12] == pytest.approx(1 - np.exp(-13 / 25 / 0.5), abs=1e-6)
    assert values[-1] > 0.95


def test_the_pace_follows_seconds_and_not_frames() -> None:
    slow, fast = Steadied(1.0), Steadied(1.0)
    for rate, steady in ((10, slow), (50, fast)):
        steady.add(0, 0.0, np.zeros(1))
        for number in range(1, rate + 1):
            last = steady.add(0, number / rate, np.ones(1))
        assert float(last[0]) == pytest.approx(1 - np.exp(-1.0), abs=1e-6)


def test_tracks_know_nothing_of_each_other() -> None:
    steady = Steadied(1.0)
    steady.add(0, 0.0, np.zeros(1))
    assert float(steady.add(1, 0.04, np.ones(1))[0]) == 1.0


def test_the_first_frames_together_make_the_start() -> None:
    steady = Steadied(1.0)
    steady.start([(3, np.array([0.0])), (3, np.array([2.0]))])
    assert float(steady.add(3, 7.0, np.array([0.0]))[0]) == 1.0


def test_a_window_of_nothing_is_a_callers_mistake() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Steadied(0.0)


def test_a_clip_of_many_shots_does_not_fill_the_memory() -> None:
    steady = Steadied(1.0)
    for track in range(3000):
        steady.add(track, track / 25, np.zeros(1))
    assert steady.known(0) is None
    assert steady.known(2999) is not None
    assert sum(steady.known(track) is not None for track in range(3000)) == 1024
