"""Shades: what one even gain leaves of a difference in light, over the skin, and no more than that."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lipsync.light import light_between, relight
from lipsync.palette import SEEN_ON
from lipsync.plane import TexturePlane
from lipsync.shade import LARGEST, shade_between, steady_shade
from lipsync.textures import skin_mask
from shared.types import Floats

PLANE = TexturePlane(8.0)


@pytest.fixture
def skin(points_of: Callable[[float], Floats]) -> Floats:
    return skin_mask(PLANE.to_texture(points_of(0.0)), PLANE.size)


def lit_from_above() -> Floats:
    """(H, W, 3) skin whose sides are a third darker than its middle."""
    across = np.linspace(-1.0, 1.0, PLANE.size[1], dtype=np.float32)
    level = np.broadcast_to(0.6 - 0.4 * across**2, PLANE.size)
    return np.asarray(level[..., np.newaxis] * np.array([1.0, 0.7, 0.55], dtype=np.float32), dtype=np.float32)


def flat() -> Floats:
    return np.tile(np.array([0.6, 0.42, 0.33], dtype=np.float32), (*PLANE.size, 1))


def test_sides_that_another_lamp_leaves_dark_are_brought_up(skin: Floats) -> None:
    texture, own = lit_from_above(), flat()
    light = light_between(texture, own, skin)
    assert light is not None
    shade = shade_between(texture, own, skin, light)
    plain, shaded = (np.abs(relight(texture, light, 1.0, each) - own)[skin > 0.99] for each in (None, shade))
    assert plain.mean() > 0.02
    assert shaded.mean() < 0.5 * plain.mean()


def test_the_same_light_leaves_no_shade(skin: Floats) -> None:
    texture = lit_from_above()
    light = light_between(texture, texture, skin)
    assert light is not None
    np.testing.assert_allclose(shade_between(texture, texture, skin, light), 0.0, atol=2e-3)


def test_nothing_is_said_away_from_skin(skin: Floats) -> None:
    texture, own = lit_from_above(), flat()
    own[:, : PLANE.size[1] // 8] = 0.0  # a dark room
    light = light_between(texture, own, skin)
    assert light is not None
    shade = shade_between(texture, own, skin, light)
    assert shade.shape == (*SEEN_ON.size, 3)
    assert float(np.abs(shade[:3, :3]).max()) < 0.02


def test_a_shade_is_bounded(skin: Floats) -> None:
    texture, own = flat(), flat()
    own[:, PLANE.size[1] // 2 :] *= 0.05
    light = light_between(texture, own, np.asarray(skin * (np.arange(PLANE.size[1]) < 60), dtype=np.float32))
    assert light is not None
    assert float(np.abs(shade_between(texture, own, skin, light)).max()) == pytest.approx(LARGEST)


def test_shades_are_steadied_by_their_weighted_mean() -> None:
    one = np.full((2, 2, 3), 0.1, dtype=np.float32)
    steady = steady_shade([(one, 1.0), (-one, 0.5), (one, 0.5)])
    assert steady is not None
    np.testing.assert_allclose(steady, 0.05, atol=1e-6)
    assert steady_shade([]) is None
