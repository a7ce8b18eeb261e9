"""A decoder that answers too little is told more, and one that answers well is told the same."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from faceswap.guides import column_of
from faceswap.response import FURTHEST, Response, moves, response_of
from models.nets import GUIDES
from tests.faceswap.test_guides import GAP

LIDS = column_of("lids")


def line(low: float, high: float) -> NDArray[np.float64]:
    return np.linspace(low, high, 400)


def lazy(told: ArrayLike) -> NDArray[np.float64]:
    """A mouth that stays shut until it is told of a good deal."""
    return np.asarray(0.1 * np.maximum(0.0, np.asarray(told, dtype=np.float64) - 0.5))


def test_a_lazy_mouth_opens_as_far_as_the_clips() -> None:
    told = line(-1.0, 2.0)
    clip = 0.05 * (told + 1.0)
    found = response_of(GAP, (told, clip), (line(-3.0, 4.0), lazy(line(-3.0, 4.0))), 1.0)
    assert found is not None
    guides = np.zeros((50, GUIDES), dtype=np.float32)
    guides[:, GAP] = np.linspace(-0.7, 1.7, 50)
    wanted = 0.05 * (guides[:, GAP] + 1.0)
    asked = found.applied(guides)
    assert float(np.abs(lazy(guides[:, GAP]) - wanted).mean()) > 0.03
    assert float(np.abs(lazy(asked[:, GAP]) - wanted).mean()) < 0.005
    others = np.arange(GUIDES) != GAP
    assert np.array_equal(asked[:, others], guides[:, others])
    weak = response_of(GAP, (told, clip), (line(-3.0, 4.0), lazy(line(-3.0, 4.0))), 0.5)
    assert weak is not None
    assert float(np.abs(lazy(weak.applied(guides)[:, GAP]) - wanted / 2).mean()) < 0.01


def test_lids_shut_with_the_clips_and_are_open_as_their_own_persons() -> None:
    told = np.concatenate([np.full(16, -4.0), line(-0.5, 0.5)])  # 4% of the time
    clip = 0.08 * (told + 4.0)  # 0 to .36, usually .32
    values = line(-7.0, 3.0)
    found = response_of(LIDS, (told, clip), (values, 0.06 * (values + 7.0)), 1.0)
    assert found is not None
    guides = np.zeros((2, GUIDES), dtype=np.float32)
    guides[:, LIDS] = (-4.0, 0.1)
    shut, wide = 0.06 * (found.applied(guides)[:, LIDS] + 7.0)
    own = 0.06 * (np.percentile(told, 60) + 7.0)
    assert shut < 0.2 * own
    assert wide == pytest.approx(own, rel=0.05)


def test_who_does_not_move_or_answer_is_left_alone() -> None:
    told = line(-1.0, 2.0)
    assert response_of(GAP, (told, np.full(400, 0.1)), (told, lazy(told)), 1.0) is None
    assert response_of(GAP, (told, 0.05 * (told + 1.0)), (told, np.full(400, 0.1)), 1.0) is None
    noise = np.random.default_rng(0).normal(0, 1e-3, 400)
    assert response_of(GAP, (told, 0.05 * (told + 1.0)), (told, 0.1 + noise), 1.0) is None


def test_beyond_its_ends_a_response_goes_on_and_never_too_far() -> None:
    known = Response(GAP, np.array([-1.0, 1.0]), np.array([-1.5, 2.0]))
    guides = np.zeros((3, GUIDES), dtype=np.float32)
    guides[:, GAP] = (-3.0, 0.0, 3.0)
    np.testing.assert_allclose(known.applied(guides)[:, GAP], (-3.5, 0.25, 4.0))
    told = line(-1.0, 1.0)
    far = response_of(
        GAP, (told, 0.2 * (told + 1.0)), (line(-9.0, 9.0), 0.1 * np.maximum(0.0, line(-9.0, 9.0) - 5)), 1.0
    )
    assert far is not None
    assert float(np.abs(far.asked - far.told).max()) <= FURTHEST


def test_a_few_frames_of_noise_are_no_movement_and_a_blink_is() -> None:
    rest = np.full(400, 0.05)
    noisy = rest.copy()
    noisy[7] = 0.3
    assert not moves(noisy)
    talking = rest.copy()
    talking[::8] = 0.3
    assert moves(talking)
