"""How still tracked points are, and what their smoothing costs in time and in opening."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.types import Floats


def landmark_jitter(points: Floats, eye_px: float, still: NDArray[np.bool_] | None = None) -> float:
    """Standard deviation of the second difference of landmarks, as % of the eye distance.

    White noise of standard deviation s on each point reads as sqrt(6) s; steady motion reads as 0.

    Parameters
    ----------
    points : (T, N, 2) pixels of one shot, T >= 3; frames that hold NaN are left out.
    eye_px : distance between the outer eye corners.
    still : (T,) frames to judge (see `still_frames`); a triple counts where all its frames are set.

    Returns
    -------
    float, NaN where no triple of frames is left.
    """
    if points.ndim != 3 or points.shape[0] < 3 or eye_px <= 0:
        raise ValueError(f"expected (T >= 3, N, 2) points and an eye distance above 0, got {points.shape}, {eye_px}")
    usable = np.asarray(np.isfinite(points).all(axis=(1, 2)), dtype=np.bool_)
    if still is not None:
        usable &= still
    triple = usable[:-2] & usable[1:-1] & usable[2:]
    if not triple.any():
        return float("nan")
    second = np.diff(points.astype(np.float64), n=2, axis=0)[triple]
    return 100.0 * float(np.sqrt(second.var(axis=0).mean())) / eye_px


def still_frames(
    points: Floats, eye_px: float, rate_hz: float, limit_percent: float = 2.0, window_s: float = 0.4
) -> NDArray[np.bool_]:
    """Frames in which the head rests: points averaged over a window move less than a limit in that time.

    Parameters
    ----------
    points : (T, N, 2) of rigid parts (nose bridge, eye corners), not the mouth.
    limit_percent : of the eye distance, across the window.
    window_s : time that the motion is measured over; each half is averaged, so jitter does not count as motion.
    """
    half = max(1, round(window_s * rate_hz / 2))
    frames = points.shape[0]
    if frames < 2 * half + 1:
        return np.zeros(frames, dtype=np.bool_)
    centre = points.astype(np.float64).mean(axis=1)
    total = np.concatenate([np.zeros((1, 2)), np.cumsum(centre, axis=0)])
    means = (total[half:] - total[:-half]) / half
    moved = np.linalg.norm(means[half:] - means[:-half], axis=1)
    still = np.zeros(frames, dtype=np.bool_)
    still[half : half + len(moved)] = moved < limit_percent / 100.0 * eye_px
    return still


def added_lag_s(raw: Floats, smooth: Floats, rate_hz: float, reach_s: float = 0.4) -> float:
    """Seconds by which a smoothed track comes after its raw one (positive: late).

    The shift, to a fraction of a frame by a parabola, at which the correlation of their frame-to-frame changes,
    averaged over three frames against noise, is highest.

    Parameters
    ----------
    raw, smooth : (T, ...) of one shot.
    """
    if raw.shape != smooth.shape or raw.shape[0] < 16:
        raise ValueError(f"expected two tracks of one shape and >= 16 frames, got {raw.shape} and {smooth.shape}")
    reach = max(2, min(round(reach_s * rate_hz), raw.shape[0] // 4))
    first, second = (_changes(track) for track in (raw, smooth))
    middle = slice(reach, len(first) - reach)
    scores = np.array(
        [
            np.sum(first[middle] * second[middle.start + shift : middle.stop + shift])
            for shift in range(-reach, reach + 1)
        ]
    )
    return float(parabolic_peak(scores) - reach) / rate_hz


def peak_loss_percent(raw: Floats, smooth: Floats) -> float:
    """By how much smoothing lowers the peaks of a mouth opening, % of their height above the closed mouth.

    Peaks are local maxima of the raw track above its 75th percentile; the smoothed one may peak a frame beside.
    The raw peak keeps its own noise, so the figure is a little too high rather than too low.

    Parameters
    ----------
    raw, smooth : (T,) openings.
    """
    closed = float(np.percentile(raw, 10))
    inner = raw[1:-1]
    top = (inner >= raw[:-2]) & (inner > raw[2:]) & (inner > np.percentile(raw, 75))
    peaks = np.flatnonzero(top) + 1
    if len(peaks) == 0:
        return float("nan")
    reached = np.array([smooth[peak - 1 : peak + 2].max() for peak in peaks])
    return 100.0 * (1.0 - float(np.mean(reached - closed)) / max(float(np.mean(raw[peaks] - closed)), 1e-9))


def parabolic_peak(scores: NDArray[np.float64]) -> float:
    """Place of the highest score, to a fraction of a step, by the parabola through it and its two neighbours."""
    best = int(np.argmax(scores))
    if best in (0, len(scores) - 1):
        return float(best)
    before, here, after = (float(score) for score in scores[best - 1 : best + 2])
    bend = before - 2 * here + after
    return best + (0.5 * (before - after) / bend if bend < 0 else 0.0)


def _changes(track: Floats) -> NDArray[np.float64]:
    flat = track.reshape(track.shape[0], -1).astype(np.float64)
    mean = (flat[:-2] + flat[1:-1] + flat[2:]) / 3
    return np.diff(mean, axis=0)
