"""Fit the network from audio to mouths on one speaker's clips.

Suwajanakorn et al. 2017, section 4.1 and its released training code: back-propagation through 100 steps on batches of
100 random crops, state zeroed for each batch, mean squared error, Adam at 1e-3, gradient norm clipped at 10. As a
baseline it must not be weak by neglect: at least 3,000 updates whatever the footage, and the best validation
checkpoint is kept (on minutes of speech it peaks early and then gets worse).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.audio2mouth import Audio2Mouth, Audio2MouthConfig, masked_loss
from shared.progress import Progress, silent
from shared.types import Floats

PARTS = 4
"""A batch is worked off in this many parts: the same gradient, but tensors that the allocator keeps between updates
(12 against 25 ms an update on one core)."""
LABEL = "learning mouths (updates)"
CONTEXT = 200
"""Rows that the net hears before a held-out stretch (2 s)."""
WHOLE_CLIPS_FROM = 10
"""From this many clips on, whole clips are held out; below, a stretch of each."""


@dataclass(frozen=True, slots=True)
class LearnOptions:
    """The recipe of the paper."""

    updates: int = 3000
    """Optimiser steps, >= 1."""
    batch: int = 100
    """Crops an update."""
    steps: int = 100
    """Rows of 10 ms a crop."""
    rate: float = 1e-3
    """Adam's step."""
    clip_norm: float = 10.0
    held_out: float = 0.1
    """Share of the clips (or of each clip's time) kept for validation, (0, 0.5]."""
    validate_every: int = 100
    """Updates."""
    patience: int = 0
    """End after so many updates without a better validation, a multiple of `validate_every`; 0 for never."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Example:
    """One clip to learn from, at 100 rows a second.

    Attributes
    ----------
    features : (T, 28) float32.
    shapes : (T, D) float32 mouth shapes at the rows' times.
    known : (T,) bool, false where no face was seen.
    """

    features: Floats
    shapes: Floats
    known: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted network and how it got there.

    Attributes
    ----------
    curve : (update, root of the mean squared error on what was held out), in the shapes' unit; infinite where nothing
        could be held out.
    best : the entry of the curve whose weights `net` holds.
    mean_mouth : the same error of always answering the mean of the training shapes.
    """

    net: Audio2Mouth
    curve: tuple[tuple[int, float], ...]
    best: tuple[int, float]
    mean_mouth: float


def fit(
    examples: Sequence[Example],
    options: LearnOptions,
    progress: Progress = silent,
    watch: Callable[[int, float], None] | None = None,
) -> Fit:
    """Train the network and return its best validation state.

    Parameters
    ----------
    watch : told each update that was validated and its held-out error.
    """
    generator = np.random.default_rng(options.seed)
    held = _hold_out(examples, options, generator)
    net = _fresh_net(examples, held, options.seed)
    batches = _Crops(examples, held, options, net.config.delay)
    check = _Validation(examples, held, net.config.delay)
    optimiser = torch.optim.Adam(net.parameters(), lr=options.rate)
    best, best_state = (0, check.error(net)), copy.deepcopy(net.state_dict())
    curve = [best]
    with _one_thread():
        for update in range(1, options.updates + 1):
            _update(net, optimiser, batches, options, generator)
            if update % options.validate_every == 0 or update == options.updates:
                curve.append((update, check.error(net)))
                if watch is not None:
                    watch(*curve[-1])
                if curve[-1][1] <= best[1]:  # where nothing is held out all are infinite, and the last net stays
                    best, best_state = curve[-1], copy.deepcopy(net.state_dict())
            if options.patience and update - best[0] >= options.patience:
                break
            progress(update, options.updates, LABEL)
    progress(options.updates, options.updates, LABEL)
    net.load_state_dict(best_state)
    return Fit(net, tuple(curve), best, check.mean_error(examples, held))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Products of 60 cells are too small to share: a second thread gains nothing, and on a busy machine waits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _update(
    net: Audio2Mouth,
    optimiser: torch.optim.Optimizer,
    batches: _Crops,
    options: LearnOptions,
    generator: np.random.Generator,
) -> None:
    features, shapes, known = batches.draw(generator)
    optimiser.zero_grad()
    for part in zip(features.chunk(PARTS), shapes.chunk(PARTS), known.chunk(PARTS), strict=True):
        share = part[0].shape[0] / features.shape[0]
        loss = masked_loss(net(part[0])[0], part[1], part[2]) * share
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward untyped
    torch.nn.utils.clip_grad_norm_(net.parameters(), options.clip_norm)
    optimiser.step()


