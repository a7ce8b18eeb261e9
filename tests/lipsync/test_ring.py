"""The lip vertices between iBUG's points, where a face has no mesh."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lipsync.mouth import free_face
from lipsync.ring import BETWEEN, between
from shared.face.landmarks import IBUG_FROM_MESH, LIPS, canonical_face, landmarks_from_mesh
from shared.face.pose import FacePose
from shared.types import Face, Floats


def test_they_are_all_lip_vertices_that_are_no_ibug_point() -> None:
    assert set(BETWEEN) == set(LIPS) - set(IBUG_FROM_MESH[48:].tolist())
    assert len(BETWEEN) == 20


@pytest.mark.usefixtures("weights")
def test_the_canonical_face_has_them_where_its_mesh_has() -> None:
    canonical = canonical_face()
    there = canonical.vertices[list(BETWEEN), :2]
    np.testing.assert_allclose(between(canonical.landmarks[:, :2]), there, atol=0.01)


@pytest.mark.usefixtures("weights")
def test_a_mesh_s_own_vertices_are_taken(posed: Callable[..., FacePose]) -> None:
    vertices = canonical_face().vertices.copy()
    vertices[BETWEEN[3], :2] += 0.3
    mesh = posed(15.0, scale=9.0).to_frame(vertices)
    free = free_face(Face((0, 0, 1, 1), landmarks_from_mesh(mesh), mesh, 1.0))
    np.testing.assert_allclose(free.between, vertices[list(BETWEEN), :2], atol=1e-3)


def test_they_follow_the_points_beside_them(points_of: Callable[[float], Floats]) -> None:
    shut, wide = (between(points_of(gap)) for gap in (0.0, 1.0))
    assert (wide <= shut + 1e-6).all()
    lowered = (shut - wide)[:, 1]
    assert lowered[BETWEEN.index(178)] > 0.5  # near the middle of the lower inner lip
    np.testing.assert_array_equal(lowered[[BETWEEN.index(upper) for upper in (80, 81, 310, 311)]], 0.0)
