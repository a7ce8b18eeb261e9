"""Made clips of two people, from real footage of each: side by side, swapping sides, crossing, cut together.

Heads are cut out with a soft edge and moved over a plain ground, so that where each face is, is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from shared.face.analyse import analyse
from shared.media.reader import open_clip
from shared.picture.planes import warp
from shared.picture.warp import eight_bit
from shared.types import Floats

HEIGHT, WIDTH, FRAMES = 288, 640, 56
REACH: Final = 1.15
"""Half axes of a head's cut-out, in halves of its face's height."""


class Place(NamedTuple):
    """Where a head is."""

    across: float
    """Its middle, as a share of the width."""
    size: float = 1.0
    depth: int = 0
    """The larger number is in front."""
    opaque: float = 1.0
    """Less than 1 while it fades in; 0 where it is not there."""


@dataclass(frozen=True, slots=True)
class Head:
    """A person's head, frame by frame."""

    pictures: list[NDArray[np.uint8]]
    alpha: Floats
    middles: Floats
    """(T, 2) of the face in its picture."""
    face_px: float


@dataclass(frozen=True, slots=True)
class TwoPeople:
    """A made clip and where the faces are."""

    path: Path
    truth: NDArray[np.float64]
    """(T, 2 people, 2) middle of each face, NaN where it is not seen whole."""
    hidden: NDArray[np.bool_]
    """(T, 2) whether a part of the face is behind the other."""


def head_of(clip: Path, cache: Path, first: int, frames: int = FRAMES) -> Head:
    """Cut a person's head out of real footage, steady in the picture."""
    with analyse(clip, cache) as faces:
        found = {index: seen[0] for index, _, seen in faces.iter() if first <= index < first + frames and seen}
    boxes = np.array([face.box for face in found.values()])
    middle = (np.median(boxes[:, :2] + boxes[:, 2:], axis=0) / 2).astype(np.float64)
    half = float(np.median(boxes[:, 3] - boxes[:, 1])) / 2 * REACH * 1.25
    side = int(2 * half)
    shift = np.array([[1.0, 0, half - middle[0]], [0, 1.0, half - middle[1]], [0, 0, 1]])
    with open_clip(clip) as reader:
        pictures = [eight_bit(warp(f, shift, (side, side))) for f in reader.frames() if f.index in found]
    y, x = (np.mgrid[:side, :side] - half) / half
    alpha = np.clip((1 - np.hypot(x * 1.15, y)) * 12, 0, 1).astype(np.float32)[..., np.newaxis]
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2 - middle + half
    return Head(pictures, alpha, middles.astype(np.float32), half * 2 / REACH / 1.25)


def make(path: Path, people: Sequence[Head], places: Callable[[int, float], tuple[Place, Place]]) -> TwoPeople:
    """Draw a clip of two people.

    Parameters
    ----------
    places : of (frame, its share of the clip): where each of the two is.
    """
    truth = np.full((FRAMES, 2, 2), np.nan)
    hidden = np.zeros((FRAMES, 2), dtype=np.bool_)
    pictures = []
    for number in range(FRAMES):
        where = places(number, number / (FRAMES - 1))
        canvas = np.full((HEIGHT, WIDTH, 3), (96, 110, 104), dtype=np.float32)
        for person in sorted((0, 1), key=lambda one: where[one].depth):
            if where[person].opaque > 0:
                truth[number, person] = _paste(canvas, people[person], number, where[person])
        apart = abs(truth[number, 0, 0] - truth[number, 1, 0])
        if apart < 0.75 * (people[0].face_px * where[0].size + people[1].face_px * where[1].size):
            hidden[number, int(where[0].depth > where[1].depth)] = True
        pictures.append(canvas.clip(0, 255).astype(np.uint8))
    _write(path, pictures)
    return TwoPeople(path, truth, hidden)


def _paste(canvas: NDArray[np.float32], head: Head, number: int, where: Place) -> NDArray[np.float64]:
    """Lay a head over the canvas; where the middle of its face came to lie."""
    place = number % len(head.pictures)
    side = int(head.alpha.shape[0] * where.size)
    scale = side / head.alpha.shape[0]
    steps = np.minimum((np.arange(side) / scale).astype(int), head.alpha.shape[0] - 1)
    picture, alpha = head.pictures[place][steps][:, steps].astype(np.float32), head.alpha[steps][:, steps]
    left, top = int(where.across * WIDTH - side / 2), int((HEIGHT - side) / 2)
    x0, x1 = max(0, left), min(WIDTH, left + side)
    y0, y1 = max(0, top), min(HEIGHT, top + side)
    inside = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    ground = canvas[y0:y1, x0:x1]
    canvas[y0:y1, x0:x1] = ground + where.opaque * alpha[inside] * (picture[inside] - ground)
    return np.asarray(head.middles[place] * scale + (left, top), dtype=np.float64)


def _write(path: Path, pictures: Sequence[NDArray[np.uint8]]) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(25), options={"crf": "16", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for picture in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
