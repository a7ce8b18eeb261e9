"""Takes through candidates, against all ways that there are; and what a follower makes of them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from lipsync.looks import Looks
from lipsync.path import MOST_TAKES, Costs, Follower, disjoint_takes, follow, take_count
from lipsync.retrieve import Candidates
from lipsync.voice import Pool

STEP_S = 0.04


def slow_take(own: Costs, change: Costs, start: Costs) -> tuple[int, ...]:
    def cost(way: tuple[int, ...]) -> float:
        steps = sum(change[k, way[k], way[k + 1]] for k in range(len(way) - 1))
        return float(start[way[0]] + steps + sum(own[k, place] for k, place in enumerate(way)))

    return min(product(range(own.shape[1]), repeat=own.shape[0]), key=cost)


@pytest.mark.parametrize("seed", range(5))
def test_takes_are_the_cheapest_of_all_ways_that_are_left(seed: int) -> None:
    rng = np.random.default_rng(seed)
    own, change, starts = rng.random((5, 4)), rng.random((4, 4, 4)), rng.random((3, 4))
    takes = disjoint_takes(own, change, starts)
    for number, take in enumerate(takes):
        left = own.copy()
        for earlier in takes[:number]:
            left[np.arange(5), earlier] = np.inf
        assert tuple(take) == slow_take(left, change, starts[number])


def test_as_many_takes_as_candidates_share_none() -> None:
    rng = np.random.default_rng(9)
    takes = disjoint_takes(rng.random((6, 5)), rng.random((5, 5, 5)), np.zeros((5, 5)))
    assert all(sorted(picture) == list(range(5)) for picture in takes.T)


@pytest.mark.parametrize(
    ("steadiness", "candidates", "count"),
    [(0.0, 50, 1), (1.0, 50, MOST_TAKES), (0.5, 50, 13), (1.0, 8, 4), (1.0, 1, 1)],
)
def test_steadiness_asks_for_more_takes(steadiness: float, candidates: int, count: int) -> None:
    assert take_count(steadiness, candidates) == count


def two_clips(length: int = 60) -> tuple[Pool, NDArray[np.uint8]]:
    """The same mouths filmed twice, the second time brighter; every frame is noisy."""
    rng = np.random.default_rng(0)
    number = np.tile(np.arange(length), 2)
    clips = np.repeat(np.array([0, 1], dtype=np.int32), length)
    points = np.zeros((2 * length, 68, 2), dtype=np.float32)
    textures = np.full((2 * length, 36, 48, 3), 100, dtype=np.uint8) + (60 * clips)[:, None, None, None].astype(
        np.uint8
    )
    textures += rng.integers(0, 8, textures.shape, dtype=np.uint8)
    angles = np.zeros((2 * length, 3), dtype=np.float32)
    return Pool(points, points, angles, number.astype(np.float64) * STEP_S, clips, np.arange(2 * length)), textures


def either(picture: int, length: int = 60, nearer: int = 0) -> Candidates:
    """Both clips' frame of a picture and its neighbours; one clip's a little nearer."""
    frames = np.clip(np.arange(picture - 1, picture + 2), 0, length - 1)
    order = [frames + nearer * length, frames + (1 - nearer) * length]
    weights = np.array([0.22, 0.4, 0.22, 0.04, 0.08, 0.04], dtype=np.float32)
    return Candidates(np.concatenate(order), weights, 1.0)


def clips_of(pool: Pool, chosen: list[Candidates]) -> NDArray[np.int32]:
    """(T, P) the clip that each take shows."""
    return np.array([pool.clips[one.indices] for one in chosen])


def test_each_by_itself_jumps_and_takes_do_not() -> None:
    pool, textures = two_clips()
    looks = Looks(pool, textures)
    rng = np.random.default_rng(1)
    found = [either(k, nearer=int(rng.integers(2))) for k in range(2, 40)]
    times = [k * STEP_S for k in range(len(found))]
    jumpy = clips_of(pool, follow(looks, 0.0, found, times))
    assert (np.diff(jumpy, axis=0) != 0).sum() > 5
    np.testing.assert_array_equal(np.diff(clips_of(pool, follow(looks, 0.5, found, times)), axis=0), 0)


def test_what_followed_in_the_footage_follows_again() -> None:
    pool, textures = two_clips()
    # Another frame of the clip looks just as like, and would do as well by its mouth.
    found = [either(k) for k in range(5, 30)]
    alike = [Candidates(one.indices, np.full(6, 1 / 6, dtype=np.float32), 1.0) for one in found]
    takes = follow(Looks(pool, textures), 0.3, alike, [k * STEP_S for k in range(25)])
    best = np.array([one.indices[one.weights.argmax()] for one in takes])
    assert (np.diff(best) == 1).all()


def test_deciding_in_blocks_keeps_to_the_takes() -> None:
    pool, textures = two_clips()
    looks = Looks(pool, textures)
    found = [either(k, nearer=k // 12 % 2) for k in range(2, 50)]
    follower = Follower(looks, 0.5)
    chosen: list[Candidates] = []
    waiting = 0
    for k, one in enumerate(found):
        follower.add(one, k * STEP_S)
        waiting += 1
        if waiting == 16:
            chosen += follower.decide(8)
            waiting -= 8
    chosen += follower.decide(waiting)
    assert len(chosen) == len(found)
    np.testing.assert_array_equal(np.diff(clips_of(pool, chosen), axis=0), 0)
    # Weights change by the Gaussian's slope, also from block to block.
    weights = np.array([one.weights for one in chosen])
    assert np.abs(np.diff(weights, axis=0)).max() < 0.06


def test_a_frame_is_not_shown_twice_where_another_would_do() -> None:
    pool, textures = two_clips()
    same = Candidates(np.array([3, 20, 31, 70, 85, 99]), np.full(6, 1 / 6, dtype=np.float32), 1.0)
    takes = follow(Looks(pool, np.full_like(textures, 90)), 0.5, [same] * 12, [k * STEP_S for k in range(12)])
    assert (np.diff([one.indices for one in takes], axis=0) != 0).all()


def test_weights_add_up_and_are_alike_at_full_steadiness() -> None:
    pool, textures = two_clips()
    found = [either(k) for k in range(10, 20)]
    times = [k * STEP_S for k in range(10)]
    for steadiness in (0.0, 0.5, 1.0):
        for one in follow(Looks(pool, textures), steadiness, found, times):
            assert one.weights.sum() == pytest.approx(1.0, abs=1e-5)
            assert len(set(one.indices.tolist())) == take_count(steadiness, 6)
    np.testing.assert_allclose(one.weights, 1 / 3, atol=1e-6)


def test_nothing_waits_after_it_was_decided() -> None:
    pool, textures = two_clips()
    follower = Follower(Looks(pool, textures), 0.5)
    assert follower.decide(0) == []
    follower.add(either(3), 0.0)
    assert len(follower.decide(1)) == 1
    assert follower.decide(0) == []
