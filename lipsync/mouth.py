"""Mouth shapes: 18 lip points without head pose, and their principal components.

Suwajanakorn et al. 2017, section 4.1: the frontal lip points of each frame, 36 numbers, are reduced to the first 20
PCA coefficients. Pose is taken out by the three-dimensional fit on the rigid vertices (`shared.face.pose`), so lengths
are centimetres of the canonical face: x to the picture's right, y up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from lipsync.plane import DEPTH_CM
from shared.face.landmarks import canonical_face, landmarks_from_mesh
from shared.face.pose import FacePose, fit_pose, fit_pose_68
from shared.picture.warp import invert, transform
from shared.types import Face, Floats

LIP_POINTS: Final = (*range(48, 60), 61, 62, 63, 65, 66, 67)
"""The 18 iBUG points of a shape: both lips without the inner corners 60 and 64."""
INNER_PAIRS: Final = ((12, 17), (13, 16), (14, 15))
"""Facing inner-lip points (61-67, 62-66, 63-65) as places in `LIP_POINTS`."""
COEFFICIENTS: Final = 20
FACE_WIDTH_CM: Final = 15.33
"""Widest distance of the canonical face (vertices 234 and 454): the unit of "% of the face width"."""


@dataclass(frozen=True, slots=True)
class FreeFace:
    """A face without its pose.

    Attributes
    ----------
    points : (68, 2) float32, iBUG 68 in canonical centimetres, y up.
    flat : (68, 2) float32, where they are seen on the textures' plane, centimetres; depends on the pose.
    pose : from canonical space to the frame.
    """

    points: Floats
    flat: Floats
    pose: FacePose

    @property
    def lips(self) -> Floats:
        """(36,) float32, the lip points, x and y of each."""
        return np.ascontiguousarray(self.points[list(LIP_POINTS)]).reshape(-1)


def free_face(face: Face) -> FreeFace:
    """Take the head pose out of a face, by its mesh, or by its 68 points where it has none.

    Flat points carry no depth of their own: each is taken to lie at its canonical point's depth.
    """
    canonical = canonical_face()
    if face.mesh is not None:
        pose = fit_pose(face.mesh, canonical.vertices)
        points = landmarks_from_mesh(pose.to_face(face.mesh))
    else:
        pose = fit_pose_68(face.landmarks, canonical.landmarks)
        depths = canonical.landmarks[:, 2]
        points = np.array([_on_plane(pose, z, point) for z, point in zip(depths, face.landmarks, strict=True)])
    return FreeFace(points, _on_plane(pose, DEPTH_CM, face.landmarks), pose)


def _on_plane(pose: FacePose, depth_cm: float, points: Floats) -> Floats:
    return transform(invert(pose.frame_from_plane(float(depth_cm))), points)


@dataclass(frozen=True, slots=True)
class MouthBasis:
    """The principal components of one speaker's mouths.

    Attributes
    ----------
    mean : (36,) float32 centimetres.
    components : (20, 36) float32, orthonormal rows, by falling variance.
    """

    mean: Floats
    components: Floats

    def encode(self, lips: Floats) -> Floats:
        """Lip points (..., 36) to coefficients (..., 20)."""
        return np.asarray((lips - self.mean) @ self.components.T, dtype=np.float32)

    def decode(self, shapes: Floats) -> Floats:
        """Coefficients (..., 20) to lip points (..., 36)."""
        return np.asarray(shapes @ self.components + self.mean, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class MouthSpace:
    """Which mouth shapes a person has.

    Attributes
    ----------
    lips : (K, 36) float32, mouths of the footage, canonical centimetres.
    basis : their principal components.
    rest : (20,) float32, the closed mouth in pauses.
    """

    lips: Floats
    basis: MouthBasis
    rest: Floats


def fit_basis(lips: Floats) -> MouthBasis:
    """Principal components of lip points (N, 36), N >= 1; signs fixed so that the same input gives the same basis."""
    if lips.ndim != 2 or lips.shape[1] != 2 * len(LIP_POINTS) or lips.shape[0] == 0:
        raise ValueError(f"lip points must be (N, {2 * len(LIP_POINTS)}) with N > 0, got {lips.shape}")
    wide = lips.astype(np.float64)
    mean = wide.mean(axis=0)
    values, vectors = np.linalg.eigh((wide - mean).T @ (wide - mean))
    components = vectors[:, np.argsort(-values)[:COEFFICIENTS]].T
    largest = components[np.arange(COEFFICIENTS), np.abs(components).argmax(axis=1)]
    return MouthBasis(mean.astype(np.float32), (components * np.sign(largest)[:, None]).astype(np.float32))


def aperture_cm(lips: Floats) -> Floats:
    """Mean inner-lip gap in centimetres of lip points (..., 36)."""
    points = lips.reshape(*lips.shape[:-1], -1, 2)
    gaps = [np.linalg.norm(points[..., high, :] - points[..., low, :], axis=-1) for high, low in INNER_PAIRS]
    return np.asarray(np.mean(gaps, axis=0), dtype=np.float32)
