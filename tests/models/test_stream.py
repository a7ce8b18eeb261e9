"""Networks on a stream: what the whole sound gives, no later than they say, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from models.audio2mouth import Audio2Mouth, Audio2MouthConfig
from models.ear import CEPSTRA, DENSITIES, PHONES, STATES, STREAMS, Ear, Mixtures
from models.mouthnet import MouthModel, MouthNet, MouthNetConfig
from models.stream import MouthStream, PaperStream

CENTRES = torch.linspace(250.0, 2700.0, 40)
KINDS = ("bands", "phones", "paper")


def mixtures() -> Mixtures:
    draw = torch.Generator().manual_seed(0)
    means = 20.0 * torch.randn(len(PHONES), STREAMS, DENSITIES, CEPSTRA, generator=draw)
    weights = torch.rand(STREAMS, DENSITIES, STATES * len(PHONES), generator=draw) / DENSITIES
    return Mixtures(means, torch.full_like(means, 100.0), weights)


def live_net(phones: bool) -> MouthNet:
    torch.manual_seed(0)
    config = MouthNetConfig(cell=16, channels=16, phones=phones, live=True)
    net = MouthNet(config, Ear(CENTRES, mixtures(), live=True) if phones else None).eval()
    net.normalise_by(sounds(500, 40, seed=3), torch.randn(500, 20))
    return net


def made(kind: str) -> tuple[MouthModel, MouthStream | PaperStream]:
    if kind == "paper":
        torch.manual_seed(0)
        paper = Audio2Mouth(Audio2MouthConfig(cell=16)).eval()
        return paper, PaperStream(paper)
    net = live_net(kind == "phones")
    return net, MouthStream(net)


def sounds(rows: int, width: int, seed: int = 1) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    loud = 4.0 * torch.sin(torch.arange(rows) / 20.0).unsqueeze(1)
    return 8.0 + loud + torch.randn(rows, width, generator=draw)


def whole(net: MouthModel, features: Tensor) -> Tensor:
    """By the layers as they are trained, not as they stream."""
    if isinstance(net, Audio2Mouth):
        return net.shapes_of(features)
    with torch.no_grad():
        shapes: Tensor = net(features[None])[0]
    return shapes


def tensors_in(kept: object) -> Iterator[Tensor]:
    """Every tensor that a stream holds beside its network."""
    if isinstance(kept, Tensor):
        yield kept
    elif isinstance(kept, list | tuple):
        for one in kept:
            yield from tensors_in(one)
    elif not isinstance(kept, nn.Module) and hasattr(kept, "__dict__"):
        yield from tensors_in(list(vars(kept).values()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("piece", [1, 2, 7, 400])
def test_pieces_give_what_the_whole_gives(kind: str, piece: int) -> None:
    net, stream = made(kind)
    features = sounds(301, net.config.inputs)
    parts = [stream.feed(part) for part in torch.split(features, piece)]
    parts.append(stream.feed(features[:0], last=True))
    torch.testing.assert_close(torch.cat(parts), whole(net, features), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [0, 1, 2, 3, 8])
def test_a_stream_that_ends_at_once_has_its_rows_all_the_same(kind: str, rows: int) -> None:
    net, stream = made(kind)
    features = sounds(rows, net.config.inputs)
    shapes = stream.feed(features, last=True)
    assert shapes.shape == (rows, 20)
    if rows:
        torch.testing.assert_close(shapes, whole(net, features), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_come_when_the_bound_says_and_some_no_sooner(kind: str) -> None:
    net, stream = made(kind)
    given, waited = 0, []
    for fed, row in enumerate(torch.split(sounds(200, net.config.inputs), 1), 1):
        given += stream.feed(row).shape[0]
        waited.append(fed - given)
    assert max(waited) == stream.ahead
    assert min(waited[50:]) >= stream.ahead - 1


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_does_not_grow(kind: str) -> None:
    net, stream = made(kind)
    sizes = []
    for part in torch.split(sounds(2000, net.config.inputs), 50):
        stream.feed(part)
        sizes.append(sum(one.untyped_storage().nbytes() for one in tensors_in(stream)))
    assert sizes[4] == sizes[-1] < 200_000


def test_a_whole_clip_is_mapped_as_a_stream_is_however_long() -> None:
    net = live_net(phones=True)
    features = sounds(700, 40)
    torch.testing.assert_close(net.shapes_of(features), whole(net, features), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(net.shapes_of(features, block=90), net.shapes_of(features), atol=1e-4, rtol=1e-4)


def test_dropout_is_no_part_of_a_stream() -> None:
    net = live_net(phones=False)
    net.train()
    features = sounds(60, 40)
    torch.testing.assert_close(net.shapes_of(features), net.shapes_of(features))
    assert net.training
