"""Mouths for other people's speech: brought to the speaker's vocal tract, and told half by phones alone.

What a network learned of one man's sentences it takes for speech itself: sounds that follow each other in none of them
lead it astray, most of all in a voice that it never heard. Phones of a model of many voices (`models.ear`), each
adding its part whatever stands beside it, follow its own speaker less closely and everybody else as well as the network
does; and since the two go wrong in different places, half of each follows better than either. Of GRID with three words
left out (17 minutes), r of the opening:

========================  =========  ============  ==================  ============
share told by phones      new words  all of his    others, all frames  in speech
========================  =========  ============  ==================  ============
0                         .821       .913          .583                .598
.3                        .829       .904          .606                .629
.5                        .824       .886          .613                .637
1                         .754       .796          .597                .606
========================  =========  ============  ==================  ============

(*Others* are two speeches of Obama, 77 s.) So the speaker's own voice is left to the network, and what is not told for
another's: a sentence is too short to tell a tract by, and noise hides it. How far apart the taps lie and the ridge
were chosen by the new words of the same man.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from lipsync.crops import Example
from lipsync.tract import brought, factor_to, tract_of
from models.ear import PHONES, Ear
from models.mouthnet import BLOCK, STRIDE, MouthModel, MouthNet
from shared.types import Floats

TAPS: Final = (-4, -2, 0, 2, 4)
"""Steps of 20 ms at which phones are looked at: 0.16 s. Of the map alone, fitted to 160 sentences, r in new words is
.76 so, with 0.32 s .72, with 0.08 s .75."""
RIDGE: Final = 0.3
"""In the mean variance of what is looked at. Of his own sentences the map tells most with a tenth of it."""
SHARE: Final = 0.5
"""How much of a stranger's mouths is told by phones..."""
OWN, STRANGE = 0.03, 0.09
"""...from nothing to all of it between these changes of tract (natural logarithm, as far as it is believed): of the
speaker's own sentences 99% lie under 0.03, and so do 23 of them as one sound, clean or in noise."""
CONTEXT: Final = 20
"""Rows heard on either side of a block; even, and more than is seen around a row (14)."""


@dataclass(frozen=True, slots=True)
class Strangers:
    """What a voice knows for the speech of others.

    Attributes
    ----------
    tract : what brings the speaker's own voice to the acoustic model's (`lipsync.tract`).
    weights : (5, 42, D) float32, what the share of each phone at each tap adds to a mouth shape.
    usual : (D,) float32, what they are added to.
    """

    tract: float
    weights: Floats
    usual: Floats

    def fits(self, outputs: int) -> bool:
        """Whether it belongs to mouth shapes of so many coefficients, and can be reckoned with."""
        sizes = self.weights.shape == (len(TAPS), len(PHONES), outputs) and self.usual.shape == (outputs,)
        return sizes and isfinite(self.tract) and self.tract > 0.0

    def shapes(self, net: MouthNet, features: Floats) -> Floats:
        """What a network that hears phones makes of anybody's sound (T, inputs): (T, D) float32."""
        if net.ear is None:
            raise ValueError("only a network that hears phones can follow strangers")
        factor = factor_to(net.ear, features, self.tract)
        heard = brought(features, factor)
        made = np.asarray(net.shapes_of(torch.from_numpy(heard)).numpy(), dtype=np.float32)
        share = np.float32(SHARE * strangeness(factor))
        if share == 0.0 or len(features) == 0:
            return made
        return made + share * (self.by_phones(net.ear, heard) - made)

    def by_phones(self, ear: Ear, features: Floats) -> Floats:
        """What phones alone tell of a sound (T, inputs), T >= 1: (T, D) float32."""
        rows, sound = features.shape[0], torch.from_numpy(features)[np.newaxis]
        centre, parts = ear.centre(sound), []
        for start in range(0, rows, BLOCK):
            first = max(start - CONTEXT, 0)
            shares = _shares(ear, sound[:, first : start + BLOCK + CONTEXT], centre)
            steps = self.usual + sum(tap @ weights for tap, weights in zip(_taps(shares), self.weights, strict=True))
            # Step j stands at row 2j; the rows between are half-way, as the network's are.
            between = (steps + np.concatenate([steps[1:], steps[-1:]])) / 2
            mapped = np.stack([steps, between], axis=1).reshape(2 * len(steps), -1)
            parts.append(mapped[start - first : min(start + BLOCK, rows) - first])
        return np.concatenate(parts).astype(np.float32)


