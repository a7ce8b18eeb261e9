"""The mouth curve's table: what can be read, and the doors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lipsync.controls import controls_of
from lipsync.curve import COLUMNS, basis_name, read_curve, write_curve
from lipsync.predict import MouthTrack
from lipsync.voice import Voice
from shared.errors import MediaError, UsageError


def written(tmp_path: Path, text: str, name: str = "curve.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_any_columns_in_any_order_are_read(tmp_path: Path) -> None:
    table = read_curve(written(tmp_path, "\ufeffviseme,time_s,opening_mm\nd,1.5,\n,0.5,3.25\n"))
    np.testing.assert_array_equal(table.times_s, [0.5, 1.5])
    np.testing.assert_array_equal(table.controls_mm, [[3.25, np.nan], [np.nan, np.nan]])
    assert table.visemes == ("", "D")
    assert np.isnan(table.shapes).all()


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_table_that_went_through_a_spreadsheet_is_read(tmp_path: Path, mark: str) -> None:
    lines = ["time_s,opening_mm,viseme", "0.5,3,C"]
    text = "\r\n".join(line.replace(",", mark) for line in lines).replace("0.5", "0,5")
    table = read_curve(written(tmp_path, text))
    assert (table.times_s[0], table.controls_mm[0, 0], table.visemes) == (0.5, 3.0, ("C",))


def test_json_rows_are_read_as_a_list_or_in_an_object(tmp_path: Path) -> None:
    rows = [{"time_s": 0.5, "width_mm": 48}]
    for name, content in (("a.json", rows), ("b.json", {"rows": rows})):
        table = read_curve(written(tmp_path, json.dumps(content), name))
        np.testing.assert_array_equal(table.controls_mm, [[np.nan, 48]])


def test_cues_of_rhubarb_hold_their_viseme_inside_their_ends(tmp_path: Path) -> None:
    cues = [{"start": 0.0, "end": 0.5, "value": "X"}, {"start": 0.5, "end": 0.55, "value": "A"}]
    table = read_curve(written(tmp_path, json.dumps({"metadata": {}, "mouthCues": cues}), "cues.json"))
    assert set(table.visemes) == {"X", "A"}
    held = table.times_s[[viseme == "X" for viseme in table.visemes]]
    assert 0.0 < held[0] <= 0.04
    assert 0.46 <= held[-1] < 0.5
    assert np.diff(table.times_s).max() <= 0.08  # so that neighbours meet at the usual blend
    assert table.times_s[list(table.visemes).index("A")] == pytest.approx(0.525)


@pytest.mark.parametrize("name", ["curve.csv", "curve.json"])
def test_a_written_curve_names_its_basis_and_all_columns(voice: Voice, tmp_path: Path, name: str) -> None:
    track = MouthTrack(np.arange(3) / 100, voice.shapes[[0, 30, 59]], np.array([1, 0, 0], dtype=np.float32))
    write_curve(tmp_path / name, track, controls_of(voice), voice.basis)
    table = read_curve(tmp_path / name)
    assert table.basis == basis_name(voice.basis)
    assert table.visemes[0] == "X"
    assert table.visemes[2] == "D"
    np.testing.assert_allclose(table.controls_mm[:, 0], [0.0, 10.0 * 60 / 59, 20.0], atol=0.05)
    np.testing.assert_allclose(table.shapes, track.shapes, atol=1e-5)
    if name.endswith("csv"):
        assert (tmp_path / name).read_text().splitlines()[0] == ",".join(COLUMNS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("opening_mm\n3\n", "time_s"),
        ("time_s,loudness\n1,3\n", "knows opening_mm"),
        ("time_s,opening_mm\n1,3\nsoon,4\n", "row 2"),
        ("time_s,opening_mm\n1,wide\n", "row 1"),
        ("time_s,opening_mm\n1,nan\n", "row 1"),
        ("time_s,opening_mm\n1,3\n1.0,4\n", "twice"),
        ("time_s,opening_mm\n-1,3\n", "up to 86400"),
        ("time_s,opening_mm\n1e9,3\n", "up to 86400"),
        ("time_s,viseme\n1,Q\n", "viseme Q"),
        ("time_s,width_mm\n1,0\n", "width_mm"),
        ("time_s,shape_01\n1,0.5\n", "20 numbers"),
        ("time_s,opening_mm\n", "no rows"),
    ],
)
def test_what_is_not_understood_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_curve(written(tmp_path, text))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.csv or \.json"):
        read_curve(written(tmp_path, "", "curve.txt"))
    with pytest.raises(UsageError, match="not understood"):
        read_curve(written(tmp_path, "{", "curve.json"))
    with pytest.raises(UsageError, match="is no text"):
        (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
        read_curve(tmp_path / "binary.csv")
    with pytest.raises(MediaError, match="no such file"):
        read_curve(tmp_path / "gone.csv")
