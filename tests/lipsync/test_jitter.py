"""Offsets of many clips against each other: told to a few milliseconds, and only where there is something to tell."""

from __future__ import annotations

import numpy as np
import pytest

from lipsync.crops import Example
from lipsync.jitter import EXPLAINED, LEAST_CLIPS, LEAST_ROWS, REACH, jitter_s, late_s, moved
from shared.types import Floats

ROWS = 300
LATE_S = (-0.05, -0.013, 0.0, 0.004, 0.02, 0.07)


def wave(places: Floats, seed: int = 0) -> Floats:
    """A smooth mouth (T, 20) at places in rows."""
    rng = np.random.default_rng(seed)
    speeds, phases = rng.uniform(0.05, 0.3, 20), rng.uniform(0, 6, 20)
    return np.sin(np.outer(places, speeds) + phases).astype(np.float32)


def clip(late: float, seed: int = 0) -> tuple[Floats, Example]:
    """What the sound says, and a mouth that leads it."""
    rows = np.arange(ROWS, dtype=np.float32)
    known = np.ones(ROWS, dtype=bool)
    return wave(rows, seed), Example(np.zeros((ROWS, 40), dtype=np.float32), wave(rows + 100 * late, seed), known)


@pytest.mark.parametrize("late", LATE_S)
def test_an_offset_is_found_whatever_the_mouth_is_on_average(late: float) -> None:
    made, example = clip(late)
    assert late_s(made + 3.0, example.shapes, example.known) == pytest.approx(late, abs=0.001)
    assert late_s(0.6 * made, example.shapes, example.known) == pytest.approx(late, abs=0.003)


@pytest.mark.parametrize("late", LATE_S)
def test_a_moved_clip_is_in_sync(late: float) -> None:
    made, example = clip(late)
    put_right = moved(example, late)
    assert late_s(made, put_right.shapes, put_right.known) == pytest.approx(0.0, abs=0.001)
    np.testing.assert_allclose(put_right.shapes[REACH:-REACH], made[REACH:-REACH], atol=0.02)


def test_rows_next_to_unknown_ones_are_unknown_once_moved() -> None:
    _, example = clip(0.0)
    example.known[100:120] = False
    put_right = moved(example, 0.025)
    assert not put_right.known[102:123].any()
    assert not put_right.known[:3].any()
    assert put_right.known[3:102].all()
    assert put_right.known[123:].all()


def test_nothing_is_told_of_another_sound_a_far_offset_or_little_footage() -> None:
    made, example = clip(0.0)
    assert np.isnan(late_s(clip(0.0, 9)[0], example.shapes, example.known))
    far, late = clip(2.5 * REACH / 100)
    assert np.isnan(late_s(far, late.shapes, late.known))
    few = np.arange(ROWS) < REACH + LEAST_ROWS - 1
    assert np.isnan(late_s(made, example.shapes, few))
    faint = np.random.default_rng(0).normal(0.0, 1.3 * np.sqrt(0.5 / EXPLAINED), made.shape).astype(np.float32)
    assert np.isnan(late_s(made, example.shapes + faint, example.known))


def test_offsets_of_many_clips_are_told_beside_the_usual_one() -> None:
    late = [0.03 + (number - 6) * 0.005 for number in range(13)]
    clips = [clip(one, seed) for seed, one in enumerate(late)]
    clips.append((clip(0.0, 99)[0], clip(0.0, 98)[1]))
    found = jitter_s([made for made, _ in clips], [example for _, example in clips])
    np.testing.assert_allclose(found[:-1], np.array(late) - 0.03, atol=0.001)
    assert found[-1] == 0.0


def test_few_clips_are_left_alone() -> None:
    clips = [clip(0.01 * seed, seed) for seed in range(LEAST_CLIPS - 1)]
    assert not any(jitter_s([made for made, _ in clips], [example for _, example in clips]))
