"""The paper's audio features against a slow, literal front end."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from lipsync import features
from lipsync.features import FIRST_ROW_S, audio_features, mel_filters, row_times_s
from shared.types import Sound


def speech_like(seconds: float, seed: int = 0) -> Sound:
    rng = np.random.default_rng(seed)
    times = np.arange(round(16_000 * seconds)) / 16_000
    voice = sum(np.sin(2 * np.pi * f * times) / f for f in (120, 240, 710, 1240, 2500)) * 40
    loud = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * times)
    return Sound((0.1 * voice * loud + 0.005 * rng.standard_normal(times.shape)).astype(np.float32), 16_000)


def slow_filters() -> NDArray[np.float64]:
    mels = [2595 * math.log10(1 + f / 700) for f in (133.3333, 6855.4976)]
    edges = [700 * (10 ** ((mels[0] + (mels[1] - mels[0]) / 41 * k) / 2595) - 1) for k in range(42)]
    filters = np.zeros((257, 40))
    for k in range(40):
        left, centre, right = (round(edges[k + j] / 31.25) for j in range(3))
        height = 2.0 / ((right - left) * 31.25)
        for b in range(left + 1, centre):
            filters[b, k] = (b - left) * height / (centre - left)
        filters[centre, k] = height
        for b in range(centre + 1, right):
            filters[b, k] = (b - right) * height / (centre - right)
    return filters


def slow_row(samples: NDArray[np.float64], start: int) -> list[float]:
    frame = [samples[k] if 0 <= k < len(samples) else 0.0 for k in range(start, start + 409)]
    before = samples[start - 1] if start > 0 else 0.0
    windowed = np.zeros(512)
    for k, value in enumerate(frame):
        hamming = 0.54 - 0.46 * math.cos(2 * math.pi * k / 408)
        windowed[k] = (value - 0.97 * (frame[k - 1] if k else before)) * hamming
    grid = np.exp(-2j * np.pi * np.outer(np.arange(257), np.arange(512)) / 512)
    logs = np.log(np.clip(np.abs(grid @ windowed) ** 2 @ slow_filters(), 1e-5, None))
    cepstra = []
    for i in range(13):
        total = 0.0
        for j in range(40):
            total += (0.5 if j == 0 else 1.0) * logs[j] * math.cos(math.pi * i * (j + 0.5) / 40)
        cepstra.append(total / 40)
    return [*cepstra, math.log(1 + sum(x * x for x in frame) / 409)]


def test_features_equal_a_slow_literal_front_end() -> None:
    sound = speech_like(0.2)
    samples = sound.samples.astype(np.float64) * 32767
    static = np.array([slow_row(samples, 160 * k) for k in range(20)])
    expected = np.column_stack([static, np.vstack([np.diff(static, axis=0), np.zeros((1, 14))])])
    np.testing.assert_allclose(audio_features(sound), expected, atol=2e-4)


def test_filters_equal_the_slow_ones() -> None:
    np.testing.assert_allclose(mel_filters(), slow_filters(), atol=1e-12)


def test_a_row_s_time_is_its_window_s_centre() -> None:
    samples = np.zeros(16_000, dtype=np.float32)
    samples[8000] = 0.5
    energy = audio_features(Sound(samples, 16_000))[:, 13]
    heard = row_times_s(energy.shape[0])[energy > 0]
    assert abs(heard.mean() - 0.5) < 0.005
    assert pytest.approx(0.01275) == FIRST_ROW_S
    assert np.ptp(heard) < 409 / 16_000


def test_the_energy_row_lives_on_int16_scale() -> None:
    samples = np.full(4000, 0.05, dtype=np.float32)
    assert audio_features(Sound(samples, 16_000))[2, 13] == pytest.approx(math.log(1 + (0.05 * 32767) ** 2), rel=1e-5)


def test_blocks_leave_no_seam() -> None:
    sound = speech_like(10.05)
    cut = Sound(sound.samples[9 * 16_000 + 160 * 90 :], 16_000)
    np.testing.assert_allclose(audio_features(sound)[990 + 1 : 1000], audio_features(cut)[1:10], atol=1e-3)


@pytest.mark.parametrize("samples", [1, 160, 161, 1599, 1600, 1601, 3200, 4321])
def test_blocks_of_rows_give_what_all_rows_at_once_give(samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Sound(speech_like(1.0).samples[:samples], 16_000)
    whole = audio_features(sound)
    monkeypatch.setattr(features, "BLOCK", 10)
    np.testing.assert_allclose(audio_features(sound), whole, rtol=1e-6, atol=1e-6)


def test_memory_does_not_grow_with_the_sound_but_by_its_features() -> None:
    sound = Sound(np.tile(speech_like(1.0).samples, 180), 16_000)
    tracemalloc.start()
    rows = audio_features(sound)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < rows.nbytes + 25e6  # a block's windows and spectra; the sound as float64 would be 23 MB for each copy


def test_no_sound_gives_no_rows() -> None:
    assert audio_features(Sound(np.zeros(0, dtype=np.float32), 16_000)).shape == (0, 28)


def test_another_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="16000 Hz, got 8000"):
        audio_features(Sound(np.zeros(800, dtype=np.float32), 8000))
