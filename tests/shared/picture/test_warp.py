from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from shared.picture import warp
from shared.types import Floats, Matrix


def turned(scale: float, degrees: float, shift: tuple[float, float]) -> Matrix:
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[c, -s, shift[0]], [s, c, shift[1]], [0, 0, 1]], dtype=np.float64)


def noise(seed: int, *shape: int) -> Floats:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def test_similarity_recovers_a_known_transform() -> None:
    known = turned(1.7, 33.0, (12.5, -40.0))
    points = noise(0, 20, 2) * 100
    found = warp.similarity(points, points.astype(np.float64) @ known[:2, :2].T + known[:2, 2])
    np.testing.assert_allclose(found, known, atol=1e-9)


def test_similarity_equals_umeyama_on_noisy_points() -> None:
    rng = np.random.default_rng(1)
    old = rng.normal(size=(30, 2)) * 50
    new = old @ turned(0.6, -70, (0, 0))[:2, :2].T + rng.normal(size=(30, 2)) * 5 + 9
    old_c, new_c = old - old.mean(0), new - new.mean(0)
    u, d, vt = np.linalg.svd(new_c.T @ old_c / len(old))
    sign = np.diag([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ sign @ vt
    scale = np.trace(np.diag(d) @ sign) / old_c.var(axis=0).sum()
    found = warp.similarity(old, new)
    np.testing.assert_allclose(found[:2, :2], scale * rotation, atol=1e-9)
    np.testing.assert_allclose(found[:2, 2], new.mean(0) - scale * rotation @ old.mean(0), atol=1e-9)


def test_similarity_never_returns_a_reflection() -> None:
    points = noise(2, 12, 2) * 80
    found = warp.similarity(points, points * np.array([-1.0, 1.0]))
    assert np.linalg.det(found[:2, :2]) >= 0


def test_similarity_leaves_out_points_of_no_weight() -> None:
    known = turned(2.0, 10.0, (1.0, 2.0))
    old = noise(3, 10, 2) * 100
    new = warp.transform(known, old).astype(np.float64)
    new[0] += 500
    weights = np.ones(10)
    weights[0] = 0
    np.testing.assert_allclose(warp.similarity(old, new, weights), known, atol=1e-4)


def test_affine_recovers_a_known_transform() -> None:
    known = np.array([[1.2, 0.4, 5.0], [-0.3, 0.8, 700.0], [0, 0, 1]])
    old = noise(4, 9, 2) * 100 + 1000
    found = warp.affine(old, old.astype(np.float64) @ known[:2, :2].T + known[:2, 2])
    np.testing.assert_allclose(found, known, atol=1e-6)


def test_points_on_one_line_have_no_affine_map() -> None:
    line = np.stack([np.arange(5.0), np.arange(5.0) * 2], axis=1)
    with pytest.raises(ValueError, match="one line"):
        warp.affine(line, line)
    with pytest.raises(ValueError, match="different points"):
        warp.similarity(np.ones((4, 2)), np.ones((4, 2)))
    with pytest.raises(ValueError, match="finite"):
        warp.similarity(np.array([[0.0, 0.0], [np.nan, 1.0]]), np.ones((2, 2)))


def test_scale_is_that_of_the_similarity() -> None:
    assert warp.scale_of(turned(0.37, 123, (4, 5))) == pytest.approx(0.37)


def test_a_box_holds_its_points_and_grows_about_their_centre() -> None:
    assert warp.box_around([[10.0, 20.0], [30.0, 25.5]]) == (10, 20, 31, 27)
    assert warp.box_around([[10.0, 20.0], [30.0, 40.0]], grow=2.0) == (0, 10, 41, 51)


def test_a_warp_equals_slow_spline_interpolation() -> None:
    picture = noise(5, 40, 50)
    out_from_in = turned(1.3, 25, (-5.3, 8.1))
    size = (45, 60)
    ys, xs = np.mgrid[: size[0], : size[1]].astype(np.float64)
    places = warp.transform(warp.invert(out_from_in), np.stack([xs, ys], -1)).astype(np.float64)
    slow = ndimage.map_coordinates(picture, [places[..., 1], places[..., 0]], order=1, mode="nearest")
    np.testing.assert_allclose(warp.warp_picture(picture, out_from_in, size), slow, atol=2e-4)
    np.testing.assert_allclose(
        warp.piecewise_warp(picture, *np.moveaxis(places, -1, 0).astype(np.float32)), slow, atol=2e-4
    )


def test_zero_border_is_zero_far_outside() -> None:
    picture = np.full((10, 10, 3), 200, dtype=np.uint8)
    away = turned(1.0, 0.0, (50.0, 0.0))
    assert warp.warp_picture(picture, away, (10, 20), border="zero").max() == 0
    assert warp.warp_picture(picture, away, (10, 20)).min() == 200


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("tail", [(), (1,), (3,)])
def test_dtype_and_axes_are_kept(dtype: type, tail: tuple[int, ...]) -> None:
    picture: Floats = np.ones((20, 24, *tail), dtype=dtype)
    assert warp.warp_picture(picture, np.eye(3), (8, 9)).shape == (8, 9, *tail)
    for made in (warp.resize(picture, (7, 5)), warp.gaussian(picture, 1.5)):
        assert made.dtype == dtype
        assert made.shape[2:] == tail
        np.testing.assert_allclose(made, 1, atol=1e-6)


def test_a_strong_shrink_averages_instead_of_skipping() -> None:
    stripes = np.zeros((256, 256), dtype=np.float32)
    stripes[:, ::2] = 1.0
    small = warp.warp_picture(stripes, turned(0.125, 0, (0, 0)), (30, 30))
    np.testing.assert_allclose(small[2:-2, 2:-2], 0.5, atol=0.02)


def test_a_shrunk_point_lands_where_its_matrix_says() -> None:
    ys, xs = np.mgrid[:200, :300].astype(np.float32)
    blob = np.exp(-((xs - 171.3) ** 2 + (ys - 83.7) ** 2) / (2 * 12.0**2)).astype(np.float32)
    for matrix, small in (
        (turned(0.2, 15, (7, 3)), warp.warp_picture(blob, turned(0.2, 15, (7, 3)), (80, 80))),
        (warp.resize_matrix((200, 300), (50, 100)), warp.resize(blob, (50, 100))),
    ):
        ys2, xs2 = np.mgrid[: small.shape[0], : small.shape[1]]
        centre = np.array([(xs2 * small).sum(), (ys2 * small).sum()]) / small.sum()
        np.testing.assert_allclose(centre, warp.transform(matrix, [171.3, 83.7]), atol=0.05)


def test_gaussian_equals_scipy() -> None:
    picture = noise(6, 60, 70)
    slow = ndimage.gaussian_filter(picture, 2.5, mode="nearest", truncate=6)
    np.testing.assert_allclose(warp.gaussian(picture, 2.5), slow, atol=2e-4)


def test_laplacian_variance_equals_scipy_and_falls_with_blur() -> None:
    picture = noise(7, 50, 50)
    assert warp.laplacian_variance(picture) == pytest.approx(np.var(ndimage.laplace(picture, mode="mirror")), rel=1e-4)
    assert warp.laplacian_variance(warp.gaussian(picture, 1.0)) < 0.1 * warp.laplacian_variance(picture)


def test_samples_survive_the_round_trip_to_floats() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(warp.to_uint8(warp.to_float(every)), every)
    assert warp.to_float(np.array([[65535]], dtype=np.uint16))[0, 0] == pytest.approx(1.0)
    assert warp.to_uint8(np.array([[-3.0, 7.0]], dtype=np.float32)).tolist() == [[0, 255]]


def test_grey_weighs_green_most() -> None:
    picture = np.eye(3, dtype=np.float32)[np.newaxis]
    np.testing.assert_allclose(warp.grey_of(picture)[0], [0.299, 0.587, 0.114], atol=1e-5)


def test_sixteen_bits_become_the_nearest_eight_and_eight_stay() -> None:
    deep = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(warp.eight_bit(deep), np.rint(deep / 257.0).astype(np.uint8))
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(warp.eight_bit(every), every)
    np.testing.assert_array_equal(warp.eight_bit(every.astype(np.uint16) * 257), every)
    with pytest.raises(ValueError, match="expected uint8 or uint16, got float32"):
        warp.eight_bit(noise(1, 4, 4))  # type: ignore[arg-type]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_enlarging_keeps_planes_and_the_place_and_sharpness_of_edges(times: int) -> None:
    rows, columns = np.indices((12, 12), dtype=np.float32)
    plane = (0.02 * rows + 0.03 * columns + 0.1).astype(np.float32)
    fine = (np.arange(12 * times, dtype=np.float32) + 0.5) / times - 0.5
    inside = slice(3 * times, -3 * times)
    wanted = 0.02 * fine[:, None] + 0.03 * fine + 0.1
    assert np.abs(warp.enlarge(plane, times) - wanted)[inside, inside].max() < 5e-3
    edge = np.repeat((columns >= 6).astype(np.float32)[..., None], 3, axis=2)
    large = warp.enlarge(edge, times)
    assert large.shape == (12 * times, 12 * times, 3)
    line = large[6 * times, :, 0]
    assert int(np.argmax(line > 0.5)) == 6 * times
    assert np.diff(line).max() >= np.diff(warp.resize(edge, large.shape[:2])[6 * times, :, 0]).max() - 1e-6
    with pytest.raises(ValueError, match="at least 1"):
        warp.enlarge(edge, 0)
