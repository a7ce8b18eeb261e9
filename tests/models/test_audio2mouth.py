"""The paper's network: shapes, delay, state."""

from __future__ import annotations

import pytest
import torch

from models.audio2mouth import Audio2Mouth, Audio2MouthConfig


def small_net(seed: int = 0) -> Audio2Mouth:
    torch.manual_seed(seed)
    return Audio2Mouth(Audio2MouthConfig()).eval()


def test_sizes_are_the_paper_s() -> None:
    net = small_net()
    assert net.lstm.hidden_size == 60
    assert net.read_out.out_features == 20
    assert net(torch.zeros(3, 7, 28))[0].shape == (3, 7, 20)


def test_a_prediction_looks_exactly_two_tenths_of_a_second_ahead() -> None:
    net = small_net()
    features = torch.randn(100, 28, generator=torch.Generator().manual_seed(1))
    changed = features.clone()
    changed[60] += 1.0
    difference = (net.shapes_of(features) - net.shapes_of(changed)).abs().amax(dim=1)
    assert torch.equal(difference[:40], torch.zeros(40))
    assert difference[40] > 1e-4


def test_blocks_keep_the_state() -> None:
    net = small_net()
    features = torch.randn(300, 28, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(net.shapes_of(features, block=37), net.shapes_of(features), atol=1e-6, rtol=1e-5)


def test_every_row_gets_a_shape_even_the_last() -> None:
    assert small_net().shapes_of(torch.randn(5, 28)).shape == (5, 20)
    assert small_net().shapes_of(torch.zeros(0, 28)).shape == (0, 20)


def test_inputs_are_z_scored() -> None:
    net = small_net()
    features = torch.randn(500, 28, generator=torch.Generator().manual_seed(3))
    plain = net.shapes_of((features - features.mean(dim=0)) / features.std(dim=0))
    net.normalise_by(features * 40 + 7, torch.zeros(500, 20))
    torch.testing.assert_close(net.shapes_of(features * 40 + 7), plain, atol=1e-4, rtol=1e-4)


def test_wrong_features_are_refused() -> None:
    with pytest.raises(ValueError, match="28"):
        small_net().shapes_of(torch.zeros(10, 14))
