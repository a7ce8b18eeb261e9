"""Another person's video drives the face: his lips, without pose, mapped into this speaker's mouth space.

His brows and lids move the face's own as they move beside his usual ones (`lipsync.expression`).

Both persons' mouths are taken as displacements from their own closed mouth in pauses, so that closed lips stay closed.
The displacements are mapped by the linear map that gives them the spread of this speaker's own mouths and moves them
least (Monge-Kantorovich; Pitié and Kokaram, "The linear Monge-Kantorovitch linear colour mapping for example-based
colour transfer", CVMP 2007, there for colours). A short video tells little of its person's spread: it is then taken to
be of this speaker's form, only smaller or larger.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.controls import Controls
from lipsync.expression import Expression, expression_of
from lipsync.index import ClipMouths, gather, rest_shape
from lipsync.predict import MouthTrack, rest_share, smoothed
from lipsync.voice import Voice
from shared.clock import FEATURE_RATE_HZ, resample_track, times_of_rows
from shared.errors import NoFaceError
from shared.progress import Progress, silent
from shared.store.artefact import cache_folder
from shared.types import Floats

NOISE_CM2: Final = 0.02**2
"""Variance of a coefficient that is no more than the finder's noise."""
OPEN_MM: Final = 1.5
"""A mouth opened by more than at rest and this is open."""
FEWEST_OPEN: Final = 25
WELL_KNOWN: Final = 500
"""Frames (20 s) from which a driver's own spread counts more than this speaker's form of it."""
LEAST_STRETCH, MOST_STRETCH = 0.6, 1.7
"""No direction of the lips' motion is made smaller or larger than this."""
TURNED_DEG: Final = 40.0
"""Frames in which the driver looks further aside tell nothing of his mouth."""
SMOOTH_MS: Final = 15.0
"""Usual smoothing: detected lips tremble."""
GAP_S: Final = 0.3
"""Over shorter gaps the mouth moves straight on; in longer ones it comes to rest."""


def driven(
    voice: Voice, controls: Controls, driver: Path, smooth_ms: float | None, progress: Progress = silent
) -> tuple[MouthTrack, Expression]:
    """The mouth, in the speaker's own mouths, and the expression that follow the largest face of a video.

    Raises
    ------
    NoFaceError
        There is no face in it, or none that looks this way.
    """
    clip = gather([driver], cache_folder(), "largest", Counter(), progress)[0]
    seen = np.array([abs(face.pose.angles_deg[0]) <= TURNED_DEG for face in clip.faces])
    if not seen.any():
        raise NoFaceError(f"{driver}: the face in it never looks this way; give a video that shows it from the front")
    spans = _spans(clip.times_s[seen])
    mouth = _mouth(voice, controls, clip, seen, spans, smooth_ms)
    return mouth, expression_of(clip.points[seen], clip.times_s[seen], spans)


def _mouth(
    voice: Voice,
    controls: Controls,
    clip: ClipMouths,
    seen: NDArray[np.bool_],
    spans: list[tuple[float, float]],
    smooth_ms: float | None,
) -> MouthTrack:
    away = voice.basis.encode(clip.lips) - rest_shape([clip], voice.basis)
    own = voice.repertoire - voice.rest
    matched = (away[seen] @ spread_map(_opened(away[seen], controls), _opened(own, controls))).astype(np.float32)
    shown_s = clip.times_s[seen]
    times = times_of_rows(int(shown_s[-1] * FEATURE_RATE_HZ) + 1, FEATURE_RATE_HZ)
    resting = rest_share(times, spans)
    shapes = voice.rest + resample_track(matched, shown_s, times) * (1.0 - resting)[:, np.newaxis]
    shapes = smoothed(shapes, SMOOTH_MS if smooth_ms is None else smooth_ms)
    opening = controls.measure(shapes)[:, 0]
    lowest = np.minimum(controls.closed_mm, 0.0)
    met = np.stack([np.maximum(opening, lowest), np.full_like(opening, np.nan)], axis=1)
    return MouthTrack(times, controls.moved(shapes, met), resting)


def _opened(away: Floats, controls: Controls) -> Floats:
    """Displacements of open mouths: how often somebody pauses says nothing of how far he moves his lips."""
    opening = controls.measure(controls.rest + away)[:, 0] - controls.closed_mm
    chosen = away[opening > OPEN_MM]
    return chosen if chosen.shape[0] >= FEWEST_OPEN else away


def spread_map(driven: Floats, own: Floats) -> Floats:
    """The map (D, D), from the right, of displacements (T, D) of a driver to those that this speaker would make.

    Parameters
    ----------
    own : (N, D) displacements of this speaker, in the same space.
    """
    goal = _spread(own)
    found = _spread(driven)
    known = driven.shape[0] / (driven.shape[0] + WELL_KNOWN)
    size = float(np.trace(found) / np.trace(goal))
    found = known * found + (1.0 - known) * size * goal
    root, inverse = _roots(found)
    middle, _ = _roots(root @ goal @ root)
    values, vectors = np.linalg.eigh(inverse @ middle @ inverse)
    return np.asarray((vectors * np.clip(values, LEAST_STRETCH, MOST_STRETCH)) @ vectors.T, dtype=np.float32)


def _spread(away: Floats) -> NDArray[np.float64]:
    """Mean square of displacements, noise and all: (D, D)."""
    wide = away.astype(np.float64)
    return wide.T @ wide / len(wide) + NOISE_CM2 * np.eye(wide.shape[1])


def _roots(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Square root of a symmetric matrix above 0, and its inverse."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    roots = np.sqrt(np.maximum(values, 1e-12))
    return (vectors * roots) @ vectors.T, (vectors / roots) @ vectors.T


def _spans(times_s: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Stretches in which the face is seen, over gaps up to `GAP_S`."""
    ends = np.flatnonzero(np.diff(times_s) > GAP_S)
    starts = [0, *(ends + 1).tolist()]
    return [(float(times_s[a]), float(times_s[b])) for a, b in zip(starts, [*ends.tolist(), -1], strict=True)]
