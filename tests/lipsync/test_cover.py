"""The mask: all of both jaws, nothing on its border, and no clothes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lipsync.cover import cover, uncovered, without_surroundings
from lipsync.palette import SEEN_ON
from shared.face.pose import FacePose
from shared.types import Face, Floats, Frame, IntBox, Picture

SKIN = np.array([170, 120, 95], dtype=np.uint8)


@pytest.fixture
def two_mouths(
    points_of: Callable[[float], Floats], posed: Callable[..., FacePose], face_from: Callable[..., Face]
) -> tuple[Floats, Floats]:
    return face_from(points_of(1.5), posed()).landmarks, face_from(points_of(0.0), posed()).landmarks


def at(mask: Floats, box: IntBox, points: Floats) -> Floats:
    x, y = np.rint(points).astype(int).T
    return np.asarray(mask[y - box[1], x - box[0]])


def picture_of(collar_from_y: int | None) -> Picture:
    picture = np.tile(SKIN, (200, 170, 1))
    if collar_from_y is not None:
        picture[collar_from_y:] = (235, 235, 240)
    return picture


@pytest.mark.parametrize("opens", [True, False])
def test_the_jaw_of_both_mouths_is_covered(
    two_mouths: tuple[Floats, Floats], framed: Callable[..., Frame], opens: bool
) -> None:
    old, new = two_mouths if opens else two_mouths[::-1]
    box, mask = cover(framed(picture_of(None)), old, new, None, 0.22)
    for landmarks in (old, new):
        assert at(mask, box, landmarks[6:11]).min() > 0.8
        assert at(mask, box, landmarks[48:68]).min() > 0.99
    assert at(mask, box, old[[33]]).max() < 0.35


def test_the_border_is_zero(two_mouths: tuple[Floats, Floats], framed: Callable[..., Frame]) -> None:
    _, mask = cover(framed(picture_of(None)), *two_mouths, None, 0.22)
    assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) == 0.0


def test_a_collar_under_the_chin_stays_the_frame_s_own(
    two_mouths: tuple[Floats, Floats], framed: Callable[..., Frame]
) -> None:
    old, new = two_mouths
    below = round(float(old[8, 1])) + 3
    skin = (SKIN / 255.0).astype(np.float32)
    box, bare = cover(framed(picture_of(None)), old, new, skin, 0.15)
    _, dressed = cover(framed(picture_of(below)), old, new, skin, 0.15)
    row = below + 3 - box[1]
    assert bare[row].max() > 0.5
    assert dressed[row].max() < 0.3 * bare[row].max()
    # Cloth inside the face is none: beard, lips and teeth must be covered.
    inside = at(dressed, box, new[48:68])
    assert inside.min() > 0.95


def test_grey_skin_is_not_judged_by_colour(two_mouths: tuple[Floats, Floats], framed: Callable[..., Frame]) -> None:
    grey = np.full((200, 170, 3), 90, dtype=np.uint8)
    grey[140:] = 240
    skin = np.full(3, 90 / 255, dtype=np.float32)
    with_skin = cover(framed(grey), *two_mouths, skin, 0.22)[1]
    np.testing.assert_array_equal(with_skin, cover(framed(grey), *two_mouths, None, 0.22)[1])


def test_nothing_is_laid_over_what_is_in_front(
    two_mouths: tuple[Floats, Floats], framed: Callable[..., Frame], posed: Callable[..., FacePose]
) -> None:
    box, mask = cover(framed(picture_of(None)), *two_mouths, None, 0.22)
    front = np.zeros(SEEN_ON.size, dtype=np.float32)
    np.testing.assert_array_equal(uncovered(mask, box, front, posed()), mask)
    front[:, SEEN_ON.size[1] // 2 :] = 1.0  # the right half of the face
    left = uncovered(mask, box, front, posed())
    middle = 80 - box[0]
    np.testing.assert_array_equal(left[:, : middle - 3], mask[:, : middle - 3])
    assert left[:, middle + 3 :].max() == 0.0


@pytest.mark.parametrize("light", [0.5, 1.0])
def test_collar_and_room_beside_the_footage_s_face_are_not_laid_in(
    two_mouths: tuple[Floats, Floats], light: float
) -> None:
    _, face = two_mouths
    picture = np.tile((SKIN / 255.0 * light).astype(np.float32), (200, 170, 1))
    mask = np.full((200, 170), 0.8, dtype=np.float32)
    np.testing.assert_array_equal(without_surroundings(mask, picture, read_as_it_is(), face), mask)
    edge = round(float(face[12, 0]))
    picture[:, edge:] = np.array([0.3, 0.6, 0.4]) * light
    left = without_surroundings(mask, picture, read_as_it_is(), face)
    assert left[:, edge + 6 :].max() < 0.08
    np.testing.assert_array_equal(left[:, : edge - 12], mask[:, : edge - 12])


def test_inside_the_face_nothing_is_taken_for_its_surroundings(two_mouths: tuple[Floats, Floats]) -> None:
    _, face = two_mouths
    picture = np.tile((SKIN / 255.0).astype(np.float32), (200, 170, 1))
    (x0, y0), (x1, y1) = face[48:60].min(axis=0).astype(int), face[48:60].max(axis=0).astype(int)
    picture[y0:y1, x0:x1] = (0.9, 0.9, 0.95)  # teeth
    mask = np.full((200, 170), 0.8, dtype=np.float32)
    np.testing.assert_array_equal(without_surroundings(mask, picture, read_as_it_is(), face), mask)


def read_as_it_is() -> tuple[Floats, Floats]:
    x, y = np.meshgrid(*(np.arange(side, dtype=np.float32) for side in (170, 200)))
    return x, y
