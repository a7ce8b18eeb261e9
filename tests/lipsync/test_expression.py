"""What brows and lids do, beside what is usual of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lipsync.expression import BROWS, EYES, expression_of, gaps_of, lids_from, shares_of
from shared.types import Floats

FRAMES = 150
TIMES_S = np.arange(FRAMES) / 25.0
LIDS = [37, 38, 43, 44]
WHOLE = [(0.0, float(TIMES_S[-1]))]


@pytest.fixture
def faces(points_of: Callable[[float], Floats]) -> Floats:
    """(FRAMES, 68, 2), brows raised by half a centimetre from 2 to 3 s, eyes shut from 4 to 4.2 s."""
    points = np.repeat(points_of(0.0)[np.newaxis], FRAMES, axis=0)
    points[50:75, BROWS, 1] += 0.5
    points[100:105, LIDS, 1] = 2.25
    return points


def test_the_gap_of_an_eye_is_told_in_its_width_however_it_is_turned(points_of: Callable[[float], Floats]) -> None:
    points = points_of(0.0)
    turn = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    found = gaps_of(np.array([points, points @ turn.T * 30 + 7], dtype=np.float32))
    np.testing.assert_allclose(found, 1.0 / np.hypot(2.6, 0.1), rtol=1e-4)


def test_lids_that_tremble_are_as_usual_and_those_nearly_shut_are_shut() -> None:
    told = lids_from(np.array([0.0, 0.14, 0.5, 0.86, 1.0, 1.07, 1.1, 3.0], dtype=np.float32))
    np.testing.assert_allclose(told, [0.0, 0.0, 0.5, 1.0, 1.0, 1.0, 1.02, 1.15], atol=1e-6)


def test_brows_are_told_beside_where_they_usually_are(faces: Floats) -> None:
    told = expression_of(faces, TIMES_S, WHOLE)
    up, _, known = told.at(2.5)
    np.testing.assert_allclose(up, np.tile([0.0, 0.5], (10, 1)), atol=1e-3)
    assert known == 1.0
    np.testing.assert_allclose(told.at(1.0)[0], 0.0, atol=1e-3)
    high = faces.copy()
    high[:, BROWS, 1] += 0.7
    np.testing.assert_allclose(expression_of(high, TIMES_S, WHOLE).brows, told.brows, atol=1e-5)


def test_narrow_eyes_are_no_expression_and_blinks_are(faces: Floats) -> None:
    narrow = faces.copy()
    for points in EYES:
        middle = narrow[:, list(points), 1].mean(axis=1, keepdims=True)
        narrow[:, list(points), 1] = middle + 0.6 * (narrow[:, list(points), 1] - middle)
    for each in (faces, narrow):
        told = expression_of(each, TIMES_S, WHOLE)
        assert told.at(4.08)[1].max() < 0.05
        np.testing.assert_allclose(told.at(3.5)[1], 1.0, atol=1e-3)


def test_what_is_not_seen_is_not_known(faces: Floats) -> None:
    told = expression_of(faces, TIMES_S, [(0.0, 1.0), (3.0, 6.0)])
    assert [told.at(time_s)[2] for time_s in (0.5, 2.0, 4.0)] == [1.0, 0.0, 1.0]
    assert told.at(60.0)[2] == 0.0
    assert told.later(10.0).at(14.08)[1].max() < 0.05


def test_who_seldom_opens_his_eyes_wide_has_them_narrow_as_usual_and_shut_when_shut() -> None:
    gaps = np.full((100, 2), 0.15, dtype=np.float32)
    gaps[:20] = 0.25
    gaps[50:60] = 0.01
    told = lids_from(shares_of(gaps))
    np.testing.assert_allclose(told[20:50], 1.0)
    np.testing.assert_array_equal(told[50:60], 0.0)
    laughing = np.full((100, 2), 0.05, dtype=np.float32)
    laughing[:20] = 0.25
    assert lids_from(shares_of(laughing))[50:].max() < 0.35


def test_eyes_that_are_never_open_tell_nothing() -> None:
    for gap in (0.0, 0.05):
        np.testing.assert_array_equal(shares_of(np.full((50, 2), gap, dtype=np.float32)), 1.0)
