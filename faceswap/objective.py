"""What a training asks of the net: the schedule, the weighted loss of one person's batch, its gradients, the rate."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from faceswap.augment import Batch
from faceswap.options import AugmentOptions, TrainOptions
from models.autoencoder import FaceAutoencoder, as_module
from models.discriminator import squared_distance
from models.losses import (
    absolute_error,
    dissimilarity,
    edge_error,
    feature_error,
    multiscale_dissimilarity,
    squared_error,
)
from models.tensors import Precision

ADVERSARY_RISE: Final = 1000
"""Steps over which a discriminator's weight rises: it learns first."""
HIDDEN: Final = 3.0
SURE: Final = 1e-5
"""A mask counts as no surer than this, so that its cross entropy stays finite."""
LOSSES: Final = {
    "absolute": absolute_error,
    "squared": squared_error,
    "dissimilarity": dissimilarity,
    "multiscale": multiscale_dissimilarity,
    "edges": edge_error,
}
"""Losses of a picture by the option that weighs them."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where in its schedule a training is.

    Attributes
    ----------
    warp : share of the usual warp.
    adversary : weight of the discriminator's opinion; the discriminator learns from its first step on.
    judged : whether the discriminator is at work.
    """

    warp: float
    adversary: float
    judged: bool


@dataclass(frozen=True, slots=True)
class Share:
    """One person's part of a step.

    Attributes
    ----------
    loss : a scalar.
    shared, own : gradients of the shared weights and of what is the person's own, in the order of `weights_of`.
    critic : gradients of the person's discriminator; empty where none is at work.
    """

    loss: Tensor
    shared: tuple[Tensor, ...]
    own: tuple[Tensor, ...]
    critic: tuple[Tensor, ...] = ()

    def added_to(self, total: Share | None, weight: float) -> Share:
        """The sum so far with this share, as much of it; `total` is used up."""
        if total is None:
            gradients = (tuple(value * weight for value in some) for some in (self.shared, self.own, self.critic))
            return Share(self.loss * weight, *gradients)
        torch._foreach_add_(total._flat(), self._flat(), alpha=weight)
        return total

    def _flat(self) -> list[Tensor]:
        return [self.loss, *self.shared, *self.own, *self.critic]


def stage_of(options: TrainOptions, step: int) -> Stage:
    """What `step`, counted from 1, is trained with: a warp, then none, then a discriminator beside it."""
    warp = 0.0 if 0 < options.warp_until < step else 1.0
    since = step - options.adversary_from
    judged = options.adversary > 0 and since > 0
    return Stage(warp, options.adversary * min(1.0, since / ADVERSARY_RISE) if judged else 0.0, judged)


def staged(options: AugmentOptions, stage: Stage) -> AugmentOptions:
    """The augmentation with the stage's warp."""
    if stage.warp == 1.0:
        return options
    warp_px, to_landmarks = options.warp_px * stage.warp, options.to_landmarks * stage.warp
    return dataclasses.replace(options, warp_px=warp_px, to_landmarks=to_landmarks)


def weights_of(net: FaceAutoencoder) -> tuple[list[Tensor], tuple[list[Tensor], list[Tensor]]]:
    """The weights that both people share, and each one's own."""
    first, second = (list(part.parameters()) for part in net.own)
    shared = [value for name, value in as_module(net).named_parameters() if not name.startswith("own.")]
    return list(shared), (list(first), list(second))


def share(
    net: FaceAutoencoder,
    person: int,
    batch: Batch,
    options: TrainOptions,
    how: Precision,
    critic: tuple[nn.Module, Stage] | None = None,
) -> Share:
    """Loss and gradients of a batch of one person; the net's own gradients are left alone.

    A guided decoder is told the true pose and expression, so that it learns to obey them; the encoder learns to read
    them. Everything in it is a mean over the faces, so that the shares of a batch's parts, weighted by their numbers,
    add up to the share of the whole.

    Parameters
    ----------
    critic : the person's discriminator with the stage, where one is at work.
    """
    with how.autocast():
        code = net.encode(batch.warped)
        decoded = net.decode(code if code.guides is None else dataclasses.replace(code, guides=batch.guides), person)
    made = decoded.picture
    loss = picture_loss(made, batch, options)
    if code.guides is not None:
        loss = loss + options.guide * (code.guides - batch.guides).square().mean()
    if decoded.mask is not None:
        loss = loss + options.mask * mask_loss(decoded.mask, batch)
    of_critic: tuple[Tensor, ...] = ()
    if critic is not None:
        opinion, of_critic = _judged(*critic, made, batch, options, how)
        loss = loss + opinion
    shared, own = weights_of(net)
    gradients = torch.autograd.grad(loss, [*shared, *own[person]])
    return Share(loss.detach(), gradients[: len(shared)], gradients[len(shared) :], of_critic)


def picture_loss(made: Tensor, batch: Batch, options: TrainOptions) -> Tensor:
    """The weighted sum of the losses that are asked for."""
    weight = loss_weight(batch.weight, options)
    total = made.new_zeros(())
    for name, loss in LOSSES.items():
        strength = float(getattr(options, name))
        if strength > 0:
            total = total + strength * loss(made, batch.target, weight)
    return total


def mask_loss(made: Tensor, batch: Batch) -> Tensor:
    """Cross entropy of a drawn mask, (N, 1, S, S) in [0, 1], with the face less what is in front of it.

    What is hidden counts `HIDDEN` times more: it is little. The absolute error would not do: where the net is unsure of
    the place its best answer is the whole face, and it never learns to leave anything out.
    """
    face = face_mask(batch.weight)
    wanted = face * batch.visible
    sure = made.float().clamp(SURE, 1.0 - SURE)
    error = -(wanted * sure.log() + (1.0 - wanted) * torch.log1p(-sure))
    return (error * (1.0 + HIDDEN * (face - wanted))).mean()


def face_mask(weight: Tensor) -> Tensor:
    """What of (N, 1, S, S) `faceset.face_weight` is face: 0 outside, 1 inside."""
    return (2.0 * weight).clamp_max(1.0)


def loss_weight(weight: Tensor, options: TrainOptions) -> Tensor:
    """Turn `faceset.face_weight` into the weight of each pixel in the loss."""
    parts = (2.0 * weight - 1.0).clamp_min(0.0)
    return options.surroundings + (1.0 - options.surroundings) * face_mask(weight) + (options.priority - 1.0) * parts


def learning_rate(options: TrainOptions, step: int) -> float:
    """Rate of `step`, counted from 1: rising at first, then even, then falling with the inverse root."""
    rise = min(1.0, step / options.warm_up) if options.warm_up > 0 else 1.0
    fall = min(1.0, math.sqrt(options.settle / step)) if options.settle > 0 else 1.0
    return options.learning_rate * rise * fall


def _judged(
    critic: nn.Module, stage: Stage, made: Tensor, batch: Batch, options: TrainOptions, how: Precision
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """What the discriminator says of made pictures, and its own gradients from telling them from real ones."""
    mask = face_mask(batch.weight)
    with how.autocast():
        (scores, features), (real, known) = critic(made), critic(batch.target)
        unmoved, _ = critic(made.detach())
    learning = (squared_distance(real, 1.0, mask) + squared_distance(unmoved, 0.0, mask)) / 2
    gradients = torch.autograd.grad(learning, list(critic.parameters()))
    like = feature_error(features, [one.detach() for one in known], mask)
    return stage.adversary * (squared_distance(scores, 1.0, mask) + options.features * like), gradients
