from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from shared.metrics import picture as measure
from shared.types import Floats


def noise(seed: int, *shape: int) -> Floats:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def scene(size: int = 96) -> Floats:
    """A smooth picture with some texture, in RGB."""
    ys, xs = np.mgrid[:size, :size] / size
    base = np.stack([0.5 + 0.06 * np.sin(5 * xs + 2 * ys), 0.4 + 0.04 * np.cos(7 * ys), 0.5 + 0.05 * xs], axis=-1)
    return np.asarray(base + (noise(99, size, size, 1) - 0.5) * 0.06, dtype=np.float32)


def square_mask(size: int = 96, soft: float = 1.5) -> Floats:
    mask = np.zeros((size, size), dtype=np.float32)
    mask[24:72, 24:72] = 1
    return np.asarray(ndimage.gaussian_filter(mask, soft), dtype=np.float32)


def test_psnr_of_a_constant_error_is_its_size_in_decibels() -> None:
    picture = np.full((10, 12, 3), 0.5, dtype=np.float32)
    assert measure.psnr(picture + np.float32(0.1), picture) == pytest.approx(20.0, abs=1e-4)
    assert measure.psnr(picture, picture) == float("inf")
    grey = np.full((8, 8), 100, dtype=np.uint8)
    assert measure.psnr(grey, grey + np.uint8(1)) == pytest.approx(20 * np.log10(255), abs=1e-4)


def test_psnr_looks_only_inside_the_mask() -> None:
    made = np.zeros((10, 10, 3), dtype=np.float32)
    made[:5] = 1.0
    mask = np.zeros((10, 10), dtype=np.float32)
    mask[5:] = 1
    assert measure.psnr(made, np.zeros_like(made), mask) == float("inf")
    with pytest.raises(ValueError, match="something in it"):
        measure.psnr(made, made, mask * 0)


def test_ssim_equals_a_slow_loop_over_windows() -> None:
    first = noise(0, 24, 26)
    second = np.clip(first + (noise(1, 24, 26) - 0.5) * 0.4, 0, 1)
    offsets = np.arange(-5, 6)
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    kernel = np.outer(line, line) / np.outer(line, line).sum()
    scores = []
    for y in range(5, 19):
        for x in range(5, 21):
            a, b = (p[y - 5 : y + 6, x - 5 : x + 6].astype(np.float64) for p in (first, second))
            ma, mb = (kernel * a).sum(), (kernel * b).sum()
            va, vb = (kernel * (a - ma) ** 2).sum(), (kernel * (b - mb) ** 2).sum()
            cov = (kernel * (a - ma) * (b - mb)).sum()
            top = (2 * ma * mb + 0.01**2) * (2 * cov + 0.03**2)
            scores.append(top / ((ma**2 + mb**2 + 0.01**2) * (va + vb + 0.03**2)))
    assert measure.ssim(first, second) == pytest.approx(float(np.mean(scores)), abs=1e-6)
    assert measure.ssim(first, first) == pytest.approx(1.0)


def test_ssim_of_a_part_sees_only_that_part() -> None:
    first = scene()
    second = first.copy()
    second[:40] = noise(2, 40, 96, 3)
    low = np.zeros((96, 96), dtype=np.float32)
    low[60:] = 1
    assert measure.ssim(second, first, low) == pytest.approx(1.0)
    assert measure.ssim(second, first) < 0.8


def test_one_sample_changed_outside_is_found() -> None:
    planes = (np.zeros((8, 8), dtype=np.uint8), np.zeros((4, 4), dtype=np.uint8))
    made = tuple(plane.copy() for plane in planes)
    made[0][2, 2], made[1][3, 3] = 90, 7
    inside = (np.zeros((8, 8), dtype=bool), np.zeros((4, 4), dtype=bool))
    inside[0][:5, :5] = True
    assert measure.largest_difference_outside(made, planes, inside) == 7
    inside[1][3, 3] = True
    assert measure.largest_difference_outside(made, planes, inside) == 0


