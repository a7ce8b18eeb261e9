"""Bearing: a head tells where it wears its mouth, slowly, and neither opens lips nor speaks for strangers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from lipsync.bearing import LEAST_CLIPS, LEAST_ROWS, TOLD, Bearing, fit_bearing, slow_upper, upper_of
from shared.types import Floats

GAP = np.eye(20, dtype=np.float32)[0]
RNG = np.random.default_rng(3)
TRUE = RNG.normal(0.0, 0.2, (TOLD, 20))


def clips(count: int, rows: int, noise: float = 0.05, seed: int = 0) -> tuple[list[Floats], list[Floats]]:
    """Heads that differ from clip to clip, and mouths that lie as they say, with noise of every frame's own."""
    rng = np.random.default_rng(seed)
    uppers = [
        np.repeat(rng.normal(0.0, 0.1, (1, TOLD)), rows, axis=0) + rng.normal(0, 0.01, (rows, TOLD))
        for _ in range(count)
    ]
    left = [upper @ TRUE + rng.normal(0.0, noise, (rows, 20)) for upper in uppers]
    return [one.astype(np.float32) for one in uppers], [one.astype(np.float32) for one in left]


def sways(rng: np.random.Generator, rows: int, size: int) -> NDArray[np.float64]:
    """(rows, size) slow ways of a few things."""
    ways = gaussian_filter1d(rng.normal(0.0, 1.0, (rows, 3)), 25.0, axis=0)
    return np.asarray(ways @ rng.normal(0.0, 0.3, (3, size)), dtype=np.float64)


def told(bearing: Bearing | None, uppers: list[Floats], left: list[Floats]) -> float:
    """Share of what is left over, lips' gap aside, that is told."""
    assert bearing is not None
    every, made = (np.concatenate(one)[:, 1:] for one in (left, [bearing.shifts(upper) for upper in uppers]))
    every = every - every.mean(axis=0)
    return 1.0 - float(np.square(every - made + made.mean(axis=0)).sum() / np.square(every).sum())


def test_where_other_clips_wear_their_mouths_is_told() -> None:
    bearing = fit_bearing(*clips(300, 20), GAP)
    assert told(bearing, *clips(50, 20, seed=1)) > 0.8


def test_no_lips_are_opened_or_shut() -> None:
    uppers, left = clips(60, 20)
    bearing = fit_bearing(uppers, left, GAP)
    assert bearing is not None
    assert float(np.abs(np.concatenate([bearing.shifts(upper) for upper in uppers]) @ GAP).max()) < 1e-4
    assert np.abs(np.concatenate(left) @ GAP).max() > 0.1


@pytest.mark.parametrize(("count", "rows"), [(1, 1500), (3, 750), (8, 250), (LEAST_CLIPS, 75), (40, 75)])
def test_heads_that_have_nothing_to_do_with_mouths_tell_nothing(count: int, rows: int) -> None:
    # Both stay about where they are in a clip, and sway: what is learned by heart holds nowhere else.
    found = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        heads, mouths = (
            [(rng.normal(0.0, 0.1, size) + sways(rng, rows, size)).astype(np.float32) for _ in range(count)]
            for size in (TOLD, 20)
        )
        found += fit_bearing(heads, mouths, GAP) is not None
    assert found <= 1


def test_too_little_footage_tells_nothing() -> None:
    assert fit_bearing(*clips(LEAST_CLIPS, (LEAST_ROWS - 1) // LEAST_CLIPS), GAP) is None
    assert fit_bearing(*clips(LEAST_CLIPS - 1, 300), GAP) is None
    assert fit_bearing(*clips(300, 20), GAP) is not None
    assert fit_bearing([], [], GAP) is None


def test_of_a_head_unlike_the_footage_s_nothing_is_told() -> None:
    uppers, left = clips(300, 20)
    bearing = fit_bearing(uppers, left, GAP)
    assert bearing is not None
    away = np.full(TOLD, 0.05, dtype=np.float32)
    away *= bearing.reach[0] / np.sqrt(away @ bearing.nearness @ away)
    sizes = [float(np.linalg.norm(bearing.shifts(bearing.usual + times * away))) for times in (0.5, 1.0, 1.5, 2.0, 9.0)]
    assert sizes[1] == pytest.approx(2.0 * sizes[0], rel=1e-3)
    assert sizes[2] == pytest.approx(0.75 * sizes[1], rel=1e-3)
    assert sizes[3:] == pytest.approx([0.0, 0.0], abs=1e-5)
    np.testing.assert_array_equal(bearing.shifts(bearing.usual), 0.0)


def test_many_faces_are_told_as_one_by_one() -> None:
    bearing = fit_bearing(*clips(60, 20), GAP)
    assert bearing is not None
    faces = RNG.normal(0.0, 0.1, (4, 3, TOLD)).astype(np.float32)
    one_by_one = np.array([[bearing.shifts(face) for face in row] for row in faces])
    np.testing.assert_allclose(bearing.shifts(faces), one_by_one, atol=1e-5)


def test_no_mouth_is_part_of_an_upper_face() -> None:
    points = RNG.normal(size=(3, 68, 2)).astype(np.float32)
    moved = points.copy()
    moved[:, [*range(3, 14), *range(48, 68)]] += 1.0
    np.testing.assert_array_equal(upper_of(moved), upper_of(points))
    assert upper_of(points).shape == (3, TOLD)


def test_syllables_do_not_come_through_and_a_head_that_stays_does() -> None:
    times = np.arange(250) / 25.0
    points = np.zeros((250, 68, 2), dtype=np.float32)
    points[:, 30, 0] = 0.3 + 0.1 * np.sin(2 * np.pi * 4.0 * times)
    nose = slow_upper(points, times)[:, 2 * 9]
    assert float(np.abs(nose[50:200] - 0.3).max()) < 0.01
    assert float(np.abs(nose - 0.3).max()) < 0.06
    assert float(np.ptp(upper_of(points)[:, 2 * 9])) > 0.19


def test_gaps_and_uneven_times_change_little() -> None:
    times = np.arange(500) / 25.0
    points = np.zeros((500, 68, 2), dtype=np.float32)
    points[:, 30, 1] = 0.2 * np.sin(0.5 * times)
    whole = slow_upper(points, times)
    kept = np.flatnonzero(RNG.random(500) < 0.5)
    kept = kept[(kept < 200) | (kept > 215)]
    np.testing.assert_allclose(slow_upper(points[kept], times[kept]), whole[kept], atol=0.03)
    long = np.array([0.0, 0.04, 60.0])  # nobody is seen for a minute
    np.testing.assert_allclose(slow_upper(points[[0, 1, 99]], long)[2], upper_of(points[99]), atol=1e-6)
    assert slow_upper(points[:0], times[:0]).shape == (0, TOLD)
    np.testing.assert_allclose(slow_upper(points[:1], times[:1]), upper_of(points[:1]), atol=1e-6)
