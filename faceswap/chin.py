"""Where chins end, read off their shade.

A finder of landmarks guesses the chin by the rest of the face, and on some people puts it on the neck: the made face's
chin would then be laid above the clip's, with a dark line between. Under a chin lies shade, so the line of the jaw is
where the way out of the face is darkest; where nothing is clearly darkest (a beard, flat light) the finder is believed.
On GRID s1 and on the faces that a net makes of Audun that place is the finder's own within .02 of the face's width; on
the demo's second actor it lies .05 above the finder's. What counts is by how much the finder is wrong about the made
face and not about the clip's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faceswap.steady import Steadied
from faceswap.view import Made, Shown
from shared.picture.colour import lab_from_rgb
from shared.picture.warp import piecewise_warp, transform
from shared.types import Face, Floats

CHIN: Final = slice(6, 11)
"""iBUG points that are looked at: the chin and the jaw beside it; further up a jaw ends at hair or background."""
REACH: Final = (-0.10, 0.05)
"""How far inside and outside a point its shade is looked for, in widths of the face."""
STEP: Final = 0.005
AROUND: Final = 0.06
"""Shade is narrow: within so many face widths it is brighter on both sides, or it is a beard."""
DEPTH: Final = 4.0
"""By how much it is brighter there at least, in units of L."""
MOSTLY: Final = 0.5
"""A point that shows its shade in a smaller share of the frames is moved by less."""
SMOOTH: Final = np.array([0.25, 0.5, 0.25])
"""Neighbours move together, so that the jaw does not bend."""
SETTLED_S: Final = 4.0
"""Time constant: where a finder puts a chin is a matter of who it is."""


def shade_line(picture: Floats, points: Floats) -> NDArray[np.float64]:
    """How far beyond the chin's points its shade lies, in widths of the face, (5,); NaN where there is none.

    Parameters
    ----------
    picture : (H, W, 3) float32 RGB in [0, 1].
    points : (68, 2) in its pixels.
    """
    away, width = _outwards(points)
    steps = np.arange(REACH[0] - AROUND, REACH[1] + AROUND + STEP / 2, STEP)
    places = points[CHIN, np.newaxis] + (steps * width)[:, np.newaxis] * away[:, np.newaxis]
    read = piecewise_warp(picture, places[..., 0].astype(np.float32), places[..., 1].astype(np.float32))
    light = lab_from_rgb(read)[..., 0]
    near, found = round(AROUND / STEP), np.full(len(light), np.nan)
    inside = slice(near, len(steps) - near)
    for row, along in enumerate(light):
        low = near + int(along[inside].argmin())
        brighter = min(along[low - near : low].max(), along[low + 1 : low + near + 1].max()) - along[low]
        if brighter >= DEPTH:
            found[row] = steps[low]
    return found


class Chins:
    """Steadies along each track how far the finder is wrong about both chins."""

    def __init__(self) -> None:
        self._seen = Steadied(SETTLED_S)

    def put_right(self, few: Sequence[Shown]) -> list[Shown]:
        """Some consecutive scenes, the chins found on their made faces as far from their shade as the clip's are."""
        seen = [[None if made.found is None else _seen(made, made.found) for made in shown.faces] for shown in few]
        self._seen.start(
            (made.view.face.track, one)
            for shown, of_scene in zip(few, seen, strict=True)
            for made, one in zip(shown.faces, of_scene, strict=True)
            if one is not None
        )
        return [
            replace(
                shown,
                faces=tuple(self._right(shown, made, one) for made, one in zip(shown.faces, of_scene, strict=True)),
            )
            for shown, of_scene in zip(few, seen, strict=True)
        ]

    def _right(self, shown: Shown, made: Made, seen: NDArray[np.float64] | None) -> Made:
        if made.found is None or seen is None:
            return made
        steady = self._seen.add(made.view.face.track, shown.time_s, seen)
        (of_made, share), (of_clip, clip_share) = steady
        wrong = of_made / np.maximum(share, MOSTLY) - of_clip / np.maximum(clip_share, MOSTLY)
        return replace(made, found=_moved(made.found, np.convolve(np.pad(wrong, 1, mode="edge"), SMOOTH, "valid")))


def _seen(made: Made, found: Face) -> NDArray[np.float64]:
    """(2, 2, 5) of the made face and of the clip's: shade lines, 0 where there is none, and where there is one."""
    matrix, view = made.view.view_from_frame, made.view
    lines = [
        shade_line(picture, transform(matrix, face.landmarks))
        for picture, face in ((made.picture, found), (view.picture, view.face))
    ]
    return np.array([[np.nan_to_num(line), np.isfinite(line)] for line in lines])


def _moved(face: Face, by: NDArray[np.float64]) -> Face:
    """A face with the points of its chin moved outwards, by widths of the face (5,)."""
    away, width = _outwards(face.landmarks)
    landmarks = face.landmarks.copy()
    landmarks[CHIN] += (by * width)[:, np.newaxis].astype(np.float32) * away
    return replace(face, landmarks=landmarks)


def _outwards(points: Floats) -> tuple[Floats, float]:
    """(5, 2) unit steps from the mouth's middle out at the chin's points, and the face's width."""
    away = points[CHIN] - points[48:60].mean(axis=0)
    length = np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    return np.asarray(away / length, dtype=np.float32), float(np.linalg.norm(points[16] - points[0]))
