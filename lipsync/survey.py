"""What the pictures of each clip of the footage are like, told by some of its frames: how soft, and how lit.

Detail is looked for where there are no edges: those of lips and teeth survive a compression that takes the grain of
the skin, and change with the mouth besides. Of one GRID speaker it is 1.30 to 1.48% of the brightness in 24 clips at
CRF 18, 1.14 to 1.24% in 20 at CRF 25; the variance of the Laplacian at the mouth has 3.8 to 5.0 and 3.6 to 4.4 (8 clips
each). Noise counts as detail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.index import ClipMouths
from lipsync.jaw import skin_outline
from lipsync.light import light_between
from lipsync.options import VoiceOptions
from lipsync.plane import TexturePlane, plane_for
from lipsync.textures import frontal_rows, lower_faces, skin_mask
from shared.picture.mask import polygon_mask
from shared.picture.warp import grey_of, laplacian, to_float
from shared.progress import Progress, silent
from shared.types import Floats

LOOKED_AT: Final = 12
"""Frames of a clip."""
WITHIN: Final = 250
"""They lie among so many at its start: ten seconds tell its camera and its lamp."""
WEAKER: Final = 0.75
"""Share of the lower face, by the strength of the Laplacian, that is no edge."""
LABEL: Final = "comparing clips"


@dataclass(frozen=True, slots=True)
class View:
    """What one clip is like.

    Attributes
    ----------
    frames : frames that show the whole lower face nearly from the front.
    detail : mean size of the Laplacian over what is no edge of the lower face, as a share of its brightness.
    light : (3 terms, 3 channels) float64, logarithm of the gain that brings it to the light of the first clip that is
        looked at (`lipsync.light.Light`); zeros for that one, and where there is too little skin to tell.
    """

    frames: int
    detail: float
    light: NDArray[np.float64]


NOTHING: Final = View(0, 0.0, np.zeros((3, 3)))
"""Of a clip that never shows the whole lower face from the front."""


def survey(clips: Sequence[ClipMouths], options: VoiceOptions, progress: Progress = silent) -> list[View]:
    """Look at some frames of each clip, all at the resolution of the one that shows the face largest.

    Of one that never shows the whole lower face from the front it is `NOTHING`.
    """
    frontal = [frontal_rows(clip, options) for clip in clips]
    scales = [
        float(np.median([clip.faces[row].pose.scale for row in rows]))
        for clip, rows in zip(clips, frontal, strict=True)
        if rows.shape[0]
    ]
    if not scales:
        return [NOTHING] * len(clips)
    plane = plane_for(np.array([max(scales)], dtype=np.float32))
    views: list[View] = []
    first: tuple[Floats, Floats] | None = None
    for number, (clip, rows) in enumerate(zip(clips, frontal, strict=True)):
        seen = _seen(clip, rows[:WITHIN], plane) if rows.shape[0] else None
        if seen is None:
            views.append(NOTHING)
            continue
        detail, mean, skin = seen
        first = first or (mean, skin)
        light = light_between(mean, first[0], np.minimum(skin, first[1]))
        views.append(View(rows.shape[0], detail, NOTHING.light if light is None else light.terms))
        progress(number + 1, len(clips), LABEL)
    return views


def _seen(clip: ClipMouths, rows: NDArray[np.intp], plane: TexturePlane) -> tuple[float, Floats, Floats] | None:
    """Detail, mean texture (H, W, 3) and its skin (H, W) of some of the given rows; None where none is decoded."""
    chosen = rows[np.linspace(0, rows.shape[0] - 1, min(LOOKED_AT, rows.shape[0])).round().astype(np.intp)]
    details, total = [], np.zeros((*plane.size, 3), dtype=np.float32)
    for texture, row in lower_faces(clip, chosen, plane):
        picture = to_float(texture)
        details.append(detail_of(picture, plane.to_texture(clip.faces[row].flat)))
        total += picture
    if not details:
        return None
    mean_flat = np.mean([clip.faces[row].flat for row in chosen], axis=0).astype(np.float32)
    skin = skin_mask(plane.to_texture(mean_flat), plane.size)
    return float(np.median(details)), total / np.float32(len(details)), skin


def detail_of(texture: Floats, flat: Floats) -> float:
    """How much detail a lower face shows beside its edges, whatever its brightness.

    Parameters
    ----------
    texture : (H, W, 3) in [0, 1].
    flat : (68, 2) its landmarks, texture pixels.
    """
    grey = np.ascontiguousarray(grey_of(texture))
    inside = polygon_mask(skin_outline(flat), grey.shape) > 0.5
    strength = np.abs(laplacian(grey))[inside]
    if strength.size == 0:
        return 0.0
    weaker = np.partition(strength, int(WEAKER * (strength.size - 1)))[: int(WEAKER * (strength.size - 1)) + 1]
    return float(weaker.mean() / max(float(grey[inside].mean()), 1.0 / 255.0))
