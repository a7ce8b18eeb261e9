from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from shared.metrics import track
from shared.types import Floats


def opening(frames: int = 400, seed: int = 0) -> Floats:
    rough = np.random.default_rng(seed).normal(size=frames)
    return np.asarray(ndimage.gaussian_filter1d(rough, 2.5), dtype=np.float32)


def test_jitter_of_white_noise_is_root_six_of_it_and_of_steady_motion_none() -> None:
    drift = np.arange(500)[:, None, None] * np.array([0.7, -0.2]) + np.zeros((500, 10, 2))
    assert track.landmark_jitter(drift.astype(np.float32), 100.0) == pytest.approx(0.0, abs=1e-3)
    shaky = drift + np.random.default_rng(1).normal(0, 0.2, drift.shape)
    assert track.landmark_jitter(shaky.astype(np.float32), 100.0) == pytest.approx(0.2 * np.sqrt(6), rel=0.03)


def test_only_still_frames_with_points_are_judged() -> None:
    points = np.zeros((60, 4, 2), dtype=np.float32)
    points[30:] += np.random.default_rng(2).normal(0, 5, (30, 4, 2)).astype(np.float32)
    points[10] = np.nan
    still = np.arange(60) < 30
    assert track.landmark_jitter(points, 100.0, still) == 0.0
    assert np.isnan(track.landmark_jitter(points, 100.0, ~still & (np.arange(60) < 31)))


def test_a_turning_head_is_not_still_but_a_trembling_one_is() -> None:
    rng = np.random.default_rng(3)
    points = rng.normal(0, 0.5, (200, 8, 2)) + np.zeros((200, 8, 2))
    points[100:] += np.arange(100)[:, None, None] * np.array([2.0, 0.0])
    still = track.still_frames(points.astype(np.float32), 100.0, 25.0)
    assert still[10:90].mean() > 0.9
    assert not still[110:190].any()


@pytest.mark.parametrize("frames", [0.0, 1.0, 2.4])
def test_the_lag_of_a_shifted_track_is_found(frames: float) -> None:
    raw = opening()
    late = ndimage.shift(raw, frames, order=3, mode="nearest").astype(np.float32)
    assert track.added_lag_s(raw, late, 25.0) == pytest.approx(frames / 25, abs=0.004)


def test_a_symmetric_filter_adds_no_lag_and_a_causal_one_does() -> None:
    raw = opening() + np.random.default_rng(4).normal(0, 0.02, 400).astype(np.float32)
    even = np.asarray(ndimage.gaussian_filter1d(raw, 1.5), dtype=np.float32)
    causal = np.asarray(ndimage.uniform_filter1d(raw, 5, origin=2), dtype=np.float32)
    assert abs(track.added_lag_s(raw, even, 25.0)) < 0.004
    assert track.added_lag_s(raw, causal, 25.0) == pytest.approx(0.08, abs=0.008)


def test_the_loss_of_the_peaks_is_in_percent_of_their_height() -> None:
    raw = np.tile(np.maximum(np.sin(np.arange(40) / 40 * 2 * np.pi), 0), 6).astype(np.float32)
    assert track.peak_loss_percent(raw, raw) == pytest.approx(0.0, abs=1e-5)
    assert track.peak_loss_percent(raw, np.asarray(raw * 0.9, np.float32)) == pytest.approx(10.0, abs=0.1)
    assert track.peak_loss_percent(raw, np.roll(raw, 1)) == pytest.approx(0.0, abs=1e-5)


def test_a_parabola_finds_its_own_top() -> None:
    place = np.arange(9.0)
    assert track.parabolic_peak(-((place - 4.3) ** 2)) == pytest.approx(4.3)
    assert track.parabolic_peak(place) == 8.0


def test_wrong_shapes_are_told() -> None:
    with pytest.raises(ValueError, match="eye distance"):
        track.landmark_jitter(np.zeros((5, 3, 2), np.float32), 0.0)
    with pytest.raises(ValueError, match="one shape"):
        track.added_lag_s(opening(), opening(100), 25.0)
