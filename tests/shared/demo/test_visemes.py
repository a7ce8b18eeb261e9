"""Phones to mouth curves: closures, rest, width, and times."""

from __future__ import annotations

import numpy as np
import pytest

from shared.demo.align import Phone
from shared.demo.visemes import mouth_curve

TIMES = np.arange(0, 2.0, 0.005)


def _row(phones: list[Phone], time_s: float) -> np.ndarray:
    return np.asarray(mouth_curve(phones, [time_s]).rows[0])


@pytest.mark.parametrize("closure", ["P", "B", "M"])
def test_lips_are_fully_closed_within_p_b_and_m_between_open_vowels(closure: str) -> None:
    phones = [Phone("AA", 0.5, 0.65), Phone(closure, 0.65, 0.73), Phone("AA", 0.73, 0.9)]
    curve = mouth_curve(phones, TIMES)
    within = (curve.times_s > 0.66) & (curve.times_s < 0.70)
    assert np.all(curve.opening_cm[within] == 0.0)
    assert curve.opening_cm[(curve.times_s > 0.5) & (curve.times_s < 0.6)].max() > 0.6
    assert curve.opening_cm[(curve.times_s > 0.75) & (curve.times_s < 0.9)].max() > 0.6


def test_the_mouth_rests_in_pauses_and_without_speech() -> None:
    phones = [Phone("AA", 0.3, 0.5), Phone("SIL", 0.5, 1.2), Phone("EH", 1.2, 1.4)]
    curve = mouth_curve(phones, TIMES)
    assert np.all(curve.rows[(curve.times_s > 0.6) & (curve.times_s < 1.1)] == 0.0)
    assert np.all(mouth_curve([], TIMES).rows == 0.0)


def test_vowels_differ_as_mouths_do() -> None:
    def at(name: str) -> np.ndarray:
        return _row([Phone("K", 0.4, 0.45), Phone(name, 0.45, 0.75), Phone("K", 0.75, 0.8)], 0.6)

    assert at("AA")[0] > 1.5 * at("IY")[0]
    assert at("IY")[1] > at("AA")[1] > at("UW")[1]
    assert at("UW")[2] > 0.7
    assert at("IY")[2] < 0.1


def test_a_curve_moves_smoothly() -> None:
    phones = [Phone(name, 0.2 + 0.08 * k, 0.28 + 0.08 * k) for k, name in enumerate(("B", "AA", "M", "AY", "F", "AO"))]
    step = np.abs(np.diff(mouth_curve(phones, TIMES).opening_cm)).max()
    assert step < 0.12  # 0.12 cm in 5 ms is 24 cm a second, twice the fastest lip


def test_an_unknown_phone_is_named() -> None:
    with pytest.raises(ValueError, match="no mouth is known for the phone 'QX'"):
        mouth_curve([Phone("QX", 0.0, 0.1)], TIMES)
