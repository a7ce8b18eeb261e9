"""The table of the nets: what each is for, its size, its cost, and its speed on this machine.

    python benchmarks/net_cards.py [-o models/CARDS.md]

Prints JSON; with -o it writes the table too. Speed and memory are those of `train` with each net's defaults.
"""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from face_swap import noise
from machine import machine, report
from torch import Tensor

from faceswap.align import VIEW_SHARE
from faceswap.options import options_for
from faceswap.trainer import Trainer
from models.autoencoder import as_module, build
from models.cards import card_of
from models.nets import NETS, config_of
from models.tensors import Precision, channels_last, pick_device, pick_precision

FACES = 40
WARM_UP = 2
LEAST_S = 4.0
STATE_BYTES = 20
"""Of each weight: itself, its gradient, two moments, its average, in float32."""
ROLES = {
    "quick": "the default: minutes on a CPU",
    "quick96": "the same for small faces",
    "light": "the classic net with half its filters",
    "classic": "the well-known 64 px net of 2017",
    "classic-lean": "the classic with a thinner bottleneck",
    "df128": "two decoders",
    "liae128": "one decoder, split codes",
    "hd128": "residual, wide",
    "hd256": "the same for 256 px",
    "hd512": "the same for 512 px",
}


HEADS = {
    "net": "net",
    "for": "for",
    "input_px": "sees, px",
    "output_px": "makes, px",
    "parameters_m": "parameters, M",
    "encode_gmac": "encoder, GMAC",
    "decode_gmac": "decoder, GMAC",
    "batch": "batch",
    "train_memory_gb": "memory, GB",
    "train_faces_per_core_s": "EG/core-s",
}


def saved_bytes(net: str) -> int:
    """What one face leaves behind for the way back, in float32."""
    config = config_of(net)
    made = build(config)
    channels_last(as_module(made))
    kept: dict[int, int] = {}

    def keep(value: Tensor) -> Tensor:
        kept[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        # The result holds the graph, and the graph what was kept: no place in memory is used twice.
        result = made.decode(made.encode(torch.rand(1, 3, config.input_px, config.input_px)), 0)
    weights = {value.untyped_storage().data_ptr() for value in as_module(made).parameters()}
    del result
    return sum(size for place, size in kept.items() if place not in weights)


def speed(net: str, how: Precision) -> tuple[float, float]:
    """Faces of both people together that training sees in a second, and in a second of a core."""
    size = 2 * round(config_of(net).output_px / VIEW_SHARE / 2)
    first, second = (noise(size, how.device, FACES) for _ in range(2))
    with closing(Trainer((first, second), options_for(net), how)) as trainer:
        for _ in range(WARM_UP):
            trainer.learn()
        start, cpu, steps = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - start < LEAST_S:
            trainer.learn()
            steps += 1
        faces = steps * trainer.faces_a_step
        return faces / (time.perf_counter() - start), faces / (time.process_time() - cpu)


def row(net: str, how: Precision) -> dict[str, Any]:
    """All figures of one net."""
    config = config_of(net)
    card, batch = card_of(config), options_for(net).batch
    faces_per_s, faces_per_core_s = speed(net, how)
    return {
        "net": net,
        "for": ROLES[net],
        "input_px": config.input_px,
        "output_px": config.output_px,
        "parameters_m": round(card.parameters / 1e6, 2),
        "encode_gmac": round(card.encode_macs / 1e9, 3),
        "decode_gmac": round(card.decode_macs / 1e9, 3),
        "batch": batch,
        "train_memory_gb": round((STATE_BYTES * card.parameters + 2 * batch * saved_bytes(net)) / 1e9, 2),
        "train_faces_per_s": round(faces_per_s, 1),
        "train_faces_per_core_s": round(faces_per_core_s, 1),
    }


def table(rows: list[dict[str, Any]], how: Precision) -> str:
    """The rows as a document."""
    where = f"{machine()['cores']} cores" if how.device.type == "cpu" else torch.cuda.get_device_name()
    kind = "bfloat16" if how.bfloat16 else "float32"
    names = [name for name in rows[0] if name in HEADS]
    lines = [
        "# The nets",
        "",
        "Made by `python benchmarks/net_cards.py -o models/CARDS.md`. GMAC: multiplications with an addition for one",
        "face in 10^9; a training step costs three times as many a face. Memory: weights, optimiser, average and",
        "what is kept for the way back, for both batches in float32, computed. EG/core-s: training faces, both people",
        f"together, in a second of a core, on {where} in {kind}; compare the rows, not the machines.",
        "Every net can draw a mask too (`--mask-head`).",
        "",
        f"| {' | '.join(HEADS[name] for name in names)} |",
        f"|{'---|' * len(names)}",
    ]
    lines += [f"| {' | '.join(str(one[name]) for name in names)} |" for one in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print and, where asked, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", default=list(NETS))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto", help="auto, float32, bfloat16")
    parser.add_argument("-o", "--output", type=Path)
    chosen = parser.parse_args()
    torch.manual_seed(0)
    how = pick_precision(pick_device(chosen.device), chosen.precision)
    rows = [row(net, how) for net in chosen.nets]
    if chosen.output is not None:
        chosen.output.write_text(table(rows, how), encoding="utf-8")
    report({"device": str(how.device), "bfloat16": how.bfloat16, "nets": rows})


if __name__ == "__main__":
    main()
