"""A training killed at any moment goes on as if nothing had happened."""

from __future__ import annotations

import json
import random
import signal
import time
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Final, Literal

import pytest
import torch

from faceswap.model import CHECKPOINTS, LOG, open_model
from models.checkpoint import Checkpoint, load_newest
from models.nets import NETS
from shared.types import JsonObject
from tests.faceswap.lives import TINY, Death, live

KILLS = 20
STEPS = 40
BOTH: Final[tuple[Literal["before", "after"], ...]] = ("before", "after")
CLOCKED = ("seconds", "examples_per_s", "eta_s")
"""What of the log depends on time."""


@pytest.fixture(scope="module")
def uninterrupted(
    context: ForkServerContext, two_sets: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A model trained without any accident."""
    model = tmp_path_factory.mktemp("straight") / "m"
    process, _ = begun(context, two_sets, model)
    process.join()
    assert process.exitcode == 0
    return model


def begun(
    context: ForkServerContext, faces: tuple[Path, Path], model: Path, death: Death | None = None
) -> tuple[ForkServerProcess, Synchronized[int]]:
    reached: Synchronized[int] = context.Value("i", 0)
    process = context.Process(target=live, args=(faces, model, STEPS, reached, death))
    process.start()
    return process, reached


def newest_of(model: Path) -> Checkpoint | None:
    return load_newest(model / CHECKPOINTS)


def curve(model: Path) -> list[JsonObject]:
    lines = [json.loads(line) for line in (model / LOG).read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in CLOCKED} for line in lines]


def same(model: Path, other: Path) -> None:
    """Hold that two models and their logs are equal to the bit."""
    assert curve(model) == curve(other)
    first, second = newest_of(model), newest_of(other)
    assert first is not None
    assert second is not None
    assert first.tensors.keys() == second.tensors.keys()
    assert all(torch.equal(first.tensors[name], second.tensors[name]) for name in first.tensors)


def test_killed_twenty_times_at_random_a_training_follows_the_same_curve(
    context: ForkServerContext, two_sets: tuple[Path, Path], uninterrupted: Path, tmp_path: Path
) -> None:
    model, step_s = tmp_path / "m", 0.05
    chance = random.Random(7)
    for moment in sorted(chance.uniform(0, STEPS) for _ in range(KILLS)):
        process, reached = begun(context, two_sets, model)
        while process.is_alive() and reached.value < int(moment):
            time.sleep(0.001)
        time.sleep(step_s * (moment % 1))
        process.kill()
        process.join()
        assert process.exitcode in (-signal.SIGKILL, 0)
        stored = newest_of(model)
        assert reached.value <= (stored.facts["step"] if stored is not None else 0)
    process, _ = begun(context, two_sets, model)
    process.join()
    assert process.exitcode == 0
    same(model, uninterrupted)


def test_killed_before_and_after_each_write_that_lasts_a_training_follows_the_same_curve(
    context: ForkServerContext,
    two_sets: tuple[Path, Path],
    uninterrupted: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(NETS, "quick", lambda: TINY)
    model = tmp_path / "m"

    def dies(death: Death) -> bool:
        process, _ = begun(context, two_sets, model, death)
        process.join()
        assert process.exitcode in (-signal.SIGKILL, 0)
        if newest_of(model) is not None:
            open_model(model, "cpu")
        return process.exitcode == -signal.SIGKILL

    # A life makes two of these calls before its first step, at most twelve a step, and two at its end.
    assert all(dies(Death(call, when)) for call in range(1, 16) for when in BOTH)
    process, _ = begun(context, two_sets, model)
    process.join()
    assert process.exitcode == 0
    assert sum(dies(Death(call, when)) for call in range(1, 6) for when in BOTH) == 8
    same(model, uninterrupted)
    process, _ = begun(context, two_sets, model)
    process.join()
    assert not list(model.rglob(".*.partial"))
