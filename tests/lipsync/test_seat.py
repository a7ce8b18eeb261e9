"""Seats: a mouth is worn where the clip's head wears it, whatever is said in the clip."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

import lipsync.seat as module
from lipsync.borne import Borne
from lipsync.mouth import LIP_POINTS, FreeFace
from lipsync.seat import LARGEST_CM, MOST_FACES, MOST_TRACKS, WELL_KNOWN, Seats, faces_in
from lipsync.synthesise import LowerFace
from lipsync.voice import Voice
from shared.face.analyse import ClipFaces
from shared.face.pose import FacePose
from shared.types import Face, Floats

Points = Callable[[float], Floats]
Shifted = Callable[..., Floats]
LOWER_CM = 0.3


@pytest.fixture
def shift_of(
    voice: Voice,
    points_of: Points,
    posed: Callable[..., FacePose],
    free_from: Callable[..., FreeFace],
    monkeypatch: pytest.MonkeyPatch,
) -> Shifted:
    """How far (68, 2) a mouth is moved for a track that shows some openings, worn lower than the footage's."""

    def shift(openings: Floats, lower_cm: float = 0.0) -> Floats:
        worn = []
        for opening in openings:
            points = points_of(float(opening))
            points[[*range(17), *range(48, 68)], 1] -= lower_cm
            worn.append(free_from(points, posed()))
        monkeypatch.setattr(module, "free_face", lambda face: worn[face.track])
        faces = [Face((0, 0, 1, 1), points_of(0.0), None, 1.0, number) for number in range(len(worn))]
        made = LowerFace(np.zeros((1, 1, 3), dtype=np.float32), points_of(0.0), points_of(0.0))
        return Seats(voice, lambda _: list(enumerate(faces))).seated(made, 0).points - made.points

    return shift


def test_lips_and_jaw_are_moved_where_the_clip_wears_them(shift_of: Shifted) -> None:
    openings = np.linspace(0.0, 2.0, 100)
    moved = shift_of(openings, LOWER_CM)
    known = len(openings) / (len(openings) + WELL_KNOWN)
    np.testing.assert_allclose(moved[:17], np.tile([0.0, -LOWER_CM * known], (17, 1)), atol=0.01)
    np.testing.assert_allclose(moved[48:], np.tile([0.0, -LOWER_CM * known], (20, 1)), atol=0.01)
    np.testing.assert_array_equal(moved[17:48], 0.0)


@pytest.mark.parametrize("opening", [0.0, 2.0])
def test_what_is_said_in_the_clip_moves_nothing(shift_of: Shifted, opening: float) -> None:
    # The footage's mouths are open by 1 cm on average: an old mouth that stays shut, or open, is no other seat.
    np.testing.assert_allclose(shift_of(np.full(100, opening)), 0.0, atol=0.03)


def test_a_short_look_counts_for_little(shift_of: Shifted) -> None:
    short, long = (shift_of(np.full(count, 0.5), LOWER_CM)[57, 1] for count in (2, 40))
    assert abs(short) < 0.1 * LOWER_CM
    assert abs(long) > 0.5 * LOWER_CM


def test_no_mouth_is_moved_further_than_it_may_be(shift_of: Shifted) -> None:
    moved = shift_of(np.full(1000, 0.5), 5.0)
    assert 0.9 * LARGEST_CM < np.linalg.norm(moved[57]) <= LARGEST_CM


def test_a_track_of_which_nothing_is_seen_stays_where_the_footage_has_it(shift_of: Shifted) -> None:
    np.testing.assert_array_equal(shift_of(np.zeros(0)), 0.0)


def test_a_track_is_read_once_and_long_gone_ones_are_forgotten(voice: Voice, points_of: Points) -> None:
    read: list[int] = []
    made = LowerFace(np.zeros((1, 1, 3), dtype=np.float32), points_of(0.0), points_of(0.0))
    seats = Seats(voice, lambda track: read.append(track) or [])  # type: ignore[func-returns-value]
    for track in (0, 0, *range(1, MOST_TRACKS), 0, MOST_TRACKS, 0, 1):
        seats.seated(made, track)
    assert read == [*range(MOST_TRACKS + 1), 1]


def test_what_heads_tell_is_not_told_twice(
    voice: Voice,
    points_of: Points,
    posed: Callable[..., FacePose],
    free_from: Callable[..., FreeFace],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The clip's mouths lie lower by just what its head tells: the new mouth is there already.
    lower = np.zeros(36, dtype=np.float32)
    lower[1::2] = -LOWER_CM
    told = (voice.basis.components[:, :36] @ lower).astype(np.float32)
    points = points_of(0.5)
    points[list(LIP_POINTS)] += (told @ voice.basis.components).reshape(-1, 2)
    monkeypatch.setattr(module, "free_face", lambda _: free_from(points, posed()))
    faces = [(index, Face((0, 0, 1, 1), points, None, 1.0, 0)) for index in range(100)]
    borne = cast(Borne, SimpleNamespace(shift=lambda *_: told))
    made = LowerFace(np.zeros((1, 1, 3), dtype=np.float32), points_of(0.0), points_of(0.0))
    moved, told_twice = (Seats(voice, lambda _: faces, one).seated(made, 0).points for one in (borne, None))
    assert float(np.abs(moved - made.points)[48:].max()) < 0.03
    assert float(np.abs(told_twice - made.points)[48:].max()) > 0.05


def test_faces_of_a_track_are_read_from_all_over_it() -> None:
    asked: list[int] = []

    def faces_at(index: int) -> tuple[Face, ...]:
        asked.append(index)
        return tuple(Face((0, 0, 1, 1), np.zeros((68, 2), np.float32), None, 1.0, track) for track in (3, 4))

    track = SimpleNamespace(number=4, first=100, last=1100)
    clip = cast(ClipFaces, SimpleNamespace(tracks=(track,), faces_at=faces_at))
    faces = faces_in(clip)(4)
    assert [(index, face.track) for index, face in faces] == [(index, 4) for index in asked]
    assert (asked[0], asked[-1], len(asked)) == (100, 1100, MOST_FACES)
    assert faces_in(clip)(5) == []
