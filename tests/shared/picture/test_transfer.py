"""Transfer of colour: what was measured is met, and nothing is stretched out of bounds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from shared.picture.transfer import (
    MEMBRANE_SIDE,
    MOST_SLOPE,
    linear_map,
    match_moments,
    match_quantiles,
    match_slices,
    membrane,
    moments,
    quantiles,
    slices,
)
from shared.types import Floats


def cloud(seed: int, scale: float, mean: tuple[float, float, float]) -> Floats:
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(4000, 3)) @ (np.eye(3) + random.normal(0, 0.3, (3, 3))) * scale
    return np.asarray(np.tanh(mixed) * 0.2 + mean, dtype=np.float32)


OWN, WANTED = cloud(1, 0.4, (0.4, 0.5, 0.3)), cloud(2, 0.5, (0.6, 0.4, 0.5))


def test_each_channel_takes_the_wanted_distribution() -> None:
    moved = match_quantiles(OWN, quantiles(OWN), quantiles(WANTED))
    assert np.abs(quantiles(moved) - quantiles(WANTED)).max() < 0.01


def test_mean_and_covariance_are_met_by_the_linear_map() -> None:
    moved = match_moments(OWN, moments(OWN), moments(WANTED))
    mean, covariance = moments(moved)
    assert mean == pytest.approx(moments(WANTED)[0], abs=1e-4)
    assert np.abs(covariance - moments(WANTED)[1]).max() < 2e-4


def test_the_linear_map_is_the_closed_form_of_optimal_transport() -> None:
    first, second = moments(OWN)[1], moments(WANTED)[1]
    root = np.real(sqrtm(first))
    inverse = np.linalg.inv(root)
    wanted = inverse @ np.real(sqrtm(root @ second @ root)) @ inverse
    assert np.abs(linear_map(first, second) - wanted).max() < 0.02


def test_a_flat_face_is_not_stretched_to_noise() -> None:
    flat = 0.5 + 0.001 * (OWN - OWN.mean(axis=0))
    moved = match_moments(flat, moments(flat), moments(WANTED))
    assert moved.std(axis=0).max() < (MOST_SLOPE + 0.1) * flat.std(axis=0).max()
    curved = match_quantiles(flat, quantiles(flat), quantiles(WANTED))
    assert np.all(curved.std(axis=0) < (MOST_SLOPE + 0.1) * flat.std(axis=0))


def test_slices_come_nearer_than_channels_alone() -> None:
    def apart(samples: Floats) -> float:
        """Largest difference of quantiles along directions that were not used."""
        random = np.random.default_rng(99)
        turns = random.normal(size=(3, 12)).astype(np.float32)
        turns /= np.linalg.norm(turns, axis=0)
        levels = np.linspace(0.05, 0.95, 10)
        return float(np.abs(np.quantile(samples @ turns, levels, 0) - np.quantile(WANTED @ turns, levels, 0)).max())

    by_channel = match_quantiles(OWN, quantiles(OWN), quantiles(WANTED))
    sliced = match_slices(OWN, slices(OWN, WANTED))
    assert apart(sliced) < 0.6 * apart(by_channel)


def test_a_membrane_is_even_where_its_edge_is_and_flat_between_two_sides_by_a_straight_line() -> None:
    size = 96
    known = np.zeros((size, size), dtype=np.float32)
    known[:, :8] = known[:, -8:] = 1
    ramp = np.zeros((size, size, 3), dtype=np.float32)
    ramp[:, -8:] = 0.2
    sheet = membrane(ramp, known)
    assert sheet.shape == (MEMBRANE_SIDE, MEMBRANE_SIDE, 3)
    line = sheet[12, :, 0]
    assert line[1] == pytest.approx(0.0, abs=1e-6)
    assert line[-2] == pytest.approx(0.2, abs=1e-6)
    assert np.all(np.diff(line) >= -1e-9)
    assert line[12] == pytest.approx(0.1, abs=0.02)
    assert membrane(ramp, np.zeros_like(known)) == pytest.approx(0.0)
