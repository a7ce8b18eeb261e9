"""Another person's lips move this speaker's mouth, in his own proportions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lipsync import driver
from lipsync.controls import controls_of
from lipsync.driver import driven, spread_map
from lipsync.index import ClipMouths
from lipsync.predict import MouthTrack
from lipsync.voice import Voice
from shared.errors import NoFaceError
from tests.lipsync.conftest import face_points, free_of, pose_at

RATE_HZ = 25.0
VIDEO = Path("driver.mp4")
Drive = Callable[[ClipMouths], MouthTrack]
Doubles = NDArray[np.float64]


def driver_of(openings_cm: Doubles, yaw_deg: float = 0.0, lip_cm: float = 0.0) -> ClipMouths:
    """A person whose lips are thicker by `lip_cm`, seen at 25 frames a second, who never speaks aloud."""
    faces = []
    for opening in openings_cm:
        points = face_points(float(opening))
        points[55:60, 1] -= lip_cm
        faces.append(free_of(points, pose_at(yaw_deg)))
    count = len(openings_cm)
    ones = np.ones(count, dtype=np.float32)
    return ClipMouths(VIDEO, np.arange(count), np.arange(count) / RATE_HZ, tuple(faces), ones > 0, ones, None, ())


def sway(frames: int, most_cm: float) -> Doubles:
    """Openings that come and go once a second, closed for a third of the time."""
    turn = np.sin(2 * np.pi * np.arange(frames) / RATE_HZ)
    return np.asarray(most_cm * np.maximum(0.0, turn + 0.4) / 1.4, dtype=np.float64)


@pytest.fixture
def drive(voice: Voice, monkeypatch: pytest.MonkeyPatch) -> Drive:
    def run(clip: ClipMouths) -> MouthTrack:
        monkeypatch.setattr(driver, "gather", lambda *_: [clip])
        return driven(voice, controls_of(voice), VIDEO, 0.0)[0]

    return run


def openings_mm(voice: Voice, track: MouthTrack, times_s: Doubles) -> Doubles:
    shapes = np.array([track.at(float(time_s)) for time_s in times_s])
    return controls_of(voice).measure(shapes)[:, 0].astype(np.float64)


@pytest.mark.parametrize("lip_cm", [0.0, 0.4])
def test_a_shy_driver_with_other_lips_opens_this_mouth_as_its_owner_does(
    voice: Voice, drive: Drive, lip_cm: float
) -> None:
    clip = driver_of(sway(1500, 0.8), lip_cm=lip_cm)
    made = openings_mm(voice, drive(clip), clip.times_s)
    theirs = sway(1500, 0.8)
    assert np.corrcoef(made, theirs)[0, 1] > 0.999
    assert made[theirs == 0.0].max() < 0.3
    assert 1.15 * 8.0 < made.max() <= 1.71 * 8.0  # the voice's openings run to 20 mm; no motion grows by more


def test_the_speaker_himself_is_left_as_he_is(voice: Voice) -> None:
    own = np.asarray(np.tile(voice.shapes - voice.rest, (10, 1)), dtype=np.float32)
    np.testing.assert_allclose(own @ spread_map(own, voice.shapes - voice.rest), own, atol=0.02)


def test_the_spread_becomes_the_speaker_s_and_a_short_video_keeps_his_form() -> None:
    rng = np.random.default_rng(0)
    own = (rng.normal(size=(4000, 3)) * [0.5, 0.2, 0.1]).astype(np.float32)
    other = (rng.normal(size=(20000, 3)) * [0.4, 0.28, 0.1]).astype(np.float32)
    long = other @ spread_map(other, own)
    np.testing.assert_allclose(long.std(axis=0), own.std(axis=0), rtol=0.05)
    short = spread_map(other[:25], own)
    np.testing.assert_allclose(short, short[0, 0] * np.eye(3), atol=0.06)


def test_how_often_somebody_pauses_does_not_change_how_far_he_is_moved(voice: Voice, drive: Drive) -> None:
    talks = driver_of(sway(1500, 1.8))
    pauses = driver_of(np.concatenate([sway(1500, 1.8), np.zeros(3000)]))
    made = [openings_mm(voice, drive(clip), talks.times_s).max() for clip in (talks, pauses)]
    assert made[0] == pytest.approx(made[1], rel=0.03)


def test_the_mouth_rests_while_the_driver_is_not_seen(voice: Voice, drive: Drive) -> None:
    clip = driver_of(np.full(75, 1.0))
    kept = np.r_[0:25, 60:75]
    gone = replace(clip, times_s=clip.times_s[kept], faces=tuple(clip.faces[row] for row in kept), indices=kept)
    track = drive(gone)
    np.testing.assert_allclose(track.at(1.6), voice.rest, atol=1e-5)
    assert track.resting[160] == 1.0
    assert track.resting[50] == 0.0


def test_a_driver_who_looks_aside_throughout_is_refused(drive: Drive) -> None:
    with pytest.raises(NoFaceError, match="never looks this way"):
        drive(driver_of(sway(50, 1.0), yaw_deg=60.0))


def test_brows_and_lids_come_with_the_lips(voice: Voice, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = driver_of(sway(100, 1.0))
    raised = []
    for row, face in enumerate(clip.faces):
        points = face.points.copy()
        points[17:27, 1] += 0.4 * (50 <= row < 75)
        points[[37, 38, 43, 44], 1] -= 1.0 * (20 <= row < 26)
        raised.append(free_of(points, face.pose))
    monkeypatch.setattr(driver, "gather", lambda *_: [replace(clip, faces=tuple(raised))])
    _, told = driven(voice, controls_of(voice), VIDEO, 0.0)
    assert told.at(62 / RATE_HZ)[0][:, 1] == pytest.approx(0.4, abs=0.01)
    assert told.at(10 / RATE_HZ)[0] == pytest.approx(0.0, abs=0.01)
    assert told.at(23 / RATE_HZ)[1].max() < 0.1
    assert told.at(40 / RATE_HZ)[1] == pytest.approx(1.0)
    assert told.at(2.0)[2] == 1.0
