"""The default face finder: YuNet, then MediaPipe's mesh of 478 points in LiteRT, without the mediapipe package.

The crop follows MediaPipe's own graph (face_landmarks_detector_graph.cc): a square, turned upright by the line through
the eyes, half as large again as the points' bounds. The network reads 256 x 256 RGB in [0, 1] and writes points in
crop pixels whose origin is the *corner* of the first pixel, and a presence logit.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.face.detect import PRESENT, Detection, Detector, DetectorOptions, agrees, find_all
from shared.face.landmarks import MESH_POINTS, canonical_face, landmarks_from_mesh
from shared.face.litert import Net
from shared.face.pose import fit_pose
from shared.picture.planes import warp
from shared.picture.warp import eight_bit
from shared.store.weights import weights_path
from shared.types import Face, Floats, Frame, Matrix

CROP_PX: Final = 256
GROW: Final = 1.5
"""Side of the crop over the larger side of the points' bounds."""
EYES: Final = (33, 263)
"""Outer eye corners, whose line gives the roll of the crop."""
SHARPNESS_PX: Final = 128
"""Side of the face at which sharpness is measured."""

_BLENDSHAPE_POINTS: Final = (  # mediapipe/tasks/cc/vision/face_landmarker/face_blendshapes_graph.cc
    *(0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80),
    *(81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153),
    *(154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249),
    *(251, 263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314),
    *(317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382),
    *(384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473),
    *(474, 475, 476, 477),
)


@dataclass(frozen=True, slots=True)
class MeshOptions:
    """How the mesh is found."""

    detector: DetectorOptions = field(default_factory=DetectorOptions)
    blendshapes: bool = False
    """Whether the 52 blendshapes are computed too (0.5 ms a face)."""
    threads: int = 0
    """Threads of the mesh network; 0 for two where there are two cores."""
    least_face_px: float = 12.0
    """Smaller faces (larger side of the points' bounds) are not reported."""


