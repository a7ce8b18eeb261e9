"""Losses added up on the training's device, so that nobody waits for them at every step."""

from __future__ import annotations

import torch
from torch import Tensor

from shared.types import JsonObject


class Sums:
    """The losses of both people over some steps."""

    def __init__(self, device: torch.device) -> None:
        self._sum = torch.zeros(2, device=device)
        self.count = 0

    def add(self, losses: Tensor) -> None:
        """Add those of one step, (2,)."""
        self._sum += losses
        self.count += 1

    def means(self) -> tuple[float, float]:
        """Of both people."""
        first, second = (self._sum / max(self.count, 1)).tolist()
        return first, second

    def mean(self) -> float:
        """Of both people together."""
        return sum(self.means()) / 2

    def clear(self) -> None:
        """Begin anew."""
        self._sum.zero_()
        self.count = 0

    def stored(self) -> JsonObject:
        """Facts for a checkpoint, exact to the bit."""
        return {"sum": self._sum.tolist(), "count": self.count}

    def restore(self, facts: JsonObject) -> None:
        """Take back what `stored` gave."""
        self._sum.copy_(torch.tensor(facts.get("sum", [0.0, 0.0])))
        self.count = int(facts.get("count", 0))
