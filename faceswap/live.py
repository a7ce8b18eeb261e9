"""A trained net as the tools that swap faces live expect it: their crop of a face in, the other person's face out.

Those tools cut the face themselves. They fit a mean face whose landmarks lie in a unit square around brows, nose and
mouth (that of dlib's ``get_face_chip_details``) to the face, and cut a square of `COVERAGE` units a side whose centre
lies `RISE` units above the square's own: the "whole face" of the DFM models. Our nets see a smaller view
(`faceswap.align`), so the view is read out of that crop and what the net makes is laid back into it, at a fixed place.
Both are resampled by two small matrix products, rows and columns, since the two crops are never turned against each
other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import torch
from torch import Tensor, nn

from faceswap.align import MEAN_FACE, STEADY, view_from_frame
from faceswap.augment import net_input
from faceswap.guides import moving
from models.autoencoder import FaceAutoencoder, as_module
from models.tensors import floats
from shared.picture.mask import erode, extended_hull
from shared.picture.warp import invert, scale_of, similarity, transform
from shared.types import Floats, Matrix

COVERAGE: Final = 2.2
"""Side of the live tool's crop in units of its mean face: its own default."""
RISE: Final = 0.08
"""How far the crop's centre lies above that of the unit square, in units."""
SIDE_STEP: Final = 16
"""The live tool's resolutions are multiples of this."""
FOREHEAD, SHRINK = 0.35, 0.05
"""The fixed mask: how far it reaches above the brows, in distances from brow to eye; and by what share of the face's
width it is made smaller."""
FADE = 0.06
"""Masks fade to 0 over this share of the view before it ends, so that no mask shows the view's own border."""

JAW: Final[Floats] = np.array(
    [
        *((-7.74, -2.36), (-7.63, -0.16), (-7.39, 2.09), (-6.88, 4.23), (-6.06, 6.0), (-5.03, 7.22), (-3.7, 8.23)),
        *((-2.12, 9.03), (0.0, 9.4), (2.12, 9.03), (3.7, 8.23), (5.03, 7.22), (6.06, 6.0), (6.88, 4.23)),
        *((7.39, 2.09), (7.63, -0.16), (7.74, -2.36)),
    ],
    dtype=np.float32,
)
MOUTH_CORNERS: Final[Floats] = np.array([(-2.46, 4.34), (2.46, 4.34)], dtype=np.float32)
"""The iBUG jaw and points 48 and 54 of the face that `faceswap.align.MEAN_FACE` is part of, in centimetres."""

FITTED: Final = (*range(17, 36), 36, 39, 42, 45, 48, 54)
"""iBUG points that the live tool fits: brows, nose, corners of the eyes and of the mouth."""
UNIT_FACE: Final[Floats] = np.array(
    [
        *((0.0002, 0.1065), (0.0753, 0.0389), (0.1811, 0.0187), (0.2908, 0.0345), (0.3934, 0.0774)),
        *((0.5869, 0.0774), (0.6895, 0.0345), (0.7991, 0.0187), (0.9050, 0.0389), (0.9800, 0.1065)),
        *((0.4901, 0.2034), (0.4901, 0.3070), (0.4901, 0.4098), (0.4901, 0.5156)),
        *((0.3669, 0.5873), (0.4260, 0.6093), (0.4901, 0.6281), (0.5542, 0.6093), (0.6134, 0.5873)),
        *((0.1217, 0.2164), (0.3346, 0.2317), (0.6456, 0.2317), (0.8585, 0.2164), (0.2541, 0.7802), (0.7261, 0.7802)),
    ],
    dtype=np.float32,
)
"""(25, 2) where dlib's mean face has them."""


@dataclass(frozen=True, slots=True)
class LiveCrop:
    """The live tool's square crop of a face, and where our view lies in it.

    Attributes
    ----------
    side_px : of the crop.
    crop_from_view : (3, 3) scale and shift, from pixels of the view to pixels of the crop.
    view_px : side of the view.
    """

    side_px: int
    crop_from_view: Matrix
    view_px: int


