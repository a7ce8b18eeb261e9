"""What can be chosen when an evaluation is made; light, so that the command can show it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from lipsync.options import RecipeName, RoleRule

if TYPE_CHECKING:
    from shared.face.detect import FinderName
    from shared.render.job import PersonChoice

RECIPES: Final[tuple[RecipeName, ...]] = tuple(sorted(get_args(RecipeName), reverse=True))
"""All recipes, the paper's first: it is the baseline that others are compared with."""
BASELINE: Final[RecipeName] = "paper"


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """How an evaluation is made."""

    also: Path | None = None
    """Folder of further clips that are learned from and never held out."""
    others: Path | None = None
    """Folder of clips of other speakers, on which openings alone are compared: what was not learned by heart."""
    align: Path | None = None
    """Table of true word or phone times (`lipsync.alignment`); without it nothing is said of closures."""
    leave_out: tuple[str, ...] = ()
    """Words that learning must not hear, as the table spells them: clips with one of them are held out, or not used."""
    hold_out: int = 0
    """Clips kept out of learning, chosen at random; 0 for a fifth, at most 50."""
    hold_out_s: float = 0.0
    """Instead of whole clips: the last seconds of each clip that is long enough (see `lipsync.splits`); 0 for clips."""
    recipes: tuple[RecipeName, ...] = RECIPES
    """Recipes that are learned and compared."""
    minutes: tuple[float, ...] = ()
    """Parts of the learned footage, in minutes, that each recipe is learned from too."""
    roles: tuple[RoleRule, ...] = ()
    """What learned clips serve as, as `VoiceOptions` has it."""
    updates: int | None = None
    """Optimiser steps of each network, >= 1; None for each recipe's own."""
    render: int = 0
    """Held-out clips, evenly spread, that are also rendered and looked at."""
    person: PersonChoice = "largest"
    finder: FinderName = "mesh"
    seed: int = 0
