"""Fitting: it learns what can be learned, keeps its best, and repeats itself; by both recipes."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lipsync.closure import Lips
from lipsync.crops import Example, Validation, hold_out
from lipsync.jitter import moved
from lipsync.learn import LEARNING, LearnOptions, fit, longer_for
from lipsync.logmel import log_mel
from lipsync.options import RecipeName
from lipsync.sounds import SoundOptions
from models.mouthnet import MouthNet, MouthNetConfig
from shared.types import Floats, Sound

WIDTHS: dict[RecipeName, int] = {"paper": 28, "default": 40}
PAPER = LearnOptions(updates=120, batch=24, validate_every=40, rate=1e-2)
DEFAULT = replace(
    LEARNING["default"],
    phones=False,
    updates=80,
    batch=8,
    steps=80,
    validate_every=20,
    rate=2e-3,
    joined=0.0,
    sounds=None,
)
SHORT = {options.recipe: options for options in (PAPER, DEFAULT)}
both = pytest.mark.parametrize("recipe", SHORT)


def echo_clip(rows: int, seed: int, recipe: RecipeName = "paper") -> Example:
    """A mouth that runs 180 ms ahead of one smooth feature: inside the net's delay, so little memory is needed."""
    rng = np.random.default_rng(seed)
    walk = np.convolve(rng.standard_normal(rows + 60), np.hanning(21) / 3, mode="valid")
    features = rng.standard_normal((rows, WIDTHS[recipe])).astype(np.float32)
    features[:, 3] = walk[:rows]
    shapes = np.zeros((rows, 20), dtype=np.float32)
    shapes[:, 0] = walk[18 : rows + 18]
    return Example(features, shapes, np.ones(rows, dtype=bool))


@both
def test_it_beats_the_mean_mouth_on_what_was_held_out(recipe: RecipeName) -> None:
    found = fit([echo_clip(400, seed, recipe) for seed in range(12)], SHORT[recipe])
    assert found.best[1] < (0.6 if recipe == "paper" else 0.8) * found.mean_mouth
    assert found.best[0] == min(found.curve, key=lambda entry: entry[1])[0]


def test_a_live_network_is_learned_by_the_same_loop() -> None:
    """From a mouth that runs 50 ms ahead of what is heard, inside what such a network hears ahead."""
    clips = [echo_clip(400, seed, "default") for seed in range(12)]
    for clip in clips:
        clip.shapes[13:] = clip.shapes[:-13].copy()
    found = fit(clips, replace(DEFAULT, live=True))
    assert isinstance(found.net, MouthNet)
    assert found.net.config.live
    assert found.best[1] < 0.8 * found.mean_mouth


