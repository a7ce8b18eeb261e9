"""What a clip asks of its new mouth is known better with every frame; the picture follows only slowly.

Where much is learned at once (the first wide opening tells how bright teeth may be) a level jumps, and a jump is seen
as a pop. So what is shown is the mean of what the frames around wish, and leaves what was shown before by a rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

INSIDE_PER_S: Final = 0.2
"""What `Manner.inside` changes by in a second, at most..."""
SHARPER_PER_S: Final = 0.4
"""...and `Manner.sharper`."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a mouth is shown.

    Attributes
    ----------
    inside : brightness of what lies between the lips, as a share of what the light makes of it (`lipsync.inside`).
    sharper : gain of the unsharp mask beyond the voice's own (`lipsync.detail`).
    """

    inside: float
    sharper: float


def eased(wishes: Sequence[Manner], before: Manner | None, elapsed_s: float) -> Manner:
    """What is shown of what the frames around wish, at least one.

    Parameters
    ----------
    before : what was shown last of the same track, so many seconds ago; None where it begins.
    """
    inside, sharper = (
        sum(every) / len(wishes) for every in zip(*[(one.inside, one.sharper) for one in wishes], strict=True)
    )
    if before is None:
        return Manner(inside, sharper)
    return Manner(
        _near(before.inside, inside, INSIDE_PER_S * elapsed_s),
        _near(before.sharper, sharper, SHARPER_PER_S * elapsed_s),
    )


def _near(before: float, wish: float, most: float) -> float:
    return min(max(wish, before - most), before + most)
