"""Where a made face's chin ends, by its shade."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from faceswap.chin import CHIN, Chins, shade_line
from faceswap.view import Made, Shown, look_at
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
    assert not shade_line(necked(points, shade, band), lifted(points, -0.04)).any()


def test_the_found_points_are_put_right_steadily_and_one_frame_alone_moves_nothing() -> None:
    points = face_points((160, 130), WIDTH)
    frame = frame_of(np.asarray(np.rint(necked(points, 50) * 255), dtype=np.uint8))
    view = look_at(frame, face_of(points), 256, "head")
    low = face_of(lifted(points, -0.05))
    made = Made(view, view.picture, found=low)
    odd = replace(made, picture=np.full_like(view.picture, 0.5))
    scene = Scene(frame, (view.face,))
    shown = [Shown(replace(scene, frame=replace(frame, pts=number)), (made,)) for number in range(8)]
    chins = Chins()
    first = chins.put_right(shown)
    after = chins.put_right([Shown(replace(scene, frame=replace(frame, pts=8)), (odd,))])
    for one in (*first, *after):
        found = one.faces[0].found
        assert found is not None
        np.testing.assert_allclose(found.landmarks[CHIN], points[CHIN], atol=0.015 * WIDTH)
        others = np.delete(np.arange(68), np.arange(68)[CHIN])
        np.testing.assert_array_equal(found.landmarks[others], low.landmarks[others])
    lost = chins.put_right([Shown(scene, (replace(made, found=None),))])
    assert lost[0].faces[0].found is None
