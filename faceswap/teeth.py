"""The clip's own teeth and tongue, laid between the created lips.

A net of 64 to 512 px draws the inside of a mouth last and worst, and footage in which somebody is mostly silent hardly
shows it. The created lips open as the clip's do (`faceswap.steer`), a little elsewhere and a little wider, as the face
is another one; what lies between the clip's lips is moved there: sharp, lit as the rest, and saying what is said. On
ten held-out GRID clips, a net of an hour on two cores, the opening's correlation rose from .967 to .979 and its spread
from .90 to .93 of the clip's; identity stayed as it was (.60 to the source, .36 to the target).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.face.landmarks import INNER_GAP_68, INNER_LIP_68
from shared.picture.blend import alpha_blend
from shared.picture.mask import feather, polygon_mask
from shared.picture.planes import warp
from shared.picture.warp import to_float
from shared.types import Floats, Frame, Matrix

SOFT_SHARE: Final = 0.02
"""Width of the edge between created lips and own mouth, as a share of the face's width."""
GROWTH: Final = (0.8, 1.25)
"""By how much the own mouth becomes wider at least and at most, to fit the created lips."""
PARTED: Final = (0.01, 0.03)
"""Gaps of the inner lips, in shares of the face's width, between which the own mouth fades in: shut lips show none."""


@dataclass(frozen=True, slots=True)
class Mouth:
    """The inner lips of a face.

    Attributes
    ----------
    clip : (8, 2) float32, the clip's, frame pixels.
    laid : (8, 2) float32, where the created ones are laid, patch pixels.
    """

    clip: Floats
    laid: Floats


def with_own_mouth(placed: Floats, frame: Frame, onto: Matrix, share: Floats) -> Floats:
    """A placed face with the clip's own mouth between its lips.

    Parameters
    ----------
    placed : (H, W, 3) float32 RGB in [0, 1].
    frame : of the clip.
    onto : (3, 3) of `moved`.
    share : (H, W) float32, how far the own mouth shows.
    """
    rows, columns = (np.flatnonzero(share.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return placed
    there = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    shift = np.eye(3)
    shift[:2, 2] = -columns[0], -rows[0]
    own = to_float(warp(frame, shift @ onto, share[there].shape))
    both = placed.copy()
    both[there] = alpha_blend(own, placed[there], np.asarray(share[there], dtype=np.float32))
    return both


def moved(mouth: Mouth) -> Matrix:
    """(3, 3) from the frame to the patch, so that the clip's inner lips come to lie on the created ones."""
    width, laid_width = (max(1e-3, float(np.linalg.norm(lips[4] - lips[0]))) for lips in (mouth.clip, mouth.laid))
    grow = float(np.clip(laid_width / width, *GROWTH))
    matrix = np.diag([grow, grow, 1.0])
    matrix[:2, 2] = mouth.laid.mean(axis=0) - grow * mouth.clip.mean(axis=0)
    return matrix


def mouth_share(own: Floats, laid: Floats, size: tuple[int, ...], face_px: float) -> Floats:
    """Where the clip's own mouth shows, (H, W) float32: inside its inner lips, and inside those of the created face.

    Parameters
    ----------
    own : (8, 2) the clip's inner lips where they are moved to, patch pixels.
    laid : (8, 2) the created inner lips, patch pixels.
    face_px : the face's width in the patch.
    """
    gap = min(_gap(lips) for lips in (own, laid))
    parted = float(np.clip((gap / face_px - PARTED[0]) / (PARTED[1] - PARTED[0]), 0.0, 1.0))
    if parted <= 0.0:
        return np.zeros(size, dtype=np.float32)
    inside = np.minimum(*(polygon_mask(lips, (size[0], size[1])) for lips in (own, laid)))
    return np.asarray(parted * feather(inside, SOFT_SHARE * face_px), dtype=np.float32)


def _gap(lips: Floats) -> float:
    """Mean distance of the facing points of an inner lip (8, 2)."""
    upper, lower = (np.array(INNER_GAP_68) - INNER_LIP_68.start).T
    return float(np.linalg.norm(lips[upper] - lips[lower], axis=1).mean())
