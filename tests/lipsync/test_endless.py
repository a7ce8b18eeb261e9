"""Speech longer than the target: jumps apart in time, stillness in pauses, an end that is no dead end."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from lipsync import endless as module
from lipsync.endless import endless_path, jumps_taken, taken_again
from lipsync.heads import Heads, speeds
from lipsync.jumps import AGAIN_S, LEAST_S, find_jumps
from lipsync.retime import Doubles, Frontier, Jumps, Path, Target, cheapest_path, row_weights
from tests.lipsync.moving import heads_at, wandering

RATE = 25.0


def run(heads: Heads, rows: int) -> tuple[Path, np.ndarray]:
    count = len(heads.times_s)
    speed, none = speeds(heads), np.zeros(count, np.bool_)
    target = Target(speed, np.append(np.ones(count - 1, np.bool_), False), np.zeros(count), np.zeros(count))
    voiced = np.arange(rows) % 90 < 60
    jumps, _ = find_jumps(heads.upper, heads.shots, none, RATE)
    path = endless_path(target, row_weights(voiced), jumps, RATE)
    assert path is not None
    assert len(path.frames) == rows
    return path, voiced


@pytest.mark.parametrize(("count", "rows"), [(400, 900), (400, 5000), (250, 2500)])
def test_no_jump_is_taken_again_within_ten_seconds(count: int, rows: int) -> None:
    path, _ = run(heads_at(wandering(count)), rows)
    taken = jumps_taken(path.frames, path.jumped)
    assert len(taken) >= rows // (1.2 * count)
    for one in taken:
        for other in taken:
            if 0 < other[0] - one[0] < AGAIN_S * RATE:
                there = np.abs(one[1:] - other[1:]).max()
                back = np.abs(one[1:] - other[[2, 1]]).max()
                assert min(there, back) > 10, (one, other)
    assert taken_again(taken, RATE) == 0
    assert all(after - before >= LEAST_S * RATE for before, after in pairwise(taken[:, 0].tolist()))


def test_between_jumps_it_plays_forward_and_shows_no_frame_three_times() -> None:
    path, _ = run(heads_at(wandering(300)), 3000)
    steps = np.diff(path.frames)
    jumped = path.jumped[1:]
    assert set(steps[~jumped].tolist()) <= {0, 1}
    np.testing.assert_array_equal(path.repeated[1:], (steps == 0) & ~jumped)
    assert not (path.repeated[1:] & path.repeated[:-1]).any()


def test_no_more_than_ten_seconds_is_settled_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A jump that is planned for later is planned again, with all that comes after it in view."""
    planned: list[Path] = []

    def noted(target: Target, weights: Doubles, begin: Frontier, end: Doubles, jumps: Jumps) -> Path | None:
        path = cheapest_path(target, weights, begin, end, jumps)
        assert path is not None
        planned.append(path)
        return path

    monkeypatch.setattr(module, "cheapest_path", noted)
    run(heads_at(wandering(250)), 700)
    assert np.flatnonzero(planned[0].jumped)[0] > 10 * RATE
    assert len(planned[1].frames) == 700 - 10 * RATE


def test_the_head_is_still_in_pauses_of_a_long_speech_too() -> None:
    heads = heads_at(wandering(400))
    path, voiced = run(heads, 3000)
    shown = speeds(heads)[path.frames]
    assert shown[~voiced].mean() < 0.7 * shown[voiced].mean()


def test_a_target_too_short_goes_on_all_the_same_and_its_jumps_are_counted() -> None:
    path, _ = run(heads_at(wandering(40)), 1000)
    assert taken_again(jumps_taken(path.frames, path.jumped), RATE) > 0


def test_jumps_taken_again_are_those_alike_within_ten_seconds() -> None:
    taken = np.array([[0, 90, 10], [100, 95, 12], [200, 15, 88], [600, 90, 10], [800, 90, 60]])
    assert taken_again(taken, RATE) == 2


def test_without_a_way_on_there_is_no_path() -> None:
    heads = heads_at(np.zeros((4, 2)))
    target = Target(np.zeros(4), np.ones(4, np.bool_), np.zeros(4), np.zeros(4))
    jumps, _ = find_jumps(heads.upper, heads.shots, np.zeros(4, np.bool_), RATE)
    assert endless_path(target, np.zeros(50), jumps, RATE) is None


def test_the_best_jump_gives_way_to_others_until_ten_seconds_are_over() -> None:
    """A head that swings evenly: every jump over whole swings is as good as another, and the first is the cheapest."""
    places = np.stack([np.sin(np.arange(210) * 2 * np.pi / 50) / 4, np.zeros(210)], axis=1)
    path, _ = run(heads_at(places), 2500)
    taken = jumps_taken(path.frames, path.jumped)
    assert len(taken) > 10
    assert taken_again(taken, RATE) == 0


def test_a_pause_is_no_reason_to_hop() -> None:
    """Stillness comes in bits shorter than a pause: hopping from one to the next would be stillest."""
    swing = np.concatenate([np.sin(np.arange(45) * 2 * np.pi / 45), np.zeros(15)])
    places = np.stack([np.tile(swing, 8) / 2, np.zeros(480)], axis=1)
    path, _ = run(heads_at(places), 2000)
    rows = jumps_taken(path.frames, path.jumped)[:, 0]
    assert len(rows) > 5
    assert np.diff(rows).min() >= LEAST_S * RATE


def test_where_nothing_leads_on_is_shown_only_at_the_end() -> None:
    """A swing to jump about in, then a long slow drift without a way back: stillest of all, but only for the end."""
    swing = np.sin(np.arange(170) / 12) / 2
    places = np.concatenate([swing, swing[-1] + np.arange(400) * 0.006])
    path, _ = run(heads_at(np.stack([places, np.zeros(570)], axis=1)), 3000)
    assert path.frames[: 3000 - 800].max() < 200
