"""Trainings in processes of their own, small enough to be killed dozens of times."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch

from faceswap import trainer
from faceswap.objective import Share, share
from faceswap.options import TrainLimits, TrainOptions, options_for
from faceswap.train import train
from models.nets import NETS, AutoencoderConfig

TINY: Final = AutoencoderConfig("quick", 32, 32, (8, 8, 8), 16, 8, (8, 8), residuals=(0, 0), moved=True)
OPTIONS: Final = replace(options_for("quick"), batch=2, precision="float32", average=0.9, warm_up=5)
EACH_STEP: Final = TrainLimits(minutes=5.0, look_every=4, save_every_minutes=1e-9, plateau_looks=0, judged=0)
"""Saves after every step."""
WATCHED: Final = ("fsync", "replace", "rename", "link", "unlink")
"""The calls that make what was written last."""


@dataclass(frozen=True, slots=True)
class Death:
    """A process dies at its n-th watched call (from 1), before it is made or after."""

    call: int
    when: Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Place:
    """Of one process among several."""

    rank: int
    size: int
    port: int


def live(
    faces: tuple[Path, Path], model: Path, steps: int, reached: Synchronized[int], death: Death | None = None
) -> None:
    """Train up to `steps`, telling in `reached` the last step that is finished and saved."""
    torch.set_num_threads(1)
    NETS["quick"] = lambda: TINY
    first = 0

    def progress(done: float, total: float, label: str) -> None:  # noqa: ARG001 - the protocol's
        if label == "training":
            reached.value = first + round(done) // (2 * OPTIONS.batch)

    def tell(text: str) -> None:
        nonlocal first
        if text.startswith("taken up again at step "):
            first = int(text.rsplit(maxsplit=1)[-1])

    with watched(death):
        train(faces, model, OPTIONS, replace(EACH_STEP, steps=steps), progress=progress, tell=tell)


@contextmanager
def watched(death: Death | None) -> Iterator[None]:
    """Count the watched calls inside the block, and die at the one that `death` names."""
    count = 0

    def wrapped(call: Callable[..., Any]) -> Callable[..., Any]:
        def made(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - passed on
            nonlocal count
            count += 1
            here = death is not None and count == death.call
            if here and death is not None and death.when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = call(*arguments, **options)
            if here:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return made

    kept = {name: getattr(os, name) for name in WATCHED}
    for name, call in kept.items():
        setattr(os, name, wrapped(call))
    try:
        yield
    finally:
        for name, call in kept.items():
            setattr(os, name, call)


def live_together(
    faces: tuple[Path, Path], model: Path, options: TrainOptions, steps: int, place: Place, spoilt: tuple[int, ...] = ()
) -> None:
    """Train as one of several processes, as torchrun would start them.

    Parameters
    ----------
    spoilt : calls of the loss, from 0, that give no number, in the last process.
    """
    torch.set_num_threads(1)
    calls = itertools.count()

    def spoiling(*arguments: Any) -> Share:  # noqa: ANN401 - passed on
        made = share(*arguments)
        if next(calls) in spoilt and place.rank == place.size - 1:
            return replace(made, loss=made.loss * np.nan)
        return made

    vars(trainer)["share"] = spoiling
    NETS["quick"] = lambda: TINY
    told = {"RANK": place.rank, "LOCAL_RANK": place.rank, "WORLD_SIZE": place.size, "MASTER_PORT": place.port}
    os.environ.update({name: str(value) for name, value in told.items()}, MASTER_ADDR="127.0.0.1")
    limits = EACH_STEP if spoilt else replace(EACH_STEP, save_every_minutes=5.0)
    train(faces, model, options, replace(limits, look_every=2, steps=steps))
