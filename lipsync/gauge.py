"""Mouths of held-out clips, and what is measured of a predicted one against the real one.

Lips are the 18 points of a shape in canonical centimetres: head pose is taken out by the three-dimensional similarity
on 27 rigid vertices (`shared.face.pose.fit_pose`). Distances are given with the canonical face's oval 512 px high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.alignment import Marks
from lipsync.bearing import slow_upper
from lipsync.index import PAUSE_MARGIN_S, ClipMouths, in_spans
from lipsync.mouth import LIP_POINTS
from shared.face.landmarks import OVAL, canonical_face
from shared.metrics.mouth import CLOSED_SHARE, OPEN_SHARE, REACH_S, frame_lmd, gap_share
from shared.types import Floats, Sound

FACE_PX: Final = 512.0
NORMALISER: Final = (
    "18 lip points (iBUG 48-67 without 60 and 64), head pose removed by a 3-D similarity fit on 27 rigid mesh "
    "vertices, canonical face oval 512 px high; gaps in shares of the speaker's mean face width"
)
FEW_CLIPS: Final = 10
"""Below so many held-out clips, blocks of them are drawn for the intervals instead of whole clips."""
BLOCK_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class HeldClip:
    """What is known of a held-out clip.

    Attributes
    ----------
    indices : (T,) int64 frame numbers.
    times_s : (T,) float64 seconds after the first picture, on the clock of the sound.
    lips : (T, 36) float32, the real mouths.
    speech, pause : (T,) bool; what lies near the edge of speech is neither.
    marks : closures and open vowels; empty where no alignment is given.
    unheard : (T,) bool, words that learning never heard; nowhere where none were left out.
    late_s : by how much the sound came after the mouth; the times are put right by it.
    upper : (T, 38) float32, what is slowly seen of the upper face (`lipsync.bearing`), of which no mouth is part; None
        where it shall tell nothing.
    """

    path: Path
    sound: Sound
    indices: NDArray[np.int64]
    times_s: NDArray[np.float64]
    lips: Floats
    speech: NDArray[np.bool_]
    pause: NDArray[np.bool_]
    marks: Marks
    unheard: NDArray[np.bool_]
    late_s: float = 0.0
    upper: Floats | None = None


def held_clip(
    clip: ClipMouths,
    sound: Sound,
    marks: Marks,
    from_s: float = 0.0,
    unheard: Sequence[str] = (),
    late_s: float = 0.0,
) -> HeldClip:
    """Make a held-out clip of what was gathered of it, from a time on; its sound stays whole.

    Parameters
    ----------
    unheard : words that learning never heard, in lower case.
    late_s : by how much the clip's sound comes after its mouth.
    """
    kept = clip.times_s >= from_s
    times_s = clip.times_s[kept] + late_s
    speech = in_spans(times_s, clip.voiced, 0.0)
    near = in_spans(times_s, clip.voiced, PAUSE_MARGIN_S)
    closures_s, open_s = (tuple(t for t in times if t >= from_s) for times in (marks.closures_s, marks.open_s))
    told = Marks(closures_s, open_s, marks.words)
    new = in_spans(times_s, [(start, end) for start, end, word in marks.words if word in unheard], 0.0)
    upper = slow_upper(clip.points, clip.times_s)[kept]
    lips, indices = clip.lips[kept], clip.indices[kept]
    return HeldClip(clip.path, sound, indices, times_s, lips, speech, ~near, told, new, late_s, upper)


class Gauge:
    """Brings lips to pixels and gaps on the speaker's own mean face.

    Parameters
    ----------
    face : (68, 2) float32 canonical centimetres, y up, the mean of the learned footage.
    """

    def __init__(self, face: Floats) -> None:
        if face.shape != (68, 2):
            raise ValueError(f"expected a face of (68, 2) points, got {face.shape}")
        self._face = face
        self._px_per_cm = np.float32(FACE_PX / float(np.ptp(canonical_face().vertices[list(OVAL), 1])))

    def points_px(self, lips: Floats) -> Floats:
        """Lips (T, 36) as points (T, 18, 2) in pixels."""
        return np.asarray(lips.reshape(len(lips), -1, 2) * self._px_per_cm, dtype=np.float32)

    def gaps(self, lips: Floats) -> Floats:
        """(T,) opening of the inner lips, a share of the face width; NaN where the lips are."""
        if len(lips) == 0:
            return np.zeros(0, dtype=np.float32)
        faces = np.repeat(self._face[np.newaxis], len(lips), axis=0)
        faces[:, list(LIP_POINTS)] = lips.reshape(len(lips), -1, 2)
        known = np.isfinite(lips).all(axis=1)
        found = np.full(len(lips), np.nan, dtype=np.float32)
        if known.any():
            found[known] = gap_share(np.asarray(faces[known] * np.array([1, -1]), dtype=np.float32))  # y down
        return found


class Judged:
    """One clip's predicted mouths beside its real ones, frame by frame; figures are made of these."""

    def __init__(self, gauge: Gauge, clip: HeldClip, lips: Floats) -> None:
        if lips.shape != clip.lips.shape:
            raise ValueError(f"expected lips {clip.lips.shape}, got {lips.shape}")
        self.clip = clip
        self._gauge, self._lips = gauge, lips

    @cached_property
    def apart_px(self) -> Floats:
        """(T,) mean distance of the lip points, NaN where the prediction has none."""
        return self._distances(centred=False)

    @cached_property
    def centred_px(self) -> Floats:
        """(T,) the same after each mouth's own centre is removed."""
        return self._distances(centred=True)

    @cached_property
    def gap(self) -> Floats:
        """(T,) predicted opening."""
        return self._gauge.gaps(self._lips)

    @cached_property
    def real_gap(self) -> Floats:
        """(T,) real opening."""
        return self._gauge.gaps(self.clip.lips)

    def at_closures(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Times of closures, and the smallest predicted gap within +-40 ms of each (NaN where no frame is near)."""
        return self._extremes(self.clip.marks.closures_s, largest=False)

    def at_open_vowels(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Times of open vowels, and the largest predicted gap near each."""
        return self._extremes(self.clip.marks.open_s, largest=True)

    def _extremes(self, times_s: Sequence[float], largest: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        places = np.array(times_s, dtype=np.float64)
        found = np.full(places.shape, np.nan)
        for number, time_s in enumerate(places):
            near = self.gap[(np.abs(self.clip.times_s - time_s) <= REACH_S + 1e-6) & np.isfinite(self.gap)]
            if len(near):
                found[number] = near.max() if largest else near.min()
        return places, found

    def _distances(self, centred: bool) -> Floats:
        made, real = (self._gauge.points_px(lips) for lips in (self._lips, self.clip.lips))
        if not np.isfinite(made).any():
            return np.full(len(made), np.nan, dtype=np.float32)
        if centred:
            made, real = (points - points.mean(axis=1, keepdims=True) for points in (made, real))
        return frame_lmd(made, real)

    def is_open(self, gaps: Floats) -> Floats:
        """(T,) 1 where a gap is an open mouth, 0 where not, NaN where unknown."""
        return np.where(np.isfinite(gaps), gaps > OPEN_SHARE, np.nan).astype(np.float32)

    def is_closed(self, gaps: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same for closed lips, of gaps at closures."""
        return np.where(np.isfinite(gaps), gaps <= CLOSED_SHARE, np.nan)


def blocks_of(clips: Sequence[HeldClip]) -> list[NDArray[np.int_]]:
    """For each clip the number of the unit (T,) that each frame belongs to: the clip, or of few clips 3 s of it."""
    if len(clips) >= FEW_CLIPS:
        return [np.zeros(len(clip.times_s), dtype=int) for clip in clips]
    return [((clip.times_s - clip.times_s[0]) // BLOCK_S).astype(int) for clip in clips]
