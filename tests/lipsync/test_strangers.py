"""Strangers: a map by phones that is found again, half of it for other tracts, none of it for the speaker's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lipsync import strangers as module
from lipsync.crops import Example
from lipsync.features import band_centres_mel
from lipsync.predict import predict_rows
from lipsync.recipes import hear
from lipsync.strangers import OWN, SHARE, STRANGE, Strangers, strangeness, strangers_of
from lipsync.tract import brought, factor_to, tract_of
from lipsync.voice import Voice
from models.ear import CEPSTRA, DENSITIES, PHONES, STATES, STREAMS, Ear, Mixtures
from models.mouthnet import MouthNet, MouthNetConfig
from shared.types import Floats, Sound

OUTPUTS = 20


def sound_rows(rows: int, seed: int) -> Floats:
    """Log-mel rows that change every few frames."""
    rng = np.random.default_rng(seed)
    held = np.repeat(rng.normal(0.0, 4.0, (rows // 7 + 1, 40)), 7, axis=0)[:rows]
    return (9.0 + held + rng.normal(0.0, 0.3, (rows, 40))).astype(np.float32)


def sounds_of(clips: list[Example]) -> list[Floats]:
    return [clip.features for clip in clips]


@pytest.fixture(scope="module")
def ear() -> Ear:
    """Phones that are told apart."""
    draw = torch.Generator().manual_seed(0)
    shape = (len(PHONES), STREAMS, DENSITIES, CEPSTRA)
    weights = torch.full((STREAMS, DENSITIES, STATES * len(PHONES)), 1.0 / DENSITIES)
    mixtures = Mixtures(3.0 * torch.randn(shape, generator=draw), torch.full(shape, 20.0), weights)
    return Ear(torch.from_numpy(band_centres_mel()), mixtures)


@pytest.fixture(scope="module")
def net(ear: Ear) -> MouthNet:
    torch.manual_seed(0)
    return MouthNet(MouthNetConfig(outputs=OUTPUTS), ear).eval()


def linear_shapes(ear: Ear, features: Floats) -> Floats:
    """Mouths that are told by the phones of each moment alone, written out: each phone opens by its own number."""
    each = np.random.default_rng(5).normal(0.0, 1.0, (len(PHONES), OUTPUTS))
    shares = np.exp(ear(torch.from_numpy(features)[None], 2)[0].numpy())
    around = np.concatenate([shares[:1], shares, shares[-1:]])
    steps = (0.25 * around[:-2] + 0.5 * around[1:-1] + 0.25 * around[2:]) @ each
    return np.repeat(steps, 2, axis=0)[: len(features)].astype(np.float32)


@pytest.fixture(scope="module")
def heard(ear: Ear) -> list[Example]:
    made = []
    for seed in range(4):
        features = sound_rows(1500, seed)
        made.append(Example(features, linear_shapes(ear, features), np.ones(1500, dtype=bool)))
    return made


@pytest.fixture(scope="module")
def strangers(net: MouthNet, heard: list[Example]) -> Strangers:
    found = strangers_of(net, heard, [example.shapes for example in heard], sounds_of(heard))
    assert found is not None
    return found


def test_what_phones_tell_is_found_again_in_a_sound_that_was_not_heard(ear: Ear, strangers: Strangers) -> None:
    features = sound_rows(1201, 9)
    made, real = strangers.by_phones(ear, features), linear_shapes(ear, features)
    assert made.shape == (1201, OUTPUTS)
    assert made.dtype == np.float32
    steps = slice(8, -8, 2)
    for column in range(OUTPUTS):
        assert np.corrcoef(made[steps, column], real[steps, column])[0, 1] > 0.9


def test_mouths_by_phones_are_spread_as_those_of_the_network(
    net: MouthNet, ear: Ear, heard: list[Example], strangers: Strangers
) -> None:
    wide = strangers_of(net, heard, [3.0 * example.shapes for example in heard], sounds_of(heard))
    assert wide is not None
    features = heard[0].features
    near, far = (one.by_phones(ear, features) for one in (strangers, wide))
    np.testing.assert_allclose(far - far.mean(axis=0), 3.0 * (near - near.mean(axis=0)), atol=2e-3)
    np.testing.assert_allclose(near.mean(axis=0), heard[0].shapes.mean(axis=0), atol=0.1)
    assert near[::2].var(axis=0).sum() == pytest.approx(heard[0].shapes[::2].var(axis=0).sum(), rel=0.15)


def test_rows_that_are_not_known_teach_nothing(net: MouthNet, heard: list[Example], strangers: Strangers) -> None:
    spoilt = []
    for example in heard:
        shapes, known = example.shapes.copy(), example.known.copy()
        shapes[600:900], known[600:900] = 50.0, False
        spoilt.append(replace(example, shapes=shapes, known=known))
    found = strangers_of(net, spoilt, [example.shapes for example in spoilt], sounds_of(spoilt))
    assert found is not None
    assert np.abs(found.usual - strangers.usual).max() < 0.5


@pytest.mark.parametrize("rows", [1, 2, 39, 41])
def test_short_sounds_have_mouths_too(ear: Ear, strangers: Strangers, rows: int) -> None:
    made = strangers.by_phones(ear, sound_rows(rows, 3))
    assert made.shape == (rows, OUTPUTS)
    assert np.isfinite(made).all()


def test_a_long_sound_is_mapped_in_blocks_that_fit(
    ear: Ear, strangers: Strangers, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = sound_rows(901, 4)
    whole = strangers.by_phones(ear, features)
    monkeypatch.setattr(module, "BLOCK", 200)
    np.testing.assert_allclose(strangers.by_phones(ear, features), whole, atol=1e-4)


def test_another_tract_makes_a_stranger_and_a_little_of_one_does_not() -> None:
    assert strangeness(1.0) == strangeness(np.exp(0.99 * OWN)) == strangeness(np.exp(-0.99 * OWN)) == 0.0
    assert strangeness(np.exp(STRANGE)) == pytest.approx(1.0)
    assert strangeness(1 / 1.3) == 1.0
    assert strangeness(np.exp((OWN + STRANGE) / 2)) == pytest.approx(0.5)


def test_half_of_a_stranger_s_mouths_is_told_by_phones_and_none_of_the_speaker_s(
    net: MouthNet, ear: Ear, strangers: Strangers
) -> None:
    features = sound_rows(3000, 11)
    own = replace(strangers, tract=tract_of(ear, [features]))
    for voice, share in ((own, 0.0), (replace(own, tract=own.tract * 1.3), SHARE)):
        rows = brought(features, factor_to(ear, features, voice.tract))
        plain = net.shapes_of(torch.from_numpy(rows)).numpy()
        wanted = plain + share * (voice.by_phones(ear, rows) - plain)
        np.testing.assert_allclose(voice.shapes(net, features), wanted, atol=1e-5)


def test_a_voice_that_knows_strangers_asks_for_them(
    net: MouthNet, strangers: Strangers, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(2)
    speech = Sound(rng.normal(0.0, 0.1, 32_000).astype(np.float32), 16_000)
    plain = replace(voice, net=net)
    knowing = replace(plain, strangers=strangers)
    features = hear("default", speech, [(0.0, 2.0)])
    monkeypatch.setattr(module, "strangeness", lambda _: 1.0)
    np.testing.assert_array_equal(predict_rows(knowing, speech, [(0.0, 2.0)]), strangers.shapes(net, features))
    assert np.abs(predict_rows(knowing, speech, [(0.0, 2.0)]) - predict_rows(plain, speech, [(0.0, 2.0)])).max() > 0.1
    empty = Sound(np.zeros(0, dtype=np.float32), 16_000)
    assert predict_rows(knowing, empty, []).shape == (0, OUTPUTS)


def test_networks_without_phones_or_that_follow_a_stream_know_no_strangers(heard: list[Example], voice: Voice) -> None:
    shapes = [example.shapes for example in heard]
    deaf = MouthNet(MouthNetConfig(outputs=OUTPUTS, phones=False))
    live = MouthNet(MouthNetConfig(outputs=OUTPUTS, live=True), Ear(torch.from_numpy(band_centres_mel()), live=True))
    assert strangers_of(deaf, heard, shapes, sounds_of(heard)) is None
    assert strangers_of(live, heard, shapes, sounds_of(heard)) is None
    assert strangers_of(voice.net, heard, shapes, sounds_of(heard)) is None


def test_where_no_mouth_is_known_nothing_is_fitted(net: MouthNet, heard: list[Example]) -> None:
    none = [replace(example, known=np.zeros(1500, dtype=bool)) for example in heard]
    assert strangers_of(net, none, [example.shapes for example in none], sounds_of(none)) is None


def test_parts_of_a_long_clip_are_added_up(
    net: MouthNet, heard: list[Example], strangers: Strangers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 500)
    found = strangers_of(net, heard, [example.shapes for example in heard], sounds_of(heard))
    assert found is not None
    assert np.abs(found.weights - strangers.weights).max() < 0.1 * np.abs(strangers.weights).max()


def test_what_fits_no_mouth_is_told(strangers: Strangers) -> None:
    assert strangers.fits(OUTPUTS)
    assert not strangers.fits(OUTPUTS + 1)
    assert not replace(strangers, weights=strangers.weights[:4]).fits(OUTPUTS)
    assert not replace(strangers, tract=0.0).fits(OUTPUTS)
    assert not replace(strangers, tract=float("nan")).fits(OUTPUTS)
