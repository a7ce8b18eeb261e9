"""Faces in the cache that are damaged are found again; whole ones are not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.face import analyse as module
from shared.face.analyse import AnalyseOptions, analyse
from shared.progress import Progress
from shared.store.faces import FILE_NAME
from shared.store.facewriter import FaceWriter
from tests.shared.face.staged import face_at


class Analysis:
    """Stands in for the pass over the clip, and counts."""

    def __init__(self) -> None:
        self.passes = 0

    def __call__(self, _: Path, file: Path, __: AnalyseOptions, ___: Progress) -> None:
        self.passes += 1
        with FaceWriter(file) as writer:
            for number in range(400):
                writer.add(number, number, number / 25, 0, [(face_at(60, 40, track=0), 0.0)])
            writer.finish([], {"frames": 400, "with_face": 400, "damaged": 0, "height": 72, "width": 128})


@pytest.fixture
def analysis(monkeypatch: pytest.MonkeyPatch) -> Analysis:
    made = Analysis()
    monkeypatch.setattr(module, "_fill", made)
    return made


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"pictures")
    return path


def missing(folder: Path) -> None:
    (folder / FILE_NAME).unlink()


def cut_short(folder: Path) -> None:
    file = folder / FILE_NAME
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def overwritten(folder: Path) -> None:
    file = folder / FILE_NAME
    content = bytearray(file.read_bytes())
    for page in range(len(content) // 2 & -4096, len(content), 4096):  # of the faces; what is said of the clip stays
        content[page : page + 64] = b"\xff" * 64
    file.write_bytes(bytes(content))


def no_base(folder: Path) -> None:
    (folder / FILE_NAME).write_bytes(b"a few bytes of something else")


def manifest_unreadable(folder: Path) -> None:
    (folder / "manifest.json").write_text("{")


def manifest_missing(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize(
    "harm", [missing, cut_short, overwritten, no_base, manifest_unreadable, manifest_missing], ids=lambda f: f.__name__
)
def test_damaged_faces_are_thrown_away_and_found_again(
    analysis: Analysis, clip: Path, tmp_path: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    with analyse(clip, tmp_path / "cache") as faces:
        folder = faces.folder
    harm(folder)
    with analyse(clip, tmp_path / "cache") as faces:
        assert sum(len(seen) for _, _, seen in faces.iter()) == 400
    assert analysis.passes == 2
    assert f"{folder}: is thrown away and made again" in caplog.text
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_whole_faces_are_read_and_their_use_is_noted(analysis: Analysis, clip: Path, tmp_path: Path) -> None:
    with analyse(clip, tmp_path / "cache") as faces:
        folder = faces.folder
    os.utime(folder, (1, 1))
    with analyse(clip, tmp_path / "cache"):
        assert analysis.passes == 1
    assert time.time() - folder.stat().st_mtime < 60


def test_a_new_analysis_makes_room_for_itself(
    analysis: Analysis, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with analyse(clip, tmp_path / "cache") as faces:
        folder = faces.folder
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (1, 1))
    monkeypatch.setenv("LIPSWAP_CACHE_GB", "0.0001")
    (tmp_path / "other.mp4").write_bytes(b"other pictures")
    with analyse(tmp_path / "other.mp4", tmp_path / "cache") as faces:
        assert [path.name for path in folder.parent.iterdir()] == [faces.folder.name]
    assert analysis.passes == 2
