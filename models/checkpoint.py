"""The state of a training in one file: safetensors for arrays, JSON in its header; no pickle anywhere.

A file holds weights, averaged weights, the optimiser's moments and the random generator, so that a training taken up
again follows the same curve. Files are written under a temporary name, fsynced and renamed; the newest two are kept
and the best one beside them. Whatever moment a run is killed at, the newest file that has its name is whole; what it
left half done, `mend` finishes or clears away.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from shared.errors import WeightsError, from_os_error
from shared.store.artefact import write_atomically
from shared.types import JsonObject

SCHEMA = 1
KEPT = 2
"""Newest checkpoints that stay on the disk."""
BEST = "best.safetensors"
PREFIX = "step-"
LENGTH_BYTES = 8
MOST_HEADER_BYTES = 100_000_000
"""Longest header of a safetensors file."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Tensors by name and the facts beside them."""

    tensors: dict[str, Tensor]
    facts: JsonObject

    def part(self, name: str) -> dict[str, Tensor]:
        """Tensors whose names start with ``name.``, without that start."""
        start = f"{name}."
        return {key[len(start) :]: value for key, value in self.tensors.items() if key.startswith(start)}


def gather(**parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Lay several state dictionaries together under their names; the inverse of `Checkpoint.part`."""
    return {
        f"{name}.{key}": value.detach().cpu().contiguous().clone()
        for name, part in parts.items()
        for key, value in part.items()
    }


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """State of an optimiser as plain tensors ``<parameter number>.<name>``."""
    state: dict[int, dict[str, Any]] = optimiser.state_dict()["state"]
    return {
        f"{number}.{name}": torch.as_tensor(value) for number, entry in state.items() for name, value in entry.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimiser_tensors` gave; the optimiser's own options stay.

    Raises
    ------
    ValueError, LookupError
        It is of other parameters; nothing is put back.
    """
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        like = parameters[int(number)]
        if value.ndim > 0 and value.shape != like.shape:
            raise ValueError(f"{key}: expected {tuple(like.shape)}, got {tuple(value.shape)}")
        # A fused step walks weights and moments side by side in memory: they must be laid out alike.
        laid = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
        state.setdefault(int(number), {})[name] = laid
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def restore_weights(net: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Load weights into a network.

    Raises
    ------
    WeightsError
        If names or shapes do not fit.
    """
    try:
        net.load_state_dict(dict(weights))
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise WeightsError(f"{path}: its weights do not fit this network ({reason}); train it again") from error


def take_fitting(net: nn.Module, weights: Mapping[str, Tensor]) -> tuple[int, int]:
    """Take over those weights that the network has too, by name and shape; how many numbers, and of how many."""
    own = net.state_dict()
    fitting = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    net.load_state_dict(fitting, strict=False)
    return sum(value.numel() for value in fitting.values()), sum(value.numel() for value in own.values())


def save_checkpoint(folder: Path, step: int, tensors: Mapping[str, Tensor], facts: JsonObject, best: bool) -> Path:
    """Write a checkpoint of `step`, drop all but the newest few, and write it as the best one too if it is.

    Raises
    ------
    NoSpaceError
        If the disk is full; the checkpoints that were there stay.
    """
    path = folder / f"{PREFIX}{step:08d}.safetensors"
    save_file(path, tensors, {**facts, "step": step, "best": best})
    if best:
        _share_content(path, folder / BEST)
    for old in _steps(folder)[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def save_file(path: Path, tensors: Mapping[str, Tensor], facts: JsonObject) -> None:
    """Write tensors and facts as one file that `load_checkpoint` reads."""
    content = save(dict(tensors), metadata={"schema": str(SCHEMA), "facts": json.dumps(facts)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, path.parent, "making the folder of checkpoints") from error
    write_atomically(path, content)


def mend(folder: Path) -> None:
    """Clear away what a killed run left half written, and finish what it left half done: the best one's name."""
    for left in (*folder.glob(".*.partial"), *folder.glob(".*.link")):
        left.unlink(missing_ok=True)
    for path in reversed(_steps(folder)):
        try:
            facts = read_facts(path)
        except WeightsError:
            continue
        best = folder / BEST
        if facts.get("best") and _step_of(best) != facts["step"]:
            _share_content(path, best)
        return


def drop_after(folder: Path, step: int) -> None:
    """Remove the checkpoints of later steps than `step`."""
    for path in _steps(folder):
        if int(path.stem.removeprefix(PREFIX)) > step:
            path.unlink(missing_ok=True)


def newest(folder: Path) -> Path | None:
    """The checkpoint of the highest step, the best one where there is no other, or None."""
    found = _all(folder)
    return found[-1] if found else None


def load_newest(folder: Path) -> Checkpoint | None:
    """The newest checkpoint that can be read, the best one where there is no other; None where there is none at all.

    Raises
    ------
    WeightsError
        If there are some and none can be read.
    """
    failure: WeightsError | None = None
    for path in reversed(_all(folder)):
        try:
            return load_checkpoint(path)
        except WeightsError as error:
            failure = error
    if failure is not None:
        raise failure
    return None


def load_checkpoint(path: Path) -> Checkpoint:
    """Read one checkpoint.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, or of another layout.
    """
    with _reading(path):
        content = path.read_bytes()
        facts = _facts(path, content)
        return Checkpoint(load(content), facts)


def read_facts(path: Path) -> JsonObject:
    """The facts of a checkpoint alone, without reading its tensors.

    Raises
    ------
    WeightsError
        If the file is missing, damaged at its head, or of another layout.
    """
    with _reading(path), path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(LENGTH_BYTES))
        return _facts(path, struct.pack("<Q", length) + file.read(min(length, MOST_HEADER_BYTES)))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong while reading a checkpoint into one line."""
    if not path.is_file():
        raise WeightsError(f"{path}: no such checkpoint; train the model first")
    try:
        yield
    except OSError as error:
        raise from_os_error(error, path, "reading the checkpoint") from error
    except (SafetensorError, ValueError, KeyError, TypeError, struct.error) as error:
        raise WeightsError(f"{path}: damaged or not a checkpoint of lipswap; remove it and train on") from error


def _share_content(path: Path, other: Path) -> None:
    """Give `other` the content of `path`: by a second name where the file system has such, else by a copy."""
    temporary = other.with_name(f".{other.name}.link")
    try:
        temporary.unlink(missing_ok=True)
        os.link(path, temporary)
        temporary.replace(other)
    except OSError:
        write_atomically(other, path.read_bytes())


def _facts(path: Path, content: bytes) -> JsonObject:
    """The facts in the metadata of a safetensors file, which is 8 bytes of length, then JSON."""
    (length,) = struct.unpack("<Q", content[:LENGTH_BYTES])
    metadata = json.loads(content[LENGTH_BYTES : LENGTH_BYTES + length])["__metadata__"]
    facts: JsonObject = json.loads(metadata["facts"])
    if int(metadata["schema"]) != SCHEMA:
        raise WeightsError(f"{path}: layout {metadata['schema']}, this version reads {SCHEMA}; train the model again")
    return facts


def _step_of(path: Path) -> int:
    """Step of a checkpoint, -1 where there is none that can be read."""
    try:
        return int(read_facts(path)["step"])
    except (WeightsError, KeyError):
        return -1


def _steps(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{PREFIX}*.safetensors"))


def _all(folder: Path) -> list[Path]:
    """The best checkpoint, then the others in the order of their steps."""
    best = folder / BEST
    return [*([best] if best.is_file() else []), *_steps(folder)]
