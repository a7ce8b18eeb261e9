"""Things in front of a lower face: found where they are, not found where nothing is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lipsync.front import MOST_TRACKS, Front, Fronts
from lipsync.mouth import FreeFace
from lipsync.palette import SEEN_ON, palette_of
from lipsync.voice import Voice
from shared.face.pose import FacePose
from shared.types import Floats, Frame, Picture


@pytest.fixture
def shown(
    points_of: Callable[[float], Floats],
    posed: Callable[..., FacePose],
    free_from: Callable[..., FreeFace],
    framed: Callable[..., Frame],
) -> Callable[..., tuple[Frame, FreeFace]]:
    """A frame of skin like the voice's with its mouth, at 6 px a centimetre, and its face."""

    def make(
        opening: float = 0.0, lamp: float = 1.0, paint: Callable[[Picture], None] | None = None
    ) -> tuple[Frame, FreeFace]:
        picture = np.full((200, 170, 3), 150, dtype=np.uint8)
        picture[..., 2] = 75
        picture[95 : 96 + round(6 * opening), 68:93] = (40, 10, 10)
        picture = np.clip(picture * lamp, 0, 255).astype(np.uint8)
        if paint is not None:
            paint(picture)
        return framed(picture), free_from(points_of(opening), posed())

    return make


def box(rows: slice, columns: slice, colour: tuple[int, int, int] = (128, 128, 128)) -> Callable[[Picture], None]:
    def paint(picture: Picture) -> None:
        picture[rows, columns] = colour

    return paint


WHOLE = box(slice(78, 114), slice(40, 121))
AT_THE_CHIN = box(slice(108, 200), slice(93, 104), (20, 20, 24))


def at(front: Front, free: FreeFace, points: NDArray[np.float64]) -> Floats:
    """The mask at frame pixels (N, 2)."""
    homogeneous = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    x, y = np.rint(homogeneous @ SEEN_ON.texture_from_frame(free.pose)[:2].T).astype(int).T
    return np.asarray(front.mask[y, x], dtype=np.float32)


def test_a_box_covers_the_mouth_and_a_thing_at_the_chin_does_not(
    voice: Voice, shown: Callable[..., tuple[Frame, FreeFace]]
) -> None:
    fronts = Fronts(voice, palette_of(voice))
    for opening in np.linspace(0.0, 2.0, 9):
        frame, free = shown(float(opening))
        front = fronts.look(frame, 0, free)
        assert front.mouth == 0.0
        assert not front.mask.any()
    frame, free = shown(0.5, paint=WHOLE)
    front = fronts.look(frame, 0, free)
    assert front.mouth > 0.95
    assert at(front, free, np.array([[80.0, 96.0], [60.0, 90.0], [100.0, 108.0]])).min() == 1.0
    assert at(front, free, np.array([[80.0, 122.0]])).max() == 0.0
    frame, free = shown(0.5, paint=AT_THE_CHIN)
    front = fronts.look(frame, 0, free)
    assert front.mouth < 0.3
    assert at(front, free, np.array([[98.0, 114.0], [98.0, 122.0]])).min() == 1.0
    assert at(front, free, np.array([[65.0, 110.0], [80.0, 88.0]])).max() == 0.0


def test_a_box_that_stays_is_not_taken_for_another_lamp(
    voice: Voice, shown: Callable[..., tuple[Frame, FreeFace]]
) -> None:
    fronts = Fronts(voice, palette_of(voice))
    fronts.look(*_as_seen(shown()))
    frame, free = shown(0.5, paint=WHOLE)
    assert min(fronts.look(frame, 0, free).mouth for _ in range(60)) > 0.95
    frame, free = shown(0.5)
    assert fronts.look(frame, 0, free).mouth == 0.0


@pytest.mark.parametrize("lamp", [0.3, 0.6, 1.5])
def test_another_lamp_is_no_thing(voice: Voice, shown: Callable[..., tuple[Frame, FreeFace]], lamp: float) -> None:
    fronts = Fronts(voice, palette_of(voice))
    for number, level in enumerate((1.0, 1.0, lamp, lamp, lamp)):
        frame, free = shown(0.2 * number, lamp=level)
        assert not fronts.look(frame, 0, free).mask.any()


def test_what_differs_between_the_lips_alone_is_a_tongue(
    voice: Voice, shown: Callable[..., tuple[Frame, FreeFace]]
) -> None:
    fronts = Fronts(voice, palette_of(voice))
    fronts.look(*_as_seen(shown()))
    frame, free = shown(1.5, paint=box(slice(97, 102), slice(72, 88), (230, 80, 160)))
    assert not fronts.look(frame, 0, free).mask.any()


def test_tracks_are_apart_and_only_the_latest_are_remembered(
    voice: Voice, shown: Callable[..., tuple[Frame, FreeFace]]
) -> None:
    fronts = Fronts(voice, palette_of(voice))
    for track in range(3 * MOST_TRACKS):
        frame, free = shown(lamp=0.5 + 0.5 * (track % 2))
        assert not fronts.look(frame, track, free).mask.any()
    assert len(fronts._tracks) == MOST_TRACKS


def test_what_is_under_the_chin_alone_is_told_apart(voice: Voice, shown: Callable[..., tuple[Frame, FreeFace]]) -> None:
    fronts = Fronts(voice, palette_of(voice))
    fronts.look(*_as_seen(shown()))
    frame, free = shown(paint=box(slice(125, 200), slice(60, 101), (20, 20, 24)))
    front = fronts.look(frame, 0, free)
    assert not front.mask.any()
    assert at(replace(front, mask=front.below), free, np.array([[80.0, 128.0]])).min() == 1.0


def _as_seen(shown: tuple[Frame, FreeFace]) -> tuple[Frame, int, FreeFace]:
    return shown[0], 0, shown[1]
