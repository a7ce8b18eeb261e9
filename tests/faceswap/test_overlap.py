"""The pair check: what one set lacks of the other, in numbers, in words and in a picture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from faceswap.faceset import middles
from faceswap.overlap import compare
from faceswap.overlap_sheet import COLOURS, pair_sheet
from faceswap.rows import FaceRow, read_rows, write_rows
from shared.cli import root
from shared.picture.image import read_image
from tests.faceswap.drawn import make_faceset


def change(folder: Path, **measures: object) -> Path:
    """Give the faces of a set these measures; a callable is called with the face's number."""
    rows = []
    for number, row in enumerate(read_rows(folder)):
        given = {name: value(number) if callable(value) else value for name, value in measures.items()}
        rows.append(replace(row, **given))  # type: ignore[arg-type]
    write_rows(folder, rows)
    return folder


KNOWN = {"light": 50.0, "side_light": 0.0, "top_light": 0.0, "mouth": 0.1, "smile": 0.5, "eyes": 0.3, "brows": 0.2}


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    made = (make_faceset(tmp_path / name, (200, 150, 120), 24, seed=3) for name in ("ben", "ada"))
    first, second = (change(folder, **KNOWN) for folder in made)
    return first, second


def test_two_equal_sets_lack_nothing(pair: tuple[Path, Path]) -> None:
    check = compare(*pair)
    assert all(both == pytest.approx((1.0, 1.0)) for both in check.scores.values())
    assert check.missing == ()
    assert "gaps" not in check.summary


def test_a_head_that_turns_further_is_asked_for_of_the_other(pair: tuple[Path, Path]) -> None:
    first, second = pair
    change(first, yaw_deg=lambda number: float(number * 2))
    check = compare(first, second)
    mine, other = check.scores["pose"]
    assert mine == pytest.approx(5 / 24)  # 0, 2, 4, 6 and 8 degrees are near
    assert other == 1.0
    (gap,) = check.missing
    assert gap.startswith("ada needs footage turned to the picture's right, to 28 deg (it ends at 0 deg; 79% of ben's")
    assert "pose 21%" in check.summary
    assert "1 gaps" in check.summary


@pytest.mark.parametrize(
    ("measure", "value", "said"),
    [
        ("mouth", 0.4, "with the mouth wide open"),
        ("light", 20.0, "in darker light"),
        ("side_light", -20.0, "lit from the picture's left"),
        ("eyes", 0.0, "with the eyes closed"),
        ("size_px", 400.0, "needs closer footage"),
        ("sharpness", 900.0, "needs sharper footage"),
    ],
)
def test_each_gap_has_its_words(pair: tuple[Path, Path], measure: str, value: float, said: str) -> None:
    change(pair[0], **{measure: value})
    assert any(gap.startswith("ada") and said in gap for gap in compare(*pair).missing)


@pytest.mark.parametrize(
    ("apart", "said"),
    [
        ((-6.0, 0.0), "looking to the picture's left"),
        ((6.0, 0.0), "looking to the picture's right"),
        ((0.0, 6.0), "looking down under the lids"),
    ],
)
def test_who_looks_where_the_other_never_does_is_named(
    pair: tuple[Path, Path], apart: tuple[float, float], said: str
) -> None:
    for folder, moved in zip(pair, (apart, (0.0, 0.0)), strict=True):
        rows = read_rows(folder)
        looking = [replace(row, irises=middles(row.landmarks) + np.array(moved, np.float32)) for row in rows]
        write_rows(folder, looking)
    check = compare(*pair)
    assert check.scores["gaze"] == pytest.approx((0.0, 0.0))
    assert any(gap.startswith("ada") and said in gap for gap in check.missing)
    write_rows(pair[0], [replace(row, irises=None) for row in read_rows(pair[0])])
    assert "gaze" not in compare(*pair).scores  # an older set does not tell it


def test_a_broader_face_scores_less_in_shape(pair: tuple[Path, Path]) -> None:
    rows = read_rows(pair[0])
    broad = [replace(row, landmarks=_broader(row)) for row in rows]
    write_rows(pair[0], broad)
    assert compare(*pair).scores["shape"][0] < 0.9


def test_what_an_old_set_did_not_measure_is_measured(tmp_path: Path) -> None:
    old = make_faceset(tmp_path / "old", (200, 150, 120), 24, seed=3)
    dark = make_faceset(tmp_path / "dark", (80, 60, 50), 24, seed=3)
    check = compare(old, dark)
    assert check.scores["light"] == (0.0, 0.0)
    assert any("dark needs footage in brighter light" in gap for gap in check.missing)


def test_the_picture_shows_both(pair: tuple[Path, Path], tmp_path: Path) -> None:
    change(pair[0], yaw_deg=30.0)
    sheet = pair_sheet(compare(*pair))
    assert all((np.abs(sheet.astype(int) - colour).max(axis=2) < 60).any() for colour in COLOURS)
    called = ["faces", str(pair[0]), "--against", str(pair[1]), "--sheet", str(tmp_path / "pair.png"), "--json"]
    result = CliRunner().invoke(root, called)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["scores"]["pose"]["first_in_second"] == 0.0
    assert read_image(tmp_path / "pair.png").shape == sheet.shape


def test_train_says_it_in_one_line_and_checks_alone_when_asked(pair: tuple[Path, Path], tmp_path: Path) -> None:
    command = ["train", *map(str, pair), "-o", str(tmp_path / "model")]
    checked = CliRunner().invoke(root, [*command, "--check"])
    assert checked.exit_code == 0, checked.output
    assert "resolution" in checked.stdout
    assert not (tmp_path / "model").exists()
    trained = CliRunner().invoke(root, [*command, "--steps", "1", "--batch", "1"])
    assert trained.exit_code == 0, trained.output
    assert "pair check: pose 100%" in trained.stderr


def _broader(row: FaceRow) -> np.ndarray:
    points = row.landmarks.copy()
    middle = points[:17, 0].mean()
    points[:17, 0] = middle + (points[:17, 0] - middle) * 1.3
    return points
