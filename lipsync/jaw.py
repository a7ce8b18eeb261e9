"""Geometry of the lay-over: where the new jaw and lips lie in the frame, what is covered, how the texture gets there.

A texture is flat, a jaw is not: laid in by the plane alone, a head that is turned otherwise than in the footage gets
a second jaw line, and the footage's background beside its cheek. So the texture is steered: its own landmarks are
moved onto the wanted ones, and all between them follows smoothly. At the sides the wanted jaw is the frame's own,
since speech does not move it there; the chin and the lips move by what speech does, from where the clip's own head
wears them (`lipsync.seat`).

Suwajanakorn et al. 2017 find this warp by optical flow between the two jaws. Tried on five 1080p clips and two of
GRID, texture and frame on one plane, landmarks met, light matched: the flow's median at the chin is 0.026 eye distances
on one clip and 0.02 and less on six, in both directions, with a spread in time as large; along the sides it follows
collars and the room instead, up to 0.09. The landmarks are the better guide.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from lipsync.mouth import FreeFace
from lipsync.plane import TexturePlane
from lipsync.pull import Pull
from shared.face.landmarks import canonical_face, eye_distance
from shared.face.pose import FacePose
from shared.picture.mask import widened_jaw
from shared.picture.warp import invert, transform
from shared.types import Face, Floats, IntBox

_JAW: Final = (0.0, 0.0, 0.0, 0.3, 0.65, 0.9, 1.0, 1.0, 1.0, 1.0, 1.0, 0.9, 0.65, 0.3, 0.0, 0.0, 0.0)
FOLLOWS: Final[Floats] = np.array([*_JAW, *[0.0] * 31, *[1.0] * 20], dtype=np.float32)
"""(68,) how far each point follows the new mouth: lips and chin wholly, the sides of the jaw not."""
ABOVE: Final = np.array([*range(5), *range(12, 55), *range(60, 65)])
"""Points that carry the mesh above the lip line: all but lower lip and chin."""
BELOW: Final = np.array([*range(17), 48, 54, *range(55, 60), 60, *range(64, 68)])
"""Points that carry it below: lower lip, mouth corners and jaw."""
LIP_LINE_CM: Final = -4.27
"""Height of the mouth corners on the canonical face."""
STEERED: Final = np.array([*range(17), 31, 33, 35, *range(48, 68)])
"""Points that the texture is held by."""
STEER_WIDTH: Final = 0.30
"""Reach of a point's pull on the texture, and (`CARRY_WIDTH`) on the mesh, in eye distances."""
CARRY_WIDTH: Final = 0.20
INWARD: Final = np.full(17, -0.12)
"""How far outside each jaw point lies what is surely skin, in eye distances."""


def moved_landmarks(face: Face, free: FreeFace, wanted: Floats) -> Floats:
    """Landmarks of a face that takes on new lips and a new chin, (68, 2) frame pixels.

    Parameters
    ----------
    wanted : (68, 2) canonical centimetres of the new mouth; only the difference to the face's own counts.
    """
    return face.landmarks + free.in_frame((wanted - free.points) * FOLLOWS[:, np.newaxis])


def with_landmarks(face: Face, landmarks: Floats) -> Face:
    """The face with new landmarks, its mesh carried along but for the irises: what the next stage sees."""
    if face.mesh is None:
        return replace(face, landmarks=landmarks)
    mesh = face.mesh.copy()
    shifts, width = landmarks - face.landmarks, CARRY_WIDTH * eye_distance(face.landmarks)
    # Lips that part are a tear, which no smooth field makes: what lies above and below it is carried apart.
    below = canonical_face().vertices[:, 1] < LIP_LINE_CM
    for anchors, chosen in ((ABOVE, np.flatnonzero(~below)), (BELOW, np.flatnonzero(below))):
        pull = Pull(face.landmarks[anchors], shifts[anchors], width)
        mesh[chosen, :2] += pull.at(mesh[chosen, :2])
    return replace(face, landmarks=landmarks, mesh=mesh)


def texture_maps(
    plane: TexturePlane, pose: FacePose, flat: Floats, landmarks: Floats, box: IntBox
) -> tuple[Floats, Floats]:
    """Where in the texture each pixel of a box of the frame is read, steered by the landmarks.

    Parameters
    ----------
    flat : (68, 2) centimetres on the texture's plane, where the texture shows its own landmarks.
    landmarks : (68, 2) frame pixels, where they are to be seen.

    Returns
    -------
    map_x, map_y : (h, w) float32 texture pixels.
    """
    texture_from_frame = plane.texture_from_frame(pose)
    laid = transform(invert(texture_from_frame), plane.to_texture(flat))
    wanted = landmarks[STEERED]
    pull = Pull(wanted, laid[STEERED] - wanted, STEER_WIDTH * eye_distance(landmarks))
    return pull.through(texture_from_frame, box)


def skin_outline(landmarks: Floats) -> Floats:
    """Polygon of cheeks and chin without the jaw's edge, mouth included, (N, 2)."""
    return np.concatenate([widened_jaw(landmarks, INWARD)[2:15], landmarks[[35, 31]]]).astype(np.float32)
