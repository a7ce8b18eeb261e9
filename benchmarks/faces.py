"""Speed of the face analysis of a clip: with the detector now and then (as it runs), and in each frame.

    python benchmarks/faces.py CLIP [--runs 3]

The best of the runs is reported: on a shared machine the others measure its neighbours.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from machine import report

from shared.face.detect import make_finder
from shared.face.fill import ROOM
from shared.face.track import Tracker, TrackOptions
from shared.media.reader import open_clip
from shared.pipe import in_background


def speed(path: Path, options: TrackOptions) -> tuple[float, float]:
    """Frames a second, and CPU milliseconds a frame over all threads."""
    finder = make_finder("mesh")
    with open_clip(path) as clip, in_background(clip.frames(), ROOM, "decode") as frames:
        start, before = time.perf_counter(), os.times()
        count = sum(1 for _ in Tracker(finder, options).seen(frames))
        seconds, after = time.perf_counter() - start, os.times()
    return count / seconds, 1000 * (after.user - before.user + after.system - before.system) / count


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    with open_clip(chosen.clip) as clip:
        size = list(clip.info.size)
    figures: dict[str, object] = {"clip": chosen.clip.name, "size": size}
    for name, options in (("tracking", TrackOptions()), ("detection_each_frame", TrackOptions(detect_every_s=0.0))):
        runs = [speed(chosen.clip, options) for _ in range(chosen.runs)]
        figures[name] = {
            "frames_per_s": round(max(r[0] for r in runs), 1),
            "cpu_ms_a_frame": round(min(r[1] for r in runs), 1),
        }
    report(figures)


if __name__ == "__main__":
    main()
