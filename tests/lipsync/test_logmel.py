"""Log-mel rows: against a slow front end, at the paper's times, the same for zeros and the faintest noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lipsync import logmel
from lipsync.features import mel_filters, row_times_s
from lipsync.logmel import FLOOR, log_mel
from shared.types import Sound


def noise(seconds: float, dbfs: float, seed: int = 0) -> Sound:
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal(round(16_000 * seconds)) * 10 ** (dbfs / 20)
    return Sound(samples.astype(np.float32), 16_000)


def slow_row(samples: np.ndarray, start: int) -> list[float]:
    padded = np.concatenate([[0.0], samples, np.zeros(600)]) * 32767
    frame = padded[start + 1 : start + 410] - 0.97 * padded[start : start + 409]
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(409) / 408)
    grid = np.exp(-2j * np.pi * np.outer(np.arange(257), np.arange(409)) / 512)
    power = np.abs(grid @ (frame * window)) ** 2
    return [math.log(float(power @ mel_filters()[:, k]) + FLOOR) for k in range(40)]


def test_rows_equal_a_slow_front_end() -> None:
    sound = noise(0.1, -30)
    expected = [slow_row(sound.samples.astype(np.float64), 160 * k) for k in range(10)]
    np.testing.assert_allclose(log_mel(sound), expected, rtol=1e-5)


def test_a_click_is_heard_at_its_time() -> None:
    samples = np.zeros(16_000, dtype=np.float32)
    samples[8000] = 0.5
    loud = log_mel(Sound(samples, 16_000)).mean(axis=1)
    assert abs(float(np.average(row_times_s(100), weights=loud - loud.min())) - 0.5) < 0.002


def test_zeros_and_the_faintest_noise_are_nearly_one_and_room_tone_is_not() -> None:
    zeros, faint, room = (log_mel(noise(1.0, level))[:90].mean() for level in (-300, -95, -50))
    assert zeros == pytest.approx(math.log(FLOOR))
    assert faint - zeros < 0.1
    assert room - zeros > 5


@pytest.mark.parametrize("samples", [0, 1, 160, 161, 4321])
def test_blocks_of_rows_give_what_all_rows_at_once_give(samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Sound(noise(1.0, -30).samples[:samples], 16_000)
    whole = log_mel(sound)
    monkeypatch.setattr(logmel, "BLOCK", 10)
    np.testing.assert_allclose(log_mel(sound), whole, rtol=1e-6)
    assert whole.shape == (-(-samples // 160), 40)


def test_another_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="16000 Hz, got 8000"):
        log_mel(Sound(np.zeros(800, dtype=np.float32), 8000))
