"""Mouth shapes: the basis against a plain SVD, openings, and freedom from the head's pose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lipsync.jaw import FOLLOWS
from lipsync.mouth import (
    JAW_POINTS,
    LAYOUTS,
    LIP_POINTS,
    LIPS,
    MOUTH,
    aperture_cm,
    fit_basis,
    free_face,
    mouths_of,
)
from lipsync.plane import TexturePlane
from lipsync.ring import between
from shared.face.landmarks import canonical_face, landmarks_from_mesh
from shared.face.pose import FacePose
from shared.picture.warp import transform
from shared.types import Face, Floats


def some_lips(count: int = 200, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((8, 36))
    return (rng.standard_normal((count, 8)) @ mixing + rng.standard_normal(36)).astype(np.float32)


def test_the_basis_is_that_of_a_plain_svd() -> None:
    lips = some_lips()
    basis = fit_basis(lips)
    _, values, rows = np.linalg.svd(lips - lips.mean(axis=0), full_matrices=False)
    overlap = np.abs(np.einsum("kd,kd->k", basis.components[:8], rows[:8]))
    np.testing.assert_allclose(overlap, 1.0, atol=1e-3)
    spread = basis.encode(lips).std(axis=0)
    np.testing.assert_allclose(spread[:8], values[:8] / np.sqrt(len(lips)), rtol=1e-3)


def test_what_twenty_coefficients_hold_comes_back() -> None:
    lips = some_lips()
    basis = fit_basis(lips)
    assert basis.encode(lips).shape == (200, 20)
    np.testing.assert_allclose(basis.decode(basis.encode(lips)), lips, atol=1e-3)


def test_a_single_mouth_gives_a_basis() -> None:
    lips = some_lips(1)
    basis = fit_basis(lips)
    np.testing.assert_allclose(basis.components @ basis.components.T, np.eye(20), atol=1e-5)
    np.testing.assert_allclose(basis.decode(basis.encode(lips)), lips, atol=1e-4)


def some_mouths(points_of: Callable[[float], Floats], count: int = 300) -> Floats:
    rng = np.random.default_rng(1)
    points = np.array([points_of(gap) for gap in rng.uniform(0.0, 2.0, count)])
    points += rng.normal(0.0, 0.02, points.shape).astype(np.float32)
    return mouths_of(points, between(points))


def test_a_layout_that_tells_more_has_the_paper_s_shapes(points_of: Callable[[float], Floats]) -> None:
    mouths = some_mouths(points_of)
    paper, default = (fit_basis(mouths, LAYOUTS[name]) for name in ("paper", "default"))
    np.testing.assert_array_equal(paper.components, fit_basis(mouths[:, :LIPS]).components)
    np.testing.assert_array_equal(default.components[:, :LIPS], paper.components)
    shapes = default.encode(mouths)
    np.testing.assert_array_equal(shapes, paper.encode(mouths))
    np.testing.assert_allclose(default.lips(shapes), paper.decode(shapes), atol=1e-6)
    assert default.decode(shapes).shape == (300, MOUTH)


def test_other_points_are_told_by_the_lips_as_by_least_squares(points_of: Callable[[float], Floats]) -> None:
    mouths = some_mouths(points_of)
    basis = fit_basis(mouths, MOUTH)
    shapes = basis.encode(mouths)
    told = np.column_stack([shapes, np.ones(len(shapes))])
    wanted = told @ np.linalg.lstsq(told, mouths[:, LIPS:], rcond=None)[0]
    np.testing.assert_allclose(basis.decode(shapes)[:, LIPS:], wanted, atol=2e-3)


def test_the_jaw_of_a_mouth_is_what_follows_it() -> None:
    assert np.flatnonzero(FOLLOWS[:17]).tolist() == list(JAW_POINTS)


def test_the_opening_is_the_mean_inner_gap(points_of: Callable[[float], Floats]) -> None:
    lips = np.array([points_of(gap)[list(LIP_POINTS)].reshape(-1) for gap in (0.0, 0.5, 2.0)])
    np.testing.assert_allclose(aperture_cm(lips), [0.0, 0.5, 2.0], atol=1e-5)


def test_wrong_lips_are_refused() -> None:
    with pytest.raises(ValueError, match="36"):
        fit_basis(np.zeros((5, 40), dtype=np.float32))


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize("yaw_deg", [-25.0, 0.0, 18.0])
def test_a_mesh_loses_its_pose(posed: Callable[..., FacePose], yaw_deg: float) -> None:
    canonical = canonical_face().vertices
    pose = posed(yaw_deg, scale=9.0, centre=(200.0, 150.0))
    mesh = pose.to_frame(canonical)
    face = Face((0, 0, 1, 1), landmarks_from_mesh(mesh), mesh, 1.0)
    np.testing.assert_allclose(free_face(face).points, landmarks_from_mesh(canonical), atol=1e-3)


@pytest.mark.usefixtures("weights")
def test_flat_points_lose_their_pose_too(posed: Callable[..., FacePose]) -> None:
    canonical = canonical_face().landmarks
    pose = posed(12.0, scale=9.0, centre=(200.0, 150.0))
    face = Face((0, 0, 1, 1), pose.to_frame(canonical)[:, :2], None, 1.0)
    free = free_face(face)
    assert free.pose.scale == pytest.approx(9.0, rel=1e-3)
    np.testing.assert_allclose(free.points, canonical[:, :2], atol=0.02)


@pytest.mark.usefixtures("weights")
def test_flat_places_are_where_the_texture_shows_the_landmarks(
    posed: Callable[..., FacePose], plane: TexturePlane
) -> None:
    canonical = canonical_face().vertices
    mesh = posed(20.0).to_frame(canonical)
    face = Face((0, 0, 1, 1), landmarks_from_mesh(mesh), mesh, 1.0)
    free = free_face(face)
    expected = transform(plane.texture_from_frame(free.pose), face.landmarks)
    np.testing.assert_allclose(plane.to_texture(free.flat), expected, atol=1e-2)
