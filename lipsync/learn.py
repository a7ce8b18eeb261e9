"""Fit a network from sound to mouths on one speaker's clips.

The paper's training (Suwajanakorn et al. 2017, section 4.1, and its released code): back-propagation through 100 steps
on batches of 100 random crops, state zeroed for each batch, mean squared error, Adam at 1e-3, gradient norm clipped at
10. As a baseline it must not be weak by neglect: at least 3,000 updates whatever the footage, and the best validation
checkpoint is kept (on minutes of speech it peaks early and then gets worse). The default's is the same loop with longer
crops, a rate that falls, a loss that asks for velocity too, and sounds that are varied (`lipsync.variants`).

Of both, what the sounds of many clips are off against each other is taken out on the way (`lipsync.jitter`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import cos, pi
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import torch
from torch import Tensor

from lipsync.closure import CLOSED_CM, Lips
from lipsync.crops import Crops, Example, Rows, Validation, hold_out
from lipsync.jitter import LEAST_CLIPS, jitter_s, moved
from lipsync.logmel import BANDS
from lipsync.options import RecipeName
from lipsync.recipes import fresh_model
from lipsync.resume import Training
from lipsync.sounds import SoundOptions, mask
from lipsync.variants import Halves, heard, quiet, variants
from models.mouthnet import MouthModel, MouthNet, mean_square, open_loss, shape_loss, velocity_loss
from shared.interrupt import postponed
from shared.progress import Progress, silent

LABEL = "learning mouths (updates)"
Batch: TypeAlias = tuple[Tensor, Tensor, Tensor]
"""(B, T, F) features, (B, T, D) shapes, (B, T) known."""


@dataclass(frozen=True, slots=True)
class LearnOptions:
    """How a network is fitted; by default as in the paper."""

    recipe: RecipeName = "paper"
    """Which network; its features are the examples'."""
    phones: bool = True
    """Whether the default network hears phones too."""
    live: bool = False
    """Whether it can follow a stream."""
    updates: int = 3000
    """Optimiser steps, >= 1."""
    batch: int = 100
    """Crops an update."""
    steps: int = 100
    """Rows of 10 ms a crop."""
    parts: int = 4
    """A batch is worked off in so many parts: the same gradient, but tensors that the allocator keeps between updates
    (with the paper's sizes 12 against 25 ms an update on one core)."""
    rate: float = 1e-3
    """Adam's step, at its start where it falls."""
    falling: bool = False
    """Whether the step falls to nothing along half a cosine."""
    clip_norm: float = 10.0
    softness_cm: float = 0.0
    """Distances of a lip point well under this count squared, those well over it as they are (`PointCost`); 0 counts
    the squares of all. Only where the lips are known."""
    velocity: float = 0.0
    """Weight of the squares of the change over 40 ms beside the cost of the shape, >= 0."""
    joined: float = 0.0
    """Share of crops that are joined of `pieces` from anywhere in the footage..."""
    pieces: int = 3
    """...so that no sentence is learned by heart: of words in none of them (half of GRID) r rises from .79 to .83, and
    by another .01 with five pieces, but then mouths of sentences like those learned are 2% further away."""
    widest: float = 1.0
    """How many times as far from the mean mouth the default network's mouths are put at most, where those held out are
    (`Validation.shyness`)."""
    closure: float = 0.0
    """Weight of the error of lips that should be closed and are open, >= 0."""
    sounds: SoundOptions | None = None
    """How sounds are varied, and how often nobody speaks; None leaves them as they are."""
    retime_at: tuple[float, ...] = (0.4, 0.65)
    """Shares of the updates after which the clips' offsets against each other are looked for; they are within 2 ms of
    the last at the second look."""
    threads: int = 1
    """Products this small are hardly worth sharing, and torch's threads wait for each other by spinning: where others
    want the cores a second one made an update take ten times as long. 0: all that torch is allowed."""
    held_out: float = 0.1
    """Share of the clips (or of each clip's time) kept for validation, (0, 0.5]."""
    validate_every: int = 100
    """Updates."""
    patience: int = 0
    """End after so many updates without a better validation, a multiple of `validate_every`; 0 for never."""
    seed: int = 0


LEARNING: Final[Mapping[RecipeName, LearnOptions]] = {
    "paper": LearnOptions(),
    "default": LearnOptions(
        recipe="default",
        updates=600,
        batch=32,
        steps=200,
        parts=1,
        rate=1e-3,
        falling=True,
        clip_norm=1.0,
        softness_cm=0.04,
        velocity=1.0,
        joined=0.9,
        widest=1.1,
        sounds=SoundOptions(),
        threads=1,
        validate_every=50,
    ),
}
"""How each recipe is fitted."""


