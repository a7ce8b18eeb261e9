"""Faces come back as they were stored, a few frames at a time, and only complete edits last."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from shared.errors import ArtefactError
from shared.store.faces import FaceStore, StoredTrack
from shared.store.facewriter import FaceWriter
from shared.types import Face


def face(seed: int, track: int = 0, meshed: bool = True) -> Face:
    rng = np.random.default_rng(seed)
    x0, y0 = rng.uniform(0, 1500, size=2)
    side = rng.uniform(20, 500)
    box = (float(x0), float(y0), float(x0 + side), float(y0 + 1.2 * side))
    landmarks = (rng.uniform(-0.2, 1.2, size=(68, 2)) * side + (x0, y0)).astype(np.float32)
    mesh = np.concatenate([rng.uniform(-0.2, 1.2, (478, 2)) * side + (x0, y0), rng.uniform(-1, 1, (478, 1)) * side], 1)
    return Face(
        box,
        landmarks,
        mesh.astype(np.float32) if meshed else None,
        presence=float(rng.uniform()),
        track=track,
        pose_deg=(10.0, -5.5, 3.25),
        blendshapes=rng.uniform(size=52).astype(np.float32) if meshed else None,
        sharpness=123.5,
    )


def track(number: int) -> StoredTrack:
    return StoredTrack(number, 0, 0, 0, 9, 10, 100.0, 0.9, 50.0, np.full(128, 128**-0.5, np.float32))


def written(path: Path, frames: int = 10) -> FaceStore:
    with FaceWriter(path) as writer:
        for number in range(frames):
            faces = [(face(number, 1, False), 0.2), (face(number + 1000, 0), 0.1)] if number != 3 else []
            writer.add(number, number * 512, number / 25, 0, faces)
        writer.finish([track(0), track(1)], {"frames": frames, "time_base": "1/12800"})
    return FaceStore(path)


def test_a_face_comes_back_within_a_thirtieth_of_a_pixel(tmp_path: Path) -> None:
    store = written(tmp_path / "faces.sqlite")
    for number in (0, 9):
        first, second = store.faces_at(number)
        wanted = face(number + 1000, 0)
        side = max(wanted.box[2] - wanted.box[0], wanted.box[3] - wanted.box[1])
        assert first.mesh is not None
        assert wanted.mesh is not None
        assert np.abs(first.mesh - wanted.mesh).max() <= max(0.51 * side / 8192, 2e-4)
        assert np.abs(first.landmarks - wanted.landmarks).max() <= 1 / 30
        assert first.box == wanted.box
        assert first.pose_deg == wanted.pose_deg
        assert (first.track, second.track) == (0, 1)
        assert (first.presence, first.sharpness) == (wanted.presence, 123.5)
        assert first.blendshapes is not None
        assert wanted.blendshapes is not None
        np.testing.assert_allclose(first.blendshapes, wanted.blendshapes, atol=1e-5)
        assert second.mesh is None
        assert second.blendshapes is None


def test_frames_come_in_order_with_their_faces_and_those_without_too(tmp_path: Path) -> None:
    frames = list(written(tmp_path / "faces.sqlite", 600).frames())
    assert [frame.number for frame in frames] == list(range(600))
    assert [len(frame.faces) for frame in frames] == [2, 2, 2, 0] + [2] * 596
    assert frames[7].time_s == pytest.approx(7 / 25)


def test_a_range_of_frames_can_be_read_alone(tmp_path: Path) -> None:
    store = written(tmp_path / "faces.sqlite", 600)
    assert [frame.number for frame in store.frames(250, 270)] == list(range(250, 270))


def test_tracks_and_facts_come_back(tmp_path: Path) -> None:
    store = written(tmp_path / "faces.sqlite")
    assert [one.number for one in store.tracks()] == [0, 1]
    np.testing.assert_array_equal(store.tracks()[1].embedding, track(1).embedding)
    assert store.facts() == {"frames": 10, "time_base": "1/12800"}
    times, openings = store.openings(1)
    np.testing.assert_allclose(times, [number / 25 for number in range(10) if number != 3])
    assert set(openings) == {0.2}


def test_shots_are_counted_with_those_that_show_no_face(tmp_path: Path) -> None:
    with FaceWriter(tmp_path / "faces.sqlite") as writer:
        for number, shot in enumerate((0, 0, 1, 1, 2)):
            writer.add(number, number * 512, number / 25, shot, [] if shot == 1 else [(face(number, 0), 0.1)])
        writer.finish([track(0)], {"frames": 5})
    assert FaceStore(tmp_path / "faces.sqlite").shots() == 3


def test_a_face_left_out_is_gone_until_it_is_kept_again(tmp_path: Path) -> None:
    store = written(tmp_path / "faces.sqlite")
    store.keep([(5, 0, False, "blurred"), (6, 0, False, "blurred")])
    assert [one.track for one in FaceStore(tmp_path / "faces.sqlite").faces_at(5)] == [1]
    store.keep([(5, 0, True, "")])
    assert [one.track for one in store.faces_at(5)] == [0, 1]


def test_an_edit_that_fails_half_way_changes_nothing(tmp_path: Path) -> None:
    store = written(tmp_path / "faces.sqlite")

    def changes() -> Iterator[tuple[int, int, bool, str]]:
        yield 5, 0, False, "blurred"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.keep(changes())
    assert len(store.faces_at(5)) == 2


def test_dropped_stretches_do_not_count(tmp_path: Path) -> None:
    with FaceWriter(tmp_path / "faces.sqlite") as writer:
        for number in range(10):
            writer.add(number, number, number / 25, 0, [(face(number, 0), 0.0)])
        writer.drop(0, 6, 9, "lost")
        assert writer.frames_with_face() == 6
        assert writer.statistics()[0][:3] == (0, 5, 6)
        writer.finish([], {})
    assert [len(frame.faces) for frame in FaceStore(tmp_path / "faces.sqlite").frames()] == [1] * 6 + [0] * 4


def test_several_threads_may_read(tmp_path: Path) -> None:
    store = written(tmp_path / "faces.sqlite", 50)
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda number: len(store.faces_at(number)), list(range(50)) * 4))
    assert sum(counts) == 4 * 98


def test_a_long_clip_is_written_and_read_in_little_memory(tmp_path: Path) -> None:
    one = face(1)
    tracemalloc.start()
    with FaceWriter(tmp_path / "faces.sqlite") as writer:
        for number in range(6000):
            writer.add(number, number, number / 25, 0, [(one, 0.0)])
        writer.finish([], {})
    read = sum(len(frame.faces) for frame in FaceStore(tmp_path / "faces.sqlite").frames())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read == 6000
    assert (tmp_path / "faces.sqlite").stat().st_size > 18e6
    assert peak < 6e6


def test_a_missing_or_foreign_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="no faces are stored here"):
        FaceStore(tmp_path / "none.sqlite")
    (tmp_path / "other.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(ArtefactError, match="analyse the clip again"):
        FaceStore(tmp_path / "other.sqlite").tracks()
