"""The nets: shapes, the shared encoder, and how the quick one starts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from models.autoencoder import FaceAutoencoder, as_module, build
from models.blocks import stretch
from models.nets import NETS, config_of
from models.tensors import channels_last


def made(name: str, seed: int = 0) -> FaceAutoencoder:
    torch.manual_seed(seed)
    return build(config_of(name))


def noise(net: FaceAutoencoder, count: int = 1) -> Tensor:
    """Pictures of noise of the size that the net sees."""
    side = net.config.input_px
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("name", list(NETS))
def test_decoders_give_pictures_of_the_stated_size_in_range(name: str) -> None:
    config = config_of(name, mask=True)
    with torch.device("meta" if config.output_px > 128 or name == "classic" else "cpu"):
        net = build(config)
        code = net.encode(torch.rand(1, 3, config.input_px, config.input_px))
        with torch.no_grad():
            decoded = [net.decode(code, person) for person in (0, 1)]
    for made_of_one in decoded:
        assert made_of_one.picture.shape == (1, 3, config.output_px, config.output_px)
        assert made_of_one.mask is not None
        assert made_of_one.mask.shape == (1, 1, config.output_px, config.output_px)
        if not made_of_one.picture.is_meta:
            assert float(made_of_one.picture.min()) >= 0.0
            assert float(made_of_one.picture.max()) <= 1.0


def test_without_a_mask_head_there_is_no_mask() -> None:
    net = made("light")
    assert net.decode(net.encode(noise(net)), 0).mask is None


def test_the_classic_net_has_the_layers_it_is_known_for() -> None:
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in as_module(build(config_of("classic"))).named_parameters()}
    strided = [shape for name, shape in shapes.items() if name.startswith("shrinks") and name.endswith("weight")]
    assert strided == [(128, 3, 5, 5), (256, 128, 5, 5), (512, 256, 5, 5), (1024, 512, 5, 5)]
    assert shapes["bottleneck.narrow.weight"] == (1024, 16384)
    assert shapes["bottleneck.widen.weight"] == (16384, 1024)
    assert shapes["bottleneck.out.convolution.weight"] == (4 * 512, 1024, 3, 3)
    decoder = [shape for name, shape in shapes.items() if name.startswith("own.1") and name.endswith("weight")]
    assert decoder == [(1024, 512, 3, 3), (512, 256, 3, 3), (256, 128, 3, 3), (3, 64, 5, 5)]


def test_the_quick_net_starts_near_the_mean_face_of_each_person() -> None:
    net = made("quick")
    means = torch.rand(2, 4, 128, 128, generator=torch.Generator().manual_seed(3)) * 0.8 + 0.1
    net.start_from(means)
    with torch.inference_mode():
        code = net.encode(noise(net, 2))
        errors = [float((net.decode(code, person).picture - means[person, :3]).abs().mean()) for person in (0, 1)]
        other = float((net.decode(code, 0).picture - means[1, :3]).abs().mean())
    assert max(errors) < 0.03
    assert other > 0.1


def test_the_quick_net_sees_past_light_and_tint() -> None:
    net = made("quick")
    picture = noise(net) * 0.5 + 0.2
    tinted = picture * torch.tensor([1.2, 0.9, 0.8])[:, None, None] + 0.05
    with torch.inference_mode():
        plain, changed = net.encode(picture).values, net.encode(tinted).values
        other = net.encode(picture.flip(3)).values
    assert float((plain - changed).norm()) < 0.1 * float((plain - other).norm())


@pytest.mark.parametrize("name", ["light", "quick"])
def test_learning_one_person_leaves_the_other_decoder_alone(name: str) -> None:
    net = made(name)
    torch.autograd.backward([net.decode(net.encode(noise(net, 2)), 0).picture.sum()])
    touched = {n for n, value in as_module(net).named_parameters() if value.grad is not None}
    assert any(n.startswith("own.0") for n in touched)
    assert not any(n.startswith("own.1") for n in touched)


def test_one_seed_gives_one_net() -> None:
    first, second, other = (as_module(made("quick", seed)).state_dict() for seed in (5, 5, 6))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["bottleneck.narrow.weight"], other["bottleneck.narrow.weight"])


def test_an_unknown_net_is_a_callers_mistake() -> None:
    with pytest.raises(ValueError, match="expected one of quick"):
        config_of("large")


def test_split_codes_share_the_decoder_and_keep_one_code_for_the_person_who_is_replaced() -> None:
    net = made("liae128")
    torch.autograd.backward([net.decode(net.encode(noise(net)), 1).picture.sum()])
    touched = {n for n, value in as_module(net).named_parameters() if value.grad is not None}
    assert any(n.startswith("decoder.") for n in touched)
    assert not any(n.startswith("own.") for n in touched)
    torch.autograd.backward([net.decode(net.encode(noise(net)), 0).picture.sum()])
    touched = {n for n, value in as_module(net).named_parameters() if value.grad is not None}
    assert any(n.startswith("own.0.") for n in touched)


def test_a_quick_net_with_a_mask_head_starts_with_the_mean_mask_too() -> None:
    torch.manual_seed(0)
    net = build(config_of("quick96", mask=True))
    means = torch.rand(2, 4, 96, 96, generator=torch.Generator().manual_seed(3)) * 0.8 + 0.1
    net.start_from(means)
    mask = net.decode(net.encode(noise(net)), 1).mask
    assert mask is not None
    assert float((mask.detach() - means[1, 3:]).abs().mean()) < 0.03


def test_the_high_quality_nets_grow_by_a_level_with_each_doubling() -> None:
    levels = [(len(config_of(name).filters), len(config_of(name).decoder)) for name in ("hd128", "hd256", "hd512")]
    assert levels == [(4, 3), (5, 4), (6, 5)]


def test_stretching_by_products_is_linear_interpolation() -> None:
    values = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    weights = stretch(6, 24)
    wanted = torch.nn.functional.interpolate(values, size=(24, 24), mode="bilinear", align_corners=False)
    assert torch.allclose(weights @ (values @ weights.T), wanted, atol=1e-6)


def upscale(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, 4 * outputs, 3, padding=1), nn.LeakyReLU(0.1), nn.PixelShuffle(2))


def test_the_light_net_is_what_anybody_would_write_in_plain_torch_gradients_included() -> None:
    net = made("light")
    channels_last(as_module(net))
    shrinks = [
        nn.Sequential(nn.Conv2d(a, b, 5, stride=2, padding=2), nn.LeakyReLU(0.1))
        for a, b in ((3, 64), (64, 128), (128, 256), (256, 512))
    ]
    dense = [nn.Flatten(), nn.Linear(8192, 512), nn.Linear(512, 8192), nn.Unflatten(1, (512, 4, 4))]
    decoder = [upscale(256, 128), upscale(128, 64), upscale(64, 32), nn.Conv2d(32, 3, 5, padding=2), nn.Sigmoid()]
    plain = nn.Sequential(*shrinks, *dense, upscale(512, 256), *decoder)
    ours = [value for name, value in as_module(net).named_parameters() if not name.startswith("own.1.")]
    theirs = list(plain.parameters())
    for value, weight in zip(theirs, ours, strict=True):
        value.data.copy_(weight.data)
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    mine, wanted = net.decode(net.encode(pictures), 0).picture, plain(pictures)
    assert torch.allclose(mine, wanted, atol=1e-5)
    gradients = (torch.autograd.grad(one.square().sum(), of) for one, of in ((mine, ours), (wanted, theirs)))
    for one, other in zip(*gradients, strict=True):
        # A unit that is all but 0 may fall on the other side of its rectifier.
        assert float((one - other).norm()) <= 0.03 * float(other.norm())
