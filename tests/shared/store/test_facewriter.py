"""What was saved of a growing store lasts, what was added after is gone, and a sealed one shows no trace of either."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from shared.store.faces import FaceStore
from shared.store.facewriter import FaceWriter, Saved


def begin(path: Path, first: int, save_at: tuple[int, ...], end: int) -> None:
    """Add frames, saving before some, and break off."""
    with pytest.raises(KeyboardInterrupt), FaceWriter(path) as writer:
        for number in range(first, end):
            if number in save_at:
                writer.save(Saved(number, f'{{"at": {number}}}', os.urandom(60_000)))
            writer.add(number, number, number / 25, 0, [])
        raise KeyboardInterrupt


def test_a_run_goes_on_after_what_was_saved_last(tmp_path: Path) -> None:
    path = tmp_path / "faces.sqlite"
    begin(path, 0, (100, 300), 400)
    begin(path, 300, (), 700)
    with FaceWriter(path) as writer:
        assert not writer.is_complete
        saved = writer.saved
        assert saved is not None
        assert (saved.frames, saved.facts, len(saved.arrays)) == (300, '{"at": 300}', 60_000)
        for number in range(300, 500):
            writer.add(number, number, number / 25, 0, [])
        writer.finish([], {"frames": 500})
    assert [frame.number for frame in FaceStore(path).frames()] == list(range(500))


def test_a_sealed_file_is_one_file_in_the_sealed_layout(tmp_path: Path) -> None:
    plain, path = tmp_path / "plain" / "faces.sqlite", tmp_path / "saved" / "faces.sqlite"
    with FaceWriter(plain) as writer:
        writer.finish([], {"frames": 0})
    path.parent.mkdir()
    begin(path, 0, (10, 20, 30), 40)
    with FaceWriter(path) as writer:
        writer.finish([], {"frames": 30})
    layouts = []
    for file in (plain, path):
        assert [one.name for one in file.parent.iterdir()] == ["faces.sqlite"]
        base = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        layouts.append(base.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall())
        assert base.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        base.close()
    assert layouts[0] == layouts[1]


def test_a_finished_file_is_known_as_complete(tmp_path: Path) -> None:
    path = tmp_path / "faces.sqlite"
    with FaceWriter(path) as writer:
        assert not writer.is_complete
        writer.add(0, 0, 0.0, 0, [])
        writer.finish([], {"frames": 1})
    with FaceWriter(path) as writer:
        assert writer.is_complete
    assert [frame.number for frame in FaceStore(path).frames()] == [0]


def test_a_file_without_anything_saved_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "faces.sqlite"
    begin(path, 0, (), 40)
    with FaceWriter(path) as writer:
        assert writer.saved is None
        writer.add(0, 7, 0.0, 0, [])
        writer.finish([], {})
    assert len(list(FaceStore(path).frames())) == 1
