"""What a network says of the footage beside what was seen there; closing, heads and phones are fitted to the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lipsync.bearing import Bearing, fit_bearing, slow_upper
from lipsync.closure import Closure, Lips, fit_closure
from lipsync.crops import Example
from lipsync.features import row_times_s
from lipsync.index import ClipMouths, in_spans
from lipsync.jitter import moved
from lipsync.learn import Fit
from lipsync.mouth import MouthBasis
from shared.clock import resample_track
from shared.types import Floats

TOLD_ROWS = 60_000
"""Ten minutes are enough to compare on."""
CLOSURE_HELD_ROWS = 500
"""Five seconds of speech that training did not see are enough too."""


@dataclass(frozen=True, slots=True)
class Told:
    """A clip beside what the network made of its sound.

    Attributes
    ----------
    example : on the clock of its sound.
    late_s : by how much that comes after the mouth.
    unseen : (T,) bool, rows that training did not see.
    made : (T, 20) float32.
    """

    clip: ClipMouths
    example: Example
    late_s: float
    unseen: NDArray[np.bool_]
    made: Floats


def told_of(found: Fit, clips: Sequence[ClipMouths], examples: Sequence[Example]) -> list[Told]:
    """Predictions of as many clips as need not much time, first of those that training did not see."""
    heard = [clip for clip in clips if clip.features is not None]
    told, rows = list[Told](), 0
    every = zip(heard, examples, found.late_s, found.held, strict=True)
    for clip, example, late_s, held in sorted(every, key=lambda one: not one[3].any()):
        made = found.net.shapes_of(torch.from_numpy(example.features)).numpy()
        told.append(Told(clip, moved(example, late_s), late_s, held, made))
        rows += held.shape[0]
        if rows > TOLD_ROWS:
            break
    return told


def closure_of(told: Sequence[Told], basis: MouthBasis) -> Closure:
    """Compare predictions with the footage where it speaks.

    What training did not see shows how far the lips stay open in use; all is taken where there is too little of it.
    """
    made, real, unseen = [], [], []
    for one in told:
        known = one.example.known
        spoken = in_spans(row_times_s(known.shape[0]), one.clip.voiced, 0.0) & known
        made.append(one.made[spoken])
        real.append(one.example.shapes[spoken])
        unseen.append(one.unseen[spoken])
    which = np.concatenate(unseen)
    if int(which.sum()) < CLOSURE_HELD_ROWS:
        which[:] = True
    return fit_closure(np.concatenate(made)[which], np.concatenate(real)[which], basis)


def bearing_of(told: Sequence[Told], basis: MouthBasis, lips: Lips) -> Bearing | None:
    """What heads tell of their mouths beside what the network says."""
    uppers, left = [], []
    for one in told:
        clip = one.clip
        made = resample_track(one.made, row_times_s(len(one.made)), clip.times_s + one.late_s)
        uppers.append(slow_upper(clip.points, clip.times_s))
        left.append(basis.encode(clip.lips) - made)
    return fit_bearing(uppers, left, lips.gap)
