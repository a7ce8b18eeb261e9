"""How a head bears its mouth: what the upper face, looked at for seconds, tells of where the mouth lies.

Pose is taken out of a mouth by a fit on vertices far from it, so whatever the finder misjudges of a head, its depth,
its bow or the lens before it, moves the mouth of the pose-free face though nobody speaks, and differs from clip to
clip. No sound tells that, but nose, corners of the eyes and edges of the face do, which are misjudged together with the
mouth: of 100 held-out GRID clips a network's mouths lie 2.46 px from the real ones, and 2.06 px where this is learned
from 33 minutes, 2.13 from three and 2.23 from one (centred 1.58, and 1.39, 1.43 and 1.48).

It is fitted to what a network leaves over, not to the mouths: heads move in time with sentences, and a map to mouths
would speak whenever a head nods. It opens or shuts no lips, and is slower than syllables. What is left of the head's
way over seconds is no speech: it brings mouths nearer where nobody speaks (the ends of those clips, 2.12 to 1.92 px)
more than where somebody does (2.14 to 2.11), and another clip's way in its stead moves them away (2.26, 2.20).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from shared.types import Floats

UPPER: Final = (0, 1, 2, 14, 15, 16, *range(27, 36), 36, 39, 42, 45)
"""iBUG points that are looked at: the ends of the jaw line beside the ears, the nose, the corners of the eyes."""
TOLD: Final = 2 * len(UPPER)
"""Numbers of an upper face: 38."""
SLOW_S: Final = 1.0
"""Standard deviation of the Gaussian over time. With 0.3 s held-out mouths were 2.01 px away, with 1 s 2.06, with 2 s
2.09, by a clip's mean alone 2.18."""
GRID_S: Final = 0.1
HOLDS: Final = (1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0)
"""Ridges tried, shares of a feature's variance."""
PARTS: Final = 5
LEAST_CLIPS: Final = 20
"""Of fewer clips nothing is fitted: where each wears its mouth would be learned by heart. Of 12 clips in which heads
told nothing something was found in a quarter of the cases, of 11 to 15 clips of GRID, where they do, in half."""
LEAST_ROWS: Final = 250
"""Frames of all clips, below which nothing is fitted."""
LEAST_GAIN: Final = 0.05
"""Share of what a network leaves over that must be told on clips left out, and something in each part of them."""
LOADING: Final = 0.1
"""Share of each feature's own variance added to the spread by which faces are near or far."""
USUAL_PERCENTILE, BEYOND = 95.0, 1.5
"""The reach is so many times the distance within which so many of the footage's rows lie from the rest of it."""
MOST_ROWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Bearing:
    """Where a speaker's mouth lies, by his slow upper face.

    Attributes
    ----------
    usual : (38,) float32, the footage's mean upper face, canonical centimetres.
    nearness : (38, 38) float32, by which the distance from it is told: of a face x away from the usual,
        ``sqrt(x @ nearness @ x)`` is about 1 in the footage.
    reach : (1,) float32, the distance up to which the footage lies from the rest of itself.
    slopes : (38, 20) float32, change of the mouth shape with each number.
    """

    usual: Floats
    nearness: Floats
    reach: Floats
    slopes: Floats

    def shifts(self, upper: Floats) -> Floats:
        """Change of the mouth shapes, (..., 20) float32, for slow upper faces (..., 38).

        Of a head that is nothing like the footage's nothing is told: beyond the reach it fades, at twice that it is 0.
        """
        away = upper - self.usual
        share = np.clip(2.0 - _distances(away, self.nearness) / self.reach[0], 0.0, 1.0)
        return np.asarray((away * share[..., np.newaxis]) @ self.slopes, dtype=np.float32)


def upper_of(points: Floats) -> Floats:
    """Upper faces (..., 38) of pose-free points (..., 68, 2)."""
    return np.ascontiguousarray(points[..., list(UPPER), :]).reshape(*points.shape[:-2], TOLD)


