"""Checkpoints: the same state back, the ring, the best one, and damage."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from models.checkpoint import (
    BEST,
    drop_after,
    gather,
    load_checkpoint,
    load_newest,
    mend,
    newest,
    optimiser_tensors,
    read_facts,
    restore_optimiser,
    restore_weights,
    save_checkpoint,
    save_file,
    take_fitting,
)
from shared.errors import WeightsError


def stepped(steps: int, seed: int = 0) -> tuple[nn.Linear, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    net = nn.Linear(4, 3)
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    further(net, optimiser, steps)
    return net, optimiser


def further(net: nn.Linear, optimiser: torch.optim.Optimizer, steps: int) -> None:
    for _ in range(steps):
        optimiser.zero_grad()
        torch.autograd.backward([net(torch.ones(2, 4)).square().sum()])
        optimiser.step()


def test_a_training_taken_up_again_follows_the_same_curve(tmp_path: Path) -> None:
    straight, _ = stepped(9)
    net, optimiser = stepped(4)
    save_checkpoint(tmp_path, 4, gather(net=net.state_dict(), optimiser=optimiser_tensors(optimiser)), {}, False)

    again, fresh = stepped(0, seed=1)
    stored = load_checkpoint(tmp_path / "step-00000004.safetensors")
    restore_weights(again, stored.part("net"), tmp_path)
    restore_optimiser(fresh, stored.part("optimiser"))
    further(again, fresh, 5)
    assert torch.equal(again.weight, straight.weight)
    assert stored.facts["step"] == 4


def test_the_newest_two_and_the_best_stay(tmp_path: Path) -> None:
    for step in (10, 20, 30, 40):
        save_checkpoint(tmp_path, step, {"net.value": torch.full((1,), float(step))}, {}, best=step == 20)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [BEST, "step-00000030.safetensors", "step-00000040.safetensors"]
    assert float(load_checkpoint(tmp_path / BEST).tensors["net.value"]) == 20.0
    assert newest(tmp_path) == tmp_path / "step-00000040.safetensors"


def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    for step in (1, 2):
        save_checkpoint(tmp_path, step, {"net.value": torch.full((64,), float(step))}, {}, False)
    path = tmp_path / "step-00000002.safetensors"
    path.write_bytes(path.read_bytes()[:-40])
    found = load_newest(tmp_path)
    assert found is not None
    assert found.facts["step"] == 1
    (tmp_path / "step-00000001.safetensors").write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match="damaged or not a checkpoint"):
        load_newest(tmp_path)


def test_the_best_one_stands_in_where_no_other_is_left(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 5, {"net.value": torch.ones(1)}, {}, best=True)
    drop_after(tmp_path, 4)
    assert newest(tmp_path) == tmp_path / BEST
    found = load_newest(tmp_path)
    assert found is not None
    assert found.facts["step"] == 5


def test_what_a_killed_save_left_half_done_is_mended(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, {"net.value": torch.ones(1)}, {}, best=True)
    save_checkpoint(tmp_path, 2, {"net.value": torch.full((1,), 2.0)}, {}, best=True)
    (tmp_path / BEST).unlink()
    (tmp_path / ".step-00000003.safetensors.partial").write_bytes(b"half")
    (tmp_path / f".{BEST}.link").write_bytes(b"half")
    mend(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        BEST,
        "step-00000001.safetensors",
        "step-00000002.safetensors",
    ]
    assert read_facts(tmp_path / BEST)["step"] == 2


def test_mending_leaves_a_better_checkpoint_of_before(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, {"net.value": torch.ones(1)}, {}, best=True)
    save_checkpoint(tmp_path, 2, {"net.value": torch.ones(1)}, {}, best=False)
    mend(tmp_path)
    assert read_facts(tmp_path / BEST)["step"] == 1
    mend(tmp_path / "nowhere")


def test_facts_are_read_without_the_tensors(tmp_path: Path) -> None:
    path = tmp_path / "some" / "file.safetensors"
    save_file(path, {"net.value": torch.ones(1000)}, {"step": 7})
    path.write_bytes(path.read_bytes()[:-100])
    assert read_facts(path) == {"step": 7}
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(WeightsError, match="damaged or not a checkpoint"):
        read_facts(path)


def test_weights_that_fit_are_taken_and_others_left() -> None:
    theirs, ours = (nn.Sequential(nn.Linear(4, 3), nn.Linear(3, wide)) for wide in (2, 5))
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    taken, of = take_fitting(ours, theirs.state_dict())
    assert (taken, of) == (4 * 3 + 3, 4 * 3 + 3 + 3 * 5 + 5)
    assert torch.equal(ours.state_dict()["0.weight"], theirs.state_dict()["0.weight"])
    assert torch.equal(ours.state_dict()["1.weight"], before["1.weight"])


def test_no_checkpoint_is_none_to_a_training_and_an_error_to_a_reader(tmp_path: Path) -> None:
    assert load_newest(tmp_path) is None
    with pytest.raises(WeightsError, match="no such checkpoint"):
        load_checkpoint(tmp_path / BEST)


def test_weights_of_another_net_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="do not fit this network"):
        restore_weights(nn.Linear(4, 3), nn.Linear(5, 3).state_dict(), tmp_path)


def test_a_pickled_file_is_never_run(tmp_path: Path) -> None:
    path = tmp_path / BEST
    torch.save({"net.value": torch.ones(1)}, path)
    with pytest.raises(WeightsError, match="damaged or not a checkpoint"):
        load_checkpoint(path)
