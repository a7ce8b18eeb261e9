"""What a clip asks of its new mouth is known better with every frame; the picture follows only slowly.

Where much is learned at once (the first wide opening tells how bright teeth may be) a level jumps, and a jump is seen
as a pop. So what is shown is the mean of what the frames around wish, and leaves what was shown before by a rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

INSIDE_PER_S: Final = 0.2
"""What `Manner.inside` changes by in a second, at most..."""
SHARPER_PER_S: Final = 0.4
"""...`Manner.sharper`..."""
TINT_PER_S: Final = 0.1
"""...and each channel of `Manner.tint`."""
RATES: Final = np.array([INSIDE_PER_S, SHARPER_PER_S, TINT_PER_S, TINT_PER_S, TINT_PER_S])


@dataclass(frozen=True, slots=True)
class Manner:
    """How a mouth is shown.

    Attributes
    ----------
    inside : brightness of what lies between the lips, as a share of what the light makes of it (`lipsync.inside`).
    sharper : gain of the unsharp mask beyond the voice's own (`lipsync.detail`).
    tint : logarithms of the gains of red, green and blue on the lips (`lipsync.tint`).
    """

    inside: float
    sharper: float
    tint: tuple[float, float, float]


def eased(wishes: Sequence[Manner], before: Manner | None, elapsed_s: float) -> Manner:
    """What is shown of what the frames around wish, at least one.

    Parameters
    ----------
    before : what was shown last of the same track, so many seconds ago; None where it begins.
    """
    wish = np.mean([_levels(one) for one in wishes], axis=0)
    if before is not None:
        most = RATES * max(elapsed_s, 0.0)
        wish = np.clip(wish, _levels(before) - most, _levels(before) + most)
    inside, sharper, red, green, blue = wish.tolist()
    return Manner(inside, sharper, (red, green, blue))


def _levels(manner: Manner) -> NDArray[np.float64]:
    return np.array([manner.inside, manner.sharper, *manner.tint])
