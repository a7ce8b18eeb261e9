"""Looks: light, colour and expression come out as they went in; an occluder on some faces is found."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from faceswap.align import crop_from_frame
from faceswap.covered import FEWEST_FACES, texture_of, unusual
from faceswap.looks import expression_of, looks_of, misfit_of
from shared.face.landmarks import canonical_face
from shared.picture.warp import transform
from shared.types import Floats
from tests.faceswap.drawn import draw_face, face_points

Rgb = NDArray[np.uint8]


def crop_of(skin: tuple[int, int, int], opening: float = 0.0) -> tuple[Rgb, Floats]:
    points = face_points((48, 50), 44, opening)
    placed = transform(crop_from_frame(points, 96), points)
    return draw_face((96, 96), placed, skin), placed


def test_a_darker_face_is_darker_and_a_redder_one_redder() -> None:
    bright, dark, red = (looks_of(*crop_of(skin)) for skin in ((220, 180, 150), (110, 90, 75), (220, 120, 110)))
    assert bright.light > dark.light + 20
    assert red.red > bright.red + 10
    assert bright.burnt == 0.0


def test_light_from_a_side_has_its_sign() -> None:
    picture, points = crop_of((200, 160, 130))
    ramp = np.linspace(0.5, 1.0, 96)[np.newaxis, :, np.newaxis]
    from_right = (picture * ramp).astype(np.uint8)
    assert looks_of(from_right, points).side_light > 5
    assert looks_of((picture * ramp[:, ::-1]).astype(np.uint8), points).side_light < -5


def test_white_skin_without_drawing_is_burnt() -> None:
    picture, points = crop_of((255, 255, 255))
    assert looks_of(picture, points).burnt > 0.3


def test_expression_does_not_depend_on_size_place_or_roll() -> None:
    small = expression_of(face_points((50, 50), 40, 0.1))
    large = expression_of(face_points((300, 200), 160, 0.1, turn=0.5))
    assert small == pytest.approx(large, rel=1e-3)
    assert expression_of(face_points((50, 50), 40, 0.2))["mouth"] > small["mouth"] + 0.05


@pytest.mark.usefixtures("weights")
def test_the_canonical_head_in_any_pose_fits_itself() -> None:
    face = canonical_face()
    turn = np.radians(25)
    about = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    seen = (face.landmarks @ about.T)[:, :2] * (8, -8) + 100
    assert misfit_of(seen.astype(np.float32), face) < 0.01
    bent = seen.copy()
    bent[36:42] += 15
    assert misfit_of(bent.astype(np.float32), face) > 0.1


@pytest.mark.usefixtures("weights")
def test_a_patch_on_some_faces_is_found_and_light_and_speech_are_not() -> None:
    random = np.random.default_rng(0)
    textures, covered = [], []
    for number in range(3 * FEWEST_FACES):
        picture, points = crop_of((200, 160, 130), opening=0.1 * (1 + np.sin(number)))
        lit = picture * np.linspace(1 - random.uniform(0, 0.3), 1, 96)[np.newaxis, :, np.newaxis]
        if number % 10 == 0:
            x, y = points[8].astype(int)
            lit[y - 12 : y + 6, x : x + 20] = (60, 90, 140)
        textures.append(texture_of((lit + random.normal(0, 2, lit.shape)).clip(0, 255).astype(np.uint8), points))
        covered.append(number % 10 == 0)
    scores = unusual(np.stack(textures))
    marked = np.array(covered)
    assert scores[marked].min() > 1.5 * scores[~marked].max()


@pytest.mark.usefixtures("weights")
def test_too_few_faces_tell_nothing() -> None:
    texture = texture_of(*crop_of((200, 160, 130)))
    assert np.isnan(unusual(np.stack([texture] * 5))).all()
