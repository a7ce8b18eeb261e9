"""The objective: its schedule, its losses by their weights, and the discriminator beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from faceswap.augment import Batch
from faceswap.model import CHECKPOINTS, open_model
from faceswap.objective import Stage, picture_loss, share, stage_of, staged, weights_of
from faceswap.options import AugmentOptions, TrainLimits, TrainOptions, options_for
from faceswap.train import train
from models.autoencoder import build
from models.checkpoint import load_newest
from models.discriminator import PatchDiscriminator
from models.nets import GUIDES, config_of
from models.tensors import Precision

NONE = TrainOptions(absolute=0.0, dissimilarity=0.0)
EXACT = Precision(torch.device("cpu"), False)


def batch(side: int = 64, seed: int = 0) -> Batch:
    random = torch.Generator().manual_seed(seed)
    warped, target = (torch.rand(2, 3, side, side, generator=random) for _ in range(2))
    weight, visible = torch.full((2, 1, side, side), 0.5), torch.ones(2, 1, side, side)
    landmarks, guides = torch.zeros(2, 68, 2), torch.randn(2, GUIDES, generator=random)
    return Batch(warped, target, weight, visible, landmarks, torch.zeros(2, dtype=torch.bool), guides)


def test_the_schedule_goes_from_a_warp_to_none_to_a_discriminator() -> None:
    options = TrainOptions(warp_until=100, adversary=0.2, adversary_from=200)
    stages = [stage_of(options, step) for step in (1, 100, 101, 200, 201, 700, 1200, 5000)]
    assert [stage.warp for stage in stages] == [1.0, 1.0] + [0.0] * 6
    assert [stage.judged for stage in stages] == [False] * 4 + [True] * 4
    assert [stage.adversary for stage in stages] == pytest.approx([0, 0, 0, 0, 0.0002, 0.1, 0.2, 0.2])


def test_by_default_the_warp_stays_and_nobody_judges() -> None:
    assert stage_of(TrainOptions(), 10**6) == Stage(1.0, 0.0, False)


def test_without_a_warp_the_other_augmentations_stay() -> None:
    options = AugmentOptions(warp_px=4.0, to_landmarks=0.5, rotation_deg=7.0)
    plain = staged(options, Stage(0.0, 0.0, False))
    assert (plain.warp_px, plain.to_landmarks, plain.rotation_deg) == (0.0, 0.0, 7.0)
    assert staged(options, Stage(1.0, 0.0, False)) is options


@pytest.mark.parametrize("name", ["absolute", "squared", "dissimilarity", "multiscale", "edges"])
def test_each_loss_counts_by_its_weight(name: str) -> None:
    given = batch()
    weighed: list[dict[str, Any]] = [{name: 1.0}, {name: 2.0}]
    once, twice = (float(picture_loss(given.warped, given, replace(NONE, **one))) for one in weighed)
    assert once > 0.01
    assert twice == pytest.approx(2 * once, rel=1e-5)
    assert float(picture_loss(given.warped, given, NONE)) == 0.0


def test_a_discriminator_bends_the_gradient_of_the_net_and_gets_its_own() -> None:
    torch.manual_seed(0)
    net, critic = build(config_of("light")), PatchDiscriminator((4, 8, 8))
    options = replace(options_for("light"), adversary=1.0)
    alone = share(net, 0, batch(), options, EXACT)
    judged = share(net, 0, batch(), options, EXACT, (critic, Stage(1.0, 1.0, True)))
    unheard = share(net, 0, batch(), options, EXACT, (critic, Stage(1.0, 0.0, True)))
    assert alone.critic == ()
    assert [one.shape for one in judged.critic] == [one.shape for one in critic.parameters()]
    assert not torch.allclose(judged.own[0], alone.own[0])
    assert torch.allclose(unheard.own[0], alone.own[0])
    assert all(parameter.grad is None for parameter in critic.parameters())


def test_a_mask_head_is_trained_beside_the_picture(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    options = replace(options_for("quick96", mask_head=True), batch=2, precision="float32")
    train(two_sets, tmp_path / "m", options, TrainLimits(steps=2, look_every=1, plateau_looks=0, judged=0))
    pictures, masks = open_model(tmp_path / "m", "cpu").swap(np.full((1, 96, 96, 3), 0.5, dtype=np.float32), 1)
    assert pictures.shape == (1, 96, 96, 3)
    assert masks is not None
    assert masks.shape == (1, 96, 96)
    assert float(masks[0, 48, 48]) > 0.8
    assert float(masks[0, 0, 0]) < 0.2


def test_a_training_with_a_discriminator_taken_up_again_follows_the_same_curve(
    two_sets: tuple[Path, Path], tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    options = replace(
        options_for("quick96"), batch=2, precision="float32", adversary=0.1, adversary_from=2, warp_until=1
    )
    limits = TrainLimits(look_every=4, plateau_looks=0, judged=0)
    for name, stops in (("straight", (6,)), ("twice", (4, 6))):
        for stop in stops:
            train(two_sets, tmp_path / name, options, replace(limits, steps=stop))
    straight, twice = (load_newest(tmp_path / name / CHECKPOINTS) for name in ("straight", "twice"))
    assert straight is not None
    assert twice is not None
    assert straight.part("critic")
    assert straight.part("critic_optimiser")
    assert all(torch.equal(value, twice.tensors[name]) for name, value in straight.tensors.items())


def test_split_codes_give_gradients_to_both_people() -> None:
    torch.manual_seed(0)
    net = build(config_of("liae128"))
    some = batch(128)
    shares = [share(net, person, some, options_for("liae128"), EXACT) for person in (0, 1)]
    shared, own = weights_of(net)
    for person, made in enumerate(shares):
        assert [one.shape for one in made.shared] == [one.shape for one in shared]
        assert [one.shape for one in made.own] == [one.shape for one in own[person]]
    assert len(own[0]) > 0
    assert len(own[1]) == 0
    assert float(shares[0].own[0].abs().sum()) > 0
