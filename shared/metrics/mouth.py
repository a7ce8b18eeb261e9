"""How well a mouth follows the speech: distances, openings, silences and closures.

Mouths are lip points in a head-pose-free frame with the face at 512 px: name the normaliser and the points beside
every figure. Gaps are shares of the face width, so that they need no unit. Frames without a face hold NaN and are
left out. Print the real clip's own row beside every row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.types import Floats

OPEN_SHARE = 0.03
"""Of the face width: a gap above it is an open mouth. About the mean opening of speech."""
CLOSED_SHARE = 0.0125
"""Of the face width: a gap at or below it is a closed mouth."""
REACH_S = 0.040
"""A closure counts within so much of its aligned time, which is one frame at 25 a second."""
GAP_PAIRS = ((61, 67), (62, 66), (63, 65))
"""Upper and lower inner lip, iBUG."""


@dataclass(frozen=True, slots=True)
class Aperture:
    """How one opening follows another."""

    correlation: float
    """Pearson's r; NaN where one of them does not move."""
    std_ratio: float
    """Standard deviation, made / real: below 1 the mouth mumbles."""
    frames: int


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with the count it rests on."""

    share: float
    """NaN where nothing was counted."""
    count: int


def lmd(made: Floats, real: Floats) -> float:
    """Mean distance of the lip points, in the points' own pixels (M-LMD).

    Parameters
    ----------
    made, real : (T, P, 2), the same points at the same times.
    """
    return float(np.nanmean(frame_lmd(made, real)))


def centred_lmd(made: Floats, real: Floats) -> float:
    """The mean distance after each mouth's own centre is removed, which the noise of a detector spoils less."""
    return lmd(_centred(made), _centred(real))


def frame_lmd(made: Floats, real: Floats) -> Floats:
    """(T,) mean distance of the points in each frame, NaN where a point is missing."""
    if made.shape != real.shape or made.ndim != 3 or made.shape[2] != 2:
        raise ValueError(f"expected two (T, P, 2) tracks of one shape, got {made.shape} and {real.shape}")
    apart = np.linalg.norm(made.astype(np.float64) - real, axis=2).mean(axis=1)
    if not np.isfinite(apart).any():
        raise ValueError("no frame has points in both tracks")
    return np.asarray(apart, dtype=np.float32)


def gap_share(landmarks: Floats) -> Floats:
    """Opening of the inner lips as a share of the face width, across the line of the eyes, never below 0.

    Parameters
    ----------
    landmarks : (T, 68, 2) iBUG, any unit.

    Returns
    -------
    (T,) float32.
    """
    if landmarks.ndim != 3 or landmarks.shape[1:] != (68, 2):
        raise ValueError(f"expected (T, 68, 2) landmarks, got {landmarks.shape}")
    points = landmarks.astype(np.float64)
    across = points[:, 42:48].mean(axis=1) - points[:, 36:42].mean(axis=1)
    down = np.stack([-across[:, 1], across[:, 0]], axis=1) / np.linalg.norm(across, axis=1, keepdims=True)
    upper, lower = (points[:, [pair[side] for pair in GAP_PAIRS]].mean(axis=1) for side in (0, 1))
    width = np.linalg.norm(points[:, 16] - points[:, 0], axis=1)
    return np.asarray(np.maximum(np.sum((lower - upper) * down, axis=1) / width, 0.0), dtype=np.float32)


def aperture(made: Floats, real: Floats, inside: NDArray[np.bool_] | None = None) -> Aperture:
    """Correlation and relative spread of two openings (T,), over the frames of `inside` (speech) where given."""
    if made.shape != real.shape or made.ndim != 1:
        raise ValueError(f"expected two (T,) openings, got {made.shape} and {real.shape}")
    usable = np.isfinite(made) & np.isfinite(real) & _chosen(inside, made)
    first, second = made[usable].astype(np.float64), real[usable].astype(np.float64)
    if len(first) < 3:
        return Aperture(float("nan"), float("nan"), len(first))
    spread, wanted = float(first.std()), float(second.std())
    moves = spread > 1e-9 and wanted > 1e-9
    both = float(np.mean((first - first.mean()) * (second - second.mean())))
    return Aperture(
        both / (spread * wanted) if moves else float("nan"),
        spread / wanted if wanted > 1e-9 else float("nan"),
        len(first),
    )


