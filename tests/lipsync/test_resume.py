"""A training's state: what is best when the clock changes, and nothing half taken up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lipsync.resume import FILE, Training
from models.audio2mouth import Audio2Mouth, Audio2MouthConfig
from models.checkpoint import load_checkpoint, save_file

READ_OUT = "read_out.weight"


def training() -> Training:
    torch.manual_seed(0)
    net = Audio2Mouth(Audio2MouthConfig(cell=4))
    return Training(net, torch.optim.Adam(net.parameters()), np.random.default_rng(0))


def step(state: Training) -> None:
    """One update that changes all weights."""
    for weights in state.net.parameters():
        weights.grad = torch.ones_like(weights)
    state.optimiser.step()
    state.update += 1


def weights_of(state: Training) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in state.net.state_dict().items()}


@pytest.mark.parametrize(("old", "new"), [(0.5, 0.7), (0.9, 0.7)])
def test_weights_of_before_stay_the_best_if_they_are_on_the_new_clock(old: float, new: float) -> None:
    state = training()
    state.look(0.1)
    best = weights_of(state)
    step(state)
    now = weights_of(state)
    state.retime([0.01], lambda net: old if torch.equal(net.state_dict()[READ_OUT], best[READ_OUT]) else new)
    assert state.best == (0, old)
    assert all(torch.equal(value, now[name]) for name, value in state.net.state_dict().items())
    state.look(new)
    assert state.best == ((0, old) if old < new else (1, new))
    assert all(torch.equal(value, (best if old < new else now)[name]) for name, value in state.best_weights.items())


@pytest.mark.parametrize("broken", ["optimiser.99.exp_avg", "optimiser.0.exp_avg", f"best.{READ_OUT}", "torch.state"])
def test_a_state_that_does_not_fit_changes_nothing(tmp_path: Path, broken: str) -> None:
    kept = training()
    step(kept)
    kept.look(0.5)
    kept.save(tmp_path, now=True)
    found = load_checkpoint(tmp_path / FILE)
    save_file(tmp_path / FILE, {**found.tensors, broken: torch.zeros(3, dtype=torch.uint8)}, found.facts)

    fresh, other = training(), training()
    drawn = torch.get_rng_state()
    assert not fresh.go_on(tmp_path)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert not fresh.optimiser.state
    assert (fresh.update, fresh.curve, fresh.late_s) == (0, [], ())
    assert fresh.generator.random() == other.generator.random()
    assert all(torch.equal(value, weights_of(other)[name]) for name, value in fresh.net.state_dict().items())
