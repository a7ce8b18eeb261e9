from __future__ import annotations

import numpy as np
import pytest

from shared.metrics import mouth
from shared.types import Floats


def face(gap: float) -> Floats:
    """68 points with a face 100 px wide, eyes level, and an inner-lip gap of so many px."""
    points = np.zeros((68, 2), dtype=np.float32)
    points[16] = [100, 0]
    points[36:42], points[42:48] = [30, 0], [70, 0]
    points[61:64] = [[45, 60], [50, 60], [55, 60]]
    points[65:68] = [[55, 60 + gap], [50, 60 + gap], [45, 60 + gap]]
    return points


def test_lmd_is_the_mean_distance_and_the_centred_one_forgets_a_shift() -> None:
    real = np.random.default_rng(0).normal(size=(5, 18, 2)).astype(np.float32)
    made = real + np.array([3.0, 4.0], dtype=np.float32)
    assert mouth.lmd(made, real) == pytest.approx(5.0, abs=1e-5)
    assert mouth.centred_lmd(made, real) == pytest.approx(0.0, abs=1e-5)


def test_frames_without_a_face_are_left_out() -> None:
    real = np.zeros((4, 18, 2), dtype=np.float32)
    made = real + np.array([1.0, 0.0], dtype=np.float32)
    made[2] = np.nan
    assert mouth.lmd(made, real) == pytest.approx(1.0)
    assert np.isnan(mouth.frame_lmd(made, real)[2])
    with pytest.raises(ValueError, match="no frame"):
        mouth.lmd(made * np.nan, real)


@pytest.mark.parametrize("degrees", [0.0, 30.0, -75.0])
def test_the_gap_is_a_share_of_the_face_width_at_any_roll(degrees: float) -> None:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    track = np.stack([face(0.0), face(3.0), face(10.0), face(-2.0)]) @ np.array([[c, s], [-s, c]], dtype=np.float32)
    np.testing.assert_allclose(mouth.gap_share(track.astype(np.float32)), [0.0, 0.03, 0.1, 0.0], atol=1e-5)


def test_aperture_gives_pearson_and_the_ratio_of_spreads() -> None:
    rng = np.random.default_rng(1)
    real = rng.normal(size=200).astype(np.float32)
    made = (0.5 * real + 0.2 * rng.normal(size=200) + 3).astype(np.float32)
    made[7] = np.nan
    found = mouth.aperture(made, real)
    keep = np.isfinite(made)
    assert found.correlation == pytest.approx(np.corrcoef(made[keep], real[keep])[0, 1], abs=1e-6)
    assert found.std_ratio == pytest.approx(made[keep].std() / real[keep].std(), rel=1e-5)
    assert found.frames == 199


def test_a_mouth_that_never_moves_has_no_correlation() -> None:
    real = np.sin(np.arange(50)).astype(np.float32)
    found = mouth.aperture(np.ones(50, dtype=np.float32), real)
    assert np.isnan(found.correlation)
    assert found.std_ratio == pytest.approx(0.0)


def test_the_leak_is_the_excess_over_the_real_speakers_own_pauses() -> None:
    pauses = np.array([True] * 10 + [False] * 10)
    real = np.full(20, 0.0, dtype=np.float32)
    real[:1] = 0.05
    real[10:] = 0.05
    made = real.copy()
    made[:4] = 0.05
    made[10:15] = 0.0
    assert mouth.silence_leak(made, real, pauses) == pytest.approx(0.3)
    assert mouth.silence_leak(real, real, pauses) == 0.0
    assert mouth.articulation(made, real, ~pauses) == pytest.approx(0.5)
    assert mouth.open_rate(made, pauses).count == 10
    assert mouth.open_rate(made, pauses).share == pytest.approx(0.4)


def test_a_closure_counts_within_forty_milliseconds() -> None:
    times = np.arange(25) / 25
    gaps = np.full(25, 0.05, dtype=np.float32)
    gaps[10] = 0.01
    assert mouth.closure_rate(gaps, times, [0.40]) == mouth.Rate(1.0, 1)
    assert mouth.closure_rate(gaps, times, [0.44, 0.36]) == mouth.Rate(1.0, 2)
    assert mouth.closure_rate(gaps, times, [0.45, 0.40]) == mouth.Rate(0.5, 2)
    assert mouth.closure_rate(gaps, times, [7.0]).count == 0


def test_the_contrast_takes_each_sound_at_its_best() -> None:
    times = np.arange(25) / 25
    gaps = np.full(25, 0.02, dtype=np.float32)
    gaps[5], gaps[15] = 0.08, 0.01
    assert mouth.open_closed_contrast(gaps, times, [0.23], [0.57]) == pytest.approx(0.07, abs=1e-6)
    assert np.isnan(mouth.open_closed_contrast(gaps, times, [], [0.57]))


def test_shapes_that_do_not_fit_are_told() -> None:
    with pytest.raises(ValueError, match=r"\(T, P, 2\)"):
        mouth.lmd(np.zeros((3, 18, 2), np.float32), np.zeros((3, 20, 2), np.float32))
    with pytest.raises(ValueError, match="chosen frames"):
        mouth.open_rate(np.zeros(5, np.float32), np.ones(4, dtype=np.bool_))
    with pytest.raises(ValueError, match=r"\(T, 68, 2\)"):
        mouth.gap_share(np.zeros((68, 2), np.float32))
