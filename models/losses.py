"""Losses and scores of pictures, each pixel weighted by a mask.

Pictures are (N, 3, H, W) float32 in [0, 1]; weights are (N, 1, H, W). A weight is not normalised: what lies outside a
small mask counts little. Every loss is a mean over the faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

SSIM_SIGMA_PX = 1.5
SSIM_RADIUS_PX = 5
"""An 11 px window (Wang, Bovik, Sheikh, Simoncelli: Image quality assessment, IEEE TIP 13(4), 2004)."""
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2
LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601."""
SCALES: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of MS-SSIM from the finest scale on (Wang, Simoncelli, Bovik: Multiscale structural similarity, 2003)."""
LEAST_SCALE_PX: Final = 2 * SSIM_RADIUS_PX + 1
"""Scales smaller than one window are left out, and the exponents of the others brought to a sum of 1."""
SAMPLED_FROM_PX: Final = 96
"""From this side on a dissimilarity takes every second window each way: they overlap by nine tenths."""


def absolute_error(made: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute error."""
    return ((made - wanted).abs() * weight).mean()


def squared_error(made: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Mean squared error."""
    return ((made - wanted).square() * weight).mean()


def edge_error(made: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute error of the differences between neighbours, across and down.

    The image gradient difference loss of Mathieu, Couprie, LeCun: "Deep multi-scale video prediction beyond mean square
    error", 2016, with signs kept.
    """
    error = made - wanted
    across = (error[..., 1:] - error[..., :-1]).abs() * weight[..., 1:]
    down = (error[..., 1:, :] - error[..., :-1, :]).abs() * weight[..., 1:, :]
    return across.mean() + down.mean()


def dissimilarity(made: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of (1 - SSIM) / 2 of the luma, in [0, 1]; in colour it costs three times as much for no gain."""
    stride = 2 if min(made.shape[-2:]) >= SAMPLED_FROM_PX else 1
    light, form = _ssim_parts(_luma(made), _luma(wanted), stride)
    return ((1.0 - light * form) / 2.0 * weight[..., ::stride, ::stride]).mean()


def multiscale_dissimilarity(made: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """1 - MS-SSIM of the luma, each scale's map averaged under the weight."""
    first, second = _luma(made), _luma(wanted)
    sides = [min(first.shape[-2:]) >> scale for scale in range(len(SCALES))]
    count = max(1, sum(side >= LEAST_SCALE_PX for side in sides))
    product = torch.ones(len(made), device=made.device)
    for scale, power in enumerate(SCALES[:count]):
        light, form = _ssim_parts(first, second)
        last = scale == count - 1
        likeness = light * form if last else form
        kept = (likeness * weight).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3)).clamp_min(1e-6)
        product = product * kept.clamp_min(1e-4) ** (power / sum(SCALES[:count]))
        if not last:
            first, second, weight = (functional.avg_pool2d(values, 2) for values in (first, second, weight))
    return (1.0 - product).mean()


def feature_error(made: Sequence[Tensor], wanted: Sequence[Tensor], weight: Tensor) -> Tensor:
    """Mean absolute error between two nets' worth of feature maps (N, C, h, w), the mean over the maps.

    Feature matching as in Wang et al., "High-resolution image synthesis with conditional GANs", CVPR 2018.
    """
    errors = [absolute_error(one, other, pooled(weight, one)) for one, other in zip(made, wanted, strict=True)]
    return torch.stack(errors).mean()


def pooled(weight: Tensor, like: Tensor) -> Tensor:
    """(N, 1, H, W) averaged down to the size of a map (N, C, h, w)."""
    return functional.adaptive_avg_pool2d(weight, (like.shape[-2], like.shape[-1]))


def ssim_map(first: Tensor, second: Tensor) -> Tensor:
    """SSIM of each pixel and channel of (N, C, H, W) pictures, as in Wang et al. 2004.

    Windows are cut off at the border and renormalised.
    """
    light, form = _ssim_parts(first, second)
    return light * form


def psnr(made: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of each picture, (N,), over the pixels of the mask (weight > 0)."""
    total = 3.0 * weight.sum(dim=(1, 2, 3)).clamp_min(1e-6)
    error = ((made - wanted).square() * weight).sum(dim=(1, 2, 3)) / total
    return -10.0 * torch.log10(error.clamp_min(1e-10))


def _ssim_parts(first: Tensor, second: Tensor, stride: int = 1) -> tuple[Tensor, Tensor]:
    """Likeness of light, and of contrast and structure, of the windows around every `stride`-th pixel each way."""
    if first.shape != second.shape:
        raise ValueError(f"expected two pictures of one shape, got {tuple(first.shape)} and {tuple(second.shape)}")
    rows = _window(first.shape[-2], first.device)[::stride]
    columns = _window(first.shape[-1], first.device)[::stride]
    five = torch.stack([first, second, first * first, second * second, first * second])
    # Products with banded matrices: several times faster on a CPU than a depthwise convolution or a pooling.
    mean_1, mean_2, square_1, square_2, product = (rows @ (five @ columns.T)).unbind(0)
    variance_1, variance_2 = square_1 - mean_1 * mean_1, square_2 - mean_2 * mean_2
    covariance = product - mean_1 * mean_2
    light = (2 * mean_1 * mean_2 + SSIM_C1) / (mean_1 * mean_1 + mean_2 * mean_2 + SSIM_C1)
    return light, (2 * covariance + SSIM_C2) / (variance_1 + variance_2 + SSIM_C2)


def _luma(pictures: Tensor) -> Tensor:
    weights = torch.tensor(LUMA, device=pictures.device)[:, None, None]
    return (pictures * weights).sum(dim=1, keepdim=True)


def _window(length: int, device: torch.device) -> Tensor:
    """(length, length) matrix whose rows are Gaussians that sum to 1."""
    places = torch.arange(length, dtype=torch.float32, device=device)
    distance = places[:, None] - places
    bell = torch.exp(-distance.square() / (2 * SSIM_SIGMA_PX**2)) * (distance.abs() <= SSIM_RADIUS_PX)
    return bell / bell.sum(dim=1, keepdim=True)
