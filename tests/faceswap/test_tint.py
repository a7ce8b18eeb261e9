"""Light and colour against Lab by numpy and OpenCV's own equalisation."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from faceswap import tint
from faceswap.draw import Draw
from shared.picture.colour import lab_from_rgb
from shared.types import Floats
from tests.faceswap.drawn import draw_face, face_points

CPU = torch.device("cpu")
SKINS = ((220, 180, 150), (140, 100, 80), (70, 45, 35))


def drawing(seed: int = 0) -> Draw:
    return Draw(torch.Generator().manual_seed(seed), CPU)


def pictures(size: tuple[int, int] = (64, 64)) -> torch.Tensor:
    some = [draw_face(size, face_points((32, 33), 40, 0.1), skin, seed) for seed, skin in enumerate(SKINS)]
    return torch.from_numpy(np.stack(some)).permute(0, 3, 1, 2).float() / 255


def lab(rgb: torch.Tensor) -> Floats:
    """Lab of (N, 3, ...) colours, channels last."""
    return np.stack([lab_from_rgb(np.asarray(one.flatten(1).T.contiguous())) for one in rgb])


def test_slopes_are_those_of_lab() -> None:
    colours = torch.tensor([[0.7, 0.5, 0.4], [0.2, 0.3, 0.4], [0.03, 0.03, 0.02]])
    forward, back = tint._slopes(colours)
    assert torch.allclose(forward @ back, torch.eye(3).expand(3, -1, -1), atol=1e-4)
    for channel in range(3):
        step = torch.zeros(3)
        step[channel] = 0.002
        slope = (lab((colours + step)[..., None]) - lab((colours - step)[..., None]))[:, 0] / 0.004
        # float32 and the rounding of the cube root leave a percent
        assert np.abs(forward[:, :, channel].numpy() - slope).max() < 0.03 * np.abs(slope).max()


def test_jitter_moves_colours_in_lab_as_far_as_asked_and_no_further() -> None:
    flat = torch.full((300, 3, 4, 4), 0.5)
    moved = (lab(tint.jitter(flat, 0.1, drawing())) - lab(flat))[:, 0]
    assert np.abs(moved.mean(axis=0)).max() < 1.0
    assert 9.0 < np.abs(moved[:, 0]).max() < 11.0
    for axis in (1, 2):
        assert 9.0 < np.abs(moved[:, axis]).max() < 13.0  # a straight line beside Lab's own curve


def test_jitter_changes_contrast_and_saturation_about_the_mean() -> None:
    noise = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    faint = (0.5 + 0.02 * (noise - noise.mean(dim=(2, 3), keepdim=True))).expand(200, -1, -1, -1)
    ratio = lab(tint.jitter(faint, 0.1, drawing())).std(axis=1) / lab(faint[:1]).std(axis=1)
    # In faint pictures the spread grows by the gain alone, but for Lab's other slope at the mean that they move to.
    for axis in range(3):
        assert 0.82 < ratio[:, axis].min() < 0.93
        assert 1.07 < ratio[:, axis].max() < 1.18
    assert torch.allclose(tint.jitter(pictures(), 0.0, drawing()), pictures(), atol=1e-4)


@pytest.mark.parametrize("size", [(64, 64), (96, 128)])
def test_equalisation_is_opencvs(size: tuple[int, int]) -> None:
    seen = pictures(size)
    made = tint.equalise(seen)
    engine = cv2.createCLAHE(tint.CLIP, (tint.TILES, tint.TILES))
    weights = np.array(tint.LUMA)[:, None, None]
    for before, after in zip(seen.numpy(), made.numpy(), strict=True):
        luma = (before * weights).sum(axis=0)
        wanted = np.asarray(engine.apply(np.rint(luma * 255).astype(np.uint8)), dtype=np.float64) / 255
        expected = np.clip(before + (wanted - luma), 0, 1)
        error = np.abs(after - expected) * 255
        # A luma half-way between two levels may be rounded to either.
        assert np.percentile(error, 98) < 0.51
        assert error.max() < 5
    assert float((made - seen).abs().mean()) > 0.03


def test_equalisation_takes_sizes_that_do_not_divide() -> None:
    made = tint.equalise(pictures((50, 70)))
    assert made.shape == (3, 3, 50, 70)
    assert bool(torch.isfinite(made).all())
