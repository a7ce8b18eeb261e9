"""A face between two others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shared.face.between import face_between
from tests.shared.face.staged import face_at

MESH = np.random.default_rng(0).normal(size=(478, 3)).astype(np.float32)


def test_points_box_and_pose_are_on_the_way_all_else_is_the_first_one_s() -> None:
    first = replace(face_at(40, 30, track=3), mesh=MESH, pose_deg=(0.0, 4.0, -2.0), sharpness=10.0)
    second = replace(face_at(48, 30, track=7), mesh=MESH + 8, pose_deg=(8.0, 0.0, 2.0), sharpness=30.0)
    found = face_between(first, second, 0.25)
    np.testing.assert_allclose(found.landmarks, first.landmarks + np.array([2, 0]), atol=1e-5)
    assert found.mesh is not None
    np.testing.assert_allclose(found.mesh, MESH + 2, atol=1e-5)
    assert found.landmarks.dtype == found.mesh.dtype == np.float32
    assert found.box == pytest.approx((12.0, 0.0, 72.0, 60.0))
    assert found.pose_deg == pytest.approx((2.0, 3.0, -1.0))
    assert (found.track, found.sharpness) == (3, 15.0)


def test_a_mesh_that_one_face_lacks_is_not_made_up() -> None:
    assert face_between(face_at(40, 30), replace(face_at(48, 30), mesh=MESH), 0.5).mesh is None
