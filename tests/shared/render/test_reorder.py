"""Frames of a made clip in the order of a timeline: planes, times, faces, and how the clip is read."""

from __future__ import annotations

import gc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.sidedata.sidedata import SideDataContainer

from shared.errors import MediaError
from shared.media.reader import ClipReader, open_clip, probe
from shared.picture.flow import frame_between
from shared.render import reorder
from shared.render.reorder import faces_between, retimed
from shared.render.timeline import Timeline
from shared.types import Face, Frame, Scene
from tests.shared.media.drawn import shifted
from tests.shared.render.made import face, make_clip

FRAMES = 60
FIRST = [30, 31, 32, 32, 33, 34, 35, 36, 37, 38, 6, 7, 8, 9, 10, 11, 40, 41]
SECOND = [30, 31, 32, 33, 33, 34, 35, 36, 4, 5, 39, 7, 8, 9, 10, 11, 40, 41]
SHARE = [0, 0, 0, 0.5, 0, 0, 0, 0, 0.25, 0.5, 0.25, 0, 0, 0, 0, 0, 0, 0]


def timeline_of(first: list[int] = FIRST, rate: Fraction = Fraction(25)) -> Timeline:
    same = first is FIRST
    second, share = (SECOND, SHARE) if same else (first, [0.0] * len(first))
    return Timeline(np.array(first), np.array(second), np.array(share, np.float32), (), rate)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "clip.mp4", frames=FRAMES, sound=False)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The clips that were opened."""
    found: list[Path] = []

    def open_noted(path: Path) -> object:
        found.append(path)
        return open_clip(path)

    monkeypatch.setattr(reorder, "open_clip", open_noted)
    return found


def read(path: Path) -> list[Frame]:
    with open_clip(path) as reader:
        return list(reader.frames())


def alone(frame: Frame) -> Scene:
    """A frame without faces."""
    return Scene(frame, ())


def run(clip: Path, timeline: Timeline, faces_at: Callable[[int], tuple[Face, ...]] = lambda _: ()) -> list[Scene]:
    return list(retimed(probe(clip), timeline, lambda frame: Scene(frame, faces_at(frame.index), 7)))


def test_frames_shown_as_filmed_keep_their_planes_the_others_lie_between(clip: Path) -> None:
    source, timeline = read(clip), timeline_of()
    for index, scene in enumerate(run(clip, timeline)):
        wanted = source[FIRST[index]]
        if SHARE[index]:
            wanted = frame_between(wanted, source[SECOND[index]], SHARE[index])
        for got, should in zip(scene.frame.planes, wanted.planes, strict=True):
            np.testing.assert_array_equal(got, should)


@pytest.mark.parametrize(("late_s", "rate"), [(0.0, Fraction(25)), (100.0, Fraction(25)), (0.0, Fraction(30000, 1001))])
def test_times_are_even_and_begin_with_the_clip_s(clip: Path, tmp_path: Path, late_s: float, rate: Fraction) -> None:
    if late_s:
        clip = shifted(clip, tmp_path / "late.mkv", late_s)
    scenes = run(clip, timeline_of(rate=rate))
    base = scenes[0].frame.time_base
    for index, scene in enumerate(scenes):
        assert scene.frame.index == index
        assert scene.shot == 7
        assert abs(scene.frame.time_s - probe(clip).start_s - index / rate) <= base / 2


def test_the_clip_is_opened_once_for_each_jump_back_and_both_sides_are_at_hand(clip: Path, opened: list[Path]) -> None:
    run(clip, timeline_of())
    assert len(opened) == 2
    opened.clear()
    run(clip, timeline_of([*range(50, 60), *range(20), *range(10, 20), *range(5, 9)]))
    assert len(opened) == 4


@pytest.mark.parametrize("name", ["clip.mp4", "clip.ts"])
def test_far_into_a_clip_frames_are_sought_or_else_read_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[Path], name: str
) -> None:
    monkeypatch.setattr(reorder, "FAR", 15)
    clip = make_clip(tmp_path / name, frames=FRAMES, sound=False)
    source, begun = read(clip), float(probe(clip).start_s)
    sought: list[bool] = []
    seek = ClipReader.seek

    def noted(self: ClipReader, index: int, pts: int) -> bool:
        sought.append(seek(self, index, pts))
        return sought[-1]

    monkeypatch.setattr(ClipReader, "seek", noted)
    first = [50, 51, 52, 3, 4, 5, 40, 41, 52, 53, 20, 21]
    told: list[str] = []
    scenes = list(retimed(probe(clip), timeline_of(first), alone, lambda index: begun + index / 25, told.append))
    assert len(sought) >= 3
    assert set(sought) == {name == "clip.mp4"}
    assert len(told) == (name != "clip.mp4")
    assert len(opened) == (2 if name == "clip.mp4" else 6)
    assert all("it is read from its start at each jump far into it" in line for line in told)
    for index, scene in zip(first, scenes, strict=True):
        for got, should in zip(scene.frame.planes, source[index].planes, strict=True):
            np.testing.assert_array_equal(got, should)


def test_pictures_of_closed_readers_are_let_go_though_nothing_is_collected_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reorder, "FAR", 15)
    clip = make_clip(tmp_path / "clip.ts", frames=FRAMES, sound=False)
    begun = float(probe(clip).start_s)

    def side_data() -> int:
        return sum(type(one) is SideDataContainer for one in gc.get_objects())

    gc.collect()
    gc.disable()
    others = side_data()
    try:
        jumps = timeline_of([50, 51, 3, 4, 40, 41, 20, 21, 55, 30, 2])
        held = [
            side_data() - others
            for _ in retimed(probe(clip), jumps, alone, lambda index: begun + index / 25, lambda _: None)
        ]
    finally:
        gc.enable()
    assert max(held) <= reorder.READERS + 2  # of each opening one; the last may be of one that is just closed


def test_few_frames_are_held(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    at = reorder._Reader.at

    def counted(self: reorder._Reader, index: int) -> Frame:
        frame = at(self, index)
        held.append(len(self._kept))
        return frame

    monkeypatch.setattr(reorder._Reader, "at", counted)
    run(clip, timeline_of([*range(59), *range(40)]))
    assert max(held) <= reorder.KEPT


def test_faces_come_from_the_clip_s_frames_and_lie_between_them(clip: Path) -> None:
    scenes = run(clip, timeline_of(), lambda index: (face(0, (index, 0, index + 40, 40)),))
    places = [scene.faces[0].box[0] for scene in scenes]
    assert places == pytest.approx([a + (b - a) * s for a, b, s in zip(FIRST, SECOND, SHARE, strict=True)])


def test_it_is_said_which_frame_of_the_clip_is_shown_or_the_nearer_of_two(clip: Path) -> None:
    share = np.array([0.0, 0.25, 0.5, 0.75], dtype=np.float32)
    timeline = Timeline(np.array([30, 31, 6, 7]), np.array([30, 40, 39, 8]), share, (), Fraction(25))
    scenes = list(retimed(probe(clip), timeline, lambda frame: Scene(frame, (), 0, frame.index)))
    assert [scene.clip_index for scene in scenes] == [30, 31, 6, 8]
    assert [scene.frame.index for scene in scenes] == [0, 1, 2, 3]


def test_a_face_found_again_under_another_number_is_the_nearer_frame_s() -> None:
    one, other = face(3, (0, 0, 40, 40)), face(8, (10, 0, 50, 40))
    (early,), (late,) = faces_between((one,), (other,), 0.25), faces_between((one,), (other,), 0.75)
    assert (early.track, late.track) == (3, 8)
    assert (early.box[0], late.box[0]) == (2.5, 7.5)


def test_a_face_that_one_frame_lacks_is_there_while_the_other_is_nearer() -> None:
    one = face(3)
    assert faces_between((one,), (), 0.5) == (one,)
    assert faces_between((one,), (), 0.75) == ()
    two = (face(1), face(2))
    assert [each.track for each in faces_between(two, (face(2), face(4)), 0.5)] == [1, 2]


def test_a_clip_that_lost_frames_meanwhile_is_told(clip: Path) -> None:
    with pytest.raises(MediaError, match=r"clip.mp4: has no frame 60 any more; was it changed meanwhile\?"):
        run(clip, timeline_of([58, 59, 60]))


def test_nothing_is_read_before_it_is_asked_for_and_all_is_closed(clip: Path, opened: list[Path]) -> None:
    scenes = retimed(probe(clip), timeline_of(), alone)
    assert opened == []
    next(scenes)
    scenes.close()  # type: ignore[attr-defined]
    assert len(opened) == 1
