"""Lids that fall: an eye narrowed along its own lines, then covered by the clip's own shut one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

import lipsync.lids as module
from lipsync.expression import EYES
from lipsync.lids import Eye, ShutEyes, find_shut, shut_patches
from shared.face.analyse import ClipFaces
from shared.face.pose import FacePose
from shared.types import Face, Floats, Frame, Picture

SIZE = 100
EYE = np.array([[20, 60], [40, 50], [60, 50], [80, 60], [60, 66], [40, 66]], dtype=np.float32)
BROW = np.array([[30, 20], [50, 16], [70, 20]], dtype=np.float32)


def maps_of(eye: Eye, left: float) -> tuple[Floats, Floats]:
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    eye.narrow(x, y, np.zeros(2, dtype=np.float32), left)
    return x, y


@pytest.mark.parametrize("turn", [0.0, 0.5, -1.2])
@pytest.mark.parametrize("share", [0.5, 0.8, 1.1])
def test_a_lid_lands_where_its_gap_is_the_share_of_what_it_was(share: float, turn: float) -> None:
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points, brow = (((each - 50) @ spin.T + 50).astype(np.float32) for each in (EYE, BROW))
    eye = Eye.of(points, brow)
    x, y = maps_of(eye, share)
    for above, below in ((1, 5), (2, 4)):
        landed = eye.landed(points[above], share)
        was, now = np.linalg.norm(points[above] - points[below]), np.linalg.norm(landed - points[below])
        grown = 1.0 + module.RIM_DOWN  # what is seen of an eye ends a little under the line of the lower lid
        assert now / was == pytest.approx(1.0 + (share - 1.0) * grown, abs=0.01)
        column, row = np.rint(landed).astype(int)
        read = np.array([x[row, column], y[row, column]])
        assert np.linalg.norm(read - points[above]) < 1.5


def test_what_is_under_the_eye_over_the_brow_and_beside_stays() -> None:
    x, y = maps_of(Eye.of(EYE, BROW), 0.5)
    rows, columns = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    np.testing.assert_array_equal(x, columns)
    still = np.abs(y - rows) < 1e-3
    assert still[72:].all()
    assert still[:24].all()
    assert still[:, :20].all()
    assert still[:, 81:].all()
    assert not still[45:60, 45:55].any()


def test_no_line_of_the_skin_is_folded_over_another() -> None:
    for share in (0.5, 0.75, 1.15):
        _, y = maps_of(Eye.of(EYE, BROW), share)
        assert np.diff(y, axis=0).min() > 0.0


@pytest.fixture
def face(points_of: Callable[[float], Floats], posed: Callable[..., FacePose], face_from: Callable[..., Face]) -> Face:
    return face_from(points_of(0.0), posed())


@pytest.fixture
def frame(framed: Callable[..., Frame]) -> Frame:
    picture: Picture = np.full((140, 160, 3), 100, dtype=np.uint8)
    return framed(picture)


def test_open_eyes_are_not_covered_and_each_falls_alone(frame: Frame, face: Face) -> None:
    shut = ShutEyes(np.full((140, 160, 3), 0.5, dtype=np.float32), face.landmarks)
    assert shut_patches(frame, face, shut, np.array([0.5, 1.0], dtype=np.float32)) == []
    (left,) = shut_patches(frame, face, shut, np.array([0.0, 0.6], dtype=np.float32))
    assert left.box[2] < face.landmarks[42, 0]
    assert left.mask.max() == 1.0
    assert left.mask[[0, -1]].max() == left.mask[:, [0, -1]].max() == 0.0
    (half,) = shut_patches(frame, face, shut, np.array([0.325, 1.0], dtype=np.float32))
    assert half.mask.max() == pytest.approx(0.5, abs=0.01)


def test_a_shut_eye_is_laid_where_the_eye_is_in_the_frame_s_light(frame: Frame, face: Face) -> None:
    """The cut-out is half as large, elsewhere and darker; its lashes are a black line."""
    picture = np.full((90, 100, 3), (0.2, 0.3, 0.25), dtype=np.float32)
    landmarks = np.asarray(0.5 * face.landmarks + [10, 5], dtype=np.float32)
    x, y = np.rint(landmarks[36:42].mean(axis=0)).astype(int)
    picture[y, x - 3 : x + 4] = 0.0
    left, _ = shut_patches(frame, face, ShutEyes(picture, landmarks), np.zeros(2, dtype=np.float32))
    middle = face.landmarks[36:42].mean(axis=0) - np.array(left.box[:2])
    column, row = np.rint(middle).astype(int)
    assert left.picture[row - 1 : row + 2, column].min() < 0.2
    np.testing.assert_allclose(left.picture[row + 4, column], 100 / 255, atol=0.02)


def clip_of(faces: list[Face], monkeypatch: pytest.MonkeyPatch, frame: Frame | None) -> tuple[ClipFaces, list[int]]:
    """One person in two tracks, from frame 2 on, and another; which frames of it are read."""
    read: list[int] = []

    def read_frame(_: Path, index: int, time_s: float) -> Frame | None:
        assert time_s == index / 25.0
        read.append(index)
        return frame

    monkeypatch.setattr(module, "read_frame", read_frame)
    middle = 2 + len(faces) // 2
    tracks = (
        SimpleNamespace(number=0, person=5, first=2, last=middle - 1),
        SimpleNamespace(number=1, person=3, first=middle, last=middle + 4),
        SimpleNamespace(number=2, person=5, first=middle, last=1 + len(faces)),
    )

    def faces_at(index: int) -> tuple[Face, ...]:
        return (replace(faces[index - 2], track=0 if index < middle else 2),)

    made = SimpleNamespace(tracks=tracks, faces_at=faces_at, time_of=lambda index: index / 25.0, clip=Path("clip.mp4"))
    return cast(ClipFaces, made), read


@pytest.fixture
def shut(face: Face) -> Floats:
    landmarks = face.landmarks.copy()
    for points in EYES:
        landmarks[list(points[1:3]), 1] = landmarks[list(points[5:3:-1]), 1]
    return landmarks


def test_the_shut_eyes_are_those_of_the_person_s_frame_most_like_the_usual_pose(
    face: Face, shut: Floats, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = [face] * 40
    faces[4] = replace(face, landmarks=shut, pose_deg=(25.0, 0.0, 0.0))
    faces[29] = replace(face, landmarks=shut, pose_deg=(3.0, 0.0, 0.0))
    clip, read = clip_of(faces, monkeypatch, frame)
    found = find_shut(clip, 5)
    assert found is not None
    assert read == [31]
    assert found.picture.shape[2] == 3
    np.testing.assert_allclose(np.diff(found.landmarks, axis=0), np.diff(shut, axis=0), atol=1e-3)
    assert find_shut(clip, 3) is None
    assert find_shut(clip, 99) is None
    clip, read = clip_of([face] * 20, monkeypatch, frame)
    assert find_shut(clip, 5) is None
    assert read == []


def test_a_frame_that_cannot_be_sought_is_told_and_done_without(
    face: Face, shut: Floats, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clip, _ = clip_of([face] * 5 + [replace(face, landmarks=shut)] * 2 + [face] * 13, monkeypatch, None)
    assert find_shut(clip, 5) is None
    assert "clip.mp4: frame 7, where eyes are shut, cannot be sought" in caplog.text


def test_of_a_long_clip_runs_all_over_it_are_looked_at() -> None:
    places = np.r_[100:50_000, 60_000:160_000]
    looked = np.array(module._looked(places))
    assert len(looked) == module.MOST_LOOKS
    assert (looked[0], looked[-1]) == (100, 159_999)
    assert (np.diff(looked) == 1).mean() > 0.98
    assert module._looked(np.arange(50)) == list(range(50))


def test_an_eye_that_is_shut_has_its_lids_on_each_other() -> None:
    eye = Eye.of(EYE, BROW)
    for above, below in ((1, 5), (2, 4)):
        np.testing.assert_allclose(eye.landed(EYE[above], 0.0), EYE[below], atol=0.05)
