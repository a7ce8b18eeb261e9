"""The colour of a made face by each method, steadied, and the user's own wishes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from faceswap.colours import METHODS, matched, visible
from faceswap.options import ColourMethod, SwapOptions
from faceswap.steady import Steadied
from faceswap.view import Made, look_at
from shared.picture.colour import delta_e, lab_from_rgb
from shared.picture.warp import gaussian, grey_of
from shared.types import Floats
from tests.faceswap.drawn import draw_face, face_of, face_points, frame_of

USUAL = SwapOptions(model=Path("unused"))
MATCHING = [name for name in METHODS if name != "none"]


def made(tint: tuple[float, float, float] = (0.75, 0.9, 1.1), noise: int | None = None) -> Made:
    points = face_points((160, 130), 110, opening=0.1)
    view = look_at(frame_of(draw_face((260, 320), points, (210, 160, 130))), face_of(points), 96)
    if noise is not None:
        jolt = np.random.default_rng(noise).normal(0, 0.03, 3).astype(np.float32)
        view = replace(view, picture=np.clip(view.picture + jolt, 0, 1))
    soft = gaussian(look_at(frame_of(draw_face((260, 320), points, (210, 160, 130))), face_of(points), 96).picture, 1.0)
    return Made(view, np.clip(soft * np.array(tint, dtype=np.float32) * 0.9, 0, 1))


def apart(one: Floats, other: Floats, where: Floats) -> float:
    """Colour difference of the means over the face."""
    means = [lab_from_rgb(picture)[where > 0.5].mean(axis=0) for picture in (one, other)]
    return float(delta_e(means[0], means[1]))


@pytest.mark.parametrize("name", MATCHING)
def test_each_method_brings_the_colour_near(name: str) -> None:
    face = made()
    seen = visible(face)
    steady = METHODS[name].measure(face, seen)
    options = replace(USUAL, colour_method=cast(ColourMethod, name))
    full = matched(face.picture, steady, options)
    before, after = (apart(picture, face.view.picture, seen) for picture in (face.picture, full))
    assert before > 10
    assert after < 0.25 * before
    half = matched(face.picture, steady, replace(options, colour=0.5))
    assert after < apart(half, face.view.picture, seen) < before
    assert np.array_equal(matched(face.picture, steady, replace(options, colour=0.0)), np.clip(face.picture, 0, 1))


@pytest.mark.parametrize("name", MATCHING)
def test_steadied_measures_do_not_flicker(name: str) -> None:
    """The target's own light trembles; the made face's colour must do so much less."""
    method, steady = METHODS[name], Steadied(1.0)
    still = made()
    levels: list[Floats] = []
    raw: list[Floats] = []
    for number in range(40):
        face = made(noise=number)
        measured = method.measure(face, visible(face))
        known = steady.add(0, number / 25, measured)
        seen = visible(still) > 0.5
        levels.append(method.match(still.picture, known)[seen].mean(axis=0))
        raw.append(method.match(still.picture, measured)[seen].mean(axis=0))
    calm, loud = (np.abs(np.diff(np.array(means[20:]), axis=0)).mean() for means in (levels, raw))
    assert calm < 0.15 * loud


def test_what_is_in_front_does_not_tint_the_face() -> None:
    face = made()
    front = np.zeros((96, 96), dtype=np.float32)
    front[55:] = 1
    green = face.view.picture.copy()
    green[55:] = (0, 1, 0)
    covered = replace(face, view=replace(face.view, picture=green), front=front)
    steady = METHODS["lab"].measure(covered, visible(covered))
    full = matched(face.picture, steady, USUAL)
    above = visible(covered)
    assert apart(full, face.view.picture, above) < 4
    hidden = replace(covered, front=np.ones((96, 96), dtype=np.float32))
    assert np.array_equal(visible(hidden), face.view.inner)


def test_the_users_own_wishes_are_kept() -> None:
    picture = made().picture
    plain = replace(USUAL, colour_method="none")
    nothing = np.zeros(0)
    same = matched(picture, nothing, plain)
    assert np.array_equal(same, np.clip(picture, 0, 1))
    lighter = matched(picture, nothing, replace(plain, brightness=0.1))
    assert (lighter - same)[picture < 0.85].mean() == pytest.approx(0.1, abs=1e-3)
    harder = matched(picture, nothing, replace(plain, contrast=1.5))
    middle = np.abs(picture - 0.5) < 0.3
    assert (harder - 0.5)[middle] == pytest.approx(1.5 * (picture - 0.5)[middle], abs=1e-4)
    toned = matched(picture, nothing, replace(plain, gamma=2.0))
    assert toned == pytest.approx(np.sqrt(np.clip(picture, 0, 1)), abs=1e-4)
    grey = matched(picture, nothing, replace(plain, saturation=0.0))
    assert np.ptp(grey, axis=2).max() < 1e-5
    assert grey[..., 0] == pytest.approx(grey_of(picture), abs=1e-5)


def test_what_is_grey_beside_orange_skin_stays_nearly_grey_beside_pale_skin() -> None:
    face = made()
    seen = visible(face)
    lit = (1.15, 0.85, 0.55)
    picture = np.clip(face.view.picture * np.array(lit, dtype=np.float32), 0, 1)
    eye = picture.copy()
    eye[40:44, 30:36] = 0.5
    grey = Made(face.view, eye)
    new = matched(eye, METHODS["lab"].measure(grey, seen), USUAL)
    assert apart(new, face.view.picture, seen) < 3
    cast = lab_from_rgb(np.ascontiguousarray(new[41:43, 31:35]))[..., 1:].mean(axis=(0, 1))
    assert float(np.linalg.norm(cast)) < 6


def test_a_face_in_a_grey_clip_becomes_grey_all_over() -> None:
    face = made()
    seen = visible(face)
    grey = np.repeat(grey_of(np.ascontiguousarray(face.view.picture))[..., np.newaxis], 3, axis=2)
    clip = Made(replace(face.view, picture=grey), face.picture)
    new = matched(face.picture, METHODS["lab"].measure(clip, seen), USUAL)
    chroma = np.linalg.norm(lab_from_rgb(new)[..., 1:], axis=-1)[seen > 0.5]
    own = np.linalg.norm(lab_from_rgb(face.picture)[..., 1:], axis=-1)[seen > 0.5]
    assert chroma.mean() < 0.3 * own.mean()


def test_lips_of_pale_skin_are_no_pinker_on_a_dark_face() -> None:
    """Beside its skin a lip is as red as in the other light, less what darkness takes."""
    face = made()
    seen = visible(face)
    dark = np.clip(0.45 * face.view.picture * np.array((1.1, 0.9, 0.7), dtype=np.float32), 0, 1)
    pale = 0.35 + 0.6 * face.view.picture
    lips = pale.copy()
    lips[44:47, 26:38] *= (1.0, 0.75, 0.8)
    target = Made(replace(face.view, picture=dark), lips)
    new = matched(lips, METHODS["lab"].measure(target, seen), USUAL)
    assert apart(new, dark, seen) < 3
    before, after = (lab_from_rgb(np.ascontiguousarray(each)) for each in (lips, new))
    redder = [float(each[45, 28:36, 1].mean() - each[34:37, 28:36, 1].mean()) for each in (before, after)]
    lightness = [float(each[34:37, 28:36, 0].mean()) for each in (before, after)]
    assert redder[0] > 8
    assert redder[1] <= redder[0] * (lightness[1] / lightness[0]) * 1.15
    assert redder[1] > 0.3 * redder[0]