def strangers_of(
    net: MouthModel, heard: Sequence[Example], made: Sequence[Floats], sounds: Sequence[Floats]
) -> Strangers | None:
    """Fit a voice's `Strangers`; None where the network hears no phones, or as they come, or no mouth is known.

    Parameters
    ----------
    heard : clips of the speaker to fit to, on the clock of their sounds.
    made : (T, D) what the network makes of each; mouths by phones are spread as widely.
    sounds : log-mel rows of all his clips, by which his tract is told.
    """
    if not isinstance(net, MouthNet) or net.ear is None or net.ear.live:
        return None
    products = np.zeros(())
    for example, mouths in zip(heard, made, strict=True):
        whole = torch.from_numpy(example.features)[np.newaxis]
        centre = net.ear.centre(whole)
        for start in range(0, len(mouths), BLOCK):
            rows = slice(start, start + BLOCK)
            taps = _taps(_shares(net.ear, whole[:, rows], centre))
            one = np.ones((len(taps[0]), 1), dtype=np.float32)
            some: list[Floats] = [one, *taps, example.shapes[rows][::STRIDE], mouths[rows][::STRIDE]]
            beside = np.concatenate(some, axis=1, dtype=np.float64)[example.known[rows][::STRIDE]]
            products = products + beside.T @ beside
    if not products.any():
        return None
    weights, usual = _fitted(products)
    return Strangers(tract_of(net.ear, sounds), weights.reshape(len(TAPS), len(PHONES), -1), usual)


def strangeness(factor: float) -> float:
    """How far a voice that is brought to the speaker's by such a factor is another's, [0, 1]."""
    return min(max((abs(log(factor)) - OWN) / (STRANGE - OWN), 0.0), 1.0)


def _shares(ear: Ear, sound: torch.Tensor, centre: torch.Tensor) -> Floats:
    """Shares of the phones in a sound (1, T, inputs), little smoothed: (T / 2, 42) float32, each step's sum 1."""
    shares = ear(sound, STRIDE, centre)[0].exp().numpy()
    around = np.pad(shares, ((1, 1), (0, 0)), mode="edge")
    return np.asarray((around[:-2] + 2 * around[1:-1] + around[2:]) / 4, dtype=np.float32)


def _taps(shares: Floats) -> list[Floats]:
    """The shares at each tap's distance, each (S, 42)."""
    reach, steps = max(TAPS), len(shares)
    around = np.pad(shares, ((reach, reach), (0, 0)), mode="edge")
    return [around[reach + tap : reach + tap + steps] for tap in TAPS]


def _fitted(products: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Ridge regression from what phones tell to mouths, that are spread as widely as those of the network.

    Parameters
    ----------
    products : (N, N), rows of 1, what phones tell, real mouths and those of the network times each other, summed.

    Returns
    -------
    weights : (210, D) float32.
    usual : (D,) float32, what they are added to.
    """
    means = products[0] / products[0, 0]
    spread = products / products[0, 0] - np.outer(means, means)
    first = 1 + len(TAPS) * len(PHONES)
    outputs = (len(means) - first) // 2
    told, real, made = slice(1, first), slice(first, first + outputs), slice(first + outputs, None)
    apart = spread[told, told]
    ridge = RIDGE * float(np.trace(apart)) / len(apart) + np.finfo(float).tiny
    weights = np.linalg.solve(apart + ridge * np.eye(len(apart)), spread[told, real])
    wanted, power = float(np.trace(spread[made, made])), float(np.trace(weights.T @ apart @ weights))
    weights *= np.sqrt(max(wanted, 0.0) / power) if power > 0.0 else 1.0
    return weights.astype(np.float32), (means[real] - means[told] @ weights).astype(np.float32)