def slow_upper(points: Floats, times_s: NDArray[np.float64]) -> Floats:
    """Upper faces of pose-free points (T, 68, 2), rising times, under a Gaussian over time: (T, 38) float32."""
    if len(times_s) == 0:
        return np.zeros((0, TOLD), dtype=np.float32)
    places = np.round((times_s - times_s[0]) / GRID_S).astype(np.intp)
    sums = np.zeros((places[-1] + 1, TOLD + 1))
    np.add.at(sums, places, np.column_stack([upper_of(points), np.ones(len(places))]))
    spread = gaussian_filter1d(sums, SLOW_S / GRID_S, axis=0, mode="nearest")[places]
    return np.asarray(spread[:, :-1] / spread[:, -1:], dtype=np.float32)


def fit_bearing(uppers: Sequence[Floats], left: Sequence[Floats], gap: Floats) -> Bearing | None:
    """Fit what upper faces tell of what a network leaves over; None where they tell nothing that holds elsewhere.

    Parameters
    ----------
    uppers : (T, 38) of each clip.
    left : (T, 20) true shapes less the network's, of the same frames.
    gap : (20,) centimetres by which each coefficient opens the inner lips; none are opened.
    """
    if len(uppers) < LEAST_CLIPS or sum(len(one) for one in uppers) < LEAST_ROWS:
        return None
    step = max(1, -(-sum(len(one) for one in uppers) // MOST_ROWS))
    x, y = (np.concatenate([one[::step] for one in every]).astype(np.float64) for every in (uppers, left))
    part = np.concatenate([np.full(len(one[::step]), number % PARTS) for number, one in enumerate(uppers)])
    usual = x.mean(axis=0)
    x, y = x - usual, y - y.mean(axis=0)
    y -= np.outer(y @ gap, gap) / max(float(gap @ gap), 1e-12)
    scale = x.std(axis=0) + 1e-6
    products = [_products(x[part == number], y[part == number]) for number in range(PARTS)]
    whole = _sum(products)
    others = [_sum([one for one in products if one is not left_out]) for left_out in products]
    errors = np.array(
        [
            [
                float(((y[part == number] - x[part == number] @ _solved(rest, hold, scale)) ** 2).sum())
                for number, rest in enumerate(others)
            ]
            for hold in HOLDS
        ]
    )
    best = int(np.argmin(errors.sum(axis=1)))
    usual_errors = np.array([float((y[part == number] ** 2).sum()) for number in range(PARTS)])
    if errors[best].sum() > (1.0 - LEAST_GAIN) * usual_errors.sum() or (errors[best] >= usual_errors).any():
        return None
    apart = [_distances(x[part == number], _nearness(rest)) for number, rest in enumerate(others)]
    reach = BEYOND * np.percentile(np.concatenate(apart), USUAL_PERCENTILE)
    slopes = _solved(whole, HOLDS[best], scale)
    fitted = (usual, _nearness(whole), np.array([reach]), slopes)
    return Bearing(*(np.asarray(one, dtype=np.float32) for one in fitted))


@dataclass(frozen=True, slots=True)
class _Products:
    """Sums over rows: of features with each other, of features with shapes, and how many."""

    own: NDArray[np.float64]
    with_shapes: NDArray[np.float64]
    rows: int


def _products(x: NDArray[np.float64], y: NDArray[np.float64]) -> _Products:
    return _Products(x.T @ x, x.T @ y, len(x))


def _sum(parts: Sequence[_Products]) -> _Products:
    own, both = (np.sum(every, axis=0) for every in zip(*((one.own, one.with_shapes) for one in parts), strict=True))
    return _Products(own, both, max(sum(one.rows for one in parts), 1))


def _solved(sums: _Products, hold: float, scale: NDArray[np.float64]) -> NDArray[np.float64]:
    held = hold * sums.rows * np.diag(scale**2)
    return np.asarray(np.linalg.solve(sums.own + held, sums.with_shapes), dtype=np.float64)


def _nearness(sums: _Products) -> NDArray[np.float64]:
    spread = sums.own / sums.rows
    spread += LOADING * np.diag(np.diag(spread)) + 1e-6 * np.eye(TOLD)
    return np.asarray(np.linalg.inv(spread) / TOLD, dtype=np.float64)


def _distances(away: NDArray[np.floating], nearness: NDArray[np.floating]) -> NDArray[np.floating]:
    """How far faces away from the usual, (..., 38), are from it: (...)."""
    return np.asarray(np.sqrt(np.maximum(np.einsum("...i,ij,...j->...", away, nearness, away), 0.0)))
