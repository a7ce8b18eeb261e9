"""The protocol of a face finder, the detector that both finders start from, and the door to the two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import cv2
import numpy as np

from shared.errors import UsageError
from shared.picture.planes import thumbnail
from shared.store.weights import weights_path
from shared.types import Face, Floats, Frame

FinderName = Literal["mesh", "fan"]
KNOWN = 0.3
"""Overlap of two boxes above which they hold one face."""
PRESENT = 0.5
"""A face with less presence than this is taken as lost."""


class FaceFinder(Protocol):
    """Finds the faces of a frame, from nothing or from where they were."""

    def find(self, frame: Frame, known: Sequence[Face] = (), thorough: bool = False) -> tuple[Face, ...]:
        """All faces of a frame but those that overlap one of `known`, largest first; none is an empty tuple.

        `thorough` searches for small faces too, at several times the cost.
        """

    def follow(self, frame: Frame, faces: Sequence[Face]) -> tuple[Face | None, ...]:
        """Each of `faces` in a later frame close by, None where it is no longer there."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A face box in upright frame pixels, with five points.

    Attributes
    ----------
    box : x0 y0 x1 y1.
    points : (5, 2) float32: the eye at the picture's left, the one at the right, nose tip, left and right mouth corner.
    score : confidence in [0, 1].
    """

    box: tuple[float, float, float, float]
    points: Floats
    score: float


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """How faces are looked for in a whole frame."""

    first_side_px: int = 640
    """Long side of the first copy searched; finds faces of about 1/14 of it."""
    second_side_px: int = 1280
    """Long side of the second copy, searched where the first shows no face; 0 for never."""
    least_score: float = 0.6
    """In [0, 1]; below it a box is no face."""
    overlap: float = 0.3
    """Intersection over union above which the weaker box goes."""


class Detector:
    """YuNet (Wu et al., "YuNet: a tiny millisecond-level face detector", 2023) in OpenCV."""

    def __init__(self, options: DetectorOptions | None = None) -> None:
        self._options = options or DetectorOptions()
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # a note on targets, of no use to anybody
        self._net = cv2.FaceDetectorYN.create(
            str(weights_path("yunet")), "", (64, 64), self._options.least_score, self._options.overlap, 500
        )
        cv2.utils.logging.setLogLevel(level)

    def detect(self, frame: Frame, thorough: bool = False) -> tuple[Detection, ...]:
        """Faces of a frame, largest first; a larger copy is searched when asked for, or where the small shows none."""
        worth = max(frame.size) > self._options.first_side_px and self._options.second_side_px > 0
        if thorough and worth:
            return self._detect_at(frame, self._options.second_side_px)
        found = self._detect_at(frame, self._options.first_side_px)
        return self._detect_at(frame, self._options.second_side_px) if worth and not found else found

    def _detect_at(self, frame: Frame, long_side_px: int) -> tuple[Detection, ...]:
        small, scale = thumbnail(frame, long_side_px)
        self._net.setInputSize((small.shape[1], small.shape[0]))
        _, rows = self._net.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        if rows is None:
            return ()
        found = [_detection(np.asarray(row, dtype=np.float32), scale) for row in rows]
        return tuple(sorted(found, key=lambda one: -_area(one.box)))


def make_finder(name: FinderName = "mesh", device: str = "cpu") -> FaceFinder:
    """The named finder: ``mesh`` (default) or ``fan`` (the face-alignment package, on `device`).

    Raises
    ------
    InstallError, WeightsError : the package or its weights are not there.
    UsageError : no such finder.
    """
    if name == "mesh":
        from shared.face.mesh import MeshFinder  # noqa: PLC0415 - the finders stand on this file

        return MeshFinder()
    if name == "fan":
        from shared.face.fan import FanFinder  # noqa: PLC0415 - as above

        return FanFinder(device)
    raise UsageError(f"no face finder named {name!r}; choose mesh or fan")


def overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (_area(one) + _area(other) - shared)


def without_doubles(faces: Sequence[Face], known: Sequence[Face] = ()) -> tuple[Face, ...]:
    """The faces, each once and none that is known: of two that overlap, the one of less presence goes."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda one: -one.presence):
        if all(overlap(face.box, other.box) <= KNOWN for other in (*kept, *known)):
            kept.append(face)
    return tuple(sorted(kept, key=lambda one: -_area(one.box)))


def _detection(row: Floats, scale: float) -> Detection:
    # A row is x, y, width, height, five points, score, in pixels of the copy whose corner is (0, 0).
    x0, y0, width, height = (float(value) / scale for value in row[:4])
    points = row[4:14].reshape(5, 2) / scale - 0.5
    return Detection((x0 - 0.5, y0 - 0.5, x0 + width - 0.5, y0 + height - 0.5), points, float(row[14]))


def _area(box: tuple[float, float, float, float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
