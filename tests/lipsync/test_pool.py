"""The pool against a slow reference: sorting all of it, and summing all of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lipsync.pool import LEAF, _bounds, _collect, plant, search
from shared.types import Floats

SHARE = 0.9


def tracks(size: int, seed: int, depth: int = 20) -> Floats:
    """Mouths that move: smooth tracks of falling variance, with the noise that finding a face has."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((size, depth)) * 0.7 ** np.arange(depth)
    smooth = np.array([np.convolve(axis, np.hanning(13), mode="same") for axis in steps.T]).T
    smooth += 0.05 * rng.standard_normal(smooth.shape)
    return np.asarray(smooth, dtype=np.float32)


def slow_search(pool: Floats, wanted: Floats, count: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    squares = ((pool.astype(np.float64) - wanted.astype(np.float64)) ** 2).sum(axis=1)
    return np.lexsort((np.arange(pool.shape[0]), squares))[:count], squares


def share_of(nearest: NDArray[np.intp], squares: NDArray[np.float64], sigma: float) -> float:
    weights = np.exp(-(squares - squares.min()) / (2 * sigma**2))
    return float(weights[nearest].sum() / weights.sum())


@pytest.mark.parametrize(("size", "count"), [(3, 1), (LEAF, 8), (LEAF + 1, 100), (5000, 300), (60_000, 100)])
def test_the_nearest_are_those_of_a_full_sort(size: int, count: int) -> None:
    pool = tracks(size, seed=size)
    tree = plant(pool)
    for wanted in tracks(200, seed=1)[::25]:
        rows, squares, _ = search(tree, wanted, count, SHARE)
        expected, every = slow_search(pool, wanted, count)
        np.testing.assert_array_equal(rows, expected)
        np.testing.assert_allclose(squares, every[expected], rtol=1e-12)


@pytest.mark.parametrize("size", [400, 5000, 60_000])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.98])
def test_the_share_is_within_a_hundredth_of_the_whole_sum(size: int, share: float) -> None:
    pool = tracks(size, seed=size)
    tree = plant(pool)
    for wanted in tracks(200, seed=2)[::25]:
        _, _, sigma = search(tree, wanted, 50, share)
        nearest, squares = slow_search(pool, wanted, 50)
        assert share_of(nearest, squares, sigma) == pytest.approx(share, abs=0.01)


def test_noise_that_no_tree_can_cut_is_searched_exactly_too() -> None:
    pool = np.random.default_rng(3).standard_normal((4000, 23)).astype(np.float32)
    rows, _, sigma = search(plant(pool), pool[17] * np.float32(0.9), 100, SHARE)
    nearest, squares = slow_search(pool, pool[17] * np.float32(0.9), 100)
    np.testing.assert_array_equal(rows, nearest)
    assert share_of(nearest, squares, sigma) == pytest.approx(SHARE, abs=0.01)


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(2, 900), depth=st.integers(1, 6), levels=st.integers(2, 40), far=st.sampled_from([0.0, 1.0, 300.0])
)
def test_equal_and_far_frames_are_ranked_as_by_a_full_sort(size: int, depth: int, levels: int, far: float) -> None:
    rng = np.random.default_rng(size)
    pool = rng.integers(0, levels, (size, depth)).astype(np.float32)  # whole numbers: exact ties
    count = max(1, size // 7)
    wanted = rng.integers(0, levels, depth).astype(np.float32) + np.float32(far)
    rows, _, sigma = search(plant(pool), wanted, count, SHARE)
    np.testing.assert_array_equal(rows, slow_search(pool, wanted, count)[0])
    assert np.isfinite(sigma)
    assert sigma > 0


def test_few_leaves_are_read_of_a_large_pool() -> None:
    pool = tracks(60_000, seed=4)
    tree = plant(pool)
    opened = np.zeros(tree.counts.shape[0], dtype=bool)
    place = tracks(10, seed=5)[5][tree.axes]
    least, mean, _ = _bounds(tree, place)
    _collect(tree, place, (least, mean), 50, opened, np.empty(tree.rows.size, dtype=np.float32))
    assert 0 < opened.mean() < 0.5


def test_the_bounds_of_a_leaf_hold_its_frames() -> None:
    pool = tracks(3000, seed=6)
    tree = plant(pool)
    wanted = tracks(9, seed=7)[4]
    least, mean, most = _bounds(tree, wanted[tree.axes])
    for leaf, frames in enumerate(tree.counts):
        squares = ((pool[tree.rows[leaf, :frames]] - wanted) ** 2).sum(axis=1)
        assert least[leaf] <= squares.min() * (1 + 1e-5)
        assert mean[leaf] == pytest.approx(squares.mean(), rel=1e-4)
        assert most[leaf] >= squares.max() * (1 - 1e-5)


def test_each_frame_lies_in_one_leaf() -> None:
    pool = tracks(1001, seed=8)
    tree = plant(pool)
    rows = np.concatenate([own[:count] for own, count in zip(tree.rows, tree.counts, strict=True)])
    np.testing.assert_array_equal(np.sort(rows), np.arange(1001))
    assert tree.counts.max() - tree.counts.min() <= 1
    np.testing.assert_array_equal(tree.blocks[2, :, 5], pool[tree.rows[2, 5]][tree.axes])
