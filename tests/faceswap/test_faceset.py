"""Face sets: deleting drops, spans are held out, damage is named."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from faceswap.faceset import FaceSet, face_weight, held_out, load_faceset, middles
from faceswap.rows import PICTURES, ROWS, change_rows, content, identity_of, read_rows, usable, write_rows
from shared.errors import ArtefactError, MediaError, NoFaceError
from shared.picture.image import read_image
from shared.picture.warp import resize
from tests.faceswap.drawn import face_points, make_faceset


def test_rows_come_back_as_written(two_sets: tuple[Path, Path]) -> None:
    rows = read_rows(two_sets[0])
    assert [row.frame for row in rows] == list(range(40))
    assert rows[3].landmarks.shape == (68, 2)
    assert rows[3].kept is True


def test_a_deleted_picture_and_an_unkept_row_are_out_of_the_set(tmp_path: Path) -> None:
    folder = make_faceset(tmp_path / "faces", (200, 150, 120), 24, seed=3)
    before = content(folder)
    (folder / PICTURES / "000004.png").unlink()
    with closing(sqlite3.connect(folder / ROWS)) as base, base:
        base.execute("UPDATE faces SET kept = 0, why = 'mine' WHERE name = '000007.png'")
    names = {row.name for row in usable(folder)}
    assert len(names) == 22
    assert not {"000004.png", "000007.png"} & names
    assert content(folder) != before
    assert len(load_faceset(folder, 40).crops) == 22


def test_too_few_faces_are_an_error_with_the_way_out(tmp_path: Path) -> None:
    folder = make_faceset(tmp_path / "faces", (200, 150, 120), 18, seed=3)
    for number in range(6):
        (folder / PICTURES / f"{number:06d}.png").unlink()
    with pytest.raises(NoFaceError, match="12 faces, at least 16 are needed"):
        load_faceset(folder, 40)


def test_what_is_no_face_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="no such folder"):
        load_faceset(tmp_path / "nowhere", 40)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    folder = make_faceset(tmp_path / "faces", (200, 150, 120), 17, seed=3)
    (folder / PICTURES / "000002.png").write_bytes(b"nothing")
    with pytest.raises(MediaError, match=r"000002\.png"):
        load_faceset(folder, 40)


@pytest.mark.parametrize("count", [16, 40, 1000])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.25])
def test_about_the_share_is_held_out_in_whole_spans(count: int, share: float) -> None:
    held = held_out(count, share)
    assert 0 < held.sum() < count
    if count >= 1000:
        assert held.mean() == pytest.approx(share, rel=0.3)
        assert np.abs(np.diff(held.astype(int))).sum() <= 2 * 20 * share + 2


def test_training_and_unseen_faces_share_nothing(two_sets: tuple[Path, Path]) -> None:
    loaded = load_faceset(two_sets[0], 60, 0.1)
    assert len(loaded.training) + len(loaded.unseen) == 40
    assert loaded.crops.shape == (40, 4, 60, 60)
    assert loaded.training.data_ptr() == loaded.crops.data_ptr()  # a view: nothing is held twice
    scattered = FaceSet(loaded.crops, loaded.landmarks, loaded.irises, loaded.poses, np.arange(40) % 3 == 1)
    assert torch.equal(scattered.unseen, loaded.crops[1::3])
    assert torch.allclose(scattered.training_landmarks(60)[:3], loaded.landmarks[[0, 2, 3]], atol=1e-4)
    assert torch.allclose(loaded.training_landmarks(120)[0], loaded.landmarks[0] * 2 + 0.5, atol=1e-4)


def test_each_crop_lies_where_its_row_belongs_with_its_landmarks(two_sets: tuple[Path, Path]) -> None:
    seen: list[int] = []
    loaded = load_faceset(two_sets[0], 60, 0.1, progress=lambda done, _, __: seen.append(done))
    rows = read_rows(two_sets[0])
    held = held_out(len(rows), 0.1)
    order = [*np.flatnonzero(~held), *np.flatnonzero(held)]
    assert seen == list(range(1, 41))
    assert loaded.held.tolist() == sorted(held)
    for place, number in enumerate(order):
        picture = resize(read_image(two_sets[0] / PICTURES / rows[number].name), (60, 60))
        points = (rows[number].landmarks + 0.5) * 60 / 96 - 0.5
        assert np.array_equal(loaded.crops[place, :3].permute(1, 2, 0).numpy(), picture)
        assert np.abs(loaded.landmarks[place].numpy() - points).max() < 1e-4
        weight = np.rint(face_weight(loaded.landmarks[place].numpy(), 60) * 255)
        assert np.abs(loaded.crops[place, 3].numpy() - weight).max() == 0


def test_irises_are_kept_and_a_set_that_lacks_some_tells_none(tmp_path: Path) -> None:
    folder = make_faceset(tmp_path / "faces", (200, 150, 120), 20, seed=3)
    plain = load_faceset(folder, 48)
    assert torch.allclose(plain.irises[:, 0], plain.landmarks[:, [36, 39]].mean(dim=1), atol=1e-4)
    told = [middles(row.landmarks) + np.float32(2.0) for row in read_rows(folder)]
    rows = [replace(row, irises=irises) for row, irises in zip(read_rows(folder), told, strict=True)]
    write_rows(folder, rows)
    again = [row.irises for row in read_rows(folder) if row.irises is not None]
    assert np.array_equal(again, told)
    loaded = load_faceset(folder, 48)
    assert torch.allclose(loaded.irises, plain.irises + 2.0 * 48 / 96, atol=1e-4)
    assert torch.equal(loaded.training_points[:, 68:], loaded.irises[torch.from_numpy(~loaded.held)])
    write_rows(folder, [replace(rows[0], irises=None), *rows[1:]])
    assert torch.equal(load_faceset(folder, 48).irises, plain.irises)


def test_a_set_of_before_irises_were_kept_is_read_and_takes_them(tmp_path: Path) -> None:
    folder = make_faceset(tmp_path / "faces", (200, 150, 120), 20, seed=3)
    with closing(sqlite3.connect(folder / ROWS)) as base, base:
        base.execute("ALTER TABLE faces DROP COLUMN irises")
    rows = read_rows(folder)
    assert all(row.irises is None for row in rows)
    change_rows(folder, [replace(rows[0], kept=False, why="mine")])
    assert read_rows(folder)[0].irises is None
    with closing(sqlite3.connect(folder / ROWS)) as base:
        assert "irises" in [row[1] for row in base.execute("PRAGMA table_info(faces)")]


def test_crops_are_not_larger_than_the_pictures(two_sets: tuple[Path, Path]) -> None:
    loaded = load_faceset(two_sets[0], 500)
    assert loaded.crops.shape == (40, 4, 96, 96)
    assert float(loaded.landmarks.max()) < 96


def test_the_face_counts_its_eyes_and_mouth_count_double_and_the_corners_nothing() -> None:
    points = face_points((32, 33), 30, opening=0.1)
    weight = face_weight(points, 64)
    for spot, expected in ((points[30], 0.5), (points[36:42].mean(axis=0), 1.0), (points[60:68].mean(axis=0), 1.0)):
        x, y = np.rint(spot).astype(int)
        assert weight[y, x] == pytest.approx(expected, abs=0.05)
    assert weight[:8, :8].max() == 0.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE faces SET name = '../../secret.png' WHERE frame = 3", "a picture may not be named"),
        ("UPDATE faces SET landmarks = x'00'", "rows of another kind"),
        ("ALTER TABLE faces ADD COLUMN colour", "rows of another kind"),
    ],
)
def test_rows_of_a_foreign_set_are_refused(tmp_path: Path, change: str, said: str) -> None:
    folder = make_faceset(tmp_path / "faces", (200, 150, 120), 18, seed=3)
    with closing(sqlite3.connect(folder / ROWS)) as base, base:
        base.execute(change)
    with pytest.raises(ArtefactError, match=said):
        usable(folder)


def test_a_set_without_an_identity_is_refused(tmp_path: Path) -> None:
    folder = make_faceset(tmp_path / "faces", (200, 150, 120), 18, seed=3)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"details": {}}))
    with pytest.raises(ArtefactError, match="has no embedding"):
        identity_of(folder)
