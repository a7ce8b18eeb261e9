"""Crop and view: where a face lies in them."""

from __future__ import annotations

import numpy as np
import pytest

from faceswap.align import MEAN_FACE, STEADY, VIEW_SHARE, crop_from_frame, mean_face, view_from_frame
from shared.picture.warp import scale_of, transform
from shared.types import Floats


def placed(angle: float, scale: float, shift: tuple[float, float]) -> Floats:
    """The mean face, turned, scaled and shifted in a frame; points that the fit does not use are zero."""
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points = np.zeros((68, 2), dtype=np.float32)
    points[STEADY] = MEAN_FACE @ turn * scale + shift
    return points


@pytest.mark.parametrize(("angle", "scale"), [(0.0, 10.0), (0.6, 3.0), (-2.5, 40.0)])
def test_the_mean_face_lands_on_its_place_however_it_lay(angle: float, scale: float) -> None:
    points = placed(angle, scale, (313.0, 77.5))
    there = transform(crop_from_frame(points, 256), points)[STEADY]
    assert np.abs(there - mean_face(256)).max() < 1e-2


def test_the_view_is_the_central_part_of_the_crop() -> None:
    points = placed(0.3, 8.0, (100.0, 120.0))
    crop, view = crop_from_frame(points, 256), view_from_frame(points, 160)
    inset = 256 * (1 - VIEW_SHARE) / 2
    spots = np.array([(100.0, 120.0), (90.0, 140.0), (130.0, 60.0)])
    assert np.abs(transform(crop, spots) - inset - transform(view, spots)).max() < 1e-3


def test_a_view_of_other_size_sees_the_same_part() -> None:
    points = placed(0.3, 8.0, (100.0, 120.0))
    small, large = view_from_frame(points, 64), view_from_frame(points, 96)
    assert scale_of(large) / scale_of(small) == pytest.approx(1.5)
    corner = np.linalg.inv(small) @ [-0.5, -0.5, 1.0]
    assert np.abs(transform(large, corner[:2]) - [-0.5, -0.5]).max() < 1e-3


def test_the_face_from_brow_to_chin_fits_into_the_view() -> None:
    brows = mean_face(256)[:10, 1]
    assert brows.min() > 256 * (1 - VIEW_SHARE) / 2
