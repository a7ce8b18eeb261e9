"""Grain, streaks and sharpness of a made face."""

from __future__ import annotations

import numpy as np
import pytest

from faceswap.detail import grained, in_motion, noise_around, sharpened, streak_of
from shared.picture.grain import noise_variances, tile
from shared.picture.warp import gaussian, grey_of, to_uint8
from shared.types import Floats, Frame
from tests.faceswap.drawn import face_of, face_points, frame_of


def flat(level: float = 0.5) -> Floats:
    return np.full((160, 160, 3), level, dtype=np.float32)


def noisy(seed: int, texture: float = 0.0) -> Frame:
    picture = np.full((240, 240, 3), 0.5, dtype=np.float32) + 0.02 * tile(0, (240, 240), (seed, 1))[..., None]
    return frame_of(to_uint8(picture + texture * tile(0, (240, 240), (99, 9))[..., None]))


def test_the_made_face_gets_the_noise_of_the_clip() -> None:
    face = face_of(face_points((120, 120), 150))
    wanted = noise_around(noisy(1), noisy(2), face)
    assert np.sqrt(wanted[0]) == pytest.approx(0.02, abs=0.002)
    assert np.sqrt(noise_around(noisy(1, 0.05), noisy(2, 0.05), face)[0]) == pytest.approx(0.02, abs=0.003)
    assert noise_around(noisy(1), noisy(1), face).max() < 1e-6
    made = grained(flat(), wanted, 1.0, (3, 1))
    assert np.sqrt(noise_variances(grey_of(made))[0]) == pytest.approx(0.02, abs=0.003)
    assert np.array_equal(made, grained(flat(), wanted, 1.0, (3, 1)))
    assert not np.array_equal(made, grained(flat(), wanted, 1.0, (4, 1)))
    again = grained(made, wanted, 1.0, (5, 1))
    assert np.abs(again - made).mean() < 0.35 * np.abs(made - flat()).mean()


def test_a_clean_clip_adds_nothing() -> None:
    assert np.array_equal(grained(flat(), np.zeros(2), 1.0, (1, 1)), flat())


def test_a_streak_needs_both_motion_and_softness() -> None:
    motion = (12.0, 0.0)
    assert streak_of(motion, 0.0, 0.0, 1.0) == (0.0, 0.0)
    assert streak_of((0.0, 0.0), float(np.log(0.2)), 0.0, 1.0) == (0.0, 0.0)
    streak = streak_of(motion, float(np.log(0.2)), 0.0, 1.0)
    assert streak == pytest.approx((6.0, 0.0))
    picture = flat()
    picture[:, ::4] = 0.8
    assert in_motion(picture, streak).std() < 0.3 * picture.std()
    assert in_motion(picture, (1.0, 0.0)) is picture


def test_sharpening_follows_the_steadied_details() -> None:
    picture = gaussian(np.where(np.indices((160, 160))[1] % 16 < 8, 0.3, 0.7).astype(np.float32), 1.0)
    picture = np.repeat(picture[..., None], 3, axis=2)
    assert sharpened(picture, np.log(np.array([1.0, 1.0])), 1.0) is picture
    assert sharpened(picture, np.log(np.array([4.0, 1.0])), 1.0).std() > picture.std()
    assert sharpened(picture, np.log(np.array([4.0, 1.0])), 0.0) is picture
