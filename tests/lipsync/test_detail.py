"""Detail: a mouth that has more than the clip is softened to it, whatever noise, light and words the clip has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from lipsync.detail import BAND_PX, NOISE_KEPT, SOFTEST, Details, softened
from lipsync.inside import inside_of, region_of
from lipsync.light import Light
from lipsync.mouth import FreeFace
from lipsync.plane import TexturePlane
from lipsync.ring import between
from lipsync.synthesise import LowerFace
from shared.face.pose import FacePose
from shared.picture.warp import gaussian, invert, laplacian, spread, to_uint8, warp_picture
from shared.types import Floats, Frame

PLANE = TexturePlane(8.0)
FRAMES = 16
EVEN = Light(np.zeros((3, 3)))


@dataclass(frozen=True, slots=True)
class Bench:
    """What lays a texture into a frame, and looks at it beside another one."""

    points_of: Callable[[float], Floats]
    posed: Callable[..., FacePose]
    framed: Callable[..., Frame]

    def sharper(
        self,
        texture: Floats,
        clip: Floats,
        *,
        noise: float = 0.0,
        scale: float = 8.0,
        gain: float = 1.0,
        openings_cm: tuple[float, float] = (0.0, 0.0),
    ) -> float:
        """The gain that is found for a texture in a clip that shows another one, with noise in levels of 255."""
        rng, details = np.random.default_rng(1), Details()
        pose = self.posed(0.0, scale, (20.0 * scale, 18.0 * scale))
        own, new = (np.ascontiguousarray(self.points_of(opening)[:, :2]) for opening in openings_cm)
        size = (round(36 * scale), round(40 * scale))
        laid = warp_picture(clip, invert(PLANE.texture_from_frame(pose)), size)
        light = Light(np.array([[np.log(gain)] * 3, [0.0] * 3, [0.0] * 3]))
        for index in range(FRAMES):
            grain = spread(rng.normal(0.0, noise / 255, size).astype(np.float32))
            frame = self.framed(to_uint8(laid * np.float32(gain) + grain), index)
            lower = LowerFace(texture, new, new)
            details.see(5, frame, FreeFace(own, own, pose, between(own)), (lower, PLANE), light)
        assert details.sharper(6) == 0.0
        return details.sharper(5)


@pytest.fixture
def bench(points_of: Callable[[float], Floats], posed: Callable[..., FacePose], framed: Callable[..., Frame]) -> Bench:
    return Bench(points_of, posed, framed)


@pytest.fixture
def fine() -> Floats:
    """Skin with detail of all sizes."""
    rng = np.random.default_rng(0)
    grains = [gaussian(rng.normal(0.0, 1.0, PLANE.size).astype(np.float32), sigma) * sigma for sigma in (0.8, 1.5, 3.0)]
    picture = 0.5 + 0.08 * spread(np.sum(grains, axis=0).astype(np.float32))
    return np.asarray(np.clip(picture, 0.0, 1.0), dtype=np.float32)


def test_a_mouth_as_detailed_as_the_clip_or_less_stays(bench: Bench, fine: Floats) -> None:
    assert bench.sharper(fine, fine) == 0.0
    assert bench.sharper(gaussian(fine, 1.0), fine) == 0.0


@pytest.mark.parametrize("scale", [6.0, 8.0, 19.0])
def test_a_mouth_with_more_detail_is_softened_to_the_clip_s(bench: Bench, fine: Floats, scale: float) -> None:
    soft = softened(fine, None, -0.5)
    found = bench.sharper(fine, soft, scale=scale)
    assert -0.5 < found < -0.33  # a little more detail than the clip has is let be
    assert bench.sharper(softened(fine, None, found), soft, scale=scale) > -0.12
    assert bench.sharper(fine, gaussian(fine, 3.0), scale=scale) == pytest.approx(SOFTEST, abs=0.06)


def test_noise_of_the_clip_is_no_detail(bench: Bench, fine: Floats) -> None:
    clean, noisy = (bench.sharper(fine, softened(fine, None, -0.5), noise=levels) for levels in (0.0, 5.0))
    assert noisy == pytest.approx(clean, abs=0.04)


def test_other_light_is_no_detail(bench: Bench, fine: Floats) -> None:
    assert bench.sharper(fine, fine, gain=0.6) == 0.0
    assert bench.sharper(fine, softened(fine, None, -0.5), gain=1.4) < -0.33


def test_what_lies_between_the_lips_is_not_compared(
    bench: Bench, fine: Floats, points_of: Callable[[float], Floats]
) -> None:
    inside = inside_of(np.ascontiguousarray(points_of(1.5)[:, :2]), PLANE)[..., np.newaxis]
    teeth = 0.3 + 0.4 * (np.arange(PLANE.size[1]) // 2 % 2)[:, np.newaxis].astype(np.float32)
    assert bench.sharper(fine * (1 - inside) + inside * teeth, fine, openings_cm=(0.0, 1.5)) > -0.02


def test_a_mouth_too_small_to_see_stays(bench: Bench, fine: Floats) -> None:
    assert bench.sharper(fine, gaussian(fine, 3.0), scale=1.0) == 0.0


def test_a_coarse_voice_in_a_sharper_clip_does_no_harm(points_of: Callable[[float], Floats], bench: Bench) -> None:
    plane, flat = TexturePlane(3.0), np.ascontiguousarray(points_of(0.0)[:, :2])
    flat[48:68, 1] = flat[48:68, 1].mean() + 0.3 * (flat[48:68, 1] - flat[48:68, 1].mean())  # pressed lips
    texture = np.full((*plane.size, 3), 0.5, dtype=np.float32)
    pose = bench.posed(0.0, 25.0, (500.0, 450.0))
    frame = bench.framed(np.full((900, 1000, 3), 128, dtype=np.uint8), 0)
    details = Details()
    details.see(5, frame, FreeFace(flat, flat, pose, between(flat)), (LowerFace(texture, flat, flat), plane), EVEN)
    assert details.sharper(5) == 0.0


def test_only_what_lies_around_the_opening_is_softened(fine: Floats, points_of: Callable[[float], Floats]) -> None:
    flat = np.ascontiguousarray(points_of(1.5)[:, :2])
    inside = inside_of(flat, PLANE)
    made = softened(fine, region_of(inside), -0.5)
    assert softened(fine, None, 0.0) is fine
    middle = gaussian(inside, 2.0) > 0.99
    assert middle.any()
    np.testing.assert_allclose(made[middle], fine[middle], atol=0.01)
    np.testing.assert_allclose(made[:20], (0.5 * fine + 0.5 * gaussian(fine, 1.0))[:20], atol=1e-6)


def test_the_constant_for_noise_is_what_white_noise_leaves() -> None:
    noise = np.random.default_rng(0).normal(0.0, 1.0, (400, 400)).astype(np.float32)
    assert float((laplacian(gaussian(noise, BAND_PX)) ** 2).mean()) == pytest.approx(NOISE_KEPT, abs=0.02)
