"""How a decoder answers what it is told of mouth and lids, and what it must be told so that they open as far as asked.

A decoder has learned its own person's habits: one who seldom closes his eyes on film answers half a blink with a slit,
and one who is mostly silent opens his lips only when told of a shout. So it is asked (`faceswap.ask`). Between what is
told and how far the made face opens there is a rising curve (isotonic regression); between what is told and how far the
clip's own face is open, another. One through the inverse of the other says what to tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from faceswap.guides import column_of
from shared.types import Floats

Doubles = NDArray[np.float64]
BINS: Final = 8
"""A curve is drawn through the means of so many bins of equal numbers: finer ones, or bins of equal width, follow the
finder's noise, and the curve read backwards makes the more of it (eyes r .88 instead of .95 on the GRID speaker)."""
FURTHEST: Final = 2.5
"""What is told is changed by no more than this."""
STILL: Final = 0.04
"""A face whose opening differs less than this, as a share of an eye's width or distance, does not move."""
LEAST_ANSWER: Final = 0.25
"""A decoder that opens less than this share of what is asked does not listen: it must not be shouted at."""
END: Final = 0.03
"""Share of the faces in a bin of its own at either end: eyes are seldom shut, but then it matters."""
PRICE: Final = 0.03
"""A change of what is told by one standard deviation must win more than this share of the clip's opening."""
TRIED: Final = 256
RISE: Final = 1e-6
"""Least rise of a curve, so that it can be read backwards."""
WIDE_OPEN: Final = 60.0
"""Percentile of the openings of a person's lids that counts as open."""


@dataclass(frozen=True, slots=True)
class Response:
    """What to tell of one thing.

    Attributes
    ----------
    column : of the guides.
    told, asked : (K,) rising; what was told, and what to tell in its place.
    """

    column: int
    told: Doubles
    asked: Doubles

    def applied(self, guides: Floats) -> Floats:
        """Guides (N, K) with this column as it is to be told; beyond the curve's ends as much is added as there."""
        changed = guides.copy()
        values = guides[:, self.column]
        changed[:, self.column] = values + np.interp(values, self.told, self.asked - self.told)
        return changed


def moves(openings: Doubles) -> bool:
    """Whether openings (N,) differ enough to be followed: the means of those at either end, beyond noise."""
    ends = max(2, round(END * len(openings)))
    ordered = np.sort(openings)
    return bool(ordered[-ends:].mean() - ordered[:ends].mean() >= STILL)


def response_of(
    column: int, clip: tuple[Doubles, Doubles], made: tuple[Doubles, Doubles], strength: float
) -> Response | None:
    """Curves of the clip and of the decoder, the one read through the other backwards.

    Lids shall be shut where the clip's are, and as open as the decoder's own person keeps them where they are open; the
    mouth as open as the clip's.

    Parameters
    ----------
    clip, made : what is told, and how open the clip's and the made faces are, (N,) each.
    strength : how far beyond what is asked, 1 for just so far.

    Returns
    -------
    None where the clip's face does not move, or the decoder does not answer.
    """
    told, wanted = _curve(*clip)
    values, opened = _curve(*made)
    if column == column_of("lids"):
        wide = np.percentile(clip[1], WIDE_OPEN)
        wanted = wanted * np.interp(np.percentile(clip[0], WIDE_OPEN), values, opened) / max(wide, RISE)
        wanted = wanted[-1] + strength * (wanted - wanted[-1])
    else:
        wanted = strength * wanted
    asked, answers = wanted[-1] - wanted[0], opened[-1] - opened[0]
    if asked < STILL or answers < LEAST_ANSWER * asked:
        return None
    return Response(column, told, _asked(told, wanted, (values, opened)))


def _asked(told: Doubles, wanted: Doubles, answer: tuple[Doubles, Doubles]) -> Doubles:
    """What to tell in place of `told` so that a decoder opens as far as wanted, changed no further than it pays.

    Lips that are shut stay so whatever less they are told: told of far less than they know they only wrinkle.
    """
    values, opened = answer
    tried = np.linspace(values[0], values[-1], TRIED)
    misses = (np.interp(tried, values, opened) - wanted[:, np.newaxis]) / (wanted[-1] - wanted[0])
    change = tried - told[:, np.newaxis]
    cost = misses**2 + (PRICE * change) ** 2 + np.where(np.abs(change) > FURTHEST, np.inf, 0.0)
    kept = np.isfinite(cost).any(axis=1)  # else the decoder was never asked anything near it
    best = np.where(kept, tried[cost.argmin(axis=1)], told)
    return np.asarray(isotonic_regression(best).x + RISE * np.arange(len(best)))


def _curve(values: Doubles, openings: Doubles) -> tuple[Doubles, Doubles]:
    """What is told, and how open that is, both rising: means over bins, made to rise by isotonic regression."""
    order = np.argsort(values, kind="stable")
    ends = max(2, round(END * len(order)))
    middle = np.array_split(order[ends:-ends], min(BINS, max(1, len(order) - 2 * ends)))
    bins = [some for some in (order[:ends], *middle, order[-ends:]) if len(some)]
    told = np.array([values[some].mean() for some in bins]) + RISE * np.arange(len(bins))
    means = isotonic_regression([openings[some].mean() for some in bins], weights=[len(some) for some in bins]).x
    return told, np.asarray(means + RISE * np.arange(len(bins)))
