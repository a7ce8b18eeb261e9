"""Time of a training step of the classic net against plain torch, interleaved in one process.

    python benchmarks/train_speed.py [--net classic] [--steps 6]

The reference is written here: the same layers, contiguous NCHW float32, torch's default Adam, mean absolute error,
both people, on pictures that are ready. Ours has everything in: drawing and warping the pictures, both people, the
losses of the net's recipe, the optimiser, the average where the recipe has one. On a busy machine torch's threads wait
for each other by spinning, which counts as work: compare core seconds with --threads 1 there.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

import torch
from face_swap import noise
from machine import report
from torch import Tensor, nn

from faceswap.align import VIEW_SHARE
from faceswap.options import RATES, options_for
from faceswap.trainer import Trainer
from models.nets import config_of
from models.tensors import Precision, pick_precision

BATCH = 16
WARM_UP = 2
SLOPE = 0.1


def upscale(inputs: int, outputs: int) -> nn.Sequential:
    """Twice the size."""
    return nn.Sequential(nn.Conv2d(inputs, 4 * outputs, 3, padding=1), nn.LeakyReLU(SLOPE), nn.PixelShuffle(2))


def plain_net() -> tuple[nn.Sequential, list[nn.Sequential]]:
    """The classic encoder and two decoders, as anybody would write them."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 128), (128, 256), (256, 512), (512, 1024)):
        layers += [nn.Conv2d(inputs, outputs, 5, stride=2, padding=2), nn.LeakyReLU(SLOPE)]
    dense = [nn.Flatten(), nn.Linear(16384, 1024), nn.Linear(1024, 16384), nn.Unflatten(1, (1024, 4, 4))]
    encoder = nn.Sequential(*layers, *dense, upscale(1024, 512))
    decoders = [
        nn.Sequential(
            upscale(512, 256), upscale(256, 128), upscale(128, 64), nn.Conv2d(64, 3, 5, padding=2), nn.Sigmoid()
        )
        for _ in range(2)
    ]
    return encoder, decoders


def plain_step() -> Callable[[], Tensor]:
    """One step of the reference, as a function."""
    encoder, decoders = plain_net()
    weights = [value for part in (encoder, *decoders) for value in part.parameters()]
    optimiser = torch.optim.Adam(weights, 5e-5, betas=(0.5, 0.999))
    warped, wanted = (torch.rand(2, BATCH, 3, 64, 64) for _ in range(2))

    def step() -> Tensor:
        optimiser.zero_grad()
        loss = torch.stack(
            [nn.functional.l1_loss(decoders[person](encoder(warped[person])), wanted[person]) for person in range(2)]
        ).sum()
        torch.autograd.backward([loss])
        optimiser.step()
        return loss.detach()

    return step


def our_step(net: str, bfloat16: bool, threads: int, stack: ExitStack) -> Callable[[], Tensor]:
    """One step of a trainer with everything in."""
    device = torch.device("cpu")
    options = replace(options_for(net), batch=BATCH)
    size = 2 * round(config_of(net).output_px / VIEW_SHARE / 2)
    sets = (noise(size, device), noise(size, device))
    torch.set_num_threads(threads)
    trainer = stack.enter_context(closing(Trainer(sets, options, Precision(device, bfloat16))))
    return trainer.learn


def timed(step: Callable[[], Tensor]) -> tuple[float, float]:
    """Clock and CPU seconds of a step."""
    wall, cpu = time.perf_counter(), time.process_time()
    float(step().sum())
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="classic", choices=list(RATES))
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="1 where other work runs beside")
    chosen = parser.parse_args()
    torch.manual_seed(0)
    threads = chosen.threads
    torch.set_num_threads(threads)
    with ExitStack() as stack:
        steps = {"plain_float32": plain_step()}
        # Without hardware for it a step in bfloat16 takes a minute, and training does not choose it.
        names = ["float32", *(["bfloat16"] if pick_precision(torch.device("cpu")).bfloat16 else [])]
        steps |= {name: our_step(chosen.net, name == "bfloat16", threads, stack) for name in names}
        rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
        for _ in range(WARM_UP + chosen.steps):
            for name, step in steps.items():
                # A trainer gives each person a thread of torch; the reference gets all of them.
                torch.set_num_threads(threads if name == "plain_float32" else max(1, threads // 2))
                rounds[name].append(timed(step))
    report({"net": chosen.net, "batch": BATCH, "torch_threads": threads, "steps": chosen.steps, **summary(rounds)})


def summary(rounds: dict[str, list[tuple[float, float]]]) -> dict[str, Any]:
    """Median seconds of a step, and the median over rounds of each one's ratio to the reference."""
    found: dict[str, Any] = {}
    reference = rounds["plain_float32"][WARM_UP:]
    for name, values in rounds.items():
        rows = values[WARM_UP:]
        found[name] = {
            unit: round(statistics.median(row[column] for row in rows), 3)
            for column, unit in enumerate(("wall_s", "core_s"))
        }
        if name != "plain_float32":
            for column, unit in enumerate(("wall_ratio", "core_ratio")):
                ratios = [row[column] / base[column] for row, base in zip(rows, reference, strict=True)]
                found[name][unit] = round(statistics.median(ratios), 3)
    return found


if __name__ == "__main__":
    main()
