"""Random numbers of a training: drawn by a CPU generator, so that a seed means the same on every device."""

from __future__ import annotations

import torch
from torch import Tensor


class Draw:
    """Draws from one CPU generator and moves what it drew to the device."""

    def __init__(self, generator: torch.Generator, device: torch.device) -> None:
        self._generator = generator
        self._device = device

    def even(self, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> Tensor:
        """Evenly spread float32 in [low, high)."""
        return (torch.rand(shape, generator=self._generator) * (high - low) + low).to(self._device)

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        """Normal float32 of mean 0 and deviation 1."""
        return torch.randn(shape, generator=self._generator).to(self._device)

    def whole(self, shape: tuple[int, ...], below: int) -> Tensor:
        """Even int64 in [0, below)."""
        return torch.randint(below, shape, generator=self._generator).to(self._device)

    def some(self, count: int, share: float) -> Tensor:
        """Which of `count` are among a share, (n,) int64; each by its own draw, so n differs from time to time."""
        return (torch.rand(count, generator=self._generator) < share).nonzero()[:, 0].to(self._device)