def open_rate(gaps: Floats, inside: NDArray[np.bool_] | None = None, threshold: float = OPEN_SHARE) -> Rate:
    """Share of frames whose gap exceeds a threshold, over the frames of `inside` where given."""
    chosen = gaps[np.isfinite(gaps) & _chosen(inside, gaps)]
    return Rate(float(np.mean(chosen > threshold)) if len(chosen) else float("nan"), len(chosen))


def silence_leak(made: Floats, real: Floats, pauses: NDArray[np.bool_]) -> float:
    """How much more often a mouth is open in the pauses than the real speaker's own, in [-1, 1].

    Parameters
    ----------
    made : (T,) gaps under the same sound as `real`; for made-up silences (room tone, noise, zeros) take
        ``open_rate(made).share - open_rate(real, pauses).share``, which this equals on equal frames.
    real : (T,) gaps of the real frames.
    pauses : (T,) where the real speaker rests.
    """
    return open_rate(made, pauses).share - open_rate(real, pauses).share


def articulation(made: Floats, real: Floats, speech: NDArray[np.bool_] | None = None) -> float:
    """Rate of open frames in speech, made / real: a mouth that never opens leaks nothing but says nothing either."""
    wanted = open_rate(real, speech).share
    return open_rate(made, speech).share / wanted if wanted > 0 else float("nan")


def closure_rate(gaps: Floats, times_s: ArrayLike, closures_s: ArrayLike, threshold: float = CLOSED_SHARE) -> Rate:
    """Share of the aligned closures of /p b m/ at which the lips close: smallest gap within +-40 ms.

    Parameters
    ----------
    gaps : (T,).
    times_s : (T,) times of the frames.
    closures_s : (C,) times of the closures; those without a frame in reach are not counted.
    threshold : largest gap of a closed mouth.
    """
    smallest = _extremes(gaps, times_s, closures_s, largest=False)
    counted = smallest[np.isfinite(smallest)]
    return Rate(float(np.mean(counted <= threshold)) if len(counted) else float("nan"), len(counted))


def open_closed_contrast(gaps: Floats, times_s: ArrayLike, open_s: ArrayLike, closed_s: ArrayLike) -> float:
    """Mean gap at /a/ less mean gap at /p b m/, as a share of the face width, each at its best within +-40 ms."""
    wide = _extremes(gaps, times_s, open_s, largest=True)
    narrow = _extremes(gaps, times_s, closed_s, largest=False)
    wide, narrow = wide[np.isfinite(wide)], narrow[np.isfinite(narrow)]
    return float(wide.mean() - narrow.mean()) if len(wide) and len(narrow) else float("nan")


def _extremes(gaps: Floats, times_s: ArrayLike, centres_s: ArrayLike, largest: bool) -> NDArray[np.float64]:
    times = np.asarray(times_s, dtype=np.float64)
    if times.shape != gaps.shape or gaps.ndim != 1:
        raise ValueError(f"expected (T,) gaps with their times, got {gaps.shape} and {times.shape}")
    found = np.full(np.asarray(centres_s).shape, np.nan)
    for number, centre in enumerate(np.asarray(centres_s, dtype=np.float64)):
        near = gaps[np.isfinite(gaps) & (np.abs(times - centre) <= REACH_S + 1e-6)]
        if len(near):
            found[number] = near.max() if largest else near.min()
    return found


def _chosen(inside: NDArray[np.bool_] | None, like: Floats) -> NDArray[np.bool_]:
    if inside is None:
        return np.ones(like.shape, dtype=np.bool_)
    if inside.shape != like.shape:
        raise ValueError(f"expected {like.shape} chosen frames, got {inside.shape}")
    return inside


def _centred(points: Floats) -> Floats:
    return np.asarray(points - points.mean(axis=1, keepdims=True), dtype=np.float32)
