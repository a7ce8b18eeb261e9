"""The state of a training and its two acts: a step, and a look at the held-out faces."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from faceswap.augment import net_input, view
from faceswap.faceset import FaceSet
from faceswap.objective import Share, face_mask, learning_rate, share, weights_of
from faceswap.options import TrainOptions
from faceswap.pair import Pair
from models.autoencoder import PEOPLE, FaceAutoencoder, as_module, build
from models.checkpoint import Checkpoint, gather, optimiser_tensors, restore_optimiser, restore_weights
from models.losses import psnr
from models.nets import config_of
from models.tensors import Precision, channels_last, nhwc
from shared.types import Floats, JsonObject

MOST_LOOKED_AT = 64
"""Held-out faces of each person that a look measures, spread evenly."""
SHOWN = 4
"""Faces of each person on the preview sheet."""
NET, AVERAGE, OPTIMISER, RANDOM = "net", "average", "optimiser", "random"
"""Parts of a checkpoint."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the held-out faces say.

    Attributes
    ----------
    figures : ``psnr_a_db``, ``psnr_b_db``, ``l1_a``, ``l1_b`` over the face's hull, and ``mean_face_a_db``,
        ``mean_face_b_db``, the PSNR of the mean of the training faces.
    faces, rebuilt, swapped : (N, S, S, 3) float32, some faces of A, then as many of B.
    """

    figures: JsonObject
    faces: Floats
    rebuilt: Floats
    swapped: Floats

    @property
    def level_db(self) -> float:
        """Mean PSNR of both people."""
        return float(self.figures["psnr_a_db"] + self.figures["psnr_b_db"]) / 2


class Trainer:
    """Net, averaged net, optimiser and random state; `learn` makes one step, `look` measures."""

    def __init__(self, sets: tuple[FaceSet, FaceSet], options: TrainOptions, precision: Precision) -> None:
        self.options = options
        self.precision = precision
        self.config = config_of(options.net, options.mask_head)
        self.step = 0
        self.seconds = 0.0
        self._training = [one.training for one in sets]
        self._unseen = [view(_evenly(one.unseen, MOST_LOOKED_AT), self.config.output_px) for one in sets]
        means = torch.stack([_mean_view(crops, self.config.output_px) for crops in self._training])
        self.mean_face_db = tuple(
            float(psnr(mean[None, :3].expand(len(seen), -1, -1, -1), seen[:, :3], face_mask(seen[:, 3:])).mean())
            for mean, seen in zip(means, self._unseen, strict=True)
        )
        torch.manual_seed(options.seed)
        self._random = [torch.Generator().manual_seed(2 * options.seed + person) for person in range(PEOPLE)]
        self._pair = Pair(precision.device)
        self.net = build(self.config)
        self.net.start_from(torch.cat([means[:, :3], face_mask(means[:, 3:])], dim=1).cpu())
        channels_last(as_module(self.net).to(precision.device))
        self.average: FaceAutoencoder = self.net
        if options.average > 0:
            self.average = copy.deepcopy(self.net)
            as_module(self.average).requires_grad_(False)
        self._weights: list[Tensor] = list(as_module(self.net).parameters())
        self._shared, self._own = weights_of(self.net)
        self._averaged: list[Tensor] = list(as_module(self.average).parameters())
        self._optimiser = torch.optim.Adam(
            self._weights, options.learning_rate, betas=(options.beta1, options.beta2), fused=True
        )

    @property
    def faces_a_step(self) -> int:
        """Faces that the net sees in one step."""
        return 2 * self.options.batch

    def learn(self) -> Tensor:
        """Make one step; the losses of both people come back, (2,)."""
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate(self.options, self.step + 1)
        first, second = self._pair.map(self._share)
        for weight, one, other in zip(self._shared, first.shared, second.shared, strict=True):
            weight.grad = one + other
        for weights, gradients in zip(self._own, (first.own, second.own), strict=True):
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = gradient
        self._optimiser.step()
        self.step += 1
        self._follow()
        return torch.stack([first.loss, second.loss])

    def close(self) -> None:
        """End the threads."""
        self._pair.close()

    def look(self) -> Look:
        """Measure the averaged net on held-out faces."""
        figures: JsonObject = {}
        shown: list[tuple[Tensor, Tensor, Tensor]] = []
        for person, name in enumerate("ab"):
            seen, mask = self._unseen[person][:, :3], face_mask(self._unseen[person][:, 3:])
            with torch.inference_mode(), self.precision.autocast():
                code = self.average.encode(net_input(seen, self.config.input_px))
                rebuilt, swapped = (self.average.decode(code, who).picture.float() for who in (person, 1 - person))
            figures[f"psnr_{name}_db"] = round(float(psnr(rebuilt, seen, mask).mean()), 3)
            figures[f"l1_{name}"] = round(float(((rebuilt - seen).abs() * mask).sum() / (3 * mask.sum())), 5)
            figures[f"mean_face_{name}_db"] = round(self.mean_face_db[person], 3)
            shown.append((_evenly(seen, SHOWN), _evenly(rebuilt, SHOWN), _evenly(swapped, SHOWN)))
        return Look(figures, *(nhwc(torch.cat(pair)) for pair in zip(*shown, strict=True)))

    def checkpoint(self) -> tuple[dict[str, Tensor], JsonObject]:
        """All state as tensors and facts."""
        averaged = as_module(self.average).state_dict() if self.options.average > 0 else {}
        parts = gather(
            **{
                NET: as_module(self.net).state_dict(),
                AVERAGE: averaged,
                OPTIMISER: optimiser_tensors(self._optimiser),
                RANDOM: {name: random.get_state() for name, random in zip("ab", self._random, strict=True)},
            }
        )
        facts = {
            "config": asdict(self.config),
            "options": asdict(self.options),
            "bfloat16": self.precision.bfloat16,
            "seconds": round(self.seconds, 3),
        }
        return parts, facts

    def restore(self, stored: Checkpoint, path: Path) -> None:
        """Take over the state that `checkpoint` gave."""
        restore_weights(as_module(self.net), stored.part(NET), path)
        if self.options.average > 0:
            restore_weights(as_module(self.average), stored.part(AVERAGE), path)
        restore_optimiser(self._optimiser, stored.part(OPTIMISER))
        for name, random in zip("ab", self._random, strict=True):
            random.set_state(stored.part(RANDOM)[name])
        self.step = int(stored.facts["step"])
        self.seconds = float(stored.facts["seconds"])
        if self.options.precision == "auto":
            self.precision = Precision(self.precision.device, bool(stored.facts["bfloat16"]))

    def _share(self, person: int) -> Share:
        crops, random = self._training[person], self._random[person]
        return share(self.net, person, crops, random, self.options, self.precision)

    def _follow(self) -> None:
        """Move the averaged weights; the average is shorter in the first steps."""
        if self.options.average > 0:
            kept = min(self.options.average, (1 + self.step) / (10 + self.step))
            with torch.no_grad():
                torch._foreach_lerp_(self._averaged, self._weights, 1.0 - kept)


def _evenly(pictures: Tensor, most: int) -> Tensor:
    """At most `most` of the pictures, spread evenly."""
    places = torch.linspace(0, len(pictures) - 1, min(most, len(pictures)), device=pictures.device)
    return pictures[places.round().long()]


def _mean_view(crops: Tensor, output_px: int, batch: int = 128) -> Tensor:
    """Mean of the unmoved views of all crops, (4, output_px, output_px) float32."""
    total = torch.zeros(crops.shape[1], output_px, output_px, device=crops.device)
    for start in range(0, len(crops), batch):
        total += view(crops[start : start + batch], output_px).sum(dim=0)
    return total / len(crops)
