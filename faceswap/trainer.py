"""The state of a training and its two acts: a step, and a look at the held-out faces."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from faceswap.adversary import Adversary
from faceswap.augment import augment
from faceswap.bend import unit_points
from faceswap.faceset import FaceSet
from faceswap.guides import Guides, fit_guides, guides_from
from faceswap.heldout import HeldOut, Judge, Look, Shown
from faceswap.objective import Share, Stage, face_mask, learning_rate, share, stage_of, staged, weights_of
from faceswap.options import TrainOptions
from faceswap.pair import Pair
from faceswap.team import ALONE, Team
from models.autoencoder import PEOPLE, FaceAutoencoder, as_module, build
from models.checkpoint import (
    Checkpoint,
    gather,
    optimiser_tensors,
    restore_optimiser,
    restore_weights,
    take_fitting,
)
from models.nets import config_of
from models.tensors import Precision, channels_last, free_memory, is_out_of_memory
from shared.errors import UsageError, WeightsError
from shared.types import JsonObject

NET, AVERAGE, OPTIMISER, RANDOM, GUIDES = "net", "average", "optimiser", "random", "guides"
"""Parts of a checkpoint."""
SLOWER: Final = 0.5
"""Each rollback lowers the learning rate by this."""


@dataclass(frozen=True, slots=True)
class Course:
    """What tells one part of the schedule from another: whether pictures are warped and a discriminator judges them."""

    warped: bool
    judged: bool


class Trainer:
    """Net, averaged net, optimiser and random state; `learn` makes one step, `look` measures.

    Attributes
    ----------
    step : steps made.
    seconds : time spent training, over all runs.
    slower : what the learning rate is multiplied by; below 1 after a rollback.
    parts : how many pieces a batch is computed in, one after the other; more than 1 where memory ran out.
    """

    def __init__(
        self, sets: tuple[FaceSet, FaceSet], options: TrainOptions, precision: Precision, team: Team = ALONE
    ) -> None:
        self.options = options
        self.precision = precision
        self.config = config_of(options.net, options.mask_head)
        self.step = 0
        self.seconds = 0.0
        self.slower = 1.0
        self.parts = 1
        self.team = team
        self._training = [one.training for one in sets]
        sides = [one.crops.shape[-1] for one in sets]
        self._points = [one.training_points for one in sets]
        self._others = [one.training_landmarks(side) for one, side in zip(sets[::-1], sides, strict=True)]
        self._poses = [one.training_poses for one in sets]
        self._guides = self._fit_guides() if self.config.guides else None
        self._held = HeldOut(sets, self.config.output_px)
        torch.manual_seed(options.seed)
        self._random = [torch.Generator().manual_seed(2 * options.seed + person) for person in range(PEOPLE)]
        self._pair = Pair(precision.device)
        self.net = build(self.config)
        means = self._held.means
        self.net.start_from(torch.cat([means[:, :3], face_mask(means[:, 3:])], dim=1).cpu())
        channels_last(as_module(self.net).to(precision.device))
        self.average: FaceAutoencoder = self.net
        if options.average > 0:
            self.average = copy.deepcopy(self.net)
            as_module(self.average).requires_grad_(False)
        self._weights: list[Tensor] = list(as_module(self.net).parameters())
        self._shared, self._own = weights_of(self.net)
        self._averaged: list[Tensor] = list(as_module(self.average).parameters())
        self._adversary = Adversary(precision.device) if options.adversary > 0 else None
        self._optimiser = torch.optim.Adam(
            self._weights, options.learning_rate, betas=(options.beta1, options.beta2), fused=True
        )

    @property
    def faces_a_step(self) -> int:
        """Faces that the net sees in one step."""
        return 2 * self.options.batch

    @property
    def blind(self) -> bool:
        """Whether the net is guided, but not by the gaze, which a face set does not tell."""
        return self._guides is not None and not self._guides.gaze

    @property
    def rate(self) -> float:
        """Learning rate of the next step."""
        return learning_rate(self.options, self.step + 1) * self.slower

    @property
    def stage(self) -> Course:
        """The part of the schedule that the last step belongs to."""
        return _course(stage_of(self.options, max(self.step, 1)))

    @property
    def last_stage(self) -> Course:
        """The part after which no other comes."""
        return _course(stage_of(self.options, 1 << 40))

    def learn(self) -> Tensor:
        """Make one step; the losses of both people come back, (2,).

        Raises
        ------
        UsageError
            If memory does not suffice for a single face.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = self.rate
        first, second = self._shares()
        losses = torch.stack([first.loss, second.loss])
        # In place: making room for a second set of gradients takes longer than adding them.
        torch._foreach_add_(first.shared, second.shared)
        for weights, gradients in zip((self._shared, *self._own), (first.shared, first.own, second.own), strict=True):
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = gradient
        judged = self._adversary.take((first, second)) if self._adversary is not None else []
        self.team.add_up([losses, *(weight.grad for weight in self._weights if weight.grad is not None), *judged])
        self._optimiser.step()
        if self._adversary is not None:
            self._adversary.step()
        self.step += 1
        self._follow()
        return losses

    def close(self) -> None:
        """End the threads."""
        self._pair.close()

    def look(self, judge: Judge | None = None) -> Look:
        """Measure the averaged net on held-out faces."""
        return self._held.look(self.average, self.precision, judge)

    def show(self) -> Shown:
        """Some held-out faces as the averaged net makes them."""
        return self._held.show(self.average, self.precision)

    def checkpoint(self) -> tuple[dict[str, Tensor], JsonObject]:
        """All state as tensors and facts."""
        averaged = as_module(self.average).state_dict() if self.options.average > 0 else {}
        parts = gather(
            **{
                NET: as_module(self.net).state_dict(),
                AVERAGE: averaged,
                OPTIMISER: optimiser_tensors(self._optimiser),
                RANDOM: {name: random.get_state() for name, random in zip("ab", self._random, strict=True)},
                **(self._adversary.state() if self._adversary is not None else {}),
                **self._guide_tensors(),
            }
        )
        return parts, self._facts()

    def snapshot(self) -> tuple[dict[str, Tensor], JsonObject]:
        """The weights that swap, and the facts beside them: enough to use, not to train on."""
        parts = {AVERAGE: as_module(self.average).state_dict(), **self._guide_tensors()}
        return gather(**parts), self._facts()

    def restore(self, stored: Checkpoint, path: Path) -> None:
        """Take over the state that `checkpoint` gave.

        Raises
        ------
        WeightsError
            If it is of another net.
        """
        if stored.facts["config"].get("guides", 0) != self.config.guides:
            raise WeightsError(
                f"{path}: an earlier version made it, whose nets are told less: it swaps as before, but is not trained "
                "further; train another (--start-from takes over what fits), or begin anew with --force"
            )
        restore_weights(as_module(self.net), stored.part(NET), path)
        if self.options.average > 0:
            restore_weights(as_module(self.average), stored.part(AVERAGE), path)
        restore_optimiser(self._optimiser, stored.part(OPTIMISER))
        if self._adversary is not None:
            self._adversary.restore(stored, path)
        if self._guides is not None:
            self._guides = guides_from(stored.part(GUIDES), self.precision.device)
        for name, random in zip("ab", self._random, strict=True):
            random.set_state(stored.part(RANDOM)[name])
        self.step = int(stored.facts["step"])
        self.seconds = float(stored.facts["seconds"])
        self.slower = float(stored.facts.get("slower", 1.0))
        if self.options.precision == "auto":
            self.precision = Precision(self.precision.device, bool(stored.facts["bfloat16"]))

    def start_from(self, stored: Checkpoint) -> float:
        """Take over what fits of another model's weights, before the first step; which share of our own that is.

        The pictures that decoders repaint stay the mean faces of our own people.
        """
        theirs = stored.part(AVERAGE) or stored.part(NET)
        weights = {name: value for name, value in theirs.items() if not name.endswith("picture")}
        taken, of = take_fitting(as_module(self.net), weights)
        if self.options.average > 0:
            take_fitting(as_module(self.average), weights)
        known = stored.part(GUIDES).get("basis")
        if self._guides is not None and known is not None and known.shape == self._guides.basis.shape:
            self._guides = self._fit_guides(known.to(self.precision.device))
        return taken / of

    def _facts(self) -> JsonObject:
        return {
            "config": dataclasses.asdict(self.config),
            "options": dataclasses.asdict(self.options),
            "bfloat16": self.precision.bfloat16,
            "step": self.step,
            "seconds": round(self.seconds, 3),
            "slower": self.slower,
        }

    def _shares(self) -> tuple[Share, Share]:
        """Both people's shares of this process; where memory runs out, the same faces again in smaller pieces."""
        rows = self.team.rows(self.options.batch)
        most = rows.stop - rows.start
        while True:
            before = [random.get_state() for random in self._random]
            try:
                return self._pair.map(self._share)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if self.parts >= most:
                    raise UsageError(
                        f"the net {self.options.net} needs more memory than there is, even one face at a time; "
                        "choose a smaller --net"
                    ) from error
            self.parts = min(2 * self.parts, most)
            for random, state in zip(self._random, before, strict=True):
                random.set_state(state)
            free_memory(self.precision.device)

    def _share(self, person: int) -> Share:
        """One person's share of a step: of this process's rows of the batch, piece by piece."""
        crops, random, count = self._training[person], self._random[person], self.options.batch
        chosen = torch.randint(len(crops), (count,), generator=random).to(crops.device)
        points, others = self._points[person][chosen], self._others[person]
        sizes, stage = (self.config.input_px, self.config.output_px), stage_of(self.options, self.step + 1)
        batch = augment(crops[chosen], points, others, sizes, staged(self.options.augment, stage), random)
        if self._guides is not None:
            batch = self._guides.told(batch, person, self._poses[person][chosen])
        judge = (self._adversary.critic(person), stage) if self._adversary is not None and stage.judged else None
        rows = self.team.rows(count)
        own = rows.stop - rows.start
        total: Share | None = None
        for part in range(self.parts):
            some = slice(rows.start + own * part // self.parts, rows.start + own * (part + 1) // self.parts)
            made = share(self.net, person, batch.of(some), self.options, self.precision, judge)
            if some.stop - some.start == count:
                return made
            total = made.added_to(total, (some.stop - some.start) / count)
        if total is None:
            raise ValueError("a batch needs at least one part")
        return total

    def _guide_tensors(self) -> dict[str, dict[str, Tensor]]:
        return {GUIDES: self._guides.tensors()} if self._guides is not None else {}

    def _fit_guides(self, basis: Tensor | None = None) -> Guides:
        """Guides of the faces to learn from."""
        points = [unit_points(own, crops.shape[-1]) for own, crops in zip(self._points, self._training, strict=True)]
        return fit_guides(list(zip(points, self._poses, strict=True)), basis)

    def _follow(self) -> None:
        """Move the averaged weights; the average is shorter in the first steps."""
        if self.options.average > 0:
            kept = min(self.options.average, (1 + self.step) / (10 + self.step))
            with torch.no_grad():
                torch._foreach_lerp_(self._averaged, self._weights, 1.0 - kept)


def _course(stage: Stage) -> Course:
    return Course(stage.warp > 0, stage.judged)
