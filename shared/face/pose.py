"""Head pose: the three-dimensional similarity between a mesh in a frame and the canonical face.

Two coordinate systems meet here. *Frame*: x to the right, y down, z away from the camera positive, in pixels (the
mesh's own). *Face*: the canonical face's, x to the picture's right, y **up**, z **towards** the camera, in
centimetres. ``frame = scale * FLIP @ rotation @ face + offset`` with ``FLIP = diag(1, -1, -1)``, so that a head that
looks into the camera has the identity as rotation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.face.landmarks import RIGID, RIGID_68
from shared.types import Floats, Matrix

FLIP: Final[NDArray[np.float64]] = np.diag([1.0, -1.0, -1.0])


@dataclass(frozen=True, slots=True)
class FacePose:
    """Weak-perspective pose of a head.

    Attributes
    ----------
    scale : pixels a canonical centimetre.
    rotation : (3, 3) float64, face to camera axes (both y up, z to the camera).
    offset : (3,) float64, frame position in pixels of the canonical origin.
    """

    scale: float
    rotation: NDArray[np.float64]
    offset: NDArray[np.float64]

    @property
    def yaw_deg(self) -> float:
        """The first of `angles_deg`, alone much sooner told."""
        return math.degrees(math.atan2(self.rotation[0, 2], self.rotation[2, 2]))

    @property
    def angles_deg(self) -> tuple[float, float, float]:
        """(yaw, pitch, roll): yaw positive to the picture's right, pitch up, roll clockwise in the picture."""
        looks = self.rotation[:, 2]
        yaw = self.yaw_deg
        pitch = np.arcsin(np.clip(looks[1], -1.0, 1.0))
        upright = rotation_from_angles(yaw, float(np.degrees(pitch)), 0.0)
        rest = upright.T @ self.rotation
        roll = -np.arctan2(rest[1, 0], rest[0, 0])
        return yaw, float(np.degrees(pitch)), float(np.degrees(roll))

    def to_face(self, mesh: Floats) -> Floats:
        """Pose-free coordinates of frame points, (..., 3) to (..., 3) float32 canonical units (y up)."""
        centred = (np.asarray(mesh, dtype=np.float64) - self.offset) / self.scale
        return np.asarray(centred @ (FLIP @ self.rotation), dtype=np.float32)

    def to_frame(self, points: Floats) -> Floats:
        """Frame positions in pixels of canonical points, (..., 3) to (..., 3) float32."""
        turned = np.asarray(points, dtype=np.float64) @ (FLIP @ self.rotation).T
        return np.asarray(turned * self.scale + self.offset, dtype=np.float32)

    def frame_from_plane(self, z: float) -> Matrix:
        """The affine map from canonical (x, y), y up, on the plane at depth `z`, to frame pixels, y down.

        Its determinant is negative for a head that looks into the camera (y changes direction).
        """
        matrix = self.scale * (FLIP @ self.rotation)
        frame_from_plane = np.eye(3)
        frame_from_plane[:2, :2] = matrix[:2, :2]
        frame_from_plane[:2, 2] = self.offset[:2] + matrix[:2, 2] * z
        return frame_from_plane


def rotation_from_angles(yaw_deg: float, pitch_deg: float, roll_deg: float) -> NDArray[np.float64]:
    """Rotation of a head with the given angles: first roll, then pitch, then yaw, about fixed axes."""
    yaw, pitch, roll = np.radians([yaw_deg, -pitch_deg, -roll_deg])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z, dtype=np.float64)


def fit_pose(mesh: Floats, canonical: Floats, basis: Sequence[int] = RIGID) -> FacePose:
    """Least-squares similarity in three dimensions on the rigid vertices (Umeyama, PAMI 1991).

    Parameters
    ----------
    mesh : (468 or 478, 3) float32 frame pixels.
    canonical : (468, 3) float32, `CanonicalFace.vertices`.
    basis : vertices that take part.
    """
    if mesh.ndim != 2 or mesh.shape[1] != 3 or canonical.shape[1:] != (3,):
        raise ValueError(f"expected a mesh (478, 3) and a canonical face (468, 3), got {mesh.shape}, {canonical.shape}")
    chosen = list(basis)
    seen = mesh[chosen].astype(np.float64) @ FLIP
    model = canonical[chosen].astype(np.float64)
    seen_mean, model_mean = seen.mean(axis=0), model.mean(axis=0)
    seen_rest, model_rest = seen - seen_mean, model - model_mean
    left, singular, right = np.linalg.svd(seen_rest.T @ model_rest)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = (left * signs) @ right
    scale = max(float((singular * signs).sum() / (model_rest**2).sum()), 1e-9)
    offset = FLIP @ (seen_mean - scale * rotation @ model_mean)
    return FacePose(scale, rotation, offset)


def fit_pose_68(landmarks: Floats, canonical_68: Floats, basis: Sequence[int] = RIGID_68) -> FacePose:
    """Pose from flat points alone: the scaled orthographic camera nearest to the least-squares affine one.

    DeMenthon and Davis, "Model-based object pose in 25 lines of code", IJCV 1995, its first step. The depth of the
    offset is set so that the canonical origin lies at depth 0.

    Parameters
    ----------
    landmarks : (68, 2) float32 frame pixels.
    canonical_68 : (68, 3) float32, `CanonicalFace.landmarks`.
    """
    if landmarks.shape != (68, 2) or canonical_68.shape != (68, 3):
        raise ValueError(f"expected (68, 2) and (68, 3), got {landmarks.shape} and {canonical_68.shape}")
    chosen = list(basis)
    seen = landmarks[chosen].astype(np.float64) * (1.0, -1.0)
    model = canonical_68[chosen].astype(np.float64)
    seen_mean, model_mean = seen.mean(axis=0), model.mean(axis=0)
    camera = np.linalg.lstsq(model - model_mean, seen - seen_mean, rcond=None)[0].T
    left, singular, right = np.linalg.svd(camera, full_matrices=False)
    scale = max(float(singular.mean()), 1e-9)
    rows = left @ right
    rotation = np.vstack([rows, np.cross(rows[0], rows[1])])
    shift = seen_mean - scale * rows @ model_mean
    return FacePose(scale, rotation, np.array([shift[0], -shift[1], 0.0]))
