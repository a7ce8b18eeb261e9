"""A model folder with fresh, seeded weights: nothing is trained."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from faceswap.model import CHECKPOINTS, KIND, SCHEMA
from faceswap.trainer import NET
from models.autoencoder import as_module, build
from models.checkpoint import gather, save_checkpoint
from models.nets import AutoencoderConfig
from shared.store.artefact import artefact, fingerprint


def make_model(folder: Path, config: AutoencoderConfig, seed: int = 0) -> Path:
    """Write a model whose two people look different."""
    torch.manual_seed(seed)
    net = build(config)
    net.start_from(torch.rand(2, 4, config.output_px, config.output_px))
    for name, weight in as_module(net).named_parameters():
        if name.endswith("flow.weight"):
            torch.nn.init.normal_(weight, std=0.3)  # so that the learned picture is read away from its own grid
    people = [{"name": name, "embedding": [1.0] + [0.0] * 127} for name in "ab"]
    with artefact(folder, KIND, SCHEMA, fingerprint(seed=seed), details={"people": people, "net": config.name}):
        pass
    facts = {"config": asdict(config), "bfloat16": False}
    save_checkpoint(folder / CHECKPOINTS, 1, gather(**{NET: as_module(net).state_dict()}), facts, best=True)
    return folder
