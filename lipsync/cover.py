"""What part of the frame a new mouth covers: the whole jaw of the old and of the new mouth, but not the clothes.

If rows of the real jaw stay visible under the mask, the result follows the old jaw and not the speech; so everything
from the nose base to below the chin, cheek to cheek, is covered, for both mouths. Below the chin the frame's own pixels
stay where they are not of the skin's colour: a collar is in front of what the texture knows of the neck.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from lipsync.jaw import skin_outline
from lipsync.palette import SEEN_ON
from shared.face.landmarks import eye_distance
from shared.face.pose import FacePose
from shared.picture.colour import lab_from_rgb
from shared.picture.mask import erode, feather, lower_face_mask, lower_face_outline, polygon_mask
from shared.picture.planes import warp
from shared.picture.warp import (
    box_around,
    box_from_frame,
    gaussian,
    invert,
    piecewise_warp,
    resize,
    resize_matrix,
    to_float,
    transform,
    warp_picture,
)
from shared.types import Floats, Frame, IntBox

CLOTH: Final = (10.0, 22.0)
"""Distance to the skin in the a-b plane of Lab at which a pixel begins to count as cloth, and counts wholly."""
SHADOW: Final = (0.35, 0.9)
"""Bounds of the share of its chroma that skin keeps in shadow and in full light."""
LEAST_CHROMA: Final = 9.0
"""Skin paler than this (night, black and white) cannot be told from cloth by its colour."""
CLOTH_EYES_PX: Final = 60.0
"""Distance of the eyes at which cloth is looked for; more pixels would tell no more."""
BLUR_PX: Final = 1.2
"""Blur of the colours compared, against grain."""
SURROUNDINGS_EYES_PX: Final = 40.0
"""The same, where the footage's collar and room are looked for: they are cut out with their mixed edge, and softly."""
GROWN_PX, SOFT_PX = 1.25, 1.0


def cover(frame: Frame, old: Floats, new: Floats, skin_rgb: Floats | None, soft: float) -> tuple[IntBox, Floats]:
    """Box and mask of what is laid over.

    Parameters
    ----------
    old, new : (68, 2) frame pixels, the face as it is and as it will be.
    skin_rgb : (3,) mean colour of the clip's own lower face; None where it is not known.
    soft : width of the soft edge, in eye distances.

    Returns
    -------
    box : of the upright frame.
    mask : (H, W) float32, 0 on its border.
    """
    eyes_px = eye_distance(old)
    feather_px = max(2.0, soft * eyes_px)
    x0, y0, x1, y1 = box_around(np.concatenate([lower_face_outline(points) for points in (old, new)]))
    spare = int(np.ceil(feather_px)) + 2
    box = (x0 - spare, y0 - spare, x1 + spare, y1 + spare)
    size, corner = (box[3] - box[1], box[2] - box[0]), np.array(box[:2], dtype=np.float32)
    mask = lower_face_mask(old - corner, size, new - corner)
    if skin_rgb is not None:
        mask *= 1 - _cloth(frame, box, skin_rgb, (old, new))
    return box, feather(np.asarray(mask, dtype=np.float32), feather_px)


def uncovered(mask: Floats, box: IntBox, front: Floats, pose: FacePose) -> Floats:
    """The mask (H, W) of a box without what is in front of the face.

    Parameters
    ----------
    front : on the plane `SEEN_ON`, float32, 1 = in front.
    """
    box_from_front = box_from_frame(box) @ invert(SEEN_ON.texture_from_frame(pose))
    return np.asarray(mask * (1.0 - warp_picture(front, box_from_front, mask.shape, "zero")), dtype=np.float32)


def without_surroundings(mask: Floats, texture: Floats, maps: tuple[Floats, Floats], face: Floats) -> Floats:
    """The mask (H, W) of a box without collar and room that the texture shows beside its face.

    They come to lie inside the jaw and neck of a head that is turned otherwise, or seen nearer; there its own stay.

    Parameters
    ----------
    texture : (h, w, 3) float32 RGB.
    maps : (H, W) float32 each, where in the texture the pixels of the box are read.
    face : (68, 2) landmarks in the box, as they will be.
    """
    step = max(1, round(eye_distance(face) / SURROUNDINGS_EYES_PX))
    first = step // 2
    small_from_box = np.array([[1 / step, 0.0, -first / step], [0.0, 1 / step, -first / step], [0.0, 0.0, 1.0]])
    map_x, map_y = (np.ascontiguousarray(each[first::step, first::step]) for each in maps)
    shown = gaussian(piecewise_warp(texture, map_x, map_y), BLUR_PX)
    inside = polygon_mask(transform(small_from_box, skin_outline(face)), map_x.shape)
    asked = (mask[first::step, first::step] > 0) & (inside < 1)
    if not asked.any() or not (inside > 0).any():
        return mask
    skin = np.median(shown[inside > 0], axis=0).astype(np.float32)
    share = np.zeros(map_x.shape, dtype=np.float32)
    share[asked] = _unlike(shown[asked], skin) * (1 - inside[asked])
    if not share.any():
        return mask
    kept = 1 - gaussian(erode(share, -GROWN_PX), SOFT_PX)
    return mask * warp_picture(kept, invert(small_from_box), mask.shape)


def _cloth(frame: Frame, box: IntBox, skin_rgb: Floats, faces: tuple[Floats, Floats]) -> Floats:
    """How surely each pixel outside the faces (68, 2) is cloth, judged on a copy of the box at `CLOTH_EYES_PX`."""
    size = (box[3] - box[1], box[2] - box[0])
    scale = min(1.0, CLOTH_EYES_PX / eye_distance(faces[0]))
    small = (max(2, round(size[0] * scale)), max(2, round(size[1] * scale)))
    small_from_frame = resize_matrix(size, small) @ box_from_frame(box)
    own = to_float(warp(frame, small_from_frame, small))
    old, new = (transform(small_from_frame, points[:17]) for points in faces)
    share = 1 - polygon_mask(old, small, new)
    outside = share > 0
    share[outside] *= _unlike(gaussian(own, BLUR_PX)[outside], skin_rgb)
    return resize(share, size)


def _unlike(colours: Floats, skin_rgb: Floats) -> Floats:
    """How surely each of colours (..., 3) is not the skin's, (...) float32."""
    light, *skin = lab_from_rgb(skin_rgb).tolist()
    chroma = float(np.linalg.norm(skin))
    if chroma < LEAST_CHROMA:
        return np.zeros(colours.shape[:-1], dtype=np.float32)
    lab = lab_from_rgb(colours)
    # Skin in the shadow of the chin has the same hue, and as much less chroma as it is darker: that is no cloth.
    least = np.clip(lab[..., 0] / np.float32(max(light, 1.0)), *SHADOW)
    along = np.clip((lab[..., 1] * skin[0] + lab[..., 2] * skin[1]) / chroma**2, least, 1.3)
    distance = np.hypot(lab[..., 1] - along * skin[0], lab[..., 2] - along * skin[1])
    return np.asarray(np.clip((distance - CLOTH[0]) / (CLOTH[1] - CLOTH[0]), 0.0, 1.0), dtype=np.float32)
