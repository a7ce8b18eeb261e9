from __future__ import annotations

import numpy as np
import pytest

from shared.picture.blend import alpha_blend, pyramid_blend
from shared.types import Floats


def noise(seed: int, *shape: int) -> Floats:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def test_alpha_gives_both_ends_back_to_the_bit() -> None:
    front, back = noise(0, 30, 40, 3), noise(1, 30, 40, 3)
    mask = np.zeros((30, 40), dtype=np.float32)
    mask[:, 20:] = 1
    made = alpha_blend(front, back, mask)
    np.testing.assert_array_equal(made[:, :20], back[:, :20])
    np.testing.assert_array_equal(made[:, 20:], front[:, 20:])
    np.testing.assert_allclose(alpha_blend(front, back, mask * 0 + 0.25), 0.25 * front + 0.75 * back, atol=1e-6)


@pytest.mark.parametrize("size", [(64, 64), (65, 91), (7, 9), (130, 33)])
@pytest.mark.parametrize("levels", [0, 1, 3, 8])
def test_a_pyramid_with_a_constant_mask_is_a_plain_mix(size: tuple[int, int], levels: int) -> None:
    front, back = noise(2, *size, 3), noise(3, *size, 3)
    for share in (0.0, 0.3, 1.0):
        made = pyramid_blend(front, back, np.full(size, share, dtype=np.float32), levels)
        np.testing.assert_allclose(made, share * front + (1 - share) * back, atol=2e-6)


def test_equal_pictures_blend_to_themselves_under_any_mask() -> None:
    picture, mask = noise(4, 50, 61, 3), noise(5, 50, 61)
    np.testing.assert_allclose(pyramid_blend(picture, picture, mask), picture, atol=2e-6)


def test_a_pyramid_softens_the_step_but_keeps_the_detail() -> None:
    detail = (noise(6, 128, 128, 1) - 0.5) * 0.1
    front, back = detail + np.float32(0.7), detail + np.float32(0.3)
    mask = np.zeros((128, 128), dtype=np.float32)
    mask[:, 64:] = 1
    smooth = pyramid_blend(front, back, mask, levels=4)[..., 0]
    hard = alpha_blend(front, back, mask)[..., 0]
    step = [abs((made[:, 64] - made[:, 63]).mean()) for made in (smooth, hard)]
    assert step[0] < 0.2 * step[1]
    assert np.std(np.diff(smooth[:, 60:68], axis=0)) == pytest.approx(
        np.std(np.diff(detail[:, 60:68, 0], axis=0)), rel=0.05
    )


def test_sizes_that_differ_are_told() -> None:
    with pytest.raises(ValueError, match="one size"):
        alpha_blend(noise(7, 4, 4, 3), noise(7, 4, 4, 3), noise(7, 4, 5))
    with pytest.raises(ValueError, match="levels"):
        pyramid_blend(noise(7, 4, 4, 3), noise(7, 4, 4, 3), noise(7, 4, 4), levels=-1)
