"""Noise is measured as it was made, and made as it was measured."""

from __future__ import annotations

import numpy as np
import pytest

from shared.picture.grain import noise_variances, streaked, tile
from shared.picture.warp import gaussian
from shared.types import Floats


def surface() -> Floats:
    rows, columns = np.indices((128, 128))
    return (0.4 + 0.001 * rows + 0.1 * np.sin(columns / 20)).astype(np.float32)


@pytest.mark.parametrize(("fine", "coarse"), [(0.02, 0.0), (0.0, 0.02), (0.015, 0.01), (0.0, 0.0)])
def test_the_noise_laid_on_is_the_noise_found(fine: float, coarse: float) -> None:
    noisy = surface() + fine * tile(0, (128, 128), (1, 2)) + coarse * tile(1, (128, 128), (3, 4))
    found = np.sqrt(noise_variances(np.asarray(noisy, dtype=np.float32)))
    assert found == pytest.approx([fine, coarse], abs=0.005)


def test_a_few_lines_are_no_noise() -> None:
    picture = surface()
    picture[::16] = 0.9
    assert np.sqrt(noise_variances(picture)).max() < 0.004


def test_a_seed_gives_the_same_grain_and_another_one_other_grain() -> None:
    first, again, other = (tile(0, (40, 50), seed) for seed in ((5, 1), (5, 1), (6, 1)))
    assert np.array_equal(first, again)
    assert abs(float(np.corrcoef(first.ravel(), other.ravel())[0, 1])) < 0.1
    assert tile(1, (700, 600), (1, 1)).std() == pytest.approx(1.0, abs=0.05)


def test_a_streak_is_the_mean_along_its_line() -> None:
    dot = np.zeros((41, 41, 3), dtype=np.float32)
    dot[20, 20] = 1.0
    line = streaked(dot, (10.0, 0.0))[..., 0]
    assert line.sum() == pytest.approx(1.0, abs=1e-4)
    assert line[20, 16:25] == pytest.approx(0.1, abs=0.01)
    assert np.abs(line[:19]).max() < 1e-6
    assert np.abs(line[20, :14]).max() < 1e-6
    rows, columns = np.indices(line.shape)
    slanted = streaked(dot, (6.0, 6.0))[..., 0]
    assert float(((rows - columns) ** 2 * slanted).sum()) < 0.5


def test_too_small_a_picture_is_a_callers_mistake() -> None:
    with pytest.raises(ValueError, match="at least 8 px"):
        noise_variances(gaussian(np.zeros((6, 20), dtype=np.float32), 1.0))
