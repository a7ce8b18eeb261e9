"""Candidates: exact neighbours, and a width that gives them their share."""

from __future__ import annotations

import numpy as np
import pytest

from lipsync.retrieve import RetrieveOptions, Retriever, candidate_count

OPTIONS = RetrieveOptions()


def test_the_nearest_are_exact_and_in_order() -> None:
    rng = np.random.default_rng(0)
    pool = rng.standard_normal((2000, 20)).astype(np.float32)
    wanted = rng.standard_normal((4, 20)).astype(np.float32)
    retriever = Retriever(pool, OPTIONS)
    for shape in wanted:
        found = retriever.find(shape)
        distances = np.linalg.norm(pool - shape, axis=1)
        np.testing.assert_array_equal(found.indices, np.argsort(distances)[:50])


@pytest.mark.parametrize("size", [20, 240, 3000])
def test_the_nearest_carry_nine_tenths_of_the_whole_weight(size: int) -> None:
    rng = np.random.default_rng(size)
    pool = rng.standard_normal((size, 20)).astype(np.float32)
    wanted = 0.5 * rng.standard_normal((5, 20)).astype(np.float32)
    retriever = Retriever(pool, OPTIONS)
    for shape in wanted:
        found = retriever.find(shape)
        weights = np.exp(-np.sum((pool - shape) ** 2, axis=1) / (2 * found.sigma**2))
        assert weights[found.indices].sum() / weights.sum() == pytest.approx(0.9, abs=0.01)
        np.testing.assert_allclose(found.weights, weights[found.indices] / weights[found.indices].sum(), rtol=1e-3)


def test_what_is_left_out_gives_way_to_the_next_nearest() -> None:
    pool = np.random.default_rng(4).standard_normal((2000, 20)).astype(np.float32)
    retriever, left_out = Retriever(pool, OPTIONS), np.arange(100, 130)
    found = retriever.find(pool[110], left_out)
    distances = np.linalg.norm(pool - pool[110], axis=1)
    distances[left_out] = np.inf
    np.testing.assert_array_equal(found.indices, np.argsort(distances)[:50])
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-5)


def test_all_but_one_may_be_left_out() -> None:
    pool = np.random.default_rng(5).standard_normal((20, 20)).astype(np.float32)
    found = Retriever(pool, OPTIONS).find(pool[3], np.delete(np.arange(20), 7))
    np.testing.assert_array_equal(found.indices, [7])


def test_a_shape_far_outside_the_pool_still_gets_weights() -> None:
    pool = np.random.default_rng(1).standard_normal((500, 20)).astype(np.float32)
    found = Retriever(pool, OPTIONS).find(np.full(20, 1e4, dtype=np.float32))
    assert np.isfinite(found.weights).all()
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(("size", "count"), [(1, 1), (2, 1), (10, 5), (75, 8), (600, 20), (1500, 50), (10**6, 50)])
def test_small_pools_give_fewer_candidates(size: int, count: int) -> None:
    assert candidate_count(size, OPTIONS) == count


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_tiny_pools_work(size: int) -> None:
    pool = np.random.default_rng(size).standard_normal((size, 20)).astype(np.float32)
    found = Retriever(pool, OPTIONS).find(np.zeros(20, dtype=np.float32))
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-5)


def test_a_still_picture_weighs_all_equally() -> None:
    found = Retriever(np.zeros((100, 20), dtype=np.float32), OPTIONS).find(np.ones(20, dtype=np.float32))
    np.testing.assert_allclose(found.weights, 1 / found.weights.shape[0], rtol=1e-5)


def test_an_empty_pool_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        candidate_count(0, OPTIONS)
