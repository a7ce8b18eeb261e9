"""Two recipes behind one interface: each network hears its own features and comes back from what is stored of it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from lipsync.options import RecipeName
from lipsync.recipes import FEATURES, config_of, fresh_model, hear, model_from, recipe_of
from models.mouthnet import MouthNet
from shared.types import Sound

RECIPES: tuple[RecipeName, ...] = ("default", "paper")


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_network_comes_back_from_its_stored_config(recipe: RecipeName) -> None:
    net = fresh_model(recipe, 20)
    again = model_from(json.loads(json.dumps(config_of(net))))
    assert again.config == net.config
    assert recipe_of(again) == recipe
    again.load_state_dict(net.state_dict())


@pytest.mark.parametrize("phones", [False, True])
def test_a_live_network_comes_back_live(phones: bool) -> None:
    net = fresh_model("default", 20, phones, live=True)
    again = model_from(json.loads(json.dumps(config_of(net))))
    assert isinstance(again, MouthNet)
    assert again.config == net.config
    assert again.ahead == (14 if phones else 13)
    again.load_state_dict(net.state_dict())


def test_a_network_stored_before_there_were_live_ones_is_none() -> None:
    config = config_of(fresh_model("default", 20, phones=False))
    del config["live"]
    again = model_from(config)
    assert isinstance(again, MouthNet)
    assert not again.config.live


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_network_maps_what_its_recipe_hears(recipe: RecipeName) -> None:
    rng = np.random.default_rng(0)
    sound = Sound((0.05 * rng.standard_normal(16_123)).astype(np.float32), 16_000)
    features = torch.from_numpy(hear(recipe, sound, [(0.0, 1.0)]))
    net = fresh_model(recipe, 20).eval()
    whole = net.shapes_of(features)
    assert whole.shape == (101, 20)
    # Crops are aligned as whole clips are, but for the delay that a causal network answers with.
    padded = torch.cat([features, features[-1:].expand(net.delay, -1)])
    torch.testing.assert_close(net.crops(net.heard(padded[None]))[0, net.delay :], whole, atol=1e-5, rtol=1e-4)


def test_a_voice_older_than_the_second_recipe_is_the_paper_s() -> None:
    assert recipe_of(model_from({"outputs": 20, "cell": 60, "delay": 20})) == "paper"


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown recipe 'wave'"):
        model_from({"recipe": "wave"})


def test_speech_is_brought_to_one_loudness_and_room_tone_alone_is_left_as_it_is() -> None:
    rng = np.random.default_rng(0)
    sound = Sound((0.002 * rng.standard_normal(16_000)).astype(np.float32), 16_000)
    louder = Sound(sound.samples * np.float32(8), 16_000)
    for recipe in RECIPES:
        np.testing.assert_array_equal(hear(recipe, sound, []), FEATURES[recipe](sound))
        spoken = [hear(recipe, heard, [(0.0, 1.0)]) for heard in (sound, louder)]
        np.testing.assert_allclose(spoken[0], spoken[1], atol=0.05)
