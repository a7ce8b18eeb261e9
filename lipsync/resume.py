"""A training of a mouth network that can be broken off and gone on with, to the same weights."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
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
    best : the entry whose weights `best_weights` are.
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

    def retime(self, late_s: Sequence[float], error: float) -> None:
        """Take up found offsets; errors before them are on another clock, and none of them is the best."""
        self.late_s = tuple(late_s)
        self.best = (self.update, error)
        self.best_weights = copy.deepcopy(self.net.state_dict())

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
        fresh = copy.deepcopy(self.net.state_dict())
        try:
            found = load_checkpoint(folder / FILE)
            state: dict[str, Any] = found.facts["generator"]
            self.net.load_state_dict(found.part("net"))
            restore_optimiser(self.optimiser, found.part("optimiser"))
            self.generator.bit_generator.state = state
            torch.set_rng_state(found.part("torch")["state"])
            self.update = int(found.facts["update"])
            self.curve = [(int(update), float(error)) for update, error in found.facts["curve"]]
            self.best = (int(found.facts["best"][0]), float(found.facts["best"][1]))
            self.late_s = tuple(float(late) for late in found.facts["late_s"])
            self.best_weights = found.part("best")
        except (WeightsError, KeyError, ValueError, RuntimeError):
            self.net.load_state_dict(fresh)
            return False
        return True
