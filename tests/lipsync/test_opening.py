"""Between the lips: teeth told by colour, rows told by place, and how they move."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lipsync.opening import MouthWindow, in_row, shifted, smooth_inside
from lipsync.plane import TexturePlane
from shared.picture.warp import to_float
from shared.types import Floats, Picture

Drawn = tuple[Picture, Floats, Floats]


@pytest.fixture
def window(points_of: Callable[[float], Floats], fine_plane: TexturePlane) -> MouthWindow:
    return MouthWindow(np.array([points_of(0.0), points_of(2.0)]), fine_plane)


@pytest.mark.parametrize("tint", [(1.0, 1.0, 1.0), (1.0, 0.85, 0.45), (0.7, 0.7, 0.7)])
def test_teeth_are_told_from_lips_tongue_and_dark_in_any_light(
    window: MouthWindow, toothed: Callable[..., Drawn], tint: tuple[float, float, float]
) -> None:
    picture, flat, truth = toothed(1.6)
    seen = window.cut(to_float(picture) * np.array(tint, dtype=np.float32))
    opening, _ = window.opening(flat)
    teeth = window.teeth(seen, flat, opening)
    truth = window.cut(truth)
    assert float(teeth[(truth == 0) & (opening > 0)].max()) < 0.1
    assert float((teeth * (truth == 1)).sum()) > 0.95 * float((opening * (truth == 1)).sum())
    assert float(teeth[opening == 0].max()) == 0.0


def test_a_closed_mouth_shows_no_teeth(window: MouthWindow, toothed: Callable[..., Drawn]) -> None:
    picture, flat, _ = toothed(0.0)
    seen = window.cut(to_float(picture))
    assert window.teeth(seen, flat, window.opening(flat)[0]).max() < 0.02


def test_depth_runs_from_the_upper_lip_to_the_lower_one(
    window: MouthWindow, points_of: Callable[[float], Floats], fine_plane: TexturePlane
) -> None:
    flat = points_of(2.0)
    _, depth = window.opening(flat)
    (x, above), (_, below) = fine_plane.to_texture(flat[[62, 66]]) - np.array(window.box[:2])
    column = depth[:, round(float(x))]
    assert column[round(float(above))] == pytest.approx(0.0, abs=0.03)
    assert column[round(float(below))] == pytest.approx(1.0, abs=0.03)
    assert column[round(float(above + below) / 2)] == pytest.approx(0.5, abs=0.03)
    np.testing.assert_allclose(in_row("upper", depth) + in_row("lower", depth), 1.0)


def test_upper_teeth_stay_and_lower_ones_follow_the_lip(
    window: MouthWindow, points_of: Callable[[float], Floats], fine_plane: TexturePlane
) -> None:
    np.testing.assert_allclose(window.offset("upper", points_of(0.5), points_of(1.5)), 0.0, atol=1e-6)
    np.testing.assert_allclose(
        window.offset("lower", points_of(0.5), points_of(1.5)), [0.0, fine_plane.px_per_cm], atol=1e-4
    )


def test_what_is_outside_does_not_shine_in() -> None:
    inside = np.zeros((30, 40), dtype=np.float32)
    inside[10:20, 10:30] = 1.0
    picture = np.where(inside > 0, 0.2, 0.9).astype(np.float32)
    np.testing.assert_allclose(smooth_inside(picture, inside, 3.0), picture, atol=1e-5)
    colours = np.repeat(picture[..., np.newaxis], 3, axis=-1)
    np.testing.assert_allclose(smooth_inside(colours, inside, 3.0), colours, atol=1e-5)


def test_a_shift_moves_to_the_right_and_down() -> None:
    dot = np.zeros((9, 9), dtype=np.float32)
    dot[3, 2] = 1.0
    moved = shifted(dot, np.array([4.0, 2.0], dtype=np.float32))
    assert moved[5, 6] == 1.0
    assert moved.sum() == 1.0


def test_the_window_lies_in_the_texture_and_holds_all_inner_lips(
    points_of: Callable[[float], Floats], fine_plane: TexturePlane
) -> None:
    far = points_of(0.0) + np.array([6.0, 5.0], dtype=np.float32)
    window = MouthWindow(np.array([points_of(2.0), far]), fine_plane)
    height, width = fine_plane.size
    x0, y0, x1, y1 = window.box
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height
    inner = fine_plane.to_texture(points_of(2.0)[60:68])
    assert (inner.min(axis=0) > [x0, y0]).all()
    assert (inner.max(axis=0) < [x1, y1]).all()
