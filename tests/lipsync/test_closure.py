"""Closing lips: as often as the speaker does, and without touching open mouths."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from lipsync.closure import CLOSED_CM, REACH, WIDEST_CM, Closure, close_lips, fit_closure, lips_from
from lipsync.crops import Example
from lipsync.index import ClipMouths
from lipsync.learn import Fit
from lipsync.mouth import MouthBasis, aperture_cm, fit_basis
from lipsync.prepare import _closure
from lipsync.voice import lips_of
from models.mouthnet import MouthModel
from shared.types import Floats

Points = Callable[[float], Floats]


@pytest.fixture
def basis(points_of: Points) -> MouthBasis:
    return fit_basis(lips_of(np.array([points_of(float(gap)) for gap in np.linspace(0, 2, 50)])))


@pytest.fixture
def shapes_of(points_of: Points, basis: MouthBasis) -> Callable[[Floats], Floats]:
    return lambda gaps: basis.encode(lips_of(np.array([points_of(float(gap)) for gap in gaps])))


def gaps_of(shapes: Floats, basis: MouthBasis) -> Floats:
    return aperture_cm(basis.decode(shapes))


def test_lips_close_as_often_as_the_speaker_s(basis: MouthBasis, shapes_of: Callable[..., Floats]) -> None:
    real = np.clip(np.random.default_rng(0).normal(0.6, 0.6, 600), 0, None)
    shy = 0.25 + 0.7 * real  # a net that never quite closes
    closure = fit_closure(shapes_of(shy), shapes_of(real), basis)
    closed = gaps_of(close_lips(shapes_of(shy), basis, closure), basis) <= CLOSED_CM
    assert np.mean(gaps_of(shapes_of(shy), basis) <= CLOSED_CM) == 0.0
    assert float(np.mean(closed)) == pytest.approx(float(np.mean(real <= CLOSED_CM)), abs=0.06)


def test_open_mouths_stay_and_order_is_kept(basis: MouthBasis, shapes_of: Callable[..., Floats]) -> None:
    closure = Closure(
        0.2, fit_closure(shapes_of(np.linspace(0, 2, 200)), shapes_of(np.linspace(0, 2, 200)), basis).direction
    )
    before = np.linspace(0, 2, 81)
    after = gaps_of(close_lips(shapes_of(before), basis, closure), basis)
    np.testing.assert_allclose(after[before >= 0.2 * REACH], before[before >= 0.2 * REACH], atol=1e-3)
    np.testing.assert_allclose(after[before <= 0.2], 0.0, atol=1e-3)
    assert np.diff(after).min() > -1e-3


def test_a_speaker_who_never_closes_is_left_alone(basis: MouthBasis, shapes_of: Callable[..., Floats]) -> None:
    real = np.linspace(0.5, 1.5, 200)
    closure = fit_closure(shapes_of(real), shapes_of(real), basis)
    assert closure.threshold_cm == 0.0
    np.testing.assert_array_equal(close_lips(shapes_of(real), basis, closure), shapes_of(real))


def test_a_threshold_has_its_bound(basis: MouthBasis, shapes_of: Callable[..., Floats]) -> None:
    closed = np.zeros(300)
    closed[:30] = 1.0
    assert fit_closure(shapes_of(np.linspace(1, 2, 300)), shapes_of(closed), basis).threshold_cm == WIDEST_CM


def test_too_little_speech_fits_nothing(basis: MouthBasis, shapes_of: Callable[..., Floats]) -> None:
    few = shapes_of(np.linspace(0, 1, 30))
    assert fit_closure(few, few, basis).threshold_cm == 0.0


def test_the_gap_of_a_straight_mouth_is_linear_in_its_shape(
    basis: MouthBasis, shapes_of: Callable[..., Floats]
) -> None:
    shapes = shapes_of(np.linspace(0, 1.5, 20))
    lips = lips_from(basis, shapes[0])
    np.testing.assert_allclose(shapes @ lips.gap + lips.gap_cm, gaps_of(shapes, basis), atol=1e-4)
    np.testing.assert_array_equal(lips.rest, shapes[0])


@pytest.mark.parametrize(("held_s", "threshold"), [(10.0, True), (1.0, False)])
def test_lips_are_judged_on_what_training_did_not_see_where_there_is_enough_of_it(
    basis: MouthBasis, shapes_of: Callable[..., Floats], held_s: float, threshold: bool
) -> None:
    real = shapes_of(np.abs(np.random.default_rng(0).normal(0.0, 0.6, 2000)))
    made = real.copy()  # learned by heart...
    held = np.arange(2000) < 100 * held_s
    made[held] = shapes_of(0.25 + 0.7 * gaps_of(real[held], basis))  # ...and shy where it was not
    example = Example(made, real, np.ones(2000, dtype=bool))
    clip = cast(ClipMouths, SimpleNamespace(features=made, voiced=((0.0, 30.0),)))
    net = cast(MouthModel, SimpleNamespace(shapes_of=lambda features: features))
    closure = _closure(Fit(net, (), (0, 0.0), 0.0, (held,), (0.0,)), [clip], [example], basis)
    assert (closure.threshold_cm > 0.1) == threshold
