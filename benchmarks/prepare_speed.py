"""Speed of preparing training data: milliseconds a sample, beside a plain reference that makes one sample at a time.

Both run interleaved in one process. The reference is plain torch: the crop to floats, the 5x5 points resized to a map,
a least-squares similarity, one reading each; for the warp to landmarks a dense thin-plate spline through the same
points at every pixel.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from machine import report
from torch import Tensor
from torch.nn import functional

from faceswap import bend
from faceswap.align import VIEW_SHARE, mean_face
from faceswap.augment import augment
from faceswap.draw import Draw
from faceswap.options import AugmentOptions

OTHERS = 1000
PLAIN = AugmentOptions()
KINDS = {
    "default": PLAIN,
    "without_colour": replace(PLAIN, colour=0.0),
    "all_to_landmarks": replace(PLAIN, to_landmarks=1.0),
    "all_equalised": replace(PLAIN, clahe=1.0),
    "all_occluded": replace(PLAIN, occluders=1.0),
    "everything": replace(PLAIN, to_landmarks=0.5, clahe=0.25, occluders=0.25),
}


def landmarks_of(count: int, size_px: int) -> Tensor:
    """Made up faces: the mean face's steady points, the rest on two ellipses, all with some scatter."""
    angle = np.linspace(np.pi, 0, 17)
    jaw = np.stack([np.cos(angle) * 0.27, 0.02 + np.sin(angle) * 0.3], axis=1)
    around = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    lips = np.stack([np.cos(around) * 0.09, 0.17 + np.sin(around) * 0.03], axis=1)
    face = np.concatenate([jaw * size_px + size_px / 2, mean_face(size_px), lips * size_px + size_px / 2])
    scatter = np.random.default_rng(0).normal(0, 0.004 * size_px, (count, 68, 2))
    return torch.from_numpy((face + scatter).astype(np.float32))


def reference(crops: Tensor, output_px: int, options: AugmentOptions) -> None:
    """The default augmentation, one sample at a time, in plain torch."""
    line = torch.linspace(-VIEW_SHARE, VIEW_SHARE, 5)
    y, x = torch.meshgrid(line, line, indexing="ij")
    points = torch.stack([x, y], dim=-1)
    for crop in crops:
        picture = crop.float() / 255
        moved = points + torch.randn(5, 5, 2) * (options.warp_px / 128)
        design = torch.cat([points.view(25, 2), torch.ones(25, 1)], dim=1)
        fit = torch.linalg.lstsq(design, moved.view(25, 2)).solution.T
        dense = functional.interpolate(moved.permute(2, 0, 1)[None], (output_px, output_px), mode="bilinear")
        functional.grid_sample(picture[None, :3], dense.permute(0, 2, 3, 1), align_corners=False)
        straight = functional.affine_grid(fit[None], [1, 1, output_px, output_px], align_corners=False) * VIEW_SHARE
        functional.grid_sample(picture[None], straight, align_corners=False)


def reference_landmarks(own: Tensor, others: Tensor, side: int) -> None:
    """Thin-plate splines from others' landmarks to the own ones at every pixel, one face at a time."""
    line = torch.linspace(-VIEW_SHARE, VIEW_SHARE, side)
    y, x = torch.meshgrid(line, line, indexing="ij")
    places = torch.stack([x, y], dim=-1).view(-1, 2)
    for mine, theirs in zip(own, others, strict=True):
        count = len(theirs)
        system = torch.zeros(count + 3, count + 3)
        flat = torch.cat([theirs, torch.ones(count, 1)], dim=1)
        system[:count, :count] = _spline(torch.cdist(theirs, theirs)) + 1e-3 * torch.eye(count)
        system[:count, count:], system[count:, :count] = flat, flat.T
        weights = torch.linalg.solve(system, torch.cat([mine, torch.zeros(3, 2)]))
        _ = _spline(torch.cdist(places, theirs)) @ weights[:count] + places @ weights[count:-1] + weights[-1]


def _spline(distance: Tensor) -> Tensor:
    return distance.square() * distance.clamp_min(1e-6).log()


def measured(tasks: dict[str, Callable[[], object]], rounds: int, samples: int) -> dict[str, Any]:
    """Wall and CPU time of each task in milliseconds a sample, all tasks in turn each round; the first is not timed."""
    wall: dict[str, list[float]] = {name: [] for name in tasks}
    cpu: dict[str, list[float]] = {name: [] for name in tasks}
    for number in range(rounds + 2):
        for name, task in tasks.items():
            start, used = time.perf_counter(), time.process_time()
            task()
            if number >= 2:
                wall[name].append((time.perf_counter() - start) / samples * 1e3)
                cpu[name].append((time.process_time() - used) / samples * 1e3)
    return {
        name: {
            "wall_ms": round(statistics.median(wall[name]), 4),
            "wall_best_ms": round(min(wall[name]), 4),
            "cpu_ms": round(statistics.median(cpu[name]), 4),
        }
        for name in tasks
    }


def figures(input_px: int, output_px: int, samples: int, rounds: int) -> dict[str, Any]:
    """Every kind of augmentation at one size."""
    size = 2 * round(output_px / VIEW_SHARE / 2)
    random = torch.Generator().manual_seed(0)
    crops = torch.randint(0, 256, (samples, 4, size, size), dtype=torch.uint8, generator=random)
    own, others = landmarks_of(samples, size), landmarks_of(OTHERS, size)

    def one(options: AugmentOptions) -> Callable[[], object]:
        return lambda: augment(crops, own, others, (input_px, output_px), options, random)

    tasks: dict[str, Callable[[], object]] = {name: one(options) for name, options in KINDS.items()}
    tasks["reference"] = lambda: reference(crops, output_px, PLAIN)
    made = measured(tasks, rounds, samples)
    ratio = made["default"]["wall_ms"] / made["reference"]["wall_ms"]
    return {"input_px": input_px, "output_px": output_px, **made, "default_over_reference": round(ratio, 3)}


def landmark_warp(side: int, samples: int, rounds: int) -> dict[str, Any]:
    """The field of the warp to landmarks for `samples` faces: finding the faces, solving, every pixel's place."""
    random = torch.Generator().manual_seed(0)
    own, others = ((landmarks_of(count, 2) + 0.5) - 1 for count in (samples, OTHERS))
    turn, shift = torch.eye(2).expand(samples, -1, -1), torch.zeros(samples, 2)

    def made() -> None:
        wanted = bend.nearest(own, others, PLAIN.nearest, Draw(random, own.device), mirror=True)
        bend.onto_landmarks(own, wanted, turn, shift, side)

    tasks: dict[str, Callable[[], object]] = {"field": made}
    tasks["reference"] = lambda: reference_landmarks(own, others[:samples], side)
    both = measured(tasks, rounds, 1)
    ratio = both["field"]["wall_ms"] / both["reference"]["wall_ms"]
    return {"faces": samples, "side_px": side, **both, "field_over_reference": round(ratio, 3)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1, help="Of torch; a training gives each person one.")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    sizes = [figures(*pair, chosen.samples, chosen.rounds) for pair in ((64, 64), (64, 128))]
    warp = landmark_warp(64, 64, chosen.rounds)
    report({"torch_threads": chosen.threads, "samples": chosen.samples, "ms_a_sample": sizes, "landmark_warp": warp})


if __name__ == "__main__":
    main()
