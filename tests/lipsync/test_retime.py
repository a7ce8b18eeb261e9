"""The dynamic programme against the paper's recurrence written out, against all paths, and what it is for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from lipsync import retime
from lipsync.retime import (
    BLINK,
    ONSET,
    REPEAT,
    Bools,
    Doubles,
    Jumps,
    Path,
    Target,
    began,
    cheapest_path,
    row_weights,
    voiced_rows,
)


def target_of(speed: Doubles, may_repeat: Bools | None = None) -> Target:
    count = len(speed)
    return Target(
        speed, np.ones(count, np.bool_) if may_repeat is None else may_repeat, np.zeros(count), np.zeros(count)
    )


def solved(target: Target, voiced: Bools, jumps: Jumps | None = None) -> Path:
    weights = row_weights(voiced)
    path = cheapest_path(target, weights, began(target, weights), target.edge, jumps)
    assert path is not None
    return path


def written_out(speed: Doubles, voiced: Bools) -> tuple[float, list[int]]:
    """The recurrence of the paper, cell by cell, all cells kept."""
    rows, columns = len(voiced), len(speed)

    def a(i: int) -> bool:
        return i >= 0 and bool(voiced[i])

    def g(i: int, j: int) -> float:
        if not a(i):
            return float(speed[j])
        return -ONSET * float(speed[j]) if a(i - 2) and not a(i - 3) else 0.0

    cost = np.full((rows, columns, 2), np.inf)
    left: dict[tuple[int, int, int], tuple[int, int]] = {}
    for i, j in itertools.product(range(rows), range(columns)):
        if i == 0:
            cost[i, j, 0] = g(i, j)
            continue
        if j > 0:
            s = int(cost[i - 1, j - 1, 1] < cost[i - 1, j - 1, 0])
            cost[i, j, 0], left[i, j, 0] = cost[i - 1, j - 1, s] + g(i, j), (j - 1, s)
        cost[i, j, 1], left[i, j, 1] = cost[i - 1, j, 0] + REPEAT * speed[j] + g(i, j), (j, 0)
    s, j = divmod(int(cost[-1].T.argmin()), columns)
    total, frames = float(cost[-1, j, s]), [j]
    for i in range(rows - 1, 0, -1):
        j, s = left[i, j, s]
        frames.append(j)
    return total, frames[::-1]


def all_paths(rows: int, columns: int, ways: dict[int, list[int]]) -> Iterator[list[tuple[int, bool]]]:
    """Every sequence of (frame, shown again) that the rules allow."""

    def grown(path: list[tuple[int, bool]]) -> Iterator[list[tuple[int, bool]]]:
        if len(path) == rows:
            yield path
            return
        frame, again = path[-1]
        nexts = [(frame + 1, False)] if frame + 1 < columns else []
        nexts += [(frame, True)] if not again else []
        nexts += [(landing, False) for landing in ways.get(frame, [])]
        for step in nexts:
            yield from grown([*path, step])

    for frame in range(columns):
        yield from grown([(frame, False)])


def cost_of(path: list[tuple[int, bool]], speed: Doubles, voiced: Bools, ways: dict[tuple[int, int], float]) -> float:
    total, weights = 0.0, row_weights(voiced)
    for row, (frame, again) in enumerate(path):
        total += float(weights[row] * speed[frame])
        if again:
            total += REPEAT * float(speed[frame])
        elif row and frame != path[row - 1][0] + 1:
            total += ways[path[row - 1][0], frame]
    return total


def made(seed: int, rows: int, columns: int) -> tuple[Doubles, Bools]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 1, columns), np.repeat(rng.random(rows // 2 + 1) < 0.6, 2)[:rows]


@pytest.mark.parametrize(("seed", "rows", "columns"), [(0, 1, 1), (1, 5, 9), (2, 30, 40), (3, 60, 45), (4, 90, 50)])
def test_it_is_the_recurrence_of_the_paper(seed: int, rows: int, columns: int) -> None:
    speed, voiced = made(seed, rows, columns)
    total, frames = written_out(speed, voiced)
    found = solved(target_of(speed), voiced)
    assert found.cost == pytest.approx(total)
    np.testing.assert_array_equal(found.frames, frames)
    assert not found.jumped.any()


@pytest.mark.parametrize("seed", range(6))
def test_no_allowed_path_is_cheaper(seed: int) -> None:
    speed, voiced = made(seed, 7, 6)
    costs = [cost_of(path, speed, voiced, {}) for path in all_paths(7, 6, {})]
    found = solved(target_of(speed), voiced)
    assert found.cost == pytest.approx(min(costs))
    path = list(zip(found.frames.tolist(), found.repeated.tolist(), strict=True))
    assert cost_of(path, speed, voiced, {}) == pytest.approx(found.cost)


@pytest.mark.parametrize("seed", range(6))
def test_a_toll_is_paid_for_each_time_a_frame_is_shown(seed: int) -> None:
    speed, voiced = made(seed, 7, 9)
    target = replace(target_of(speed), toll=np.where(np.random.default_rng(seed).random(9) < 0.4, 1.0, 0.0))

    def paid(path: list[tuple[int, bool]]) -> float:
        return cost_of(path, speed, voiced, {}) + float(sum(target.toll[frame] for frame, _ in path))

    found = solved(target, voiced)
    assert found.cost == pytest.approx(min(map(paid, all_paths(7, 9, {}))))
    assert paid(list(zip(found.frames.tolist(), found.repeated.tolist(), strict=True))) == pytest.approx(found.cost)


@pytest.mark.parametrize("seed", range(6))
def test_no_allowed_path_with_jumps_is_cheaper(seed: int) -> None:
    speed, voiced = made(seed, 7, 5)
    jumps = Jumps(
        np.array([0, 2]),
        np.array([[4, 3], [4, 0]]),
        np.array([[0.4, 0.05], [0.1, np.inf]]),
        np.zeros((2, 2), np.int64),
    )
    ways = {(4, 0): 0.4, (3, 0): 0.05, (4, 2): 0.1}
    landings = {4: [0, 2], 3: [0]}
    costs = [cost_of(path, speed, voiced, ways) for path in all_paths(7, 5, landings)]
    found = solved(target_of(speed), voiced, jumps)
    assert found.cost == pytest.approx(min(costs))
    path = list(zip(found.frames.tolist(), found.repeated.tolist(), strict=True))
    assert cost_of(path, speed, voiced, ways) == pytest.approx(found.cost)
    for row in np.flatnonzero(found.jumped):
        assert (found.frames[row - 1], found.frames[row]) in ways


@pytest.mark.parametrize("with_jumps", [False, True])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, with_jumps: bool) -> None:
    speed, voiced = made(7, 70, 60)
    jumps = Jumps(np.array([3]), np.array([[50, 41]]), np.array([[0.2, 0.1]]), np.zeros((1, 2), np.int64))
    whole = solved(target_of(speed), voiced, jumps if with_jumps else None)
    monkeypatch.setattr(retime, "BLOCK", 9)
    parts = solved(target_of(speed), voiced, jumps if with_jumps else None)
    assert parts.cost == pytest.approx(whole.cost)
    np.testing.assert_array_equal(parts.frames, whole.frames)
    np.testing.assert_array_equal(parts.jumped, whole.jumped)


def test_a_jump_too_early_costs_more_and_is_taken_later() -> None:
    target = target_of(np.zeros(6), np.zeros(6, np.bool_))
    voiced = np.ones(9, np.bool_)
    early, late = (
        Jumps(np.array([0]), np.array([[4, 5]]), np.full((1, 2), 0.1), np.array([[until, 0]]), 1.0) for until in (0, 99)
    )
    assert solved(target, voiced, early).cost == pytest.approx(0.1)
    found = solved(target, voiced, late)
    assert found.frames[np.flatnonzero(found.jumped)[0] - 1] == 5


def test_the_head_is_still_in_pauses_and_moves_where_speech_sets_in() -> None:
    """A target that moves in its first half and is still in its second; speech, then a pause."""
    rng = np.random.default_rng(0)
    speed = np.where(np.arange(400) % 100 < 60, 0.03, 0.002) + rng.uniform(0, 0.002, 400)
    voiced = np.arange(250) % 80 < 50
    found = solved(target_of(speed), voiced)
    shown = speed[found.frames]
    unmoved = speed[: len(voiced)]
    assert shown[~voiced].mean() < 0.55 * unmoved[~voiced].mean()
    assert shown[~voiced].mean() < 0.55 * shown[voiced].mean()


def test_blinks_fall_into_speech_and_are_shown_whole() -> None:
    speed = np.full(300, 0.01)
    blinks = np.zeros(300, np.bool_)
    for at in range(40, 300, 60):
        blinks[at : at + 6] = True
    target = Target(speed + BLINK * blinks, ~blinks, np.where(blinks, 10.0, 0.0), np.zeros(300))
    voiced = np.arange(200) % 70 < 40
    found = solved(target, voiced)
    assert not blinks[found.frames[~voiced]].any()
    assert not (found.repeated & blinks[found.frames]).any()
    seen = blinks[found.frames].astype(int)
    runs = np.flatnonzero(np.diff(np.concatenate([[0], seen, [0]])))
    assert len(runs)
    assert set(np.diff(runs)[::2]) == {6}


def test_it_plays_forward_and_shows_no_frame_three_times() -> None:
    speed, voiced = made(11, 300, 200)
    found = solved(target_of(speed), voiced)
    steps = np.diff(found.frames)
    assert set(steps.tolist()) <= {0, 1}
    assert not ((steps[1:] == 0) & (steps[:-1] == 0)).any()
    np.testing.assert_array_equal(found.repeated[1:], steps == 0)


def test_a_speech_too_long_for_the_target_has_no_path_without_jumps() -> None:
    target = target_of(np.zeros(10))
    weights = row_weights(np.ones(25, np.bool_))
    assert cheapest_path(target, weights, began(target, weights), target.edge) is None


def test_short_pauses_are_speech_and_speech_sets_in_two_frames_late() -> None:
    voiced = voiced_rows([(0.4, 1.0), (1.45, 2.0), (2.6, 3.0)], 100, 25.0)
    np.testing.assert_array_equal(np.flatnonzero(np.diff(voiced.astype(int))) + 1, [10, 50, 65, 75])
    weights = row_weights(voiced)
    np.testing.assert_array_equal(np.flatnonzero(weights < 0), [12, 67])
    np.testing.assert_array_equal(weights == 1.0, ~voiced)


def test_speech_in_the_first_frame_sets_in_there() -> None:
    assert row_weights(np.ones(5, np.bool_)).tolist() == [0, 0, -ONSET, 0, 0]


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \(N,\) with N > 0, got \(0,\)"):
        target_of(np.zeros(0))
    with pytest.raises(ValueError, match=r"source, cost and until \(L, K\)"):
        Jumps(np.array([0]), np.array([[1, 2]]), np.zeros((1, 1)), np.zeros((1, 2), np.int64))
