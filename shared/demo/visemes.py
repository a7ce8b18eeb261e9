"""From phones to a moving mouth: one target a phone, blended over time, with lips that really close.

Blending after Cohen and Massaro, "Modeling coarticulation in synthetic visual speech", 1993: each phone pulls at each
part of the mouth with a dominance that falls off exponentially before and after it. Closures of p, b, m and the rest
position in pauses are then enforced, since blending alone would leave the lips open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.demo.align import PAUSE, Phone

PARTS: Final = ("opening_cm", "width", "rounding", "tuck", "tongue")
FALL_S: Final = (0.055, 0.065, 0.085, 0.045, 0.05)
"""Time constant with which the pull of a phone fades, for each of `PARTS`."""
RAMP_S: Final = 0.055
"""Time in which the lips come together before a closure and part after it."""
REST_RAMP_S: Final = 0.12
SHORTEST_REST_S: Final = 0.10
"""Shorter pauses do not bring the mouth to rest."""
CLOSURES: Final = ("P", "B", "M")

_TARGETS: Final[dict[str, tuple[float, float, float, float, float]]] = {
    # opening in cm, width -1..1, rounding 0..1, lower lip under the teeth, tongue up
    "AA": (1.25, 0.05, 0.0, 0.0, 0.0),
    "AE": (1.10, 0.45, 0.0, 0.0, 0.0),
    "AH": (0.75, 0.0, 0.0, 0.0, 0.1),
    "AO": (0.95, -0.2, 0.50, 0.0, 0.0),
    "EH": (0.85, 0.40, 0.0, 0.0, 0.1),
    "ER": (0.50, -0.1, 0.40, 0.0, 0.4),
    "IH": (0.55, 0.35, 0.0, 0.0, 0.3),
    "IY": (0.42, 0.75, 0.0, 0.0, 0.5),
    "UH": (0.48, -0.2, 0.55, 0.0, 0.1),
    "UW": (0.34, -0.3, 1.00, 0.0, 0.1),
    "OH": (0.70, -0.3, 0.75, 0.0, 0.0),
    "P": (0.0, 0.0, 0.0, 0.0, 0.0),
    "B": (0.0, 0.0, 0.0, 0.0, 0.0),
    "M": (0.0, 0.0, 0.0, 0.0, 0.0),
    "F": (0.12, 0.10, 0.0, 1.0, 0.0),
    "V": (0.14, 0.10, 0.0, 0.9, 0.0),
    "TH": (0.38, 0.15, 0.0, 0.0, 1.0),
    "DH": (0.36, 0.10, 0.0, 0.0, 0.9),
    "T": (0.32, 0.20, 0.0, 0.0, 0.7),
    "D": (0.32, 0.15, 0.0, 0.0, 0.7),
    "N": (0.34, 0.15, 0.0, 0.0, 0.8),
    "L": (0.45, 0.15, 0.0, 0.0, 0.9),
    "S": (0.20, 0.45, 0.0, 0.0, 0.4),
    "Z": (0.20, 0.40, 0.0, 0.0, 0.4),
    "SH": (0.30, -0.2, 0.65, 0.0, 0.4),
    "ZH": (0.30, -0.2, 0.60, 0.0, 0.4),
    "CH": (0.28, -0.1, 0.60, 0.0, 0.6),
    "JH": (0.28, -0.1, 0.55, 0.0, 0.6),
    "K": (0.42, 0.1, 0.0, 0.0, 0.1),
    "G": (0.42, 0.1, 0.0, 0.0, 0.1),
    "NG": (0.45, 0.1, 0.0, 0.0, 0.1),
    "HH": (0.55, 0.0, 0.0, 0.0, 0.0),
    "R": (0.38, -0.15, 0.50, 0.0, 0.3),
    "W": (0.22, -0.3, 0.95, 0.0, 0.0),
    "Y": (0.36, 0.50, 0.0, 0.0, 0.6),
    PAUSE: (0.0, 0.0, 0.0, 0.0, 0.0),
}
_GLIDES: Final = {
    "AW": ("AA", "UW"),
    "AY": ("AA", "IH"),
    "EY": ("EH", "IY"),
    "OW": ("OH", "UW"),
    "OY": ("AO", "IH"),
}
"""Diphthongs as two targets, 55% and 45% of their time."""
_WEAK: Final = dict.fromkeys(("HH", "K", "G", "NG"), 0.3) | dict.fromkeys(("T", "D", "N", PAUSE), 0.6)
"""Phones that leave the lips to their neighbours."""


@dataclass(frozen=True, slots=True)
class MouthCurve:
    """How a mouth moves.

    Attributes
    ----------
    times_s : (T,) float64, increasing.
    rows : (T, 5) float64: `PARTS`. The opening is the gap of the inner lips at their middle in canonical centimetres,
        exactly 0 when closed.
    """

    times_s: NDArray[np.float64]
    rows: NDArray[np.float64]

    @property
    def opening_cm(self) -> NDArray[np.float64]:
        """(T,) gap of the inner lips."""
        return self.rows[:, 0]


def mouth_curve(phones: Sequence[Phone], times_s: ArrayLike, effort: float = 1.0) -> MouthCurve:
    """The mouth at given times while the phones are spoken; at rest outside them.

    Parameters
    ----------
    phones : in order of time; gaps between them count as pauses.
    times_s : (T,) increasing.
    effort : how widely the mouth opens, 1 for plain speech.
    """
    times = np.asarray(times_s, dtype=np.float64)
    rows = np.zeros((times.size, len(PARTS)))
    weights = np.full((times.size, len(PARTS)), 1e-6)
    for phone in _simple(phones):
        away = np.maximum(np.maximum(phone.start_s - times, times - phone.end_s), 0.0)
        pull = np.exp(-away[:, np.newaxis] / np.array(FALL_S)) ** 1.5 * _WEAK.get(phone.name, 1.0)
        if phone.name in CLOSURES:
            pull[:, 1:3] *= 0.15  # closed lips are as wide and round as their neighbours want
        rows += pull * np.array(_TARGETS[phone.name])
        weights += pull
    rows /= weights
    rows[:, 0] *= effort
    for phone in phones:
        if phone.name in CLOSURES:
            # The second part of a p or b is the burst, with the lips already parting.
            held_s = phone.end_s - phone.start_s if phone.name == "M" else 0.75 * (phone.end_s - phone.start_s)
            rows[:, 0] *= 1.0 - _hold(times, phone.start_s + 0.005, phone.start_s + held_s, RAMP_S)
    for start_s, end_s in _rests(phones):
        rows *= 1.0 - _hold(times, start_s, end_s, REST_RAMP_S)[:, np.newaxis]
    rows[:, 0] = np.where(rows[:, 0] < 0.01, 0.0, rows[:, 0])
    return MouthCurve(times, rows)


def _simple(phones: Sequence[Phone]) -> list[Phone]:
    simple = []
    for phone in phones:
        if phone.name in _GLIDES:
            middle = phone.start_s + 0.55 * (phone.end_s - phone.start_s)
            first, second = _GLIDES[phone.name]
            simple += [Phone(first, phone.start_s, middle), Phone(second, middle, phone.end_s)]
        elif phone.name in _TARGETS:
            simple.append(phone)
        else:
            raise ValueError(f"no mouth is known for the phone {phone.name!r}")
    return simple


def _rests(phones: Sequence[Phone]) -> list[tuple[float, float]]:
    """Spans in which the mouth is closed and at rest: pauses less a margin for breath and anticipation."""
    spoken = [(phone.start_s, phone.end_s) for phone in phones if phone.name != PAUSE]
    if not spoken:
        return [(-1e6, 1e6)]
    edges = [-1e6, *(edge for span in spoken for edge in span), 1e6]
    rests = []
    for start_s, end_s in zip(edges[::2], edges[1::2], strict=True):
        if end_s - start_s >= SHORTEST_REST_S:
            margin = min(0.06, (end_s - start_s) / 4)
            rests.append((start_s + margin, end_s - margin))
    return rests


def _hold(times: NDArray[np.float64], start_s: float, end_s: float, ramp_s: float) -> NDArray[np.float64]:
    """1 within a span, falling smoothly to 0 over `ramp_s` on both sides."""
    away = np.maximum(np.maximum(start_s - times, times - end_s), 0.0) / ramp_s
    return np.asarray(np.where(away < 1.0, 0.5 + 0.5 * np.cos(np.pi * np.minimum(away, 1.0)), 0.0), dtype=np.float64)
