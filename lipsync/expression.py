"""What brows and eyelids do over time, without pose, beside what is usual of them.

How far brows are drawn from where a person usually has them, and how far lids are open beside how far they usually are,
holds for another person's face: high brows or narrow eyes are no expression.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.predict import rest_share, smoothed
from shared.clock import FEATURE_RATE_HZ, resample_track, rows_around, times_of_rows
from shared.types import Floats

BROWS: Final = slice(17, 27)
EYES: Final = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47))
"""iBUG points of each eye: a corner, two of the upper lid, the other corner, two of the lower lid."""
BROWS_MS, LIDS_MS = 60.0, 10.0
"""Smoothing (standard deviation): brows are slow, a lid falls within three frames."""
USUAL_PERCENTILE: Final = 75.0
"""Of how far lids are open; blinks and looks downwards lie below."""
WIDE_PERCENTILE, NARROWEST = 98.0, 0.6
"""Somebody who looks down or laughs most of the time has eyes that are usually open by so much of the widest."""
LEAST_GAP: Final = 0.1
"""Eyes that are never open further, in their widths, tell nothing."""
SHUT, OPEN = 0.15, 0.85
"""Lids that are open by less than this share of the usual are shut, and by more are as usual: finders tremble..."""
WIDE, WIDEST = 1.08, 1.15
"""...up to this; beyond it eyes are opened wide, but no wider than that."""
FADE_S: Final = 0.5
"""So long after a video's end its expression is gone."""


@dataclass(frozen=True, slots=True)
class Expression:
    """Brows and lids over time.

    Attributes
    ----------
    times_s : (T,) float64, 100 rows a second, T >= 1.
    brows : (T, 10, 2) float32 canonical centimetres, how far from the usual the points 17 to 26 are.
    lids : (T, 2) float32 in [0, 1.15], how far the eyes at the picture's left and right are open: 0 shut, 1 as usual.
    known : (T,) float32 in [0, 1], 0 where no face is seen.
    """

    times_s: NDArray[np.float64]
    brows: Floats
    lids: Floats
    known: Floats

    def at(self, time_s: float) -> tuple[Floats, Floats, float]:
        """Brows (10, 2), lids (2,) and how far they are known at a time, linear between rows."""
        before, after, share = rows_around(time_s, FEATURE_RATE_HZ, float(self.times_s[0]), len(self.times_s))
        brows, lids, known = (
            rows[before] * (1 - share) + rows[after] * share for rows in (self.brows, self.lids, self.known)
        )
        return brows, lids, float(known)

    def later(self, by_s: float) -> Expression:
        """The same, so many seconds later."""
        return replace(self, times_s=self.times_s + by_s)


def expression_of(points: Floats, times_s: NDArray[np.float64], spans: list[tuple[float, float]]) -> Expression:
    """The expression of one person's pose-free faces.

    Parameters
    ----------
    points : (N, 68, 2) canonical centimetres, N >= 1.
    times_s : (N,) rising.
    spans : (start, end) of where the face is seen, seconds.
    """
    drawn = points[:, BROWS] - usual_brows(points)
    lids = lids_from(shares_of(gaps_of(points)))
    rows = times_of_rows(int((times_s[-1] + FADE_S) * FEATURE_RATE_HZ) + 1, FEATURE_RATE_HZ)
    brows = smoothed(resample_track(drawn.reshape(len(drawn), -1), times_s, rows), BROWS_MS)
    lids = smoothed(resample_track(lids, times_s, rows), LIDS_MS)
    known = 1.0 - rest_share(rows, spans)
    return Expression(rows, brows.reshape(len(rows), -1, 2), lids, np.asarray(known, dtype=np.float32))


def usual_brows(points: Floats) -> Floats:
    """Where a person usually has the brows, (10, 2), of pose-free faces (N, 68, 2), N >= 1."""
    return np.asarray(np.median(points[:, BROWS], axis=0), dtype=np.float32)


def gaps_of(points: Floats) -> Floats:
    """How far the eyes of faces (N, 68, 2) are open, (N, 2), in widths of the eye."""
    found = []
    for corner, above, over, other, under, below in EYES:
        width = np.linalg.norm(points[:, other] - points[:, corner], axis=1)
        gap = np.linalg.norm(points[:, above] - points[:, below], axis=1)
        gap += np.linalg.norm(points[:, over] - points[:, under], axis=1)
        found.append(gap / (2.0 * np.maximum(width, 1e-6)))
    return np.stack(found, axis=1).astype(np.float32)


def shares_of(gaps: Floats) -> Floats:
    """How far eyes are open beside the usual, (N, 2), of their gaps (N, 2); 1 throughout where they never open."""
    wide, usual = np.percentile(gaps, (WIDE_PERCENTILE, USUAL_PERCENTILE), axis=0).astype(np.float32)
    usual = np.maximum(usual, np.float32(NARROWEST) * wide)
    return np.where(wide >= LEAST_GAP, gaps / np.maximum(usual, np.float32(LEAST_GAP / 2)), np.float32(1.0))


def lids_from(shares: Floats) -> Floats:
    """How far lids are open, [0, 1.15], of how far they seem to be beside the usual."""
    falling = np.clip((shares - SHUT) / (OPEN - SHUT), 0.0, 1.0)
    return np.asarray(falling + np.clip(shares - WIDE, 0.0, WIDEST - 1.0), dtype=np.float32)
