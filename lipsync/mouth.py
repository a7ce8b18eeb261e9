"""Mouth shapes: the points of a mouth without head pose, and their principal components.

Suwajanakorn et al. 2017, section 4.1: 18 frontal lip points of each frame, 36 numbers, are reduced to the first 20 PCA
coefficients. Beyond the paper, the default recipe's shapes tell all 40 lip vertices and the moving part of the jaw, as
these move with the 18 points.
Pose is taken out by the three-dimensional fit on the rigid vertices (`shared.face.pose`), so lengths are centimetres of
the canonical face: x to the picture's right, y up.

A mouth has its points in one order, in which each layout is a beginning: the paper's 18 lip points, the inner corners,
the 20 lip vertices between, 11 points of the jaw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from lipsync.options import RecipeName
from lipsync.plane import DEPTH_CM
from lipsync.ring import BETWEEN, between
from shared.face.landmarks import canonical_face, landmarks_from_mesh
from shared.face.pose import FLIP, FacePose, fit_pose, fit_pose_68
from shared.picture.warp import invert, transform
from shared.types import Face, Floats

LIP_POINTS: Final = (*range(48, 60), 61, 62, 63, 65, 66, 67)
"""The 18 iBUG points of the paper's shape: both lips without the inner corners 60 and 64."""
INNER_CORNERS: Final = (60, 64)
JAW_POINTS: Final = tuple(range(3, 14))
"""iBUG points of the jaw that speech moves (`lipsync.jaw.FOLLOWS`)."""
LIPS: Final = 2 * len(LIP_POINTS)
"""Numbers of a mouth that tell the lip points."""
MOUTH: Final = LIPS + 2 * (len(INNER_CORNERS) + len(BETWEEN) + len(JAW_POINTS))
"""Numbers of a whole mouth: 102."""
INNER_PAIRS: Final = ((12, 17), (13, 16), (14, 15))
"""Facing inner-lip points (61-67, 62-66, 63-65) as places in `LIP_POINTS`."""
COEFFICIENTS: Final = 20
"""Of the lip points."""
FACE_WIDTH_CM: Final = 15.33
"""Widest distance of the canonical face (vertices 234 and 454): the unit of "% of the face width"."""


LAYOUTS: Final[Mapping[RecipeName, int]] = {"paper": LIPS, "default": MOUTH}
"""How many numbers of a mouth a recipe's shapes tell. Of a GRID speaker's held-out mouths the 20 coefficients tell the
lip points to 0.02 mm, the 22 other lip vertices to 0.05 mm and the jaw to 0.6 mm of its 2.1 (root mean square). With 4
coefficients more they tell it to 0.16 mm, but networks of 3 minutes heard none of that: told of other sentences, the
jaw was 1.37 mm off with them and 1.37 without (mean), and the lips no nearer."""
LEAST_CM2: Final = 1e-6
"""Variance of a coefficient of the lips under which it hardly tells the other points."""


@dataclass(frozen=True, slots=True)
class FreeFace:
    """A face without its pose.

    Attributes
    ----------
    points : (68, 2) float32, iBUG 68 in canonical centimetres, y up.
    flat : (68, 2) float32, where they are seen on the textures' plane, centimetres; depends on the pose.
    pose : from canonical space to the frame.
    between : (20, 2) float32, the lip vertices `lipsync.ring.BETWEEN`, as `points`.
    """

    points: Floats
    flat: Floats
    pose: FacePose
    between: Floats

    @property
    def mouth(self) -> Floats:
        """(102,) float32, x and y of each point of the mouth."""
        return mouths_of(self.points, self.between)

    def in_frame(self, change: Floats) -> Floats:
        """Changes of points (N, 2), canonical centimetres, as they are seen: (N, 2) frame pixels."""
        matrix = self.pose.scale * (FLIP @ self.pose.rotation)[:2, :2]
        return np.asarray(change @ matrix.T, dtype=np.float32)

    @property
    def lips(self) -> Floats:
        """(36,) float32, of these the lip points."""
        return np.ascontiguousarray(self.points[list(LIP_POINTS)]).reshape(-1)


def mouths_of(points: Floats, ring: Floats) -> Floats:
    """Points (..., 68, 2) and the vertices between (..., 20, 2) as mouths (..., 102)."""
    told = [points[..., [*LIP_POINTS, *INNER_CORNERS], :], ring, points[..., list(JAW_POINTS), :]]
    return np.concatenate(told, axis=-2, dtype=np.float32).reshape(*points.shape[:-2], MOUTH)


