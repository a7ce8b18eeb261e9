"""Light and colour of training pictures: jitter in Lab, and local equalisation, as batched tensor operations."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from faceswap.draw import Draw
from shared.picture.colour import CBRT_ABOVE, LINE_SLOPE, WHITE_D65, XYZ_FROM_RGB

LAB_FROM_CURVES = ((0.0, 116.0, 0.0), (500.0, -500.0, 0.0), (0.0, 200.0, -200.0))
"""L a b of the curves f(X), f(Y), f(Z), but for a constant (CIE 15:2004)."""
USUAL = (0.05, 0.95)
"""The mean colour about which Lab is linearised is held within these."""
LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601."""
TILES = 4
"""The equalisation's tiles along each side."""
CLIP = 2.0
"""No level counts more than so many times as often as if all were equally frequent."""
LEVELS = 256


def jitter(pictures: Tensor, strength: float, draw: Draw) -> Tensor:
    """Change the light, contrast, tint and saturation of each picture.

    Lab is linearised about the picture's own mean colour: a move in Lab is then one affine map of RGB a picture, a
    fiftieth of the work, and exact at the mean.

    Parameters
    ----------
    pictures : (N, 3, H, W) float32 sRGB in [0, 1].
    strength : L, a and b are moved by up to 100 times this, contrast and saturation changed by up to this share.
    """
    count = len(pictures)
    move = draw.even((count, 3), -strength, strength) * 100
    gain = 1 + draw.even((count, 2), -strength, strength)[:, (0, 1, 1)]
    mean = pictures.mean(dim=(2, 3)).clamp(*USUAL)
    lab_from_rgb, rgb_from_lab = _slopes(mean)
    turn = rgb_from_lab @ (gain[..., None] * lab_from_rgb)
    shift = mean[..., None] + rgb_from_lab @ move[..., None] - turn @ mean[..., None]
    return torch.baddbmm(shift, turn, pictures.flatten(2)).clamp_(0.0, 1.0).view_as(pictures)


def equalise(pictures: Tensor) -> Tensor:
    """Spread the light of each part of each picture; colours keep their distance from grey.

    Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994, on the luma in 256 levels,
    in the form of OpenCV's ``createCLAHE(CLIP, (TILES, TILES))``, to which it is equal where the sides divide by
    `TILES`.

    Parameters
    ----------
    pictures : (N, 3, H, W) float32 sRGB in [0, 1].
    """
    height, width = pictures.shape[2:]
    luma = (pictures * torch.tensor(LUMA, device=pictures.device)[:, None, None]).sum(dim=1)
    level = (luma * (LEVELS - 1)).round().long().clamp(0, LEVELS - 1)
    curves = _curves(level)
    low_y, high_y, share_y = _neighbours(height, pictures.device)
    low_x, high_x, share_x = _neighbours(width, pictures.device)
    picture = torch.arange(len(level), device=level.device)[:, None, None]

    def at(tile_y: Tensor, tile_x: Tensor) -> Tensor:
        return curves[((picture * TILES + tile_y[:, None]) * TILES + tile_x) * LEVELS + level]

    upper = torch.lerp(at(low_y, low_x), at(low_y, high_x), share_x)
    lower = torch.lerp(at(high_y, low_x), at(high_y, high_x), share_x)
    wanted = torch.lerp(upper, lower, share_y[:, None]) / (LEVELS - 1)
    return (pictures + (wanted - luma)[:, None]).clamp_(0.0, 1.0)


def _curves(level: Tensor) -> Tensor:
    """New level of each level, for each tile of (N, H, W) int64 levels, flat (N * TILES * TILES * LEVELS,)."""
    count, height, width = level.shape
    tile_y, tile_x = (torch.arange(side, device=level.device) * TILES // side for side in (height, width))
    tile = (torch.arange(count, device=level.device)[:, None, None] * TILES + tile_y[:, None]) * TILES + tile_x
    tiles = count * TILES * TILES
    counts = torch.bincount((tile * LEVELS + level).flatten(), minlength=tiles * LEVELS).view(tiles, LEVELS)
    area = counts.sum(dim=1, keepdim=True)
    most = (area * CLIP / LEVELS).long().clamp_min(1)
    kept = torch.minimum(counts, most)
    excess = area - kept.sum(dim=1, keepdim=True)
    rest = excess % LEVELS
    step = LEVELS // rest.clamp_min(1)
    place = torch.arange(LEVELS, device=level.device)
    kept = kept + excess // LEVELS + ((place % step == 0) & (place // step < rest))
    return (kept.cumsum(dim=1) * (LEVELS - 1) / area).round().clamp_max(LEVELS - 1).float().flatten()


def _neighbours(side: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The tiles before and after each pixel, (side,) int64 each, and the share of the second."""
    place = torch.arange(side, device=device) * (TILES / side) - 0.5
    before = place.floor()
    return before.long().clamp_min(0), (before.long() + 1).clamp_max(TILES - 1), place - before


def _slopes(colour: Tensor) -> tuple[Tensor, Tensor]:
    """Derivative of Lab by sRGB at (N, 3) sRGB colours, and its inverse, (N, 3, 3) each."""
    curves_from_linear, linear_from_curves, lab_from_curves, curves_from_lab = _constants(colour.device)
    above = colour > 0.04045
    linear = torch.where(above, ((colour + 0.055) / 1.055) ** 2.4, colour / 12.92)
    decode = torch.where(above, 2.4 / 1.055 * ((colour + 0.055) / 1.055) ** 1.4, 1 / 12.92)
    share = linear @ curves_from_linear.T
    curve = torch.where(share > CBRT_ABOVE, share.clamp_min(1e-6) ** (-2 / 3) / 3, LINE_SLOPE)
    forward = (lab_from_curves * curve[:, None]) @ (curves_from_linear * decode[:, None])
    back = (linear_from_curves / decode[..., None]) @ (curves_from_lab / curve[..., None])
    return forward, back


@functools.lru_cache(maxsize=4)
def _constants(device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """XYZ over white from linear RGB and back, Lab from the curves and back, (3, 3) float32 each."""
    xyz = torch.from_numpy(XYZ_FROM_RGB / WHITE_D65[:, None])
    lab = torch.tensor(LAB_FROM_CURVES, dtype=torch.float64)
    four = (xyz, torch.linalg.inv(xyz), lab, torch.linalg.inv(lab))
    first, second, third, fourth = (matrix.float().to(device) for matrix in four)
    return first, second, third, fourth
