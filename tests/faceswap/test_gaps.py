"""Gaps: filled inside a limit, passed through and noted beyond it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from faceswap.gaps import FILLED, NO_FACE, between, bridged
from faceswap.view import Made, Shown, look_at
from shared.types import Frame, Scene
from tests.faceswap.drawn import draw_face, face_of, face_points, frame_of

POINTS = face_points((100, 90), 60)
FRAME = frame_of(draw_face((180, 240), POINTS, (210, 160, 130)))


def at(index: int) -> Frame:
    return replace(FRAME, index=index, pts=index)


def made(index: int, track: int) -> Made:
    """A face that moves one pixel a frame to the right, and turns lighter."""
    face = face_of((POINTS + np.array([index, 0])).astype(np.float32), track)
    view = look_at(at(index), face, 64)
    return Made(view, np.full((64, 64, 3), 0.1 + 0.01 * index, dtype=np.float32))


def shown(tracks: list[tuple[int, ...]]) -> Iterator[Shown]:
    for index, here in enumerate(tracks):
        yield Shown(Scene(at(index), ()), tuple(made(index, track) for track in here))


def test_a_short_gap_is_filled_on_the_way_between_its_ends() -> None:
    results = list(bridged(shown([(1,), (1,), (), (), (1,), (1,)]), 0.2))
    assert [result.scene.frame.index for result in results] == [0, 1, 2, 3, 4, 5]
    assert [result.notes for result in results] == [(), (), (FILLED,), (FILLED,), (), ()]
    for index in (2, 3):
        face = results[index].faces[0]
        assert face.view.face.landmarks == pytest.approx(POINTS + np.array([index, 0]), abs=1e-3)
        assert face.picture.mean() == pytest.approx(0.1 + 0.01 * index, abs=1e-4)
        assert face.view.view_from_frame == pytest.approx(made(index, 1).view.view_from_frame, abs=1e-4)


def test_a_long_gap_passes_through_and_is_noted() -> None:
    results = list(bridged(shown([(1,), *[()] * 9, (1,)]), 0.2))
    assert [bool(result.faces) for result in results] == [True, *[False] * 9, True]
    assert all(NO_FACE in result.notes for result in results[1:-1])
    assert list(bridged(shown([(1,), (), (1,)]), 0.0))[1].notes == (NO_FACE,)


def test_another_track_does_not_close_a_gap() -> None:
    results = list(bridged(shown([(1,), (), (2,), (2,)]), 0.3))
    assert [len(result.faces) for result in results] == [1, 0, 1, 1]


def test_gaps_of_two_faces_are_filled_apart() -> None:
    results = list(bridged(shown([(1, 2), (2,), (1,), (1, 2)]), 0.3))
    assert [sorted(face.view.face.track for face in result.faces) for result in results] == [[1, 2]] * 4


def test_scenes_wait_no_longer_than_the_limit() -> None:
    taken = []

    def counted() -> Iterator[Shown]:
        for result in shown([(1,), *[()] * 40]):
            taken.append(result.scene.frame.index)
            yield result

    results = bridged(counted(), 0.2)
    next(results)
    assert next(results).scene.frame.index == 1
    assert len(taken) <= 8


def test_the_ends_of_the_way_are_the_faces_themselves() -> None:
    first, second = made(0, 1), made(8, 1)
    for share, end in ((0.0, first), (1.0, second)):
        face = between(first, second, share)
        assert face.picture == pytest.approx(end.picture)
        assert face.view.face.landmarks == pytest.approx(end.view.face.landmarks)
