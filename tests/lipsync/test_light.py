"""Light: a known gain is found, and applied only as far as asked."""

from __future__ import annotations

import numpy as np
import pytest

from lipsync.light import Light, gain_of, light_between, log_gain_at, relight, steady_light
from shared.types import Floats


def skin_picture(seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    grain = rng.normal(1.0, 0.02, (60, 80, 1))
    return (np.array([0.6, 0.4, 0.3]) * grain).astype(np.float32)


EVERYWHERE = np.ones((60, 80), dtype=np.float32)


def test_a_gain_that_leans_to_one_side_is_found() -> None:
    texture = skin_picture()
    truth = Light(np.array([[0.2, -0.1, -0.3], [0.15, 0.1, 0.05], [-0.1, 0.0, 0.0]]))
    own = relight(texture, truth)
    assert float(np.abs(own - texture).max()) > 0.1
    found = light_between(texture, own, EVERYWHERE)
    assert found is not None
    np.testing.assert_allclose(relight(texture, found), own, atol=0.03)


def test_lips_outside_the_skin_do_not_count() -> None:
    texture, own, skin = skin_picture(), skin_picture(1), EVERYWHERE.copy()
    own[20:40, 30:50] = 0.9
    skin[12:48, 22:58] = 0.0
    found = light_between(texture, own, skin)
    assert found is not None
    np.testing.assert_allclose(found.terms, 0.0, atol=0.02)


def test_the_gain_itself_is_what_is_applied() -> None:
    texture, light = skin_picture(), Light(np.array([[-0.2, -0.1, -0.3], [0.15, 0.1, 0.05], [-0.1, 0.0, 0.0]]))
    np.testing.assert_allclose(texture * gain_of(light, (60, 80)), relight(texture, light), atol=1e-6)


def test_strength_is_how_far_it_goes() -> None:
    texture, light = skin_picture(), Light(np.array([[0.4] * 3, [0.0] * 3, [0.0] * 3]))
    np.testing.assert_array_equal(relight(texture, light, 0.0), texture)
    np.testing.assert_allclose(relight(texture, light, 0.5), texture * np.exp(0.2), rtol=1e-5)


def test_little_skin_tells_nothing() -> None:
    skin = np.zeros((60, 80), dtype=np.float32)
    skin[:2, :5] = 1.0
    assert light_between(skin_picture(), skin_picture(), skin) is None


def test_a_few_frames_behind_a_hand_do_not_change_the_light() -> None:
    lights = [Light(np.full((3, 3), 0.1 + 0.001 * k)) for k in range(15)] + [Light(np.full((3, 3), -2.0))] * 8
    assert steady_light(lights).terms == pytest.approx(0.1, abs=0.01)


def test_wild_gains_are_cut_off() -> None:
    wild = Light(np.array([[9.0] * 3, [0.0] * 3, [0.0] * 3]))
    assert float(relight(np.full((4, 4, 3), 0.1, dtype=np.float32), wild).max()) == pytest.approx(0.4, rel=1e-4)


def test_the_gain_at_a_place_is_that_of_the_whole_there() -> None:
    light = Light(np.array([[0.1, 0.2, 0.3], [0.4, -0.1, 0.0], [-0.2, 0.3, 0.1]]))
    gains = np.log(gain_of(light, (60, 80)))
    for x, y in ((0, 0), (79, 59), (31, 12)):
        at = log_gain_at(light, np.array([x, y], dtype=np.float32), (60, 80))
        np.testing.assert_allclose(at, gains[y, x], atol=1e-5)
