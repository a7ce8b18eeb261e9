"""Training pictures are moved as stated; a picture of its own coordinates shows where each pixel was read."""

from __future__ import annotations

import itertools
import math
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from faceswap.align import VIEW_SHARE
from faceswap.augment import Batch, augment, net_input, view
from faceswap.faceset import load_faceset
from faceswap.objective import HIDDEN, face_mask, mask_loss, share
from faceswap.options import AugmentOptions, options_for
from faceswap.trainer import Trainer
from models.autoencoder import build
from models.nets import config_of
from models.tensors import Precision
from shared.picture.warp import similarity, transform
from tests.faceswap.drawn import face_points

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


def landmarks(count: int = 1) -> torch.Tensor:
    """A drawn face in the middle of each crop."""
    return torch.from_numpy(face_points((SIDE / 2, SIDE / 2), SIDE * 0.45, 0.05)).expand(count, -1, -1)


def moved(options: AugmentOptions, seed: int = 0, count: int = 1) -> Batch:
    random = torch.Generator().manual_seed(seed)
    return augment(coordinates(count), landmarks(count), None, (64, VIEW), options, random)


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
    batch = moved(AugmentOptions(0, 0, 0, 0, 1.0, 0))
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


def test_pixels_are_read_with_linear_interpolation_and_input_target_and_weight_from_one_place() -> None:
    noise = torch.randint(0, 256, (5, 4, SIDE, SIDE), dtype=torch.uint8, generator=torch.Generator().manual_seed(9))
    options = AugmentOptions(colour=0.0)
    batch = augment(noise, landmarks(5), None, (64, VIEW), options, torch.Generator().manual_seed(2))
    twin = augment(coordinates(5), landmarks(5), None, (64, VIEW), options, torch.Generator().manual_seed(2))
    both = torch.cat([batch.target, batch.weight], dim=1)
    for made, places, channels in ((both, read_at(twin.target), 4), (batch.warped, read_at(twin.warped), 3)):
        for number, channel in itertools.product(range(5), range(channels)):
            picture = noise[number, channel].double().numpy() / 255
            at = [places[number, ..., 1], places[number, ..., 0]]
            wanted = map_coordinates(picture, at, order=1, mode="nearest")
            assert np.abs(made[number, channel].numpy() - wanted).max() < 1e-3


def test_landmark_warps_move_the_input_alone_and_only_their_share() -> None:
    others = landmarks(30) * 0.9 + SIDE * 0.05
    options = replace(STILL, to_landmarks=0.5)
    random = torch.Generator().manual_seed(4)
    batch = augment(coordinates(40), landmarks(40), others, (64, VIEW), options, random)
    plain = moved(STILL, count=40)
    assert torch.allclose(batch.target, plain.target, atol=1e-5)
    away = (batch.warped - plain.warped).abs().amax(dim=(1, 2, 3)) * 255
    assert 10 < int((away > 2).sum()) < 30
    assert float(away[away < 2].max()) < 0.01
    # The other faces are smaller, so this one is shown smaller: its edges are read from further out.
    smaller = read_at(batch.warped)[int(away.argmax())]
    assert smaller[32, 16, 0] < read_at(plain.warped)[0][32, 16, 0] - 1
    alone = augment(coordinates(40), landmarks(40), None, (64, VIEW), options, torch.Generator().manual_seed(4))
    assert torch.allclose(alone.warped, plain.warped)


def test_occluders_cover_the_input_where_visible_is_nothing_and_leave_the_target_clean() -> None:
    options = replace(STILL, occluders=0.6)
    random = torch.Generator().manual_seed(4)
    pictures = torch.randint(0, 256, (30, 4, SIDE, SIDE), dtype=torch.uint8, generator=random)
    batch = augment(pictures, landmarks(30), None, (VIEW, VIEW), options, random)
    plain = augment(pictures, landmarks(30), None, (VIEW, VIEW), STILL, random)
    assert torch.equal(batch.target, plain.target)
    assert torch.equal(batch.weight, plain.weight)
    change = (batch.warped - plain.warped).abs().amax(dim=1, keepdim=True)
    assert float(change[batch.visible == 1.0].max()) < 1e-5
    assert float((change[batch.visible == 0.0] > 0.02).float().mean()) > 0.97
    covered = (batch.visible < 1.0).any(dim=-1).any(dim=-1).sum()
    assert 10 < int(covered) < 26
    assert torch.equal(plain.visible, torch.ones(30, 1, VIEW, VIEW))


