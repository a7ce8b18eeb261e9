"""The 68 points come from the right vertices, and the canonical face is read as it is."""

from __future__ import annotations

import numpy as np
import pytest

from shared.face.landmarks import (
    IBUG_FIRST,
    IBUG_SECOND,
    IBUG_SHARE,
    INNER_LIP,
    LIPS,
    OUTER_LIP,
    OVAL,
    RIGID,
    canonical_face,
    eye_distance,
    landmarks_from_mesh,
    mouth_opening,
)


def test_each_point_lies_between_its_two_vertices() -> None:
    mesh = np.random.default_rng(1).normal(size=(478, 3)).astype(np.float32)
    points = landmarks_from_mesh(mesh)
    for number in range(68):
        one, other, share = mesh[IBUG_FIRST[number]], mesh[IBUG_SECOND[number]], IBUG_SHARE[number]
        np.testing.assert_allclose(points[number], (one * (1 - share) + other * share)[:2], atol=1e-6)


def test_a_stack_of_meshes_gives_a_stack_of_points() -> None:
    meshes = np.random.default_rng(2).normal(size=(3, 478, 3)).astype(np.float32)
    points = landmarks_from_mesh(meshes)
    assert points.shape == (3, 68, 2)
    assert points.dtype == np.float32
    np.testing.assert_array_equal(points[1], landmarks_from_mesh(meshes[1]))


def test_a_mesh_of_the_wrong_shape_is_refused_with_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"468 or 478.*\(68, 2\)"):
        landmarks_from_mesh(np.zeros((68, 2), np.float32))


def test_the_rings_have_no_vertex_twice() -> None:
    assert len(set(LIPS)) == 40
    assert len(set(OVAL)) == 36
    assert len(set(RIGID)) == 27
    assert not set(OUTER_LIP) & set(INNER_LIP)


@pytest.mark.usefixtures("weights")
def test_the_canonical_face_looks_into_the_camera_with_y_up() -> None:
    face = canonical_face()
    assert face.vertices.shape == (468, 3)
    assert face.texture.shape == (468, 2)
    assert face.triangles.shape == (898, 3)
    assert face.triangles.min() == 0
    assert face.triangles.max() == 467
    forehead, chin, nose, right_eye, left_eye = face.vertices[[10, 152, 4, 33, 263]]
    assert forehead[1] > 0 > chin[1]
    assert nose[2] > right_eye[2]
    assert right_eye[0] < 0 < left_eye[0]


@pytest.mark.usefixtures("weights")
def test_the_points_of_the_canonical_face_are_mirror_images() -> None:
    points = canonical_face().landmarks
    mirrored = [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1)]
    for right, left in enumerate(mirrored):
        np.testing.assert_allclose(points[right] * (-1, 1, 1), points[left], atol=0.02)


@pytest.mark.usefixtures("weights")
def test_the_jaw_is_sampled_evenly() -> None:
    jaw = canonical_face().landmarks[:17]
    steps = np.linalg.norm(np.diff(jaw, axis=0), axis=1)
    assert steps.max() / steps.min() < 1.15


def test_opening_is_the_inner_gap_in_eye_distances() -> None:
    points = np.zeros((68, 2), np.float32)
    points[45] = (100, 0)
    assert eye_distance(points) == pytest.approx(100)
    assert mouth_opening(points) == 0
    points[[65, 66, 67], 1] = 20
    assert mouth_opening(points) == pytest.approx(0.2)
