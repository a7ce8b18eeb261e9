"""Frames from the middle of a clip are, sample by sample, those that reading it from the start gives."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from shared.media import reader as reader_module
from shared.media.reader import open_clip, read_frame
from tests.shared.media.drawn import Recipe, make_clip, shifted

GROUPS = {"preset": "fast", "g": "12", "bf": "3"}
RECIPES = {
    "closed": ("clip.mp4", Recipe(frames=50, options=GROUPS)),
    "open": ("clip.mp4", Recipe(frames=50, options={**GROUPS, "x264-params": "open-gop=1:scenecut=0"})),
    "matroska": ("clip.mkv", Recipe(frames=50, options={**GROUPS, "x264-params": "open-gop=1"})),
    "hevc": (
        "clip.mp4",
        Recipe(frames=50, codec="libx265", options={"x265-params": "open-gop=1:keyint=12:log-level=none"}),
    ),
    "one group": ("clip.mp4", Recipe(frames=50, options={"preset": "fast", "g": "250"})),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_sought_frame_and_those_after_it_are_the_clip_s(tmp_path: Path, name: str) -> None:
    file, recipe = RECIPES[name]
    clip = make_clip(tmp_path / file, recipe)
    with open_clip(clip) as reader:
        whole = list(reader.frames())
    for index in (0, 11, 12, 13, 25, 37, 49):
        with open_clip(clip) as reader:
            assert reader.seek(index, whole[index].pts)
            found = list(reader.frames())
            assert reader.damaged == 0
        assert [frame.index for frame in found] == list(range(index, 50))
        for one, other in zip(found, whole[index:], strict=True):
            assert one.pts == other.pts
            assert all(np.array_equal(a, b) for a, b in zip(one.planes, other.planes, strict=True))


def test_a_clip_that_starts_late_is_sought_by_its_own_times(tmp_path: Path) -> None:
    clip = shifted(make_clip(tmp_path / "clip.mp4", Recipe(frames=30)), tmp_path / "late.mkv", 100.0)
    with open_clip(clip) as reader:
        wanted = list(reader.frames())[20]
    with open_clip(clip) as reader:
        assert reader.seek(20, wanted.pts)
        assert next(reader.frames()).time_s == wanted.time_s


def test_what_cannot_be_found_for_certain_is_not_given(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", Recipe(frames=30))
    with open_clip(clip) as reader:
        last = list(reader.frames())[-1]
    for pts in (last.pts + 1000, last.pts - 1):
        with open_clip(clip) as reader:
            assert not reader.seek(20, pts)
    stream = make_clip(tmp_path / "clip.ts", Recipe(frames=30))
    with open_clip(stream) as reader:
        assert not reader.seek(20, last.pts)


@pytest.mark.parametrize("name", RECIPES)
def test_one_reader_goes_to_and_fro(tmp_path: Path, name: str) -> None:
    file, recipe = RECIPES[name]
    clip = make_clip(tmp_path / file, recipe)
    with open_clip(clip) as reader:
        whole = list(reader.frames())
        for index, count in ((30, 5), (0, 50), (49, 1), (12, 0), (13, 2)):
            assert reader.seek(index, whole[index].pts)
            found = list(itertools.islice(reader.frames(), count))
            assert [frame.index for frame in found] == list(range(index, index + count))
            for one, other in zip(found, whole[index : index + count], strict=True):
                assert one.pts == other.pts
                assert all(np.array_equal(a, b) for a, b in zip(one.planes, other.planes, strict=True))
        assert reader.damaged == 0


def test_frames_that_were_being_given_end_where_it_is_sought(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with open_clip(make_clip(tmp_path / "clip.mp4", Recipe(frames=50))) as reader:
        given = reader.frames()
        first = [next(given) for _ in range(20)]
        assert reader.seek(10, first[10].pts)
        assert next(reader.frames()).index == 10
        assert list(given) == []
        with pytest.raises(ValueError, match="given once"):
            next(reader.frames())
    assert not caplog.records


@pytest.mark.parametrize("name", ["clip.mp4", "clip.ts"])
def test_one_frame_of_a_clip_is_sought_or_else_read_to_unless_it_is_far_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    clip = make_clip(tmp_path / name, Recipe(frames=30))
    with open_clip(clip) as reader:
        wanted = list(reader.frames())[20]
    found = read_frame(clip, 20, float(wanted.time_s))
    assert found is not None
    assert (found.index, found.pts) == (20, wanted.pts)
    assert all(np.array_equal(a, b) for a, b in zip(found.planes, wanted.planes, strict=True))
    assert read_frame(clip, 99, 40.0) is None
    monkeypatch.setattr(reader_module, "FAR", 15)
    assert (read_frame(clip, 20, float(wanted.time_s)) is not None) == (name == "clip.mp4")
