"""The map of output frames to the clip's."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from shared.render.timeline import Timeline


def made(first: list[int], share: list[float], jumps: tuple[tuple[int, int, int], ...] = ()) -> Timeline:
    frames = np.array(first, dtype=np.int64)
    return Timeline(frames, frames + 1, np.array(share, dtype=np.float32), jumps, Fraction(25))


def test_runs_give_back_every_frame() -> None:
    timeline = made([5, 6, 6, 7, 8, 1, 2, 2], [0, 0, 0.5, 0, 0, 0.2, 0.4, 0], ((6, 8, 2),))
    told = timeline.as_json()
    assert told["runs"] == [[0, 1, 5], [2, 2, "flow"], [3, 4, 7], [5, 6, "flow"], [7, 7, 2]]
    assert (told["frames"], told["as_filmed"], told["rate"], told["jumps"]) == (8, 5, "25", [[6, 8, 2]])


def test_what_was_not_written_is_not_told() -> None:
    told = made([5, 6, 6, 7, 8, 1], [0, 0, 0.5, 0, 0, 0], ((5, 8, 1),)).as_json(4)
    assert told["runs"] == [[0, 1, 5], [2, 2, "flow"], [3, 3, 7]]
    assert told["jumps"] == []


def test_a_frame_shown_again_begins_a_run() -> None:
    assert made([3, 3, 4], [0, 0, 0]).as_json()["runs"] == [[0, 0, 3], [1, 2, 3]]


def test_frames_of_the_output_are_found_in_the_clip() -> None:
    timeline = made([5, 6, 6, 7, 8, 1, 2, 2], [0, 0, 0.5, 0, 0, 0.2, 0.4, 0])
    assert timeline.filmed([(0, 1), (3, 5)]) == [(1, 2), (5, 8)]
    assert timeline.filmed([(7, 7)]) == [(2, 2)]


@pytest.mark.parametrize(
    ("first", "share", "said"),
    [([], [], "T > 0"), ([1, 2], [0.0], "T > 0"), ([1, -1], [0, 0], "at least 0"), ([1], [1.0], r"shares in \[0, 1\)")],
)
def test_what_is_no_timeline_is_refused(first: list[int], share: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        made(first, share)
