from __future__ import annotations

import numpy as np
import pytest

from shared.picture import colour
from shared.types import Floats


def noise(seed: int, *shape: int) -> Floats:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def slow_lab(rgb: list[float]) -> list[float]:
    """CIE 15 by hand, one colour at a time."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in rgb]
    rows = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
    share = [sum(m * v for m, v in zip(row, linear, strict=True)) / sum(row) for row in rows]
    f = [t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in share]
    return [116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])]


def test_lab_equals_the_formula_by_hand() -> None:
    colours = [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.02, 0.01, 0.03], [0.7, 0.5, 0.4]]
    made = colour.lab_from_rgb(np.array([colours], dtype=np.float32))[0]
    np.testing.assert_allclose(made, [slow_lab(c) for c in colours], atol=0.005)


def test_red_has_its_published_lab() -> None:
    made = colour.lab_from_rgb(np.array([[[1.0, 0.0, 0.0]]], dtype=np.float32))[0, 0]
    np.testing.assert_allclose(made, [53.24, 80.09, 67.20], atol=0.02)


def test_lab_round_trip_is_far_below_one_step_of_eight_bits() -> None:
    rgb = noise(0, 64, 64, 3)
    assert np.abs(colour.rgb_from_lab(colour.lab_from_rgb(rgb)) - rgb).max() < 1e-4


def test_statistics_look_only_inside_the_mask() -> None:
    rgb = noise(1, 20, 30, 3)
    mask = np.zeros((20, 30), dtype=np.float32)
    mask[5:10, 5:20] = 1
    found = colour.lab_statistics(rgb, mask)
    inside = colour.lab_from_rgb(rgb[5:10, 5:20]).reshape(-1, 3)
    np.testing.assert_allclose(found.mean, inside.mean(0), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found.std, inside.std(0), rtol=1e-4)


def test_an_empty_mask_has_no_statistics() -> None:
    with pytest.raises(ValueError, match="something in it"):
        colour.lab_statistics(noise(2, 4, 4, 3), np.zeros((4, 4), dtype=np.float32))


def test_delta_e_is_the_distance_in_lab() -> None:
    assert colour.delta_e(np.zeros((1, 3), np.float32), np.array([[3.0, 4.0, 12.0]], np.float32))[0] == 13.0
