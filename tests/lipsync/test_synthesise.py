"""Synthesis: the wanted mouth comes out of the pool, at the pose asked for, as sharp as the pool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lipsync.mouth import JAW_POINTS, MOUTH, aperture_cm, fit_basis, mouths_of
from lipsync.options import SyncOptions
from lipsync.retrieve import Candidates
from lipsync.ring import between
from lipsync.synthesise import FURTHEST_CM, USUAL_STEADINESS, LowerFace, Synthesiser
from lipsync.voice import Voice, lips_of
from models.mouthnet import MouthNet, MouthNetConfig
from shared.metrics.picture import flicker
from shared.picture.warp import grey_of, laplacian_variance, to_float
from shared.types import Floats, Picture

OPTIONS = SyncOptions(voice=Path(), speech=Path(), sharpen=False)
FORWARD = (0.0, 0.0, 0.0)


def made_of(synthesiser: Synthesiser, shape: Floats, yaw_deg: float = 0.0) -> LowerFace:
    return synthesiser.make(synthesiser.find(shape, (yaw_deg, 0.0, 0.0)), shape)


@pytest.mark.parametrize("opening_cm", [0.3, 1.0, 1.7])
def test_the_wanted_opening_is_what_comes_out(
    voice: Voice, points_of: Callable[[float], Floats], drawn: Callable[..., Picture], opening_cm: float
) -> None:
    shape = voice.basis.encode(lips_of(points_of(opening_cm)[np.newaxis]))[0]
    lower = made_of(Synthesiser(voice, OPTIONS), shape)
    assert float(aperture_cm(lips_of(lower.points[np.newaxis]))[0]) == pytest.approx(opening_cm, abs=0.05)
    different = np.abs(lower.texture - to_float(drawn(opening_cm))).max(axis=-1) > 0.05
    assert int(different.sum()) <= 2 * 17  # two rows of the mouth's edge, quantised


def test_head_turn_chooses_among_like_mouths(voice: Voice) -> None:
    turned = voice.pool.angles_deg.copy()
    turned[::2, 0] = 20.0
    textures = np.asarray(voice.textures).copy()
    textures[::2, :4] = 255
    voice = replace(voice, pool=replace(voice.pool, angles_deg=turned), textures=textures)
    synthesiser = Synthesiser(voice, OPTIONS)
    assert made_of(synthesiser, voice.shapes[31], 20.0).texture[:4].min() == 1.0
    assert made_of(synthesiser, voice.shapes[30]).texture[:4].max() < 1.0
    blind = Synthesiser(voice, replace(OPTIONS, pose_weight=0.0))
    near, far = (made_of(blind, voice.shapes[31], yaw).texture for yaw in (0.0, 20.0))
    np.testing.assert_array_equal(near, far)


def test_a_pose_beyond_the_footage_asks_for_its_end(voice: Voice) -> None:
    turned = voice.pool.angles_deg.copy()
    turned[:, 0] = np.linspace(-10, 10, 60)
    voice = replace(voice, pool=replace(voice.pool, angles_deg=turned))
    synthesiser = Synthesiser(voice, OPTIONS)
    one, other = (made_of(synthesiser, voice.shapes[20], yaw) for yaw in (12.0, 80.0))
    np.testing.assert_array_equal(one.points, other.points)


def test_lips_of_takes_are_the_wanted_ones(voice: Voice, points_of: Callable[[float], Floats]) -> None:
    # The pool's openings are 0.034 cm apart; the wanted one lies between two.
    wanted = lips_of(points_of(1.015)[np.newaxis])
    shape = voice.basis.encode(wanted)[0]
    made = Synthesiser(voice, replace(OPTIONS, steadiness=0.0))
    found = made.find(shape, FORWARD)
    lower = made.make(replace(found, indices=found.indices[:1], weights=np.ones(1, dtype=np.float32)), shape)
    np.testing.assert_allclose(lips_of(lower.points[np.newaxis]), wanted, atol=2e-3)
    np.testing.assert_array_equal(lower.points[:48], voice.pool.points[found.indices[0], :48])
    np.testing.assert_array_equal(lower.flat, voice.pool.flat[found.indices[0]])


def test_the_jaw_of_takes_goes_half_way_to_what_the_shape_tells(
    voice: Voice, points_of: Callable[[float], Floats]
) -> None:
    voice = replace(voice, basis=fit_basis(mouths_of(voice.pool.points, between(voice.pool.points)), MOUTH))
    wanted = points_of(1.015)
    shape = voice.basis.encode(lips_of(wanted[np.newaxis]))[0]
    made = Synthesiser(voice, replace(OPTIONS, steadiness=0.0))
    found = made.find(shape, FORWARD)
    last = found.indices[-1]
    lower = made.make(replace(found, indices=found.indices[-1:], weights=np.ones(1, dtype=np.float32)), shape)
    shown, jaw = voice.pool.points[last], list(JAW_POINTS)
    assert np.abs(wanted - shown)[jaw].max() > 0.03
    np.testing.assert_allclose(lower.points[jaw], (wanted + shown)[jaw] / 2, atol=2e-3)
    np.testing.assert_allclose(lips_of(lower.points[np.newaxis])[0], lips_of(wanted[np.newaxis])[0], atol=2e-3)
    np.testing.assert_array_equal(lower.points[[*range(3), *range(14, 48)]], shown[[*range(3), *range(14, 48)]])


def test_where_all_footage_wears_the_jaw_otherwise_than_the_pool_the_pool_counts(voice: Voice) -> None:
    basis = fit_basis(mouths_of(voice.pool.points, between(voice.pool.points)), MOUTH)
    lower = basis.mean.copy()
    lower[-2 * len(JAW_POINTS) + 1 :: 2] -= 0.4
    alone, beside = (
        made_of(Synthesiser(replace(voice, basis=one), replace(OPTIONS, steadiness=0.0)), voice.shapes[20])
        for one in (basis, replace(basis, mean=lower))
    )
    np.testing.assert_allclose(beside.points, alone.points, atol=1e-4)


def test_followed_mouths_flicker_less_than_those_chosen_by_themselves(voice: Voice) -> None:
    # The same mouths on two days, the second brighter; what is wanted lies now nearer to the one, now to the other.
    rng = np.random.default_rng(0)
    pool, days = voice.pool, np.repeat(np.array([0, 1], dtype=np.int32), 60)
    points = np.tile(pool.points, (2, 1, 1)) + rng.normal(0, 0.01, (120, 68, 2)).astype(np.float32)
    textures = np.concatenate([np.asarray(voice.textures), np.minimum(voice.textures, 205) + np.uint8(50)])
    times = np.tile(np.arange(60) / 25.0, 2)
    filmed = replace(pool, points=points, flat=points, angles_deg=np.zeros((120, 3), np.float32), times_s=times)
    filmed = replace(filmed, clips=days, rows=np.arange(120))
    voice = replace(voice, pool=filmed, shapes=voice.basis.encode(lips_of(points)), textures=textures)
    wanted = voice.shapes[10:40] + rng.normal(0, 0.02, (30, 20)).astype(np.float32)
    flickers = []
    for steadiness in (None, 0.5):
        made = Synthesiser(voice, replace(OPTIONS, steadiness=steadiness))
        found, follower = [made.find(shape, FORWARD) for shape in wanted], made.follower()
        if follower is not None:
            for k, one in enumerate(found):
                follower.add(one, k / 25)
            found = follower.decide(len(found))
        lower = [made.make(one, shape).texture for one, shape in zip(found, wanted, strict=True)]
        flickers.append(flicker(lower))
    assert flickers[1] < 0.5 * flickers[0]


def test_a_shut_mouth_is_not_torn_open(voice: Voice, points_of: Callable[[float], Floats]) -> None:
    shape = voice.basis.encode(lips_of(points_of(2.0)[np.newaxis]))[0]
    made = Synthesiser(voice, replace(OPTIONS, steadiness=0.5))
    shut = Candidates(np.array([0]), np.ones(1, dtype=np.float32), 1.0)
    moved = made.make(shut, shape).points - voice.pool.points[0]
    assert np.linalg.norm(moved, axis=1).max() == pytest.approx(FURTHEST_CM, abs=1e-3)


def test_takes_are_followed_unless_the_recipe_is_the_papers(voice: Voice) -> None:
    assert Synthesiser(voice, OPTIONS).follower() is None
    assert Synthesiser(voice, replace(OPTIONS, steadiness=0.2)).follower() is not None
    default = replace(voice, net=MouthNet(MouthNetConfig(phones=False)))
    assert Synthesiser(default, OPTIONS).steadiness == USUAL_STEADINESS


@pytest.mark.parametrize("steadiness", [None, 1.0])
def test_sharpening_brings_back_what_the_median_lost(voice: Voice, steadiness: float | None) -> None:
    # Fine grain that each frame shows at another place: the median wipes it out.
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 25, voice.textures.shape[1:3])
    moved = [np.roll(grain, rng.integers(-1, 2, 2), axis=(0, 1)) for _ in range(60)]
    textures = np.clip(np.asarray(voice.textures) + np.array(moved)[..., np.newaxis], 0, 255).astype(np.uint8)
    voice = replace(voice, textures=textures)
    plain, sharp = (Synthesiser(voice, replace(OPTIONS, sharpen=on, steadiness=steadiness)) for on in (False, True))
    assert plain.gain == 0.0
    assert sharp.gain > 0.3
    window = (slice(4, 30), slice(10, 50))
    detail = [
        laplacian_variance(np.ascontiguousarray(grey_of(made_of(made, voice.shapes[30]).texture)[window]))
        for made in (plain, sharp)
    ]
    assert detail[1] > 1.5 * detail[0]