def test_the_best_state_is_what_comes_back() -> None:
    clips = [echo_clip(300, seed) for seed in range(3)]
    wild = fit(clips, LearnOptions(updates=40, batch=16, validate_every=10, rate=0.5, seed=3))
    again = fit(clips, LearnOptions(updates=max(wild.best[0], 1), batch=16, validate_every=10, rate=0.5, seed=3))
    assert again.best == wild.best
    for one, other in zip(wild.net.parameters(), again.net.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_seed_decides_everything_dropout_too() -> None:
    clips = [echo_clip(300, seed, "default") for seed in range(3)]
    few = replace(DEFAULT, updates=3, validate_every=1)
    torch.manual_seed(1)
    first = fit(clips, few)
    torch.manual_seed(2)
    assert fit(clips, few).curve == first.curve
    assert fit(clips, replace(few, seed=1)).curve != first.curve


@both
def test_rows_without_a_face_are_never_learned(recipe: RecipeName) -> None:
    clip = echo_clip(600, 0, recipe)
    known = np.ones(600, dtype=bool)
    known[200:300] = False
    broken = clip.shapes.copy()
    broken[200:300] = 1e6
    few = replace(SHORT[recipe], updates=10, validate_every=5)
    clean, spoilt = (fit([Example(clip.features, shapes, known)], few) for shapes in (clip.shapes, broken))
    assert clean.curve == spoilt.curve


def test_a_falling_rate_ends_where_nothing_moves_any_more() -> None:
    clips = [echo_clip(300, seed, "default") for seed in range(3)]
    wild = replace(DEFAULT, updates=12, validate_every=1, rate=0.005)
    curves = [[error for _, error in fit(clips, replace(wild, falling=falls)).curve] for falls in (True, False)]
    assert abs(curves[0][-1] - curves[0][-2]) < 0.2 * abs(curves[1][-1] - curves[1][-2])


@both
def test_three_seconds_are_enough_not_to_fail(recipe: RecipeName) -> None:
    few = replace(SHORT[recipe], updates=4, batch=8, validate_every=2)
    found = fit([echo_clip(300, 1, recipe)], few)
    assert found.net.shapes_of(torch.zeros(50, WIDTHS[recipe])).shape == (50, 20)
    assert np.isfinite(found.best[1])


@both
def test_clips_shorter_than_a_crop_work(recipe: RecipeName) -> None:
    few = replace(SHORT[recipe], updates=4, batch=8, validate_every=2)
    found = fit([echo_clip(40, 1, recipe), echo_clip(30, 2, recipe)], few)
    assert np.isfinite(found.best[1])


@both
def test_a_face_seen_in_the_held_out_stretch_alone_is_learned_all_the_same(recipe: RecipeName) -> None:
    clip = echo_clip(400, 0, recipe)
    known = np.zeros(400, dtype=bool)
    known[285:315] = True
    few = replace(SHORT[recipe], updates=10, batch=8, validate_every=5, widest=1.1)
    found = fit([Example(clip.features, clip.shapes, known)], few)
    assert all(bool(torch.isfinite(weight).all()) for weight in found.net.parameters())


@pytest.mark.parametrize(("told", "gain"), [(0.9, 1 / 0.9), (1.25, 0.8), (0.0, 1.0), (-1.0, 1.0)])
def test_shyness_is_how_much_further_the_real_mouths_go(told: float, gain: float) -> None:
    clips = [echo_clip(300, seed, "default") for seed in range(3)]
    held = hold_out(clips, 0.1, np.random.default_rng(0))
    check = Validation([Example(told * one.shapes, one.shapes, one.known) for one in clips], held, 0)
    assert check.shyness(Echo()) == pytest.approx(gain, rel=1e-4)


def test_shyness_lies_between_least_error_and_equal_spread() -> None:
    clips = [echo_clip(300, seed, "default") for seed in range(3)]
    held = hold_out(clips, 0.1, np.random.default_rng(0))
    # What is told is right as far as it goes: the least error wants no more of it, an equal spread root two times.
    whole = [one.shapes + np.roll(one.shapes, 1, axis=1) for one in clips]
    check = Validation([Example(one.shapes, real, one.known) for one, real in zip(clips, whole, strict=True)], held, 0)
    assert check.shyness(Echo()) == pytest.approx(2.0**0.25, rel=1e-4)


class Echo(MouthNet):
    """Answers with what it is given."""

    def __init__(self) -> None:
        super().__init__(MouthNetConfig(phones=False))

    def crops(self, heard: Tensor) -> Tensor:
        return heard


def test_a_shy_network_is_widened_and_no_further_than_allowed() -> None:
    clips = [echo_clip(400, seed, "default") for seed in range(12)]
    shy, wide = (fit(clips, replace(DEFAULT, updates=30, widest=widest)) for widest in (1.0, 1.05))
    sound = torch.from_numpy(clips[0].features)
    torch.testing.assert_close(wide.net.shapes_of(sound), 1.05 * shy.net.shapes_of(sound))
    assert wide.curve == shy.curve
    assert shy.best in shy.curve
    assert wide.best[0] == shy.best[0]
    assert wide.best[1] != shy.best[1]


def test_nothing_known_is_refused() -> None:
    clip = echo_clip(100, 0)
    with pytest.raises(ValueError, match="no known rows"):
        fit([Example(clip.features, clip.shapes, np.zeros(100, dtype=bool))], PAPER)


def test_patience_ends_a_training_that_gets_no_better() -> None:
    clips = [echo_clip(300, seed) for seed in range(3)]
    calls: list[tuple[float, float, str]] = []
    options = LearnOptions(updates=400, batch=8, validate_every=10, rate=0.5, patience=40, seed=3)
    found = fit(clips, options, lambda *said: calls.append(said))
    assert found.curve[-1][0] == found.best[0] + 40 < 400
    assert calls[-1][:2] == (400, 400)


def lips_at(rest: Floats) -> Lips:
    """Ten lip points whose places are the shape itself; the first of them opens the mouth."""
    every = np.eye(20, dtype=np.float32)
    return Lips(rest, every[0], 0.0, every)


def test_mouths_that_may_be_two_are_told_as_the_likelier_one() -> None:
    clip = echo_clip(400, 0, "default")
    shapes = np.zeros_like(clip.shapes)
    shapes[:, 0] = np.where(np.random.default_rng(0).random(400) < 0.3, 1.0, 0.0)  # nothing says when
    made = []
    for softness_cm in (0.0, 0.05):
        options = replace(DEFAULT, updates=60, sounds=None, velocity=0.0, softness_cm=softness_cm)
        found = fit([Example(clip.features, shapes, clip.known)], options, lips=lips_at(np.zeros(20, dtype=np.float32)))
        made.append(float(np.median(found.net.shapes_of(torch.from_numpy(clip.features))[:, 0])))
    assert made[0] == pytest.approx(0.3, abs=0.08)
    assert made[1] < 0.15


def test_a_net_told_of_silence_rests_in_it_and_one_that_is_not_does_not() -> None:
    clips = [echo_clip(300, seed, "default") for seed in range(3)]
    rest = np.zeros(20, dtype=np.float32)
    rest[0] = -1.0
    lips = lips_at(rest)
    often = replace(DEFAULT, updates=150, sounds=SoundOptions(silences=0.5))
    quiet = torch.from_numpy(log_mel(Sound(np.zeros(16_000, dtype=np.float32), 16_000)))
    told, untold = (fit(clips, often, lips=known).net.shapes_of(quiet).numpy() for known in (lips, None))
    assert abs(told - rest).max() < 0.4
    assert abs(untold - rest).max() > 0.6


def test_the_closure_term_closes_lips_that_should_be_closed() -> None:
    rng = np.random.default_rng(0)
    clip = echo_clip(400, 0, "default")
    shapes = np.zeros_like(clip.shapes)
    shapes[:, 0] = np.where(rng.random(400) < 0.4, 0.0, 1.0)  # nothing says when: the mean is 0.6 open
    lips = lips_at(np.zeros(20, dtype=np.float32))
    gaps = []
    for weight in (0.0, 20.0):
        options = replace(DEFAULT, updates=40, sounds=None, closure=weight)
        found = fit([Example(clip.features, shapes, clip.known)], options, lips=lips)
        gaps.append(float(found.net.shapes_of(torch.from_numpy(clip.features))[:, 0].mean()))
    assert gaps[1] < 0.7 * gaps[0]


def test_the_paper_s_recipe_hears_sounds_as_they_are() -> None:
    assert LEARNING["paper"].sounds is None
    assert LEARNING["paper"].velocity == LEARNING["paper"].closure == 0.0


class PowerCutError(Exception):
    """Ends a training where it stands."""


def break_off(clips: list[Example], options: LearnOptions, at: int, folder: Path) -> None:
    """Train up to an update, and no further."""

    def stop(done: float, total: float, label: str) -> None:  # noqa: ARG001
        if done == at:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        fit(clips, options, stop, folder=folder)


@both
def test_a_training_broken_off_goes_on_to_the_same_weights(
    recipe: RecipeName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [echo_clip(300, seed, recipe) for seed in range(3)]
    few = replace(SHORT[recipe], updates=12, validate_every=3)
    if recipe == "default":
        few = replace(few, joined=LEARNING["default"].joined)
    whole = fit(clips, few)
    monkeypatch.setattr("lipsync.resume.SAVE_EVERY_S", 0.0)

    break_off(clips, few, 7, tmp_path)
    heard: list[float] = []
    again = fit(clips, few, lambda done, *_: heard.append(done), folder=tmp_path)
    assert heard[0] == 8
    assert again.curve == whole.curve
    for one, other in zip(whole.net.parameters(), again.net.parameters(), strict=True):
        assert torch.equal(one, other)


def test_ctrl_c_saves_at_the_end_of_an_update_and_says_how_far_it_is(tmp_path: Path) -> None:
    clips = [echo_clip(300, seed) for seed in range(3)]
    few = replace(PAPER, updates=12)

    def press(done: float, total: float, label: str) -> None:  # noqa: ARG001
        if done == 4:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="5 of 12 updates are made; the same command goes on"):
        fit(clips, few, press, folder=tmp_path)
    heard: list[float] = []
    fit(clips, few, lambda done, *_: heard.append(done), folder=tmp_path)
    assert heard[0] == 6


def test_a_damaged_state_begins_anew(tmp_path: Path) -> None:
    clips = [echo_clip(300, seed) for seed in range(3)]
    (tmp_path / "training.safetensors").write_bytes(b"half")
    few = replace(PAPER, updates=4, validate_every=2)
    assert fit(clips, few, folder=tmp_path).curve == fit(clips, few).curve


@pytest.mark.parametrize(
    ("speech_s", "updates", "rate", "clean"),
    [
        (2.0, 600, 1e-3, 0.4),
        (300.0, 600, 1e-3, 0.4),
        (450.0, 900, 1.5e-3, 0.4 + 0.25 * 1.5 / 7),
        (600.0, 1200, 2e-3, 0.4 + 0.25 * 3 / 7),
        (9e3, 2000, 2e-3, 0.65),
    ],
)
def test_more_speech_is_learned_from_longer_and_cleaner_but_for_the_paper_s(
    speech_s: float, updates: int, rate: float, clean: float
) -> None:
    found = longer_for(speech_s, LEARNING["default"])
    assert found == replace(LEARNING["default"], updates=updates, rate=found.rate, sounds=found.sounds)
    assert found.rate == pytest.approx(rate)
    assert found.sounds is not None
    assert found.sounds == replace(SoundOptions(), clean=found.sounds.clean)
    assert found.sounds.clean == pytest.approx(clean)
    assert longer_for(speech_s, LEARNING["paper"]) == LEARNING["paper"]


def jittered(count: int, recipe: RecipeName) -> tuple[list[Example], list[float]]:
    """Clips whose sounds come up to 30 ms early or late."""
    late = [0.01 * round(3 * np.sin(number)) for number in range(count)]
    return [moved(echo_clip(500, number, recipe), -one) for number, one in enumerate(late)], late


@both
def test_what_clips_are_off_against_each_other_is_taken_out(recipe: RecipeName) -> None:
    clips, late = jittered(16, recipe)
    options = replace(SHORT[recipe], updates=300)
    found = fit(clips, options)
    left = np.subtract(found.late_s, late)
    assert np.std(left) < 0.7 * np.std(late)
    assert found.best[1] < 0.9 * fit(clips, replace(options, retime_at=())).best[1]


def test_a_training_broken_off_keeps_the_offsets_it_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips, _ = jittered(12, "paper")
    few = replace(PAPER, updates=150)
    whole = fit(clips, few)
    assert any(whole.late_s)
    monkeypatch.setattr("lipsync.resume.SAVE_EVERY_S", 0.0)

    break_off(clips, few, 80, tmp_path)
    again = fit(clips, few, folder=tmp_path)
    assert again.late_s == whole.late_s
    assert again.curve == whole.curve
