"""Steadiness in time along the motion of the picture: E_warp and tOF, by OpenCV's DIS optical flow."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shared.picture import flow
from shared.picture.warp import grey_of, piecewise_warp, to_float
from shared.types import Floats

OCCLUDED_SHARE, OCCLUDED_BASE = 0.01, 0.5
"""Flow there and back that misses by more is an occlusion (Sundaram et al., ECCV 2010, as Ruder et al., GCPR 2016)."""


def optical_flow(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Floats:
    """`shared.picture.flow.optical_flow` of two RGB pictures.

    Parameters
    ----------
    first, second : (H, W, 3) uint8, at least 12 px a side.

    Returns
    -------
    (H, W, 2) float32, x and y in pixels.
    """
    if first.shape != second.shape or first.ndim != 3 or min(first.shape[:2]) < flow.LEAST_SIDE:
        raise ValueError(f"expected two RGB pictures of one size of 12 px or more, got {first.shape}, {second.shape}")
    return flow.optical_flow(grey_of(first), grey_of(second))


def e_warp(made: Iterable[NDArray[np.uint8]], real: Iterable[NDArray[np.uint8]], mask: Floats | None = None) -> float:
    """Mean squared difference, in [0, 1] units, between each made frame and its predecessor moved along the flow.

    Lai et al., "Learning blind video temporal consistency", ECCV 2018, section 4.1, with the flow taken from the
    real frames, so that made frames cannot hide their trembling in their own flow; occluded pixels are left out.
    Print the figure of (real, real) beside it.

    Parameters
    ----------
    made, real : frames of one shot, equally many, at least two.
    mask : (H, W) where to look (> 0.5), everywhere where None.
    """
    errors: list[float] = []
    for (made_before, real_before), (made_after, real_after) in pairwise(zip(made, real, strict=True)):
        back, there = optical_flow(real_after, real_before), optical_flow(real_before, real_after)
        seen = _visible(back, there)
        if mask is not None:
            seen &= mask > 0.5
        if seen.any():
            moved = piecewise_warp(to_float(made_before), *_places(back))
            errors.append(float(((moved - to_float(made_after)) ** 2)[seen].mean()))
    if not errors:
        raise ValueError("E_warp needs at least two frames with something visible in both")
    return float(np.mean(errors))


def tof(made: Iterable[NDArray[np.uint8]], real: Iterable[NDArray[np.uint8]], mask: Floats | None = None) -> float:
    """Mean distance in pixels between the flow of the made and of the real frames (Chu et al., TecoGAN, 2020)."""
    apart: list[float] = []
    for (made_before, real_before), (made_after, real_after) in pairwise(zip(made, real, strict=True)):
        miss = np.linalg.norm(optical_flow(made_before, made_after) - optical_flow(real_before, real_after), axis=-1)
        apart.append(float(miss.mean() if mask is None else miss[mask > 0.5].mean()))
    if not apart:
        raise ValueError("tOF needs at least two frames")
    return float(np.mean(apart))


def _visible(back: Floats, there: Floats) -> NDArray[np.bool_]:
    carried = piecewise_warp(there, *_places(back))
    miss = np.sum((back + carried) ** 2, axis=-1)
    size = np.sum(back**2, axis=-1) + np.sum(carried**2, axis=-1)
    return np.asarray(miss <= OCCLUDED_SHARE * size + OCCLUDED_BASE, dtype=np.bool_)


def _places(flow: Floats) -> tuple[Floats, Floats]:
    ys, xs = np.indices(flow.shape[:2], dtype=np.float32)
    return np.asarray(xs + flow[..., 0], np.float32), np.asarray(ys + flow[..., 1], np.float32)
