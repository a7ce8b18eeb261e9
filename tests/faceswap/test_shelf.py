"""Face sets put in order: chosen, dropped, taken back, undone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from faceswap.choose import chosen, in_order
from faceswap.extract import extract
from faceswap.footage import digest_of
from faceswap.options import ExtractOptions
from faceswap.rows import ASIDE, PICTURES, ClipRow, read_rows, usable, write_rows
from faceswap.shelf import drop, export, faces_in, keep, take_decisions, undo
from shared.cli import root
from shared.errors import ArtefactError, MediaError, UsageError
from shared.picture.image import read_image, write_png
from shared.store.fingerprint import MANIFEST
from tests.faceswap.drawn import make_faceset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_faceset(tmp_path / "faces", (200, 150, 120), 24, seed=3)


def called(*arguments: object) -> Result:
    return CliRunner().invoke(root, [str(argument) for argument in arguments])


def names(rows: object) -> list[str]:
    return [row.name for row in rows]  # type: ignore[attr-defined]


def test_conditions_choose_and_all_must_hold(folder: Path) -> None:
    rows = faces_in(folder)
    assert len(chosen(rows, ["frame>=4", "frame<8"])) == 4
    assert names(chosen(rows, ["name=000003.png"])) == ["000003.png"]
    assert chosen(rows, ["light>0"]) == []  # nobody measured it
    assert len(chosen(rows, ["kept=true"])) == 24
    for wrong, said in (("yaw", "say a measure"), ("nose>1", "no measure is called nose"), ("yaw>far", "no number")):
        with pytest.raises(UsageError, match=said):
            chosen(rows, [wrong])


def test_rows_are_put_in_order_with_the_unknown_last(folder: Path) -> None:
    rows = [replace(row, sharpness=float(-row.frame)) for row in faces_in(folder)]
    rows[5] = replace(rows[5], sharpness=float("nan"))
    ordered = in_order(rows, "blur")
    assert names(ordered)[:2] == ["000023.png", "000022.png"]
    assert names(ordered)[-1] == "000005.png"
    assert names(in_order(rows, "blur", falling=True))[0] == "000000.png"


def test_a_drop_moves_the_picture_aside_and_can_be_undone(folder: Path) -> None:
    assert drop(folder, chosen(faces_in(folder), ["frame<3"])) == 3
    assert len(usable(folder)) == 21
    assert len(list((folder / ASIDE / "by-hand").iterdir())) == 3
    assert drop(folder, chosen(faces_in(folder), ["frame=5"])) == 1
    assert undo(folder) == 1
    assert len(usable(folder)) == 21
    assert undo(folder) == 3
    assert len(usable(folder)) == 24
    assert undo(folder) == 0
    assert not list((folder / ASIDE).glob("*/*"))


def test_what_was_dropped_is_taken_back_and_that_is_undone(folder: Path) -> None:
    drop(folder, faces_in(folder)[:4])
    assert keep(folder, [row for row in faces_in(folder) if not row.kept][:2]) == 2
    assert len(usable(folder)) == 22
    assert undo(folder) == 2
    assert len(usable(folder)) == 20


def test_a_deleted_picture_counts_as_dropped(folder: Path) -> None:
    (folder / PICTURES / "000004.png").unlink()
    gone = [row for row in faces_in(folder) if not row.kept]
    assert [(row.name, row.why) for row in gone] == [("000004.png", "deleted")]
    with pytest.raises(ArtefactError, match=r"does not say what 000004\.png was cut from"):
        keep(folder, gone)


@pytest.mark.footage
@pytest.mark.usefixtures("weights")
def test_deleted_and_thinned_faces_are_cut_from_their_clip_again(footage: Path, tmp_path: Path) -> None:
    clip = footage / "train" / "grid_s1" / "hq" / "bbaf2n.mp4"
    extract([clip], tmp_path / "faces", ExtractOptions(most=20))
    before = {path.name: path.read_bytes() for path in (tmp_path / "faces" / PICTURES).iterdir()}
    first = min(before)
    (tmp_path / "faces" / PICTURES / first).unlink()
    rows = chosen([row for row in faces_in(tmp_path / "faces") if not row.kept], ["why!=alike"])
    assert keep(tmp_path / "faces", rows) == len(rows) > 1
    assert (tmp_path / "faces" / PICTURES / first).read_bytes() == before[first]
    assert len(usable(tmp_path / "faces")) == 19 + len(rows)


@pytest.mark.footage
@pytest.mark.usefixtures("weights")
def test_exported_pictures_are_imported_into_another_set(footage: Path, tmp_path: Path) -> None:
    hq = footage / "train" / "grid_s1" / "hq"
    for name in ("bbaf2n", "bbas3a"):
        extract([hq / f"{name}.mp4"], tmp_path / name, ExtractOptions(every=3, alike=0))
    assert "25 pictures" in called("faces", tmp_path / "bbas3a", "--export", tmp_path / "out").output
    added = called("faces", tmp_path / "bbaf2n", "--import", tmp_path / "out", "--json", "-q")
    assert added.exit_code == 0, added.output
    assert 25 < json.loads(added.stdout)["faces"] <= 50  # those alike are thinned
    assert len(usable(tmp_path / "bbaf2n")) == json.loads(added.stdout)["faces"]


@pytest.fixture
def of_photos(folder: Path, tmp_path: Path) -> Path:
    """A face set that says it was cut from a folder of pictures."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(24):
        write_png(photos / f"{number:02d}.png", np.full((64, 64, 3), 10 * number, np.uint8))
    rows = [replace(row, crop_from_frame=np.eye(3)) for row in read_rows(folder)]
    write_rows(folder, rows, [ClipRow(0, str(photos), digest_of(photos), 24, 24, 0)])
    told = json.loads((folder / MANIFEST).read_text())
    told["details"]["crop_px"] = 64
    (folder / MANIFEST).write_text(json.dumps(told))
    return photos


