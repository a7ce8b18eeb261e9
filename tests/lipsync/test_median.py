"""The weighted median against sorting and against its own definition."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lipsync.median import BLOCK, weighted_median


def slow_median(stack: NDArray[np.uint8], weights: NDArray[np.float32]) -> NDArray[np.uint8]:
    flat = stack.reshape(stack.shape[0], -1)
    found = np.zeros(flat.shape[1], dtype=np.uint8)
    for p in range(flat.shape[1]):
        order = np.argsort(flat[:, p], kind="stable")
        sums = np.cumsum(weights[order].astype(np.float64))
        found[p] = flat[order[int(np.searchsorted(sums, sums[-1] / 2))], p]
    return found.reshape(stack.shape[1:])


@pytest.mark.parametrize("count", [1, 2, 7, 50])
def test_equals_a_sorting_reference(count: int) -> None:
    rng = np.random.default_rng(count)
    stack = rng.integers(0, 256, (count, 9, 11, 3), dtype=np.uint8)
    # Whole numbers that add up to an odd sum: exact in float32 and never a tie.
    weights = rng.integers(1, 1000, count).astype(np.float32)
    weights[0] += 1 - weights.sum() % 2
    np.testing.assert_array_equal(weighted_median(stack, weights), slow_median(stack, weights))


def test_minimises_the_weighted_absolute_distance() -> None:
    rng = np.random.default_rng(5)
    stack = rng.integers(0, 256, (30, 40), dtype=np.uint8)
    weights = rng.random(30).astype(np.float32)
    values = np.arange(256)
    cost = (weights[:, None, None] * np.abs(stack[:, :, None].astype(int) - values)).sum(axis=0)
    found = weighted_median(stack, weights)
    np.testing.assert_allclose(cost[np.arange(40), found], cost.min(axis=1), rtol=1e-5)


def test_blocks_leave_no_seam() -> None:
    rng = np.random.default_rng(1)
    stack = rng.integers(0, 256, (5, 3 * BLOCK + 17), dtype=np.uint8)
    weights = np.array([3, 1, 1, 2, 4], dtype=np.float32)
    np.testing.assert_array_equal(weighted_median(stack, weights), slow_median(stack, weights))


def test_the_order_of_candidates_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    stack = rng.integers(0, 256, (20, 500), dtype=np.uint8)
    weights = rng.random(20).astype(np.float32)
    order = rng.permutation(20)
    np.testing.assert_array_equal(weighted_median(stack, weights), weighted_median(stack[order], weights[order]))


def test_black_and_white_survive() -> None:
    stack = np.array([[0, 255], [0, 255], [255, 0]], dtype=np.uint8)
    np.testing.assert_array_equal(weighted_median(stack, np.ones(3, dtype=np.float32)), [0, 255])


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -0.5], [1.0]])
def test_wrong_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        weighted_median(np.zeros((2, 4), dtype=np.uint8), np.array(weights, dtype=np.float32))
