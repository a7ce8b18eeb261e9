"""Teeth: detail comes from the proxies, stays between the lips, does not flicker, and is as sharp as the footage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lipsync.plane import TexturePlane
from lipsync.teeth import (
    FILE_NAME,
    SpeakerTeeth,
    Teeth,
    TeethProxy,
    load_teeth,
    overlay,
    save_teeth,
    steady_teeth,
)
from shared.errors import ArtefactError
from shared.picture.mask import polygon_mask
from shared.picture.warp import gaussian, grey_of, laplacian, to_float, to_uint8, warp_picture
from shared.types import Floats, Picture

Drawn = Callable[..., tuple[Picture, Floats, Floats]]
FRAMES = 9
FILM_SIGMA_PX = 0.9


@pytest.fixture
def speaker(toothed: Drawn) -> SpeakerTeeth:
    """Both rows, from two frames with other openings than those of the tests."""
    (upper, upper_flat, _), (lower, lower_flat, _) = toothed(1.7), toothed(1.5)
    proxies = (TeethProxy("upper", kept(upper), upper_flat), TeethProxy("lower", kept(lower), lower_flat))
    return SpeakerTeeth(proxies, np.array([100.0, 0.0, 300.0], np.float32), np.array([0.02, 0.0, 0.04], np.float32))


@pytest.fixture
def teeth(
    speaker: SpeakerTeeth, fine_plane: TexturePlane, points_of: Callable[[float], Floats]
) -> Callable[..., Teeth]:
    return lambda strength=1.0: Teeth(speaker, np.array([points_of(0.0), points_of(2.0)]), fine_plane, strength)


def blurred(picture: Picture, flat: Floats, plane: TexturePlane, sigma_px: float = 2.5) -> Floats:
    """What a median makes of it: teeth run together, lips as they are."""
    inside = polygon_mask(plane.to_texture(flat)[60:68], plane.size)[..., np.newaxis]
    sharp = to_float(picture.astype(np.uint8))
    return sharp + inside * (gaussian(sharp, sigma_px) - sharp)


def filmed(picture: Picture) -> Floats:
    """Drawn edges are sharper than any lens's."""
    return gaussian(to_float(picture.astype(np.uint8)), FILM_SIGMA_PX)


def kept(picture: Picture) -> NDArray[np.uint8]:
    """What a voice has of a filmed frame."""
    return to_uint8(once_more_resampled(filmed(picture)))


def fine_detail(picture: Floats) -> Floats:
    grey = grey_of(np.ascontiguousarray(picture))
    return grey - gaussian(grey, 3.0)


def sharpness(picture: Floats, weight: Floats) -> float:
    edges = laplacian(grey_of(np.ascontiguousarray(picture)))
    return float((weight * edges * edges).sum() / weight.sum())


def once_more_resampled(picture: Floats) -> Floats:
    shift = np.array([[1.0, 0.0, 0.25], [0.0, 1.0, 0.25], [0.0, 0.0, 1.0]])
    return warp_picture(picture, shift, (picture.shape[0], picture.shape[1]))


def test_blurred_teeth_get_the_detail_of_both_rows(
    teeth: Callable[..., Teeth], toothed: Drawn, fine_plane: TexturePlane
) -> None:
    picture, flat, truth = toothed(1.4, raised_cm=0.15)
    soft = blurred(picture, flat, fine_plane)
    made = teeth().lay(soft, teeth().see(soft, flat), 0.05)
    middle = fine_plane.to_texture(flat[[62, 66]]).mean(axis=0)[1]
    above = np.arange(fine_plane.size[0])[:, np.newaxis] < middle
    wanted = fine_detail(filmed(picture))
    for half in (above, ~above):
        inside = (truth == 1) & half
        before, after = (np.corrcoef(wanted[inside], fine_detail(one)[inside])[0, 1] for one in (soft, made))
        assert after > before + 0.1
        assert after > 0.6


