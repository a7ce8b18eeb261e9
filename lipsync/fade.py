"""How strongly a new mouth is shown from frame to frame: nowhere where it cannot hold, and never in a jump.

Each frame wishes a strength for each face. What is shown is the largest course that lies nowhere above the wishes and
changes by at most the whole in `FADE_S`: it has faded out when a covered stretch begins, and fades in after it. A frame
of the same shot that has lost the face wishes nothing of it. Across a cut nothing is carried.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from lipsync.mouth import FreeFace
from shared.types import Frame

FADE_S: Final = 0.16
"""A new mouth fades wholly in or out within this time, seconds."""
FADE_DEG: Final = (38.0, 52.0)
"""Between these angles of yaw the new mouth fades out: the plane does not hold for a profile."""
MOST_COVERED: Final = 0.4
"""Share of the lips behind something from which on the mouth is not seen."""
STEADY_COVER: Final = 2
"""Frames on either side with which the share is steadied, by the median."""

Reason: TypeAlias = Literal["turned-away", "covered", "no-face"]


@dataclass(frozen=True, slots=True)
class Wish:
    """How strongly a frame by itself would show a new mouth, [0, 1], and what speaks against it."""

    strength: float
    reason: Reason


NOBODY: Final = Wish(0.0, "no-face")


def wish_of(free: FreeFace, covered: Sequence[float]) -> Wish:
    """What a frame wishes of a face.

    Parameters
    ----------
    covered : shares of the lips that are covered, in this frame and in those around it; at least one.
    """
    if statistics.median(covered) >= MOST_COVERED:
        return Wish(0.0, "covered")
    yaw = abs(free.pose.yaw_deg)
    return Wish(float(np.clip((FADE_DEG[1] - yaw) / (FADE_DEG[1] - FADE_DEG[0]), 0.0, 1.0)), "turned-away")


def faded(
    frames: Sequence[Frame], shots: Sequence[int], place: int, wish_at: Callable[[int], Wish], most_frames: int
) -> Wish:
    """What is shown of one face at a place among frames in a row, and the reason for what is not.

    Parameters
    ----------
    shots : the number of each frame's shot.
    wish_at : what the frame at a place wishes of the face; `NOBODY` where it does not show it.
    most_frames : so many frames are known on either side, >= 1; the fade takes no more of them.
    """
    best = wish_at(place)
    for step in (-1, 1):
        at = place + step
        while 0 <= at < len(frames) and shots[at] == shots[place]:
            away = abs(float(frames[at].time_s - frames[place].time_s)) / FADE_S
            away = max(away, abs(at - place) / (most_frames + 1))
            if away >= 1.0:
                break
            wish = wish_at(at)
            if wish.strength + away < best.strength:
                best = Wish(wish.strength + away, wish.reason)
            at += step
    return best


def note_of(shown: Wish) -> str | None:
    """The mark of a frame for the report; None where the new mouth is wholly shown."""
    if shown.strength >= 1.0:
        return None
    return shown.reason if shown.strength <= 0.0 else f"faded-{shown.reason}"
