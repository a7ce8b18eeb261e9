"""The points of a face: iBUG 68 out of the 478 mesh vertices, lip rings, rigid vertices, and the canonical face.

The mesh is MediaPipe's (Kartynnik et al., "Real-time facial surface geometry from monocular video on mobile GPUs",
2019): 468 vertices of a fixed topology, ten more for the irises. iBUG 68 is the scheme of 300-W (Sagonas et al. 2013).
"""

from __future__ import annotations

import functools
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import WeightsError
from shared.store.weights import weights_path
from shared.types import Face, Floats

MESH_POINTS: Final = 478
CANONICAL_POINTS: Final = 468

_JAW: Final = (  # vertex, vertex, share of the second: even steps along the canonical contour 127 ... 152
    (127, 234, 0.0),
    (234, 93, 0.299),
    (93, 132, 0.563),
    (132, 58, 0.708),
    (58, 172, 0.844),
    (136, 150, 0.054),
    (150, 149, 0.434),
    (176, 148, 0.185),
    (152, 152, 0.0),
    (400, 377, 0.185),
    (379, 378, 0.434),
    (365, 379, 0.054),
    (288, 397, 0.844),
    (361, 288, 0.708),
    (323, 361, 0.563),
    (454, 323, 0.299),
    (356, 454, 0.0),
)
_BROWS: Final = (  # 300-W's brow points lie half-way between the vertices of the brow's upper edge
    *((70, 46, 0.5), (63, 105, 0.5), (105, 66, 0.5), (66, 107, 0.5), (107, 55, 0.5)),
    *((336, 285, 0.5), (296, 336, 0.5), (334, 296, 0.5), (293, 334, 0.5), (300, 276, 0.5)),
)
_NOSE: Final = (
    *((168, 168, 0.0), (197, 6, 0.4), (195, 5, 0.2), (4, 4, 0.0)),
    *((240, 240, 0.0), (97, 97, 0.0), (2, 2, 0.0), (326, 326, 0.0), (460, 460, 0.0)),
)
_EYES: Final = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
_OUTER: Final = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181)
_INNER: Final = (78, 82, 13, 312, 308, 317, 14, 87)
_ENTRIES: Final = (*_JAW, *_BROWS, *_NOSE, *((vertex, vertex, 0.0) for vertex in (*_EYES, *_OUTER, *_INNER)))

IBUG_FIRST: Final[NDArray[np.intp]] = np.array([entry[0] for entry in _ENTRIES], dtype=np.intp)
"""(68,) mesh vertex of each iBUG point; jaw, brows and nose ridge lie between this one and `IBUG_SECOND`."""
IBUG_SECOND: Final[NDArray[np.intp]] = np.array([entry[1] for entry in _ENTRIES], dtype=np.intp)
IBUG_SHARE: Final[Floats] = np.array([entry[2] for entry in _ENTRIES], dtype=np.float32)
"""(68,) share of the second vertex."""
IBUG_FROM_MESH: Final = IBUG_FIRST
"""(68,) one vertex for each point, where one index is enough (exact for eyes and lips)."""

OUTER_LIP: Final = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
"""20 vertices around the outer lip, from the picture's left corner along the lower lip and back."""
INNER_LIP: Final = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
"""20 vertices around the inner lip, in the same order."""
LIPS: Final = (*OUTER_LIP, *INNER_LIP)
OVAL: Final = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""36 vertices around the face, from the top of the forehead clockwise in the picture."""
IRISES: Final = (468, 473)
"""The middle of the iris of the eye 36-41, and of the eye 42-47."""
RIGID: Final = (
    *(33, 133, 362, 263),  # eye corners
    *(168, 6, 197, 195),  # nose ridge
    *(127, 356, 34, 264, 162, 389),  # temples
    *(54, 284, 68, 298),  # above the brows' outer ends
    *(10, 151, 9, 109, 338),  # forehead
    *(116, 345, 111, 340),  # cheek bones
)
"""27 vertices that speech moves least: the basis of pose and of pose-free coordinates."""
RIGID_68: Final = (27, 28, 29, 30, 31, 33, 35, 36, 39, 42, 45)
"""iBUG points that speech moves least: nose and eye corners."""

LANDMARKS: Final = 68
EYE_CORNERS_68: Final = (36, 45)
CORNERS_68: Final = ((36, 39), (42, 45))
"""Outer and inner corner of the eye 36-41, inner and outer one of the eye 42-47."""
INNER_LIP_68: Final = slice(60, 68)
INNER_GAP_68: Final = ((61, 67), (62, 66), (63, 65))
"""Pairs of facing points of the inner lip; their mean distance is the mouth's opening."""


