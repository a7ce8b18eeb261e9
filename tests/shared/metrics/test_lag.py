from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, signal

from shared.metrics.lag import (
    Lag,
    LagModel,
    LagOptions,
    SpeakingClip,
    _mel_filters,
    fit_lag,
    measure_lag,
    predict_mouth,
)
from shared.types import Sound

RATE = 16_000
FRAMES_HZ = 25.0


def made_clip(seed: int, seconds: float, late_s: float = 0.0, other_voice: bool = False) -> SpeakingClip:
    """A hidden mouth curve drives two bands of noise; the sound comes `late_s` after the picture."""
    rng = np.random.default_rng(seed)
    count = int((seconds + 2) * RATE)
    curves = ndimage.gaussian_filter1d(rng.normal(size=(2, count // 160)), 5.0, axis=1)
    curves /= curves.std(axis=1, keepdims=True)
    at_sample = np.arange(count) / 160
    heard = ndimage.gaussian_filter1d(rng.normal(size=(2, count // 160)), 5.0, axis=1) * 5 if other_voice else curves
    noise = rng.normal(size=count)
    sound = np.zeros(count)
    for curve, band in zip(heard, ((300, 900), (1500, 3500)), strict=True):
        filtered = signal.sosfilt(signal.butter(4, band, "bandpass", fs=RATE, output="sos"), noise)
        sound += filtered * np.exp(np.interp(at_sample, np.arange(count // 160), curve))
    first = round((1.0 - late_s) * RATE)
    samples = (sound[first : first + int(seconds * RATE)] * 0.05).astype(np.float32)
    times = np.arange(int(seconds * FRAMES_HZ)) / FRAMES_HZ
    lips = np.stack([np.interp((times + 1.0) * 100, np.arange(count // 160), curve) for curve in curves], axis=1)
    lips += rng.normal(0, 0.3, lips.shape)
    return SpeakingClip(Sound(samples, RATE), lips.astype(np.float32), times)


@pytest.mark.parametrize(("rate_hz", "size"), [(16000, 512), (44100, 2048), (8000, 256)])
def test_the_filters_are_even_triangles_of_height_one(rate_hz: int, size: int) -> None:
    lowest, highest = 2595.0 * np.log10(1.0 + np.array([100.0, min(7000.0, rate_hz / 2)]) / 700.0)
    corners = 700.0 * (10.0 ** (np.linspace(lowest, highest, 28) / 2595.0) - 1.0)
    bins = np.arange(size // 2 + 1) * rate_hz / size
    wanted = [np.interp(bins, corners[k : k + 3], [0.0, 1.0, 0.0]) for k in range(26)]
    np.testing.assert_allclose(_mel_filters(rate_hz, size), wanted, atol=1e-9)


@pytest.fixture(scope="module")
def model() -> LagModel:
    return fit_lag([made_clip(seed, 20.0) for seed in range(3)])


@pytest.mark.parametrize("late_s", [0.123, -0.080, 0.0])
def test_a_known_lag_is_found_within_ten_milliseconds(model: LagModel, late_s: float) -> None:
    found = measure_lag(model, [made_clip(10, 12.0, late_s), made_clip(11, 12.0, late_s)])
    assert found.lag_s == pytest.approx(late_s, abs=0.010)
    assert found.low_s <= found.lag_s <= found.high_s
    assert found.high_s - found.low_s < 0.05
    assert found.speech_s > 20


def test_little_speech_gives_an_interval_only(model: LagModel) -> None:
    found = measure_lag(model, [made_clip(12, 8.0, 0.123)])
    assert np.isnan(found.lag_s)
    assert found.low_s - 0.01 <= 0.123 <= found.high_s + 0.01


def test_a_voice_that_is_not_his_is_rejected(model: LagModel) -> None:
    found = measure_lag(model, [made_clip(13, 30.0, other_voice=True)])
    assert np.isnan(found.lag_s)
    assert np.isnan(found.low_s)
    assert found.contrast < LagOptions().least_contrast


def test_frames_without_a_face_and_silence_are_survived(model: LagModel) -> None:
    clip = made_clip(14, 24.0, 0.05)
    clip.mouth[::7] = np.nan
    assert measure_lag(model, [clip]).lag_s == pytest.approx(0.05, abs=0.012)
    silent = SpeakingClip(Sound(np.zeros(RATE * 5, np.float32), RATE), clip.mouth[:125], clip.times_s[:125])
    assert np.isnan(measure_lag(model, [silent]).lag_s)
    assert np.isnan(measure_lag(model, []).correlation)


def test_loudness_does_not_move_the_lag(model: LagModel) -> None:
    clip = made_clip(15, 24.0, 0.05)
    quiet = SpeakingClip(Sound((clip.sound.samples * 1e-6).astype(np.float32), RATE), clip.mouth, clip.times_s)
    first, second = measure_lag(model, [clip]), measure_lag(model, [quiet])
    assert isinstance(first, Lag)
    assert second.lag_s == pytest.approx(first.lag_s, abs=0.001)


def test_the_regression_s_own_mouth_follows_the_sound(model: LagModel) -> None:
    clip = made_clip(17, 12.0)
    made = predict_mouth(model, clip.sound, clip.times_s)
    assert made.shape == clip.mouth.shape
    assert made.dtype == np.float32
    assert min(np.corrcoef(made[:, k], clip.mouth[:, k])[0, 1] for k in range(2)) > 0.7
    with pytest.raises(ValueError, match="16000 Hz"):
        predict_mouth(model, Sound(clip.sound.samples, 8_000), clip.times_s)


def test_rates_that_differ_are_told(model: LagModel) -> None:
    clip = made_clip(16, 4.0)
    with pytest.raises(ValueError, match="16000 Hz"):
        measure_lag(model, [SpeakingClip(Sound(clip.sound.samples, 44_100), clip.mouth, clip.times_s)])
    with pytest.raises(ValueError, match="at least one clip"):
        fit_lag([])
