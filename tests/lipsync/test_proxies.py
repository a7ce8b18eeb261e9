"""Proxies: sharp frames of each row are found by how the rows move; where none is seen, none is made up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from lipsync.plane import TexturePlane
from lipsync.proxies import find_teeth
from lipsync.voice import Pool
from shared.picture.warp import gaussian
from shared.types import Floats, Picture

Drawn = Callable[..., tuple[Picture, Floats, Floats]]
Footage = tuple[NDArray[np.uint8], Pool]
FRAMES = 40


@pytest.fixture
def footage(toothed: Drawn) -> Callable[..., Footage]:
    """Mouths of all openings, two frames a second; every third frame is blurred."""

    def make(rows: str = "upper lower", frames: int = FRAMES) -> Footage:
        rng = np.random.default_rng(0)
        openings, raises = rng.uniform(0.0, 2.0, frames), rng.uniform(0.0, 0.3, frames)
        pictures, flats = [], []
        for number in range(frames):
            picture, flat, _ = toothed(float(openings[number]), float(raises[number]), rows)
            noisy = picture + rng.normal(0.0, 2.0, picture.shape)
            pictures.append(np.clip(gaussian(noisy.astype(np.float32), 3.0 if number % 3 == 0 else 0.7), 0, 255))
            flats.append(flat)
        points = np.array(flats, dtype=np.float32)
        angles = np.zeros((frames, 3), dtype=np.float32)
        clips = np.zeros(frames, dtype=np.int32)
        pool = Pool(points, points.copy(), angles, np.arange(frames) / 2.0, clips, np.arange(frames))
        return np.array(pictures).astype(np.uint8), pool

    return make


def test_both_rows_are_found_in_sharp_frames(footage: Callable[..., Footage], fine_plane: TexturePlane) -> None:
    textures, pool = footage()
    teeth = find_teeth(textures, pool, fine_plane)
    assert teeth is not None
    assert [proxy.row for proxy in teeth.proxies] == ["upper", "lower"]
    sharp = [textures[number] for number in range(FRAMES) if number % 3]
    for proxy in teeth.proxies:
        assert any(np.array_equal(proxy.picture, one) for one in sharp)
    assert teeth.proxies[0].flat[66, 1] < -4.9  # an open mouth


@pytest.mark.parametrize("row", ["upper", "lower"])
def test_a_row_that_is_never_seen_is_not_found_in_the_other_one(
    footage: Callable[..., Footage], fine_plane: TexturePlane, row: str
) -> None:
    textures, pool = footage(row)
    teeth = find_teeth(textures, pool, fine_plane)
    assert teeth is not None
    assert [proxy.row for proxy in teeth.proxies] == [row]


def test_a_speaker_who_shows_no_teeth_has_none(footage: Callable[..., Footage], fine_plane: TexturePlane) -> None:
    assert find_teeth(*footage(""), fine_plane) is None


def test_few_frames_tell_nothing(footage: Callable[..., Footage], fine_plane: TexturePlane) -> None:
    assert find_teeth(*footage(frames=5), fine_plane) is None


def test_sharpness_is_told_for_each_frame_that_shows_teeth(
    footage: Callable[..., Footage], fine_plane: TexturePlane
) -> None:
    textures, pool = footage()
    teeth = find_teeth(textures, pool, fine_plane)
    assert teeth is not None
    wide = np.flatnonzero(pool.points[:, 66, 1] < -5.0)
    closed = np.flatnonzero(pool.points[:, 66, 1] > -4.25)
    assert (teeth.shown_px[wide] > 100).all()
    assert (teeth.shown_px[closed] < 20).all()
    blurred = wide % 3 == 0
    assert teeth.sharpness[wide[~blurred]].min() > 3 * teeth.sharpness[wide[blurred]].max()


def test_only_rows_of_the_pool_are_read(footage: Callable[..., Footage], fine_plane: TexturePlane) -> None:
    textures, pool = footage()
    padded = np.concatenate([np.zeros_like(textures[:3]), textures])
    shifted = Pool(pool.points, pool.flat, pool.angles_deg, pool.times_s, pool.clips, pool.rows + 3)
    one, other = find_teeth(textures, pool, fine_plane), find_teeth(padded, shifted, fine_plane)
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one.sharpness, other.sharpness)
    np.testing.assert_array_equal(one.proxies[0].picture, other.proxies[0].picture)
