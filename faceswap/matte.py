"""Where a made face is laid: masks of the hull, of the net and of the person, their intersection, and its edge.

All masks are (H, W) float32 in pixels of the patch, 1 = the made face.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faceswap.align import crop_from_frame, face_share
from faceswap.masks import mask_parts
from faceswap.options import SwapOptions
from faceswap.view import Made
from shared.picture.mask import erode, extended_hull, feather, hull_mask, polygon_mask
from shared.picture.warp import invert, piecewise_warp, resize_matrix, transform, warp_picture
from shared.types import Face, Floats, Matrix

VIEW_INSET: Final = 0.02
"""The mask ends this share of the view before the view does."""
PERSON_PX: Final = 256


def outline(points: Floats, size: tuple[int, int], options: SwapOptions, parts: Sequence[str]) -> Floats:
    """The hull of the landmarks, up to the brows where ``hull`` is asked for, else with some forehead.

    Parameters
    ----------
    points : (68, 2) patch pixels.
    """
    if "hull" in parts or options.forehead <= 0:
        return hull_mask(points, size)
    return extended_hull(points, size, options.forehead)


def laid_mask(
    made: Made, patch_from_frame: Matrix, places: tuple[Floats, Floats], face_px: float, options: SwapOptions
) -> Floats:
    """Where a made face is laid, softly: the masks asked for, within its view, behind what is in front of it.

    Parameters
    ----------
    places : x and y in view pixels at which each pixel of the patch reads the made face, (H, W) each.
    face_px : the face's width in the patch.
    """
    parts, side, size = mask_parts(options.mask), len(made.picture), places[0].shape
    points = transform(patch_from_frame, made.view.face.landmarks)
    drawn = made.view.face.outline
    if drawn is None:
        mask = outline(points, size, options, parts)
    else:
        mask = polygon_mask(transform(patch_from_frame, drawn), size)
    share = face_share(made.view.centring)
    inset = VIEW_INSET * side + share * side * max(0.0, options.feather / 2 - options.erode)
    mask = np.minimum(mask, _within(places, side, inset, face_px / (share * side)))
    if drawn is not None:  # a person has said what is face and what lies in front of it
        return edged(mask, points, face_px, options)
    if "learned" in parts and made.mask is not None:
        mask = np.minimum(mask, piecewise_warp(made.mask, *places))
    if "person" in parts and made.person is not None:
        person_from_frame = person_crop(made.view.face)
        mask = np.minimum(mask, warp_picture(made.person, patch_from_frame @ invert(person_from_frame), size))
    mask = edged(mask, points, face_px, options)
    return mask if made.front is None else mask * clear(made, made.front, patch_from_frame, size, options)


def clear(
    made: Made, front: Floats, patch_from_frame: Matrix, size: tuple[int, ...], options: SwapOptions
) -> Floats | np.float32:
    """Where nothing lies in front of a face, (H, W) float32 in [0, 1]; 1 where that is not asked for.

    Parameters
    ----------
    front : (S, S) float32 over the view.
    """
    if options.occluders <= 0:
        return np.float32(1)
    side = len(made.picture)
    patch_from_front = patch_from_frame @ invert(resize_matrix((side, side), front.shape) @ made.view.view_from_frame)
    return 1 - np.float32(options.occluders) * warp_picture(front, patch_from_front, (size[0], size[1]))


def person_crop(face: Face) -> Matrix:
    """(3, 3) ``crop_from_frame`` of head and shoulders, as the person's finder wants to see them."""
    middle = (PERSON_PX - 1) / 2
    wide = np.array([[1.0, 0.0, middle], [0.0, 1.0, middle], [0.0, 0.0, 1.0]]) @ np.diag([0.5, 0.5, 1.0])
    centred = np.array([[1.0, 0.0, -middle], [0.0, 1.0, -middle], [0.0, 0.0, 1.0]])
    return np.asarray(wide @ centred @ crop_from_frame(face.landmarks, PERSON_PX), dtype=np.float64)


def _within(places: tuple[Floats, Floats], side: int, inset_px: float, growth: float) -> Floats:
    """1 where a place lies at least `inset_px` inside the view, with an edge one pixel of the patch wide."""
    x, y = places
    middle = (side - 1) / 2
    inside = side / 2 - inset_px - np.maximum(np.abs(x - middle), np.abs(y - middle))
    return np.asarray(np.clip(inside * growth + 0.5, 0.0, 1.0), dtype=np.float32)


def edged(mask: Floats, points: Floats, face_px: float, options: SwapOptions) -> Floats:
    """The mask made smaller on all sides, further on each side as asked for, and soft.

    Parameters
    ----------
    points : (68, 2) patch pixels; the line of the eyes tells the sides.
    face_px : the face's width.
    """
    small = erode(mask.astype(np.float32, copy=False), face_px * options.erode)
    across = points[42:48].mean(axis=0) - points[36:42].mean(axis=0)
    across = across / max(float(np.linalg.norm(across)), 1e-6)
    down = np.array([-across[1], across[0]])
    for share, inward in (
        (options.erode_top, down),
        (options.erode_bottom, -down),
        (options.erode_left, across),
        (options.erode_right, -across),
    ):
        if share:
            moved = _moved(small, share * face_px * inward)
            small = np.minimum(small, moved) if share > 0 else np.maximum(small, moved)
    return feather(small, face_px * options.feather)


def _moved(mask: Floats, step: NDArray[np.float64]) -> Floats:
    shift = np.array([[1.0, 0.0, step[0]], [0.0, 1.0, step[1]], [0.0, 0.0, 1.0]])
    return warp_picture(mask, shift, (mask.shape[0], mask.shape[1]), "zero")