def free_face(face: Face) -> FreeFace:
    """Take the head pose out of a face, by its mesh, or by its 68 points where it has none.

    Flat points carry no depth of their own: each is taken to lie at its canonical point's depth.
    """
    canonical = canonical_face()
    if face.mesh is not None:
        pose = fit_pose(face.mesh, canonical.vertices)
        free = pose.to_face(face.mesh)
        points, ring = landmarks_from_mesh(free), free[list(BETWEEN), :2]
    else:
        pose = fit_pose_68(face.landmarks, canonical.landmarks)
        depths = canonical.landmarks[:, 2]
        points = np.array([_on_plane(pose, z, point) for z, point in zip(depths, face.landmarks, strict=True)])
        ring = between(points)
    return FreeFace(points, _on_plane(pose, DEPTH_CM, face.landmarks), pose, ring)


def _on_plane(pose: FacePose, depth_cm: float, points: Floats) -> Floats:
    return transform(invert(pose.frame_from_plane(float(depth_cm))), points)


@dataclass(frozen=True, slots=True)
class MouthBasis:
    """The principal components of one speaker's lips, and what moves with them.

    Attributes
    ----------
    mean : (M,) float32 centimetres; how much of a mouth it has is the layout of the shapes, 36 or 102 numbers.
    components : (20, M) float32, change of these with each coefficient: orthonormal on the lip points, by falling
        variance.
    """

    mean: Floats
    components: Floats

    def encode(self, mouths: Floats) -> Floats:
        """Mouths (..., 36 or more) to coefficients (..., 20); the lip points alone tell them."""
        away = mouths[..., :LIPS] - self.mean[:LIPS]
        return np.asarray(away @ self.components[:, :LIPS].T, dtype=np.float32)

    def decode(self, shapes: Floats) -> Floats:
        """Coefficients (..., 20) to as much of a mouth as they tell, (..., M)."""
        return np.asarray(shapes @ self.components + self.mean, dtype=np.float32)

    def lips(self, shapes: Floats) -> Floats:
        """Coefficients (..., 20) to lip points (..., 36)."""
        return np.asarray(shapes @ self.components[:, :LIPS] + self.mean[:LIPS], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class MouthSpace:
    """Which mouth shapes a person has.

    Attributes
    ----------
    lips : (N, 36) float32, mouths of the footage, canonical centimetres.
    basis : their principal components.
    rest : (20,) float32, the closed mouth in pauses.
    """

    lips: Floats
    basis: MouthBasis
    rest: Floats


def fit_basis(mouths: Floats, layout: int = LIPS) -> MouthBasis:
    """Principal components of lips; signs fixed so that the same input gives the same basis.

    They are the paper's whatever else is told; that is told by them, by least squares.

    Parameters
    ----------
    mouths : (N, layout) or whole ones (N, 102) float32 centimetres, N >= 1.
    layout : numbers of a mouth that shapes shall tell.
    """
    if mouths.ndim != 2 or mouths.shape[1] not in (layout, MOUTH) or mouths.shape[0] == 0:
        raise ValueError(f"mouths must be (N, {layout} or {MOUTH}) with N > 0, got {mouths.shape}")
    wide = mouths[:, :layout].astype(np.float64)
    mean = wide.mean(axis=0)
    lips, others = np.split(wide - mean, [LIPS], axis=1)
    values, vectors = np.linalg.eigh(lips.T @ lips)
    components = vectors[:, np.argsort(-values)[:COEFFICIENTS]].T
    components *= np.sign(components[np.arange(COEFFICIENTS), np.abs(components).argmax(axis=1)])[:, np.newaxis]
    shapes = lips @ components.T
    held = LEAST_CM2 * len(shapes) * np.eye(COEFFICIENTS)
    along = np.linalg.solve(shapes.T @ shapes + held, shapes.T @ others)
    return MouthBasis(mean.astype(np.float32), np.concatenate([components, along], axis=1).astype(np.float32))


def aperture_cm(lips: Floats) -> Floats:
    """Mean inner-lip gap in centimetres of mouths (..., 36 or more)."""
    points = lips.reshape(*lips.shape[:-1], -1, 2)
    gaps = [np.linalg.norm(points[..., high, :] - points[..., low, :], axis=-1) for high, low in INNER_PAIRS]
    return np.asarray(np.mean(gaps, axis=0), dtype=np.float32)
