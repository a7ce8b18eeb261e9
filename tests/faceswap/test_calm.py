"""What is read off faces is steadied along tracks, and told by landmarks too."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from faceswap.calm import LONGER, REACH, Read, calmed
from faceswap.guides import GAZE, Guides, fit_guides
from faceswap.model import Reading
from faceswap.telling import Telling
from faceswap.view import View, look_at
from models.nets import GUIDES
from shared.face.landmarks import IRISES
from shared.types import Floats, Scene
from tests.faceswap.drawn import draw_face, face_of, face_points, frame_of
from tests.faceswap.test_guides import GAP, person

RATE = 25


def view(track: int = 0, opening: float = 0.05) -> View:
    points = face_points((160, 130), 110, opening=opening)
    return look_at(frame_of(draw_face((260, 320), points, (210, 160, 130))), face_of(points, track), 64)


def reading(value: float) -> Reading:
    return Reading(torch.full((1, 2, 4, 4), value), np.full((1, GUIDES), value, dtype=np.float32))


def items(values: Floats, tracks: list[tuple[int, ...]] | None = None) -> list[Read]:
    """One face a scene with such values; or several faces a scene, all with its value."""
    seen = {track: view(track) for track in range(3)}
    made = []
    for index, value in enumerate(values):
        here = (0,) if tracks is None else tracks[index]
        frame = frame_of(np.zeros((8, 8, 3), dtype=np.uint8), index)
        read = Reading.joined([reading(float(value))] * len(here)) if here else None
        made.append(Read(Scene(frame, ()), tuple(seen[track] for track in here), read))
    return made


def guides_of(found: list[Read]) -> Floats:
    read = [item.reading.guides for item in found if item.reading is not None]
    return np.array([guides[0, 3] for guides in read if guides is not None])


def test_trembling_is_taken_out_and_the_level_stays() -> None:
    noise = 1.0 + np.random.default_rng(0).normal(0, 0.1, 200).astype(np.float32)
    found = list(calmed(iter(items(noise)), 36.0))
    steady = guides_of(found)
    assert steady.std() < 0.7 * noise.std()
    assert steady.mean() == pytest.approx(noise.mean(), abs=0.005)
    free = np.array([float(item.reading.values.mean()) for item in found if item.reading is not None])
    assert free.std() < 0.8 * steady.std()


def test_it_is_the_gaussian_of_the_track_and_lags_by_nothing() -> None:
    values = np.random.default_rng(1).random(40).astype(np.float32)
    steady = guides_of(list(calmed(iter(items(values)), 50.0)))
    apart_ms = (np.arange(40)[:, None] - np.arange(40)) * 1000 / RATE
    weights = np.where(np.abs(apart_ms) <= REACH * 50.0, np.exp(-0.5 * (apart_ms / 50.0) ** 2), 0.0)
    wanted = weights @ values / weights.sum(axis=1)
    np.testing.assert_allclose(steady, wanted, rtol=1e-5)


def test_tracks_do_not_mix_and_order_is_kept() -> None:
    tracks: list[tuple[int, ...]] = [(0,)] * 5 + [()] + [(1,)] * 5 + [(0, 1)]
    values = np.array([0.0] * 5 + [7.0] + [1.0] * 5 + [3.0], dtype=np.float32)
    found = list(calmed(iter(items(values, tracks)), 20.0))
    assert [item.scene.frame.index for item in found] == list(range(12))
    assert [len(item.views) for item in found] == [len(some) for some in tracks]
    first = [item.reading for item in found[:5]]
    assert all(one is not None and one.guides is not None and float(one.guides.max()) == 0.0 for one in first)
    assert found[5].reading is None


def test_nothing_is_changed_where_nothing_is_asked() -> None:
    given = items(np.arange(6, dtype=np.float32))
    assert all(one is other for one, other in zip(calmed(iter(given), 0.0), given, strict=True))


def test_no_more_is_held_than_the_time_that_is_looked_ahead() -> None:
    taken = 0
    given = items(np.zeros(60, dtype=np.float32))

    def counted() -> Iterator[Read]:
        nonlocal taken
        for item in given:
            taken += 1
            yield item

    next(calmed(counted(), 36.0))
    assert taken <= 2 + REACH * LONGER * 0.036 * RATE


@pytest.fixture
def guides() -> Guides:
    return fit_guides([person(0, 1.0)[:2], person(1, 1.3)[:2]])


def test_what_is_told_keeps_the_level_that_is_read(guides: Guides) -> None:
    telling = Telling(guides, 0)
    read = np.tile(np.linspace(-1, 1, GUIDES, dtype=np.float32), (8, 1))
    told = telling.told([view()] * 8, [index / RATE for index in range(8)], read)
    np.testing.assert_allclose(told, read, atol=1e-4)


def test_what_is_told_moves_as_the_landmarks_do_and_half_of_a_reading_s_noise_is_gone(guides: Guides) -> None:
    telling = Telling(guides, 0)
    views = [view(opening=0.02 + 0.06 * (index % 2)) for index in range(8)]
    times_s = [index / RATE for index in range(8)]
    moved = telling.measured(views)
    still = np.zeros((8, GUIDES), dtype=np.float32)
    told = telling.told(views, times_s, still)
    assert np.ptp(moved[:, GAP]) > 0.05
    assert np.ptp(told[:, GAP]) == pytest.approx(np.ptp(moved[:, GAP]) / 2, rel=0.15)
    noise = np.random.default_rng(0).normal(0, 1, (40, GUIDES)).astype(np.float32)
    told = Telling(guides, 0).told([view()] * 40, [index / RATE for index in range(40)], noise)
    assert told[:, GAZE.stop :].std() < 0.6 * noise[:, GAZE.stop :].std()
    assert told[:, :2].std() < 0.4 * noise[:, :2].std()


def test_the_gaze_is_told_as_the_irises_show_it_and_as_it_is_read_where_nobody_sees_them(guides: Guides) -> None:
    face = view().face
    mesh = np.zeros((478, 3), dtype=np.float32)
    mesh[:468, :2] = face.landmarks.mean(axis=0)
    mesh[list(IRISES), :2] = [face.landmarks[[36, 39]].mean(axis=0), face.landmarks[[42, 45]].mean(axis=0)]
    told = []
    for aside_px in (0.0, 2.0):
        looking = mesh.copy()
        looking[list(IRISES), 0] += aside_px
        seen = replace(view(), face=replace(face, mesh=looking))
        read = np.full((1, GUIDES), 0.3, dtype=np.float32)
        told.append(Telling(guides, 0).told([seen], [0.0], read)[0])
        assert told[-1][GAZE.start + 1] == pytest.approx(0.3, abs=1e-4)
    assert told[0][GAZE.start] == pytest.approx(0.0, abs=0.05)
    assert told[1][GAZE.start] > 1.0
    blind = Telling(guides, 0).told([view()], [0.0], np.full((1, GUIDES), 0.3, dtype=np.float32))[0]
    np.testing.assert_allclose(blind[GAZE], 0.3, atol=1e-5)


def test_scenes_without_faces_are_passed_on_among_those_that_are_told(guides: Guides) -> None:
    given = items(np.zeros(5, dtype=np.float32), [(0,), (), (0, 1), (), (1,)])
    told = Telling(guides, 0).of(given)
    assert [item.scene for item in told] == [item.scene for item in given]
    assert [0 if item.reading is None else len(item.reading.values) for item in told] == [1, 0, 2, 0, 1]
    empty = [item for item in given if item.reading is None]
    assert Telling(guides, 0).of(empty) == empty


def test_of_what_was_given_on_no_frame_is_held() -> None:
    frames = []

    def made() -> Iterator[Read]:
        for index in range(60):
            planes = (np.zeros((8, 8), dtype=np.uint8),)
            frames.append(weakref.ref(planes[0]))
            frame = replace(frame_of(np.zeros((8, 8, 3), dtype=np.uint8), index), planes=planes)
            yield Read(Scene(frame, ()), (view(),), reading(0.0))

    found = calmed(made(), 36.0)
    for _ in range(30):
        next(found)
    assert not any(one() is not None for one in frames[:29])


def test_a_net_without_guides_keeps_all_its_movement() -> None:
    given = [
        Read(item.scene, item.views, Reading(item.reading.values, None))
        for item in items(np.arange(6, dtype=np.float32))
        if item.reading is not None
    ]
    assert all(one is other for one, other in zip(calmed(iter(given), 36.0), given, strict=True))