def test_where_rows_meet_each_has_its_own_detail(
    speaker: SpeakerTeeth, toothed: Drawn, fine_plane: TexturePlane, points_of: Callable[[float], Floats]
) -> None:
    picture, flat, truth = toothed(0.8)
    soft = blurred(picture, flat, fine_plane)
    flats = np.array([points_of(0.0), points_of(2.0)])
    both, upper, lower = (
        Teeth(replace(speaker, proxies=proxies), flats, fine_plane, 1.0)
        for proxies in (speaker.proxies, speaker.proxies[:1], speaker.proxies[1:])
    )
    made, above, below = (one.lay(soft, one.see(soft, flat), 0.0) for one in (both, upper, lower))
    depth = np.full(fine_plane.size, 0.5, dtype=np.float32)
    both.window.cut(depth)[:] = both.window.opening(flat)[1]
    for half, alone, other in (((depth < 0.35), above, below), ((depth > 0.65), below, above)):
        inside = half & (truth == 1) & (np.abs(alone - soft).max(axis=-1) > 0.02)
        assert int(inside.sum()) > 30
        np.testing.assert_allclose(made[inside], alone[inside], atol=0.02)
        assert float(np.abs(made - other)[inside].mean()) > 0.01


def test_nothing_changes_outside_the_inner_lips(
    teeth: Callable[..., Teeth], toothed: Drawn, fine_plane: TexturePlane
) -> None:
    picture, flat, _ = toothed(1.1)
    soft = blurred(picture, flat, fine_plane)
    found = teeth().see(soft, flat)
    seen = replace(found, region=np.ones_like(found.region))  # as if its neighbours had teeth everywhere
    made = teeth().lay(soft, seen, 0.05)
    inside = polygon_mask(fine_plane.to_texture(flat)[60:68], fine_plane.size) > 0
    np.testing.assert_array_equal(made[~inside], soft[~inside])
    assert float(np.abs(made - soft)[inside].max()) > 0.1
    assert soft is not made


def test_the_dark_of_the_mouth_stays_dark(
    teeth: Callable[..., Teeth], toothed: Drawn, fine_plane: TexturePlane
) -> None:
    picture, flat, _ = toothed(1.9)
    dark = to_float(picture.astype(np.uint8))
    made = teeth().lay(dark, teeth().see(dark, flat), 0.05)
    inside = polygon_mask(fine_plane.to_texture(flat)[60:68], fine_plane.size) == 1
    cavity = inside & (dark.max(axis=-1) < 0.12)
    assert int(cavity.sum()) > 100
    np.testing.assert_allclose(made[cavity], dark[cavity], atol=0.01)


def test_strength_is_how_far_it_goes(teeth: Callable[..., Teeth], toothed: Drawn, fine_plane: TexturePlane) -> None:
    picture, flat, _ = toothed(1.1)
    soft = blurred(picture, flat, fine_plane)
    changes = [
        float(np.abs(teeth(strength).lay(soft, teeth(strength).see(soft, flat), 0.0) - soft).sum())
        for strength in (0.0, 0.5, 1.0)
    ]
    assert changes[0] == 0.0
    assert changes[1] == pytest.approx(changes[2] / 2, rel=1e-3)


@pytest.mark.parametrize("blur_px", [0.5, 1.0])
def test_teeth_become_as_sharp_as_the_footage_before_its_own_warp(
    teeth: Callable[..., Teeth], toothed: Drawn, fine_plane: TexturePlane, blur_px: float
) -> None:
    picture, flat, _ = toothed(1.1)
    frame, median = filmed(picture), blurred(picture, flat, fine_plane, blur_px)
    one = teeth()
    seen = one.see(median, flat)
    weight = np.zeros(fine_plane.size, dtype=np.float32)
    x0, y0, x1, y1 = one.window.box
    weight[y0:y1, x0:x1] = seen.region
    made = one.lay(median, seen, sharpness(once_more_resampled(frame), weight))
    reached = sharpness(once_more_resampled(made), weight) / sharpness(frame, weight)
    assert reached == pytest.approx(1.0, abs=0.2)
    left = sharpness(once_more_resampled(median), weight) / sharpness(frame, weight)
    assert abs(reached - 1.0) < 0.5 * abs(left - 1.0)


