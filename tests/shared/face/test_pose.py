"""Pose is recovered exactly where it is known, with the signs the types promise."""

from __future__ import annotations

import numpy as np
import pytest

from shared.face.pose import FLIP, FacePose, fit_pose, fit_pose_68, rotation_from_angles
from shared.types import Floats

ANGLES = [(0.0, 0.0, 0.0), (20.0, 0.0, 0.0), (0.0, 15.0, 0.0), (0.0, 0.0, 30.0), (-35.0, 12.0, -8.0)]


def shape(count: int) -> Floats:
    return np.random.default_rng(3).normal(scale=4.0, size=(count, 3)).astype(np.float32)


def head(angles: tuple[float, float, float]) -> FacePose:
    return FacePose(11.0, rotation_from_angles(*angles), np.array([320.0, 240.0, -5.0]))


@pytest.mark.parametrize("angles", ANGLES)
def test_a_mesh_made_from_a_pose_gives_that_pose(angles: tuple[float, float, float]) -> None:
    canonical, pose = shape(468), head(angles)
    found = fit_pose(pose.to_frame(canonical), canonical)
    assert found.scale == pytest.approx(pose.scale, rel=1e-5)
    np.testing.assert_allclose(found.rotation, pose.rotation, atol=1e-5)
    np.testing.assert_allclose(found.offset, pose.offset, atol=1e-3)
    assert found.angles_deg == pytest.approx(angles, abs=1e-3)


@pytest.mark.parametrize("angles", ANGLES)
def test_flat_points_give_the_same_pose(angles: tuple[float, float, float]) -> None:
    canonical, pose = shape(68), head(angles)
    found = fit_pose_68(pose.to_frame(canonical)[:, :2], canonical)
    assert found.angles_deg == pytest.approx(angles, abs=1e-2)
    assert found.scale == pytest.approx(pose.scale, rel=1e-4)
    np.testing.assert_allclose(found.offset[:2], pose.offset[:2], atol=1e-2)


def test_a_mirrored_mesh_never_gives_a_reflection() -> None:
    canonical = shape(468)
    found = fit_pose((canonical * (-1, 1, 1)) @ FLIP.astype(np.float32), canonical)
    assert np.linalg.det(found.rotation) == pytest.approx(1.0)


def test_pose_free_coordinates_undo_the_pose() -> None:
    canonical, pose = shape(468), head((25.0, -10.0, 5.0))
    np.testing.assert_allclose(pose.to_face(pose.to_frame(canonical)), canonical, atol=1e-4)


def test_signs_yaw_to_the_picture_s_right_pitch_up_roll_clockwise() -> None:
    nose = np.array([[0.0, 0.0, 5.0]], np.float32)
    chin_to_brow = np.array([[0.0, -5.0, 0.0], [0.0, 5.0, 0.0]], np.float32)
    straight = head((0, 0, 0)).to_frame(nose)[0]
    assert head((20, 0, 0)).to_frame(nose)[0, 0] > straight[0]
    assert head((0, 20, 0)).to_frame(nose)[0, 1] < straight[1]
    chin, brow = head((0, 0, 20)).to_frame(chin_to_brow)
    assert brow[0] > chin[0]


def test_a_plane_at_a_depth_maps_as_the_pose_does() -> None:
    pose = head((30.0, 10.0, -4.0))
    frame_from_plane = pose.frame_from_plane(3.0)
    for x, y in [(0.0, 0.0), (2.0, -1.0), (-4.0, 6.0)]:
        mapped = frame_from_plane @ (x, y, 1.0)
        np.testing.assert_allclose(mapped[:2], pose.to_frame(np.array([[x, y, 3.0]], np.float32))[0, :2], atol=1e-3)
    assert np.linalg.det(pose.frame_from_plane(0.0)[:2, :2]) < 0


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a mesh"):
        fit_pose(np.zeros((478, 2), np.float32), shape(468))
    with pytest.raises(ValueError, match=r"\(68, 2\)"):
        fit_pose_68(np.zeros((5, 2), np.float32), shape(68))
