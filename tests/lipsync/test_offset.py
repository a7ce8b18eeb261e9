"""Clips whose sound comes late are found by comparison with the others, and put right."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from lipsync import offset
from lipsync.index import ClipMouths
from lipsync.mouth import FreeFace
from lipsync.offset import Found, aligned, facts_of, lines_of
from lipsync.options import parse_offset
from shared.errors import UsageError
from shared.types import Sound
from tests.lipsync.conftest import face_points, free_of, pose_at
from tests.shared.metrics.test_lag import made_clip


class Studio:
    """Makes clips of a speaker whose sound is known, and plays it when it is asked for."""

    def __init__(self) -> None:
        self.sounds: dict[Path, Sound] = {}

    def clip(self, seed: int, seconds: float, late_s: float = 0.0, strange: bool = False) -> ClipMouths:
        made = made_clip(seed, seconds, late_s, other_voice=strange)
        path = Path(f"clip{seed}.mp4")
        self.sounds[path] = made.sound
        return ClipMouths(
            path=path,
            indices=np.arange(len(made.times_s)),
            times_s=made.times_s,
            faces=tuple(_face(opening, width) for opening, width in made.mouth),
            inside=np.ones(len(made.times_s), dtype=bool),
            sharpness=np.ones(len(made.times_s), dtype=np.float32),
            features=np.zeros((0, 28), dtype=np.float32),
            voiced=((0.0, seconds),),
        )


def _face(opening: float, width: float) -> FreeFace:
    points = face_points(1.0 + 0.2 * float(opening))
    points[48:68, 0] *= 1.0 + 0.03 * float(width)
    return free_of(points, pose_at())


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> Studio:
    found = Studio()
    monkeypatch.setattr(offset, "load_sound", lambda path, _: found.sounds[path])
    return found


def test_the_clip_that_is_off_is_found_and_put_right(studio: Studio) -> None:
    clips = [studio.clip(0, 22.0), studio.clip(1, 24.0, 0.2), studio.clip(2, 20.0)]
    moved, found = aligned(clips, "auto")
    late = {one.clips[0]: one.corrected_s for one in found}
    assert late[0] == late[2] == 0.0
    assert late[1] == pytest.approx(0.2, abs=0.01)
    np.testing.assert_allclose(moved[1].times_s - clips[1].times_s, late[1])
    np.testing.assert_array_equal(moved[0].times_s, clips[0].times_s)
    said = lines_of(facts_of(found, clips))
    assert "clip1.mp4: the sound came " in said[0]
    assert "taken out" in said[0]
    assert all("left as it is" in line for line in said[1:])


def test_of_two_clips_the_longer_one_is_believed(studio: Studio) -> None:
    clips = [studio.clip(0, 17.0, -0.12), studio.clip(1, 24.0)]
    moved, listed = aligned(clips, "auto")
    found = {one.clips[0]: one for one in listed}
    assert found[1].lag is None
    assert found[0].corrected_s == pytest.approx(-0.12, abs=0.01)
    again = next(one.lag for one in aligned(moved, "auto")[1] if one.lag is not None)
    assert again.lag_s == pytest.approx(0.0, abs=0.01)


def test_little_speech_is_told_as_an_interval_and_left(studio: Studio) -> None:
    clips = [studio.clip(0, 24.0), studio.clip(1, 9.0, 0.2)]
    moved, found = aligned(clips, "auto")
    np.testing.assert_array_equal(moved[1].times_s, clips[1].times_s)
    assert found[1].lag is not None
    assert found[1].lag.low_s - 0.01 <= 0.2 <= found[1].lag.high_s + 0.01
    assert "too little speech" in lines_of(facts_of(found, clips))[1]


def test_a_strange_sound_is_told_and_left(studio: Studio) -> None:
    clips = [studio.clip(0, 24.0), studio.clip(1, 20.0, strange=True)]
    moved, found = aligned(clips, "auto")
    np.testing.assert_array_equal(moved[1].times_s, clips[1].times_s)
    assert "no offset of its sound can be told" in lines_of(facts_of(found, clips))[1]


def test_many_short_clips_together_are_something_to_compare_with(studio: Studio) -> None:
    clips = [studio.clip(seed, 4.0) for seed in range(10)] + [studio.clip(20, 20.0, 0.16)]
    moved, found = aligned(clips, "auto")
    assert [len(one.clips) for one in found] == [10, 1]
    assert moved[10].times_s[0] == pytest.approx(0.16, abs=0.015)
    assert "10 short clips" in lines_of(facts_of(found, clips))[0]


def test_one_clip_has_nothing_to_be_compared_with(studio: Studio) -> None:
    assert aligned([studio.clip(0, 24.0, 0.2)], "auto")[1] == []
    assert aligned([studio.clip(0, 24.0), studio.clip(1, 1.0)], "auto")[1] == []
    assert aligned([studio.clip(0, 9.0), studio.clip(1, 9.0)], "auto")[1] == []  # neither is enough to go by


def test_a_given_offset_moves_what_has_sound(studio: Studio) -> None:
    clips = [studio.clip(0, 4.0), cast(ClipMouths, SimpleNamespace(features=None))]
    moved, found = aligned(clips, 240.0)
    np.testing.assert_allclose(moved[0].times_s - clips[0].times_s, 0.24)
    assert moved[1] is clips[1]
    assert found == []
    assert aligned(clips, "off") == (clips, [])


@pytest.mark.parametrize(("text", "expected"), [("auto", "auto"), ("off", "off"), ("-40", -40.0), ("12.5", 12.5)])
def test_an_offset_is_a_word_or_milliseconds(text: str, expected: object) -> None:
    assert parse_offset(text) == expected


@pytest.mark.parametrize("text", ["", "early", "nan", "1e9"])
def test_other_offsets_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--offset"):
        parse_offset(text)


def test_a_clip_without_a_figure_has_none_in_the_manifest() -> None:
    clips = [cast(ClipMouths, SimpleNamespace(path=Path("a.mp4")))]
    assert facts_of([Found((0,), None, 20.0)], clips)[0]["late_ms"] is None
