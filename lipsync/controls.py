"""A mouth by what a person can read and set of it: how far it is open, how wide it is, and visemes.

Opening and width are linear in a mouth shape, so a shape can be moved to given ones exactly: along the direction in
which this speaker's own mouths change with the one while the other stays (the conditional mean of a Gaussian).

Visemes go by the letters of Rhubarb Lip Sync, which animation programs exchange: A closed (p b m), B a little open
(most consonants, ee), C open (e), D wide open (a), E a little round (er, o), F puckered (oo, w), G teeth on the lower
lip (f v), H long l, X at rest. Here each is a place of opening and width; tongue and teeth are not told apart, so G
and H can be asked for and are never named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from lipsync.mouth import INNER_PAIRS, LIP_POINTS, MouthBasis
from shared.types import Floats

if TYPE_CHECKING:
    from lipsync.voice import Voice

CORNERS: Final = (LIP_POINTS.index(48), LIP_POINTS.index(54))
MM: Final = 10.0
"""Millimetres of the canonical face (153 mm wide) in one of its centimetres."""
MOST_FRAMES: Final = 20_000
"""Mouths of the footage that are looked at; spread evenly over it."""
LEAST_VARIANCE: Final = 1e-2
"""Of an opening or width, mm^2: one that the footage never varies is not moved."""
PERCENTILES: Final = (2.0, 98.0)
"""Of these, between which a mouth is narrow and wide; the upper one is wide open."""
PLACES: Final = {
    "A": (0.00, 0.50), "B": (0.25, 0.60), "C": (0.55, 0.60), "D": (1.00, 0.50),
    "E": (0.45, 0.25), "F": (0.20, 0.05), "G": (0.10, 0.55), "H": (0.50, 0.55),
}  # fmt: skip
"""Opening from closed (0) to wide open (1), width from narrow (0) to wide (1)."""
NAMED: Final = "ABCDEF"
SHUT: Final = 0.07
"""Openings up to this are closed lips; 1 mm of a GRID speaker's 14."""
REST: Final = "X"
VISEMES: Final = (*PLACES, REST)
RESTING: Final = 0.99
"""From this share of rest on a mouth is called at rest."""
NEAR_REST_MM: Final = 1.0
"""How far opening and width of such a mouth may be from those at rest."""


