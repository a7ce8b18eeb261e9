"""Shifts at points, spread to all between them."""

from __future__ import annotations

import numpy as np

from lipsync.pull import Pull
from shared.picture.warp import transform


def test_the_lattice_agrees_with_every_pixel() -> None:
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 100, (12, 2)).astype(np.float32)
    pull = Pull(places, rng.normal(0, 3, (12, 2)).astype(np.float32), 20.0)
    box = (-10, 5, 93, 88)
    x, y = np.meshgrid(np.arange(box[0], box[2]), np.arange(box[1], box[3]))
    pixels = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
    to_from = np.array([[0.8, 0.1, 30.0], [-0.1, 0.7, -5.0], [0.0, 0.0, 1.0]])
    slow = transform(to_from, pixels + pull.at(pixels)).reshape(*x.shape, 2)
    fast = np.stack(pull.through(to_from, box), axis=-1)
    assert float(np.abs(fast - slow).max()) < 0.05


def test_pulls_meet_the_shifts_they_were_given() -> None:
    places = np.array([[10, 10], [60, 20], [40, 70]], dtype=np.float32)
    shifts = np.array([[1, 2], [-3, 0], [0, 4]], dtype=np.float32)
    np.testing.assert_allclose(Pull(places, shifts, 15.0).at(places), shifts, atol=0.15)