def live_crop(view_px: int, coverage: float = COVERAGE, side_px: int = 0) -> LiveCrop:
    """Place the view of a net in the live tool's crop.

    Parameters
    ----------
    coverage : side of the crop in units, as set in the live tool.
    side_px : of the crop; 0 takes the least that holds the view without shrinking it.
    """
    unit_from_view = similarity(_mean_landmarks()[list(FITTED)], UNIT_FACE) @ invert(
        view_from_frame(_mean_landmarks(), view_px)
    )
    grown = scale_of(unit_from_view)
    if not side_px:
        side_px = math.ceil(coverage / grown / SIDE_STEP) * SIDE_STEP
    # The live tool's corners lie on the centres of the corner pixels on one side and one pixel further on the other.
    scale = side_px / coverage
    shift = np.array([0.5 * side_px, 0.5 * side_px]) - scale * np.array([0.5, 0.5 - RISE])
    crop_from_view = np.diag([scale * grown, scale * grown, 1.0])
    crop_from_view[:2, 2] = scale * unit_from_view[:2, 2] + shift
    return LiveCrop(side_px, crop_from_view, view_px)


class LiveFace(nn.Module):
    """A net between the live tool's crops: BGR in, masks and BGR out.

    Parameters
    ----------
    net : in evaluation mode, float32, on the CPU.
    person : 0 or 1, who is drawn.
    expression : how far the face moves in what the net reads of lips, lids and brows.
    """

    def __init__(self, net: FaceAutoencoder, person: int, crop: LiveCrop, expression: float = 1.0) -> None:
        super().__init__()
        self._net = net
        self.module = as_module(net)
        self.person = person
        self.expression = expression
        self.crop = crop
        rows, columns = _readers(crop)
        back_rows, back_columns = _layers(crop)
        self.rows: Tensor
        self.columns: Tensor
        self.back_rows: Tensor
        self.back_columns: Tensor
        self.outside: Tensor
        self.hull: Tensor
        self.window: Tensor
        self.register_buffer("rows", floats(rows))
        self.register_buffer("columns", floats(np.ascontiguousarray(columns.T)))
        self.register_buffer("back_rows", floats(back_rows))
        self.register_buffer("back_columns", floats(np.ascontiguousarray(back_columns.T)))
        inside = back_rows.sum(axis=1)[:, np.newaxis] * back_columns.sum(axis=1)[np.newaxis]
        self.register_buffer("outside", floats(1.0 - np.clip(inside, 0.0, 1.0))[None, None])
        self.register_buffer("hull", floats(mean_hull(crop))[None, None])
        self.register_buffer("window", floats(_window(crop))[None, None])

    def forward(self, in_face: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Turn crops into the other person's faces.

        Parameters
        ----------
        in_face : (N, S, S, 3) float32 BGR in [0, 1].

        Returns
        -------
        out_face_mask, out_celeb_face, out_celeb_face_mask : (N, S, S, 1), (N, S, S, 3) BGR, (N, S, S, 1). Outside the
        view the face is `in_face` itself and the masks are 0. Both masks are the one that the decoder draws, or the
        hull of the mean face where it draws none.
        """
        crop = in_face.permute(0, 3, 1, 2)[:, [2, 1, 0]]
        view = torch.matmul(torch.matmul(self.rows, crop), self.columns)
        code = self._net.encode(net_input(view, self._net.config.input_px))
        made = self._net.decode(moving(code, self.expression), self.person)
        face = self._laid(made.picture.float()) + self.outside * crop
        mask = self.hull + 0.0 * crop[:, :1] if made.mask is None else self._laid(made.mask.float()) * self.window
        mask = mask.clamp(0.0, 1.0).permute(0, 2, 3, 1)
        # A graph's outputs must be tensors of their own.
        return mask, face.clamp(0.0, 1.0)[:, [2, 1, 0]].permute(0, 2, 3, 1), mask * 1.0

    def _laid(self, views: Tensor) -> Tensor:
        """What the net made, in its place in the crop, 0 around it."""
        return torch.matmul(torch.matmul(self.back_rows, views), self.back_columns)


def mean_hull(crop: LiveCrop) -> Floats:
    """The mask of a net that draws none: the mean face from chin to forehead, about what a swap lays by default.

    Returns
    -------
    (S, S) float32 in [0, 1], within the view; it does not follow the mouth or a turn of the head.
    """
    size = (crop.side_px, crop.side_px)
    crop_from_cm = crop.crop_from_view @ view_from_frame(_mean_landmarks(), crop.view_px)
    points = transform(crop_from_cm, _mean_landmarks())
    hull = erode(extended_hull(points, size, FOREHEAD), SHRINK * float(np.ptp(points[:17, 0])))
    return np.asarray(hull * _window(crop), dtype=np.float32)


def _window(crop: LiveCrop) -> Floats:
    """(S, S) 1 well inside the view, falling to 0 at its border."""
    places = np.arange(crop.side_px)
    sides = []
    for axis in (0, 1):
        inner = (places - crop.crop_from_view[axis, 2]) / crop.crop_from_view[0, 0]
        away = np.minimum(inner, crop.view_px - 1 - inner) / (FADE * crop.view_px)
        sides.append(np.clip(away, 0.0, 1.0))
    return np.asarray(np.minimum(sides[1][:, np.newaxis], sides[0][np.newaxis]), dtype=np.float32)


def _mean_landmarks() -> Floats:
    """(68, 2) of the mean face in centimetres; of the mouth only its corners count, the rest lies between them."""
    right, left = MOUTH_CORNERS
    mouth = np.concatenate([np.linspace(right, left, 7), np.linspace(left, right, 13)])
    assembled = np.concatenate([JAW, MEAN_FACE, mouth])
    if len(assembled) != 68 or STEADY.stop != 48:
        raise ValueError(f"expected 68 points with the mouth from 48 on, got {len(assembled)} and {STEADY}")
    return np.asarray(assembled, dtype=np.float32)


def _readers(crop: LiveCrop) -> tuple[Floats, Floats]:
    """Weights (view_px, side_px) that read rows and columns of the view out of the crop."""
    scale = crop.crop_from_view[0, 0]
    x, y = (scale * np.arange(crop.view_px) + crop.crop_from_view[axis, 2] for axis in (0, 1))
    return _linear(y, crop.side_px, scale, True), _linear(x, crop.side_px, scale, True)


def _layers(crop: LiveCrop) -> tuple[Floats, Floats]:
    """Weights (side_px, view_px) that lay rows and columns of the view into the crop, 0 outside it."""
    view_from_crop = invert(crop.crop_from_view)
    scale = view_from_crop[0, 0]
    x, y = (scale * np.arange(crop.side_px) + view_from_crop[axis, 2] for axis in (0, 1))
    return _linear(y, crop.view_px, scale, False), _linear(x, crop.view_px, scale, False)


def _linear(places: np.ndarray, length: int, step: float, edges: bool) -> Floats:
    """(len(places), length) weights of linear interpolation, widened where it shrinks; `edges` are repeated or 0."""
    reach = max(1.0, step)
    distance = np.abs(places[:, np.newaxis] - np.arange(-length, 2 * length)[np.newaxis])
    weights = np.maximum(0.0, 1.0 - distance / reach)
    weights /= weights.sum(axis=1, keepdims=True)
    inner = weights[:, length : 2 * length].copy()
    if edges:
        inner[:, 0] += weights[:, :length].sum(axis=1)
        inner[:, -1] += weights[:, 2 * length :].sum(axis=1)
    return cast(Floats, inner.astype(np.float32))
