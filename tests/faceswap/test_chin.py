"""Where a made face's chin ends, by its shade."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap.along import Layer
from faceswap.chin import CHIN, Chins, shade_line
from faceswap.options import SwapOptions
from faceswap.view import Made, Shown, look_at
from shared.picture.mask import polygon_mask
from shared.picture.planes import cut
from shared.types import Floats, Scene
from tests.faceswap.drawn import draw_face, face_of, face_points, frame_of

SIZE, WIDTH = (320, 320), 180.0
SKIN = (210, 160, 130)


def necked(points: Floats, shade: int, band: float = 0.06) -> Floats:
    """A face over a neck of its own colour, with a line of shade under its chin; float RGB."""
    ends = np.array([points[2], points[14], points[14] + (0, 150), points[2] + (0, 150)])
    picture = draw_face(SIZE, points, SKIN)
    cv2.fillConvexPoly(picture, np.rint(ends).astype(np.int32), SKIN)
    dark = tuple(int(value) - shade for value in SKIN)
    jaw = np.rint(points[4:13] * 16).astype(np.int32)[:, np.newaxis]
    cv2.polylines(picture, [jaw], False, dark, round(band * WIDTH), cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 2.0) / 255, dtype=np.float32)


def lifted(points: Floats, by: float) -> Floats:
    """The points with the chin's a share of the face's width nearer to the mouth."""
    away = points[CHIN] - points[48:60].mean(axis=0)
    moved = points.copy()
    moved[CHIN] -= by * WIDTH * away / np.linalg.norm(away, axis=1, keepdims=True)
    return moved


@pytest.mark.parametrize("wrong", [-0.04, 0.0, 0.04, 0.08])
def test_the_chin_is_where_its_shade_is(wrong: float) -> None:
    points = face_points((160, 130), WIDTH)
    picture = necked(points, 50)
    width = float(np.linalg.norm(points[16] - points[0]))
    found = shade_line(picture, lifted(points, -wrong))  # a finder puts it so much too low
    np.testing.assert_allclose(found, -wrong * WIDTH / width, atol=0.012)


@pytest.mark.parametrize(("shade", "band"), [(4, 0.06), (50, 0.4)], ids=["flat light", "a beard"])
def test_without_a_line_of_shade_the_finder_is_believed(shade: int, band: float) -> None:
    points = face_points((160, 130), WIDTH)
    assert np.isnan(shade_line(necked(points, shade, band), lifted(points, -0.04))).all()


def shown_with(found: Floats, own: Floats, picture: Floats, count: int = 8) -> list[Shown]:
    """Scenes of a clip that shows what is made, both chins found at given points."""
    frame = frame_of(np.asarray(np.rint(picture * 255), dtype=np.uint8))
    view = look_at(frame, face_of(own), 256, "head")
    made = Made(view, view.picture, found=face_of(found))
    scene = Scene(frame, (view.face,))
    return [Shown(replace(scene, frame=replace(frame, pts=number)), (made,)) for number in range(count)]


def chins_of(shown: list[Shown]) -> list[Floats]:
    found = [one.faces[0].found for one in shown]
    return [face.landmarks for face in found if face is not None]


def test_the_found_points_are_put_right_steadily_and_one_frame_alone_moves_nothing() -> None:
    points = face_points((160, 130), WIDTH)
    low = lifted(points, -0.05)
    shown = shown_with(low, points, necked(points, 50))
    odd = [
        replace(one, faces=(replace(made, picture=np.full_like(made.picture, 0.5)),))
        for one in shown[-1:]
        for made in one.faces
    ]
    chins = Chins()
    moved = chins_of(chins.put_right(shown[:-1])) + chins_of(chins.put_right(odd))
    assert len(moved) == len(shown)
    others = np.delete(np.arange(68), np.arange(68)[CHIN])
    for landmarks in moved:
        np.testing.assert_allclose(landmarks[7:10], points[7:10], atol=0.015 * WIDTH)
        np.testing.assert_array_equal(landmarks[others], low[others])
    lost = replace(shown[0], faces=(replace(shown[0].faces[0], found=None),))
    assert chins.put_right([lost])[0].faces[0].found is None


def test_where_the_finder_is_as_wrong_about_the_clip_nothing_moves() -> None:
    points = face_points((160, 130), WIDTH)
    low = lifted(points, -0.05)
    for landmarks in chins_of(Chins().put_right(shown_with(low, low, necked(points, 50)))):
        np.testing.assert_allclose(landmarks, low, atol=1e-3)


def test_the_chin_is_laid_by_its_shade(monkeypatch: pytest.MonkeyPatch) -> None:
    points = face_points((160, 130), WIDTH)
    shown = shown_with(lifted(points, -0.05), points, necked(points, 50))
    options = SwapOptions(Path("unused"), colour=0.0, sharpen=0.0, grain=0.0, motion_blur=0.0, own_mouth=0.0)

    def error() -> float:
        scene, edit = list(Layer(options).laid(shown))[-1]
        patch = edit.patches[0]
        own = cut(scene.frame, patch.box) / 255
        chin = polygon_mask(points[5:12] - patch.box[:2], own.shape[:2]) > 0.9
        return float(np.abs(patch.picture - own)[chin].mean())

    by_shade = error()
    monkeypatch.setattr(Chins, "put_right", lambda _, few: list(few))
    assert by_shade < 0.6 * error()
