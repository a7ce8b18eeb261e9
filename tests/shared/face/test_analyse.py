"""Real clips, analysed: who is there, in which frames, steady and once."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import NoFaceError, UsageError
from shared.face import analyse as module
from shared.face.analyse import AnalyseOptions, ClipFaces, analyse, pick_tracks, tracks_of
from shared.face.landmarks import eye_distance, mouth_opening
from shared.face.track import TrackOptions
from shared.media.reader import open_clip
from shared.media.sound import load_sound
from shared.media.writer import EncodeOptions, open_writer
from shared.types import Floats, Frame, Sound

pytestmark = [pytest.mark.footage, pytest.mark.usefixtures("weights")]
HARD = "hard/derived"
RAW = AnalyseOptions(track=TrackOptions(smooth=None))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(
    ("clip", "frames", "with_face"),
    [
        ("clips/no_face.mp4", 95, 0),
        ("clips/vfr_face_then_noface_hevc.mov", 169, 72),
        ("clips/single_face_2s.mp4", 72, 72),
        ("derived/low_light_noise.mp4", 75, 75),
        ("derived/rotated_no_metadata.mp4", 75, 75),
        ("derived/face_leaves_frame.mp4", 75, 36),
        ("derived/one_frame.mp4", 1, 1),
    ],
)
def test_faces_are_found_in_the_frames_that_have_one(
    footage: Path, cache: Path, clip: str, frames: int, with_face: int
) -> None:
    faces = analyse(footage / "hard" / clip, cache)
    assert faces.counts.frames == frames
    assert faces.counts.with_face == pytest.approx(with_face, abs=0.05 * frames)
    assert sum(bool(seen) for _, _, seen in faces.iter()) == faces.counts.with_face
    assert len(faces.tracks) == min(1, with_face)


def test_a_second_run_reads_what_the_first_one_found(
    footage: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = footage / HARD / "one_frame.mp4"
    first = analyse(clip, cache)
    monkeypatch.setattr(module, "_fill", lambda *_: pytest.fail("analysed again"))
    second = analyse(clip, cache)
    np.testing.assert_array_equal(first.faces_at(0)[0].landmarks, second.faces_at(0)[0].landmarks)


def test_two_people_are_kept_apart_and_the_right_one_speaks(footage: Path, cache: Path) -> None:
    clip = footage / HARD / "two_people_right_speaks.mp4"
    faces = analyse(clip, cache)
    assert [track.frames for track in faces.tracks] == [75, 75]
    assert faces.tracks[0].person != faces.tracks[1].person
    sides = {
        track: [face.box[0] > 360 for _, _, seen in faces.iter() for face in seen if face.track == track]
        for track in (0, 1)
    }
    assert all(len(set(side)) == 1 for side in sides.values())
    (speaker,) = pick_tracks(faces, "speaker", load_sound(clip))
    assert sides[speaker][0]
    assert pick_tracks(faces, "all") == {0, 1}
    assert len(pick_tracks(faces, "largest")) == 1


def test_a_crowd_of_small_faces_gives_people_who_never_share_a_frame_twice(footage: Path, cache: Path) -> None:
    faces = analyse(footage / "hard/clips/crowd_small_faces_1080p.mp4", cache)
    assert faces.counts.with_face == faces.counts.frames == 105
    assert len({track.person for track in faces.tracks}) >= 5
    person = {track.number: track.person for track in faces.tracks}
    for _, _, seen in faces.iter():
        people = [person[face.track] for face in seen]
        assert len(people) == len(set(people))


def test_a_reference_picture_chooses_the_person(footage: Path, cache: Path) -> None:
    faces = analyse(footage / HARD / "one_frame.mp4", cache)
    assert pick_tracks(faces, footage / "hard/grid_s1_sessionB/bbbs5s.mp4") == {0}
    with pytest.raises(NoFaceError, match="not in the clip"):
        pick_tracks(faces, footage / "hard/images/biden.jpg")
    with pytest.raises(NoFaceError, match="shows no face"):
        pick_tracks(faces, footage / "hard/clips/no_face.mp4")


def test_a_track_s_number_chooses_its_person_in_every_shot(footage: Path, cache: Path, tmp_path: Path) -> None:
    clip = tmp_path / "two_takes.mkv"
    with open_clip(footage / HARD / "two_people_right_speaks.mp4") as one:
        info, frames = one.info, [frame for frame, _ in zip(one.frames(), range(20), strict=False)]
    step = frames[1].pts - frames[0].pts
    with open_writer(clip, info, EncodeOptions(crf=20.0, preset="ultrafast")) as writer:
        for number, frame in enumerate([*frames, _dimmed(frames[0]), *frames]):
            writer.write(replace(frame, index=number, pts=number * step))
    faces = analyse(clip, cache)
    assert len(faces.tracks) == 4
    assert pick_tracks(faces, 0) == {track.number for track in faces.tracks if track.person == faces.tracks[0].person}
    assert len(pick_tracks(faces, 0)) == 2
    with open_clip(clip) as reader:
        scenes = [faces.scene(frame, pick_tracks(faces, 0)) for frame in reader.frames()]
    assert [scene.shot for scene in scenes] == [0] * 20 + [1] + [2] * 20
    assert [len(scene.faces) for scene in scenes] == [1] * 20 + [0] + [1] * 20


def _dimmed(frame: Frame) -> Frame:
    return replace(
        frame, planes=tuple(np.full_like(plane, 20 if not number else 128) for number, plane in enumerate(frame.planes))
    )


def test_a_speaker_is_not_chosen_without_evidence(footage: Path, cache: Path) -> None:
    with analyse(footage / HARD / "two_people_right_speaks.mp4", cache) as faces:
        with pytest.raises(NoFaceError, match="no voice is heard in it; choose a track number"):
            pick_tracks(faces, "speaker", Sound(np.zeros(48000, np.float32), 16000))
        assert tracks_of(faces, "speaker") == pick_tracks(faces, "speaker", load_sound(faces.clip))


def test_what_cannot_be_chosen_is_said(footage: Path, cache: Path) -> None:
    faces = analyse(footage / HARD / "two_people_right_speaks.mp4", cache)
    assert pick_tracks(faces, 1) == {1}
    with pytest.raises(UsageError, match="no track 7 in it; there are 0, 1"):
        pick_tracks(faces, 7)
    with pytest.raises(UsageError, match="sound"):
        pick_tracks(faces, "speaker")
    with pytest.raises(NoFaceError, match="no face was found"):
        pick_tracks(analyse(footage / "hard/clips/no_face.mp4", cache), "largest")


def test_steadied_points_are_still_where_the_face_is_and_in_time_where_it_moves(footage: Path, cache: Path) -> None:
    """Must show (5): jitter <= 0.45% of the eye distance, lag <= 10 ms, peaks of the opening lowered by <= 3%."""
    pauses = _pauses(footage / "train/grid_s1/align.tsv")
    jitters, ratios, lags = [], [], []
    for name in ("lbax8n", "pbai7a", "sbia2p", "prip3a", "lray4n", "pgbr1s"):
        path = footage / f"train/grid_s1/hq/{name}.mp4"
        raw, steady = _points(analyse(path, cache, RAW)), _points(analyse(path, cache))
        jitters.append(_jitter(steady, pauses[name]))
        before, after = (np.array([mouth_opening(one) for one in points]) for points in (raw, steady))
        peaks = [i for i in range(3, 72) if before[i] > 0.05 and before[i] == before[i - 2 : i + 3].max()]
        ratios += [after[i - 1 : i + 2].max() / before[i] for i in peaks]
        lags.append(_lag_ms(before, after))
    assert len(ratios) > 20
    assert np.mean(jitters) < 0.0045
    assert np.mean(ratios) > 0.97
    assert abs(np.mean(lags)) < 10


def _pauses(table: Path) -> dict[str, list[tuple[float, float]]]:
    pauses: dict[str, list[tuple[float, float]]] = {}
    with table.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["word"] == "sil":
                pauses.setdefault(row["clip"], []).append((float(row["start_s"]), float(row["end_s"])))
    return pauses


def _points(faces: ClipFaces) -> Floats:
    return np.stack([seen[0].landmarks for _, _, seen in faces.iter()])


def _jitter(points: Floats, pauses: list[tuple[float, float]]) -> float:
    """Standard deviation of the second difference where nobody speaks and the head moves under 0.4% a frame."""
    unit = eye_distance(points[0])
    slow = np.stack([points[max(0, i - 2) : i + 3].mean(axis=0) for i in range(len(points))]) / unit
    speed = np.sqrt((np.diff(slow, axis=0, prepend=slow[:1]) ** 2).mean(axis=(1, 2)))
    still = [
        i
        for i in range(1, len(points) - 1)
        if speed[i - 1 : i + 2].max() < 0.004 and any(a < i / 25 < b for a, b in pauses)
    ]
    second = (points[2:] - 2 * points[1:-1] + points[:-2]) / unit
    return float(second[[i - 1 for i in still]].std())


def _lag_ms(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    one, other = before - before.mean(), after - after.mean()
    scores = [float(np.dot(one[5:-5], np.roll(other, -shift)[5:-5])) for shift in (-1, 0, 1)]
    return 40 * (scores[0] - scores[2]) / 2 / (scores[0] - 2 * scores[1] + scores[2])
