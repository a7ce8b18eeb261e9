"""Arrays to tensors and back, the device, and the precision: the one door between numpy and torch.

Tensors are NCHW; pictures enter as (N, H, W, C) uint8 and leave as float32 in [0, 1].
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shared.errors import UsageError
from shared.types import Floats

DeviceName = Literal["auto", "cpu", "cuda"]
PrecisionName = Literal["auto", "float32", "bfloat16"]
BF16_GAIN = 1.25
"""bfloat16 is taken on a CPU only where it measures this much faster; without hardware for it it is slower."""

REFUSED = ("can't allocate memory", "not enough memory")
"""What torch says where a CPU's memory is refused, on Linux and on Windows."""


@dataclass(frozen=True, slots=True)
class Precision:
    """Where and how exactly the networks compute."""

    device: torch.device
    bfloat16: bool

    def autocast(self) -> AbstractContextManager[object]:
        """Context in which convolutions and products run in bfloat16 where this precision says so."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16)


def pick_device(name: str) -> torch.device:
    """Turn ``auto``, ``cpu`` or ``cuda`` into a device.

    Raises
    ------
    UsageError
        If CUDA is asked for and not there, or the name is unknown.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f"device {name!r} is unknown; use auto, cpu or cuda")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise UsageError("no CUDA device was found; use --device cpu")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def pick_precision(device: torch.device, wanted: str = "auto") -> Precision:
    """Choose float32 or bfloat16; ``auto`` measures both on a small convolution."""
    if wanted not in ("auto", "float32", "bfloat16"):
        raise UsageError(f"precision {wanted!r} is unknown; use auto, float32 or bfloat16")
    if wanted != "auto":
        return Precision(device, wanted == "bfloat16")
    if device.type == "cuda":
        return Precision(device, torch.cuda.is_bf16_supported(including_emulation=False))
    with one_thread():
        return Precision(device, _seconds(False) > BF16_GAIN * _seconds(True))


def nchw(pictures: NDArray[np.uint8], device: torch.device | None = None) -> Tensor:
    """(N, H, W, C) or, for masks, (N, H, W) uint8 to an NCHW uint8 tensor on `device`."""
    if pictures.dtype != np.uint8 or pictures.ndim not in (3, 4):
        raise ValueError(f"expected (N, H, W[, C]) uint8 pictures, got {pictures.shape} {pictures.dtype}")
    four = pictures[..., np.newaxis] if pictures.ndim == 3 else pictures
    return torch.from_numpy(np.ascontiguousarray(four.transpose(0, 3, 1, 2))).to(device)


def unit(pictures: Tensor) -> Tensor:
    """uint8 [0, 255] to float32 [0, 1]."""
    return pictures.float() * (1.0 / 255.0)


def nhwc(pictures: Tensor) -> Floats:
    """NCHW float tensor to (N, H, W, C) float32 on the CPU, cut off to [0, 1]."""
    moved = pictures.detach().float().clamp(0.0, 1.0).permute(0, 2, 3, 1).cpu().numpy()
    return cast(Floats, np.ascontiguousarray(moved))


def floats(values: Floats, device: torch.device | None = None) -> Tensor:
    """A float32 array as a tensor on `device`."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(device)


def array(values: Tensor) -> Floats:
    """A tensor as a float32 array."""
    return cast(Floats, values.detach().float().cpu().numpy())


def channels_last(net: nn.Module) -> nn.Module:
    """Lay a network's weights out for convolutions over interleaved channels (faster on CPUs and tensor cores)."""
    # torch's stub of Module.to lacks the overload with memory_format alone
    return cast(nn.Module, net.to(memory_format=torch.channels_last))  # type: ignore[call-overload]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or, where the system refuses it at all, on a CPU."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in REFUSED)
    )


def free_memory(device: torch.device) -> None:
    """Give back what torch keeps for later and nothing uses."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside the block torch computes in the calling thread alone.

    Its own threads wait for each other by spinning, which is ruinous where decoders and encoders want the same cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _seconds(bfloat16: bool, rounds: int = 3) -> float:
    """Best time of a small convolution, forward and backward, on the CPU."""
    state = torch.random.get_rng_state()
    net = channels_last(nn.Conv2d(64, 128, 3, padding=1))
    torch.random.set_rng_state(state)
    pictures = torch.zeros(16, 64, 24, 24).to(memory_format=torch.channels_last)
    best = float("inf")
    for _ in range(rounds + 1):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            result = net(pictures)
        result.float().sum().backward()
        best = min(best, time.perf_counter() - start)
    return best