LONGER_FROM_S: Final = 300.0
"""From so much speech on the default network is trained longer, in larger steps: of three quarters of an hour (GRID)
its held-out error still fell at the 600th update, when that of three minutes had long been rising; with crops joined of
pieces it falls to the 2000th."""
MOST_LONGER: Final = 10 / 3
FASTEST: Final = 2e-3
CLEANEST: Final = 0.65
"""Share of crops that are heard as they were recorded where there is most footage. Of 33 minutes (GRID) 0.7 instead of
0.4 brings held-out mouths 2% nearer, at .873 instead of .893 for r of their opening in noise (5 to 15 dB)."""


def longer_for(speech_s: float, options: LearnOptions) -> LearnOptions:
    """Options that so much speech is worth, of updates, rate and sounds; the paper's are the same for any footage."""
    if options.recipe == "paper":
        return options
    times = min(max(speech_s / LONGER_FROM_S, 1.0), MOST_LONGER)
    step, sounds = options.validate_every, options.sounds
    if sounds is not None:
        share = (times - 1.0) / (MOST_LONGER - 1.0)
        sounds = replace(sounds, clean=sounds.clean + share * max(CLEANEST - sounds.clean, 0.0))
    return replace(
        options,
        updates=round(options.updates * times / step) * step,
        rate=min(options.rate * times, max(FASTEST, options.rate)),
        sounds=sounds,
    )


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted network and how it got there.

    Attributes
    ----------
    curve : (update, root of the mean squared error on what was held out), in the shapes' unit; infinite where nothing
        could be held out. What comes before clips are retimed is on another clock.
    best : (update, error) of the look whose weights `net` holds, as it is: on the last clock, widened.
    mean_mouth : the same error of always answering the mean of the training shapes.
    held : rows of each example that training did not see, (T,) bool.
    late_s : by how much the sound of each example came after its mouth, beside the usual; it was taken out.
    """

    net: MouthModel
    curve: tuple[tuple[int, float], ...]
    best: tuple[int, float]
    mean_mouth: float
    held: tuple[Rows, ...]
    late_s: tuple[float, ...]


def fit(
    examples: Sequence[Example],
    options: LearnOptions,
    progress: Progress = silent,
    watch: Callable[[int, float, float], None] | None = None,
    lips: Lips | None = None,
    folder: Path | None = None,
) -> Fit:
    """Train the network and return its best validation state.

    Parameters
    ----------
    watch : told each update that was validated, its held-out error, and the best so far.
    lips : what the closure term and crops of silence are about; without it there are none.
    folder : where the training is kept while it runs and found when it goes on; None keeps nothing.

    Raises
    ------
    KeyboardInterrupt
        Saying what is kept.
    """
    generator = np.random.default_rng(options.seed)
    held = hold_out(examples, options.held_out, generator)
    with _own_randomness(options.seed), _threads(options.threads), postponed() as interrupted:
        net = _fresh_net(examples, held, options)
        state = Training(net, torch.optim.Adam(net.parameters(), lr=options.rate), generator)
        lessons = _Lessons(net, examples, held, options, lips)
        if folder is None or not state.go_on(folder):
            state.look(lessons.check.error(net))
        elif state.late_s:
            lessons.retime(state.late_s)
        retime_at = {round(share * options.updates) for share in options.retime_at}
        while state.update < options.updates and not (
            options.patience and state.update - state.best[0] >= options.patience
        ):
            state.update += 1
            _update(state, lessons.draw(generator), options, lips)
            if state.update in retime_at and any(late_s := lessons.late_s(net)):
                lessons.retime(late_s)
                state.retime(late_s, lessons.check.error)
            if state.update % options.validate_every == 0 or state.update == options.updates:
                state.look(lessons.check.error(net))
                if watch is not None:
                    watch(*state.curve[-1], state.best[1])
            if folder is not None:
                state.save(folder, now=interrupted())
            if interrupted():
                raise KeyboardInterrupt(_kept(state, options, folder))
            progress(state.update, options.updates, LABEL)
    progress(options.updates, options.updates, LABEL)
    net.load_state_dict(state.best_weights)
    if isinstance(net, MouthNet) and options.widest > 1.0:
        # Dropout, varied sounds and what no sound tells make a network shy: 1.06 is best for its distance too (GRID,
        # 3 and 45 minutes: M-LMD -.03 and .00 px, standard deviation of the opening from .91 to .96 of the real).
        net.widen(min(max(lessons.check.shyness(net), 1.0), options.widest))
    best = (state.best[0], lessons.check.error(net))
    late = state.late_s or (0.0,) * len(examples)
    return Fit(net.eval(), tuple(state.curve), best, lessons.mean_error(), tuple(held), late)


def _kept(state: Training, options: LearnOptions, folder: Path | None) -> str:
    if folder is None:
        return f"nothing of the {state.update} updates made is kept"
    return f"{state.update} of {options.updates} updates are made; the same command goes on from there"


class _Lessons:
    """What is learned from and judged by, made ready once; sounds are varied by a generator of their own."""

    def __init__(
        self,
        net: MouthModel,
        examples: Sequence[Example],
        held: Sequence[Rows],
        options: LearnOptions,
        lips: Lips | None,
    ) -> None:
        self._plain, self._held, self._options, self._lips = examples, held, options, lips
        self._delay = net.delay
        self._examples = [replace(example, features=heard(net, example.features)) for example in examples]
        self._quiet: Tensor | None = None
        ways: list[list[Halves]] = []
        clean = 1.0
        if options.sounds is not None:
            generator, clean = np.random.default_rng(options.seed), options.sounds.clean
            tail = options.steps + net.delay
            ways = variants(net, [example.features for example in examples], options.sounds, generator, tail)
            if lips is not None:
                self._quiet = torch.from_numpy(quiet(net, options.steps, options.sounds, generator))
        size, joined = (options.batch, options.steps), (options.joined, options.pieces)
        self._crops = Crops(self._examples, held, size, net.delay, ways, clean, joined)
        self._judge_by(self._examples)

    def retime(self, late_s: Sequence[float]) -> None:
        """Put the clips on the clock of their sounds."""
        timed = [moved(example, late) for example, late in zip(self._examples, late_s, strict=True)]
        self._crops.show(timed)
        self._judge_by(timed)

    def _judge_by(self, examples: Sequence[Example]) -> None:
        self._timed, self.check = examples, Validation(examples, self._held, self._delay)

    def draw(self, generator: np.random.Generator) -> Batch:
        """A batch; bands and rows of some crops are hidden, and in some nobody speaks."""
        features, shapes, known = self._crops.draw(generator)
        sounds = self._options.sounds
        if sounds is None:
            return features, shapes, known
        mask(features.numpy()[..., :BANDS], sounds, generator)
        if self._quiet is not None and self._lips is not None:
            count = int(generator.binomial(features.shape[0], sounds.silences))
            features[:count] = self._quiet[torch.from_numpy(generator.integers(0, len(self._quiet), count))]
            shapes[:count], known[:count] = torch.from_numpy(self._lips.rest), 1.0
        return features, shapes, known

    def late_s(self, net: MouthModel) -> tuple[float, ...]:
        """By how much the sound of each clip comes after its mouth, beside the usual; zeros for too few clips."""
        if len(self._plain) < LEAST_CLIPS:
            return (0.0,) * len(self._plain)
        net.eval()
        with torch.no_grad():
            made = [net.shapes_of(torch.from_numpy(example.features)).numpy() for example in self._plain]
        return jitter_s(made, self._plain)

    def mean_error(self) -> float:
        """The error of always answering the mean mouth."""
        return self.check.mean_error(self._timed, self._held)


@contextmanager
def _own_randomness(seed: int) -> Iterator[None]:
    """First weights and dropout from a seed of their own."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _update(state: Training, batch: Batch, options: LearnOptions, lips: Lips | None) -> None:
    if options.falling:
        for group in state.optimiser.param_groups:
            group["lr"] = options.rate * (0.5 + 0.5 * cos(pi * (state.update - 1) / options.updates))
    state.net.train()
    state.optimiser.zero_grad()
    whole = batch[0].shape[0]
    for features, shapes, known in zip(*(every.chunk(options.parts) for every in batch), strict=True):
        loss = _loss(state.net.crops(features), shapes, known, options, lips)
        (loss * (features.shape[0] / whole)).backward()
    torch.nn.utils.clip_grad_norm_(state.net.parameters(), options.clip_norm)
    state.optimiser.step()


