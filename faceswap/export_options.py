"""Options of the export; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from faceswap.options import EXPRESSION


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How a trained model is written for the tools that swap faces live."""

    model: Path
    """The folder that ``lipswap train`` made."""
    swap_direction: bool = False
    """False: the model's first person becomes the second; True: the second becomes the first."""
    expression: float = EXPRESSION
    """How far the made face moves in what a guided net reads of lips, lids and brows, 0 to 2."""
    coverage: float = 2.2
    """Side of the live tool's crop, in units of its mean face, 1.8 to 4; 2.2 is the tool's own default."""
