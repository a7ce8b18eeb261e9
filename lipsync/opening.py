"""What is seen between the lips of a texture: the opening, the teeth in it by colour, their detail, and how they move.

Suwajanakorn et al. 2017, section 4.3, tell teeth inside the inner lips by high value and low saturation (150/255 at
most). On real footage that takes lips that are a pixel off, gums and tongue for teeth, and teeth in yellow light for
lips; so here teeth are, instead, much less red than the same mouth's lips.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lipsync.plane import TexturePlane
from shared.face.landmarks import INNER_LIP_68
from shared.picture.mask import erode, polygon_mask
from shared.picture.warp import gaussian, grey_of, warp_picture
from shared.types import Floats, IntBox, Matrix

TeethRow: TypeAlias = Literal["upper", "lower"]
ROWS: Final[tuple[TeethRow, TeethRow]] = ("upper", "lower")
OUTER_LIPS: Final = slice(48, 60)
INNER_ABOVE: Final = [60, 61, 62, 63, 64]
INNER_BELOW: Final = [60, 67, 66, 65, 64]
CARRIERS: Final[dict[TeethRow, tuple[list[int], ...]]] = {
    "upper": ([49, 50, 51, 52, 53, 61, 62, 63], [31, 32, 33, 34, 35]),
    "lower": ([55, 56, 57, 58, 59, 65, 66, 67],),
}
"""Landmarks that a row of teeth moves with: the upper one half with its lip, half with the nose base."""
LEAST_VALUE: Final = (0.17, 0.30)
"""HSV values, around 60/255, between which teeth fade in. A hard threshold would make single pixels come and go."""
LESS_RED: Final = (0.8, 0.5)
"""Shares of the lips' own redness, (R - G) / R, between which they fade in."""
DARKEST: Final = 0.02
"""Below it, colour is noise."""
ERODE_CM: Final = 0.06
"""How far inside the inner lips teeth begin."""
DETAIL_SIGMA_CM: Final = 0.3
"""Sigma of the high pass: a third of an incisor's width, so that gaps and edges pass and the shade does not."""


class MouthWindow:
    """The part of a voice's textures in which its inner lips ever lie."""

    def __init__(self, flats: Floats, plane: TexturePlane) -> None:
        """Lay the window around the inner lips of all faces, (N, 68, 2) centimetres on the plane."""
        self._plane = plane
        self.sigma_px = DETAIL_SIGMA_CM * plane.px_per_cm
        inner = plane.to_texture(flats[:, INNER_LIP_68]).reshape(-1, 2)
        most = np.array(plane.size[::-1])
        low = np.clip(np.floor(inner.min(axis=0) - 3 * self.sigma_px), 0, most - 2).astype(int)
        high = np.clip(np.ceil(inner.max(axis=0) + 3 * self.sigma_px) + 1, low + 2, most).astype(int)
        self.box: IntBox = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
        self.size = (self.box[3] - self.box[1], self.box[2] - self.box[0])

    def cut(self, texture: Floats) -> Floats:
        """Return a view of a texture's (H, W, 3) part in the window."""
        return texture[self.box[1] : self.box[3], self.box[0] : self.box[2]]

    def opening(self, flat: Floats) -> tuple[Floats, Floats]:
        """Draw the opening a little inside the lips, and how far down in it each pixel lies.

        Parameters
        ----------
        flat : (68, 2) centimetres on the plane.

        Returns
        -------
        opening : (h, w) float32 in [0, 1].
        depth : (h, w) float32, 0 at the upper lip, 1 at the lower one.
        """
        points = self._points(flat)
        opening = erode(polygon_mask(points[INNER_LIP_68], self.size), ERODE_CM * self._plane.px_per_cm)
        columns, rows = np.arange(self.size[1], dtype=np.float64), np.arange(self.size[0], dtype=np.float64)
        above, below = (_height_at(points[lip], columns) for lip in (INNER_ABOVE, INNER_BELOW))
        depth = np.clip((rows[:, np.newaxis] - above) / np.maximum(below - above, 0.5), 0.0, 1.0)
        return opening, depth.astype(np.float32)

    def teeth(self, window: Floats, flat: Floats, opening: Floats) -> Floats:
        """Tell teeth in an opening: bright enough, and much less red than the lips; (h, w) float32 in [0, 1].

        Parameters
        ----------
        window : (h, w, 3) float32 RGB in [0, 1].
        """
        red = window[..., 0]
        redness = np.asarray((red - window[..., 1]) / np.maximum(red, DARKEST), dtype=np.float32)
        region = opening * ramp(window.max(axis=-1), LEAST_VALUE)
        points = self._points(flat)
        lips = polygon_mask(points[OUTER_LIPS], self.size) - polygon_mask(points[INNER_LIP_68], self.size) > 0.5
        if lips.any():
            own = max(float(np.median(redness[lips])), DARKEST)
            region = region * ramp(redness, (LESS_RED[0] * own, LESS_RED[1] * own))
        return np.asarray(region, dtype=np.float32)

    def high_pass(self, window: Floats, opening: Floats) -> Floats:
        """Return what is finer than the shade between the lips, grey, (h, w) float32, 0 outside."""
        grey = grey_of(np.ascontiguousarray(window))
        return np.asarray(opening * (grey - smooth_inside(grey, opening, self.sigma_px)), dtype=np.float32)

    def offset(self, row: TeethRow, flat_from: Floats, flat_to: Floats) -> Floats:
        """How far a row of teeth moves from one face (68, 2) to another, (2,) texture pixels.

        The paper's offset of lip landmarks; for the upper teeth its mean with the nose base's, which does not rise with
        the lip. Of upper teeth tracked through two 720p and 1080p clips the height is then 0.03-0.05 cm off (median);
        by the lip alone 0.03-0.06, by the nose alone 0.04-0.07, unmoved on the plane 0.08-0.17. The lower ones, tracked
        on GRID: by the lip 0.04, by the chin 0.05, unmoved 0.14.
        """
        moved = [(flat_to[part] - flat_from[part]).mean(axis=0) for part in CARRIERS[row]]
        shift = np.mean(moved, axis=0) * self._plane.px_per_cm
        return np.array([shift[0], -shift[1]], dtype=np.float32)

    def _points(self, flat: Floats) -> Floats:
        return self._plane.to_texture(flat) - np.array(self.box[:2], dtype=np.float32)