def _loss(made: Tensor, shapes: Tensor, known: Tensor, options: LearnOptions, lips: Lips | None) -> Tensor:
    cost = mean_square if lips is None or options.softness_cm == 0.0 else lips.cost(options.softness_cm)
    loss = shape_loss(made - shapes, known, cost)
    if options.velocity > 0:
        loss = loss + options.velocity * velocity_loss(made - shapes, known)
    if options.closure > 0 and lips is not None:
        gap = torch.from_numpy(lips.gap)
        gaps, wanted = (every @ gap + lips.gap_cm for every in (made, shapes))
        loss = loss + options.closure * open_loss(gaps, wanted, known, CLOSED_CM)
    return loss


def _fresh_net(examples: Sequence[Example], held: Sequence[Rows], options: LearnOptions) -> MouthModel:
    kept = [example.known & ~rows for example, rows in zip(examples, held, strict=True)]
    features = np.concatenate([example.features[rows] for example, rows in zip(examples, kept, strict=True)])
    shapes = np.concatenate([example.shapes[rows] for example, rows in zip(examples, kept, strict=True)])
    if features.shape[0] < 2:
        raise ValueError("no known rows to learn from")
    net = fresh_model(options.recipe, shapes.shape[1], options.phones, options.live)
    net.normalise_by(torch.from_numpy(features), torch.from_numpy(shapes))
    return net
