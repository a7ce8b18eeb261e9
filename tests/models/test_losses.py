"""Losses against slow references."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.losses import (
    absolute_error,
    dissimilarity,
    edge_error,
    feature_error,
    multiscale_dissimilarity,
    psnr,
    squared_error,
    ssim_map,
)


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


def test_squared_and_edge_errors_of_a_hand_made_case() -> None:
    wanted = torch.zeros(1, 3, 4, 4)
    made = wanted.clone()
    made[..., 2:] = 0.5  # a step between the second and the third column
    weight = torch.ones(1, 1, 4, 4)
    assert float(squared_error(made, wanted, weight)) == pytest.approx(0.125)
    assert float(edge_error(made, wanted, weight)) == pytest.approx(0.5 / 3)
    assert float(edge_error(made + 0.2, wanted, weight)) == pytest.approx(0.5 / 3)  # light alone is no edge
    weight[..., 2:] = 0.0
    assert float(edge_error(made, wanted, weight)) == 0.0


def test_a_step_the_wrong_way_is_a_larger_edge_error_than_none() -> None:
    step = torch.zeros(1, 3, 4, 4)
    step[..., 2:] = 0.5
    weight = torch.ones(1, 1, 4, 4)
    assert float(edge_error(1.0 - step, step, weight)) == pytest.approx(2 * float(edge_error(step * 0, step, weight)))


def test_windows_left_out_of_large_pictures_change_the_dissimilarity_little() -> None:
    first, second, weight = pictures(1, side=96), pictures(2, side=96), torch.zeros(2, 1, 96, 96)
    weight[..., 30:, 20:70] = 1.0
    second = 0.7 * first + 0.3 * second
    whole = float(((1 - ssim_map(*(luma(one) for one in (first, second)))) * weight).mean()) / 2
    assert float(dissimilarity(first, second, weight)) == pytest.approx(whole, rel=0.02)


def luma(picture: torch.Tensor) -> torch.Tensor:
    return (picture * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(dim=1, keepdim=True)


def test_multiscale_dissimilarity_equals_its_definition_on_two_scales() -> None:
    first, noise, weight = pictures(1, side=24), pictures(2, side=24), torch.ones(2, 1, 24, 24)
    second = 0.4 * first + 0.1 * noise
    small = [torch.nn.functional.avg_pool2d(luma(one), 2) for one in (first, second)]
    powers = np.array([0.0448, 0.2856]) / (0.0448 + 0.2856)
    products = []
    for one in range(2):
        fine = np.mean([[form(first, second, one, y, x) for x in range(24)] for y in range(24)])
        coarse = float(ssim_map(*small)[one].mean())
        products.append(fine ** powers[0] * coarse ** powers[1])
    found = float(multiscale_dissimilarity(first, second, weight))
    assert found == pytest.approx(1 - np.mean(products), abs=1e-3)
    assert float(multiscale_dissimilarity(first, first, weight)) == pytest.approx(0.0, abs=1e-5)


def form(first: torch.Tensor, second: torch.Tensor, picture: int, y: int, x: int) -> float:
    """Contrast and structure at one pixel: SSIM of pictures whose local means are taken out of the light's part."""
    a, b = (luma(one)[picture, 0].double().numpy() for one in (first, second))
    rows, columns = np.mgrid[max(0, y - 5) : min(24, y + 6), max(0, x - 5) : min(24, x + 6)]
    bell = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 1.5**2))
    bell /= bell.sum()
    a, b = a[rows, columns], b[rows, columns]
    mean_a, mean_b = (a * bell).sum(), (b * bell).sum()
    covariance = (a * b * bell).sum() - mean_a * mean_b
    variances = (a * a * bell).sum() - mean_a**2 + (b * b * bell).sum() - mean_b**2
    return float((2 * covariance + 9e-4) / (variances + 9e-4))


def test_features_count_by_what_of_them_is_face() -> None:
    made = [torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 2, 2)]
    wanted = [torch.ones(1, 2, 4, 4), torch.ones(1, 1, 2, 2)]
    weight = torch.zeros(1, 1, 8, 8)
    weight[..., :4] = 1.0
    assert float(feature_error(made, wanted, weight)) == pytest.approx(0.5)
    assert float(feature_error(made, made, weight)) == 0.0
