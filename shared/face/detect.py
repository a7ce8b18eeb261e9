"""The protocol of a face finder, the detector that both finders start from, and the door to the two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.errors import UsageError
from shared.face.landmarks import eye_distance
from shared.picture.planes import thumbnail
from shared.store.weights import weights_path
from shared.types import Face, Floats, Frame

FinderName = Literal["mesh", "fan"]
KNOWN = 0.3
"""Overlap of two boxes above which they hold one face."""
AGREED = 0.35
"""Mean distance of a face's eyes, nose and mouth from the detector's, in eye distances, above which it is no face."""
PRESENT = 0.5
"""A face with less presence than this is taken as lost."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A face box in upright frame pixels, with five points.

    Attributes
    ----------
    box : x0 y0 x1 y1.
    points : (5, 2) float32: the person's right eye, left eye, nose tip, right and left mouth corner.
    score : confidence in [0, 1].
    """

    box: tuple[float, float, float, float]
    points: Floats
    score: float


class FaceFinder(Protocol):
    """Finds the faces of a frame, from nothing or from where they were. One instance serves one thread."""

    turns: int
    """Quarter turns counter-clockwise under which the last thorough search saw faces best, tried first from then on:
    all that a finder carries from frame to frame, 0 at first."""

    def detect(self, frame: Frame, thorough: bool = False) -> tuple[Detection, ...]:
        """Where faces may be, largest first; `thorough` looks for small and lying ones too, at some cost."""

    def look(self, frame: Frame, detection: Detection) -> Face | None:
        """The face at a detection, None where a closer look shows none."""

    def find(self, frame: Frame) -> tuple[Face, ...]:
        """All faces of a frame, largest first: `detect`, thorough, then `look`."""

    def follow(self, frame: Frame, faces: Sequence[Face]) -> tuple[Face | None, ...]:
        """Each of `faces` in a later frame close by, None where it is no longer there."""


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """How faces are looked for in a whole frame."""

    first_side_px: int = 640
    """Long side of the first copy searched; finds faces of about 1/14 of it."""
    second_side_px: int = 1280
    """Long side of the second copy, searched when asked to be thorough; 0 for never."""
    least_score: float = 0.6
    """In [0, 1]; below it a box is no face."""
    sure_score: float = 0.93
    """Where no face has this score, a thorough search tries the frame lying on its sides and on its head; a face that
    stands on its head is seen, wrongly, with up to 0.9."""
    turn_gain: float = 0.03
    """What a turn must add to the best score to be taken."""
    overlap: float = 0.3
    """Intersection over union above which the weaker box goes."""


class Detector:
    """YuNet (Wu et al., "YuNet: a tiny millisecond-level face detector", 2023) in OpenCV."""

    def __init__(self, options: DetectorOptions | None = None) -> None:
        self._options = options or DetectorOptions()
        self.turns = 0
        """As `FaceFinder.turns`."""
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # a note on targets, of no use to anybody
        self._net = cv2.FaceDetectorYN.create(
            str(weights_path("yunet")), "", (64, 64), self._options.least_score, self._options.overlap, 500
        )
        cv2.utils.logging.setLogLevel(level)

    def detect(self, frame: Frame, thorough: bool = False) -> tuple[Detection, ...]:
        """Faces of a frame, largest first.

        A thorough search takes a larger copy, and turns it where it shows no face upright; the turn that showed one is
        the one tried from then on.
        """
        side = self._options.second_side_px if thorough and self._options.second_side_px else 0
        small, scale = thumbnail(frame, max(side, self._options.first_side_px))
        found = self._search(small, scale, self.turns)
        if thorough and _best(found) < self._options.sure_score:
            small, scale = thumbnail(frame, self._options.first_side_px)
            for turns in range(4):
                turned = self._search(small, scale, turns)
                if _best(turned) > _best(found) + self._options.turn_gain:
                    found, self.turns = turned, turns
        return found

    def _search(self, small: NDArray[np.uint8], scale: float, turns: int) -> tuple[Detection, ...]:
        """Search a copy after `turns` quarter turns counter-clockwise."""
        turned = np.ascontiguousarray(np.rot90(small, turns))
        self._net.setInputSize((turned.shape[1], turned.shape[0]))
        _, rows = self._net.detect(cv2.cvtColor(turned, cv2.COLOR_RGB2BGR))
        if rows is None:
            return ()
        found = [_detection(np.asarray(row, dtype=np.float64), small.shape[:2], scale, turns) for row in rows]
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


def find_all(finder: FaceFinder, frame: Frame) -> tuple[Face, ...]:
    """What `FaceFinder.find` gives, by `detect` and `look`."""
    looked = (finder.look(frame, detection) for detection in finder.detect(frame, thorough=True))
    return without_doubles([face for face in looked if face is not None])


def agrees(face: Face, detection: Detection) -> bool:
    """Whether a face has its eyes, nose and mouth where the detector saw them."""
    points = face.landmarks
    five = np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[30], points[48], points[54]])
    apart = float(np.linalg.norm(five - detection.points, axis=1).mean())
    return apart <= AGREED * eye_distance(points)


def _best(found: Sequence[Detection]) -> float:
    return max((one.score for one in found), default=0.0)


def _detection(row: NDArray[np.float64], size: tuple[int, int], scale: float, turns: int) -> Detection:
    # A row is x, y, width, height, five points, score, in pixels of the turned copy, whose corner is (0, 0).
    x0, y0, width, height = row[:4]
    places = np.concatenate([[[x0, y0], [x0 + width, y0 + height]], row[4:14].reshape(5, 2)])
    for left in range(turns, 0, -1):
        across = size[1] if left % 2 else size[0]  # width of the copy before this quarter turn
        places = np.stack([across - places[:, 1], places[:, 0]], axis=1)
    places = places / scale - 0.5
    low, high = places[:2].min(axis=0), places[:2].max(axis=0)
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return Detection(box, places[2:].astype(np.float32), float(row[14]))


def _area(box: tuple[float, float, float, float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
