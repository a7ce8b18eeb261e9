"""Training pictures are moved as stated; a picture of its own coordinates shows where each pixel was read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from faceswap.align import VIEW_SHARE
from faceswap.augment import Batch, augment, net_input, view
from faceswap.options import AugmentOptions
from shared.picture.warp import similarity, transform

STILL = AugmentOptions(warp_px=0.0, rotation_deg=0.0, zoom=0.0, shift=0.0, flip=0.0, colour=0.0)
SIDE = 154
VIEW = 96


def coordinates(count: int = 1) -> torch.Tensor:
    """Crops whose red is x and whose green is y; blue and mask are even."""
    line = torch.arange(SIDE, dtype=torch.uint8)
    red, green = line.expand(SIDE, SIDE), line[:, None].expand(SIDE, SIDE)
    return torch.stack([red, green, torch.full_like(red, 40), torch.full_like(red, 255)]).expand(count, -1, -1, -1)


def read_at(pictures: torch.Tensor) -> NDArray[np.float64]:
    """(N, S, S, 2) places that the pixels of `coordinates` were read at."""
    return pictures[:, :2].permute(0, 2, 3, 1).double().numpy() * 255


def moved(options: AugmentOptions, seed: int = 0, count: int = 1) -> Batch:
    return augment(coordinates(count), (64, VIEW), options, torch.Generator().manual_seed(seed))


def test_without_any_movement_target_and_input_are_the_view() -> None:
    batch = moved(STILL)
    places = read_at(batch.target)[0]
    inset = SIDE * (1 - VIEW_SHARE) / 2
    step = SIDE * VIEW_SHARE / VIEW
    expected = inset - 0.5 + (np.arange(VIEW) + 0.5) * step
    assert np.abs(places[..., 0] - expected).max() < 0.02
    assert np.abs(places[..., 1] - expected[:, None]).max() < 0.02
    assert torch.allclose(batch.target, view(coordinates(), VIEW)[:, :3], atol=1e-5)
    assert torch.allclose(batch.warped, net_input(view(coordinates(), VIEW), 64)[:, :3], atol=2e-3)


def test_the_target_is_a_similarity_and_the_input_is_not() -> None:
    batch = moved(AugmentOptions(colour=0.0, flip=0.0), seed=3)
    for picture, is_similar in ((batch.target, True), (batch.warped, False)):
        places = read_at(picture)[0]
        side = places.shape[0]
        grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2).astype(float)
        fit = similarity(grid, places.reshape(-1, 2))
        error = float(np.abs(transform(fit, grid) - places.reshape(-1, 2)).max())
        assert (error < 0.1) == is_similar


def test_the_target_is_the_least_squares_similarity_of_the_grid() -> None:
    options = AugmentOptions(warp_px=5.0, rotation_deg=0, zoom=0, shift=0, colour=0.0, flip=0.0)
    batch = moved(options, seed=5)
    node = np.linspace(-0.5, 63.5, 5)  # where the 5x5 points lie among the 64 input pixels
    before = np.clip(np.floor(node).astype(int), 0, 62)
    share = (node - before)[:, None]
    places = read_at(batch.warped)[0]
    rows = places[before] * (1 - share[..., None]) + places[before + 1] * share[..., None]
    points = rows[:, before] * (1 - share) + rows[:, before + 1] * share
    even = np.stack(np.meshgrid(node, node), axis=-1).reshape(-1, 2)
    fit = similarity((even + 0.5) * VIEW / 64 - 0.5, points.reshape(-1, 2))
    pixels = np.stack(np.meshgrid(np.arange(VIEW), np.arange(VIEW)), axis=-1).reshape(-1, 2)
    assert np.abs(transform(fit, pixels) - read_at(batch.target)[0].reshape(-1, 2)).max() < 0.1


def test_the_warp_is_as_strong_as_stated() -> None:
    options = AugmentOptions(warp_px=5.0, rotation_deg=0, zoom=0, shift=0, colour=0.0, flip=0.0)
    batch = moved(options, seed=7, count=200)
    corner = read_at(batch.warped)[:, 0, 0]
    # The outermost input pixel lies near a grid point, whose own scatter it has but for the linear interpolation.
    assert corner.std(axis=0) == pytest.approx(5.0 * SIDE / 256, rel=0.2)


def test_mirrored_pictures_are_read_from_right_to_left() -> None:
    batch = augment(coordinates(), (64, VIEW), AugmentOptions(0, 0, 0, 0, 1.0, 0), torch.Generator().manual_seed(0))
    across = read_at(batch.target)[0, 10, :, 0]
    assert np.all(np.diff(across) < 0)


def test_rotation_zoom_and_shift_stay_within_their_limits() -> None:
    options = AugmentOptions(warp_px=0, rotation_deg=10, zoom=0.05, shift=0.05, flip=0, colour=0)
    batch = moved(options, seed=1, count=100)
    places = read_at(batch.target)
    step = places[:, 48, 60] - places[:, 48, 36]
    angles = np.degrees(np.arctan2(step[:, 1], step[:, 0]))
    lengths = np.hypot(step[:, 0], step[:, 1]) / (24 * SIDE * VIEW_SHARE / VIEW)
    centres = places[:, 47:49, 47:49].mean(axis=(1, 2)) - (SIDE - 1) / 2
    assert 8 < np.abs(angles).max() <= 10.1
    assert 0.04 < np.abs(lengths - 1).max() <= 0.051
    assert 0.04 * SIDE < np.abs(centres).max() <= 0.051 * SIDE


def test_tint_changes_the_input_alone_and_within_its_strength() -> None:
    plain, tinted = moved(STILL), moved(AugmentOptions(0, 0, 0, 0, 0, 0.1))
    assert torch.allclose(plain.target, tinted.target)
    change = (plain.warped - tinted.warped).abs()
    assert 0.01 < float(change.max()) <= 0.25


def test_one_seed_gives_one_batch() -> None:
    first, second, other = (moved(AugmentOptions(), seed, 4) for seed in (1, 1, 2))
    assert torch.equal(first.warped, second.warped)
    assert not torch.equal(first.warped, other.warped)
