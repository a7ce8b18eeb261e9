"""The slot for a super-resolution or restoration network of the user's own, an ONNX file, run on each created face.

It takes pictures (N, 3, H, W) float32 RGB in [0, 1], H and W free or fixed, N free or 1, and gives (N, 3, K, K) of any
side K in the same range. Nothing of the kind comes with lipswap: weights that restore faces draw somebody's face, so
they are chosen knowingly. An ONNX file is a graph of numbers; loading one runs no code of its author's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from shared.errors import InstallError, WeightsError
from shared.picture.warp import resize
from shared.types import Floats

Enhance: TypeAlias = Callable[[Floats], Floats]
"""Pictures (N, V, V, 3) float32 RGB in [0, 1] to (N, K, K, 3) in the same range."""
ERRORS: Final = (
    *("Fail", "InvalidProtobuf", "InvalidGraph", "InvalidArgument", "NotImplemented"),
    *("RuntimeException", "EPFail", "ModelLoadFailed", "NoSuchFile"),
)
"""What the runtime raises, by the names that its versions have."""
LAYOUT: Final = "(N, 3, H, W) float32 RGB in [0, 1]"


def open_enhancer(path: Path, device: str = "auto") -> Enhance:
    """Load a network that enlarges or restores faces.

    Parameters
    ----------
    device : ``auto``, ``cpu`` or ``cuda``; a GPU is used where the runtime has it, and it is not to be the CPU.

    Raises
    ------
    InstallError
        The package that runs it is missing.
    WeightsError
        The file is missing or damaged, or takes or gives something else.
    """
    try:
        import onnxruntime  # noqa: PLC0415 - an optional package
        from onnxruntime.capi import onnxruntime_pybind11_state as states  # noqa: PLC0415
    except ImportError as error:
        raise InstallError("onnxruntime is missing: pip install 'lipswap[enhance]'") from error
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; --enhance takes an ONNX network")
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    wanted = ("CPUExecutionProvider",) if device == "cpu" else ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in wanted if name in _available(onnxruntime)]
    broken = tuple(getattr(states, kind) for kind in ERRORS if hasattr(states, kind))
    try:
        session = onnxruntime.InferenceSession(path, settings, providers=providers)
    except broken as error:
        raise WeightsError(f"{path}: is damaged or no ONNX network; get it again") from error
    side, one_by_one = _wanted(session, path)

    def enhance(pictures: Floats) -> Floats:
        seen = pictures if side is None else np.stack([resize(picture, (side, side)) for picture in pictures])
        planes = np.ascontiguousarray(seen.transpose(0, 3, 1, 2), dtype=np.float32)
        name = session.get_inputs()[0].name
        try:
            parts = np.split(planes, len(planes)) if one_by_one else [planes]
            made = np.concatenate([session.run(None, {name: part})[0] for part in parts])
        except broken as error:
            raise WeightsError(f"{path}: does not take {LAYOUT}; --enhance cannot use it") from error
        return _checked(made, len(pictures), path)

    return enhance


def _available(onnxruntime: Any) -> list[str]:  # noqa: ANN401 - an optional package without types
    return list(onnxruntime.get_available_providers())


def _wanted(session: Any, path: Path) -> tuple[int | None, bool]:  # noqa: ANN401 - as above
    """The side of the pictures it takes, None for any, and whether it takes but one at a time."""
    inputs = session.get_inputs()
    shape = list(inputs[0].shape) if inputs else []
    sides = {size for size in shape[2:] if isinstance(size, int)}
    three = len(shape) == 4 and (shape[1] in (3, None) or isinstance(shape[1], str))
    if len(inputs) != 1 or not three or len(sides) > 1 or inputs[0].type != "tensor(float)":
        told = ", ".join(f"{entry.type} {entry.shape}" for entry in inputs)
        raise WeightsError(f"{path}: takes {told or 'nothing'}, not {LAYOUT}; --enhance cannot use it")
    return (sides.pop() if sides else None), shape[0] == 1


def _checked(made: Any, count: int, path: Path) -> Floats:  # noqa: ANN401 - whatever the network gives
    """What the network gave, as pictures."""
    if made.ndim != 4 or made.shape[:2] != (count, 3) or made.shape[2] != made.shape[3]:
        raise WeightsError(f"{path}: gives {made.shape}, not ({count}, 3, K, K); --enhance cannot use it")
    if not np.isfinite(made).all():
        raise WeightsError(f"{path}: gives numbers that are none; --enhance cannot use it")
    pictures = np.clip(np.moveaxis(made, 1, 3), 0.0, 1.0)
    return np.ascontiguousarray(pictures, dtype=np.float32)
