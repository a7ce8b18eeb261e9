"""The survey of a clip: which faces stay for their shape and place, and why others go."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from faceswap.options import ExtractOptions
from faceswap.survey import Seen, _crowd, judge, shared_out, thinned
from tests.faceswap.drawn import face_of, face_points

OPTIONS = ExtractOptions(most_misfit=1.0)
pytestmark = pytest.mark.usefixtures("weights")


def seen(count: int = 10) -> list[Seen]:
    return [Seen(n, n / 25, face_of(face_points((100, 100), 90)), (200, 200)) for n in range(count)]


def test_each_filter_names_its_reason_and_a_good_face_has_none() -> None:
    faces = seen(13)
    faces[1] = replace(faces[1], face=face_of(face_points((100, 100), 30)))
    faces[2] = replace(faces[2], face=replace(faces[2].face, pose_deg=(-70.0, 0.0, 0.0)))
    faces[3] = replace(faces[3], face=replace(faces[3].face, pose_deg=(0.0, 50.0, 0.0)))
    faces[4] = replace(faces[4], face=replace(faces[4].face, presence=0.2))
    faces[5] = replace(faces[5], face=replace(faces[5].face, sharpness=20.0))
    faces[6] = replace(faces[6], crowd=0.2)
    faces[7] = replace(faces[7], face=face_of(face_points((195, 100), 90)))
    rows = judge(faces, 0, OPTIONS)
    whys = ["", "small", "turned", "turned", "uncertain", "blurred", "crowded", "cut off", *[""] * 5]
    assert [row.why for row in rows] == whys
    assert [row.kept for row in rows] == [not row.why for row in rows]


def test_irises_are_told_in_the_crop_as_the_landmarks_are() -> None:
    face = seen(1)[0].face
    rows = judge([replace(seen(1)[0], irises=face.landmarks[36:38]), seen(2)[1]], 0, OPTIONS)
    assert rows[0].irises is not None
    np.testing.assert_allclose(rows[0].irises, rows[0].landmarks[36:38], atol=1e-4)
    assert rows[1].irises is None


def test_large_faces_and_leaning_ones_go_only_where_that_was_asked_for() -> None:
    leaning = [replace(one, face=replace(one.face, pose_deg=(0.0, 0.0, 120.0))) for one in seen(3)]
    assert all(row.kept for row in judge(leaning, 0, OPTIONS))
    assert {row.why for row in judge(leaning, 0, replace(OPTIONS, most_roll_deg=90))} == {"turned"}
    assert {row.why for row in judge(seen(3), 0, replace(OPTIONS, most_size_px=80))} == {"large"}


def test_only_faces_in_the_region_asked_for_stay() -> None:
    left = replace(OPTIONS, region=(0.0, 0.0, 0.4, 1.0))
    assert {row.why for row in judge(seen(2), 0, left)} == {"outside"}
    assert {row.why for row in judge(seen(2), 0, replace(OPTIONS, region=(0.3, 0.3, 0.7, 0.7)))} == {""}


def test_points_that_are_no_head_are_a_misfit() -> None:
    faces = seen(2)
    bent = faces[1].face.landmarks.copy()
    bent[17:27, 1] += 40  # brows under the eyes
    faces[1] = replace(faces[1], face=replace(faces[1].face, landmarks=bent))
    straight, crooked = judge(faces, 0, OPTIONS)
    assert crooked.misfit > 2 * straight.misfit
    between = (straight.misfit + crooked.misfit) / 2
    assert [row.why for row in judge(faces, 0, replace(OPTIONS, most_misfit=between))] == ["", "misfit"]


def test_a_head_beside_is_in_the_view_and_one_across_the_room_is_not() -> None:
    face = face_of(face_points((100, 100), 90))
    assert _crowd(face, [face_of(face_points((170, 100), 90))]) > 0.05
    assert _crowd(face, [face_of(face_points((300, 100), 90))]) == 0.0


def test_thinning_spreads_what_stays_evenly() -> None:
    rows = thinned(judge(seen(100), 0, OPTIONS), 5)
    assert [row.frame for row in rows if row.kept] == [0, 25, 50, 74, 99]
    assert {row.why for row in rows if not row.kept} == {"thinned"}


def test_long_clips_give_up_faces_before_short_ones() -> None:
    assert shared_out([10, 1000, 500], 400) == [10, 195, 195]
    assert shared_out([10, 20], 400) == [10, 20]


def test_names_tell_clip_frame_and_track_apart() -> None:
    rows = judge(seen(3), 7, OPTIONS)
    assert [row.name for row in rows] == ["07-000000-000.png", "07-000001-000.png", "07-000002-000.png"]
