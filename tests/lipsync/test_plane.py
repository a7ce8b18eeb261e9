"""The texture plane: its window, and the way from a posed frame to it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lipsync.plane import BOTTOM_CM, COARSEST, DEPTH_CM, FINEST, HALF_WIDTH_CM, TOP_CM, TexturePlane, plane_for
from shared.face.pose import FacePose
from shared.picture.warp import transform


def test_the_window_fills_the_texture() -> None:
    plane = TexturePlane(10.0)
    corners = np.array([[-HALF_WIDTH_CM, TOP_CM], [HALF_WIDTH_CM, BOTTOM_CM]], dtype=np.float32)
    height, width = plane.size
    np.testing.assert_allclose(plane.to_texture(corners), [[-0.5, -0.5], [width - 0.5, height - 0.5]], atol=0.51)


@pytest.mark.parametrize("yaw_deg", [-20.0, 0.0, 35.0])
def test_a_point_on_the_plane_is_found_from_any_pose(
    posed: Callable[..., FacePose], plane: TexturePlane, yaw_deg: float
) -> None:
    points = np.array([[0.0, -4.0], [2.5, -6.0], [-5.0, -1.0]], dtype=np.float32)
    pose = posed(yaw_deg)
    deep = np.concatenate([points, np.full((3, 1), DEPTH_CM, dtype=np.float32)], axis=1)
    seen = transform(plane.texture_from_frame(pose), pose.to_frame(deep)[:, :2])
    np.testing.assert_allclose(seen, plane.to_texture(points), atol=1e-3)


def test_the_resolution_is_the_footage_s_within_bounds() -> None:
    scales = np.array([6.0, 7.0, 7.5, 90.0], dtype=np.float32)
    assert plane_for(scales).px_per_cm == pytest.approx(7.25)
    assert plane_for(np.float32(100) * scales).px_per_cm == FINEST
    assert plane_for(np.float32(0.01) * scales).px_per_cm == COARSEST
