"""What a network is trained on: varied sounds, heard once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lipsync import variants
from lipsync.recipes import fresh_model
from lipsync.sounds import SoundOptions
from models.ear import PHONES
from models.mouthnet import MouthNet
from shared.types import Floats


@pytest.fixture
def net() -> MouthNet:
    made = fresh_model("default", 20, phones=False)
    assert isinstance(made, MouthNet)
    return made


@pytest.fixture
def sounds() -> list[Floats]:
    rng = np.random.default_rng(0)
    return [rng.uniform(11.0, 15.0, (rows, 40)).astype(np.float32) for rows in (150, 80)]


def test_each_way_holds_each_sound_varied_otherwise(net: MouthNet, sounds: list[Floats]) -> None:
    made = variants.variants(net, sounds, SoundOptions(), np.random.default_rng(0))
    assert len(made) == variants.MOST
    assert [one.shape for one in made[0]] == [(150, 40), (80, 40)]
    assert len({float(way[0].mean()) for way in made} | {float(sounds[0].mean())}) == variants.MOST + 1


def test_a_long_sound_is_varied_piece_by_piece(
    net: MouthNet, sounds: list[Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variants, "PIECE", 50)
    louder = SoundOptions(gain_db=5, tilt_db=0, voices=0, rooms=0, noises=0, gates=0)
    (way, *_) = variants.variants(net, sounds, louder, np.random.default_rng(0))
    gains = way[0] - sounds[0]
    for start in (0, 50, 100):
        np.testing.assert_allclose(gains[start : start + 50], gains[start, 0], atol=0.02)
    assert len(set(gains[:, 0].round(1).tolist())) >= 3


def test_babble_is_cut_out_of_all_sounds_and_goes_round(sounds: list[Floats]) -> None:
    marked = [
        np.full_like(sound, number) + np.arange(len(sound), dtype=np.float32)[:, None] / 1e3
        for number, sound in enumerate(sounds)
    ]
    pieces = variants._others(marked, (3, 4, 200), np.random.default_rng(0))
    assert pieces.shape == (3, 4, 200, 40)
    assert {int(value) for value in pieces[:, :, 0, 0].ravel()} == {0, 1}
    steps = np.diff(pieces[..., 0], axis=2).ravel()
    assert np.isclose(steps, 1e-3, atol=1e-5).mean() > 0.97
    assert set(np.round(1e3 * steps[steps < 0]).tolist()) == {-149.0, -79.0}


def test_much_footage_is_varied_in_fewer_ways_but_never_in_none() -> None:
    assert [variants.ways_for(rows) for rows in (0, 30_000, 700_000, 10_000_000)] == [5, 5, 2, 1]


def test_what_follows_each_sound_counts_for_memory_too(
    net: MouthNet, sounds: list[Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variants, "ROWS", 2 * 430)
    assert len(variants.variants(net, sounds, SoundOptions(), np.random.default_rng(0))) == 3
    assert len(variants.variants(net, sounds, SoundOptions(), np.random.default_rng(0), tail=100)) == 2


def test_crops_of_what_was_heard_are_mapped_as_crops_of_the_sound_are(sounds: list[Floats]) -> None:
    net = fresh_model("default", 20).eval()
    assert isinstance(net, MouthNet)
    sound = sounds[0]
    heard = variants.heard(net, sound)
    assert heard.shape == (150, 40 + len(PHONES))
    with torch.no_grad():
        torch.testing.assert_close(net.crops(torch.from_numpy(heard)[None]), net(torch.from_numpy(sound)[None]))


def test_crops_of_silence_are_as_long_as_asked_for_and_differ(net: MouthNet) -> None:
    made = variants.quiet(net, 60, SoundOptions(), np.random.default_rng(0))
    assert made.shape == (variants.SILENCES, 60, 40)
    assert np.ptp(made.mean(axis=(1, 2))) > 3.0
