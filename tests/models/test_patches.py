"""Convolutions as products against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from models import patches
from models.patches import Convolution
from models.tensors import channels_last


def gradients(net: nn.Conv2d, values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Result, and gradients of values, weight and bias, of a sum of squares."""
    values = values.detach().requires_grad_()
    made = net(values)
    assert net.bias is not None
    of_values, weight, bias = torch.autograd.grad(made.square().sum(), [values, net.weight, net.bias])
    return made.detach(), of_values, weight, bias


@pytest.mark.parametrize(("kernel", "stride", "side"), [(3, 1, 4), (5, 2, 8), (5, 2, 7), (1, 1, 3)])
def test_a_product_equals_the_convolution_forward_and_backward(
    kernel: int, stride: int, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patches, "LEAST_WEIGHTS_A_PIXEL", 0)
    torch.manual_seed(0)
    net = Convolution(6, 10, kernel, stride=stride, padding=kernel // 2)
    channels_last(net)
    plain = nn.Conv2d(6, 10, kernel, stride=stride, padding=kernel // 2)
    plain.load_state_dict(net.state_dict())
    values = torch.randn(3, 6, side, side)
    for made, wanted in zip(gradients(net, values), gradients(plain, values), strict=True):
        assert torch.allclose(made, wanted, atol=1e-4, rtol=1e-4)
        assert made.shape == wanted.shape


def test_the_gradient_lies_in_memory_as_the_weight_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "LEAST_WEIGHTS_A_PIXEL", 0)
    net = Convolution(6, 10, 3, padding=1)
    channels_last(net)
    weight = gradients(net, torch.randn(2, 6, 4, 4))[2]
    assert weight.stride() == net.weight.stride()


def test_in_bfloat16_it_is_close(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    net, values = Convolution(16, 16, 3, padding=1), torch.randn(2, 16, 4, 4)
    exact = gradients(net, values)
    monkeypatch.setattr(patches, "LEAST_WEIGHTS_A_PIXEL", 0)
    with torch.autocast("cpu", torch.bfloat16):
        made = net(values)
        assert made.dtype is torch.bfloat16
    (of_weight,) = torch.autograd.grad(made.float().square().sum(), [net.weight])
    assert of_weight.dtype is torch.float32
    assert float((of_weight - exact[2]).norm() / exact[2].norm()) < 0.02


def test_only_small_maps_with_many_weights_are_products() -> None:
    net = Convolution(512, 1024, 5, stride=2, padding=2)
    with torch.device("meta"):
        assert net._small(torch.empty(1, 512, 8, 8))
        assert not net._small(torch.empty(1, 512, 16, 16))
    assert not Convolution(8, 8, 3, padding=1)._small(torch.empty(1, 8, 4, 4))
