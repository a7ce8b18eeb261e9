"""Lips that close: what a mean leaves a little open is shut, as often and as tightly as the speaker shuts them.

The network's mouths are averages, so on p, b and m its lips come near and do not meet; after mouths that move in
silence this is the second complaint about such tools. In the share of the speech in which the speaker's lips are closed
the narrowest predicted openings are made as narrow as his narrowest, rank by rank; up to `REACH` times the widest of
them openings are stretched to fill the range, wider ones stay as they are. (On 100 held-out GRID clips that costs
nothing, M-LMD 2.507 and 2.506 px, where shutting all under one threshold cost 0.02 px.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from lipsync.mouth import FACE_WIDTH_CM, INNER_PAIRS, LIPS, MouthBasis, aperture_cm
from models.mouthnet import PointCost
from shared.types import Floats

CLOSED_CM: Final = 0.0125 * FACE_WIDTH_CM
"""An inner gap up to 1.25% of the face width counts as closed."""
WIDEST_CM: Final = 0.03 * FACE_WIDTH_CM
"""No wider opening is shut: 3% of the face width is an open mouth."""
REACH: Final = 2.25
FEWEST_ROWS: Final = 100
"""One second of speech, below which nothing is fitted."""
KNOTS: Final = 5
"""Ranks at which openings are compared."""


@dataclass(frozen=True, slots=True)
class Closure:
    """How a voice's lips are closed.

    Attributes
    ----------
    made_cm, real_cm : (K,) float32, rising, predicted openings and what they are narrowed to, linearly between; wider
        ones than the last are left. Empty leaves all as they are.
    direction : (D,) float32, change of the shape that opens the mouth by a centimetre.
    """

    made_cm: Floats
    real_cm: Floats
    direction: Floats


@dataclass(frozen=True, slots=True)
class Lips:
    """What a training is told of a speaker's lips beside his clips.

    Attributes
    ----------
    rest : (D,) float32, his mouth in pauses.
    gap : (D,) float32, centimetres by which each coefficient opens the inner lips.
    gap_cm : their gap where all coefficients are zero.
    points : (D, 36) float32, centimetres by which each coefficient moves the lip points.
    """

    rest: Floats
    gap: Floats
    gap_cm: float
    points: Floats

    def cost(self, softness_cm: float) -> PointCost:
        """What an error of a shape costs."""
        return PointCost(torch.from_numpy(self.points), softness_cm)


def lips_from(basis: MouthBasis, rest: Floats) -> Lips:
    """The lips of a basis: their gap as upper minus lower inner lip, which a straight mouth makes exact."""
    upper, lower = (2 * np.array([pair[side] for pair in INNER_PAIRS]) + 1 for side in (0, 1))
    gap = (basis.components[:, upper] - basis.components[:, lower]).mean(axis=1)
    gap_cm = float((basis.mean[upper] - basis.mean[lower]).mean())
    return Lips(rest, gap, gap_cm, np.ascontiguousarray(basis.components[:, :LIPS]))


def fit_closure(predicted: Floats, wanted: Floats, basis: MouthBasis) -> Closure:
    """Fit what openings are narrowed to, on rows of speech.

    Parameters
    ----------
    predicted, wanted : (N, D) float32 shapes of the same rows.
    """
    made, real = aperture_cm(basis.lips(predicted)), aperture_cm(basis.lips(wanted))
    spread = float(real.var()) if real.shape[0] else 0.0
    if real.shape[0] < FEWEST_ROWS or spread <= 1e-6:
        return open_as_made(np.zeros(basis.components.shape[0], dtype=np.float32))
    direction = ((wanted - wanted.mean(axis=0)) * (real - real.mean())[:, np.newaxis]).mean(axis=0) / spread
    share = min(float(np.mean(real <= CLOSED_CM)), float(np.mean(made <= WIDEST_CM)))
    if share == 0.0:
        return open_as_made(direction)
    ranks = share * np.linspace(0.0, 1.0, KNOTS + 1)[1:]
    knots = np.minimum(np.quantile(made, ranks), WIDEST_CM)
    steps = np.maximum.accumulate(np.stack([knots, np.minimum(np.quantile(real, ranks), knots)]), axis=1)
    end = np.full((2, 1), REACH * float(knots[-1]))
    made_cm, real_cm = np.concatenate([np.zeros((2, 1)), steps, end], axis=1).astype(np.float32)
    return Closure(made_cm, real_cm, direction.astype(np.float32))


def open_as_made(direction: Floats) -> Closure:
    """What closes nothing."""
    nothing = np.zeros(0, dtype=np.float32)
    return Closure(nothing, nothing, direction.astype(np.float32))


def close_lips(shapes: Floats, basis: MouthBasis, closure: Closure) -> Floats:
    """Shut the nearly closed among shapes (T, D)."""
    if closure.made_cm.shape[0] == 0:
        return shapes
    gaps = aperture_cm(basis.lips(shapes))
    narrowed = np.interp(gaps, closure.made_cm, closure.real_cm)
    change = np.where(gaps < closure.made_cm[-1], narrowed - gaps, 0.0)
    return np.asarray(shapes + change[:, np.newaxis] * closure.direction, dtype=np.float32)