def _hold_out(
    examples: Sequence[Example], options: LearnOptions, generator: np.random.Generator
) -> list[NDArray[np.bool_]]:
    """Rows of each example that training must not see: whole clips, or a stretch around three quarters of each.

    Nothing is held out where that would be more than half of what is known (a face seen in that stretch alone).
    """
    held = [np.zeros(example.known.shape[0], dtype=bool) for example in examples]
    if len(examples) >= WHOLE_CLIPS_FROM:
        for number in generator.permutation(len(examples))[: max(1, round(options.held_out * len(examples)))]:
            held[number][:] = True
        return held
    for rows in held:
        length = max(round(options.held_out * rows.shape[0]), min(100, rows.shape[0] // 5))
        start = min(round(0.75 * rows.shape[0] - length / 2), rows.shape[0] - length)
        rows[max(start, 0) : max(start, 0) + length] = True
    known = sum(int(example.known.sum()) for example in examples)
    if sum(int((example.known & rows).sum()) for example, rows in zip(examples, held, strict=True)) > known / 2:
        return [np.zeros_like(rows) for rows in held]
    return held


def _fresh_net(examples: Sequence[Example], held: Sequence[NDArray[np.bool_]], seed: int) -> Audio2Mouth:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Audio2Mouth(Audio2MouthConfig(outputs=examples[0].shapes.shape[1]))
    kept = [example.known & ~rows for example, rows in zip(examples, held, strict=True)]
    features = np.concatenate([example.features[rows] for example, rows in zip(examples, kept, strict=True)])
    if features.shape[0] < 2:
        raise ValueError("no known rows to learn from")
    net.normalise_by(torch.from_numpy(features))
    return net


class _Crops:
    """Random crops out of all clips laid end to end, each followed by enough repeated rows for the delay."""

    def __init__(
        self, examples: Sequence[Example], held: Sequence[NDArray[np.bool_]], options: LearnOptions, delay: int
    ) -> None:
        tail = options.steps + delay
        features, shapes, known, starts, place = [], [], [], [], 0
        for example, rows in zip(examples, held, strict=True):
            usable = example.known & ~rows
            features.append(np.pad(example.features, ((0, tail), (0, 0)), mode="edge"))
            shapes.append(np.pad(example.shapes, ((0, tail), (0, 0)), mode="edge"))
            known.append(np.pad(usable, (0, tail)))
            # A crop may begin where at least half of it can be learned from (all of it, but near a gap).
            ahead = np.convolve(usable, np.ones(options.steps), mode="full")[options.steps - 1 :]
            least = min(options.steps, int(ahead.max(initial=0))) / 2
            starts.append(place + np.flatnonzero((ahead >= least) & (ahead > 0)))
            place += example.known.shape[0] + tail
        self._features = torch.from_numpy(np.concatenate(features))
        self._shapes = torch.from_numpy(np.concatenate(shapes))
        self._known = torch.from_numpy(np.concatenate(known).astype(np.float32))
        self._starts = np.concatenate(starts)
        self._batch, self._steps, self._delay = options.batch, options.steps, delay

    def draw(self, generator: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """(B, S, 28) features from `delay` rows later, (B, S, D) shapes, (B, S) known."""
        starts = generator.choice(self._starts, self._batch)
        rows = torch.from_numpy(starts[:, None] + np.arange(self._steps))
        return self._features[rows + self._delay], self._shapes[rows], self._known[rows]


class _Validation:
    """Held-out stretches run through the net as in use: state kept, delay taken out, some context before."""

    def __init__(self, examples: Sequence[Example], held: Sequence[NDArray[np.bool_]], delay: int) -> None:
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

    def error(self, net: Audio2Mouth) -> float:
        """Root of the held-out mean squared error; infinite where nothing could be held out."""
        if not bool(self._known.any()):
            return float("inf")
        with torch.no_grad():
            predicted = net(self._features)[0][:, self._delay :]
        return float(masked_loss(predicted, self._shapes, self._known).sqrt())

    def mean_error(self, examples: Sequence[Example], held: Sequence[NDArray[np.bool_]]) -> float:
        """The error of always answering the mean shape of the rows that were not held out."""
        if not bool(self._known.any()):
            return float("inf")
        seen = [example.shapes[example.known & ~rows] for example, rows in zip(examples, held, strict=True)]
        mean = torch.from_numpy(np.concatenate(seen).mean(axis=0))
        return float(masked_loss(mean.expand_as(self._shapes), self._shapes, self._known).sqrt())
