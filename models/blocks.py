"""Small parts that the face networks are made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.patches import Convolution

SLOPE = 0.1
"""Of the leaky rectifier."""
RESIDUAL_START = 0.1
"""Share of its usual size at which the last convolution of a residual starts, so that depth costs nothing at first."""
STD_FLOOR = 0.05
"""Added to the spread of a picture before division, so that flat pictures do not become noise."""


class Shrink(nn.Sequential):
    """Convolution of stride 2 and a leaky rectifier: half the size."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 5) -> None:
        super().__init__(Convolution(inputs, outputs, kernel, stride=2, padding=kernel // 2), nn.LeakyReLU(SLOPE))


class Upscale(nn.Module):
    """Convolution 3x3 to four times the filters, a leaky rectifier, and a pixel shuffle: twice the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = Convolution(inputs, 4 * outputs, 3, padding=1)

    def forward(self, values: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, 2 H, 2 W)."""
        return functional.pixel_shuffle(functional.leaky_relu(self.convolution(values), SLOPE), 2)


class Residual(nn.Module):
    """Two convolutions 3x3 whose result is added to what came in."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(filters, filters, 3, padding=1)
        self.second = nn.Conv2d(filters, filters, 3, padding=1)

    def forward(self, values: Tensor) -> Tensor:
        """Keep the shape (N, filters, H, W)."""
        change = self.second(functional.leaky_relu(self.first(values), 2 * SLOPE))
        return functional.leaky_relu(values + change, 2 * SLOPE)


def standardised(pictures: Tensor) -> Tensor:
    """(N, 3, S, S) with the mean and the spread of each picture's channels taken out.

    Light and skin tone tell two people apart less that way.
    """
    mean = pictures.mean(dim=(2, 3), keepdim=True)
    return (pictures - mean) / (pictures.std(dim=(2, 3), keepdim=True) + STD_FLOOR)


def still_grid(side: int) -> Tensor:
    """(1, side, side, 2) places of pixel centres, x y in [-1, 1]."""
    places = (torch.arange(side, dtype=torch.float32) + 0.5) / side * 2 - 1
    y, x = torch.meshgrid(places, places, indexing="ij")
    return torch.stack([x, y], dim=-1)[None]


def stretch(small: int, large: int) -> Tensor:
    """(large, small) weights that bring a line of `small` values to `large` by linear interpolation, edges repeated.

    Two products with it enlarge a map several times faster on a CPU than torch's resampling, above all backwards.
    """
    places = ((torch.arange(large) + 0.5) * small / large - 0.5).clamp(0, small - 1)
    distance = (places[:, None] - torch.arange(small)).abs()
    return (1.0 - distance).clamp_min(0.0)


def start_well(net: nn.Module) -> None:
    """Initialise convolutions for leaky rectifiers, upscales without a checkerboard, residuals near nothing.

    He et al., "Delving deep into rectifiers", ICCV 2015; Aitken et al., "Checkerboard artifact free sub-pixel
    convolution", 2017 (the four filters that make one block of 2x2 pixels start equal).
    """
    for part in net.modules():
        if isinstance(part, nn.Conv2d) and part.bias is not None:
            nn.init.kaiming_normal_(part.weight, a=SLOPE)
            nn.init.zeros_(part.bias)
    for part in net.modules():
        if isinstance(part, Upscale):
            weight = part.convolution.weight.data
            weight.copy_(weight[::4].repeat_interleave(4, dim=0))
        elif isinstance(part, Residual):
            part.second.weight.data.mul_(RESIDUAL_START)
