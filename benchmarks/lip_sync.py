"""Speed of the parts of lip sync that take time: the weighted median, a search in the pool, an update of the network.

    python benchmarks/lip_sync.py [--runs 20]

Milliseconds of CPU time: on a shared machine the clock measures its neighbours.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from machine import report

from lipsync.crops import Example
from lipsync.learn import LearnOptions, fit
from lipsync.median import weighted_median
from lipsync.retrieve import RetrieveOptions, Retriever

CANDIDATES, HEIGHT, WIDTH = 100, 192, 256
POOL = 30_000


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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 256, (CANDIDATES, HEIGHT, WIDTH, 3), dtype=np.uint8)
    weights = rng.random(CANDIDATES).astype(np.float32)
    pool = rng.standard_normal((POOL, 23)).astype(np.float32)
    retriever = Retriever(pool, RetrieveOptions())
    report(
        {
            "median_100_candidates_256x192_ms": round(cpu_ms(lambda: weighted_median(stack, weights), runs), 2),
            "search_30000_frames_ms": round(cpu_ms(lambda: retriever.find(pool[7] * np.float32(0.9)), runs), 2),
            "network_update_ms": round(update_ms(10 * runs), 2),
        },
    )


if __name__ == "__main__":
    main()
