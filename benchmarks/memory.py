"""Peak resident memory of the whole process tree while a lipswap command runs, and its slope after warm-up.

    python benchmarks/memory.py extract CLIP
    python benchmarks/memory.py render CLIP --voice VOICE --speech AUDIO

The clip is repeated (packets copied, nothing re-encoded) until it lasts ten minutes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from machine import report

from shared.face.analyse import analyse
from shared.store.artefact import cache_folder

WARM_UP_SHARE = 0.2
SAMPLE_EVERY_S = 0.5


def repeat_clip(source: Path, target: Path, minutes: float) -> None:
    """Copy the packets of `source` again and again into `target` until it lasts `minutes`."""
    with av.open(str(target), "w") as out:
        shift_s, stream_map = Fraction(0), {}
        while shift_s < minutes * 60:
            with av.open(str(source)) as clip:
                if not stream_map:
                    wanted = [clip.streams.video[0], *clip.streams.audio[:1]]
                    stream_map = {stream.index: out.add_stream_from_template(stream) for stream in wanted}
                picture = clip.streams.video[0]
                length = Fraction(picture.duration * picture.time_base)
                for packet in clip.demux([stream for stream in clip.streams if stream.index in stream_map]):
                    if packet.dts is None:
                        continue
                    ticks = round(shift_s / packet.time_base)
                    packet.stream, packet.dts = stream_map[packet.stream.index], packet.dts + ticks
                    packet.pts = packet.pts + ticks
                    out.mux(packet)
            shift_s += length


def tree_rss_mb(root: int) -> float:
    """Resident memory of process `root` and all its children, in MiB (Linux)."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(") ", 1)[1].split()
        except (OSError, IndexError):
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    total, waiting = 0, [root]
    while waiting:
        process = waiting.pop()
        waiting += children.get(process, [])
        try:
            status = Path(f"/proc/{process}/status").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return total / 1024


def watch(command: list[str]) -> tuple[int, float, list[tuple[float, float]]]:
    """Run `command`; its exit code, seconds, and (time, MiB) samples."""
    samples: list[tuple[float, float]] = []
    start = time.perf_counter()
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    done = threading.Event()

    def sample() -> None:
        while not done.wait(SAMPLE_EVERY_S):
            samples.append((time.perf_counter() - start, tree_rss_mb(running.pid)))

    sampler = threading.Thread(target=sample)
    sampler.start()
    code = running.wait()
    done.set()
    sampler.join()
    return code, time.perf_counter() - start, samples


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["extract", "render"])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    known, rest = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / ("long" + known.clip.suffix)
        repeat_clip(known.clip, clip, known.minutes)
        output = Path(folder) / ("faces" if known.what == "extract" else "out.mp4")
        command = [sys.executable, "-m", "shared.cli", known.what, str(clip), "-o", str(output), *rest]
        if known.what == "render":
            # Found before, so that the slope is that of rendering and not the step from one pass to the next.
            analyse(clip, cache_folder()).close()
            command += ["--consent", "Benchmark on footage whose use is permitted."]
        code, seconds, samples = watch(command)
    times, sizes = np.array(samples).T
    steady = times > WARM_UP_SHARE * seconds
    slope = np.polyfit(times[steady], sizes[steady], 1)[0] * 60
    report(
        {
            "command": known.what,
            "clip_minutes": known.minutes,
            "exit_code": code,
            "wall_s": round(seconds, 1),
            "peak_mib": round(float(sizes.max())),
            "slope_mib_per_minute": round(float(slope), 2),
        }
    )


if __name__ == "__main__":
    main()