@dataclass(frozen=True, slots=True)
class CanonicalFace:
    """The average face of the mesh's topology, in centimetres: x to the picture's right, y up, z to the camera.

    Attributes
    ----------
    vertices : (468, 3) float32.
    texture : (468, 2) float32 in [0, 1], u to the right, v down.
    triangles : (898, 3) int32 vertex numbers.
    """

    vertices: Floats
    texture: Floats
    triangles: NDArray[np.int32]

    @property
    def landmarks(self) -> Floats:
        """(68, 3) float32, the iBUG points of the canonical face."""
        return _mix(self.vertices)


def irises_of(face: Face) -> Floats | None:
    """The middles of the irises of the eyes 36-41 and 42-47, (2, 2) float32; None where the face has no such mesh."""
    if face.mesh is None or len(face.mesh) <= max(IRISES):
        return None
    return np.asarray(face.mesh[list(IRISES), :2], dtype=np.float32)


def landmarks_from_mesh(mesh: Floats) -> Floats:
    """The iBUG 68 points of a mesh.

    Some lie between two vertices: the jaw at even arc length along the canonical contour, brows and nose ridge where
    300-W has its points. The shares are fixed, so no noise is added.

    Parameters
    ----------
    mesh : (..., 468 or 478, 2 or 3) float32.

    Returns
    -------
    (..., 68, 2) float32.
    """
    if mesh.ndim < 2 or mesh.shape[-2] < CANONICAL_POINTS or mesh.shape[-1] not in (2, 3):
        raise ValueError(f"mesh must be (..., 468 or 478, 2 or 3), got {mesh.shape}")
    return _mix(mesh[..., :2])


def eye_distance(landmarks: Floats) -> float:
    """Distance of the outer eye corners, in the unit of `landmarks` (68, 2)."""
    right, left = EYE_CORNERS_68
    return float(np.linalg.norm(landmarks[left] - landmarks[right]))


def mouth_opening(landmarks: Floats) -> float:
    """Mean inner-lip gap over the distance of the outer eye corners; about 0 when closed.

    Parameters
    ----------
    landmarks : (68, 2) float32.
    """
    gaps = [float(np.linalg.norm(landmarks[low] - landmarks[high])) for high, low in INNER_GAP_68]
    return sum(gaps) / len(gaps) / max(eye_distance(landmarks), 1e-6)


@functools.lru_cache(maxsize=1)
def canonical_face() -> CanonicalFace:
    """The canonical face out of ``face_landmarker.task``.

    Raises
    ------
    WeightsError : the file cannot be had, or is not laid out as expected.
    """
    path = weights_path("face_landmarker")
    with zipfile.ZipFile(path) as archive:
        metadata = archive.read("geometry_pipeline_metadata_landmarks.binarypb")
    for number, value in _protobuf(metadata):
        if number == 1 and isinstance(value, bytes):
            return _canonical_from(value)
    raise WeightsError(f"{path}: holds no canonical face; fetch it again (lipswap weights)")


def _canonical_from(message: bytes) -> CanonicalFace:
    # mediapipe/modules/face_geometry/protos/mesh_3d.proto: 3 = x y z u v floats, 4 = triangle corners.
    buffer = [value for number, value in _protobuf(message) if number == 3 and isinstance(value, float)]
    corners = [value for number, value in _protobuf(message) if number == 4 and isinstance(value, int)]
    table = np.array(buffer, dtype=np.float32).reshape(CANONICAL_POINTS, 5)
    return CanonicalFace(
        vertices=np.ascontiguousarray(table[:, :3]),
        texture=np.ascontiguousarray(table[:, 3:]),
        triangles=np.array(corners, dtype=np.int32).reshape(-1, 3),
    )


def _mix(points: Floats) -> Floats:
    share = IBUG_SHARE[:, np.newaxis]
    mixed = points[..., IBUG_FIRST, :] * (1.0 - share) + points[..., IBUG_SECOND, :] * share
    return np.asarray(mixed, dtype=np.float32)


def _protobuf(message: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Fields of a protocol-buffer message: varints as int, 32-bit fields as float, the rest as bytes."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, place = _varint(message, place)
            yield number, value
        elif wire == 5:
            yield number, struct.unpack_from("<f", message, place)[0]
            place += 4
        elif wire == 2:
            length, place = _varint(message, place)
            yield number, message[place : place + length]
            place += length
        else:
            raise ValueError(f"wire type {wire} is not expected in this message")


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
