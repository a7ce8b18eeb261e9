"""A training of a mouth network that can be broken off and gone on with, to the same weights."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.checkpoint import gather, load_checkpoint, optimiser_tensors, restore_optimiser, save_file
from models.mouthnet import MouthModel
from shared.errors import WeightsError

SAVE_EVERY_S = 20.0
FILE = "training.safetensors"


@dataclass(slots=True)
class Training:
    """Where a training is.

    Attributes
    ----------
    generator : draws the crops.
    update : updates made.
    curve : (update, held-out error) of each look, the first before any update.
    best : of the look whose weights `best_weights` are, its error on the clips' present clock (`retime`).
    late_s : by how much the sound of each clip was found to come late (`lipsync.jitter`); empty until it is looked for.
    """

    net: MouthModel
    optimiser: torch.optim.Optimizer
    generator: np.random.Generator
    update: int = 0
    curve: list[tuple[int, float]] = field(default_factory=list)
    best: tuple[int, float] = (0, float("inf"))
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    late_s: tuple[float, ...] = ()
    _saved_s: float = field(default_factory=time.monotonic)

    def look(self, error: float) -> None:
        """Note a held-out error; where nothing is held out all are infinite, and the last weights stay."""
        self.curve.append((self.update, error))
        if error <= self.best[1]:
            self.best, self.best_weights = self.curve[-1], copy.deepcopy(self.net.state_dict())

    def retime(self, late_s: Sequence[float], judge: Callable[[MouthModel], float]) -> None:
        """Take up found offsets, and judge the best weights anew: their error was on another clock.

        Parameters
        ----------
        judge : tells the held-out error of a network on the new clock.
        """
        self.late_s = tuple(late_s)
        now = copy.deepcopy(self.net.state_dict())
        self.net.load_state_dict(self.best_weights)
        self.best = (self.best[0], judge(self.net))
        self.net.load_state_dict(now)

    def save(self, folder: Path, now: bool = False) -> None:
        """Write the state, but not more often than each `SAVE_EVERY_S` unless it shall be now."""
        if not now and time.monotonic() - self._saved_s < SAVE_EVERY_S:
            return
        facts = {
            "update": self.update,
            "curve": self.curve,
            "best": self.best,
            "late_s": self.late_s,
            "generator": self.generator.bit_generator.state,
        }
        tensors = gather(
            net=self.net.state_dict(),
            best=self.best_weights,
            optimiser=optimiser_tensors(self.optimiser),
            torch={"state": torch.get_rng_state()},
        )
        save_file(folder / FILE, tensors, facts)
        self._saved_s = time.monotonic()

    def go_on(self, folder: Path) -> bool:
        """Take up what `save` wrote, if there is any that fits; whether there was."""
        fresh = copy.deepcopy((self.net.state_dict(), self.generator.bit_generator.state)), torch.get_rng_state()
        try:
            found = load_checkpoint(folder / FILE)
            update = int(found.facts["update"])
            curve = [(int(number), float(error)) for number, error in found.facts["curve"]]
            best = (int(found.facts["best"][0]), float(found.facts["best"][1]))
            late_s = tuple(float(late) for late in found.facts["late_s"])
            state: dict[str, Any] = found.facts["generator"]
            self.net.load_state_dict(found.part("best"))
            self.net.load_state_dict(found.part("net"))
            self.generator.bit_generator.state = state
            torch.set_rng_state(found.part("torch")["state"])
            restore_optimiser(self.optimiser, found.part("optimiser"))  # the last that may refuse: it has no way back
        except (WeightsError, ArithmeticError, LookupError, TypeError, ValueError, RuntimeError):
            (weights, self.generator.bit_generator.state), torch_state = fresh
            self.net.load_state_dict(weights)
            torch.set_rng_state(torch_state)
            return False
        self.update, self.curve, self.best, self.late_s = update, curve, best, late_s
        self.best_weights = found.part("best")
        return True