@dataclass(frozen=True, slots=True)
class Controls:
    """Opening and width of one speaker's mouths, both in canonical millimetres.

    Attributes
    ----------
    slopes, offsets : (2, D), (2,) float64: opening and width of a shape are ``slopes @ shape + offsets``.
    directions : (2, D) float64, change of the shape for a millimetre of each while the other stays.
    middle : (D,) float64, mean shape of the footage.
    rest : (D,) float32, the closed mouth in pauses.
    closed_mm, open_mm : openings at rest and wide open.
    narrow_mm, wide_mm : widths.
    """

    slopes: NDArray[np.float64]
    offsets: NDArray[np.float64]
    directions: NDArray[np.float64]
    middle: NDArray[np.float64]
    rest: Floats
    closed_mm: float
    open_mm: float
    narrow_mm: float
    wide_mm: float

    def measure(self, shapes: NDArray[np.floating]) -> Floats:
        """Opening and width in mm of shapes (T, D): (T, 2) float32; lips that overlap open by less than 0."""
        return np.asarray(shapes @ self.slopes.T + self.offsets, dtype=np.float32)

    def moved(self, shapes: NDArray[np.floating], wanted_mm: NDArray[np.floating]) -> Floats:
        """Move shapes (T, D) to openings and widths (T, 2); NaN leaves one as it is."""
        change = np.where(np.isfinite(wanted_mm), wanted_mm - self.measure(shapes), 0.0)
        return np.asarray(shapes + change @ self.directions, dtype=np.float32)

    def widened(self, shapes: Floats, gain: float) -> Floats:
        """Open each mouth `gain` times as far beyond its opening at rest, never further than the footage shows.

        What is more closed than at rest stays, so that closed lips are still closed.
        """
        opening = self.measure(shapes)[:, 0]
        beyond = np.maximum(opening - self.closed_mm, 0.0)
        widest = np.maximum(self.open_mm, opening)
        wanted = np.minimum(opening + (gain - 1.0) * beyond, widest)
        return self.moved(shapes, np.stack([wanted, np.full_like(wanted, np.nan)], axis=1))

    def shape_of(self, viseme: str) -> Floats:
        """The mouth (D,) float32 that stands for a viseme."""
        if viseme == REST:
            return np.asarray(self.rest, dtype=np.float32)
        opening, width = PLACES[viseme]
        wanted = [
            self.closed_mm + opening * (self.open_mm - self.closed_mm),
            self.narrow_mm + width * (self.wide_mm - self.narrow_mm),
        ]
        return np.asarray(self.moved(self.middle[np.newaxis], np.array([wanted]))[0], dtype=np.float32)

    def fits(self, visemes: Sequence[str], shapes: Floats) -> NDArray[np.bool_]:
        """Whether shapes (T, D) are what T visemes stand for, so that they need not be replaced; where "", they are."""
        apart = np.abs(self.measure(shapes) - self.measure(self.rest[np.newaxis])).max(axis=1)
        named = np.array(self.visemes(shapes, np.zeros(len(shapes), dtype=np.float32)))
        wanted = np.array(visemes)
        fits = np.where(wanted == REST, apart <= NEAR_REST_MM, (wanted == named) | (wanted == ""))
        return np.asarray(fits, dtype=np.bool_)

    def visemes(self, shapes: Floats, resting: Floats) -> list[str]:
        """Name shapes (T, D) by the nearest of `NAMED`, or as at rest where (T,) `resting` says so."""
        spans = np.array([self.open_mm - self.closed_mm, self.wide_mm - self.narrow_mm])
        at = (self.measure(shapes) - [self.closed_mm, self.narrow_mm]) / np.maximum(spans, 1e-3)
        places = np.array([PLACES[name] for name in NAMED])
        # Lips overlap at most a little and open beyond the usual: such mouths are still closed, and wide open.
        at[:, 0] = np.clip(at[:, 0], 0.0, 1.0)
        nearest = np.linalg.norm(at[:, np.newaxis] - places, axis=2).argmin(axis=1)
        nearest[at[:, 0] <= SHUT] = NAMED.index("A")  # however wide
        return [REST if rest >= RESTING else NAMED[one] for one, rest in zip(nearest, resting, strict=True)]


def controls_of(voice: Voice) -> Controls:
    """The controls of a voice, from the mouths of its footage."""
    step = max(1, -(-voice.repertoire.shape[0] // MOST_FRAMES))
    shapes = voice.repertoire[::step].astype(np.float64)
    slopes, offsets = _measures(voice.basis)
    middle = shapes.mean(axis=0)
    spread = (shapes - middle).T @ (shapes - middle) / len(shapes)
    told = slopes @ spread @ slopes.T
    # A measure that hardly varies in the footage has no direction of its own.
    directions = np.linalg.pinv(told, rcond=LEAST_VARIANCE / max(float(np.trace(told)), LEAST_VARIANCE), hermitian=True)
    openings, widths = (shapes @ slopes.T + offsets).T
    narrow, wide = np.percentile(widths, PERCENTILES)
    closed = float(slopes[0] @ voice.rest + offsets[0])
    return Controls(
        slopes, offsets, directions @ slopes @ spread, middle, voice.rest,
        closed, max(float(np.percentile(openings, PERCENTILES[1])), closed), float(narrow), float(wide),
    )  # fmt: skip


def _measures(basis: MouthBasis) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slopes (2, D) and offsets (2,) of opening and width in mm, of a mouth's coefficients."""
    points = np.zeros((2, basis.mean.size // 2, 2))
    for high, low in INNER_PAIRS:
        points[0, high, 1] += MM / len(INNER_PAIRS)
        points[0, low, 1] -= MM / len(INNER_PAIRS)
    points[1, CORNERS[1], 0], points[1, CORNERS[0], 0] = MM, -MM
    flat = points.reshape(2, -1)
    return flat @ basis.components.T.astype(np.float64), flat @ basis.mean.astype(np.float64)
