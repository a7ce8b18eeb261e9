"""Knows when a training has gone wrong or has come to its end.

Wrong are numbers that are none, a loss that explodes, held-out faces that collapse; the end is a flat curve.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Final, Literal

from faceswap.options import TrainLimits
from shared.types import JsonObject

Ending = Literal["minutes", "steps", "plateau", "interrupted"]
EXPLODED: Final = 5.0
"""The loss has exploded at so many times the lowest it has had; batches differ by less than two."""
FALL_DB: Final = 4.0
"""The held-out faces have collapsed when they are so much worse than they have been."""
CHECK_EVERY: Final = 10
"""Steps whose mean loss is checked together; more often would make a GPU wait."""
MOST_ROLLBACKS: Final = 3
"""In a row, without getting past the step that failed; the first goes to the newest checkpoint, others to the best."""
FLAT: Final = 0.01
"""A rebuilt face whose pixels spread less (standard deviation, of 1) shows nothing."""


class Verdict(IntEnum):
    """What the first process decides after a step."""

    GO_ON = 0
    ROLL_BACK = 1
    MINUTES = 2
    STEPS = 3
    PLATEAU = 4
    INTERRUPTED = 5


ENDINGS: Final[dict[Verdict, Ending]] = {
    Verdict.MINUTES: "minutes",
    Verdict.STEPS: "steps",
    Verdict.PLATEAU: "plateau",
    Verdict.INTERRUPTED: "interrupted",
}


@dataclass(slots=True)
class Guard:
    """What has been reached so far in the present stage of the training, to compare with."""

    lowest_loss: float = math.inf
    best_db: float = -math.inf
    drawn: bool = False
    """Whether the rebuilt faces have shown anything yet; some nets begin with flat grey."""

    def loss_fault(self, loss: float, *, steady: bool = True) -> str | None:
        """What is wrong with the mean loss of some steps; None if nothing is.

        Parameters
        ----------
        steady : whether it can be compared with others: of enough steps, and with no discriminator that learns too.
        """
        if not math.isfinite(loss):
            return "the loss is not a number any more"
        if not steady:
            return None
        if loss > EXPLODED * self.lowest_loss:
            return f"the loss has exploded from {self.lowest_loss:.4f} to {loss:.4f}"
        self.lowest_loss = min(self.lowest_loss, loss)
        return None

    def look_fault(self, level_db: float, spread: float) -> str | None:
        """What is wrong with the held-out faces; None if nothing is.

        Parameters
        ----------
        level_db : their mean PSNR.
        spread : standard deviation over the pixels of a rebuilt face, of the flattest person's, in [0, 1].
        """
        if not math.isfinite(level_db):
            return "the rebuilt faces hold no numbers any more"
        if level_db < self.best_db - FALL_DB:
            return f"the held-out faces have fallen from {self.best_db:.2f} to {level_db:.2f} dB"
        if self.drawn and spread < FLAT:
            return "the rebuilt faces have become flat"
        self.best_db = max(self.best_db, level_db)
        self.drawn = self.drawn or spread >= FLAT
        return None

    def stored(self) -> JsonObject:
        """Facts for a checkpoint; what is not finite yet is left out."""
        return {name: value for name, value in asdict(self).items() if math.isfinite(value)}


def restored(facts: JsonObject) -> Guard:
    """Give back what `Guard.stored` gave."""
    return Guard(
        float(facts.get("lowest_loss", math.inf)),
        float(facts.get("best_db", -math.inf)),
        bool(facts.get("drawn", False)),
    )


@dataclass(slots=True)
class Plateau:
    """What has been seen of a plateau in the regular looks."""

    level_db: float = -math.inf
    stale_looks: int = 0

    def reached(self, level_db: float, limits: TrainLimits) -> bool:
        """Note one level; whether the curve has become flat."""
        if level_db > self.level_db + limits.plateau_db:
            self.level_db, self.stale_looks = level_db, 0
        else:
            self.stale_looks += 1
        return 0 < limits.plateau_looks <= self.stale_looks
