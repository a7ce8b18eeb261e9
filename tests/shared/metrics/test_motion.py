from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from shared.metrics.motion import e_warp, optical_flow, tof

Rgb = NDArray[np.uint8]


def moving(frames: int = 4, step: float = 1.5, size: int = 96) -> list[Rgb]:
    """A soft texture that slides to the right."""
    rng = np.random.default_rng(0)
    base = ndimage.gaussian_filter(rng.normal(size=(size, size + 40)), 2.0)
    base = 128 + 90 * base / np.abs(base).max()
    shifted = [ndimage.shift(base, (0, t * step), order=3, mode="nearest")[:, 20 : 20 + size] for t in range(frames)]
    return [np.repeat(np.clip(p, 0, 255).astype(np.uint8)[..., None], 3, axis=2) for p in shifted]


def test_flow_follows_a_slide() -> None:
    first, second = moving(2, step=2.0)
    np.testing.assert_allclose(np.median(optical_flow(first, second), axis=(0, 1)), [2.0, 0.0], atol=0.15)


def test_real_motion_is_no_trembling_but_flicker_is() -> None:
    real = moving()
    own = e_warp(real, real)
    brighter = [np.clip(p.astype(int) + 25 * (t % 2), 0, 255).astype(np.uint8) for t, p in enumerate(real)]
    assert own < 2e-4
    assert e_warp(brighter, real) == pytest.approx((25 / 255) ** 2, rel=0.15)


def test_tof_is_the_distance_of_the_flows() -> None:
    real, slower = moving(step=2.0), moving(step=1.0)
    assert tof(real, real) == 0.0
    assert tof(slower, real) == pytest.approx(1.0, abs=0.2)


def test_one_frame_has_no_motion() -> None:
    with pytest.raises(ValueError, match="two frames"):
        e_warp(moving(1), moving(1))
    with pytest.raises(ValueError, match="two frames"):
        tof([], [])
    with pytest.raises(ValueError, match="one size"):
        optical_flow(np.zeros((20, 20, 3), np.uint8), np.zeros((20, 22, 3), np.uint8))
