"""What smoothing does to tracked landmarks: jitter on still stretches, added lag, loss of peak mouth opening.

    python benchmarks/jitter.py CLIP...

Clips of one person each. Still stretches are where the rigid points rest and the inner lips are closed or at rest.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from machine import report

from shared.face.detect import make_finder
from shared.face.track import TrackOptions, track
from shared.media.reader import open_clip
from shared.metrics.track import added_lag_s, landmark_jitter, peak_loss_percent, still_frames
from shared.types import Floats

RIGID = (36, 39, 42, 45, 27, 28, 29, 30)
INNER_LIP = (62, 66)
QUIET_PERCENT = 2.0
"""Motion of the lips in five frames, % of the eye distance, under which the mouth rests."""


def landmarks_of(path: Path, options: TrackOptions) -> tuple[Floats, float]:
    """(T, 68, 2) landmarks of the first face and the frame rate; NaN where there is none."""
    finder = make_finder("mesh")
    with open_clip(path) as clip:
        rows = [
            scene.faces[0].landmarks if scene.faces else np.full((68, 2), np.nan, np.float32)
            for scene in track(clip.frames(), finder, options)
        ]
        return np.stack(rows), float(clip.info.rate)


def resting(points: Floats, eye_px: float, rate_hz: float) -> np.ndarray:
    """Frames in which head and lips rest."""
    opening = np.linalg.norm(points[:, INNER_LIP[1]] - points[:, INNER_LIP[0]], axis=1) / eye_px * 100
    spread = np.array([np.ptp(opening[max(0, i - 2) : i + 3]) for i in range(len(opening))])
    return still_frames(points[:, RIGID], eye_px, rate_hz) & (spread < QUIET_PERCENT)


def figures(path: Path) -> list[float]:
    """Raw jitter, smoothed jitter, lag in ms, loss of opening in %."""
    raw, rate_hz = landmarks_of(path, TrackOptions(smooth=None))
    smooth, _ = landmarks_of(path, TrackOptions())
    seen = np.isfinite(raw).all(axis=(1, 2)) & np.isfinite(smooth).all(axis=(1, 2))
    raw, smooth = raw[seen], smooth[seen]
    eye_px = float(np.linalg.norm(raw[:, 45] - raw[:, 36], axis=1).mean())
    still = resting(raw, eye_px, rate_hz)
    openings = [np.linalg.norm(points[:, 66] - points[:, 62], axis=1) for points in (raw, smooth)]
    return [
        landmark_jitter(raw, eye_px, still),
        landmark_jitter(smooth, eye_px, still),
        1000 * added_lag_s(openings[0], openings[1], rate_hz),
        peak_loss_percent(openings[0], openings[1]),
    ]


def main() -> None:
    """Measure and print means over the clips, and the worst lag."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    rows = np.array([figures(path) for path in parser.parse_args().clips])
    means = np.nanmean(rows, axis=0)
    report(
        {
            "clips": len(rows),
            "jitter_raw_percent": round(float(means[0]), 3),
            "jitter_smooth_percent": round(float(means[1]), 3),
            "added_lag_ms": round(float(means[2]), 2),
            "worst_lag_ms": round(float(np.nanmax(np.abs(rows[:, 2]))), 2),
            "peak_opening_loss_percent": round(float(means[3]), 2),
        }
    )


if __name__ == "__main__":
    main()
