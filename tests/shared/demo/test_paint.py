"""Triangle painting against a slow reference."""

from __future__ import annotations

import numpy as np
import pytest

from shared.demo.paint import identity_maps, paint, spread


def _slow(places: np.ndarray, triangles: np.ndarray, values: np.ndarray, canvas: np.ndarray) -> None:
    for corners in triangles:
        matrix = np.vstack([places[corners].T, np.ones(3)])
        if abs(np.linalg.det(matrix)) < 1e-9:
            continue
        for row in range(canvas.shape[0]):
            for column in range(canvas.shape[1]):
                share = np.linalg.solve(matrix, (column, row, 1.0))
                if (share >= -1e-4).all():
                    canvas[row, column] = share @ values[corners]


def test_painting_equals_a_pixel_by_pixel_reference() -> None:
    random = np.random.default_rng(5)
    places = random.uniform(-4, 24, (12, 2))
    triangles = random.integers(0, 12, (9, 3)).astype(np.int64)
    values = random.normal(size=(12, 3))
    fast, slow = np.zeros((18, 20, 3), np.float32), np.zeros((18, 20, 3), np.float32)
    paint(places, triangles, values, fast)
    _slow(places, triangles, values, slow)
    assert np.abs(fast - slow).max() < 1e-5
    assert np.count_nonzero(slow) > 200


def test_a_triangle_that_does_not_move_leaves_the_identity() -> None:
    places = np.array([[0.0, 0.0], [15.0, 0.0], [0.0, 15.0]])
    maps = identity_maps((16, 16))
    paint(places, np.array([[0, 1, 2]]), places, maps)
    assert np.abs(maps - identity_maps((16, 16))).max() < 1e-4


def test_values_of_a_wrong_shape_are_named() -> None:
    with pytest.raises(ValueError, match=r"values must be \(3, 2\), got \(3, 1\)"):
        paint(np.zeros((3, 2)), np.zeros((1, 3), np.int64), np.zeros((3, 1)), np.zeros((4, 4, 2), np.float32))


def test_points_on_an_anchor_move_with_it_and_far_ones_stay() -> None:
    anchors, moved = np.array([[10.0, 10.0], [50.0, 10.0]]), np.array([[3.0, 1.0], [0.0, -2.0]])
    follow = spread(moved, anchors, np.array([[10.0, 10.0], [50.0, 10.0], [500.0, 10.0]]), 20.0)
    assert np.abs(follow[:2] - moved).max() < 1e-3
    assert np.abs(follow[2]).max() < 1e-6
