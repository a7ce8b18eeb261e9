"""Closing lips: as often as the speaker does, and without touching open mouths."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from lipsync.closure import CLOSED_CM, REACH, WIDEST_CM, close_lips, fit_closure, lips_from
from lipsync.crops import Example
from lipsync.index import ClipMouths
from lipsync.learn import Fit
from lipsync.mouth import MouthBasis, aperture_cm, fit_basis
from lipsync.told import closure_of, told_of
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


def test_closed_lips_are_as_tight_as_the_speaker_s(basis: MouthBasis, shapes_of: Callable[..., Floats]) -> None:
    real = np.clip(np.random.default_rng(0).normal(0.6, 0.6, 600), 0.02, None)
    shy = 0.15 + 0.8 * real
    closed = gaps_of(close_lips(shapes_of(shy), basis, fit_closure(shapes_of(shy), shapes_of(real), basis)), basis)
    shares = np.linspace(0.02, np.mean(real <= CLOSED_CM) - 0.02, 9)
    np.testing.assert_allclose(np.quantile(closed, shares), np.quantile(real, shares), atol=0.02)


def test_open_mouths_stay_and_order_is_kept(basis: MouthBasis, shapes_of: Callable[..., Floats]) -> None:
    real = np.clip(np.random.default_rng(0).normal(0.6, 0.6, 600), 0, None)
    closure = fit_closure(shapes_of(0.2 + 0.7 * real), shapes_of(real), basis)
    before = np.linspace(0, 2, 81)
    after = gaps_of(close_lips(shapes_of(before), basis, closure), basis)
    wide = before >= closure.made_cm[-1]
    assert closure.made_cm[-1] < 1.0
    np.testing.assert_allclose(after[wide], before[wide], atol=1e-3)
    assert (after <= before + 1e-3).all()
    assert np.diff(after).min() > -1e-3


def test_lips_that_close_enough_are_hardly_touched(basis: MouthBasis, shapes_of: Callable[..., Floats]) -> None:
    real = np.clip(np.random.default_rng(0).normal(0.6, 0.6, 600), 0, None)
    closure = fit_closure(shapes_of(real), shapes_of(real), basis)
    np.testing.assert_allclose(close_lips(shapes_of(real), basis, closure), shapes_of(real), atol=1e-3)


def test_a_speaker_who_never_closes_is_left_alone(basis: MouthBasis, shapes_of: Callable[..., Floats]) -> None:
    real = np.linspace(0.5, 1.5, 200)
    closure = fit_closure(shapes_of(real), shapes_of(real), basis)
    np.testing.assert_array_equal(close_lips(shapes_of(real), basis, closure), shapes_of(real))


def test_no_open_mouth_is_shut(basis: MouthBasis, shapes_of: Callable[..., Floats]) -> None:
    closed = np.zeros(300)
    closed[:30] = 1.0
    made = shapes_of(np.linspace(0.3, 2, 300))
    after = gaps_of(close_lips(made, basis, fit_closure(made, shapes_of(closed), basis)), basis)
    before = gaps_of(made, basis)
    assert (after[before < 0.9 * WIDEST_CM] < CLOSED_CM).all()
    assert (after[before > 1.4 * WIDEST_CM] > CLOSED_CM).all()
    wide = before > 1.05 * REACH * WIDEST_CM
    np.testing.assert_array_equal(after[wide], before[wide])


def test_no_open_mouth_is_shut_where_there_is_none_half_open(
    basis: MouthBasis, shapes_of: Callable[..., Floats]
) -> None:
    made = shapes_of(np.concatenate([[0.1, 0.2], np.linspace(1.2, 1.8, 600)]))
    closure = fit_closure(made, shapes_of(np.concatenate([np.zeros(600), [1.0, 1.0]])), basis)
    wide = shapes_of(np.array([1.1, 1.5]))
    assert (gaps_of(close_lips(wide, basis, closure), basis) > 0.9).all()


def test_too_little_speech_fits_nothing(basis: MouthBasis, shapes_of: Callable[..., Floats]) -> None:
    few = shapes_of(np.linspace(0, 1, 30))
    np.testing.assert_array_equal(close_lips(few, basis, fit_closure(few, few, basis)), few)


def test_the_gap_of_a_straight_mouth_is_linear_in_its_shape(
    basis: MouthBasis, shapes_of: Callable[..., Floats]
) -> None:
    shapes = shapes_of(np.linspace(0, 1.5, 20))
    lips = lips_from(basis, shapes[0])
    np.testing.assert_allclose(shapes @ lips.gap + lips.gap_cm, gaps_of(shapes, basis), atol=1e-4)
    np.testing.assert_array_equal(lips.rest, shapes[0])


@pytest.mark.parametrize(("held_s", "narrowed"), [(10.0, True), (1.0, False)])
def test_lips_are_judged_on_what_training_did_not_see_where_there_is_enough_of_it(
    basis: MouthBasis, shapes_of: Callable[..., Floats], held_s: float, narrowed: bool
) -> None:
    real = shapes_of(np.abs(np.random.default_rng(0).normal(0.0, 0.6, 2000)))
    made = real.copy()  # learned by heart...
    held = np.arange(2000) < 100 * held_s
    made[held] = shapes_of(0.25 + 0.7 * gaps_of(real[held], basis))  # ...and shy where it was not
    example = Example(made, real, np.ones(2000, dtype=bool))
    clip = cast(ClipMouths, SimpleNamespace(features=made, voiced=((0.0, 30.0),)))
    net = cast(MouthModel, SimpleNamespace(shapes_of=lambda features: features))
    closure = closure_of(told_of(Fit(net, (), (0, 0.0), 0.0, (held,), (0.0,)), [clip], [example]), basis)
    shut = gaps_of(close_lips(shapes_of(np.array([0.3])), basis, closure), basis)[0] < CLOSED_CM
    assert shut == narrowed
