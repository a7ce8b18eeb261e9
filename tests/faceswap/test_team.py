"""Several processes that train one model."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
import torch

from faceswap.model import LOG, facts_of
from faceswap.options import TrainOptions
from faceswap.team import ALONE, Team, rank, together
from shared.errors import UsageError
from shared.types import JsonObject
from tests.faceswap.lives import OPTIONS, Place, live_together

FOUR = replace(OPTIONS, batch=4)
"""Two faces of each person in each of two processes."""


def trained(
    context: ForkServerContext,
    faces: tuple[Path, Path],
    model: Path,
    options: TrainOptions,
    size: int,
    steps: int,
    spoilt: tuple[int, ...] = (),
) -> list[JsonObject]:
    """The log of a training by `size` processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [
        context.Process(target=live_together, args=(faces, model, options, steps, Place(number, size, port), spoilt))
        for number in range(size)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * size
    return [json.loads(line) for line in (model / LOG).read_text().splitlines()]


def test_two_processes_give_the_losses_of_one_with_the_doubled_batch(
    context: ForkServerContext, two_sets: tuple[Path, Path], tmp_path: Path
) -> None:
    alone = trained(context, two_sets, tmp_path / "alone", FOUR, 1, 8)
    both = trained(context, two_sets, tmp_path / "both", FOUR, 2, 8)
    half = trained(context, two_sets, tmp_path / "half", replace(FOUR, batch=2), 1, 8)
    assert [line["step"] for line in both] == [2, 4, 6, 8]
    names = ("loss_a", "loss_b", "psnr_a_db", "psnr_b_db")
    for one, two in zip(alone, both, strict=True):
        assert [two[name] for name in names] == pytest.approx([one[name] for name in names], rel=2e-4)
    assert [half[-1][name] for name in names] != pytest.approx([alone[-1][name] for name in names], rel=2e-4)


def test_a_training_goes_on_with_another_number_of_processes(
    context: ForkServerContext, two_sets: tuple[Path, Path], tmp_path: Path
) -> None:
    alone = trained(context, two_sets, tmp_path / "alone", FOUR, 1, 6)
    trained(context, two_sets, tmp_path / "both", FOUR, 1, 4)
    both = trained(context, two_sets, tmp_path / "both", FOUR, 2, 6)
    assert facts_of(tmp_path / "both")["step"] == 6
    assert both[-1]["psnr_a_db"] == pytest.approx(alone[-1]["psnr_a_db"], rel=2e-4)


def test_all_processes_roll_back_together_as_often_as_needed(
    context: ForkServerContext, two_sets: tuple[Path, Path], tmp_path: Path
) -> None:
    model = tmp_path / "both"
    lines = trained(context, two_sets, model, FOUR, 2, 10, spoilt=(4, 8, 12, 16))
    assert [line["step"] for line in lines] == list(range(1, 11))
    assert facts_of(model)["slower"] == 0.5**4


def test_the_rows_of_all_processes_are_the_batch() -> None:
    rows = [Team(number, 3).rows(8) for number in range(3)]
    assert [place for some in rows for place in range(8)[some]] == list(range(8))
    assert ALONE.rows(8) == slice(0, 8)


def test_more_processes_than_faces_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "1")
    assert rank() == 1
    with pytest.raises(UsageError, match="4 processes cannot share a batch of 3"), together(torch.device("cpu"), 3):
        pass
