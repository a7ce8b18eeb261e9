"""Several processes that train one model with the same code: each computes its part of every batch, all step alike.

Started by ``torchrun``, which tells each process its place. The batch is that of all processes together and drawn by
each of them whole, so that the curve does not depend on how many there are. Only the first writes, measures and
decides; every process must see the same folders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, distributed

from shared.errors import UsageError


@dataclass(frozen=True, slots=True)
class Team:
    """The place of this process among those that train together."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes, measures and decides."""
        return self.rank == 0

    def rows(self, count: int) -> slice:
        """Which of `count` faces of a batch this process computes."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Let each tensor become its sum over all processes, in place."""
        if self.size > 1:
            flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
            distributed.all_reduce(flat)
            for tensor, summed in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
                tensor.copy_(summed.view(tensor.shape))

    def agreed(self, value: int, device: torch.device) -> int:
        """What the first process says; the others' `value` does not count."""
        if self.size == 1:
            return value
        said = torch.tensor([value], dtype=torch.int64, device=device)
        distributed.broadcast(said, 0)
        return int(said)

    def wait(self) -> None:
        """Go on when all processes have come here."""
        if self.size > 1:
            distributed.barrier()


ALONE: Final = Team()


def rank() -> int:
    """Place of this process, 0 where it trains alone."""
    return _told("RANK", 0)


@contextmanager
def together(device: torch.device, batch: int) -> Iterator[tuple[Team, torch.device]]:
    """Join the processes that torchrun started, if it did; gives this one's place and its own device.

    Raises
    ------
    UsageError
        If there are more processes than faces in a batch.
    """
    size = _told("WORLD_SIZE", 1)
    if size == 1:
        yield ALONE, device
        return
    if size > batch:
        raise UsageError(f"{size} processes cannot share a batch of {batch} faces; give --batch {size} or more")
    if device.type == "cuda":
        device = torch.device("cuda", _told("LOCAL_RANK", 0) % torch.cuda.device_count())
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Team(distributed.get_rank(), size), device
    finally:
        distributed.destroy_process_group()


def _told(name: str, otherwise: int) -> int:
    """A number that torchrun gives its processes."""
    return int(os.environ.get(name, otherwise))
