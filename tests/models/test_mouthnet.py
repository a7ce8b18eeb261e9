"""The default network: rows fall on their own times, blocks leave no seam, the loss asks for velocity."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models.ear import CEPSTRA, DENSITIES, PHONES, STATES, STREAMS, Ear, Mixtures
from models.mouthnet import MouthNet, MouthNetConfig, PointCost, open_loss, shape_loss, velocity_loss

CENTRES = torch.linspace(250.0, 2700.0, 40)


def mixtures() -> Mixtures:
    draw = torch.Generator().manual_seed(0)
    means = 2.0 * torch.randn(len(PHONES), STREAMS, DENSITIES, CEPSTRA, generator=draw)
    weights = torch.rand(STREAMS, DENSITIES, STATES * len(PHONES), generator=draw) / DENSITIES
    return Mixtures(means, torch.full_like(means, 4.0), weights)


def small_net(seed: int = 0, phones: bool = False, live: bool = False) -> MouthNet:
    torch.manual_seed(seed)
    config = MouthNetConfig(cell=16, channels=16, phones=phones, live=live)
    return MouthNet(config, Ear(CENTRES, mixtures(), live) if phones else None).eval()


def noise(rows: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(rows, 40, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 7, 50])
def test_every_row_gets_a_shape(rows: int) -> None:
    assert small_net().shapes_of(noise(rows)).shape == (rows, 20)


def test_steps_lie_on_even_rows_and_the_rows_between_are_half_way() -> None:
    shapes = small_net().shapes_of(noise(41))
    torch.testing.assert_close(shapes[1:-1:2], (shapes[:-2:2] + shapes[2::2]) / 2)
    # Sound that reads the same both ways, through a net that is the same both ways, gives such shapes: no shift.
    net = small_net()
    with torch.no_grad():
        for conv in (net.first, net.second, *net.trunk):
            assert isinstance(conv, torch.nn.Conv1d)
            conv.weight.copy_((conv.weight + conv.weight.flip(-1)) / 2)
        for name, weight in net.lstm.named_parameters():
            if name.endswith("_reverse"):
                weight.copy_(net.lstm.get_parameter(name.removesuffix("_reverse")))
        net.read_far.weight.copy_((net.read_far.weight + net.read_far.weight.roll(16, 1)) / 2)
    half = noise(21)
    mirrored = net.shapes_of(torch.cat([half, half[:-1].flip(0)]))
    torch.testing.assert_close(mirrored, mirrored.flip(0), atol=1e-5, rtol=1e-4)


def test_it_hears_what_comes_next_and_what_was() -> None:
    net, features = small_net(), noise(100)
    changed = features.clone()
    changed[50] += 3.0
    difference = (net.shapes_of(features) - net.shapes_of(changed)).abs().amax(dim=1)
    assert difference[44] > 1e-4
    assert difference[56] > 1e-4


@pytest.mark.parametrize("phones", [False, True])
def test_blocks_leave_no_seam(phones: bool) -> None:
    """Not even where the sound is louder in one block: what phones are measured against is that of the whole."""
    net, features = small_net(phones=phones), noise(1000)
    features[400:] += 6.0
    torch.testing.assert_close(net.shapes_of(features, block=200, context=100), net.shapes_of(features, block=2000))


@pytest.mark.parametrize(("phones", "ahead"), [(False, 13), (True, 14)])
def test_a_live_net_hears_as_far_ahead_as_it_says_and_no_row_further(phones: bool, ahead: int) -> None:
    net, features = small_net(phones=phones, live=True), noise(160)
    assert net.ahead == ahead
    shapes = net(features[None])[0]
    heard = []
    for row in (80, 81):
        for later in (ahead, ahead + 1, ahead + 2, 60):
            changed = features.clone()
            changed[row + later] += 3.0
            heard.append(not torch.equal(net(changed[None])[0, : row + 1], shapes[: row + 1]))
    # A row between two steps hears the later one, so it is the odd row that hears furthest.
    assert heard == [False] * 4 + [True] + [False] * 3


def test_a_live_net_remembers_longer_than_its_convolutions_see() -> None:
    net, features = small_net(live=True), noise(400)
    changed = features.clone()
    changed[:20] += 3.0
    difference = (net(features[None]) - net(changed[None])).abs().amax(dim=2)[0]
    assert difference[100] > 0.0


def test_only_a_live_net_has_a_bound() -> None:
    with pytest.raises(ValueError, match="to the end"):
        _ = small_net().ahead


def test_dropout_is_off_in_a_prediction_and_on_again_after_it() -> None:
    net = small_net().train()
    torch.testing.assert_close(net.shapes_of(noise(60)), net.shapes_of(noise(60)))
    assert net.training


@pytest.mark.parametrize(("left_out", "of"), [("unled", "read_far"), ("deaf", "phones")])
def test_some_training_crops_do_without_the_lstm_or_phones_and_no_prediction_does(left_out: str, of: str) -> None:
    whole = MouthNetConfig(cell=16, channels=16, dropout=0.0, unled=0.0, deaf=0.0)
    wanting = replace(whole, unled=0.5) if left_out == "unled" else replace(whole, deaf=0.5)
    torch.manual_seed(0)
    net = MouthNet(wanting, Ear(CENTRES, mixtures()))
    plain = MouthNet(whole, net.ear)
    plain.load_state_dict(net.state_dict())
    without = MouthNet(plain.config, net.ear)
    without.load_state_dict(net.state_dict())
    with torch.no_grad():
        for every in getattr(without, of).parameters():
            every[:] = 0.0 if every.ndim > 1 else every
        crops = net.heard(torch.stack([noise(60, seed) for seed in range(40)]))
        made, all_heard, left = (one.train().crops(crops) for one in (net, plain, without))
        like_all, like_left = ((made - other).abs().amax(dim=(1, 2)) < 1e-5 for other in (all_heard, left))
    assert bool((like_all ^ like_left).all())
    assert 8 <= int(like_left.sum()) <= 32
    torch.testing.assert_close(net.shapes_of(noise(60)), plain.shapes_of(noise(60)))


def test_phones_tell_what_bands_alone_do_not() -> None:
    net, features = small_net(phones=True), noise(100)
    with torch.no_grad():
        net.first.weight.zero_()  # deaf to the bands themselves
    difference = (net.shapes_of(features) - net.shapes_of(noise(100, 2))).abs().mean()
    assert difference > 1e-3


def test_an_ear_goes_with_a_network_that_hears_phones_and_with_no_other() -> None:
    with pytest.raises(ValueError, match="ear"):
        MouthNet(MouthNetConfig())
    with pytest.raises(ValueError, match="ear"):
        MouthNet(MouthNetConfig(phones=False), Ear(CENTRES, mixtures()))
    for live in (False, True):
        with pytest.raises(ValueError, match="live ear"):
            MouthNet(MouthNetConfig(live=live), Ear(CENTRES, mixtures(), live=not live))


def test_inputs_are_z_scored_and_outputs_scaled() -> None:
    net, features = small_net(), noise(500)
    plain = net.shapes_of((features - features.mean(dim=0)) / features.std(dim=0))
    net.normalise_by(features * 40 + 7, 3.0 * noise(500, 2)[:, :20])
    torch.testing.assert_close(net.shapes_of(features * 40 + 7), 3.0 * plain, atol=0.05, rtol=0.05)


def test_wrong_features_are_refused() -> None:
    with pytest.raises(ValueError, match="40"):
        small_net().shapes_of(torch.zeros(10, 28))


def test_velocity_is_taken_over_forty_milliseconds_where_both_ends_are_known() -> None:
    assert velocity_loss(torch.full((1, 10, 20), 5.0), torch.ones(1, 10)).item() == 0.0  # constant: no velocity
    error = torch.arange(10.0)[None, :, None].expand(1, 10, 20)
    assert velocity_loss(error, torch.ones(1, 10)).item() == pytest.approx(16.0)
    error = error.clone()
    error[0, 9] = 1e3
    known = torch.ones(1, 10)
    known[0, 9] = 0.0
    assert velocity_loss(error, known).item() == pytest.approx(16.0)


def test_small_distances_of_points_cost_their_square_and_large_ones_their_length() -> None:
    points = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 2.0]])
    cost = PointCost(points, 0.05)
    tiny = cost(torch.tensor([[[0.003, 0.004]]])).item()
    assert tiny == pytest.approx((0.005**2 + 0.008**2) / 2, rel=0.02)
    large = cost(torch.tensor([[[30.0, 40.0]]])).item()
    assert large == pytest.approx(2 * 0.05 * (50.0 + 80.0) / 2, rel=0.01)


def test_only_rows_that_are_known_cost() -> None:
    error = torch.tensor([[[3.0, 0.0], [1e3, 1e3], [0.0, 1.0]]])
    assert shape_loss(error, torch.tensor([[1.0, 0.0, 1.0]])).item() == pytest.approx((4.5 + 0.5) / 2)
    assert shape_loss(error, torch.zeros(1, 3)).item() == 0.0


def test_only_lips_that_should_be_closed_and_are_open_count() -> None:
    gaps = torch.tensor([[0.5, 0.5, -0.2, 0.9]])
    wanted = torch.tensor([[0.1, 1.0, 0.0, 0.0]])
    known = torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    assert open_loss(gaps, wanted, known, 0.19).item() == pytest.approx(0.4**2 / 3)
