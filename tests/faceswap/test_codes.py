"""Codes of both people are drawn together, by what is known of them from the steps before."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from faceswap.codes import KEPT, Moments, moments_of


def codes(seed: int, mean: float, spread: float, count: int = 400) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return mean + spread * torch.randn(count, 3, 2, 2, generator=random)


def known(*people: Tensor) -> Moments:
    moments = Moments()
    first, second = (moments_of(one) for one in people)
    moments.add(first, second)
    return moments


def distance(one: Tensor, other: Tensor, scale: Tensor) -> Tensor:
    """What the pull goes down: of means in spreads, and of variances as ratios."""
    means = (one.mean(dim=0) - other.mean(dim=0)).square() / scale / 2
    variances = [part.var(dim=0, correction=0) for part in (one, other)]
    return (means + (variances[0].log() - variances[1].log()).square() / 4).mean()


def test_the_pull_is_the_gradient_of_the_distance_of_means_and_variances() -> None:
    own, other = codes(0, 1.0, 2.0), codes(1, 0.5, 1.0)
    scale = (own.var(dim=0, correction=0) + other.var(dim=0, correction=0)) / 2
    asked, wanted = own.clone().requires_grad_(), own.clone().requires_grad_()
    pull = known(own, other).pull(0)
    assert pull is not None
    pull.loss(asked).backward()  # type: ignore[no-untyped-call]
    distance(wanted, other, scale).backward()  # type: ignore[no-untyped-call]
    assert asked.grad is not None
    assert wanted.grad is not None
    assert torch.allclose(asked.grad, wanted.grad, atol=1e-7)


def test_parts_of_a_batch_add_up_to_the_whole() -> None:
    own, other = codes(0, 1.0, 2.0, 16), codes(1, 0.5, 1.0, 16)
    pull = known(own, other).pull(1)
    assert pull is not None
    parts = [float(pull.loss(part)) for part in torch.split(other, 4)]
    assert sum(parts) / 4 == pytest.approx(float(pull.loss(other)), rel=1e-5)
    assert torch.allclose(
        torch.stack([moments_of(part) for part in torch.split(other, 4)]).mean(dim=0), moments_of(other), atol=1e-6
    )


def test_followed_it_brings_both_people_together() -> None:
    own, other = codes(0, 1.0, 2.0), codes(1, -0.5, 0.5)
    moments = Moments()
    assert moments.pull(0) is None
    for _ in range(400):
        moments.add(moments_of(own), moments_of(other))
        moved = []
        for person, one in enumerate((own, other)):
            asked, pull = one.clone().requires_grad_(), moments.pull(person)
            assert pull is not None
            pull.loss(asked).backward()  # type: ignore[no-untyped-call]
            assert asked.grad is not None
            moved.append(one - 0.02 * one.numel() * asked.grad)
        own, other = moved
    assert float((own.mean(dim=0) - other.mean(dim=0)).abs().max()) < 0.05
    ratio = own.std(dim=0) / other.std(dim=0)
    assert float((ratio - 1).abs().max()) < 0.1


def test_what_is_known_comes_back_and_newer_batches_count_more() -> None:
    moments = known(torch.zeros(4, 2), torch.ones(4, 2))
    moments.add(moments_of(torch.ones(4, 2)), moments_of(torch.ones(4, 2)))
    again = Moments()
    again.restore(moments.state())
    kept = again.state()["moments"]
    assert torch.equal(kept, moments.state()["moments"])
    assert torch.allclose(kept[0, 0], torch.full((2,), 1 - KEPT))
