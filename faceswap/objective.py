"""What a training asks of the net: the weighted loss of one person's batch, its gradients, the learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from faceswap.augment import Batch
from faceswap.options import TrainOptions
from models.autoencoder import FaceAutoencoder, as_module
from models.losses import absolute_error, dissimilarity
from models.tensors import Precision


@dataclass(frozen=True, slots=True)
class Share:
    """One person's part of a step.

    Attributes
    ----------
    loss : a scalar.
    shared, own : gradients of the shared weights and of what is the person's own, in the order of `weights_of`.
    """

    loss: Tensor
    shared: tuple[Tensor, ...]
    own: tuple[Tensor, ...]


def weights_of(net: FaceAutoencoder) -> tuple[list[Tensor], tuple[list[Tensor], list[Tensor]]]:
    """The weights that both people share, and each one's own."""
    first, second = (list(part.parameters()) for part in net.own)
    shared = [value for name, value in as_module(net).named_parameters() if not name.startswith("own.")]
    return list(shared), (list(first), list(second))


def share(net: FaceAutoencoder, person: int, batch: Batch, options: TrainOptions, how: Precision) -> Share:
    """Loss and gradients of a batch of one person; the net's own gradients are left alone.

    Everything in it is a mean over the faces, so that the shares of a batch's parts, weighted by their numbers, add up
    to the share of the whole.
    """
    with how.autocast():
        decoded = net.decode(net.encode(batch.warped), person)
    made = decoded.picture
    weight = loss_weight(batch.weight, options)
    loss = absolute_error(made, batch.target, weight)
    if options.dissimilarity > 0:
        loss = loss + options.dissimilarity * dissimilarity(made, batch.target, weight)
    if decoded.mask is not None:
        loss = loss + options.mask * (decoded.mask - face_mask(batch.weight) * batch.visible).abs().mean()
    shared, own = weights_of(net)
    gradients = torch.autograd.grad(loss, [*shared, *own[person]])
    return Share(loss.detach(), gradients[: len(shared)], gradients[len(shared) :])


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
