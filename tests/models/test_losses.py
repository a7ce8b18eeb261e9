"""Losses against slow references."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.losses import absolute_error, dissimilarity, psnr, ssim_map


def pictures(seed: int, count: int = 2, side: int = 20) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def slow_ssim(first: NDArray[np.float64], second: NDArray[np.float64], y: int, x: int) -> float:
    """SSIM of one pixel of one channel, by its definition."""
    total = mean_1 = mean_2 = square_1 = square_2 = product = 0.0
    for row in range(max(0, y - 5), min(first.shape[0], y + 6)):
        for column in range(max(0, x - 5), min(first.shape[1], x + 6)):
            weight = float(np.exp(-((row - y) ** 2 + (column - x) ** 2) / (2 * 1.5**2)))
            a, b = first[row, column], second[row, column]
            total += weight
            mean_1, mean_2 = mean_1 + weight * a, mean_2 + weight * b
            square_1, square_2, product = square_1 + weight * a * a, square_2 + weight * b * b, product + weight * a * b
    mean_1, mean_2, square_1, square_2, product = (v / total for v in (mean_1, mean_2, square_1, square_2, product))
    variances = square_1 - mean_1**2 + square_2 - mean_2**2
    above = (2 * mean_1 * mean_2 + 1e-4) * (2 * (product - mean_1 * mean_2) + 9e-4)
    return above / ((mean_1**2 + mean_2**2 + 1e-4) * (variances + 9e-4))


def test_ssim_equals_its_definition_inside_and_at_the_border() -> None:
    first, second = pictures(1), pictures(2)
    fast = ssim_map(first, second)
    for y, x in ((0, 0), (10, 9), (19, 4), (3, 17)):
        slow = slow_ssim(first[1, 2].double().numpy(), second[1, 2].double().numpy(), y, x)
        assert float(fast[1, 2, y, x]) == pytest.approx(slow, abs=2e-4)


def test_ssim_refuses_pictures_of_two_shapes() -> None:
    with pytest.raises(ValueError, match="one shape"):
        ssim_map(pictures(1), pictures(1, side=18))


def test_equal_pictures_cost_nothing_and_different_ones_something() -> None:
    first, second, weight = pictures(1), pictures(2), torch.ones(2, 1, 20, 20)
    assert float(absolute_error(first, first, weight)) == 0.0
    assert float(dissimilarity(first, first, weight)) == pytest.approx(0.0, abs=1e-6)
    assert float(dissimilarity(first, second, weight)) > 0.3


def test_what_the_weight_leaves_out_costs_nothing() -> None:
    first = pictures(1)
    second = first.clone()
    second[..., :10, :] = 0.0
    weight = torch.ones(2, 1, 20, 20)
    weight[..., :10, :] = 0.0
    assert float(absolute_error(second, first, weight)) == 0.0
    assert float(absolute_error(second, first, 1.0 - weight)) > 0.1


def test_psnr_of_a_known_error_inside_the_mask_alone() -> None:
    first = torch.full((2, 3, 8, 8), 0.5)
    second = first + 0.1
    second[:, :, :4] = 0.9
    mask = torch.zeros(2, 1, 8, 8)
    mask[:, :, 4:] = 1.0
    assert psnr(second, first, mask).tolist() == pytest.approx([20.0, 20.0], abs=1e-3)
