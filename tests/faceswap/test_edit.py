"""Edits: from the table into the store, into later analyses, and into the pictures of a face set."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from faceswap.edit import read_table, take_edits
from faceswap.extract import extract
from faceswap.options import ExtractOptions
from faceswap.rows import PICTURES, read_rows
from shared.cli import root
from shared.errors import ArtefactError, UsageError
from shared.face.analyse import analyse
from shared.picture.warp import invert, transform
from shared.store.artefact import cache_folder
from shared.store.corrections import corrections_of

OPTIONS = ExtractOptions(every=5, alike=0)
POINTS = " ".join(["1.5"] * 136)


def called(*arguments: object) -> Result:
    return CliRunner().invoke(root, [str(argument) for argument in arguments])


def test_tables_of_both_kinds_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        f"clip,frame,track,box,landmarks,mask\n2,7,0,1 2 3 4,{POINTS},0 0 5 0 5 5\n0,8,1,,,\n"
    )
    line = {"clip": 2, "frame": 7, "track": 0, "box": [1, 2, 3, 4], "landmarks": [[1.5, 1.5]] * 68}
    mask = {"mask": [[0, 0], [5, 0], [5, 5]]}
    (tmp_path / "a.json").write_text(json.dumps([{**line, **mask}, {"frame": 8, "track": 1}]))
    for name in ("a.csv", "a.json"):
        edits = read_table(tmp_path / name)
        assert sorted(edits) == [0, 2]
        assert edits[2][0].box == (1.0, 2.0, 3.0, 4.0)
        assert edits[2][0].mask is not None
        assert edits[2][0].mask.tolist() == [[0, 0], [5, 0], [5, 5]]
        assert edits[0][0].is_empty


@pytest.mark.parametrize("line", ["0,x,0,,,", "0,1,0,1 2 3,,", "0,1,0,5 5 1 1,,", "0,1,0,,1 2 3 4,", "0,1,0,,,1 2 3 4"])
def test_a_line_that_is_not_understood_is_named(line: str, tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text(f"clip,frame,track,box,landmarks,mask\n0,1,0,,,\n{line}\n")
    with pytest.raises(UsageError, match="line 2: not understood"):
        read_table(table)


@pytest.fixture
def clip(footage: Path, tmp_path: Path, weights: None) -> Path:  # noqa: ARG001 - faces are looked for
    return Path(shutil.copy(footage / "train" / "grid_s1" / "hq" / "bbaf2n.mp4", tmp_path / "clip.mp4"))


@pytest.mark.footage
def test_what_is_put_right_is_kept_and_goes_into_each_later_use(clip: Path, tmp_path: Path) -> None:
    extract([clip], tmp_path / "faces", OPTIONS)
    table, was = tmp_path / "edit.csv", _points_by_frame(clip)
    assert "75 faces" in called("faces", tmp_path / "faces", "--edit-out", table).output
    assert "0 faces put right" in called("faces", tmp_path / "faces", "--edit", table).output
    picture = next((tmp_path / "faces" / PICTURES).glob("00-000020-*"))
    before = picture.read_bytes()
    _move(table, {15: 4.0, 25: 8.0})
    assert "2 faces put right, 5 pictures" in called("faces", tmp_path / "faces", "--edit", table).output
    now = _points_by_frame(clip)
    right = [float((now[frame] - was[frame])[:, 0].mean()) for frame in (5, 15, 20, 25, 40)]
    assert right == pytest.approx([0, 4, 6, 8, 0], abs=0.2)
    assert picture.read_bytes() != before
    row = next(row for row in read_rows(tmp_path / "faces") if row.frame == 25)
    assert row.crop_from_frame is not None
    assert transform(invert(row.crop_from_frame), row.landmarks) == pytest.approx(now[25], abs=0.01)
    with pytest.raises(ArtefactError, match=r"corrections\.0 differ"):
        extract([clip], tmp_path / "faces", OPTIONS)


@pytest.mark.footage
def test_a_clip_is_edited_without_a_face_set_and_an_empty_line_takes_it_back(clip: Path, tmp_path: Path) -> None:
    table = tmp_path / "edit.json"
    called("faces", clip, "--edit-out", table)
    lines = json.loads(table.read_text())
    lines[30]["mask"] = [[100, 100], [200, 100], [150, 200]]
    table.write_text(json.dumps(lines))
    assert "1 faces put right" in called("faces", clip, "--edit", table).output
    with analyse(clip, cache_folder()) as faces:
        outline = faces.faces_at(30)[0].outline
        assert outline is not None
        assert outline.tolist() == [[100, 100], [200, 100], [150, 200]]
        assert len(faces.openings(0)[0]) == 75
    table.write_text(json.dumps([{"frame": 30, "track": 0}]))
    assert "1 faces put right" in called("faces", clip, "--edit", table).output
    assert corrections_of(clip) == []
    with pytest.raises(UsageError, match="no frame 900"):
        take_edits(clip, {0: read_table(_one(tmp_path, 900))[0]})
    assert called("faces", clip).exit_code == 2


def _one(folder: Path, frame: int) -> Path:
    table = folder / "one.csv"
    table.write_text(f"frame,track,landmarks\n{frame},0,{POINTS}\n")
    return table


def _points_by_frame(clip: Path) -> dict[int, np.ndarray]:
    with analyse(clip, cache_folder()) as faces:
        return {index: found[0].landmarks for index, _, found in faces.iter()}


def _move(table: Path, right_px: dict[int, float]) -> None:
    """Move the landmarks of some frames to the right, and leave their boxes to be found."""
    with table.open(newline="") as file:
        lines = list(csv.DictReader(file))
    for line in lines:
        if int(line["frame"]) in right_px:
            numbers = np.array(line["landmarks"].split(), dtype=float)
            numbers[::2] += right_px[int(line["frame"])]
            line["landmarks"], line["box"] = " ".join(map(str, numbers)), ""
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
