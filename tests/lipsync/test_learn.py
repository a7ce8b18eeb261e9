"""Fitting: it learns what can be learned, keeps its best, and repeats itself; by both recipes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lipsync.crops import Example
from lipsync.learn import LEARNING, LearnOptions, fit
from lipsync.options import RecipeName

WIDTHS: dict[RecipeName, int] = {"paper": 28, "default": 40}
PAPER = LearnOptions(updates=120, batch=24, validate_every=40, rate=1e-2)
DEFAULT = replace(LEARNING["default"], updates=80, batch=8, steps=80, validate_every=20, rate=1e-2)
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
    assert found.best == min(found.curve, key=lambda entry: entry[1])


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
    wild = replace(DEFAULT, updates=12, validate_every=1, rate=0.05)
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


def test_a_face_seen_in_the_held_out_stretch_alone_is_learned_all_the_same() -> None:
    clip = echo_clip(400, 0)
    known = np.zeros(400, dtype=bool)
    known[285:315] = True
    found = fit([Example(clip.features, clip.shapes, known)], LearnOptions(updates=10, batch=8, validate_every=5))
    assert all(bool(torch.isfinite(weight).all()) for weight in found.net.parameters())


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
