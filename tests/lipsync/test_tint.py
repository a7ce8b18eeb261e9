"""The colour of lips: the clip's own, beyond what the light on the skin makes of the footage's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lipsync.inside import inside_of, region_of
from lipsync.light import Light
from lipsync.plane import TexturePlane
from lipsync.tint import BELIEVED, MOST, NONE, Tints, lips_of, tinted
from shared.types import Floats

pytestmark = pytest.mark.usefixtures("weights")
PLANE = TexturePlane(12.0)
GREY, PINK, SKIN = (0.3, 0.2, 0.2), (0.42, 0.2, 0.2), (0.6, 0.4, 0.3)


@pytest.fixture
def flat(points_of: Callable[[float], Floats]) -> Floats:
    return np.ascontiguousarray(points_of(1.0)[:, :2], dtype=np.float32)


def face(flat: Floats, lips: tuple[float, float, float], gain: float = 1.0) -> tuple[Floats, Floats]:
    """Skin, lips and a dark inside, in a light, and the lips that are looked at."""
    inside = inside_of(flat, PLANE)
    drawn = lips_of(flat, inside, PLANE, 0.0)[..., np.newaxis]
    picture = (np.array(SKIN) * (1 - drawn) + np.array(lips) * drawn) * (1 - 0.9 * inside[..., np.newaxis])
    return (gain * picture).astype(np.float32), lips_of(flat, inside, PLANE)


def seen(flat: Floats, own: tuple[float, float, float], frames: int, gain: float = 1.0) -> tuple[float, float, float]:
    tints, light = Tints(), Light(np.array([[np.log(gain)] * 3, [0.0] * 3, [0.0] * 3]))
    for _ in range(frames):
        tints.see(3, PLANE, face(flat, own, gain), face(flat, GREY), light)
    assert tints.tint(4) == NONE
    return tints.tint(3)


def test_lips_take_the_clip_s_own_colour_and_not_twice_its_light(flat: Floats) -> None:
    red, green, blue = seen(flat, PINK, 1000, gain=1.5)
    assert red == pytest.approx(BELIEVED * np.log(1.4), abs=0.04)
    assert (green, blue) == pytest.approx((0.0, 0.0), abs=0.02)
    assert seen(flat, GREY, 1000) == pytest.approx(NONE, abs=1e-6)


def test_what_is_seen_once_counts_for_little_and_no_gain_is_wild(flat: Floats) -> None:
    assert seen(flat, PINK, 1)[0] < 0.3 * seen(flat, PINK, 1000)[0]
    assert seen(flat, (0.95, 0.2, 0.01), 1000) == pytest.approx((MOST, 0.0, -MOST), abs=0.01)


def test_lips_too_small_to_tell_tell_nothing(flat: Floats) -> None:
    tints, light = Tints(), Light(np.zeros((3, 3)))
    picture, _ = face(flat, PINK)
    tints.see(3, PLANE, (picture, np.zeros(PLANE.size, dtype=np.float32)), face(flat, GREY), light)
    assert tints.tint(3) == NONE


def test_only_lips_are_tinted(flat: Floats) -> None:
    inside = inside_of(flat, PLANE)
    lips = lips_of(flat, inside, PLANE, 0.0)
    texture, _ = face(flat, GREY)
    made = tinted(texture, region_of(lips), (0.2, 0.0, -0.1))
    ratio = made / texture
    well_in = lips_of(flat, inside, PLANE, 3.0) > 0.99
    np.testing.assert_allclose(ratio[well_in].mean(axis=0), np.exp([0.2, 0.0, -0.1]), atol=0.02)
    assert np.abs(made - texture)[lips_of(flat, inside, PLANE, -8.0) == 0.0].max() < 2e-3
    assert tinted(texture, region_of(lips), NONE) is texture
    assert tinted(texture, None, (0.2, 0.0, 0.0)) is texture
