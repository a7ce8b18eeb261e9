"""One made face laid over the face it replaces: its colour, its sharpness, its mask, its place in the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faceswap.align import face_share
from faceswap.colours import METHODS, matched, visible
from faceswap.detail import grained, in_motion, log_details, sharpened, streak_of
from faceswap.matte import clear, laid_mask
from faceswap.options import SwapOptions
from faceswap.steer import GRID, MARGIN, Field
from faceswap.teeth import Mouth, mouth_share, moved, with_own_mouth
from faceswap.view import Made, View
from shared.face.landmarks import INNER_LIP_68
from shared.picture.blend import alpha_blend
from shared.picture.mask import erode, extended_hull
from shared.picture.warp import (
    box_around,
    enlarge,
    gaussian,
    invert,
    piecewise_warp,
    resize,
    resize_matrix,
    scale_of,
    spread,
    transform,
    warp_picture,
)
from shared.types import Floats, Frame, IntBox, Matrix, Patch

OUTWARDS_SHARE: Final = 0.04
"""How far inside the face the skin is taken from that goes on beyond it, as a share of the face's width..."""
OUTWARDS_PX: Final = 3.0
"""...and on the copy on which that is done, in pixels."""
RIM_SHARE: Final = 0.025
"""The face is taken to end so far within its hull, as a share of its width."""
OWN_FOREHEAD: Final = 0.6
"""How far above the mask the made face's own forehead reaches, in distances from brow to eye."""
SOFT_SHARE: Final = 0.01
"""Where skin of the one kind becomes the other, as a share of the face's width..."""
SOFT_PX: Final = 1.5
"""...and in pixels of the copy on which that edge is drawn, being soft in any case."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a patch takes from its place in the clip.

    Attributes
    ----------
    field : how the made face is warped; None where it is laid as it is.
    lips : (8, 2) float64, how far from the clip's inner lips the created ones are laid, in shares of the view; None
        where that is not known.
    motion_px : of the face since the last frame, x y in frame pixels.
    seed : of the grain: frame and track.
    frame : of the clip, whose mouth may be kept; None keeps none.
    """

    field: Field | None = None
    lips: NDArray[np.float64] | None = None
    motion_px: tuple[float, float] = (0.0, 0.0)
    seed: tuple[int, int] = (0, 0)
    frame: Frame | None = None


def figures(made: Made, options: SwapOptions) -> NDArray[np.float64]:
    """What is steadied along the track: log detail of both faces, noise of the old one, measures of their colour.

    Returns
    -------
    (4 + K,) float64, K by the method of colour.
    """
    seen = visible(made)
    colour = METHODS[options.colour_method].measure(made, seen)
    return np.concatenate([log_details(made, seen), np.zeros(2) if made.noise is None else made.noise, colour])


def lay(
    made: Made, measured: NDArray[np.float64], steady: NDArray[np.float64], options: SwapOptions, setting: Setting
) -> Patch:
    """Make the patch that puts a made face into the frame.

    Parameters
    ----------
    measured, steady : the `figures` of this frame and the steadied ones.
    """
    view = made.view
    picture = sharpened(matched(made.picture, steady[4:], options), steady[:2], options.sharpen)
    side = len(picture)
    face_px = face_share(view.centring) * side / scale_of(view.view_from_frame)
    box = _box(view, face_px, options)
    shift = np.eye(3)
    shift[:2, 2] = -box[0], -box[1]
    patch_from_view = shift @ invert(view.view_from_frame)
    places = _places(patch_from_view, (box[3] - box[1], box[2] - box[0]), side, setting.field)
    mask = laid_mask(made, shift, places, face_px, options)
    placed = _enlarged(picture, places, scale_of(patch_from_view))
    placed = _skin_outwards(placed, transform(shift, view.face.landmarks), face_px, options)
    if options.motion_blur > 0:
        placed = in_motion(placed, streak_of(setting.motion_px, measured[0], steady[0], options.motion_blur))
    if options.grain > 0:
        placed = grained(placed, steady[2:4], options.grain, setting.seed)
    if options.own_mouth > 0 and setting.frame is not None:
        mouth = _mouth(made, patch_from_view, setting)
        onto = moved(mouth)
        share = options.own_mouth * mouth_share(transform(onto, mouth.clip), mouth.laid, mask.shape, face_px)
        if made.front is not None and share.any():  # a hand over the mouth is not moved along with it
            share = share * clear(made, made.front, onto, mask.shape, options)
        placed = with_own_mouth(placed, setting.frame, onto, share)
    return Patch(box, placed, mask, view.view_from_frame, view.face.track)