def test_an_occluder_stays_where_it_is_in_the_crop_when_the_crop_is_moved() -> None:
    options = AugmentOptions(warp_px=0, shift=0.1, colour=0)
    batch, plain = (
        augment(
            coordinates(30),
            landmarks(30),
            None,
            (VIEW, VIEW),
            replace(options, occluders=share),
            torch.Generator().manual_seed(8),
        )
        for share in (0.5, 0.0)
    )
    assert torch.equal(batch.target, plain.target)
    change = (batch.warped - plain.warped).abs().amax(dim=1, keepdim=True)
    assert float(change[batch.visible == 1.0].max()) < 1e-5
    assert float((change[batch.visible == 0.0] > 0.02).float().mean()) > 0.9


def test_equalisation_takes_its_share_of_the_inputs() -> None:
    batch, plain = moved(replace(STILL, clahe=0.5), count=40), moved(STILL, count=40)
    assert torch.equal(batch.target, plain.target)
    changed = (batch.warped - plain.warped).abs().amax(dim=(1, 2, 3)) > 0.01
    assert 10 < int(changed.sum()) < 30


def test_all_values_stay_in_range_with_everything_on() -> None:
    options = AugmentOptions(colour=0.5, to_landmarks=0.5, clahe=0.5, occluders=0.5)
    random = torch.Generator().manual_seed(3)
    batch = augment(coordinates(24), landmarks(24), landmarks(9), (64, VIEW), options, random)
    for values, channels, side in ((batch.warped, 3, 64), (batch.target, 3, VIEW), (batch.visible, 1, VIEW)):
        assert values.shape == (24, channels, side, side)
        assert 0.0 <= float(values.min()) <= float(values.max()) <= 1.0


@pytest.mark.parametrize("options", [STILL, AugmentOptions(to_landmarks=1.0), AugmentOptions(occluders=1.0)])
def test_every_tensor_is_made_on_the_device_of_the_crops(options: AugmentOptions) -> None:
    # The device "meta" has shapes and no values; like a GPU, it takes no tensor of the CPU beside its own.
    crops, faces, others = coordinates(4).to("meta"), landmarks(4).to("meta"), landmarks(9).to("meta")
    batch = augment(crops, faces, others, (64, VIEW), options, torch.Generator().manual_seed(0))
    assert {batch.warped.device.type, batch.target.device.type, batch.visible.device.type} == {"meta"}


def test_one_seed_gives_one_batch() -> None:
    options = AugmentOptions(clahe=0.5, occluders=0.5)
    first, second, other = (moved(options, seed, 4) for seed in (1, 1, 2))
    assert torch.equal(first.warped, second.warped)
    assert not torch.equal(first.warped, other.warped)


def test_a_mask_is_taught_to_leave_out_what_is_in_front() -> None:
    options = replace(STILL, occluders=1.0)
    batch = augment(coordinates(6), landmarks(6), None, (64, 64), options, torch.Generator().manual_seed(1))
    face = face_mask(batch.weight)
    wanted = face * batch.visible
    assert float((face - wanted).mean()) > 0.02
    wrong = (0.05, 0.5, 1.0)  # how sure the net is that there is face where something is in front
    losses = [float(mask_loss(wanted + sure * (face - wanted), batch)) for sure in wrong]
    assert float(mask_loss(wanted, batch)) < losses[0] < losses[1] < losses[2]
    # On one sure pixel it is the weighted cross entropy.
    one = replace(batch, weight=torch.ones(1, 1, 1, 1), visible=torch.zeros(1, 1, 1, 1))
    assert float(mask_loss(torch.full((1, 1, 1, 1), 0.75), one)) == pytest.approx((1 + HIDDEN) * math.log(4), rel=1e-4)


def test_a_step_of_training_holds_the_mask_against_what_is_visible() -> None:
    options = replace(options_for("quick", mask_head=True), mask=1.0)
    net = build(replace(config_of("quick", True), guides=0))
    batch = augment(coordinates(2), landmarks(2), None, (64, 128), STILL, torch.Generator().manual_seed(1))
    how = Precision(torch.device("cpu"), False)
    seen, hidden = (
        float(share(net, 0, replace(batch, visible=share_of * batch.visible), options, how).loss) for share_of in (1, 0)
    )
    assert abs(hidden - seen) > 0.1


def test_a_training_with_everything_on_stays_finite(two_sets: tuple[Path, Path]) -> None:
    moved_all = AugmentOptions(to_landmarks=0.5, clahe=0.5, occluders=1.0)
    options = replace(options_for("quick", mask_head=True), batch=4, augment=moved_all)
    torch.set_num_threads(1)
    sets = load_faceset(two_sets[0], 204), load_faceset(two_sets[1], 204)
    with closing(Trainer(sets, options, Precision(torch.device("cpu"), False))) as trainer:
        losses = torch.stack([trainer.learn() for _ in range(3)])
    assert bool(torch.isfinite(losses).all())
