"""Retiming: what planning takes for how much speech over how long a target, and what one half-way frame takes.

    python benchmarks/retiming.py --minutes 0.33x60 60x60     # target x speech, minutes

Heads are made: they wander, rest now and then and blink. With --clip a real clip's frames are warped half-way, and the
sharpness of these is compared with that of the frames around them.
"""

from __future__ import annotations

import argparse
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from machine import report

from lipsync.endless import taken_again
from lipsync.heads import UPPER, Heads, speeds
from lipsync.pace import timeline_of
from lipsync.retime import voiced_rows
from shared.media.reader import open_clip
from shared.picture.flow import frame_between
from shared.picture.warp import laplacian_variance
from shared.render.report import peak_memory_mb

RATE = 25


def made_heads(seconds: float, seed: int) -> Heads:
    """A head that wanders back and forth, rests for a second of three, and blinks every four."""
    rng = np.random.default_rng(seed)
    count = round(seconds * RATE)
    ways = rng.normal(0, 0.012, (count, 2)) * np.where(np.arange(count) % 75 < 50, 1.0, 0.1)[:, np.newaxis]
    places = np.zeros((count, 2))
    for index in range(1, count):
        places[index] = 0.985 * places[index - 1] + ways[index]
    shape = rng.uniform(-0.5, 0.5, (len(UPPER), 2))
    lids = np.where(np.arange(count) % 100 < 4, 0.05, 0.3).astype(np.float32)
    upper = (shape + places[:, np.newaxis]).astype(np.float32)
    return Heads(np.arange(count) / RATE, np.zeros(count, np.int64), upper, lids, np.zeros(count, np.float32))


def made_speech(seconds: float, seed: int) -> list[tuple[float, float]]:
    """Utterances of 1.5 to 5 s, pauses of 0.3 to 1.5 s."""
    rng = np.random.default_rng(seed)
    spans, at = [], 0.3
    while at < seconds:
        end = at + rng.uniform(1.5, 5)
        spans.append((at, min(end, seconds)))
        at = end + rng.uniform(0.3, 1.5)
    return spans


def planned(target_min: float, speech_min: float) -> dict[str, Any]:
    """Time, memory and stillness of one plan."""
    heads, spans = made_heads(60 * target_min, 0), made_speech(60 * speech_min, 1)
    start = time.process_time()
    found = timeline_of(heads, spans, 60 * speech_min, Fraction(RATE))
    seconds = time.process_time() - start
    speed, voiced = speeds(heads), voiced_rows(spans, len(found), RATE)
    jumps = np.array(found.jumps, dtype=np.int64).reshape(-1, 3)
    return {
        "target_min": target_min,
        "speech_min": speech_min,
        "core_s": round(seconds, 2),
        "peak_memory_mb": round(peak_memory_mb()),
        "jumps": len(jumps),
        "jumps_again_within_10_s": taken_again(jumps, RATE),
        "flow_share": round(float((found.share > 0).mean()), 4),
        "speed_in_pauses": round(float(speed[found.first][~voiced].mean()), 5),
        "speed_of_target": round(float(speed.mean()), 5),
    }


def warped(clip: Path, most: int) -> dict[str, Any]:
    """Core milliseconds of a half-way frame, and its sharpness over that of the frames around it."""
    with open_clip(clip) as reader:
        frames = [frame for frame, _ in zip(reader.frames(), range(most), strict=False)]
    start = time.process_time()
    middles = [frame_between(one, other, 0.5) for one, other in pairwise(frames)]
    spent = time.process_time() - start
    sharp = [laplacian_variance(frame.planes[0].astype(np.float32)) for frame in frames]
    shares = [
        laplacian_variance(frame.planes[0].astype(np.float32)) / (one + other) * 2
        for frame, (one, other) in zip(middles, pairwise(sharp), strict=True)
    ]
    return {
        "size": list(frames[0].size),
        "core_ms": round(1000 * spent / len(middles), 1),
        "sharpness_share": round(float(np.median(shares)), 3),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", nargs="*", default=["0.33x5"], help="target x speech, minutes")
    parser.add_argument("--clip", type=Path, nargs="*", default=[], help="clips whose frames are warped half-way")
    parser.add_argument("--frames", type=int, default=30, help="of each clip")
    known = parser.parse_args()
    plans = [planned(*map(float, pair.split("x"))) for pair in known.minutes]
    report({"plans": plans, "warps": {clip.name: warped(clip, known.frames) for clip in known.clip}})


if __name__ == "__main__":
    main()
