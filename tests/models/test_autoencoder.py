"""The nets: shapes, the shared encoder, and how the quick one starts."""

from __future__ import annotations

import pytest
import torch

from models.autoencoder import FaceAutoencoder, as_module, build, config_of


def made(name: str, seed: int = 0) -> FaceAutoencoder:
    torch.manual_seed(seed)
    return build(config_of(name))


@pytest.mark.parametrize("name", ["light", "quick"])
def test_decoders_give_pictures_of_the_stated_size_in_range(name: str) -> None:
    net = made(name)
    code = net.encode(torch.rand(3, 3, net.config.input_px, net.config.input_px))
    for person in (0, 1):
        faces = net.decode(code, person).picture.detach()
        assert faces.shape == (3, 3, net.config.output_px, net.config.output_px)
        assert float(faces.min()) >= 0.0
        assert float(faces.max()) <= 1.0


def test_the_classic_net_has_the_layers_it_is_known_for() -> None:
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in as_module(build(config_of("classic"))).named_parameters()}
    strided = [shape for name, shape in shapes.items() if name.startswith("shrinks") and name.endswith("weight")]
    assert strided == [(128, 3, 5, 5), (256, 128, 5, 5), (512, 256, 5, 5), (1024, 512, 5, 5)]
    assert shapes["narrow.weight"] == (1024, 16384)
    assert shapes["widen.weight"] == (16384, 1024)
    assert shapes["upscale.convolution.weight"] == (4 * 512, 1024, 3, 3)
    decoder = [shape for name, shape in shapes.items() if name.startswith("decoders.1") and name.endswith("weight")]
    assert decoder == [(1024, 512, 3, 3), (512, 256, 3, 3), (256, 128, 3, 3), (3, 64, 5, 5)]


def test_the_quick_net_starts_near_the_mean_face_of_each_person() -> None:
    net = made("quick")
    means = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(3)) * 0.8 + 0.1
    net.start_from(means)
    with torch.inference_mode():
        code = net.encode(torch.rand(2, 3, 64, 64))
        errors = [float((net.decode(code, person).picture - means[person]).abs().mean()) for person in (0, 1)]
        other = float((net.decode(code, 0).picture - means[1]).abs().mean())
    assert max(errors) < 0.03
    assert other > 0.1


def test_the_quick_net_sees_past_light_and_tint() -> None:
    net = made("quick")
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(4)) * 0.5 + 0.2
    tinted = picture * torch.tensor([1.2, 0.9, 0.8])[:, None, None] + 0.05
    with torch.inference_mode():
        plain, changed = net.encode(picture), net.encode(tinted)
        other = net.encode(picture.flip(3))
    assert float((plain - changed).norm()) < 0.1 * float((plain - other).norm())


@pytest.mark.parametrize("name", ["light", "quick"])
def test_learning_one_person_leaves_the_other_decoder_alone(name: str) -> None:
    net = made(name)
    torch.autograd.backward([net.decode(net.encode(torch.rand(2, 3, 64, 64)), 0).picture.sum()])
    touched = {n for n, value in as_module(net).named_parameters() if value.grad is not None}
    assert any(n.startswith("decoders.0") for n in touched)
    assert not any(n.startswith("decoders.1") for n in touched)


def test_one_seed_gives_one_net() -> None:
    first, second, other = (as_module(made("quick", seed)).state_dict() for seed in (5, 5, 6))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["narrow.weight"], other["narrow.weight"])


def test_an_unknown_net_is_a_callers_mistake() -> None:
    with pytest.raises(ValueError, match="classic, light or quick"):
        config_of("large")
