"""Speed, blinks and what is measured of faces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lipsync.heads import HEAD, LIDS, UPPER, blinks, heads_of, lid_ratio, speeds
from shared.store.faces import StoredFrame
from shared.types import Face
from tests.lipsync.conftest import face_points
from tests.lipsync.moving import heads_at, wandering

POINTS = face_points() * [1, -1] * 10 + 100


def stored(number: int, *faces: tuple[int, NDArray[np.floating]], shot: int = 0) -> StoredFrame:
    found = tuple(
        Face((float(p[:, 0].min()), 0.0, float(p[:, 0].max()), 100.0), p.astype(np.float32), None, 1.0, track)
        for track, p in faces
    )
    return StoredFrame(number, number / 25, shot, found)


def test_heads_are_measured_in_eye_distances_the_mouth_left_out() -> None:
    eyes = float(np.linalg.norm(POINTS[45] - POINTS[36]))
    frames = [
        stored(0, (2, POINTS)),
        stored(1, (2, POINTS + np.array([eyes / 10, 0]))),
        stored(2),
        stored(3, (5, POINTS)),
    ]
    opened = POINTS.copy()
    opened[48:] += 7
    frames.append(stored(4, (2, opened)))
    heads = heads_of(frames, frozenset({2}))
    assert heads.times_s.tolist() == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    np.testing.assert_allclose(heads.upper[1] - heads.upper[0], np.tile([0.1, 0], (len(UPPER), 1)), atol=1e-4)
    assert np.isnan(heads.upper[2:4]).all()
    assert np.isnan(heads.lids[2:4]).all()
    np.testing.assert_allclose(heads.upper[4], heads.upper[0], atol=1e-5)


def test_a_face_can_speak_where_it_is_seen_and_not_turned_away() -> None:
    frames = [stored(number, (2, POINTS)) for number in range(5)]
    for number, yaw_deg in ((1, 30.0), (2, -50.0), (3, 50.0)):
        frames[number] = replace(
            frames[number], faces=(replace(frames[number].faces[0], pose_deg=(yaw_deg, 0.0, 0.0)),)
        )
    frames[4] = stored(4)
    assert heads_of(frames, frozenset({2})).can_speak().tolist() == [True, True, False, False, False]


def test_of_several_chosen_faces_the_largest_counts() -> None:
    large = POINTS * 2 + 30
    heads = heads_of([stored(0, (1, POINTS), (2, large))], frozenset({1, 2}))
    alone = heads_of([stored(0, (2, large))], frozenset({2}))
    np.testing.assert_array_equal(heads.lids, alone.lids)
    middle = heads.upper[0].mean(axis=0) / alone.upper[0].mean(axis=0)
    assert middle[0] == pytest.approx(middle[1])


def test_speed_is_the_way_from_and_to_a_frame_inside_its_shot() -> None:
    places = np.stack([np.array([0, 0.1, 0.3, 0.3, 5.0, 5.2]), np.zeros(6)], axis=1)
    found = speeds(heads_at(places, shots=np.array([0, 0, 0, 0, 1, 1])))
    np.testing.assert_allclose(found, [0.1, 0.15, 0.1, 0.0, 0.2, 0.2], atol=1e-5)


def test_a_blink_is_no_movement_of_the_head() -> None:
    heads = heads_at(np.zeros((5, 2)))
    upper = heads.upper.copy()
    lids = [UPPER.index(point) for point in (37, 38, 40, 41, 43, 44, 46, 47)]
    upper[2, lids] += 1.0
    assert speeds(replace(heads, upper=upper)).max() < 1e-6
    assert not set(lids) & set(HEAD)


def test_frames_without_a_face_are_no_stillness() -> None:
    heads = heads_at(wandering(100))
    upper = heads.upper.copy()
    upper[40:44] = np.nan
    found = speeds(replace(heads, upper=upper))
    assert np.isfinite(found).all()
    assert found[41] >= np.quantile(found, 0.85)
    assert speeds(replace(heads, upper=np.full_like(upper, np.nan))).tolist() == [0.0] * 100


def test_blinks_are_short_and_hold_the_lids_on_their_way() -> None:
    heads = heads_at(np.zeros((100, 2)), blinks=(20, 60))
    assert np.flatnonzero(blinks(heads, 25.0)).tolist() == [*range(18, 25), *range(58, 65)]
    long = heads.lids.copy()
    long[70:95] = 0.05
    assert not blinks(replace(heads, lids=long), 25.0)[66:].any()
    assert not blinks(replace(heads, lids=np.full(100, np.nan, np.float32)), 25.0).any()


def test_the_ratio_of_the_lids_is_that_of_the_wider_open_eye() -> None:
    points = POINTS.copy()
    (up, low), (up2, low2), corners = LIDS[0]
    wide = np.linalg.norm(points[corners[0]] - points[corners[1]])
    for above, below in ((up, low), (up2, low2)):
        points[above] = points[below] - [0, 0.5 * wide]
    assert lid_ratio(points.astype(np.float32)) == pytest.approx(0.5, abs=1e-4)
