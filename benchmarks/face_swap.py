"""Speed of face-swap training and conversion, on pictures of noise: faces a second, by the clock and by CPU time."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import report

from faceswap.align import VIEW_SHARE
from faceswap.faceset import FaceSet, held_out
from faceswap.model import SwapModel
from faceswap.options import options_for
from faceswap.trainer import Trainer
from models.nets import config_of
from models.tensors import pick_device, pick_precision

FACES = 200
WARM_UP = 5


def noise(size_px: int, device: torch.device, count: int = FACES) -> FaceSet:
    """A face set of noise: speed does not depend on what is seen."""
    crops = torch.randint(0, 256, (count, 4, size_px, size_px), dtype=torch.uint8).to(device)
    landmarks = torch.rand(count, 68, 2).to(device) * size_px
    return FaceSet(crops, landmarks, landmarks[:, 36:38], torch.zeros(count, 2).to(device), held_out(count, 0.1))


def measured(net: str, precision: str, device: torch.device, steps: int) -> dict[str, Any]:
    """Training and conversion of one net."""
    options = options_for(net)
    how = pick_precision(device, precision)
    size = 2 * round(config_of(net).output_px / VIEW_SHARE / 2)
    with closing(Trainer((noise(size, device), noise(size, device)), options, how)) as trainer:
        for _ in range(WARM_UP):
            trainer.learn()
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(steps):
            trainer.learn()
        faces = steps * trainer.faces_a_step
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    empty = np.zeros(128, dtype=np.float32)
    model = SwapModel(trainer.net, how, Path(net), (empty, empty))
    views = np.random.default_rng(0).random((8, model.view_px, model.view_px, 3), dtype=np.float32)
    model.swap(views, 1)
    start = time.perf_counter()
    for _ in range(10):
        model.swap(views, 1)
    return {
        "net": net,
        "bfloat16": how.bfloat16,
        "train_faces_per_s": round(faces / wall, 1),
        "train_faces_per_cpu_s": round(faces / cpu, 1),
        "convert_faces_per_s": round(80 / (time.perf_counter() - start), 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="*", default=["quick"], help="quick, classic, light")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto", help="auto, float32, bfloat16")
    parser.add_argument("--steps", type=int, default=30)
    chosen = parser.parse_args()
    torch.manual_seed(0)
    device = pick_device(chosen.device)
    rows = [measured(net, chosen.precision, device, chosen.steps) for net in chosen.nets]
    report({"device": str(device), "torch_threads": torch.get_num_threads(), "nets": rows})


if __name__ == "__main__":
    main()
