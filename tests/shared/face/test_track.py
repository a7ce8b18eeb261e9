"""Tracks stay inside shots, come back after a loss, and keep people apart; few frames are held."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.face.cuts import Cuts
from shared.face.detect import FaceFinder
from shared.face.smooth import Seen
from shared.face.track import Tracker, TrackOptions
from shared.types import Frame
from tests.shared.face.staged import Actor, Namer, Script, blank

OPTIONS = TrackOptions(smooth=None)


def clip(count: int, cuts: Sequence[int] = ()) -> Iterator[Frame]:
    """Frames of a noise picture, of another one after each cut."""
    take = -1
    for index in range(count):
        take += index == 0 or index in cuts
        picture = np.random.default_rng(take).integers(0, 255, size=(9, 16)).astype(np.uint8)
        frame = blank(index)
        yield replace(frame, planes=(np.repeat(np.repeat(picture, 8, axis=0), 8, axis=1),))


def run(script: Script, frames: Iterator[Frame], masked: frozenset[int] = frozenset()) -> tuple[Tracker, list[Seen]]:
    finder: FaceFinder = script
    tracker = Tracker(finder, OPTIONS, Namer(script, masked))
    seen = list(tracker.seen(frames))
    return tracker, seen


def standing(name: int, first: int, end: int, x: float = 60.0) -> Actor:
    return Actor(name, dict.fromkeys(range(first, end), (x, 36.0)))


def tracks_of(seen: list[Seen], index: int) -> set[int]:
    return {face.track for face in seen[index].faces}


def test_one_person_through_one_shot_is_one_track() -> None:
    tracker, seen = run(Script([standing(0, 0, 40)]), clip(40))
    assert [scene.frame.index for scene in seen] == list(range(40))
    assert all(tracks_of(seen, index) == {0} for index in range(40))
    assert len(tracker.summaries) == 1


def test_a_track_never_crosses_a_cut() -> None:
    tracker, seen = run(Script([standing(0, 0, 40)]), clip(40, cuts=[20]))
    assert tracks_of(seen, 19) == {0}
    assert tracks_of(seen, 20) == {1}
    assert [scene.shot for scene in seen] == [0] * 20 + [1] * 20
    assert [summary.shot for summary in tracker.summaries] == [0, 1]


def test_a_jump_out_of_rest_in_a_picture_that_hardly_changes_is_a_cut() -> None:
    takes = {index: (60.0 + 5.0 * (index >= 20), 36.0) for index in range(40)}
    lights = [
        replace(blank(index), planes=(np.full((72, 128), 90 + 5 * (index >= 20), np.uint8),)) for index in range(40)
    ]
    _, seen = run(Script([Actor(0, takes)]), iter(lights))
    assert [scene.shot for scene in seen] == [0] * 20 + [1] * 20
    slow = {index: (60.0 + index, 36.0) for index in range(40)}
    _, seen = run(Script([Actor(0, slow)]), iter(lights))
    assert {scene.shot for scene in seen} == {0}


def test_the_detector_runs_now_and_then_and_right_after_a_cut() -> None:
    script = Script([standing(0, 0, 40)])
    run(script, clip(40, cuts=[23]))
    assert script.detections == [0, 5, 10, 15, 20, 23, 28, 33, 38]


def test_a_face_found_late_is_followed_back_to_its_first_frame() -> None:
    _, seen = run(Script([standing(0, 7, 40)]), clip(40))
    assert not tracks_of(seen, 6)
    assert all(tracks_of(seen, index) == {0} for index in range(7, 40))


def test_a_face_is_looked_for_at_once_when_it_is_lost() -> None:
    jump = {**dict.fromkeys(range(12), (60.0, 36.0)), **dict.fromkeys(range(12, 30), (300.0, 36.0))}
    script = Script([Actor(0, jump)])
    _, seen = run(script, clip(30))
    assert 12 in script.detections
    assert all(tracks_of(seen, index) == {0} for index in range(30))


def test_somebody_who_comes_back_in_the_same_shot_keeps_the_track() -> None:
    there = [index for index in range(60) if not 20 <= index < 40]
    tracker, seen = run(Script([Actor(0, dict.fromkeys(there, (60.0, 36.0)))]), clip(60))
    assert not tracks_of(seen, 30)
    assert tracks_of(seen, 40) == tracks_of(seen, 19) == {0}
    assert len(tracker.summaries) == 1


def test_somebody_else_in_the_same_place_is_another_track() -> None:
    _, seen = run(Script([standing(0, 0, 20), standing(1, 25, 60)]), clip(60))
    assert tracks_of(seen, 19) == {0}
    assert tracks_of(seen, 30) == {1}


def test_a_followed_face_that_turns_out_to_be_somebody_else_is_let_go() -> None:
    _, seen = run(Script([standing(0, 0, 100)]), clip(100), masked=frozenset(range(50, 100)))
    assert tracks_of(seen, 49) == {0}
    assert tracks_of(seen, 99) == {1}


def test_two_people_side_by_side_never_swap_tracks() -> None:
    left = Actor(0, {index: (60.0 + index, 36.0) for index in range(60)})
    right = Actor(1, {index: (200.0 - index, 36.0) for index in range(60)})
    _, seen = run(Script([left, right]), clip(60))
    for scene in seen:
        by_track = {face.track: face.box[0] + 30 for face in scene.faces}
        assert by_track == {0: 60.0 + scene.frame.index, 1: 200.0 - scene.frame.index}


def test_what_the_detector_is_never_sure_of_is_not_confirmed() -> None:
    vase = Actor(0, dict.fromkeys(range(40), (60.0, 36.0)), score=0.71)
    tracker, _ = run(Script([vase]), clip(40))
    assert not tracker.summaries[0].is_confirmed
    tracker, _ = run(Script([standing(0, 0, 40)]), clip(40))
    assert tracker.summaries[0].is_confirmed


def test_a_face_that_only_the_mesh_still_sees_is_lost_and_the_stretch_is_named() -> None:
    ghost = Actor(0, dict.fromkeys(range(80), (60.0, 36.0)), unseen=frozenset(range(30, 80)))
    tracker, seen = run(Script([ghost]), clip(80))
    assert not tracks_of(seen, 79)
    ((first, last),) = tracker.summaries[0].doubtful
    assert first == 26
    assert 45 <= last <= 55


def test_few_frames_are_held_at_a_time() -> None:
    alive: list[weakref.ref[NDArray[Any]]] = []
    most = 0

    def frames() -> Iterator[Frame]:
        for index in range(300):
            frame = blank(index)
            alive.append(weakref.ref(frame.planes[0]))
            yield frame

    script = Script([standing(0, 30, 300)])
    for scene in Tracker(script, TrackOptions(smooth=None), Namer(script)).seen(frames()):
        if scene.frame.index % 37 == 0:
            gc.collect()
        most = max(most, sum(one() is not None for one in alive))
    assert most <= 20


def test_motion_and_a_slow_change_of_light_are_no_cuts_and_a_new_picture_is_one() -> None:
    rng = np.random.default_rng(6)
    scene = rng.integers(0, 255, size=(72, 160)).astype(np.uint8)
    scene = np.asarray(np.kron(scene[::8, ::8], np.ones((8, 8))), np.uint8)
    cuts = Cuts()
    found = []
    for index in range(40):
        picture = np.ascontiguousarray(np.roll(scene, index, axis=1)[:, :128])
        picture = (picture * (1 - 0.01 * index)).astype(np.uint8) if index < 30 else 255 - picture
        frame = blank(index)
        found.append(cuts.judge(Frame((picture,), frame.pixels, frame.colour, index, index, frame.time_base)))
    assert [index for index, cut in enumerate(found) if cut == "cut"] == [30]
