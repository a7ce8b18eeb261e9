"""What a network is trained and judged on: random crops of the clips, and stretches that training never sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.mouthnet import MouthModel, shape_loss
from shared.types import Floats

CONTEXT = 200
"""Rows that the net hears before a held-out stretch (2 s)."""
EDGE_ROWS = 8
"""Mouths so near to a joint of two pieces count for nothing: they move as neither does."""
LEAST_PIECE = 20
"""The first and the last piece of a crop are no shorter."""
WHOLE_CLIPS_FROM = 10
"""From this many clips on, whole clips are held out; below, a stretch of each."""
Rows = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Example:
    """One clip to learn from, at 100 rows a second.

    Attributes
    ----------
    features : (T, F) float32, the recipe's, or as a network's training takes them (`lipsync.variants`).
    shapes : (T, D) float32 mouth shapes at the rows' times.
    known : (T,) bool, false where no face was seen.
    """

    features: Floats
    shapes: Floats
    known: Rows


def hold_out(examples: Sequence[Example], share: float, generator: np.random.Generator) -> list[Rows]:
    """Rows of each example that training must not see: whole clips, or a stretch around three quarters of each.

    Nothing is held out where that would be more than half of what is known (a face seen in that stretch alone).
    """
    held = [np.zeros(example.known.shape[0], dtype=bool) for example in examples]
    if len(examples) >= WHOLE_CLIPS_FROM:
        for number in generator.permutation(len(examples))[: max(1, round(share * len(examples)))]:
            held[number][:] = True
        return held
    for rows in held:
        length = max(round(share * rows.shape[0]), min(100, rows.shape[0] // 5))
        start = min(round(0.75 * rows.shape[0] - length / 2), rows.shape[0] - length)
        rows[max(start, 0) : max(start, 0) + length] = True
    known = sum(int(example.known.sum()) for example in examples)
    if sum(int((example.known & rows).sum()) for example, rows in zip(examples, held, strict=True)) > known / 2:
        return [np.zeros_like(rows) for rows in held]
    return held


class Crops:
    """Random crops out of all clips laid end to end, each followed by enough repeated rows for the delay.

    Parameters
    ----------
    size : crops a batch, rows a crop.
    delay : rows by which features are taken later.
    ways : the features of all examples once more, in each way in which they are varied, in any precision.
    clean : share of the crops that are taken from the examples' own, where there are others.
    joined : share of the crops that are joined of pieces from anywhere, so that what comes before in a sentence tells
        nothing of what comes next, and how many pieces.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        held: Sequence[Rows],
        size: tuple[int, int],
        delay: int,
        ways: Sequence[Sequence[NDArray[np.floating]]] = (),
        clean: float = 1.0,
        joined: tuple[float, int] = (0.0, 1),
    ) -> None:
        self._batch, self._steps = size
        self._joined = joined
        self._delay, self._clean, self._held = delay, clean, held
        self._tail = self._steps + delay
        self._ways = [_end_to_end(one, self._tail) for one in ([example.features for example in examples], *ways)]
        self.show(examples)

    def show(self, examples: Sequence[Example]) -> None:
        """Take shapes, and which rows are known, from the same clips on another clock; features stay."""
        self._shapes = _end_to_end([example.shapes for example in examples], self._tail)
        known, starts, place = [], [], 0
        for example, rows in zip(examples, self._held, strict=True):
            usable = example.known & ~rows
            known.append(np.pad(usable, (0, self._tail)))
            # A crop may begin where at least half of it can be learned from (all of it, but near a gap).
            ahead = np.convolve(usable, np.ones(self._steps), mode="full")[self._steps - 1 :]
            least = min(self._steps, int(ahead.max(initial=0))) / 2
            starts.append(place + np.flatnonzero((ahead >= least) & (ahead > 0)))
            place += example.known.shape[0] + self._tail
        self._known = torch.from_numpy(np.concatenate(known).astype(np.float32))
        self._starts = np.concatenate(starts)

    def draw(self, generator: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """(B, S, F) features from `delay` rows later, (B, S, D) shapes, (B, S) known."""
        starts = generator.choice(self._starts, self._batch)
        places, apart = starts[:, None] + np.arange(self._steps), np.ones((self._batch, self._steps), dtype=np.float32)
        share, pieces = self._joined
        for crop in np.flatnonzero(generator.random(self._batch) < share) if share > 0.0 else ():
            for cut in np.sort(generator.integers(LEAST_PIECE, self._steps - LEAST_PIECE, pieces - 1)):
                places[crop, cut:] = generator.choice(self._starts) + np.arange(self._steps - cut)
                apart[crop, max(cut - EDGE_ROWS - self._delay, 0) : cut + EDGE_ROWS] = 0.0
        rows = torch.from_numpy(places)
        known = self._known[rows] * torch.from_numpy(apart)
        return self._heard(rows + self._delay, generator), self._shapes[rows], known

    def _heard(self, rows: Tensor, generator: np.random.Generator) -> Tensor:
        """Features of rows (B, S), each crop in its own way."""
        if len(self._ways) == 1:
            return self._ways[0][rows]
        clean = generator.random(self._batch) < self._clean
        chosen = np.where(clean, 0, generator.integers(1, len(self._ways), self._batch))
        return torch.stack([self._ways[way][crop].float() for way, crop in zip(chosen, rows, strict=True)])


def _end_to_end(tracks: Sequence[NDArray[np.floating]], tail: int) -> Tensor:
    """Tracks (T, D), each followed by its last row `tail` times; nothing is kept twice on the way."""
    rows = sum(len(one) + tail for one in tracks)
    laid = np.empty((rows, tracks[0].shape[1]), dtype=tracks[0].dtype)
    place = 0
    for one in tracks:
        laid[place : place + len(one)] = one
        laid[place + len(one) : place + len(one) + tail] = one[-1]
        place += len(one) + tail
    return torch.from_numpy(laid)


class Validation:
    """Held-out stretches run through the net as in use: state kept, delay taken out, some context before."""

    def __init__(self, examples: Sequence[Example], held: Sequence[Rows], delay: int) -> None:
        chosen = [(example, rows) for example, rows in zip(examples, held, strict=True) if (example.known & rows).any()]
        first = [max(0, int(np.flatnonzero(rows)[0]) - CONTEXT) for _, rows in chosen]
        last = [int(np.flatnonzero(rows)[-1]) + 1 for _, rows in chosen]
        longest = max((b - a for a, b in zip(first, last, strict=True)), default=0)
        count = len(chosen)
        dimensions = (examples[0].features.shape[1], examples[0].shapes.shape[1])
        features = np.zeros((count, longest + delay, dimensions[0]), dtype=np.float32)
        self._shapes = torch.zeros((count, longest, dimensions[1]))
        self._known = torch.zeros((count, longest))
        for k, ((example, rows), a, b) in enumerate(zip(chosen, first, last, strict=True)):
            heard = np.clip(np.arange(a, a + longest + delay), 0, example.features.shape[0] - 1)
            features[k] = example.features[heard]
            self._shapes[k, : b - a] = torch.from_numpy(example.shapes[a:b])
            self._known[k, : b - a] = torch.from_numpy((example.known & rows)[a:b].astype(np.float32))
        self._features, self._delay = torch.from_numpy(features), delay

    def error(self, net: MouthModel) -> float:
        """Root of the held-out mean squared error; infinite where nothing could be held out."""
        if not bool(self._known.any()):
            return float("inf")
        return float(shape_loss(self._predicted(net) - self._shapes, self._known).sqrt())

    def shyness(self, net: MouthModel) -> float:
        """How many times as far from the mean mouth the held-out mouths are as they are told, (0, inf).

        Half-way (geometric mean) between the factor with the least squared error and that with which both spread
        alike: what is told never follows perfectly, and full spread would cost distance. 1 where nothing is held out.
        """
        if not bool(self._known.any()):
            return 1.0
        told, real = (every * self._known.unsqueeze(-1) for every in (self._predicted(net), self._shapes))
        power = float(told.square().sum())
        fit = float((told * real).sum()) / power if power > 0 else 1.0
        return (fit * (float(real.square().sum()) / power) ** 0.5) ** 0.5 if fit > 0 and power > 0 else 1.0

    def _predicted(self, net: MouthModel) -> Tensor:
        net.eval()
        with torch.no_grad():
            return net.crops(self._features)[:, self._delay :]

    def mean_error(self, examples: Sequence[Example], held: Sequence[Rows]) -> float:
        """The error of always answering the mean shape of the rows that were not held out."""
        if not bool(self._known.any()):
            return float("inf")
        seen = [example.shapes[example.known & ~rows] for example, rows in zip(examples, held, strict=True)]
        mean = torch.from_numpy(np.concatenate(seen).mean(axis=0))
        return float(shape_loss(mean - self._shapes, self._known).sqrt())
