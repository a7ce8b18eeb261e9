"""Geometry of the lay-over: what moves, what stays, and where the texture lands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lipsync.jaw import FOLLOWS, moved_landmarks, texture_maps, with_landmarks
from lipsync.mouth import FreeFace
from lipsync.plane import TexturePlane
from shared.face.landmarks import canonical_face, landmarks_from_mesh
from shared.face.pose import FacePose
from shared.picture.warp import transform
from shared.types import Face, Floats

Points = Callable[[float], Floats]
Poses = Callable[..., FacePose]
Faces = Callable[..., Face]
Frees = Callable[..., FreeFace]


def test_the_face_s_own_mouth_moves_nothing(
    points_of: Points, posed: Poses, face_from: Faces, free_from: Frees
) -> None:
    face, free = face_from(points_of(0.5), posed(15.0)), free_from(points_of(0.5), posed(15.0))
    np.testing.assert_array_equal(moved_landmarks(face, free, points_of(0.5)), face.landmarks)


def test_an_open_mouth_lowers_lip_and_chin_and_leaves_the_rest(
    points_of: Points, posed: Poses, face_from: Faces, free_from: Frees
) -> None:
    pose = posed(0.0, scale=6.0)
    face, free = face_from(points_of(0.0), pose), free_from(points_of(0.0), pose)
    moved = moved_landmarks(face, free, points_of(1.0)) - face.landmarks
    np.testing.assert_allclose(moved[57], [0.0, 6.0], atol=1e-4)
    np.testing.assert_allclose(moved[8], [0.0, 4.8], atol=1e-4)
    np.testing.assert_array_equal(moved[[0, 1, 2, 14, 15, 16, 27, 33, 36, 45]], 0.0)


def test_the_sides_of_the_jaw_do_not_follow_the_footage(
    points_of: Points, posed: Poses, face_from: Faces, free_from: Frees
) -> None:
    wider = points_of(0.0)
    wider[:17, 0] *= 1.2
    moved = moved_landmarks(face_from(points_of(0.0), posed()), free_from(points_of(0.0), posed()), wider)
    np.testing.assert_array_equal(
        moved[[0, 1, 2, 14, 15, 16]], face_from(points_of(0.0), posed()).landmarks[[0, 1, 2, 14, 15, 16]]
    )


def test_a_texture_s_landmarks_land_on_the_wanted_ones(
    points_of: Points, posed: Poses, face_from: Faces, plane: TexturePlane
) -> None:
    pose = posed(10.0)
    shown, wanted = points_of(0.2), face_from(points_of(1.0), pose).landmarks
    box = (20, 50, 140, 150)
    map_x, map_y = texture_maps(plane, pose, shown, wanted, box)
    places = plane.to_texture(shown)
    for k in (8, 51, 57, 66, 48):
        x, y = np.rint(wanted[k]).astype(int) - [box[0], box[1]]
        read = np.array([map_x[y, x], map_y[y, x]])
        # One pixel of the frame is 2/3 of a texture pixel; the pulls are smoothed, and we round to a pixel.
        assert np.linalg.norm(read - places[k]) < 1.2


def test_far_from_the_face_the_texture_lies_as_on_its_plane(
    points_of: Points, posed: Poses, face_from: Faces, plane: TexturePlane
) -> None:
    pose = posed()
    wanted = face_from(points_of(1.0), pose).landmarks
    map_x, map_y = texture_maps(plane, pose, points_of(0.0), wanted, (400, 400, 403, 402))
    expected = transform(plane.texture_from_frame(pose), np.array([[402.0, 401.0]]))
    np.testing.assert_allclose([map_x[1, 2], map_y[1, 2]], expected[0], atol=1e-3)


@pytest.mark.usefixtures("weights")
def test_the_mesh_is_carried_along_and_parts_at_the_lips(posed: Poses) -> None:
    pose = posed(8.0)
    mesh = pose.to_frame(np.concatenate([canonical_face().vertices, np.full((10, 3), 4.0, dtype=np.float32)]))
    face = Face((0, 0, 1, 1), landmarks_from_mesh(mesh), mesh, 1.0)
    wanted = face.landmarks + FOLLOWS[:, np.newaxis] * np.array([0.0, 5.0], dtype=np.float32)
    wanted[[*range(48, 55), *range(60, 65)]] = face.landmarks[[*range(48, 55), *range(60, 65)]]
    made = with_landmarks(face, wanted)
    assert made.mesh is not None
    again = landmarks_from_mesh(made.mesh)
    assert np.linalg.norm(again[48:68] - wanted[48:68], axis=1).max() < 1.0
    assert np.linalg.norm(again[:17] - wanted[:17], axis=1).max() < 1.5
    np.testing.assert_allclose(again[17:48], face.landmarks[17:48], atol=0.6)
    np.testing.assert_array_equal(made.mesh[:, 2], mesh[:, 2])
    np.testing.assert_array_equal(made.landmarks, wanted)


def test_irises_stay_where_lids_fall_over_them(posed: Poses) -> None:
    """Dragged down with the lids they would be a glance downwards to whoever reads them."""
    vertices = np.concatenate([canonical_face().vertices, np.zeros((10, 3), dtype=np.float32)])
    vertices[468:473] = vertices[[33, 133, 159, 145]].mean(axis=0)
    vertices[473:] = vertices[[362, 263, 386, 374]].mean(axis=0)
    mesh = posed(8.0).to_frame(vertices)
    landmarks = landmarks_from_mesh(mesh)
    face = Face((0, 0, 1, 1), landmarks, mesh, 1.0)
    shut = landmarks.copy()
    shut[[37, 38, 43, 44]] = shut[[41, 40, 47, 46]]
    carried = with_landmarks(face, shut).mesh
    assert carried is not None
    np.testing.assert_array_equal(carried[468:], mesh[468:])
    assert carried[159, 1] > mesh[159, 1] + 0.5
