from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from shared.picture import mask
from shared.types import Floats


def face(size: float = 200.0, x: float = 0.0, y: float = 0.0) -> Floats:
    """A drawn face of 68 points: jaw on a half ellipse, the rest where a face has it."""
    points = np.zeros((68, 2))
    angle = np.linspace(np.pi, 0, 17)
    points[:17] = np.stack([np.cos(angle) * 0.40, 0.02 + np.sin(angle) * 0.45], -1)
    points[17:22] = np.stack([np.linspace(-0.33, -0.08, 5), -0.16 - 0.03 * np.array([0, 1, 1.5, 1, 0])], -1)
    points[22:27] = points[17:22][::-1] * [-1, 1]
    points[27:31] = np.stack([np.zeros(4), np.linspace(-0.08, 0.08, 4)], -1)
    points[31:36] = np.stack([np.linspace(-0.07, 0.07, 5), np.full(5, 0.13)], -1)
    ring = np.linspace(np.pi, 3 * np.pi, 7)[:-1]  # 36 and 45 are the outer corners
    for first, centre in ((36, -0.18), (42, 0.18)):
        points[first : first + 6] = np.stack([centre + np.cos(ring) * 0.06, -0.06 + np.sin(ring) * 0.025], -1)
    lip = np.linspace(np.pi, 3 * np.pi, 13)[:-1]
    points[48:60] = np.stack([np.cos(lip) * 0.14, 0.25 + np.sin(lip) * 0.06], -1)
    lip = np.linspace(np.pi, 3 * np.pi, 9)[:-1]
    points[60:68] = np.stack([np.cos(lip) * 0.1, 0.25 + np.sin(lip) * 0.02], -1)
    return ((points + 0.5) * size + [x, y]).astype(np.float32)


def disc(radius: float, size: int = 161) -> Floats:
    angle = np.linspace(0, 2 * np.pi, 181)[:-1]
    centre = (size - 1) / 2
    return mask.polygon_mask(np.stack([np.cos(angle), np.sin(angle)], -1) * radius + centre, (size, size))


def test_a_polygon_covers_its_own_area_and_place() -> None:
    triangle = np.array([[10.3, 12.0], [90.7, 25.2], [40.1, 88.8]])
    drawn = mask.polygon_mask(triangle, (100, 110))
    x, y = triangle.T
    area = 0.5 * abs(x @ np.roll(y, 1) - y @ np.roll(x, 1))
    assert drawn.sum() == pytest.approx(area, rel=0.015)
    ys, xs = np.mgrid[:100, :110]
    np.testing.assert_allclose([(xs * drawn).sum(), (ys * drawn).sum()] / drawn.sum(), triangle.mean(0), atol=0.1)


def test_several_polygons_cover_what_any_of_them_does() -> None:
    first, second = (np.array([[10.0, 12.0], [60.0, 20.0], [30.0, 70.0]]) + shift for shift in (0.0, 14.5))
    both = mask.polygon_mask(first, (100, 110), second)
    one, other = (mask.polygon_mask(corners, (100, 110)) for corners in (first, second))
    assert np.all(both >= np.maximum(one, other))
    np.testing.assert_array_equal(both > 0, (one > 0) | (other > 0))
    np.testing.assert_array_equal(mask.polygon_mask(first, (100, 110), first + 500.0), one)


def test_a_polygon_glides_with_fractions_of_a_pixel() -> None:
    square = np.array([[20.0, 20.0], [60.0, 20.0], [60.0, 60.0], [20.0, 60.0]])
    centres = []
    for shift in np.arange(5) * 0.25:
        drawn = mask.polygon_mask(square + np.array([shift, 0.0]), (80, 80))
        centres.append(float((drawn * np.arange(80)).sum() / drawn.sum()))
    np.testing.assert_allclose(np.diff(centres), 0.25, atol=0.02)


def test_one_step_of_erosion_equals_scipy() -> None:
    soft = ndimage.gaussian_filter(disc(30.0, 101), 2.0).astype(np.float32)
    np.testing.assert_allclose(mask.erode(soft, 1.0), ndimage.grey_erosion(soft, footprint=mask.CROSS, mode="constant"))
    np.testing.assert_allclose(
        mask.erode(soft, -1.0), ndimage.grey_dilation(soft, footprint=mask.CROSS, mode="constant")
    )


@pytest.mark.parametrize("px", [3.0, 7.5, 20.0, -6.0, -15.0])
def test_erosion_moves_the_edge_by_the_pixels_asked(px: float) -> None:
    radius = np.sqrt(mask.erode(disc(45.0), px).sum() / np.pi)
    assert radius == pytest.approx(45.0 - px, abs=0.35 + 0.06 * abs(px))


def test_erosion_counts_the_outside_of_the_crop_as_empty() -> None:
    full = np.ones((40, 50), dtype=np.float32)
    assert mask.erode(full, 5.0)[5:-5, 5:-5].min() == 1
    assert mask.erode(full, 5.0)[:5].max() == 0