def test_a_deleted_face_is_cut_from_its_own_photo_again(folder: Path, of_photos: Path) -> None:
    (folder / PICTURES / "000004.png").unlink()
    assert keep(folder, [row for row in faces_in(folder) if not row.kept]) == 1
    assert int(read_image(folder / PICTURES / "000004.png")[5, 5, 0]) == 40
    (folder / PICTURES / "000004.png").unlink()
    (of_photos / "02.png").unlink()
    with pytest.raises(MediaError, match=r"its pictures are not those .* 000004\.png is to be cut"):
        keep(folder, [row for row in faces_in(folder) if not row.kept])
    assert not (folder / PICTURES / "000004.png").exists()


@pytest.mark.parametrize(("yes", "no"), [("1.0", "0.0"), ("True", "False"), ("yes", "No"), (" 1", "0 ")])
def test_a_table_may_say_yes_and_no_as_other_tools_write_them(folder: Path, tmp_path: Path, yes: str, no: str) -> None:
    table = tmp_path / "faces.csv"
    table.write_text(f"name,kept\n000001.png,{yes}\n000002.png,{no}\n")
    assert take_decisions(folder, table) == (1, 0)


@pytest.mark.parametrize("word", ["maybe", "2", ""])
def test_a_table_that_says_anything_else_changes_nothing(folder: Path, tmp_path: Path, word: str) -> None:
    table = tmp_path / "faces.csv"
    table.write_text(f"name,kept\n000001.png,0\n000002.png,{word}\n")
    with pytest.raises(UsageError, match="the column kept says"):
        take_decisions(folder, table)
    assert len(usable(folder)) == 24


def test_decisions_come_back_from_a_table(folder: Path, tmp_path: Path) -> None:
    assert export(folder, faces_in(folder), tmp_path / "out") == 24
    table = tmp_path / "out" / "faces.csv"
    lines = table.read_text().splitlines()
    place = lines[0].split(",").index("kept")
    for number in (3, 4):
        cells = lines[number].split(",")
        lines[number] = ",".join([*cells[:place], "0", *cells[place + 1 :]])
    table.write_text("\n".join(lines))
    assert take_decisions(folder, table) == (2, 0)
    assert names(row for row in faces_in(folder) if not row.kept) == ["000002.png", "000003.png"]
    table.write_text("name,kept\nnobody.png,0\n")
    with pytest.raises(UsageError, match=r"nobody\.png"):
        take_decisions(folder, table)
    with pytest.raises(UsageError, match="not empty"):
        export(folder, faces_in(folder), tmp_path / "out")


def test_the_command_lists_drops_and_undoes(folder: Path, tmp_path: Path) -> None:
    found = called("faces", folder, "--where", "frame>20", "--sort", "yaw", "--json", "--sheet", tmp_path / "sheet.png")
    assert found.exit_code == 0, found.output
    answer = json.loads(found.stdout)
    assert (answer["faces"], answer["chosen"], len(answer["rows"])) == (24, 3, 3)
    assert (tmp_path / "sheet.png").is_file()
    assert "3 faces dropped" in called("faces", folder, "--where", "frame>20", "--drop").output
    assert "dropped: 3 by-hand" in called("faces", folder).output
    assert "3 faces as before" in called("faces", folder, "--undo").output
    assert "3 faces taken back" not in called("faces", folder, "--where", "frame>20", "--keep").output


def test_actions_that_do_not_go_together_are_refused(folder: Path, tmp_path: Path) -> None:
    assert called("faces", folder, "--drop").exit_code == 2
    assert called("faces", folder, "--undo", "--split", tmp_path / "x").exit_code == 2
    assert called("faces", folder, "--merge", folder).exit_code == 2
    assert called("faces", tmp_path / "nowhere").exit_code == 7
    assert not list(tmp_path.glob(".nowhere*"))
