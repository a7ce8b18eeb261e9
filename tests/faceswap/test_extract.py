"""Extraction on real footage: clips, pictures, resuming, adding, rehearsing; what is set aside and why."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceswap.extract import append, extract, rehearse
from faceswap.faceset import load_faceset
from faceswap.options import ExtractOptions
from faceswap.rows import ASIDE, COVERAGE, PICTURES, SHEET, FaceRow, read_clips, read_rows, usable, write_rows
from faceswap.shelf import drop, undo
from faceswap.survey import cut
from shared.errors import ArtefactError, NoFaceError, UsageError
from shared.picture.image import read_image, write_png

pytestmark = [pytest.mark.footage, pytest.mark.usefixtures("weights")]
ALL = ExtractOptions(every=3, alike=0)


@pytest.fixture(scope="module")
def clips(footage: Path) -> tuple[Path, Path]:
    hq = footage / "train" / "grid_s1" / "hq"
    return hq / "bbaf2n.mp4", hq / "bbas3a.mp4"


def test_a_real_clip_becomes_a_face_set(
    clips: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    report = extract(clips[:1], tmp_path / "faces", ALL)
    assert (report.frames, report.with_face, report.faces, report.people) == (75, 75, 25, (25,))
    rows = usable(tmp_path / "faces")
    assert [row.frame for row in rows] == list(range(0, 75, 3))
    eyes = np.array([row.landmarks[36:48].mean(axis=0) for row in rows])
    assert np.abs(eyes - [127.5, 82]).max() < 8  # upright and in their place
    assert read_image(tmp_path / "faces" / PICTURES / rows[0].name).shape == (256, 256, 3)
    assert read_image(tmp_path / "faces" / SHEET).shape[1] > 1000
    assert read_image(tmp_path / "faces" / COVERAGE).shape[1] > 1000
    assert load_faceset(tmp_path / "faces", 96).crops.shape == (25, 4, 96, 96)
    assert all(0.02 < row.misfit < 0.1 and 55 < row.light < 75 for row in rows)

    assert extract(clips[:1], tmp_path / "faces", ALL).reused
    with pytest.raises(ArtefactError, match=r"options\.every differ"):
        extract(clips[:1], tmp_path / "faces", replace(ALL, every=4))
    with pytest.raises(NoFaceError, match=r"no usable face.*25 small"):
        extract(clips[:1], tmp_path / "few", replace(ALL, least_size_px=500))
    assert not list(tmp_path.glob("*few*"))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_every_considered_face_has_a_row_and_only_the_kept_a_picture(clips: tuple[Path, Path], tmp_path: Path) -> None:
    extract(clips[:1], tmp_path / "faces", ExtractOptions(most=20))
    rows = read_rows(tmp_path / "faces")
    pictures = {path.name for path in (tmp_path / "faces" / PICTURES).iterdir()}
    assert len(rows) == 75
    assert {row.name for row in rows if row.kept} == pictures
    assert len(pictures) == 20
    assert {row.why for row in rows if not row.kept} == {"alike", "thinned"}


def test_an_interrupted_extraction_goes_on_inside_the_clip(
    clips: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(done: float, total: float, label: str) -> None:  # noqa: ARG001 - a progress callback
        if label.startswith("cutting") and done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(clips[:1], tmp_path / "faces", ALL, interrupted)
    cuts: list[float] = []
    monkeypatch.setattr("faceswap.extract.cut", lambda *given: cuts.append(cut(*given)))
    report = extract(clips[:1], tmp_path / "faces", ALL)
    assert cuts == [15]
    assert report.faces == 25
    assert not list(tmp_path.glob(".*partial"))


@pytest.mark.parametrize("revision", ["REVISION", "CROP_REVISION"])
def test_an_extraction_does_not_go_on_where_another_version_stopped(
    clips: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    extract(clips[:1], tmp_path / "faces", ALL)
    monkeypatch.setattr(f"faceswap.extract.{revision}", 1000)
    with pytest.raises(ArtefactError, match="revision differ"):
        extract(clips[:1], tmp_path / "faces", ALL)


def test_added_clips_leave_what_is_there_and_are_added_once(clips: tuple[Path, Path], tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    extract(clips[:1], folder, ALL)
    before = {row.name: row for row in read_rows(folder)}
    (folder / PICTURES / next(iter(before))).unlink()
    report = append(clips, folder, ALL)
    rows = read_rows(folder)
    assert [clip.number for clip in read_clips(folder)] == [0, 1]
    assert sum(row.clip == 1 and row.kept for row in rows) == 25
    assert report.faces == len(usable(folder)) == 49  # the deleted one stays deleted
    assert append(clips, folder, ALL).reused
    with pytest.raises(UsageError, match="256 px wide"):
        append([clips[1].with_name("bbaz7a.mp4")], folder, replace(ALL, crop_px=128))


def test_added_faces_have_the_number_of_their_person_in_the_set(clips: tuple[Path, Path], tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    extract(clips[:1], folder, ALL)
    write_rows(folder, [replace(row, person=3) for row in read_rows(folder)], read_clips(folder))
    append(clips[1:], folder, ALL)
    assert {row.person for row in usable(folder)} == {3}


def test_an_interrupted_addition_keeps_what_was_deleted_noted_and_decided_meanwhile(
    clips: tuple[Path, Path], tmp_path: Path
) -> None:
    def interrupted(done: float, total: float, label: str) -> None:  # noqa: ARG001 - a progress callback
        if label.startswith("cutting") and done == 10:
            raise KeyboardInterrupt

    folder = tmp_path / "faces"
    extract(clips[:1], folder, ALL)
    first, second = usable(folder)[:2]
    drop(folder, [second])
    (folder / "gone.txt").write_text("not for long")
    with pytest.raises(KeyboardInterrupt):
        append(clips, folder, ALL, interrupted)
    (folder / PICTURES / first.name).unlink()
    (folder / "gone.txt").unlink()
    (folder / "notes.txt").write_text("mine")
    report = append(clips, folder, ALL)
    assert not (folder / PICTURES / first.name).exists()
    assert (report.faces, len(usable(folder))) == (48, 48)
    assert (folder / "notes.txt").read_text() == "mine"
    assert not (folder / "gone.txt").exists()
    assert undo(folder) == 1  # what was dropped by hand before
    assert len(usable(folder)) == 49


def test_somebody_else_s_clip_is_not_added(clips: tuple[Path, Path], footage: Path, tmp_path: Path) -> None:
    extract(clips[:1], tmp_path / "faces", ALL)
    other = footage / "train" / "obama_pd" / "disclose2010_640x480.mp4"
    with pytest.raises(NoFaceError, match="the person of the face set is not in the clips"):
        append([other], tmp_path / "faces", ALL)
    assert len(usable(tmp_path / "faces")) == 25


def test_a_rehearsal_writes_nothing_and_tells_every_reason(clips: tuple[Path, Path], tmp_path: Path) -> None:
    report = rehearse(clips[:1], tmp_path / "faces", replace(ALL, every=1, most_yaw_deg=3))
    assert list(tmp_path.iterdir()) == []
    turned = [row for row in report.rows if row.why == "turned"]
    assert report.dropped["turned"] == len(turned) > 0
    assert all(abs(row.yaw_deg) > 3 for row in turned)


def test_folders_of_pictures_are_footage_too(clips: tuple[Path, Path], tmp_path: Path) -> None:
    extract(clips[:1], tmp_path / "faces", ALL)
    (tmp_path / "photos").mkdir()
    for number, row in enumerate(usable(tmp_path / "faces")[::4]):
        shutil.copy(tmp_path / "faces" / PICTURES / row.name, tmp_path / "photos" / f"{number}.png")
    (tmp_path / "photos" / "broken.png").write_bytes(b"no picture")
    write_png(tmp_path / "photos" / "empty.png", np.full((200, 300, 3), 90, np.uint8))
    report = extract([tmp_path / "photos", clips[1]], tmp_path / "both", ALL)
    rows = read_rows(tmp_path / "both")
    assert (report.frames, report.damaged) == (9 + 75, 1)
    assert [row.why for row in rows if row.clip == 0] == [""] * 7
    assert sum(row.clip == 1 and row.kept for row in rows) == 25


def test_hands_and_boxes_in_front_of_a_face_are_set_aside(footage: Path, tmp_path: Path) -> None:
    clip = footage / "hard" / "derived" / "mouth_occluded_1s_to_2s.mp4"
    extract([clip], tmp_path / "faces", ExtractOptions(alike=0))
    aside = [row for row in read_rows(tmp_path / "faces") if row.why in ("covered", "tinted")]
    assert len(aside) >= 25
    assert {"covered"} <= {row.why for row in aside}
    assert 0.9 < min(row.time_s for row in aside) < max(row.time_s for row in aside) < 2.1
    for row in aside:
        assert (tmp_path / "faces" / ASIDE / row.why / row.name).is_file()


def test_references_say_who_is_wanted_and_who_is_not(footage: Path, tmp_path: Path) -> None:
    clip = footage / "hard" / "derived" / "two_people_right_speaks.mp4"
    options = ExtractOptions(every=5, alike=0)
    extract([clip], tmp_path / "most", options)
    first = {row.track for row in usable_rows(tmp_path / "most")}
    (tmp_path / "photos").mkdir()
    for number, row in enumerate(usable_rows(tmp_path / "most")[:3]):
        shutil.copy(tmp_path / "most" / PICTURES / row.name, tmp_path / "photos" / f"{number}.png")
    extract([clip], tmp_path / "same", replace(options, person=(tmp_path / "photos",)))
    assert {row.track for row in usable_rows(tmp_path / "same")} == first
    extract([clip], tmp_path / "other", replace(options, not_person=(tmp_path / "photos",)))
    other = usable_rows(tmp_path / "other")
    assert other
    assert first.isdisjoint({row.track for row in other})
    assert {row.why for row in read_rows(tmp_path / "other") if row.track in first} == {"unwanted"}
    extract([clip], tmp_path / "both", replace(options, person="all"))
    assert {row.person for row in usable_rows(tmp_path / "both")} == {0, 1}
    with pytest.raises(NoFaceError, match="the person of the reference pictures is not in the clips"):
        foreign = footage / "train" / "obama_pd" / "disclose2010_640x480.mp4"
        extract([foreign], tmp_path / "none", replace(options, person=(tmp_path / "photos",)))


def usable_rows(folder: Path) -> list[FaceRow]:
    """The kept rows, however few."""
    return [row for row in read_rows(folder) if row.kept]
