"""Coverage: near-duplicates go, differences stay, the picture shows both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from faceswap.cover import MAPS, UNITS, coverage_sheet, placed, reach, shown, spread
from faceswap.rows import FaceRow
from tests.faceswap.drawn import face_points

ROW = FaceRow(
    "a.png", 0, 0, 0.0, 0, 90.0, 100.0, 1.0, 0.0, 0.0, 0.0, face_points((48, 48), 40), True, "",
    light=50, side_light=0, top_light=0, red=15, yellow=20, mouth=0.0, smile=0.5, eyes=0.3, brows=0.2,
)  # fmt: skip


def rows_at(yaws: list[float], sharpness: list[float] | None = None) -> list[FaceRow]:
    sharp = sharpness or [100.0] * len(yaws)
    return [
        replace(ROW, name=f"{n}.png", frame=n, yaw_deg=yaw, sharpness=s)
        for n, (yaw, s) in enumerate(zip(yaws, sharp, strict=True))
    ]


def test_of_faces_that_are_alike_the_sharpest_stays() -> None:
    rows = rows_at([0.0, 0.1, 0.2, 20.0], [50.0, 90.0, 60.0, 10.0])
    worth = np.array([row.sharpness for row in rows], dtype=np.float32)
    assert spread(placed(rows), worth, 0.1, 100).tolist() == [1, 3]


def test_a_long_monotonous_clip_does_not_outweigh_a_varied_one() -> None:
    random = np.random.default_rng(0)
    monotonous = random.normal(0, 0.2, 2000)
    varied = np.linspace(-40, 40, 50)
    rows = rows_at([*monotonous.tolist(), *varied.tolist()])
    stay = spread(placed(rows), np.ones(len(rows), dtype=np.float32), 0.1, 60)
    assert (stay >= 2000).sum() >= 40


def test_what_stays_is_apart_and_covers_the_rest() -> None:
    random = np.random.default_rng(1)
    points = random.normal(size=(400, 5)).astype(np.float32)
    stay = spread(points, random.random(400).astype(np.float32), 1.0, 400)
    kept = points[stay]
    apart = np.linalg.norm(kept[:, None] - kept[None], axis=2) + np.eye(len(kept)) * 9
    assert apart.min() >= 1.0
    assert np.linalg.norm(points[:, None] - kept[None], axis=2).min(axis=1).max() < 1.0


def test_the_limit_is_kept_and_the_fixed_ones_stay() -> None:
    points = np.random.default_rng(2).normal(size=(100, 3)).astype(np.float32)
    stay = spread(points, np.ones(100, dtype=np.float32), 0.0, 20, fixed=5)
    assert len(stay) == 20
    assert stay[:5].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="one worth a point"):
        spread(points, np.ones(3, dtype=np.float32), 0.1, 10)


def test_the_picture_shows_faces_where_there_are_any_and_red_where_all_were_dropped() -> None:
    rows = [*rows_at([0.0, 0.0, 30.0]), replace(ROW, name="gone.png", yaw_deg=-40.0, kept=False, why="alike")]
    names = shown(rows)
    assert "gone.png" not in names
    white = {name: np.full((96, 96, 3), 255, dtype=np.uint8) for name in names}
    sheet = coverage_sheet(rows, white)
    red = (sheet == (120, 40, 40)).all(axis=2)
    assert red.any()
    assert (sheet == (255, 220, 0)).all(axis=2).any()
    assert {name for cells in MAPS for name in (cells[0], cells[3])} <= set(UNITS)


def test_reach_is_of_the_kept_faces_alone() -> None:
    rows = [*rows_at([0.0, 10.0]), replace(ROW, yaw_deg=-90.0, kept=False)]
    low, high = reach(rows)["yaw_deg"]
    assert low == pytest.approx(0.2, abs=0.01)
    assert high == pytest.approx(9.8, abs=0.01)
    assert reach([]) == {}
