"""Transfer of colour beyond mean and spread: by channel, by the best linear map, by many directions, by a membrane.

Each method is told apart into what is measured and what is done with it, so that measures can be steadied in time
before they are used. Pictures are (H, W, 3) float32 sRGB in [0, 1]; samples are (N, 3) of the pixels that count.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from shared.types import Floats

Doubles = NDArray[np.float64]
LEVELS: Final = 33
"""Quantiles that stand for a distribution."""
LEAST_SLOPE, MOST_SLOPE = 0.4, 2.5
"""Of curves and linear maps: contrast is never stretched beyond this, since what is nearly flat is mostly noise."""
PASSES: Final = 4
"""Rounds of three directions each of the sliced transfer."""
MEMBRANE_SIDE: Final = 24
MEMBRANE_ROUNDS: Final = 160
LEAST_VARIANCE: Final = 1e-5


def quantiles(samples: Floats) -> Doubles:
    """(LEVELS, 3) quantiles of each channel of (N, 3) samples."""
    return np.asarray(np.quantile(samples, np.linspace(0.01, 0.99, LEVELS), axis=0), dtype=np.float64)


def match_quantiles(picture: Floats, own: Doubles, wanted: Doubles) -> Floats:
    """The picture with the distribution of each channel moved from `own` to `wanted` quantiles, (LEVELS, 3) each."""
    channels = [_curve(picture[..., n], own[:, n], wanted[:, n]) for n in range(picture.shape[-1])]
    return np.stack(channels, axis=-1).astype(np.float32)


def moments(samples: Floats) -> tuple[Doubles, Doubles]:
    """Mean (3,) and covariance (3, 3) of (N, 3) samples."""
    doubles = samples.astype(np.float64)
    return doubles.mean(axis=0), np.cov(doubles.T, bias=True)


def linear_map(own: Doubles, wanted: Doubles) -> Doubles:
    """The linear map between two covariances that moves colours least (Monge-Kantorovich).

    Pitié and Kokaram, "The linear Monge-Kantorovitch linear colour mapping for example-based colour transfer", CVMP
    2007; its stretches held within `LEAST_SLOPE` and `MOST_SLOPE`.

    Parameters
    ----------
    own, wanted : (3, 3) covariances.
    """
    calm = LEAST_VARIANCE * np.eye(3)
    root, inverse = _roots(own + calm)
    middle, _ = _roots(root @ (wanted + calm) @ root)
    mapped = inverse @ middle @ inverse
    values, vectors = np.linalg.eigh((mapped + mapped.T) / 2)
    return np.asarray((vectors * np.clip(values, LEAST_SLOPE, MOST_SLOPE)) @ vectors.T)


def match_moments(picture: Floats, own: tuple[Doubles, Doubles], wanted: tuple[Doubles, Doubles]) -> Floats:
    """The picture with mean and covariance moved from `own` to `wanted` by `linear_map`."""
    matrix = linear_map(own[1], wanted[1])
    shift = wanted[0] - matrix @ own[0]
    return np.asarray(picture @ matrix.T.astype(np.float32) + shift.astype(np.float32), dtype=np.float32)


def slices(own: Floats, wanted: Floats) -> Doubles:
    """Quantiles of both sets of samples along the directions of the sliced transfer.

    Pitié, Kokaram and Dahyot, "N-dimensional probability density function transfer and its application to colour
    transfer", ICCV 2005: channels are matched along turned axes, turn after turn; the turns are fixed, so that the
    measures of different frames can be averaged.

    Returns
    -------
    (PASSES, 2, LEVELS, 3) of the moved own and of the wanted samples in each pass.
    """
    found = np.empty((PASSES, 2, LEVELS, 3))
    moved = own
    for number, turn in enumerate(_turns()):
        along, goal = moved @ turn, wanted @ turn
        found[number] = quantiles(along), quantiles(goal)
        moved = match_quantiles(along, *found[number]) @ turn.T
    return found


def match_slices(picture: Floats, measured: Doubles) -> Floats:
    """The picture under the sliced transfer that `slices` has measured."""
    for turn, (own, wanted) in zip(_turns(), measured, strict=True):
        picture = match_quantiles(picture @ turn, own, wanted) @ turn.T
    return picture


def membrane(difference: Floats, known: Floats) -> Doubles:
    """The smoothest sheet that has a given difference along a face's edge: what a seamless clone adds.

    Pérez, Gangnet, Blake, "Poisson image editing", SIGGRAPH 2003, section 2: the
    correction of the source is harmonic inside its edge; a smooth thing, so it is solved coarsely.

    Parameters
    ----------
    difference : (H, W, 3) target less source.
    known : (H, W) in [0, 1], where it is to be met.

    Returns
    -------
    (MEMBRANE_SIDE, MEMBRANE_SIDE, 3).
    """
    weight = _coarse(known.astype(np.float64))
    fixed = weight > 0.05
    if not fixed.any():
        return np.zeros((MEMBRANE_SIDE, MEMBRANE_SIDE, 3))
    sums = np.stack([_coarse(difference[..., n].astype(np.float64) * known) for n in range(3)], axis=-1)
    value = np.where(fixed[..., np.newaxis], sums / np.maximum(weight, 1e-9)[..., np.newaxis], 0.0)
    _, nearest = ndimage.distance_transform_edt(~fixed, return_indices=True)
    sheet = value[nearest[0], nearest[1]]
    for _ in range(MEMBRANE_ROUNDS):
        padded = np.pad(sheet, ((1, 1), (1, 1), (0, 0)), mode="edge")
        mean = (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]) / 4
        sheet = np.where(fixed[..., np.newaxis], value, mean)
    return np.asarray(sheet, dtype=np.float64)


def _curve(values: Floats, own: Doubles, wanted: Doubles) -> Floats:
    """One channel through the curve between two sets of quantiles, straight beyond their ends."""
    steps = np.maximum(np.diff(own), 1e-4)
    rises = np.clip(np.diff(wanted), LEAST_SLOPE * steps, MOST_SLOPE * steps)
    x = own[0] + np.concatenate([[0.0], np.cumsum(steps)])
    y = np.concatenate([[0.0], np.cumsum(rises)])
    # Held slopes let the curve drift; its middle stays where it belongs.
    y += wanted[LEVELS // 2] - y[LEVELS // 2]
    inside = np.interp(values, x, y)
    return np.asarray(inside + np.minimum(values - x[0], 0) + np.maximum(values - x[-1], 0), dtype=np.float32)


def _roots(matrix: Doubles) -> tuple[Doubles, Doubles]:
    """Square root of a positive definite matrix, and the root's inverse."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    roots = np.sqrt(np.maximum(values, 1e-12))
    return (vectors * roots) @ vectors.T, (vectors / roots) @ vectors.T


@functools.lru_cache(maxsize=1)
def _turns() -> tuple[Floats, ...]:
    """Fixed rotations; the first leaves the channels as they are."""
    random = np.random.default_rng(7)
    others = (np.linalg.qr(random.normal(size=(3, 3)))[0] for _ in range(PASSES - 1))
    return (np.eye(3, dtype=np.float32), *(turn.astype(np.float32) for turn in others))


def _coarse(values: Doubles) -> Doubles:
    """Mean over the cells of a grid of `MEMBRANE_SIDE`."""
    rows = np.linspace(0, values.shape[0], MEMBRANE_SIDE + 1).astype(int)
    columns = np.linspace(0, values.shape[1], MEMBRANE_SIDE + 1).astype(int)
    sums = np.add.reduceat(np.add.reduceat(values, rows[:-1], axis=0), columns[:-1], axis=1)
    return np.asarray(sums / (np.diff(rows)[:, np.newaxis] * np.diff(columns)))
