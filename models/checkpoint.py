"""The state of a training in one file: safetensors for arrays, JSON in its header; no pickle anywhere.

A file holds weights, averaged weights, the optimiser's moments and the random generator, so that a training taken up
again follows the same curve. Files are written under a temporary name, fsynced and renamed; the newest two are kept
and the best one beside them.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
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
    """Put back what `optimiser_tensors` gave; the optimiser's own options stay."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        like = parameters[int(number)]
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


def save_checkpoint(folder: Path, step: int, tensors: Mapping[str, Tensor], facts: JsonObject, best: bool) -> Path:
    """Write a checkpoint of `step`, drop all but the newest few, and write it as the best one too if it is."""
    header = {"schema": str(SCHEMA), "facts": json.dumps({**facts, "step": step})}
    content = save(dict(tensors), metadata=header)
    path = folder / f"{PREFIX}{step:08d}.safetensors"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, folder, "making the folder of checkpoints") from error
    write_atomically(path, content)
    if best:
        _share_content(path, folder / BEST, content)
    for old in _steps(folder)[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def newest(folder: Path) -> Path | None:
    """The checkpoint of the highest step, or None."""
    found = _steps(folder)
    return found[-1] if found else None


def load_newest(folder: Path) -> Checkpoint | None:
    """The newest checkpoint that can be read; None where there is none at all.

    Raises
    ------
    WeightsError
        If there are some and none can be read.
    """
    failure: WeightsError | None = None
    for path in reversed(_steps(folder)):
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
    if not path.is_file():
        raise WeightsError(f"{path}: no such checkpoint; train the model first")
    try:
        content = path.read_bytes()
        header = _header(content)
        tensors = load(content)
        schema, facts = int(header["schema"]), json.loads(header["facts"])
    except OSError as error:
        raise from_os_error(error, path, "reading the checkpoint") from error
    except (SafetensorError, ValueError, KeyError, TypeError, struct.error) as error:
        raise WeightsError(f"{path}: damaged or not a checkpoint of lipswap; remove it and train on") from error
    if schema != SCHEMA:
        raise WeightsError(f"{path}: layout {schema}, this version reads {SCHEMA}; train the model again")
    return Checkpoint(tensors, facts)


def _share_content(path: Path, other: Path, content: bytes) -> None:
    """Give `other` the content of `path`: by a second name where the file system has such, else by a copy."""
    temporary = other.with_name(f".{other.name}.link")
    try:
        temporary.unlink(missing_ok=True)
        os.link(path, temporary)
        temporary.replace(other)
    except OSError:
        write_atomically(other, content)


def _header(content: bytes) -> dict[str, str]:
    """The metadata of a safetensors file: 8 bytes of length, then JSON."""
    (length,) = struct.unpack("<Q", content[:8])
    metadata: dict[str, str] = json.loads(content[8 : 8 + length])["__metadata__"]
    return metadata


def _steps(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{PREFIX}*.safetensors"))
