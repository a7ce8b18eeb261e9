"""Whether training in bfloat16 rebuilds held-out faces as well as in float32, and how much faster it is.

    python benchmarks/precision.py FACES_A FACES_B [--net quick] [--steps 200] [--seeds 2]

Both precisions train from the same seed on the same draws, a step each in turn, in one process. Held-out faces are
measured in the precision of the training, as they would be swapped. What two seeds differ by is the noise to compare
the difference of the precisions with.
"""

from __future__ import annotations

import argparse
import statistics
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from machine import report

from faceswap.align import VIEW_SHARE
from faceswap.faceset import FaceSet, load_faceset
from faceswap.options import options_for
from faceswap.trainer import Trainer
from models.nets import config_of
from models.tensors import Precision, pick_device

NAMES = ("float32", "bfloat16")
FIGURES = ("psnr_a_db", "psnr_b_db", "ssim_a", "ssim_b")


def measured(sets: tuple[FaceSet, FaceSet], net: str, seed: int, steps: int, device: torch.device) -> dict[str, Any]:
    """Held-out figures and median step of both precisions."""
    options = replace(options_for(net), seed=seed)
    spent: dict[str, list[float]] = {name: [] for name in NAMES}
    with ExitStack() as stack:
        trainers = {
            name: stack.enter_context(closing(Trainer(sets, options, Precision(device, name == "bfloat16"))))
            for name in NAMES
        }
        for _ in range(steps):
            for name, trainer in trainers.items():
                start = time.perf_counter()
                trainer.learn()
                spent[name].append(time.perf_counter() - start)
        figures = {name: {key: trainer.look().figures[key] for key in FIGURES} for name, trainer in trainers.items()}
    first, second = (figures[name] for name in NAMES)
    medians = {name: statistics.median(values) for name, values in spent.items()}
    return {
        "seed": seed,
        **figures,
        "bfloat16_less_float32": {key: round(second[key] - first[key], 4) for key in FIGURES},
        "step_s": {name: round(value, 4) for name, value in medians.items()},
        "bfloat16_of_float32_time": round(medians["bfloat16"] / medians["float32"], 3),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faces_a", type=Path)
    parser.add_argument("faces_b", type=Path)
    parser.add_argument("--net", default="quick")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    chosen = parser.parse_args()
    device = pick_device(chosen.device)
    size = 2 * round(config_of(chosen.net).output_px / VIEW_SHARE / 2)
    first, second = (load_faceset(folder, size, device=device) for folder in (chosen.faces_a, chosen.faces_b))
    rows = [measured((first, second), chosen.net, seed, chosen.steps, device) for seed in range(chosen.seeds)]
    answer: dict[str, Any] = {"net": chosen.net, "steps": chosen.steps, "rows": rows}
    if len(rows) > 1:
        answer["between_seeds"] = {
            key: round(max(row["float32"][key] for row in rows) - min(row["float32"][key] for row in rows), 4)
            for key in FIGURES
        }
    report({**answer, "torch_threads": torch.get_num_threads()})


if __name__ == "__main__":
    main()
