"""Whether torch.compile pays: forward and backward pass of a net as it is and compiled, interleaved in one process.

    python benchmarks/compiled.py [--net quick] [--rounds 12]

Compiling for a CPU needs a C++ compiler. Training has no option for it because of these figures: on two cores in
float32 the quick net's pass takes 1.1 to 1.2 times as long compiled, and compiling takes about a minute.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from machine import report
from torch import Tensor

from models.autoencoder import as_module, build
from models.nets import NETS, config_of
from models.tensors import channels_last

BATCH = 16
WARM_UP = 2


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="quick", choices=list(NETS))
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    config = config_of(chosen.net, False)
    net = build(config)
    module = channels_last(as_module(net))
    seen, wanted = (torch.rand(BATCH, 3, side, side) for side in (config.input_px, config.output_px))

    def loss() -> Tensor:
        return (net.decode(net.encode(seen), 0).picture - wanted).abs().mean()

    def timed(forward: Callable[[], Tensor]) -> float:
        module.zero_grad()
        start = time.process_time()
        torch.autograd.backward([forward()])
        return time.process_time() - start

    compiled: Callable[[], Tensor] = torch.compile(loss)
    start = time.perf_counter()
    timed(compiled)
    compiling_s = time.perf_counter() - start
    rounds = [(timed(loss), timed(compiled)) for _ in range(WARM_UP + chosen.rounds)][WARM_UP:]
    report(
        {
            "net": chosen.net,
            "batch": BATCH,
            "threads": chosen.threads,
            "compiling_s": round(compiling_s, 1),
            "plain_core_s": round(statistics.median(plain for plain, _ in rounds), 3),
            "compiled_core_s": round(statistics.median(other for _, other in rounds), 3),
            "compiled_to_plain": round(statistics.median(other / plain for plain, other in rounds), 3),
        }
    )


if __name__ == "__main__":
    main()
