"""How bright the inside of a mouth may be: as the clip's own, and before that is seen by a guess."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lipsync.inside import BELIEVED, DARKEST_SHARE, FOLLOWS, Insides, darkened, inside_of, region_of
from lipsync.light import Light
from lipsync.plane import TexturePlane
from shared.picture.mask import polygon_mask
from shared.types import Floats

pytestmark = pytest.mark.usefixtures("weights")
PLANE = TexturePlane(12.0)


def light(gain: float) -> Light:
    return Light(np.array([[np.log(gain)] * 3, [0.0] * 3, [0.0] * 3]))


def picture(level: float) -> Floats:
    return np.full((*PLANE.size, 3), level, dtype=np.float32)


@pytest.fixture
def wide(points_of: Callable[[float], Floats]) -> Floats:
    return flat_of(points_of(1.5))


@pytest.fixture
def shut(points_of: Callable[[float], Floats]) -> Floats:
    return flat_of(points_of(0.0))


def flat_of(points: Floats) -> Floats:
    return np.ascontiguousarray(points[:, :2], dtype=np.float32)


def seen(own: tuple[float, Floats], made: tuple[float, Floats], gain: float, frames: int) -> float:
    insides = Insides()
    for _ in range(frames):
        sides = [(picture(level), inside_of(flat, PLANE)) for level, flat in (own, made)]
        insides.see(3, PLANE, sides[0], sides[1], light(gain))
    assert insides.share(4) == 1.0
    return insides.share(3)


def test_the_clip_s_own_teeth_say_how_bright_the_new_ones_may_be(wide: Floats) -> None:
    assert seen((0.6, wide), (0.6, wide), 1.3, 1000) == pytest.approx(1.3**-BELIEVED, abs=0.01)
    assert seen((0.6, wide), (0.75, wide), 1.0, 1000) == pytest.approx(0.8**BELIEVED, abs=0.01)
    assert seen((0.2, wide), (0.8, wide), 1.3, 1000) == DARKEST_SHARE


def test_nothing_is_made_brighter(wide: Floats) -> None:
    assert seen((0.9, wide), (0.5, wide), 1.0, 100) == 1.0
    assert seen((0.3, wide), (0.6, wide), 0.5, 1000) == 1.0


def test_while_the_clip_s_mouth_is_shut_teeth_follow_a_third_of_the_light(wide: Floats, shut: Floats) -> None:
    assert seen((0.6, shut), (0.5, wide), 1.3, 50) == pytest.approx(1.3 ** -(1 - FOLLOWS), abs=0.01)
    assert seen((0.6, shut), (0.5, wide), 0.7, 50) == 1.0
    assert seen((0.6, wide), (0.5, shut), 1.3, 50) == pytest.approx(1.3 ** -(1 - FOLLOWS), abs=0.01)


def test_the_guess_is_there_before_any_mouth_opens(wide: Floats, shut: Floats) -> None:
    before = seen((0.6, shut), (0.5, shut), 1.3, 50)
    assert before == pytest.approx(seen((0.6, shut), (0.5, wide), 1.3, 1), abs=1e-6)


def test_light_from_the_side_counts_as_it_falls_on_the_mouth(shut: Floats) -> None:
    insides = Insides()
    lamp = Light(np.array([[np.log(1.3)] * 3, [0.4] * 3, [0.0] * 3]))
    insides.see(3, PLANE, (picture(0.5), inside_of(shut, PLANE)), (picture(0.5), inside_of(shut, PLANE)), lamp)
    assert insides.share(3) == pytest.approx(1.3 ** -(1 - FOLLOWS), abs=0.01)


def test_what_is_seen_once_counts_for_little(wide: Floats) -> None:
    once, often = (seen((0.6, wide), (0.6, wide), 1.6, frames) for frames in (1, 500))
    assert once == pytest.approx(1.6 ** -(1 - FOLLOWS), abs=0.02)
    assert often == pytest.approx(1.6**-BELIEVED, abs=0.01)


def test_only_the_opening_is_darkened(wide: Floats) -> None:
    texture = np.random.default_rng(0).random((*PLANE.size, 3), dtype=np.float32)
    opening = region_of(inside_of(wide, PLANE))
    assert darkened(texture, opening, 1.0) is texture
    assert darkened(texture, region_of(np.zeros(PLANE.size, dtype=np.float32)), 0.7) is texture
    ratio = darkened(texture, opening, 0.7) / texture
    assert ratio.max() <= 1.0
    assert ratio.min() == pytest.approx(0.7, abs=0.02)
    beside = polygon_mask(PLANE.to_texture(wide)[48:60], PLANE.size) == 0.0
    assert (ratio[..., 0] < 0.999)[beside].mean() < 0.002
