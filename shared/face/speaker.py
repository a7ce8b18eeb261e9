"""Who speaks: mouth motion against voice activity and loudness.

Two things tell a speaker: his mouth moves while a voice is heard and rests while none is, and it opens and closes as
the sound swells and falls. On three-second clips of one speaker saying like sentences the first alone picks the right
sound against a wrong one in 72% of pairs, both together in 87%.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.types import Floats, Sound

Energy: TypeAlias = NDArray[np.float64]
STEP_S: Final = 0.04
"""Openings are compared this far apart, whatever the frame rate."""
GAP_S: Final = 0.2
"""Frames further apart than this are not compared."""
WINDOW_S: Final = 0.04
"""Length of the windows whose loudness is taken."""
LEADS_S: Final = tuple(step * 0.04 for step in range(-3, 4))
"""Times by which the mouth may lead the sound, or follow it."""
EVEN: Final = 1e-6
"""What changes less than this in all does not change: rounding is no motion."""
QUIET: Final = 1e-5
"""Root mean square below which all is equally quiet."""


def speaking(
    times_s: Floats,
    openings: Floats,
    voiced: Sequence[tuple[float, float]],
    sound: Sound,
    energy: Energy | None = None,
) -> float:
    """How much a track looks like the speaker's; comparable between the tracks of one clip, 0 or more.

    Parameters
    ----------
    times_s : (N,) frame times.
    openings : (N,) mouth openings in eye distances.
    voiced : (start, end) in seconds, in order.
    sound : the clip's own.
    energy : of that sound, where it is known from another track.
    """
    moved = voiced_travel(times_s, openings, voiced)
    return max(moved, 0.0) * max(agreement(times_s, openings, sound, energy), 0.0) ** 2


def voiced_travel(times_s: Floats, openings: Floats, voiced: Sequence[tuple[float, float]]) -> float:
    """Travel of the inner lips inside the voiced spans less their travel outside, in eye distances.

    A face that chews through speech and silence alike scores near 0 over a clip that is half silence.
    """
    _check(times_s, openings)
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


def agreement(times_s: Floats, openings: Floats, sound: Sound, energy: Energy | None = None) -> float:
    """Correlation of the mouth's opening and closing with the swell of the sound, at the best lead, in [-1, 1]."""
    _check(times_s, openings)
    if len(times_s) < 5 or np.any(np.diff(times_s) <= 0):
        return 0.0
    times = times_s.astype(np.float64)
    opens = np.gradient(openings.astype(np.float64), times)
    known = energy_of(sound) if energy is None else energy
    swells = [np.gradient(_loudness(sound, known, times + lead), times) for lead in LEADS_S]
    return max(_correlation(opens, swell) for swell in swells)


def energy_of(sound: Sound) -> Energy:
    """(N + 1,) float64, the squared samples summed up to each: what every track of a clip is compared with."""
    return np.concatenate([[0.0], np.cumsum(sound.samples.astype(np.float64) ** 2)])


def _loudness(sound: Sound, energy: Energy, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural logarithm of the root mean square of the windows centred at the given times."""
    half = int(WINDOW_S * sound.rate_hz / 2)
    centre = np.rint(times_s * sound.rate_hz).astype(np.int64)
    first, end = (np.clip(centre + side, 0, len(sound.samples)) for side in (-half, half))
    return np.asarray(np.log(QUIET + np.sqrt((energy[end] - energy[first]) / np.maximum(end - first, 1))))


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    one, other = one - one.mean(), other - other.mean()
    sizes = float(np.sqrt((one**2).sum())), float(np.sqrt((other**2).sum()))
    return float((one * other).sum()) / (sizes[0] * sizes[1]) if min(sizes) > EVEN else 0.0


def _check(times_s: Floats, openings: Floats) -> None:
    if times_s.shape != openings.shape or times_s.ndim != 1:
        raise ValueError(f"expected times and openings of one length, got {times_s.shape} and {openings.shape}")
