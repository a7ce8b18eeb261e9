"""Losses and scores of pictures, each pixel weighted by a mask.

Pictures are (N, 3, H, W) float32 in [0, 1]; weights are (N, 1, H, W).
"""

from __future__ import annotations

import torch
from torch import Tensor

SSIM_SIGMA_PX = 1.5
SSIM_RADIUS_PX = 5
"""An 11 px window (Wang, Bovik, Sheikh, Simoncelli: Image quality assessment, IEEE TIP 13(4), 2004)."""
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2
LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601."""


def absolute_error(made: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute error; the weight is not normalised, so that what lies outside a small mask counts little."""
    return ((made - wanted).abs() * weight).mean()


def dissimilarity(made: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of (1 - SSIM) / 2 of the luma, in [0, 1]; in colour it costs three times as much for no gain."""
    weights = torch.tensor(LUMA, device=made.device)[:, None, None]
    grey = [(pictures * weights).sum(dim=1, keepdim=True) for pictures in (made, wanted)]
    return ((1.0 - ssim_map(grey[0], grey[1])) / 2.0 * weight).mean()


def ssim_map(first: Tensor, second: Tensor) -> Tensor:
    """SSIM of each pixel and channel of (N, C, H, W) pictures, as in Wang et al. 2004.

    Windows are cut off at the border and renormalised.
    """
    if first.shape != second.shape:
        raise ValueError(f"expected two pictures of one shape, got {tuple(first.shape)} and {tuple(second.shape)}")
    rows = _window(first.shape[-2], first.device)
    columns = _window(first.shape[-1], first.device)
    five = torch.stack([first, second, first * first, second * second, first * second])
    # Products with banded matrices: several times faster on a CPU than a depthwise convolution or a pooling.
    mean_1, mean_2, square_1, square_2, product = (rows @ (five @ columns.T)).unbind(0)
    variance_1, variance_2 = square_1 - mean_1 * mean_1, square_2 - mean_2 * mean_2
    covariance = product - mean_1 * mean_2
    above = (2 * mean_1 * mean_2 + SSIM_C1) * (2 * covariance + SSIM_C2)
    below = (mean_1 * mean_1 + mean_2 * mean_2 + SSIM_C1) * (variance_1 + variance_2 + SSIM_C2)
    return above / below


def psnr(made: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of each picture, (N,), over the pixels of the mask (weight > 0)."""
    total = 3.0 * weight.sum(dim=(1, 2, 3)).clamp_min(1e-6)
    error = ((made - wanted).square() * weight).sum(dim=(1, 2, 3)) / total
    return -10.0 * torch.log10(error.clamp_min(1e-10))


def _window(length: int, device: torch.device) -> Tensor:
    """(length, length) matrix whose rows are Gaussians that sum to 1."""
    places = torch.arange(length, dtype=torch.float32, device=device)
    distance = places[:, None] - places
    bell = torch.exp(-distance.square() / (2 * SSIM_SIGMA_PX**2)) * (distance.abs() <= SSIM_RADIUS_PX)
    return bell / bell.sum(dim=1, keepdim=True)
