"""Face sets split and merged."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from faceswap.choose import chosen
from faceswap.faceset import load_faceset
from faceswap.join import merge, split
from faceswap.rows import PICTURES, read_rows, usable
from faceswap.shelf import drop, faces_in, undo
from shared.errors import ArtefactError, LockedError, UsageError
from shared.store.artefact import lock
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