def _mouth(made: Made, patch_from_view: Matrix, setting: Setting) -> Mouth:
    """Where the clip has its inner lips, and where the created ones are laid."""
    clip = made.view.face.landmarks[INNER_LIP_68]
    in_view = transform(made.view.view_from_frame, clip)
    apart = 0.0 if setting.lips is None else setting.lips * len(made.picture)
    return Mouth(clip, transform(patch_from_view, in_view + apart))


def _box(view: View, face_px: float, options: SwapOptions) -> IntBox:
    """Frame box around the face, its forehead and the soft edge."""
    points = view.face.landmarks
    lift = options.forehead * (points[17:27].mean(axis=0) - points[36:48].mean(axis=0))
    x0, y0, x1, y1 = box_around(np.concatenate([points, points[17:27] + lift]))
    room = round(face_px * (options.feather / 2 + _growth(options))) + 2
    return x0 - room, y0 - room, x1 + room, y1 + room


def _growth(options: SwapOptions) -> float:
    """How far the mask grows beyond the hull at most, in face widths."""
    sides = (options.erode_top, options.erode_bottom, options.erode_left, options.erode_right)
    return max(0.0, -options.erode) + max(0.0, -min(sides))


def _places(patch_from_view: Matrix, size: tuple[int, int], side: int, field: Field | None) -> tuple[Floats, Floats]:
    """X and y in view pixels at which each pixel of the patch is read, (H, W) each."""
    view_from_patch = invert(patch_from_view)
    columns, rows = np.arange(size[1], dtype=np.float32), np.arange(size[0], dtype=np.float32)[:, np.newaxis]
    x, y = ((row[0] * columns + (row[1] * rows + row[2])).astype(np.float32) for row in view_from_patch[:2].tolist())
    if field is not None:
        step = (1 + 2 * MARGIN) / GRID * side
        view_from_grid = np.array([[step, 0, step / 2], [0, step, step / 2], [0, 0, 1.0]])
        view_from_grid[:2, 2] -= MARGIN * side + 0.5
        steps = warp_picture(field.steps * np.float32(side), patch_from_view @ view_from_grid, size)
        x, y = x + steps[..., 0], y + steps[..., 1]
    return x, y


def _skin_outwards(placed: Floats, points: Floats, face_px: float, options: SwapOptions) -> Floats:
    """A placed face whose skin goes on where its soft edge shows what lies beside it: its source's own wall.

    What is outside the face becomes the mean of what is near it inside, found on a copy in which the edge is a few
    pixels wide.
    """
    height, width = placed.shape[:2]

    def at(face_there_px: float) -> tuple[int, int]:
        shrink = min(1.0, face_there_px / max(1.0, face_px))
        return max(2, round(height * shrink)), max(2, round(width * shrink))

    size, coarse = at(OUTWARDS_PX / OUTWARDS_SHARE), at(SOFT_PX / SOFT_SHARE)
    there = resize_matrix((height, width), coarse)
    # The made face ends a little within the landmarks' hull, and is sharpened against its wall; above the brows it
    # has a forehead of its own.
    hull = extended_hull(transform(there, points), coarse, max(options.forehead, 0.0) + OWN_FOREHEAD)
    hull = erode(hull, RIM_SHARE * face_px * scale_of(there))
    small = resize(hull, size)
    near = gaussian(resize(placed, size) * spread(small), OUTWARDS_PX)
    near /= np.maximum(spread(gaussian(small, OUTWARDS_PX)), 1e-3)
    inside = resize(gaussian(hull, SOFT_SHARE * face_px * scale_of(there)), (height, width))
    return alpha_blend(placed, resize(near, (height, width)), inside)


def _enlarged(picture: Floats, places: tuple[Floats, Floats], growth: float) -> Floats:
    """Resample to the patch; where it grows, by a cubic first, since linear interpolation alone would soften it."""
    times = min(8, int(np.ceil(growth))) if growth > 0.75 else 1
    if times > 1:
        picture = enlarge(picture, times)
        places = (places[0] * times + (times - 1) / 2, places[1] * times + (times - 1) / 2)
    return np.clip(piecewise_warp(picture, *places), 0.0, 1.0)
