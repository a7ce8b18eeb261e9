"""Free codes of both people kept alike, so that a decoder is not given what it never learned from.

Each decoder learns from its own person's codes alone. Whatever in them tells the people apart, it has seen of one of
them only; given the other's, it draws blotches. So the encoder is drawn towards codes whose mean and variance, value by
value, are the same for both (moment matching: Sun, Saenko, "Deep CORAL", ECCV workshops 2016). What the pull needs of
both people is known from the steps before, so that each person's batch, and each part of it, can be computed alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

KEPT: Final = 0.9
"""Share of the known moments that a step keeps: the mean of about ten batches."""
LEAST: Final = 1e-6
"""Variance below which a value counts as one that never moves."""


@dataclass(frozen=True, slots=True)
class Pull:
    """The way one person's codes are to go, to first order: the gradient of the distance of both people's moments.

    Attributes
    ----------
    mean, by_mean, by_variance : (F,) this person's mean, and the distance's derivatives.
    """

    mean: Tensor
    by_mean: Tensor
    by_variance: Tensor

    def loss(self, codes: Tensor) -> Tensor:
        """A mean over the faces of (N, ...) codes, so that parts of a batch add up; only its gradient means a thing."""
        flat = codes.flatten(1).float()
        return (flat * self.by_mean + (flat - self.mean).square() * self.by_variance).mean()


class Moments:
    """Running means and mean squares of both people's codes, the newer ones counting more."""

    def __init__(self) -> None:
        self._known: Tensor | None = None

    def add(self, first: Tensor, second: Tensor) -> None:
        """Take over the moments (2, F), as `moments_of` gives them, of both people's batches of a step."""
        seen = torch.stack([first, second])
        self._known = seen if self._known is None else torch.lerp(seen, self._known, KEPT)

    def pull(self, person: int) -> Pull | None:
        """The way this person's codes are to go; None before the first step."""
        if self._known is None:
            return None
        mean, square = self._known.unbind(dim=1)
        variance = (square - mean.square()).clamp_min(LEAST)
        apart = (mean[person] - mean[1 - person]) / variance.mean(dim=0)
        ratio = variance[person].log() - variance[1 - person].log()
        return Pull(mean[person], apart, ratio / 2 / variance[person])

    def state(self) -> dict[str, Tensor]:
        """What `restore` takes."""
        return {} if self._known is None else {"moments": self._known}

    def restore(self, stored: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""
        self._known = stored.get("moments")


def moments_of(codes: Tensor) -> Tensor:
    """(2, F): mean and mean square, over the faces, of each value of (N, ...) codes."""
    flat = codes.detach().flatten(1).float()
    return torch.stack([flat.mean(dim=0), flat.square().mean(dim=0)])