class MeshFinder:
    """YuNet and the MediaPipe mesh; one instance serves one thread, but for `read`, which threads may share."""

    def __init__(self, options: MeshOptions | None = None) -> None:
        self._options = options or MeshOptions()
        threads = self._options.threads or min(2, os.cpu_count() or 1)
        with zipfile.ZipFile(weights_path("face_landmarker")) as archive:
            self._mesh_net = Net(archive.read("face_landmarks_detector.tflite"), threads)
            shapes = archive.read("face_blendshapes.tflite") if self._options.blendshapes else None
        self._shape_net = Net(shapes, 1) if shapes is not None else None
        self._detector = Detector(self._options.detector)
        self._canonical = canonical_face().vertices

    @property
    def turns(self) -> int:
        """The detector's."""
        return self._detector.turns

    @turns.setter
    def turns(self, turns: int) -> None:
        self._detector.turns = turns

    def detect(self, frame: Frame, thorough: bool = False) -> tuple[Detection, ...]:
        """Where YuNet sees faces, largest first."""
        return self._detector.detect(frame, thorough)

    def look(self, frame: Frame, detection: Detection) -> Face | None:
        """The face at a detection, looked at twice: in the detector's box, then in the bounds of its own points."""
        x0, y0, x1, y1 = detection.box
        across = detection.points[1] - detection.points[0]
        centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        square = (centre, max(x1 - x0, y1 - y0) * GROW, float(np.arctan2(across[1], across[0])))
        face = self._face(frame, self._read(frame, square)[0])
        return face if face is not None and agrees(face, detection) else None

    def find(self, frame: Frame) -> tuple[Face, ...]:
        """All faces of a frame, largest first."""
        return find_all(self, frame)

    def follow(self, frame: Frame, faces: Sequence[Face]) -> tuple[Face | None, ...]:
        """Each of `faces` found again in one look, None where its presence fell below a half."""
        return tuple(self._face(frame, face.mesh) if face.mesh is not None else None for face in faces)

    def read(self, crop: NDArray[np.uint8]) -> tuple[Floats, float]:
        """The mesh in a (256, 256, 3) RGB crop that shows one upright face, twice as large as its brows to chin.

        Returns
        -------
        (478, 3) float32 points in pixels of the crop, and the presence of a face in [0, 1].
        """
        points, presence = self._mesh_net.run(crop[np.newaxis].astype(np.float32) / np.float32(255.0))[:2]
        mesh = points.reshape(MESH_POINTS, 3).astype(np.float32)
        mesh[:, :2] -= 0.5
        return mesh, float(1.0 / (1.0 + np.exp(-float(presence.reshape(-1)[0]))))

    def _face(self, frame: Frame, near: Floats) -> Face | None:
        mesh, presence, crop = self._read(frame, _square_around(near))
        box = _bounds(mesh)
        size = max(box[2] - box[0], box[3] - box[1])
        if presence < PRESENT or size < self._options.least_face_px or not _touches(box, frame.size):
            return None
        face = Face(
            box=box,
            landmarks=landmarks_from_mesh(mesh),
            mesh=mesh,
            presence=presence,
            pose_deg=fit_pose(mesh, self._canonical).angles_deg,
            sharpness=sharpness_of(crop),
        )
        if self._shape_net is None:
            return face
        points = mesh[list(_BLENDSHAPE_POINTS), :2][np.newaxis]
        return replace(face, blendshapes=self._shape_net.run(points)[0].reshape(-1).copy())

    def _read(
        self, frame: Frame, square: tuple[NDArray[np.float64], float, float]
    ) -> tuple[Floats, float, NDArray[np.uint8]]:
        crop_from_frame = _crop_from_frame(*square)
        crop = eight_bit(warp(frame, crop_from_frame, (CROP_PX, CROP_PX), "zero"))
        points, presence = self.read(crop)
        mesh = points.astype(np.float64)
        frame_from_crop = np.linalg.inv(crop_from_frame)
        mesh[:, :2] = mesh[:, :2] @ frame_from_crop[:2, :2].T + frame_from_crop[:2, 2]
        mesh[:, 2] *= square[1] / CROP_PX
        return mesh.astype(np.float32), presence, crop


def _square_around(mesh: Floats) -> tuple[NDArray[np.float64], float, float]:
    """Centre, side and roll (radians) of the crop for points seen before."""
    points = mesh[:, :2].astype(np.float64)
    across = points[EYES[1]] - points[EYES[0]]
    roll = float(np.arctan2(across[1], across[0]))
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    turned = points @ turn.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    return turn.T @ ((low + high) / 2), float((high - low).max()) * GROW, roll


def _crop_from_frame(centre: NDArray[np.float64], side: float, roll: float) -> Matrix:
    scale = CROP_PX / max(side, 1.0)
    cosine, sine = np.cos(roll) * scale, np.sin(roll) * scale
    turn = np.array([[cosine, sine], [-sine, cosine]])
    crop_from_frame = np.eye(3)
    crop_from_frame[:2, :2] = turn
    crop_from_frame[:2, 2] = (CROP_PX - 1) / 2 - turn @ centre
    return crop_from_frame


def _bounds(mesh: Floats) -> tuple[float, float, float, float]:
    low, high = mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _touches(box: tuple[float, float, float, float], size: tuple[int, int]) -> bool:
    """Whether the centre of a box lies in the frame."""
    height, width = size
    return 0 <= (box[0] + box[2]) / 2 < width and 0 <= (box[1] + box[3]) / 2 < height


def sharpness_of(crop: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of the grey face at a size of 128 px, of a crop half as large again as the face."""
    side = round(SHARPNESS_PX * GROW)
    edge = (side - SHARPNESS_PX) // 2
    small = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (side, side), interpolation=cv2.INTER_AREA)
    face = small[edge : edge + SHARPNESS_PX, edge : edge + SHARPNESS_PX]
    return float(np.var(cv2.Laplacian(face, cv2.CV_32F, ksize=1)))
