"""What writing costs: a clip, numbered pictures, and layers of both kinds, for the same frames.

    python benchmarks/writers.py CLIP

For each: core-milliseconds and wall milliseconds a frame (decoding left out: the frames are decoded first and written
again and again), bytes a frame, and the growth of resident memory between the first third of the frames and the last.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import report
from memory import tree_rss_mb

from shared.media.layers import open_layers
from shared.media.options import EncodeOptions
from shared.media.reader import open_clip
from shared.media.sequence import open_sequence, place_of
from shared.media.writer import open_writer
from shared.picture.warp import gaussian
from shared.types import ClipInfo, Frame, Patch

HELD = 24
"""Decoded frames that are written again and again."""


def frames_of(clip: Path, count: int) -> tuple[ClipInfo, list[Frame]]:
    """The first frames of a clip, repeated on growing times until there are `count`."""
    with open_clip(clip) as reader:
        few = list(itertools.islice(reader.frames(), HELD))
        step = max(1, round(1 / (reader.info.rate * reader.info.time_base)))
        again = itertools.islice(itertools.cycle(few), count)
        frames = [replace(frame, index=number, pts=number * step) for number, frame in enumerate(again)]
        return replace(reader.info, path=Path("no sound")), frames


def patch_for(info: ClipInfo) -> Patch:
    """A soft face a third of the picture high."""
    side = info.size[0] // 3
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    disc = (((x - 0.5) ** 2 + (y - 0.5) ** 2) < 0.16).astype(np.float32)
    picture = np.stack([0.5 + 0.3 * np.sin(20 * x), y, x], axis=2).astype(np.float32)
    corner = (info.size[1] // 3, info.size[0] // 3)
    return Patch((*corner, corner[0] + side, corner[1] + side), picture, gaussian(disc, side / 40))


def bytes_of(place: Path) -> int:
    """Size of a file or of all files in a folder."""
    return sum(path.stat().st_size for path in place.iterdir()) if place.is_dir() else place.stat().st_size


def measured(
    opened: AbstractContextManager[Any], write: Callable[[Any, Frame], None], frames: list[Frame], place: Path
) -> dict[str, float]:
    """Write all frames, and say what it cost."""
    memory: list[float] = []
    here = os.getpid()
    wall, core = time.perf_counter(), time.process_time()
    with opened as writer:
        for frame in frames:
            write(writer, frame)
            memory.append(tree_rss_mb(here))
    wall, core = time.perf_counter() - wall, time.process_time() - core
    third = len(memory) // 3
    return {
        "core_ms_a_frame": round(1e3 * core / len(frames), 1),
        "wall_ms_a_frame": round(1e3 * wall / len(frames), 1),
        "bytes_a_frame": bytes_of(place) // len(frames),
        "memory_growth_mb": round(float(np.mean(memory[-third:]) - np.mean(memory[third : 2 * third])), 1),
    }


def main() -> None:
    """Measure all writers on one clip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=120)
    given = parser.parse_args()
    info, frames = frames_of(given.clip, given.frames)
    patch = patch_for(info)
    figures: dict[str, Any] = {"size": list(info.size), "format": info.pixels.name, "frames": len(frames)}
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        outputs = {
            "clip_x264_medium_crf18": (here / "out.mp4", lambda path: open_writer(path, info, EncodeOptions(crf=18))),
            "pictures": (here / "frames" / "%06d.png", lambda path: open_sequence(path, info)),
        }
        for name, (path, opener) in outputs.items():
            figures[name] = measured(opener(path), lambda writer, frame: writer.write(frame), frames, place_of(path))
        for name, path in (("layers_prores", here / "layers.mov"), ("layers_pictures", here / "layers")):
            opened = open_layers(path, info)
            figures[name] = measured(opened, lambda writer, frame: writer.write(frame, [patch], []), frames, path)
    report(figures)


if __name__ == "__main__":
    main()