def test_teeth_that_come_and_go_are_steadied(
    teeth: Callable[..., Teeth], toothed: Drawn, fine_plane: TexturePlane
) -> None:
    picture, flat, truth = toothed(1.1)
    soft = blurred(picture, flat, fine_plane)
    hidden = soft.copy()
    hidden[fine_plane.to_texture(flat)[60:68, 1].mean().astype(int) :] *= 0.3
    one = teeth()
    frames = [soft if number % 2 else hidden for number in range(FRAMES)]
    seen = [one.see(frame, flat) for frame in frames]
    steady = [
        steady_teeth([(j - k, seen[j]) for j in range(max(0, k - 3), min(FRAMES, k + 4))]) for k in range(2, FRAMES - 2)
    ]
    before, after = (
        float(np.abs(np.diff([part.region for part in parts], axis=0)).sum()) for parts in (seen[2:-2], steady)
    )
    assert after < 0.5 * before
    assert before > 0.0
    made = [one.lay(soft, part, 0.05) for part in steady]
    unsteady = [one.lay(soft, part, 0.05) for part in seen[2:-2]]
    flicker = [float(np.abs(np.diff(parts, axis=0))[:, truth > 0].mean()) for parts in (unsteady, made)]
    assert flicker[1] < 0.5 * flicker[0]


def test_a_still_mouth_stays_still(teeth: Callable[..., Teeth], toothed: Drawn) -> None:
    picture, flat, _ = toothed(1.1)
    seen = teeth().see(to_float(picture.astype(np.uint8)), flat)
    steady = steady_teeth([(-1, seen), (0, seen), (1, seen)])
    np.testing.assert_allclose(steady.region, seen.region, atol=1e-6)
    np.testing.assert_allclose(steady.offsets, seen.offsets, atol=1e-6)


def test_overlay_is_the_papers_blend() -> None:
    picture = np.array([[[0.2, 0.5, 0.8]]], dtype=np.float32)
    np.testing.assert_allclose(overlay(picture, np.zeros((1, 1), np.float32)), picture, atol=1e-6)
    np.testing.assert_allclose(overlay(picture, np.full((1, 1), -0.1, np.float32)), 2 * 0.4 * picture, atol=1e-6)
    np.testing.assert_allclose(
        overlay(picture, np.full((1, 1), 0.1, np.float32)), 1 - 2 * (1 - picture) * 0.4, atol=1e-6
    )


def test_sharpness_is_the_candidates_own_by_weight_and_teeth_shown(speaker: SpeakerTeeth) -> None:
    weights = np.array([0.6, 0.2, 0.2], dtype=np.float32)
    assert speaker.sharpness_of(np.array([0, 1, 2]), weights) == pytest.approx(0.03)
    assert speaker.sharpness_of(np.array([1]), np.ones(1, dtype=np.float32)) == 0.0


@pytest.mark.parametrize("rows", [("upper",), ("lower",), ("upper", "lower")])
def test_what_is_saved_is_loaded(speaker: SpeakerTeeth, tmp_path: Path, rows: tuple[str, ...]) -> None:
    kept = replace(speaker, proxies=tuple(proxy for proxy in speaker.proxies if proxy.row in rows))
    save_teeth(tmp_path, kept)
    loaded = load_teeth(tmp_path)
    assert loaded is not None
    assert tuple(proxy.row for proxy in loaded.proxies) == rows
    for one, other in zip(loaded.proxies, kept.proxies, strict=True):
        np.testing.assert_array_equal(one.picture, other.picture)
        np.testing.assert_array_equal(one.flat, other.flat)
    np.testing.assert_array_equal(loaded.sharpness, kept.sharpness)
    np.testing.assert_array_equal(loaded.shown_px, kept.shown_px)


def test_a_voice_without_teeth_has_none(tmp_path: Path) -> None:
    assert load_teeth(tmp_path) is None


def test_damaged_teeth_are_named(speaker: SpeakerTeeth, tmp_path: Path) -> None:
    save_teeth(tmp_path, speaker)
    content = (tmp_path / FILE_NAME).read_bytes()
    (tmp_path / FILE_NAME).write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtefactError, match=r"damaged \(teeth.safetensors"):
        load_teeth(tmp_path)
