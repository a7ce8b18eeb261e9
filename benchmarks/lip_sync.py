"""Speed of the parts of lip sync that take time: the weighted median, a search in the pool, an update of the network.

    python benchmarks/lip_sync.py [--runs 20] [--voice VOICE [--frames 2000000]]

Milliseconds of CPU time: on a shared machine the clock measures its neighbours. With a voice (`lipswap learn`), a pool
of many hours is made of its mouths, resampled as smooth tracks with the noise that the face finder had, and searched
for the 100 nearest of 64 others; what is found is compared with a full sort and a full sum.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import report

from lipsync.crops import Example
from lipsync.learn import LearnOptions, fit
from lipsync.median import weighted_median
from lipsync.options import SyncOptions
from lipsync.pool import plant, search
from lipsync.retrieve import RetrieveOptions, Retriever
from lipsync.synthesise import places_of
from lipsync.voice import open_voice
from shared.types import Floats

CANDIDATES, HEIGHT, WIDTH = 100, 192, 256
POOL = 30_000
QUERIES = 64
SHARE = 0.9


def cpu_ms(work: Callable[[], object], runs: int) -> float:
    """CPU milliseconds of one run, after one to warm up."""
    work()
    start = time.process_time()
    for _ in range(runs):
        work()
    return 1000 * (time.process_time() - start) / runs


def update_ms(updates: int) -> float:
    """CPU milliseconds of one update at the paper's sizes: the slope between a short and a longer training."""
    rng = np.random.default_rng(0)
    clips = [
        Example(
            rng.standard_normal((300, 28)).astype(np.float32),
            rng.standard_normal((300, 20)).astype(np.float32),
            np.ones(300, dtype=bool),
        )
        for _ in range(20)
    ]
    spent = []
    for count in (1, 1, 1 + updates):
        start = time.process_time()
        fit(clips, LearnOptions(updates=count, validate_every=10**6))
        spent.append(time.process_time() - start)
    return 1000 * (spent[2] - spent[1]) / updates


def resampled(tracks: list[Floats], size: int, seed: int) -> Floats:
    """(size, D) places: pieces of two tracks each, mixed, at varying speed, with the tracks' own noise.

    A track's noise is what it differs from its own (1, 2, 1) / 4 by: that has 3/8 of the variance of white noise.
    """
    rng = np.random.default_rng(seed)
    smooth = [np.concatenate([t[:1], (t[:-2] + 2 * t[1:-1] + t[2:]) / 4, t[-1:]]) for t in tracks]
    noise = np.concatenate([(t - s)[1:-1] for t, s in zip(tracks, smooth, strict=True)]).std(axis=0) / np.sqrt(3 / 8)
    pieces: list[Floats] = []
    made = 0
    while made < size:
        length, share = int(rng.integers(60, 120)), rng.uniform(0.5, 1.0)
        one, other = (_warped(smooth[rng.integers(len(smooth))], length, rng) for _ in range(2))
        mixed = share * one + (1 - share) * other
        mixed = mixed.mean(axis=0) + (mixed - mixed.mean(axis=0)) * rng.uniform(0.9, 1.2, noise.shape)
        pieces.append((mixed + noise * rng.standard_normal(mixed.shape)).astype(np.float32))
        made += length
    return np.concatenate(pieces)[:size]


def _warped(track: Floats, length: int, rng: np.random.Generator) -> Floats:
    last = track.shape[0] - 1
    steps = rng.uniform(0.7, 1.3) * np.exp(0.2 * rng.standard_normal(length))
    times = np.abs((rng.uniform(0, last) + np.cumsum(steps)) % (2 * last) - last)  # back and forth
    before = np.minimum(times.astype(int), last - 1)
    rest = (times - before)[:, np.newaxis]
    return np.asarray(track[before] * (1 - rest) + track[before + 1] * rest, dtype=np.float32)


def pool_figures(folder: Path, size: int) -> dict[str, Any]:
    """Search in a pool of many hours, made of a voice."""
    voice = open_voice(folder)
    places = places_of(voice, SyncOptions(voice=folder, speech=folder).pose_weight)
    tracks = [places[voice.pool.clips == clip] for clip in np.unique(voice.pool.clips)]
    tracks = [track for track in tracks if track.shape[0] >= 20]
    pool, wanted = resampled(tracks, size, seed=1), resampled(tracks, QUERIES, seed=2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    tree = plant(pool)
    planted = time.process_time() - start
    search(tree, wanted[0], CANDIDATES, SHARE)
    start, clock = time.process_time(), time.perf_counter()
    found = [search(tree, place, CANDIDATES, SHARE) for place in wanted]
    spent, passed = time.process_time() - start, time.perf_counter() - clock
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wrong, errors = 0, []
    for place, (rows, _, sigma) in zip(wanted, found, strict=True):
        squares = ((pool - place) ** 2).sum(axis=1, dtype=np.float64)
        weights = np.exp(-(squares - squares.min()) / (2 * sigma**2))
        wrong += int((np.sort(rows) != np.sort(np.argpartition(squares, CANDIDATES)[:CANDIDATES])).any())
        errors.append(abs(float(weights[rows].sum() / weights.sum()) - SHARE))
    return {
        "pool_frames": size,
        "pool_mb": round(pool.nbytes / 2**20),
        "plant_s": round(planted, 2),
        "plant_and_search_rise_of_peak_mb": round((after - before) / 1024),
        "search_100_of_pool_cpu_ms": round(1000 * spent / QUERIES, 3),
        "search_100_of_pool_wall_ms": round(1000 * passed / QUERIES, 3),
        "searches": QUERIES,
        "searches_unlike_a_full_sort": wrong,
        "largest_share_error": round(max(errors), 5),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--voice", type=Path)
    parser.add_argument("--frames", type=int, default=2_000_000)
    chosen = parser.parse_args()
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 256, (CANDIDATES, HEIGHT, WIDTH, 3), dtype=np.uint8)
    weights = rng.random(CANDIDATES).astype(np.float32)
    noise = rng.standard_normal((POOL, 23)).astype(np.float32)
    retriever = Retriever(noise, RetrieveOptions())
    report(
        {
            "median_100_candidates_256x192_ms": round(cpu_ms(lambda: weighted_median(stack, weights), chosen.runs), 2),
            "search_30000_frames_of_noise_ms": round(
                cpu_ms(lambda: retriever.find(noise[7] * np.float32(0.9)), chosen.runs), 2
            ),
            **({} if chosen.voice is None else pool_figures(chosen.voice, chosen.frames)),
            "network_update_ms": round(update_ms(10 * chosen.runs), 2),
        },
    )


if __name__ == "__main__":
    main()
