"""Start-up time of ``lipswap --help`` against a bare interpreter, median of several runs."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from machine import report

RUNS = 9


def seconds(code: str) -> float:
    """Median wall time of a fresh interpreter that runs `code`."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    bare = seconds("pass")
    ours = seconds("import sys; sys.argv = ['lipswap', '--help']; from shared.cli import main; main()")
    report({"help_s": round(ours, 3), "bare_python_s": round(bare, 3), "ratio": round(ours / bare, 2)})


if __name__ == "__main__":
    main()