def test_blur_lowers_the_sharpness_and_equality_is_one() -> None:
    picture = scene()
    blurred = np.asarray(ndimage.gaussian_filter(picture, (1.0, 1.0, 0)), dtype=np.float32)
    assert measure.sharpness_ratio(picture, picture) == pytest.approx(1.0)
    assert measure.sharpness_ratio(blurred, picture) < 0.3
    assert measure.sharpness_ratio(blurred, picture, square_mask()) < 0.3


def test_the_edge_of_a_mask_is_not_detail() -> None:
    step = np.zeros((96, 96), dtype=np.float32)
    step[24:72, 24:72] = 0.8
    made = step + noise(3, 96, 96) * 0.01
    mask = np.zeros((96, 96), dtype=np.float32)
    mask[24:72, 24:72] = 1
    assert measure.sharpness_ratio(made, noise(3, 96, 96) * 0.01, mask) == pytest.approx(1.0, rel=1e-3)


def test_the_spectrum_tells_which_octave_is_lost() -> None:
    rng = np.random.default_rng(4)
    picture = rng.normal(0, 0.1, (128, 128)).astype(np.float32) + 0.5
    spectrum = np.fft.fft2(picture)
    radius = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128)[None])
    band = (radius > 0.125) & (radius <= 0.25)
    weaker = np.fft.ifft2(np.where(band, spectrum * 0.5, spectrum)).real.astype(np.float32)
    found = measure.spectrum_ratio_db(weaker, picture)
    np.testing.assert_allclose(found, [0.0, -6.02, 0.0, 0.0], atol=0.35)
    assert measure.octave_edges(len(found))[1] == (0.125, 0.25)
    assert measure.spectrum_ratio_db(picture * 2, picture) == pytest.approx(6.02, abs=0.01)


def test_flicker_is_the_distance_from_the_neighbours_mean() -> None:
    still = [np.full((6, 6, 3), 0.5, dtype=np.float32)] * 5
    blinking = [np.full((6, 6, 3), 0.5 + 0.1 * (t % 2), dtype=np.float32) for t in range(5)]
    fading = [np.full((6, 6, 3), 0.1 * t, dtype=np.float32) for t in range(5)]
    assert measure.flicker(iter(still)) == 0
    assert measure.flicker(blinking) == pytest.approx(0.1, abs=1e-6)
    assert measure.flicker(fading) == pytest.approx(0.0, abs=1e-6)
    assert measure.flicker_ratio(blinking, [p * 0.5 for p in blinking]) == pytest.approx(2.0, abs=1e-4)
    with pytest.raises(ValueError, match="three frames"):
        measure.flicker(still[:2])


def test_a_patch_of_other_brightness_shows_a_seam_and_a_step_of_colour() -> None:
    real, mask = scene(), square_mask()
    shifted = np.clip(real + np.array([0.1, 0.02, -0.05], dtype=np.float32), 0, 1)
    made = mask[..., None] * shifted + (1 - mask[..., None]) * real
    assert measure.seam_gradient_ratio(real, real, mask) == pytest.approx(1.0)
    assert measure.seam_gradient_ratio(made, real, mask) > 4
    assert measure.colour_step(made, mask) > measure.colour_step(real, mask) + 5


def test_errors_of_opposite_sign_around_the_seam_do_not_cancel() -> None:
    mask = square_mask()
    tilt = np.linspace(-0.1, 0.1, 96, dtype=np.float32)[None, :, None]
    flat = np.full((96, 96, 3), 0.5, dtype=np.float32)
    made = flat + np.where(mask[..., None] > 0.5, tilt, np.float32(0))
    inside, outside = made[30:66, 30:66].mean(), flat.mean()
    assert abs(inside - outside) < 0.01
    assert measure.colour_step(made, mask) > 2.0


def test_sizes_that_differ_are_told() -> None:
    with pytest.raises(ValueError, match="one"):
        measure.psnr(noise(5, 4, 4), noise(5, 4, 5))
    with pytest.raises(ValueError, match="edge"):
        measure.seam_gradient_ratio(noise(5, 8, 8), noise(5, 8, 8), np.ones((8, 8), dtype=np.float32))
    with pytest.raises(ValueError, match="ring"):
        measure.colour_step(noise(5, 8, 8, 3), np.ones((8, 8), dtype=np.float32))
