"""Extraction: which faces stay and why, and the real thing on footage."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceswap.extract import _judge, _Seen, _thin, extract
from faceswap.faceset import load_faceset
from faceswap.options import ExtractOptions
from faceswap.rows import PICTURES, SHEET, read_rows, usable
from shared.errors import ArtefactError, NoFaceError
from shared.picture.image import read_image
from tests.faceswap.drawn import face_of, face_points

OPTIONS = ExtractOptions()


def seen(count: int = 10) -> list[_Seen]:
    return [_Seen(n, n / 25, face_of(face_points((100, 100), 90))) for n in range(count)]


def test_each_filter_names_its_reason_and_a_good_face_has_none() -> None:
    faces = seen()
    faces[1] = replace(faces[1], face=face_of(face_points((100, 100), 30)))
    faces[2] = replace(faces[2], face=replace(faces[2].face, pose_deg=(-70.0, 0.0, 0.0)))
    faces[3] = replace(faces[3], face=replace(faces[3].face, pose_deg=(0.0, 50.0, 0.0)))
    faces[4] = replace(faces[4], face=replace(faces[4].face, presence=0.2))
    faces[5] = replace(faces[5], face=replace(faces[5].face, sharpness=20.0))
    rows = _judge(faces, 0, OPTIONS)
    assert [row.why for row in rows] == ["", "small", "turned", "turned", "uncertain", "blurred", "", "", "", ""]
    assert [row.kept for row in rows] == [not row.why for row in rows]


def test_roll_is_no_reason_since_crops_are_turned_upright() -> None:
    faces = [replace(one, face=replace(one.face, pose_deg=(0.0, 0.0, 120.0))) for one in seen(3)]
    assert all(row.kept for row in _judge(faces, 0, OPTIONS))


def test_thinning_spreads_what_stays_evenly() -> None:
    rows = _thin(_judge(seen(100), 0, OPTIONS), 5)
    assert [row.frame for row in rows if row.kept] == [0, 25, 50, 74, 99]
    assert {row.why for row in rows if not row.kept} == {"thinned"}


def test_names_tell_clip_frame_and_track_apart() -> None:
    rows = _judge(seen(3), 7, OPTIONS)
    assert [row.name for row in rows] == ["07-000000-000.png", "07-000001-000.png", "07-000002-000.png"]


@pytest.mark.footage
@pytest.mark.usefixtures("weights")
def test_a_real_clip_becomes_a_face_set(footage: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = footage / "train" / "grid_s1" / "hq" / "bbaf2n.mp4"
    options = ExtractOptions(every=3)
    report = extract([clip], tmp_path / "faces", options)
    assert (report.frames, report.with_face, report.faces) == (75, 75, 25)
    rows = usable(tmp_path / "faces")
    assert [row.frame for row in rows] == list(range(0, 75, 3))
    eyes = np.array([row.landmarks[36:48].mean(axis=0) for row in rows])
    assert np.abs(eyes - [127.5, 82]).max() < 8  # upright and in their place
    assert read_image(tmp_path / "faces" / PICTURES / rows[0].name).shape == (256, 256, 3)
    assert read_image(tmp_path / "faces" / SHEET).shape[1] > 1000
    loaded = load_faceset(tmp_path / "faces", 96)
    assert loaded.crops.shape == (25, 4, 96, 96)

    assert extract([clip], tmp_path / "faces", options).reused
    with pytest.raises(ArtefactError, match=r"options\.every differ"):
        extract([clip], tmp_path / "faces", ExtractOptions(every=4))
    with pytest.raises(NoFaceError, match=r"no usable face.*25 small"):
        extract([clip], tmp_path / "few", replace(options, least_size_px=500))
    assert not (tmp_path / "few").exists()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.footage
@pytest.mark.usefixtures("weights")
def test_every_considered_face_has_a_row_and_only_the_kept_a_picture(footage: Path, tmp_path: Path) -> None:
    clip = footage / "train" / "grid_s1" / "hq" / "bbaf2n.mp4"
    extract([clip], tmp_path / "faces", ExtractOptions(most=20))
    rows = read_rows(tmp_path / "faces")
    pictures = {path.name for path in (tmp_path / "faces" / PICTURES).iterdir()}
    assert len(rows) == 75
    assert {row.name for row in rows if row.kept} == pictures
    assert len(pictures) == 20