def in_row(row: TeethRow, depth: Floats) -> Floats:
    """How far pixels belong to a row of teeth, by their depth between the lips alone, in [0, 1]."""
    lower = ramp(depth, (0.4, 0.6))
    return lower if row == "lower" else 1.0 - lower


def smooth_inside(picture: Floats, inside: Floats, sigma_px: float) -> Floats:
    """Blur what lies inside a mask by itself: lips do not shine into the mouth. Elsewhere the picture stays."""
    total = gaussian(inside, sigma_px)
    weights, total = (inside, total) if picture.ndim == 2 else (inside[..., np.newaxis], total[..., np.newaxis])
    blurred = gaussian(picture * weights, sigma_px) / np.maximum(total, 1e-3)
    return np.where(weights > 0.0, blurred, picture).astype(np.float32)


def shifted(picture: Floats, offset: Floats) -> Floats:
    """A (h, w) picture moved by (2,) pixels, 0 where it came from nowhere."""
    moved: Matrix = np.array([[1.0, 0.0, offset[0]], [0.0, 1.0, offset[1]], [0.0, 0.0, 1.0]])
    return warp_picture(picture, moved, (picture.shape[0], picture.shape[1]), border="zero")


def around(region: Floats, room_px: int) -> tuple[slice, slice] | None:
    """Rows and columns of a (h, w) region that is not 0, with some pixels around it; None where it is 0 everywhere."""
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    if rows.size == 0:
        return None
    first, last = (slice(max(0, int(lines[0]) - room_px), int(lines[-1]) + 1 + room_px) for lines in (rows, columns))
    return first, last


def ramp(levels: Floats, ends: tuple[float, float]) -> Floats:
    """Rise smoothly from 0 at the first level to 1 at the second, which may be the lower one."""
    share = np.clip((levels - ends[0]) / (ends[1] - ends[0]), 0.0, 1.0)
    return np.asarray(share * share * (3.0 - 2.0 * share), dtype=np.float32)


def _height_at(lip: Floats, columns: NDArray[np.float64]) -> NDArray[np.float64]:
    order = np.argsort(lip[:, 0], kind="stable")
    heights = np.interp(columns, lip[order, 0].astype(np.float64), lip[order, 1].astype(np.float64))
    return np.asarray(heights, dtype=np.float64)
