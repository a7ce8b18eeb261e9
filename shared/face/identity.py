"""Who is who: an embedding of a face whose cosine tells one person from another (SFace)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.picture.planes import warp
from shared.picture.warp import eight_bit, similarity, warp_picture
from shared.store.weights import weights_path
from shared.types import Face, Floats, Frame, Matrix

THRESHOLD: Final = 0.363
"""Cosine above which two faces are one person (OpenCV zoo, SFace on LFW: 99.4%)."""
ALIGNED_PX: Final = 112

_TEMPLATE: Final = np.array(  # eyes, nose tip, mouth corners in the 112 x 112 crop (Deng et al., ArcFace, 2019)
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


class FaceEmbedder(Protocol):
    """Turns a face into a vector that tells who it is."""

    def embed(self, frame: Frame, face: Face) -> Floats:
        """(128,) float32 of length one."""


class Embedder:
    """SFace (Zhong et al., "SFace: sigmoid-constrained hypersphere loss", 2021) in OpenCV."""

    def __init__(self) -> None:
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # a note on targets, of no use to anybody
        self._net = cv2.FaceRecognizerSF.create(str(weights_path("sface")), "")
        cv2.utils.logging.setLogLevel(level)

    def embed(self, frame: Frame, face: Face) -> Floats:
        """(128,) float32 of length one."""
        crop = eight_bit(warp(frame, aligned_from_frame(face), (ALIGNED_PX, ALIGNED_PX), "zero"))
        return self._read(crop)

    def embed_picture(self, picture: NDArray[np.uint8], landmarks: Floats) -> Floats:
        """(128,) float32 of length one, of a face with (68, 2) `landmarks` in an (H, W, 3) RGB picture."""
        return self._read(warp_picture(picture, _aligned_from(landmarks), (ALIGNED_PX, ALIGNED_PX), "zero"))

    def _read(self, aligned: NDArray[np.uint8]) -> Floats:
        feature = self._net.feature(cv2.cvtColor(aligned, cv2.COLOR_RGB2BGR))
        return unit(np.asarray(feature, dtype=np.float32).reshape(-1))


def aligned_from_frame(face: Face) -> Matrix:
    """The similarity from frame pixels to the 112 x 112 crop that the embedding reads."""
    return _aligned_from(face.landmarks)


def _aligned_from(points: Floats) -> Matrix:
    five = np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[30], points[48], points[54]])
    return similarity(five, _TEMPLATE)


def cosine(one: Floats, other: Floats) -> float:
    """Cosine of two embeddings, in [-1, 1]."""
    return float(np.dot(unit(one), unit(other)))


def unit(vector: Floats) -> Floats:
    """The vector at length one; a zero vector stays zero."""
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length if length > 0 else vector, dtype=np.float32)


def people_of(embeddings: Sequence[Floats], apart: Sequence[frozenset[int]], threshold: float = THRESHOLD) -> list[int]:
    """Person numbers, from 0, of tracks with the given embeddings.

    Average-linkage clustering: the two nearest groups are joined while their mean cosine is at least `threshold`.

    Parameters
    ----------
    embeddings : (128,) each, of length one; a zero vector is a person of its own.
    apart : for each track the tracks that are seen at the same time, and so are somebody else.
    """
    if not embeddings:
        return []
    table = np.stack([unit(embedding) for embedding in embeddings]).astype(np.float64)
    groups = [[number] for number in range(len(table))]
    cosines = table @ table.T
    np.fill_diagonal(cosines, -np.inf)
    for number, others in enumerate(apart):
        cosines[number, list(others)] = cosines[list(others), number] = -np.inf
    nearest = np.argmax(cosines, axis=1)
    while True:
        best = int(np.argmax(cosines[np.arange(len(table)), nearest]))
        one, other = sorted((best, int(nearest[best])))
        if cosines[one, other] < threshold:
            break
        sizes = len(groups[one]), len(groups[other])
        joined = (cosines[one] * sizes[0] + cosines[other] * sizes[1]) / sum(sizes)
        cosines[one] = cosines[:, one] = joined
        cosines[other] = cosines[:, other] = -np.inf
        cosines[one, one] = -np.inf
        groups[one] += groups[other]
        groups[other] = []
        # Only those that were nearest to one of the two, and the two, have to look around again.
        stale = np.flatnonzero((nearest == one) | (nearest == other))
        nearest[[*stale, one, other]] = np.argmax(cosines[[*stale, one, other]], axis=1)
    people = [0] * len(table)
    for person, group in enumerate(group for group in groups if group):
        for track in group:
            people[track] = person
    return people
