"""How fast a clip is rendered, with all defaults in: the whole, the codec alone, and the CPU time between them.

    python benchmarks/render_speed.py CLIP [--model MODEL] [--voice VOICE --speech AUDIO] [--height 720] [--frames 100]

With a model faces are swapped, with a voice mouths are re-synced. The clip is repeated to the length asked for, scaled
where a height is given, and encoded by x264 at the preset and CRF given, both changed and as it is. Core-milliseconds
are CPU time of the whole process for each frame; those of the engines are measured without encoding, less those of
decoding alone.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
from machine import report

import faceswap.convert
import lipsync.composite
from faceswap.options import SwapOptions
from lipsync.options import SyncOptions
from shared.face.analyse import ClipFaces, analyse, pick_tracks
from shared.media.options import EncodeOptions
from shared.media.reader import open_clip
from shared.media.writer import open_writer
from shared.picture.warp import in_this_thread
from shared.pipe import in_background
from shared.progress import silent
from shared.render.stage import Tally, run
from shared.store.artefact import cache_folder
from shared.types import Frame, Scene, Stage

ROOM = 4


def scaled(frame: Frame, height: int) -> Frame:
    """A frame at another height, both sides even."""
    old_height, old_width = frame.planes[0].shape
    width = 2 * round(old_width * height / old_height / 2)
    down, across = frame.pixels.chroma_shift
    sizes = [(width, height), *[(width >> across, height >> down)] * (len(frame.planes) - 1)]
    planes = tuple(
        np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), dtype=plane.dtype)
        for plane, size in zip(frame.planes, sizes, strict=True)
    )
    return replace(frame, planes=planes)


def prepared(clip: Path, height: int, count: int, output: Path) -> None:
    """Write `count` frames of a clip, forwards and backwards in turn, at a height (0: its own), near lossless."""
    with open_clip(clip) as reader:
        frames = [scaled(frame, height) if height else frame for frame in reader.frames()]
        size = frames[0].planes[0].shape
        info = replace(reader.info, size=size, coded_size=size, path=output.with_suffix(".none"))
    order = [*range(len(frames)), *range(len(frames) - 2, 0, -1)]
    step = Fraction(1) / info.rate / info.time_base
    with open_writer(output, info, EncodeOptions(crf=8, preset="ultrafast")) as writer:
        for number in range(count):
            frame = frames[order[number % len(order)]]
            writer.write(replace(frame, index=number, pts=round(number * step)))


def scenes(frames: Iterator[Frame], faces: ClipFaces) -> Iterator[Scene]:
    """Frames with the largest person's faces."""
    tracks = pick_tracks(faces, "largest")
    for frame in frames:
        yield faces.scene(frame, tracks)


def passed(clip: Path, faces: ClipFaces, stages: Sequence[Stage], encode: EncodeOptions | None, output: Path) -> int:
    """Pass a clip through as the render does, each step in a thread; how many frames came out."""
    count = 0
    with in_this_thread(), open_clip(clip) as reader, ExitStack() as threads:
        given = threads.enter_context(in_background(scenes(reader.frames(), faces), ROOM, "decode"))
        for stage in stages:
            given = threads.enter_context(in_background(run(stage, given, "engine", Tally()), ROOM, "engine"))
        writer = threads.enter_context(open_writer(output, reader.info, encode)) if encode is not None else None
        for scene in given:
            count += 1
            if writer is not None:
                writer.write(scene.frame)
    return count


def opened(chosen: argparse.Namespace, faces: ClipFaces) -> list[Stage]:
    """The engines that are asked for, in the order of a render."""
    stages = []
    if chosen.voice is not None:
        sync = SyncOptions(chosen.voice, chosen.speech)
        stages.append(lipsync.composite.open_stage(sync, faces, "cpu", silent))
    if chosen.model is not None:
        swap = SwapOptions(model=chosen.model, swap_direction=chosen.swap_direction)
        stages.append(faceswap.convert.open_stage(swap, faces, "cpu"))
    return stages


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Inside the block each engine works in one thread, so that a profile sees all of it."""
    with ExitStack() as replaced:
        for engine in (faceswap.convert, lipsync.composite):
            replaced.enter_context(patch.object(engine, "in_background", lambda items, *_: nullcontext(items)))
        yield


def timed(work: Callable[[], int]) -> tuple[float, float]:
    """(frames a second, core-milliseconds a frame)."""
    wall, cpu = time.perf_counter(), time.process_time()
    count = work()
    return count / (time.perf_counter() - wall), 1000 * (time.process_time() - cpu) / count


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--voice", type=Path)
    parser.add_argument("--speech", type=Path)
    parser.add_argument("--height", type=int, default=0, help="pixels; 0 keeps the clip's own")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--crf", type=float, default=18.0)
    parser.add_argument("--swap-direction", action="store_true")
    parser.add_argument("--profile", type=Path, help="write where the engines' time goes, by function")
    chosen = parser.parse_args()
    if (chosen.voice is None) != (chosen.speech is None) or (chosen.voice or chosen.model) is None:
        parser.error("give --model, or --voice and --speech, or all three")
    encode = EncodeOptions(codec="h264", crf=chosen.crf, preset=chosen.preset)
    with tempfile.TemporaryDirectory() as folder:
        clip, output = Path(folder) / "clip.mp4", Path(folder) / "out.mp4"
        prepared(chosen.clip, chosen.height, chosen.frames, clip)
        with analyse(clip, cache_folder()) as faces:
            stages = opened(chosen, faces)
            passed(clip, faces, stages, None, output)
            codec_fps, codec_ms = timed(lambda: passed(clip, faces, (), encode, output))
            whole_fps, whole_ms = timed(lambda: passed(clip, faces, stages, encode, output))
            _, decode_ms = timed(lambda: passed(clip, faces, (), None, output))
            _, both_ms = timed(lambda: passed(clip, faces, stages, None, output))
            if chosen.profile:
                profile = cProfile.Profile()
                with in_this_thread(), one_thread_each(), open_clip(clip) as reader:
                    frames = scenes(reader.frames(), faces)
                    for stage in stages:
                        frames = run(stage, frames, "engine", Tally())
                    profile.runcall(lambda: [None for _ in frames])
                with chosen.profile.open("w") as file:
                    pstats.Stats(profile, stream=file).sort_stats("tottime").print_stats(45)
            size = faces.size
    report(
        {
            "size": size,
            "frames": chosen.frames,
            "x264": f"{chosen.preset} crf {chosen.crf:g}",
            "whole_fps": round(whole_fps, 2),
            "codec_alone_fps": round(codec_fps, 2),
            "share_of_codec_alone": round(whole_fps / codec_fps, 3),
            "whole_core_ms_per_frame": round(whole_ms, 1),
            "codec_core_ms_per_frame": round(codec_ms, 1),
            "decode_core_ms_per_frame": round(decode_ms, 1),
            "engines_core_ms_per_frame": round(both_ms - decode_ms, 1),
        }
    )


if __name__ == "__main__":
    main()
