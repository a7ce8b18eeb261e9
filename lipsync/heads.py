"""How the head in a clip moves: speed, blinks and likeness of its frames, by what the clip's own upper face shows.

Mouth and jaw are left out: they follow the clip's old speech and are replaced.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.face.landmarks import eye_distance
from shared.store.faces import StoredFrame
from shared.types import Face, Floats

UPPER: Final = tuple(range(17, 48))
"""iBUG points of brows, nose and eyes."""
HEAD: Final = tuple(UPPER.index(point) for point in (*range(17, 36), 36, 39, 42, 45))
"""Places in `UPPER` of all but the lids: a blink is no movement of the head."""
LIDS: Final = (((37, 41), (38, 40), (36, 39)), ((43, 47), (44, 46), (42, 45)))
"""Of both eyes: facing points of the lids, twice, and the corners."""
SHUT: Final = 0.65
"""An eye open less than this share of what is usual in the clip blinks (Soukupova and Cech, "Real-time eye blink
detection using facial landmarks", 2016, tell by the same ratio)."""
LONGEST_BLINK_S: Final = 0.6
"""What lasts longer is a look down or closed eyes."""
BLINK_AROUND_S: Final = 0.08
"""On either side the lids are on their way."""
UNSEEN_QUANTILE: Final = 0.9
"""Frames without a face count as moving as fast as the fastest tenth: no pause is laid over them."""
TURNED_DEG: Final = 45.0
"""Between a yaw of 38 and 52 degrees `lipsync.composite` fades the new mouth out."""


@dataclass(frozen=True, slots=True)
class Heads:
    """What is known of the head in each of the N frames of a clip.

    Attributes
    ----------
    times_s : (N,) float64.
    shots : (N,) int64, number of the shot.
    upper : (N, 31, 2) float32, brows, nose and eyes in the clip's median eye distances; NaN without a face.
    lids : (N,) float32, height of the eyes over their width; NaN without a face.
    yaws_deg : (N,) float32; NaN without a face.
    """

    times_s: NDArray[np.float64]
    shots: NDArray[np.int64]
    upper: Floats
    lids: Floats
    yaws_deg: Floats

    def at(self, frames: NDArray[np.int64]) -> Heads:
        """Some of the frames, in another order."""
        times_s, shots = self.times_s[frames], self.shots[frames]
        return Heads(times_s, shots, self.upper[frames], self.lids[frames], self.yaws_deg[frames])

    def can_speak(self) -> NDArray[np.bool_]:
        """(N,) whether a face is seen that is not turned away, so that a new mouth can be laid over it."""
        return np.asarray(np.abs(self.yaws_deg) <= TURNED_DEG)


def heads_of(frames: Iterable[StoredFrame], tracks: frozenset[int]) -> Heads:
    """Measure a clip's head; of several chosen faces in a frame the largest counts."""
    times, shots, upper, lids, yaws, scales = [], [], [], [], [], []
    unseen = np.full((len(UPPER), 2), np.nan, dtype=np.float32)
    for frame in frames:
        times.append(frame.time_s)
        shots.append(frame.shot)
        face = max((face for face in frame.faces if face.track in tracks), key=_width, default=None)
        upper.append(unseen if face is None else face.landmarks[list(UPPER)])
        lids.append(np.nan if face is None else lid_ratio(face.landmarks))
        yaws.append(np.nan if face is None else face.pose_deg[0])
        if face is not None:
            scales.append(eye_distance(face.landmarks))
    scale = max(float(np.median(scales)), 1e-3) if scales else 1.0
    return Heads(
        np.array(times, dtype=np.float64),
        np.array(shots, dtype=np.int64),
        np.array(upper, dtype=np.float32).reshape(-1, len(UPPER), 2) / np.float32(scale),
        np.array(lids, dtype=np.float32),
        np.array(yaws, dtype=np.float32),
    )


def lid_ratio(landmarks: Floats) -> float:
    """Height of the eyes over their width, of (68, 2) landmarks; the wider open one, for heads turned aside."""
    ratios = []
    for first, second, corners in LIDS:
        high = sum(float(np.linalg.norm(landmarks[low] - landmarks[up])) for up, low in (first, second)) / 2
        wide = float(np.linalg.norm(landmarks[corners[0]] - landmarks[corners[1]]))
        ratios.append(high / max(wide, 1e-6))
    return max(ratios)


def speeds(heads: Heads) -> NDArray[np.float64]:
    """(N,) mean way of brows, nose and eye corners in a frame, eye distances, to and from it inside its shot."""
    count = len(heads.times_s)
    steps = np.full(count + 1, np.nan)
    if count > 1:
        apart = np.linalg.norm(np.diff(heads.upper[:, list(HEAD)], axis=0), axis=-1).mean(axis=-1)
        steps[1:-1] = np.where(np.diff(heads.shots) == 0, apart, np.nan)
    both = np.stack([steps[:-1], steps[1:]])
    known = np.isfinite(both)
    total, ways = np.where(known, both, 0.0).sum(axis=0), known.sum(axis=0)
    speed = np.where(ways > 0, total / np.maximum(ways, 1), np.nan)
    seen = np.isfinite(speed)
    unseen = float(np.quantile(speed[seen], UNSEEN_QUANTILE)) if seen.any() else 0.0
    return np.where(seen, speed, unseen)


def blinks(heads: Heads, rate: float) -> NDArray[np.bool_]:
    """(N,) whether the eyes are shut or on their way, `rate` frames a second."""
    seen = np.isfinite(heads.lids)
    shut = np.zeros(len(heads.lids), dtype=np.bool_)
    if seen.any():
        shut[seen] = heads.lids[seen] < SHUT * float(np.median(heads.lids[seen]))
    around = round(BLINK_AROUND_S * rate)
    found = np.zeros_like(shut)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], shut.astype(np.int8), [0]])))
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if end - start <= LONGEST_BLINK_S * rate:
            found[max(0, start - around) : end + around] = True
    return found


def _width(face: Face) -> float:
    return face.box[2] - face.box[0]
