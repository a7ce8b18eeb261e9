"""A face as the net sees it, and the face that the net made for it: what travels through the steps of a conversion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faceswap.align import Centring, view_from_frame
from shared.picture.mask import erode, hull_mask
from shared.picture.planes import warp
from shared.picture.warp import to_float, transform
from shared.types import Face, Floats, Frame, Matrix, Scene

INNER_SHARE: Final = 0.06
"""The hull is eroded by this share of the view before figures are taken, so that no background counts."""


@dataclass(frozen=True, slots=True)
class View:
    """A face of the clip as the net sees it.

    Attributes
    ----------
    face : the face, in frame pixels.
    view_from_frame : (3, 3).
    picture : (V, V, 3) float32 RGB in [0, 1].
    inner : (V, V) float32, well inside the face.
    centring : what the view shows of the head.
    """

    face: Face
    view_from_frame: Matrix
    picture: Floats
    inner: Floats
    centring: Centring = "face"


@dataclass(frozen=True, slots=True)
class Made:
    """A face made for a view.

    Attributes
    ----------
    picture : (V, V, 3) float32 RGB in [0, 1], what the net drew.
    mask : (V, V) float32, the net's own mask of it; None where it draws none.
    front : (S, S) float32 over the view, 1 = something in front of the face; None where it was not looked for.
    person : (S, S) float32 over the crop of `person_from_frame`, 1 = person; None where it was not looked for.
    noise : (2,) variances of fine and of coarser noise of the clip there; None where it was not measured.
    found : the face that the finder sees in `picture`, in frame pixels; None where it was not looked for or not found.
    """

    view: View
    picture: Floats
    mask: Floats | None = None
    front: Floats | None = None
    person: Floats | None = None
    noise: NDArray[np.float64] | None = None
    found: Face | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A scene with the faces made for it."""

    scene: Scene
    faces: tuple[Made, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def time_s(self) -> float:
        """Presentation time in seconds."""
        return float(self.scene.frame.time_s)


def look_at(frame: Frame, face: Face, view_px: int, centring: Centring = "face") -> View:
    """Cut the view of a face out of a frame."""
    matrix = view_from_frame(face.landmarks, view_px, centring)
    picture = to_float(warp(frame, matrix, (view_px, view_px)))
    hull = hull_mask(transform(matrix, face.landmarks), (view_px, view_px))
    inner = erode(hull, INNER_SHARE * view_px)
    return View(face, matrix, picture, inner if inner.any() else np.ones_like(inner), centring)
