"""The discriminator of patches: it learns to tell, and looks at the face alone."""

from __future__ import annotations

import pytest
import torch

from models.discriminator import PatchDiscriminator, squared_distance


def test_it_scores_patches_and_shows_its_features() -> None:
    torch.manual_seed(0)
    scores, features = PatchDiscriminator((4, 8, 16))(torch.rand(2, 3, 64, 64))
    assert scores.shape == (2, 1, 8, 8)
    assert [tuple(one.shape) for one in features] == [(2, 4, 32, 32), (2, 8, 16, 16), (2, 16, 8, 8)]


def test_patches_outside_the_face_cost_nothing() -> None:
    scores = torch.tensor([1.0, 0.0]).repeat_interleave(32).view(1, 1, 8, 8)  # the upper half is taken for real
    upper = torch.zeros(1, 1, 64, 64)
    upper[..., :32, :] = 1.0
    assert float(squared_distance(scores, 1.0, upper)) == 0.0
    assert float(squared_distance(scores, 1.0, 1.0 - upper)) == pytest.approx(0.5)


def test_it_learns_to_tell_sharp_from_soft_pictures() -> None:
    torch.manual_seed(0)
    critic = PatchDiscriminator((8, 16, 16))
    optimiser = torch.optim.Adam(critic.parameters(), 2e-3)
    mask = torch.ones(4, 1, 32, 32)
    for _ in range(40):
        sharp = torch.rand(4, 3, 32, 32)
        soft = torch.nn.functional.avg_pool2d(sharp, 5, 1, 2)
        loss = squared_distance(critic(sharp)[0], 1.0, mask) + squared_distance(critic(soft)[0], 0.0, mask)
        optimiser.zero_grad()
        torch.autograd.backward([loss])
        optimiser.step()
    assert float(loss.detach()) < 0.2