@pytest.mark.parametrize("px", [0.0, 1.0, 4.0, 15.0, 40.0, 500.0])
@pytest.mark.parametrize("size", [(64, 64), (65, 90), (11, 7), (256, 200)])
def test_a_feathered_mask_is_exactly_zero_on_the_border(px: float, size: tuple[int, int]) -> None:
    soft = mask.feather(np.ones(size, dtype=np.float32), px)
    assert soft.dtype == np.float32
    assert max(soft[0].max(), soft[-1].max(), soft[:, 0].max(), soft[:, -1].max()) == 0.0
    assert soft.max() > 0.99
    assert soft.min() >= 0
    assert soft.max() <= 1


def test_a_full_mask_falls_softly_towards_the_border_too() -> None:
    soft = mask.feather(np.ones((80, 90), dtype=np.float32), 16.0)
    assert np.abs(np.diff(soft, axis=0)).max() < 0.2
    assert np.abs(np.diff(soft, axis=1)).max() < 0.2


def test_feather_keeps_the_edge_in_place_and_has_the_width_asked() -> None:
    hard = np.zeros((100, 120), dtype=np.float32)
    hard[:, :60] = 1
    row = mask.feather(hard, 20.0)[50]
    assert row[59] + row[60] == pytest.approx(1.0, abs=1e-5)
    assert row[49] == 1.0
    assert row[70] == 0.0
    assert 0 < row[68] < row[62] < row[56] < 1
    assert np.all(np.diff(row[30:]) <= 1e-7)


def test_feather_equals_three_slow_box_averages() -> None:
    hard = disc(40.0)
    slow = hard.astype(np.float64)
    for radius in (3, 3, 2):
        slow = ndimage.uniform_filter(slow, 2 * radius + 1, mode="constant")
    np.testing.assert_allclose(mask.feather(hard, 16.0), slow, atol=2e-5)


def test_the_hull_holds_every_landmark_but_no_forehead() -> None:
    points = face(200)
    hull = mask.erode(mask.hull_mask(points, (200, 200)), -1.5)
    assert all(hull[round(float(y)), round(float(x))] > 0.5 for x, y in points)
    assert hull[30, 100] == 0


def test_the_extended_hull_reaches_above_the_brows_only() -> None:
    points = face(200)
    plain, extended = mask.hull_mask(points, (200, 200)), mask.extended_hull(points, (200, 200))
    assert np.all(extended >= plain - 1e-6)
    brow_top = int(points[17:27, 1].min())
    assert extended[brow_top - 8, 100] == 1
    assert plain[brow_top - 8, 100] == 0
    np.testing.assert_allclose(extended[130:], plain[130:], atol=1e-6)


def test_the_mouth_mask_grows_about_the_lips() -> None:
    points = face(200)
    small, large = mask.mouth_mask(points, (200, 200)), mask.mouth_mask(points, (200, 200), grow=1.5)
    assert large.sum() / small.sum() == pytest.approx(2.25, rel=0.05)


@pytest.mark.parametrize("degrees", [0.0, 25.0, -40.0])
def test_the_lower_face_covers_jaw_and_chin_and_nothing_above_the_nose_base(degrees: float) -> None:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    points = (face(200) - 100) @ np.array([[c, s], [-s, c]]) + 150
    drawn = mask.lower_face_mask(points, (300, 300))
    for x, y in points[[*range(6, 11), *range(48, 68)]]:
        assert drawn[round(float(y)), round(float(x))] == 1
    below_chin = points[8] + (points[8] - points[33]) * 0.1
    assert drawn[round(float(below_chin[1])), round(float(below_chin[0]))] == 1
    for x, y in points[[*range(17, 36), 36, 45, 0, 16]]:
        assert drawn[round(float(y)), round(float(x))] == 0


def test_beside_the_jaw_the_background_stays_outside_the_lower_face() -> None:
    points = face(200)
    edge = mask.lower_face_outline(points)
    assert edge[:, 1].max() > points[8, 1] + 3
    assert points[33, 1] < edge[:, 1].min() < points[51, 1]
    middle = points[48:60].mean(axis=0)
    for near_ear in (2, 3, 4):
        assert np.linalg.norm(edge[near_ear - 2] - middle) < np.linalg.norm(points[near_ear] - middle)


def test_a_jaw_widened_by_nothing_stays() -> None:
    points = face(200)
    np.testing.assert_allclose(mask.widened_jaw(points, np.zeros(17)), points[:17], atol=1e-5)
    with pytest.raises(ValueError, match="fall together"):
        mask.widened_jaw(np.ones((68, 2)), np.zeros(17))


def test_wrong_shapes_are_told() -> None:
    with pytest.raises(ValueError, match=r"\(68, 2\)"):
        mask.hull_mask(np.zeros((5, 2)), (10, 10))
    with pytest.raises(ValueError, match="float32"):
        mask.feather(np.zeros((5, 5, 3), dtype=np.float32), 2.0)
    with pytest.raises(ValueError, match="N >= 3"):
        mask.polygon_mask(np.zeros((2, 2)), (10, 10))
