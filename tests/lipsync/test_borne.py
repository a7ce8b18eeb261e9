"""Borne: heads are read around each frame, as learning looked at them, and forgotten again."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

import lipsync.borne as module
from lipsync.bearing import TOLD, Bearing, slow_upper
from lipsync.borne import Borne
from lipsync.mouth import FreeFace
from shared.face.analyse import ClipFaces
from shared.face.pose import FacePose
from shared.types import Face, Floats

FRAMES = 400
FIRST = 30


@pytest.fixture
def bearing() -> Bearing:
    rng = np.random.default_rng(0)
    far = np.array([1e6], dtype=np.float32)
    slopes = rng.normal(0.0, 0.3, (TOLD, 20)).astype(np.float32)
    return Bearing(np.zeros(TOLD, np.float32), np.eye(TOLD, dtype=np.float32), far, slopes)


@pytest.fixture
def heads(points_of: Callable[[float], Floats]) -> Floats:
    """(FRAMES, 68, 2), a nose that sways."""
    points = np.repeat(points_of(0.0)[np.newaxis], FRAMES, axis=0)
    points[:, 27:36, 0] += 0.3 * np.sin(np.arange(FRAMES) / 40.0)[:, np.newaxis]
    return points


@pytest.fixture
def clip(
    heads: Floats, free_from: Callable[..., FreeFace], posed: Callable[..., FacePose], monkeypatch: pytest.MonkeyPatch
) -> ClipFaces:
    """The face of track 4 is in the frames from FIRST on, but for every seventh."""
    asked: list[int] = []

    def faces_at(index: int) -> tuple[Face, ...]:
        asked.append(index)
        where = (float(index - FIRST), 0.0, 1.0, 1.0)
        return () if index % 7 == 0 else (Face(where, heads[0], None, 1.0, 4),)

    monkeypatch.setattr(module, "free_face", lambda face: free_from(heads[int(face.box[0])], posed()))
    track = SimpleNamespace(number=4, first=FIRST, last=FIRST + FRAMES - 1)
    made = SimpleNamespace(tracks=(track,), faces_at=faces_at, time_of=lambda index: index / 25.0, asked=asked)
    return cast(ClipFaces, made)


@pytest.mark.parametrize("frame", [0, 1, 37, 200, FRAMES - 2, FRAMES - 1])
def test_a_head_is_seen_as_learning_saw_it(clip: ClipFaces, bearing: Bearing, heads: Floats, frame: int) -> None:
    wanted = bearing.shifts(slow_upper(heads, np.arange(FRAMES) / 25.0))
    found = Borne(bearing, clip).shift(4, FIRST + frame)
    assert np.linalg.norm(found - wanted[frame]) < 0.05 * np.linalg.norm(np.ptp(wanted, axis=0))


def test_each_head_is_looked_at_once(clip: ClipFaces, bearing: Bearing) -> None:
    borne = Borne(bearing, clip)
    for frame in range(FIRST, FIRST + FRAMES):
        borne.shift(4, frame)
    asked = cast(SimpleNamespace, clip).asked
    assert len(asked) == len(set(asked)) <= FRAMES / 5 + 1


def test_who_is_never_seen_is_not_moved(clip: ClipFaces, bearing: Bearing) -> None:
    np.testing.assert_array_equal(Borne(bearing, clip).shift(5, FIRST), np.zeros(20))
    gone = cast(ClipFaces, SimpleNamespace(**vars(clip) | {"faces_at": lambda _: ()}))
    np.testing.assert_array_equal(Borne(bearing, gone).shift(4, FIRST), np.zeros(20))


def test_a_track_of_one_frame_is_taken_as_it_is(clip: ClipFaces, bearing: Bearing, heads: Floats) -> None:
    track = SimpleNamespace(number=4, first=FIRST + 1, last=FIRST + 1)
    one = cast(ClipFaces, SimpleNamespace(**vars(clip) | {"tracks": (track,)}))
    wanted = bearing.shifts(slow_upper(heads[1:2], np.zeros(1)))[0]
    np.testing.assert_allclose(Borne(bearing, one).shift(4, FIRST + 1), wanted, atol=1e-4)
