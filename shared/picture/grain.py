"""Noise of a picture: how much of it there is, fine and coarser, and grain of that kind; and streaks of motion."""

from __future__ import annotations

import functools
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.picture.warp import gaussian
from shared.types import Floats

NOISE_KERNEL: Final = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
"""Blind to planes and straight edges; Immerkaer, "Fast noise variance estimation", CVIU 64(2), 1996."""
KERNEL_NORM: Final = 6.0
MEDIAN_OF_NORMAL: Final = 0.6745
COARSE_SIGMA_PX: Final = 1.0
"""Of the coarser kind: codecs leave blotches, not single pixels."""
COARSE_SEEN: Final = (0.0071, 0.131)
"""What the measure sees of coarse noise of variance 1 in a picture and in its half-size copy; of fine noise, 1 and
1/4. Measured on 1024 x 1024 samples."""
TILE_PX: Final = 512
LEAST_SIDE: Final = 8
"""Pixels a side under which no noise is told."""


def noise_variances(grey: Floats) -> NDArray[np.float64]:
    """(2,) variances of fine (single pixels) and of coarser noise in a grey picture.

    The median over the picture keeps lines and pores out.
    """
    if grey.ndim != 2 or min(grey.shape) < LEAST_SIDE:
        raise ValueError(f"expected a grey (H, W) picture of at least {LEAST_SIDE} px a side, got {grey.shape}")
    half = cv2.resize(grey, (grey.shape[1] // 2, grey.shape[0] // 2), interpolation=cv2.INTER_AREA)
    full, small = _seen(grey), _seen(np.asarray(half, dtype=np.float32))
    coarse = max(0.0, (small - full / 4) / (COARSE_SEEN[1] - COARSE_SEEN[0] / 4))
    return np.array([max(0.0, full - COARSE_SEEN[0] * coarse), coarse])


def tile(kind: int, size: tuple[int, int], seed: tuple[int, int]) -> Floats:
    """(H, W) normal noise of variance 1, fine (kind 0) or coarser (1); each seed looks at another place of a tile."""
    across, down, turned = np.random.default_rng(seed).integers(0, (TILE_PX, TILE_PX, 2))
    whole = _tiles()[kind]
    whole = whole[::-1] if turned else whole
    rows = np.take(whole, np.arange(down, down + size[0]) % TILE_PX, axis=0)
    parts = [rows[:, across:], *[rows] * (size[1] // TILE_PX + 1)]
    return np.asarray(np.concatenate(parts, axis=1)[:, : size[1]])


def streaked(picture: Floats, streak_px: tuple[float, float]) -> Floats:
    """A picture averaged along a straight line of this length and direction, x y, centred."""
    reach = int(np.ceil(max(abs(streak_px[0]), abs(streak_px[1])) / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), dtype=np.float32)
    steps = max(2, 4 * reach)
    for share in (np.arange(steps) + 0.5) / steps - 0.5:
        x, y = reach + share * streak_px[0], reach + share * streak_px[1]
        left, top = int(np.floor(x)), int(np.floor(y))
        for row, down in ((top, 1 - (y - top)), (top + 1, y - top)):
            for column, right in ((left, 1 - (x - left)), (left + 1, x - left)):
                kernel[row, column] += down * right
    blurred = cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, dtype=np.float32)


def _seen(grey: Floats) -> float:
    """Variance by the median size of what the noise kernel leaves."""
    left = np.asarray(cv2.filter2D(grey, -1, NOISE_KERNEL))[1:-1, 1:-1]
    return (float(np.median(np.abs(left))) / (MEDIAN_OF_NORMAL * KERNEL_NORM)) ** 2


@functools.lru_cache(maxsize=1)
def _tiles() -> tuple[Floats, Floats]:
    random = np.random.default_rng(20)
    fine = random.normal(size=(TILE_PX, TILE_PX)).astype(np.float32)
    coarse = gaussian(
        np.pad(random.normal(size=(TILE_PX, TILE_PX)).astype(np.float32), 8, mode="wrap"), COARSE_SIGMA_PX
    )
    coarse = coarse[8:-8, 8:-8]
    return fine, np.asarray(coarse / coarse.std(), dtype=np.float32)
