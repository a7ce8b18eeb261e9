"""Steps, table and page of the demo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from shared.cli import root
from shared.demo import measure
from shared.demo.measure import Row, as_json
from shared.demo.page import COLUMNS, LEGEND, table, write_page
from shared.demo.steps import Steps
from shared.progress import silent
from shared.types import Face


def _row(name: str, value: float) -> Row:
    figures = {key: value for key, _, _ in COLUMNS}
    return Row(clip=name, frames=10, with_face=9, closures=8, **figures)


def test_steps_are_numbered_and_the_time_left_follows_how_the_first_ones_went(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("shared.demo.steps.time.monotonic", lambda: now[0])
    said: list[str] = []
    shown: list[tuple[float, float, str]] = []
    steps = Steps({"cut": 10.0, "sew": 30.0}, lambda *seen: shown.append(seen), said.append)
    with steps.step("cut") as progress:
        progress(1, 2, "cutting")
        now[0] += 20.0
    with steps.step("sew"):
        now[0] += 5.0
    assert shown == [(1, 2, "[1/2] cutting")]
    assert said == ["[1/2] cut; in all about 0:40 min to go", "[2/2] sew; in all about 1:00 min to go"]
    assert steps.timings_s == {"cut": 20.0, "sew": 5.0}
    assert steps.total_s == 25.0


def test_the_table_has_a_line_a_clip_and_a_dash_where_there_is_no_figure() -> None:
    lines = table(as_json([_row("target", 0.5), _row("out", float("nan"))])).splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("target")
    assert lines[1].count("0.5") >= 6
    assert lines[2].split()[1:] == ["-"] * len(COLUMNS)
    assert len({len(line) for line in lines}) == 1


def test_the_page_names_what_it_shows_and_escapes_what_it_is_told(tmp_path: Path) -> None:
    answer = {
        "cast": {
            "statement": "drawn <actors>",
            "first_cosine_to_portraits": {"one": 0.1},
            "second_cosine_to_portraits": {"two": 0.2},
            "first_cosine_to_second": 0.25,
        },
        "rows": as_json([_row("target", 0.5)]),
        "total_s": 12.0,
    }
    write_page(tmp_path / "report.html", answer)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "drawn &lt;actors&gt;" in text
    assert 'src="compare.mp4"' in text
    assert "one 0.10" in text
    assert LEGEND.split(";", maxsplit=1)[0] in text


def test_figures_are_rounded_and_not_numbers_become_none() -> None:
    (row,) = as_json([_row("clip", 1 / 3)])
    assert row["aperture_r"] == pytest.approx(0.3333)
    assert as_json([_row("clip", float("inf"))])[0]["psnr_outside_db"] is None
    assert np.isfinite(row["lag_ms"])


def test_the_demo_refuses_a_training_of_no_time() -> None:
    answer = CliRunner().invoke(root, ["demo", "--train-minutes", "0"])
    assert answer.exit_code == 2
    assert "0.0" in answer.output or "0" in answer.output


class _Analysed:
    """An analysis of two frames, the second without a face."""

    tracks = ()

    def __init__(self) -> None:
        self.closed = 0

    def __enter__(self) -> _Analysed:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed += 1

    def iter(self) -> Iterator[tuple[int, float, tuple[Face, ...]]]:
        marks = np.random.default_rng(0).normal(50, 9, (68, 2)).astype(np.float32)
        yield 0, 0.0, (Face((0, 0, 9, 9), marks, None, 1.0),)
        yield 1, 0.04, ()


def test_what_was_seen_of_a_clip_is_kept_and_its_analysis_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    analysed = _Analysed()
    monkeypatch.setattr(measure, "analyse", lambda *_, **__: analysed)
    seen = measure._Seen(Path("clip.mp4"), silent)
    assert analysed.closed == 1
    assert seen.landmarks_at(0) is not None
    assert seen.landmarks_at(1) is None
    assert seen.landmarks_at(2) is None
    assert np.isfinite(seen.gaps).tolist() == [True, False]
