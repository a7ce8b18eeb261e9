"""Varied sounds: each variation does what its words say, and nothing where its share is zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lipsync.features import LOUDNESS_DBFS
from lipsync.logmel import FLOOR, log_mel
from lipsync.sounds import NOISES, SoundOptions, _drawn, _in_rooms, _noises, mask, silences, varied
from shared.types import Floats, Sound

STILL = SoundOptions(gain_db=0, tilt_db=0, voices=0, rooms=0, noises=0, gates=0, masks=0)


def crops(count: int = 8, rows: int = 120, seed: int = 0) -> Floats:
    """Rows as loud as speech, with pauses 60 dB under it in their middle."""
    rng = np.random.default_rng(seed)
    bands = rng.normal(14.0, 1.5, (count, rows, 40))
    bands[:, 50:60] -= 60 / 10 * np.log(10)
    return np.maximum(bands, np.log(FLOOR)).astype(np.float32)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def vary(options: SoundOptions, features: Floats, seed: int = 0) -> Floats:
    before = features.copy()
    made = varied(features, crops(3 * len(features), features.shape[1]).reshape(3, *features.shape), options, rng(seed))
    np.testing.assert_array_equal(features, before)
    assert made.dtype == np.float32
    assert made.shape == features.shape
    return made


def decibels(change: Floats) -> Floats:
    return np.asarray(change * 10 / np.log(10), dtype=np.float32)


def test_nothing_asked_for_changes_nothing() -> None:
    np.testing.assert_allclose(vary(STILL, crops()), crops(), atol=1e-3)


def test_the_same_seed_varies_alike_and_another_differently() -> None:
    first, again, other = (vary(SoundOptions(), crops(), seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.5


def test_gain_is_one_level_for_a_crop_and_tilt_a_slow_wave_over_its_bands() -> None:
    loud = np.maximum(crops(400)[:, :40], np.float32(12.0))
    gains = decibels(vary(replace(STILL, gain_db=4), loud) - loud)
    assert np.ptp(gains, axis=(1, 2)).max() < 0.1
    assert gains[:, 0, 0].std() == pytest.approx(4, rel=0.15)
    tilts = decibels(vary(replace(STILL, tilt_db=3), loud) - loud)
    assert np.ptp(tilts, axis=1).max() < 0.1
    assert np.abs(np.diff(tilts, axis=2)).max() < 3.0 < np.abs(tilts).max()


def test_another_tract_moves_a_peak_by_its_factor() -> None:
    peak = np.zeros((200, 4, 40), dtype=np.float32) + 10
    peak[:, :, 20] = 18
    moved = vary(replace(STILL, voices=1.0, tract=0.12), peak)[:, 0]
    places = np.average(np.tile(np.arange(40), (200, 1)), axis=1, weights=moved - moved.min(axis=1, keepdims=True))
    # 12% of about 1900 Hz is 230 Hz, where a band is 95 Hz wide.
    assert 1.5 < np.ptp(places) / 2 < 3.0
    assert abs(places.mean() - 20) < 0.4


def test_a_room_rings_after_the_sound_and_never_before() -> None:
    power = np.zeros((3, 100, 40), dtype=np.float32)
    power[:, 20] = 1e6
    options = replace(STILL, room_s=(0.5, 0.5), room_db=(3.0, 3.0))
    ringing = _in_rooms(power, options, np.random.default_rng(0))
    assert ringing[:, :20].max() == 0
    np.testing.assert_allclose(ringing[:, 20], power[:, 20])
    tail = ringing[0, 21:, 0]
    assert 10 * np.log10(1e6 / tail.sum()) == pytest.approx(3.0, abs=0.1)
    assert 10 * np.log10(tail[0] / tail[50]) == pytest.approx(60.0, abs=0.1)


def test_noise_fills_the_pauses_to_its_level_and_hardly_touches_speech() -> None:
    speech = crops(60)
    noisy = vary(replace(STILL, noises=1.0, noise_db=(20.0, 20.0)), speech)
    assert (noisy >= speech - 1e-3).all()
    assert np.median(noisy[:, 50:60] - speech[:, 50:60]) > 3 * np.median(noisy[:, :50] - speech[:, :50])


def test_a_quarter_of_the_noise_is_the_others_backwards() -> None:
    quiet = np.full((400, 60, 40), np.log(FLOOR), dtype=np.float32)
    others = np.full((3, *quiet.shape), np.log(FLOOR), dtype=np.float32)
    others[1, :, :10, 7] = 30.0
    made = varied(quiet, others, replace(STILL, noises=1.0, noise_db=(0.0, 0.0)), rng())
    babbling = made[:, -1, 7] > 25.0
    assert babbling.mean() == pytest.approx(0.25, abs=0.06)
    np.testing.assert_allclose(made[babbling, -10:, 7], 30.0 - np.log(3.0), atol=1e-3)
    np.testing.assert_allclose(made[babbling, :-10], np.log(FLOOR), atol=1e-3)


def test_gates_quieten_pauses_alone() -> None:
    gated = vary(replace(STILL, gates=1.0), crops())
    np.testing.assert_allclose(gated[:, :50], crops()[:, :50], atol=1e-3)
    assert (gated[:, 50:60] <= crops()[:, 50:60] + 1e-3).all()
    assert (crops()[:, 50:60] - gated[:, 50:60]).max() > 0.1


def test_masks_hide_few_bands_and_few_rows() -> None:
    features = crops(50)
    masked = features.copy()
    mask(masked, replace(STILL, masks=1.0), np.random.default_rng(0))
    hidden = masked != features
    assert 1 <= hidden.all(axis=1).sum(axis=1).min() <= hidden.all(axis=1).sum(axis=1).max() <= 6
    assert 1 <= hidden.all(axis=2).sum(axis=1).min() <= hidden.all(axis=2).sum(axis=1).max() <= 8


def test_silences_run_from_digital_zero_to_loud_noise_and_hold_no_speech() -> None:
    made = silences(300, 60, replace(STILL, silence_dbfs=(-95.0, -25.0)), np.random.default_rng(0))
    assert made.shape == (300, 60, 40)
    levels = made.mean(axis=(1, 2))
    assert levels.min() == pytest.approx(np.log(FLOOR), abs=0.3)
    assert levels.max() > 13
    assert silences(0, 60, STILL, np.random.default_rng(0)).shape == (0, 60, 40)


def test_noises_are_as_loud_as_speech_and_have_their_colours() -> None:
    bank = _noises()
    rng = np.random.default_rng(0)
    white = Sound((10 ** (LOUDNESS_DBFS / 20) * rng.standard_normal(32_000)).astype(np.float32), 16_000)
    assert bank[0].mean() == pytest.approx(np.exp(log_mel(white)).mean(), rel=0.05)
    slopes = []
    for kind in NOISES[:3]:
        power = np.abs(np.fft.rfft(_drawn(kind, rng))) ** 2
        octaves = [power[1600 * 2**k : 3200 * 2**k].mean() for k in range(5)]
        slopes.append(np.polyfit(range(5), 10 * np.log10(octaves), 1)[0])
    np.testing.assert_allclose(slopes, [0, -3, -6], atol=0.4)
