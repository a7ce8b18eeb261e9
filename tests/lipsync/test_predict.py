"""From speech to a mouth track: rest in pauses, one row each 10 ms, constant beyond the ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lipsync import predict as module
from lipsync.closure import Closure
from lipsync.features import row_times_s
from lipsync.mouth import aperture_cm
from lipsync.options import RecipeName, SyncOptions
from lipsync.predict import (
    CLOSING_S,
    LEAD_S,
    OPENING_S,
    TRAIL_S,
    WIDE_S,
    MouthTrack,
    predict_rows,
    predict_track,
    rest_share,
)
from lipsync.recipes import fresh_model, hear
from lipsync.voice import Voice
from models.audio2mouth import Audio2Mouth
from shared.types import Sound

OPTIONS = SyncOptions(voice=Path(), speech=Path())
RECIPES: tuple[RecipeName, ...] = ("paper", "default")
TIMES = np.arange(0.0, 6.0, 0.01)


def test_the_mouth_rests_in_pauses_and_not_in_speech() -> None:
    resting = rest_share(TIMES, [(1.0, 2.0), (4.0, 5.0)])
    assert resting[(TIMES >= 1.0 - LEAD_S) & (TIMES <= 2.0 + TRAIL_S)].max() == 0.0
    assert resting[(TIMES > 2.1 + TRAIL_S + CLOSING_S) & (TIMES < 3.9 - LEAD_S - OPENING_S)].min() == 1.0
    assert resting[TIMES < 0.9 - LEAD_S - OPENING_S].min() == 1.0


def test_rest_comes_and_goes_without_a_jump() -> None:
    steps = np.abs(np.diff(rest_share(TIMES, [(1.0, 2.0), (2.4, 3.0)])))
    assert 0 < steps.max() < 0.12


def test_a_network_that_rests_by_itself_is_believed_for_longer_around_speech(voice: Voice, speech: Sound) -> None:
    tracks = [predict_track(replace(voice, net=fresh_model(recipe, 20).eval()), speech, OPTIONS) for recipe in RECIPES]
    paper, default = (track.resting for track in tracks)
    before, after = paper.nonzero()[0], default.nonzero()[0]
    assert set(after) < set(before)
    near = (tracks[0].times_s > 1.0 - WIDE_S[0]) & (tracks[0].times_s < 2.0 + WIDE_S[1])
    assert default[near].max() == 0.0
    assert paper[near].max() == default.max() == 1.0


def test_no_speech_is_all_rest() -> None:
    np.testing.assert_array_equal(rest_share(TIMES, []), 1.0)


@pytest.fixture
def speech(monkeypatch: pytest.MonkeyPatch) -> Sound:
    monkeypatch.setattr(module, "voiced_spans", lambda _: [(1.0, 2.0)])
    noise = np.random.default_rng(0).normal(0, 0.05, 3 * 16_000)
    return Sound(noise.astype(np.float32), 16_000)


def test_rest_is_the_speaker_s_own_closed_mouth(voice: Voice, speech: Sound) -> None:
    track = predict_track(voice, speech, OPTIONS)
    np.testing.assert_allclose(track.at(0.1), voice.rest, atol=1e-5)
    assert np.linalg.norm(track.at(1.5) - voice.rest) > 0.05


def test_without_rest_the_network_is_believed_everywhere(voice: Voice, speech: Sound) -> None:
    plain = SyncOptions(voice=Path(), speech=Path(), rest=False)
    track = predict_track(voice, speech, plain)
    np.testing.assert_array_equal(track.resting, 0.0)
    assert np.linalg.norm(track.at(0.1) - voice.rest) > 0.05


def test_smoothing_lowers_the_jitter_and_not_the_mean(voice: Voice, speech: Sound) -> None:
    raw, smooth = (
        predict_track(voice, speech, SyncOptions(voice=Path(), speech=Path(), rest=False, smooth_ms=ms)).shapes
        for ms in (0.0, 30.0)
    )
    assert np.diff(smooth, 2, axis=0).std() < 0.2 * np.diff(raw, 2, axis=0).std()
    np.testing.assert_allclose(smooth.mean(axis=0), raw.mean(axis=0), atol=0.01)


@pytest.mark.parametrize(("recipe", "usual_ms"), [("paper", 15.0), ("default", 5.0)])
def test_each_recipe_has_its_usual_smoothing(voice: Voice, speech: Sound, recipe: RecipeName, usual_ms: float) -> None:
    own = replace(voice, net=fresh_model(recipe, 20, phones=False).eval())
    usual, same = (
        predict_track(own, speech, SyncOptions(voice=Path(), speech=Path(), smooth_ms=ms)).shapes
        for ms in (None, usual_ms)
    )
    np.testing.assert_array_equal(usual, same)


def test_a_voice_of_the_default_recipe_hears_its_own_features(voice: Voice, speech: Sound) -> None:
    net = fresh_model("default", 20).eval()
    shapes = predict_rows(replace(voice, net=net), speech)
    expected = net.shapes_of(torch.from_numpy(hear("default", speech, [(1.0, 2.0)]))).numpy()
    np.testing.assert_array_equal(shapes, expected)
    assert shapes.shape == (300, 20)
    np.testing.assert_array_equal(predict_rows(voice, speech, [(1.0, 2.0)]), predict_rows(voice, speech))


def test_rows_lie_at_the_features_times(voice: Voice, speech: Sound) -> None:
    track = predict_track(voice, speech, OPTIONS)
    np.testing.assert_array_equal(track.times_s, row_times_s(300))


def test_no_sound_at_all_is_rest(voice: Voice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "voiced_spans", lambda _: [])
    track = predict_track(voice, Sound(np.zeros(0, dtype=np.float32), 16_000), OPTIONS)
    np.testing.assert_array_equal(track.at(3.0), voice.rest)


def test_beyond_its_ends_a_track_is_constant() -> None:
    shapes = np.arange(6, dtype=np.float32).reshape(3, 2)
    track = MouthTrack(np.array([0.0, 0.01, 0.02]), shapes, np.zeros(3, dtype=np.float32))
    np.testing.assert_array_equal(track.at(-5.0), shapes[0])
    np.testing.assert_array_equal(track.at(9.0), shapes[-1])
    np.testing.assert_allclose(track.at(0.005), [1.0, 2.0], atol=1e-6)


def test_a_track_that_starts_late_is_read_on_its_own_clock() -> None:
    rng = np.random.default_rng(0)
    times = 3.2 + row_times_s(50)
    track = MouthTrack(times, rng.normal(size=(50, 2)).astype(np.float32), np.zeros(50, dtype=np.float32))
    for time_s in rng.uniform(3.0, 4.0, 40):
        slow = [np.interp(time_s, times, column) for column in track.shapes.T]
        np.testing.assert_allclose(track.at(float(time_s)), slow, atol=1e-5)


@pytest.mark.parametrize(("row", "expected_cm"), [(6, 0.0), (45, 45 / 59 * 2)])
def test_nearly_closed_lips_are_shut_and_open_ones_stay(
    voice: Voice, speech: Sound, row: int, expected_cm: float
) -> None:
    opening = ((voice.shapes[59] - voice.shapes[0]) / 2).astype(np.float32)  # the pool's openings run from 0 to 2 cm
    assert isinstance(voice.net, Audio2Mouth)
    with torch.no_grad():
        voice.net.read_out.weight.zero_()
        voice.net.read_out.bias.copy_(torch.from_numpy(voice.shapes[row]))
    shy = replace(
        voice,
        closure=Closure(
            np.array([0.0, 0.3, 0.7], dtype=np.float32), np.array([0.0, 0.0, 0.7], dtype=np.float32), opening
        ),
    )
    plain = SyncOptions(voice=Path(), speech=Path(), rest=False, close=False)
    gaps = [
        aperture_cm(voice.basis.decode(predict_track(shy, speech, options).shapes)).mean()
        for options in (plain, replace(plain, close=True))
    ]
    assert gaps[0] == pytest.approx(row / 59 * 2, abs=1e-3)
    assert gaps[1] == pytest.approx(expected_cm, abs=1e-3)
