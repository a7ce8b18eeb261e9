"""Where a target may jump, against all pairs compared one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lipsync import jumps as module
from lipsync.heads import Heads
from lipsync.jumps import ALIKE, AROUND, JUMP, LEAST_S, SOON, UNLIKE, find_jumps
from lipsync.retime import Jumps
from tests.lipsync.moving import heads_at, wandering

RATE = 25.0


def found_in(heads: Heads, blinks: tuple[int, ...] = ()) -> tuple[Jumps, float]:
    shut = np.zeros(len(heads.times_s), np.bool_)
    shut[list(blinks)] = True
    return find_jumps(heads.upper, heads.shots, shut, RATE)


def pairs_of(jumps: Jumps) -> dict[tuple[int, int], float]:
    rows, columns = np.nonzero(np.isfinite(jumps.cost))
    return {
        (int(jumps.source[r, c]), int(jumps.landing[r])): float(jumps.cost[r, c])
        for r, c in zip(rows, columns, strict=True)
    }


def apart(heads: Heads, source: int, landing: int) -> float:
    """The definition: around the frame after the source and around the landing."""
    offsets = range(-AROUND, AROUND + 1)
    squares = [((heads.upper[source + 1 + o] - heads.upper[landing + o]) ** 2).sum(axis=-1).mean() for o in offsets]
    return float(np.sqrt(np.mean(squares)))


def test_jumps_are_the_best_near_them_and_cost_what_they_are_unlike() -> None:
    heads = heads_at(wandering(300))
    found, unlike = found_in(heads)
    pairs = pairs_of(found)
    assert 10 < len(pairs) < 1500
    for (source, landing), cost in pairs.items():
        own = apart(heads, source, landing)
        back_s = (source + 1 - landing) / RATE
        soon = SOON * (1 - back_s / 10) if 0 < back_s < 10 else 0.0
        assert own <= ALIKE
        assert cost == pytest.approx(JUMP + UNLIKE * own + soon, abs=1e-3)
        assert abs(source + 1 - landing) >= LEAST_S * RATE
        around = [
            apart(heads, source + a, landing + b)
            for a in (-2, 0, 2)
            for b in (-2, 0, 2)
            if AROUND <= source + 1 + a < 298
            and AROUND <= landing + b < 298
            and abs(source + a + 1 - landing - b) >= LEAST_S * RATE
        ]
        assert own <= min(around) + 1e-4
    assert unlike == pytest.approx(max(apart(heads, *pair) for pair in pairs), abs=1e-3)


def test_movement_goes_on_through_a_jump() -> None:
    """A head that swings: at one place it moves right, half a swing later left."""
    swing = np.stack([np.sin(np.arange(300) * 2 * np.pi / 100), np.zeros(300)], axis=1)
    way = np.gradient(swing[:, 0])
    pairs = pairs_of(found_in(heads_at(swing))[0])
    assert pairs
    assert all(abs(way[source + 1] - way[landing]) < 0.3 * way.max() for source, landing in pairs)


def test_no_jump_crosses_a_cut_a_blink_or_a_lost_face() -> None:
    heads = heads_at(wandering(300, step=0.002), shots=np.repeat([0, 1], 150))
    upper = heads.upper.copy()
    upper[60:70] = np.nan
    found, _ = found_in(replace(heads, upper=upper), blinks=(100, 101, 220))
    pairs = pairs_of(found)
    assert pairs
    for source, landing in pairs:
        assert heads.shots[source] == heads.shots[landing]
        for moment in (source + 1, landing):
            near = set(range(moment - AROUND, moment + AROUND + 1))
            assert not near & {*range(60, 70), 100, 101, 220}
            assert len({int(heads.shots[frame]) for frame in near}) == 1


def test_every_jump_leads_on() -> None:
    pairs = pairs_of(found_in(heads_at(wandering(300)))[0])
    last = max(source for source, _ in pairs)
    assert all(landing + LEAST_S * RATE <= last + 1 for _, landing in pairs)
    assert any(landing < source for source, landing in pairs)


def test_every_jump_leads_on_also_where_few_into_a_frame_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_INTO", 1)
    for seed in range(20):
        pairs = pairs_of(found_in(heads_at(wandering(150, seed)))[0])
        last = max((source for source, _ in pairs), default=0)
        assert all(landing + LEAST_S * RATE <= last + 1 for _, landing in pairs)


def test_where_nothing_is_alike_the_least_unlike_is_taken_and_told() -> None:
    away = np.stack([np.arange(120) * 0.05, np.zeros(120)], axis=1)
    found, unlike = found_in(heads_at(away))
    assert any(landing < source for source, landing in pairs_of(found))
    assert unlike > ALIKE


@pytest.mark.parametrize("count", [1, 4, 5])
def test_a_target_of_a_few_frames_has_no_jump(count: int) -> None:
    found, _ = found_in(heads_at(np.zeros((count, 2))))
    assert found.source.shape == (0, 0)


def test_a_short_target_is_jumped_in_less_far() -> None:
    found, _ = found_in(heads_at(np.zeros((20, 2))))
    assert any(landing < source for source, landing in pairs_of(found))


def test_long_targets_are_compared_at_evenly_spread_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 50)
    pairs = pairs_of(found_in(heads_at(wandering(300)))[0])
    assert pairs
    assert {(landing - AROUND) % 6 for _, landing in pairs} == {0}
