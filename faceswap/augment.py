"""Training pictures, moved and warped in batches on the device.

The net's input is the crop read through a warped 5x5 grid; its target is the same crop read through the similarity
that fits that grid best, so that rebuilding means undoing the warp: the denoising of the first face-swap nets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from faceswap.align import VIEW_SHARE
from faceswap.options import AugmentOptions
from models.tensors import unit

GRID = 5
GRID_SHARE = 0.625
"""The 5x5 points span the central 160 of 256 px."""
RED_GREEN = (0.5, -0.5, 0.0)
YELLOW_BLUE = (0.25, 0.25, -0.5)
"""Directions of tint: the opponent axes of Lab, linearised in RGB."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of one person.

    Attributes
    ----------
    warped : (N, 3, input_px, input_px) float32 in [0, 1], what the encoder sees.
    target : (N, 3, output_px, output_px) float32, what the decoder should make.
    weight : (N, 1, output_px, output_px) float32, what counts how much: 0 outside, 0.5 face, 1 eyes and mouth.
    """

    warped: Tensor
    target: Tensor
    weight: Tensor


def augment(crops: Tensor, sizes: tuple[int, int], options: AugmentOptions, generator: torch.Generator) -> Batch:
    """Warp a batch.

    Parameters
    ----------
    crops : (N, 4, S, S) uint8, RGB and what counts how much.
    sizes : (input_px, output_px).
    generator : of the CPU, whatever the device of `crops`, so that a seed means the same everywhere.
    """
    count, device = len(crops), crops.device
    draw = _Draw(generator, device)
    pictures = crops.float()
    turn, shift = _similarity(count, options, draw)
    points = _points(GRID, GRID_SHARE, device).view(1, GRID * GRID, 2)
    moved = points + draw.normal((count, GRID * GRID, 2)) * (options.warp_px / 128)
    input_px, output_px = sizes
    fit_turn, fit_shift = _fit(points, moved)
    still = _points(output_px, VIEW_SHARE * (output_px - 1) / output_px, device).view(1, -1, 2)
    straight = _moved(still, turn @ fit_turn, fit_shift @ turn.transpose(1, 2) + shift)
    bent = _moved(_dense(moved, input_px), turn, shift)
    target = unit(_read(pictures, straight.view(count, output_px, output_px, 2)))
    warped = unit(_read(pictures[:, :3], bent.view(count, input_px, input_px, 2)))
    return Batch(_tint(warped, options.colour, draw), target[:, :3], target[:, 3:])


def view(crops: Tensor, output_px: int) -> Tensor:
    """The view of each crop, unmoved: (N, C, S, S) uint8 to (N, C, output_px, output_px) float32 in [0, 1]."""
    places = _points(output_px, VIEW_SHARE * (output_px - 1) / output_px, crops.device)
    return _read(unit(crops), places[None].expand(len(crops), -1, -1, -1))


def net_input(views: Tensor, input_px: int) -> Tensor:
    """Views resampled to the encoder's size in the way of training (linear, no averaging)."""
    return functional.interpolate(views, size=(input_px, input_px), mode="bilinear", align_corners=False)


class _Draw:
    """Random numbers from a CPU generator, moved to the device."""

    def __init__(self, generator: torch.Generator, device: torch.device) -> None:
        self._generator = generator
        self._device = device

    def even(self, shape: tuple[int, ...], low: float, high: float) -> Tensor:
        return torch.rand(shape, generator=self._generator).to(self._device) * (high - low) + low

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        return torch.randn(shape, generator=self._generator).to(self._device)


def _similarity(count: int, options: AugmentOptions, draw: _Draw) -> tuple[Tensor, Tensor]:
    """(N, 2, 2) turn, zoom and mirror, (N, 1, 2) shift, of random similarities in [-1, 1] crop coordinates."""
    angle = draw.even((count,), -1.0, 1.0) * math.radians(options.rotation_deg)
    scale = 1 + draw.even((count,), -1.0, 1.0) * options.zoom
    shift = draw.even((count, 1, 2), -1.0, 1.0) * (2 * options.shift)
    mirror = torch.ones_like(shift)
    mirror[..., 0] = torch.where(draw.even((count, 1), 0.0, 1.0) < options.flip, -1.0, 1.0)
    turn = _turn(scale * torch.cos(angle), scale * torch.sin(angle)) * mirror.transpose(1, 2)
    return turn, shift


def _fit(points: Tensor, moved: Tensor) -> tuple[Tensor, Tensor]:
    """Least-squares similarity of each (N, P, 2) `moved` from centred `points` (1, P, 2)."""
    centre = moved.mean(dim=1, keepdim=True)
    away = moved - centre
    spread = points.square().sum()
    real = (points * away).sum(dim=(1, 2)) / spread
    imaginary = (points[..., 0] * away[..., 1] - points[..., 1] * away[..., 0]).sum(dim=1) / spread
    return _turn(real, imaginary), centre


def _moved(places: Tensor, turn: Tensor, shift: Tensor) -> Tensor:
    """(N, P, 2) places through (N, 2, 2) and (N, 1, 2); written out, since such thin products are slow."""
    x, y = places[..., 0], places[..., 1]
    across = x * turn[:, :1, 0] + y * turn[:, :1, 1] + shift[..., 0]
    down = x * turn[:, 1:, 0] + y * turn[:, 1:, 1] + shift[..., 1]
    return torch.stack([across, down], dim=-1)


def _turn(real: Tensor, imaginary: Tensor) -> Tensor:
    return torch.stack([real, -imaginary, imaginary, real], dim=-1).view(-1, 2, 2)


def _dense(moved: Tensor, side: int) -> Tensor:
    """The 5x5 places interpolated to `side` x `side` pixel centres of the view, (N, side * side, 2)."""
    planes = moved.view(-1, GRID, GRID, 2).permute(0, 3, 1, 2)
    share = VIEW_SHARE / GRID_SHARE * (side - 1) / side
    places = _points(side, share, moved.device)[None].expand(len(moved), -1, -1, -1)
    dense = functional.grid_sample(planes, places, padding_mode="border", align_corners=True)
    return dense.permute(0, 2, 3, 1).reshape(len(moved), -1, 2)


def _points(side: int, share: float, device: torch.device) -> Tensor:
    """(side, side, 2) x y of an even grid from -share to share."""
    line = torch.linspace(-share, share, side, device=device)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], dim=-1)


def _read(pictures: Tensor, places: Tensor) -> Tensor:
    return functional.grid_sample(pictures, places, padding_mode="border", align_corners=False)


def _tint(pictures: Tensor, strength: float, draw: _Draw) -> Tensor:
    """Change light, contrast and tint of each picture; only the input, so that the net learns to see past them."""
    if strength <= 0:
        return pictures
    count = len(pictures)
    contrast = 1 + draw.even((count, 1, 1, 1), -strength, strength)
    axes = torch.tensor([(1.0, 1.0, 1.0), RED_GREEN, YELLOW_BLUE], device=pictures.device)
    shift = draw.even((count, 3), -strength, strength) @ axes
    return ((pictures - 0.5) * contrast + 0.5 + shift[:, :, None, None]).clamp(0.0, 1.0)
