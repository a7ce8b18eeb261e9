"""From measured heads and heard speech to named frames."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from lipsync import pace as module
from lipsync import retime
from lipsync.heads import Heads, heads_of, speeds
from lipsync.pace import plan, slots_of, timeline_of
from lipsync.retime import voiced_rows
from shared.face.analyse import ClipFaces
from shared.store.faces import StoredFrame
from shared.types import Floats, Sound
from tests.lipsync.conftest import face_of, face_points, pose_at
from tests.lipsync.moving import heads_at, wandering

R25 = Fraction(25)
SPANS = [(0.3, 3.0), (4.2, 7.0), (8.4, 9.5)]


def hidden(heads: Heads, where: slice) -> Heads:
    """Heads that are not seen for some frames."""
    upper, lids, yaws_deg = heads.upper.copy(), heads.lids.copy(), heads.yaws_deg.copy()
    upper[where] = lids[where] = yaws_deg[where] = np.nan
    return replace(heads, upper=upper, lids=lids, yaws_deg=yaws_deg)


def test_shorter_speech_is_followed_to_its_end_and_no_further() -> None:
    heads = heads_at(wandering(500), blinks=(100, 200, 300))
    found = timeline_of(heads, SPANS, 10.03, R25)
    assert len(found) == 251
    assert (found.rate, found.jumps, found.remarks) == (R25, (), ())
    speed, voiced = speeds(heads), voiced_rows(SPANS, 251, 25.0)
    as_they_come = [speed[start : start + 251][~voiced].mean() for start in range(250)]
    assert speed[found.first][~voiced].mean() < 0.85 * np.mean(as_they_come)
    shown = set(found.first.tolist())
    for at in (100, 200, 300):
        blink = set(range(at - 2, at + 5))
        assert not shown & blink or blink <= shown


@pytest.mark.parametrize("seed", range(4))
def test_speech_is_not_laid_over_a_stretch_without_the_speaker(seed: int) -> None:
    """The head moves most just before it is hidden: there speech would like to set in."""
    heads = heads_at(wandering(900, seed))
    at = 200 + int(speeds(heads)[200:600].argmax())
    found = timeline_of(hidden(heads, slice(at + 10, at + 160)), [(0.0, 8.0)], 8.0, R25)
    assert not set(range(at + 10, at + 160)) & set(found.first.tolist())
    assert found.remarks == ()


def test_where_the_speaker_is_seen_less_than_as_filmed_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNSEEN", -1.0)
    found = timeline_of(hidden(heads_at(wandering(500)), slice(250, 500)), SPANS, 8.0, R25)
    assert found.remarks == ("the speaker's face is seen in 0% of the frames, in 100% as filmed",)


def test_repeats_are_half_way_to_the_next_frame() -> None:
    found = timeline_of(heads_at(wandering(260)), SPANS, 10.0, R25)
    half = np.flatnonzero(found.share)
    assert len(half)
    assert set(found.share[half].tolist()) == {0.5}
    np.testing.assert_array_equal(found.second[half], found.first[half] + 1)
    np.testing.assert_array_equal(found.first[half], found.first[half - 1])
    as_filmed = found.share == 0
    np.testing.assert_array_equal(found.second[as_filmed], found.first[as_filmed])


@pytest.mark.parametrize("length_s", [10.04, 10.2])
def test_speech_that_its_encoder_padded_needs_no_more_than_the_clip(length_s: float) -> None:
    found = timeline_of(heads_at(wandering(250)), SPANS, length_s, R25)
    assert (len(found), found.jumps, found.remarks) == (250, (), ())


def test_speech_a_little_longer_than_the_clip_is_followed_without_a_jump() -> None:
    found = timeline_of(heads_at(wandering(250)), SPANS, 10.9, R25)
    assert len(found) == 273
    assert (found.jumps, found.remarks) == ((), ())


@pytest.mark.parametrize(("count", "length_s"), [(200, 10.8), (600, 30.0)])
def test_where_there_is_nowhere_to_jump_frames_stay_longer_before_the_last_stands_still(
    count: int, length_s: float
) -> None:
    shots = np.repeat(np.arange(count // 4), 4)
    found = timeline_of(heads_at(wandering(count), shots=shots), SPANS, length_s, R25)
    assert len(found) == round(25 * length_s)
    assert found.jumps == ()
    assert not ((np.diff(found.first)[1:] == 0) & (np.diff(found.first)[:-1] == 0)).any()
    assert found.remarks == ("the clip has no moments to jump between: its frames stay longer instead",)


def test_jumps_are_joined_over_four_frames_from_both_sides() -> None:
    found = timeline_of(heads_at(wandering(250)), SPANS, 40.0, R25)
    assert len(found) == 1000
    assert found.jumps
    for row, source, landing in found.jumps:
        around = slice(row - 2, row + 2)
        np.testing.assert_array_equal(found.first[around], source + np.array([-1, 0, 1, 2]))
        np.testing.assert_array_equal(found.second[around], landing + np.array([-2, -1, 0, 1]))
        np.testing.assert_allclose(found.share[around], [0.2, 0.4, 0.6, 0.8], atol=1e-6)


def test_a_clip_too_short_for_its_speech_is_told() -> None:
    found = timeline_of(heads_at(wandering(40)), SPANS, 40.0, R25)
    assert any("jumps come again within 10 s and may be seen as a loop" in remark for remark in found.remarks)
    assert found.remarks[0].startswith("the clip lasts 1.6 s, the speech 40.0 s: what is in it comes again within 10 s")
    assert timeline_of(heads_at(wandering(40)), SPANS, 1.64, R25).remarks == ()
    assert timeline_of(heads_at(wandering(400)), SPANS, 40.0, R25).remarks == ()
    away = np.stack([np.arange(120) * 0.05, np.zeros(120)], axis=1)
    found = timeline_of(heads_at(away), SPANS, 20.0, R25)
    assert any("no moments of the clip are alike" in remark for remark in found.remarks)


@pytest.mark.parametrize("count", [1, 3])
def test_a_clip_of_a_few_frames_stands_still_at_its_end_and_it_is_told(count: int) -> None:
    found = timeline_of(heads_at(np.zeros((count, 2))), SPANS, 2.0, R25)
    assert found.first.tolist() == [*range(count), *[count - 1] * (50 - count)]
    assert not found.share.any()
    assert "its last frame stands still" in found.remarks[0]


def test_even_clips_have_a_frame_a_beat_whatever_their_container_rounds() -> None:
    times = np.round(np.arange(300) * 1001 / 30000, 3)
    rate, slots = slots_of(times, Fraction(30000, 1001))
    assert rate == Fraction(30000, 1001)
    np.testing.assert_array_equal(slots, np.arange(300))
    assert slots_of(np.arange(100) / 24, Fraction(90000))[0] == 24
    assert slots_of(np.zeros(1), R25)[1].tolist() == [0]


def test_frames_that_stay_longer_stay_for_several_beats() -> None:
    shown = np.array([0, 1, 2, 4, 5, 8, 9, 10, 11, 13])
    rate, slots = slots_of(3.0 + shown / 30, Fraction(22))
    assert rate == 30
    assert slots.tolist() == [0, 1, 2, 2, 3, 4, 4, 4, 5, 6, 7, 8, 8, 9]


@pytest.mark.parametrize(
    "rate", [Fraction(n) for n in (24, 25, 30, 48, 50, 60, 120)] + [Fraction(n * 1000, 1001) for n in (24, 30, 60)]
)
def test_a_lost_frame_does_not_bend_the_beat_of_times_in_milliseconds(rate: Fraction) -> None:
    times = np.round(np.delete(np.arange(900), 400) / float(rate), 3)
    found, slots = slots_of(times, rate * 899 / 900)
    assert found == rate
    np.testing.assert_array_equal(slots, np.array([*range(400), 399, *range(400, 899)]))


def test_frames_that_come_in_bursts_have_the_clip_s_average_beat() -> None:
    times = np.sort(np.concatenate([np.arange(200) * 0.08 + late for late in (0.0, 0.001, 0.002)]))
    rate, slots = slots_of(times, R25)
    assert 30 < rate < 50
    assert len(slots) == 1 + round(times[-1] * float(rate))


def test_nothing_is_warped_between_a_frame_and_itself() -> None:
    kept = np.delete(np.arange(300), np.arange(5, 290, 7))
    heads = heads_at(wandering(300)).at(kept)
    found = timeline_of(heads, SPANS, 9.9, Fraction(22))
    assert found.rate == 25
    assert found.first.max() < len(kept)
    np.testing.assert_array_equal(found.share > 0, found.first != found.second)


def test_a_repeat_before_a_cut_is_not_warped_across_it() -> None:
    shots = np.repeat(np.arange(26), 10)
    found = timeline_of(heads_at(wandering(260), shots=shots), SPANS, 10.2, R25)
    half = found.share > 0
    np.testing.assert_array_equal(shots[found.first[half]], shots[found.second[half]])


def test_the_clip_s_faces_and_the_speech_s_sound_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    places = 80 + 40 * wandering(100)
    faces = [face_of(face_points(), pose_at(centre=(x, y)), 4) for x, y in places]
    frames = [StoredFrame(k, k / 25, 0, (face,)) for k, face in enumerate(faces)]
    monkeypatch.setattr(module, "load_sound", lambda *_: Sound(np.zeros(32000, np.float32), 16000))
    monkeypatch.setattr(module, "voiced_spans", lambda _: [(0.2, 1.5)])
    monkeypatch.setattr(module, "probe", lambda _: SimpleNamespace(rate=R25))
    clip = cast(ClipFaces, SimpleNamespace(frames=lambda: iter(frames), clip=Path("clip.mp4")))
    found = plan(clip, frozenset({4}), Path("speech.wav"))
    assert len(found) == 50
    wanted = timeline_of(heads_of(frames, frozenset({4})), [(0.2, 1.5)], 2.0, R25)
    np.testing.assert_array_equal(found.first, wanted.first)


@pytest.mark.parametrize("length_s", [9.0, 40.0])
def test_planning_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch, length_s: float) -> None:
    monkeypatch.setattr(retime, "BLOCK", 50)
    told: list[float] = []
    timeline_of(heads_at(wandering(250)), SPANS, length_s, R25, lambda done, total, _: told.append(done / total))
    assert len(told) > 3
    assert told == sorted(told)
    assert told[-1] == 1


def test_joins_are_no_more_of_a_jerk_than_the_head_s_own_movements() -> None:
    heads = heads_at(wandering(400))
    found = timeline_of(heads, SPANS, 120.0, R25)
    share = found.share[:, np.newaxis, np.newaxis]
    shown = (1 - share) * heads.upper[found.first] + share * heads.upper[found.second]

    def jerks(points: Floats) -> NDArray[np.float64]:
        return np.asarray(np.linalg.norm(np.diff(points, 2, axis=0), axis=-1).mean(axis=-1), dtype=np.float64)

    around = np.array([row + step for row, _, _ in found.jumps for step in range(-4, 3)])
    assert len(found.jumps) > 5
    assert jerks(shown)[around].max() <= jerks(heads.upper).max()
    assert np.median(jerks(shown)[around]) < 2 * np.median(jerks(heads.upper))
