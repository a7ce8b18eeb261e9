"""How an actor's head moves while he speaks: slow sway, nods with the voice, blinks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class MotionOptions:
    """How much the head moves."""

    yaw_deg: float = 4.0
    """Largest turn to a side."""
    pitch_deg: float = 2.5
    roll_deg: float = 1.8
    shift_cm: float = 0.25
    nod_deg: float = 1.2
    """Lowering of the head with wide openings of the mouth, smoothed over half a second."""
    blink_every_s: float = 3.2
    """Mean time from blink to blink."""
    blink_s: float = 0.2
    """Length of one blink."""


@dataclass(frozen=True, slots=True)
class Motion:
    """Head and lids at each time.

    Attributes
    ----------
    angles_deg : (T, 3) yaw, pitch, roll as in `shared.types.Face.pose_deg`, on top of the portrait's own.
    shift_cm : (T, 3) canonical units.
    blink : (T,) 0 open to 1 closed.
    """

    angles_deg: NDArray[np.float64]
    shift_cm: NDArray[np.float64]
    blink: NDArray[np.float64]


def make_motion(
    times_s: NDArray[np.float64], opening_cm: NDArray[np.float64], options: MotionOptions, seed: int
) -> Motion:
    """A seeded motion for a mouth that opens by `opening_cm` (T,) at `times_s` (T,)."""
    random = np.random.default_rng(seed)
    reach = (options.yaw_deg, options.pitch_deg, options.roll_deg)
    angles = np.stack([degrees * _sway(times_s, random) for degrees in reach], axis=1)
    shift = np.stack([options.shift_cm * _sway(times_s, random) for _ in range(3)], axis=1)
    angles[:, 1] -= options.nod_deg * _smoothed(opening_cm, times_s, 0.25)
    return Motion(angles, shift, _blinks(times_s, options, random))


def _sway(times_s: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """A smooth curve within [-1, 1] made of four slow waves."""
    curve = np.zeros_like(times_s)
    for hertz, size in ((0.07, 0.45), (0.17, 0.3), (0.31, 0.18), (0.53, 0.07)):
        speed = hertz * random.uniform(0.85, 1.15)
        curve += size * np.sin(2 * np.pi * (speed * times_s + random.random()))
    return curve


def _smoothed(values: NDArray[np.float64], times_s: NDArray[np.float64], sigma_s: float) -> NDArray[np.float64]:
    apart = (times_s[:, np.newaxis] - times_s[np.newaxis]) / sigma_s
    share = np.exp(-0.5 * apart**2)
    return np.asarray((share @ values) / share.sum(axis=1), dtype=np.float64)


def _blinks(times_s: NDArray[np.float64], options: MotionOptions, random: np.random.Generator) -> NDArray[np.float64]:
    closed = np.zeros_like(times_s)
    at_s = float(times_s[0]) + random.uniform(0.3, 1.0) * options.blink_every_s
    while at_s < times_s[-1]:
        # Lids fall in a third of the time and rise in the rest.
        since = (times_s - at_s) / options.blink_s
        down, up = np.clip(since * 3.0, 0.0, 1.0), np.clip((1.0 - since) * 1.5, 0.0, 1.0)
        closed = np.maximum(closed, np.where((since > 0) & (since < 1), np.minimum(down, up), 0.0))
        at_s += random.uniform(0.5, 1.5) * options.blink_every_s
    return closed
