"""Face sets split and merged."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from faceswap.choose import chosen
from faceswap.extract import append
from faceswap.faceset import load_faceset
from faceswap.join import as_before, merge, split
from faceswap.options import ExtractOptions
from faceswap.rows import PICTURES, FaceRow, read_rows, usable
from faceswap.shelf import drop, faces_in, undo
from faceswap.who import People
from shared.cli import root
from shared.errors import ArtefactError, LockedError, UsageError
from shared.picture.image import write_png
from shared.store.artefact import lock
from shared.store.fingerprint import MANIFEST
from tests.faceswap.drawn import make_faceset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_faceset(tmp_path / "faces", (200, 150, 120), 24, seed=3)


def test_a_set_is_split_and_merged_again(folder: Path, tmp_path: Path) -> None:
    assert split(folder, chosen(faces_in(folder), ["frame<8"]), tmp_path / "first") == 8
    assert len(usable(folder)) == 16
    assert merge([folder, tmp_path / "first"], tmp_path / "both") == 24
    rows = read_rows(tmp_path / "both")
    assert len({row.name for row in rows}) == len(rows) == 32  # the 8 that moved are dropped in one, kept in the other
    assert load_faceset(tmp_path / "both", 64).crops.shape[0] == 24
    assert undo(folder) == 8


def test_merging_again_leaves_what_was_decided_in_the_merged_set(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = make_faceset(tmp_path / "other", (180, 130, 110), 20, seed=4)
    assert merge([folder, other], tmp_path / "both") == 44
    drop(tmp_path / "both", faces_in(tmp_path / "both")[:3])
    (tmp_path / "both" / "notes.txt").write_text("mine")
    with caplog.at_level(logging.WARNING):
        assert merge([folder, other], tmp_path / "both") == 41
    assert "stays as it is" in caplog.text
    assert (tmp_path / "both" / "notes.txt").read_text() == "mine"
    drop(other, faces_in(other)[:1])
    with pytest.raises(ArtefactError, match="faces differ"):
        merge([folder, other], tmp_path / "both")
    assert len(list((tmp_path / "both" / PICTURES).iterdir())) == 41


def test_a_set_is_not_merged_into_itself_nor_into_one_that_is_in_use(folder: Path, tmp_path: Path) -> None:
    other = make_faceset(tmp_path / "other", (180, 130, 110), 20, seed=4)
    with pytest.raises(UsageError, match="one of the sets"):
        merge([folder, other], folder)
    with lock(tmp_path / "both"), pytest.raises(LockedError):
        merge([folder, other], tmp_path / "both")


def test_people_keep_their_numbers_when_clips_are_added() -> None:
    axes = np.eye(128, dtype=np.float32)
    points = np.zeros((68, 2), np.float32)
    plain = FaceRow("a.png", 0, 0, 0.0, 0, 90.0, 100.0, 1.0, 0.0, 0.0, 0.0, points, True, "")
    old = [replace(plain, person=person, embedding=axes[person]) for person in (0, 1, 1, 2)]
    old.append(replace(plain, person=4))  # nobody looked at that stranger
    found = People({(1, 0): 0, (1, 1): 1, (1, 2): 2}, axes[[1, 7, 0]], frozenset({0}), frozenset({2}))
    now = as_before(found, old)
    assert now.of == {(1, 0): 1, (1, 1): 5, (1, 2): 0}
    assert (now.wanted, now.refused) == (frozenset({1}), frozenset({0}))
    assert [int(now.identities[number].argmax()) for number in (0, 1, 2, 5)] == [0, 1, 2, 7]
    twins = replace(found, identities=axes[[1, 1, 0]])
    assert len(set(as_before(twins, old).of.values())) == 3  # who is told apart stays apart


def test_pictures_are_added_with_the_finder_of_the_set_and_no_other(folder: Path, tmp_path: Path) -> None:
    told = json.loads((folder / MANIFEST).read_text())
    told["details"] |= {"crop_px": 256, "finder": "fan"}
    (folder / MANIFEST).write_text(json.dumps(told))
    photos = tmp_path / "photos"
    photos.mkdir()
    write_png(photos / "one.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UsageError, match="found by fan; add to it with --finder fan"):
        append([photos], folder, ExtractOptions())
    with pytest.MonkeyPatch.context() as patch:
        used: list[ExtractOptions] = []
        patch.setattr("faceswap.extract.append", lambda _clips, _folder, options, _progress: used.append(options))
        CliRunner().invoke(root, ["faces", str(folder), "--import", str(photos)])
    assert [options.finder for options in used] == ["fan"]
