"""The course of a new mouth's strength: never above what frames wish, never in a jump, never over a cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from lipsync.fade import FADE_S, MOST_COVERED, NOBODY, Wish, faded, note_of, wish_of
from lipsync.mouth import FreeFace
from shared.face.pose import FacePose
from shared.types import Floats, Frame

AHEAD = 10
CLEAR, COVERED = Wish(1.0, "turned-away"), Wish(0.0, "covered")


@pytest.fixture
def frames(framed: Callable[..., Frame]) -> Callable[..., list[Frame]]:
    def make(count: int, rate: int = 25) -> list[Frame]:
        frame = framed(np.zeros((8, 8, 3), dtype=np.uint8))
        return [replace(frame, index=k, pts=k, time_base=Fraction(1, rate)) for k in range(count)]

    return make


def course(frames: list[Frame], wishes: list[Wish], shots: list[int] | None = None) -> list[Wish]:
    return [faded(frames, shots or [0] * len(frames), k, wishes.__getitem__, AHEAD) for k in range(len(frames))]


def test_a_course_is_the_largest_that_is_steady_and_nowhere_above_the_wishes(
    frames: Callable[..., list[Frame]],
) -> None:
    given = frames(60)
    wanted = np.random.default_rng(0).uniform(0.0, 3.0, 60).clip(0.0, 1.0)
    found = [wish.strength for wish in course(given, [Wish(float(one), "turned-away") for one in wanted])]
    apart = np.abs(np.arange(60)[:, np.newaxis] - np.arange(60)) / 25.0
    np.testing.assert_allclose(found, (wanted + apart / FADE_S).min(axis=1), atol=1e-6)


@pytest.mark.parametrize("rate", [12, 25, 60, 240])
def test_a_fade_takes_its_time_at_any_frame_rate_and_no_more_frames_than_are_known(
    frames: Callable[..., list[Frame]], rate: int
) -> None:
    given = frames(200, rate)
    found = course(given, [COVERED if k >= 100 else CLEAR for k in range(200)])
    fading = sum(0.0 < wish.strength < 1.0 for wish in found)
    assert fading == min(int(np.ceil(FADE_S * rate)) - 1, AHEAD)
    steps = np.diff([wish.strength for wish in found])
    assert np.abs(steps).max() <= max(1 / (FADE_S * rate), 1 / (AHEAD + 1)) + 1e-6


def test_the_reason_of_a_fade_is_that_of_the_frame_that_it_leads_to(frames: Callable[..., list[Frame]]) -> None:
    found = course(frames(30), [COVERED] + [CLEAR] * 28 + [NOBODY])
    assert [note_of(one) for one in found[:5]] == ["covered", "faded-covered", "faded-covered", "faded-covered", None]
    assert [note_of(one) for one in found[-2:]] == ["faded-no-face", "no-face"]


def test_nothing_is_carried_over_a_cut(frames: Callable[..., list[Frame]]) -> None:
    found = course(frames(20), [CLEAR] * 10 + [COVERED] * 10, [0] * 10 + [1] * 10)
    assert [wish.strength for wish in found] == [1.0] * 10 + [0.0] * 10


def test_a_frame_wishes_less_the_further_the_face_is_turned_and_nothing_where_the_mouth_is_covered(
    points_of: Callable[[float], Floats], posed: Callable[..., FacePose], free_from: Callable[..., FreeFace]
) -> None:
    turned = {yaw: wish_of(free_from(points_of(0.0), posed(yaw)), [0.0]).strength for yaw in (0.0, -45.0, 60.0)}
    assert turned[0.0] == 1.0
    assert turned[-45.0] == pytest.approx(0.5, abs=0.05)
    assert turned[60.0] == 0.0
    free = free_from(points_of(0.0), posed())
    assert wish_of(free, [0.0, 1.0, MOST_COVERED]) == COVERED
    assert wish_of(free, [1.0, 0.0, 0.1]).strength == 1.0
