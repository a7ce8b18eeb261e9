"""Who speaks: mouth motion against voice activity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from shared.types import Floats

STEP_S: Final = 0.04
"""Openings are compared this far apart, whatever the frame rate."""
GAP_S: Final = 0.2
"""Frames further apart than this are not compared."""


def speaking(times_s: Floats, openings: Floats, voiced: Sequence[tuple[float, float]]) -> float:
    """How much more the mouth moves while somebody is heard than while nobody is, in eye distances.

    Comparable between tracks of one clip: travel of the inner lips inside the voiced spans, less their travel outside.
    A face that chews through speech and silence alike scores near 0 over a clip that is half silence.

    Parameters
    ----------
    times_s : (N,) frame times.
    openings : (N,) mouth openings in eye distances.
    voiced : (start, end) in seconds, in order.
    """
    if times_s.shape != openings.shape or times_s.ndim != 1:
        raise ValueError(f"expected times and openings of one length, got {times_s.shape} and {openings.shape}")
    if len(times_s) < 2:
        return 0.0
    steps = np.diff(times_s)
    travel = np.abs(np.diff(openings)) * np.minimum(1.0, steps / STEP_S)
    middle = (times_s[1:] + times_s[:-1]) / 2
    heard = np.zeros(len(middle), dtype=bool)
    for start, end in voiced:
        heard |= (middle >= start) & (middle <= end)
    signs = np.where(heard, 1.0, -1.0)
    return float((travel * signs)[steps <= GAP_S].sum())
