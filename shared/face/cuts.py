"""Where one shot ends and the next begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from shared.picture.planes import luma
from shared.types import Floats, Frame


@dataclass(slots=True)
class Cuts:
    """Tells a cut from motion by a small grey copy against the one before it.

    A cut changes the picture much more than the frames before it did, and leaves little of its layout: the correlation
    of the two copies falls under 0.5 in real cuts and stays over 0.85 in talk, gestures and changes of light.
    """

    last: Floats | None = None
    """The copy of the frame before, (h, w) in 8-bit units."""
    usual: float | None = None
    """Largest mean change between two frames of late, fading; None at the start of a shot."""

    def judge(self, frame: Frame) -> Literal["same", "suspect", "cut"]:
        """Whether `frame` starts a new shot; frames must come in order. A suspect may be a cut to a like picture."""
        small = luma(frame, 64).astype(np.float32)
        last, self.last = self.last, small
        if last is None:
            return "same"
        if last.shape != small.shape:
            return "cut"
        change, alike = float(np.abs(small - last).mean()), _correlation(small, last)
        unusual = change > 3.0 * self.usual if self.usual is not None else alike < 0.5
        if change > 8.0 and alike < 0.75 and unusual:
            self.usual = None
            return "cut"
        self.usual = max(change, 0.8 * (self.usual or 0.0))
        return "suspect" if change > 2.0 and unusual else "same"


def _correlation(one: Floats, other: Floats) -> float:
    """Correlation of two pictures, whatever their brightness; 1 where both are plain, 0 where one is."""
    one, other = one - one.mean(), other - other.mean()
    spreads = float(one.std()), float(other.std())
    if min(spreads) < 1.0:
        return float(max(spreads) < 1.0)
    return float((one * other).mean()) / (spreads[0] * spreads[1])
