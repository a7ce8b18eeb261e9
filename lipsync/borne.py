"""What the heads of a clip tell of their mouths (`lipsync.bearing`), read as the clip's frames ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from lipsync.bearing import SLOW_S, Bearing, upper_of
from lipsync.mouth import free_face
from shared.face.analyse import ClipFaces, track_of
from shared.types import Floats

LOOK_S: Final = 0.2
"""A head is looked at so often."""
AROUND: Final = 15
"""Looks on either side of a frame: three standard deviations of the Gaussian over time."""
MOST_LOOKS: Final = 1024
"""Remembered at a time (three minutes of one head), so that memory stays flat over a long clip."""
MOST_TRACKS: Final = 64


@dataclass(frozen=True, slots=True)
class _Steps:
    """The frames of a track in which its head is looked at: every `step`-th from the first on, up to `last`.

    Attributes
    ----------
    frame_s : usual time from one frame to the next.
    """

    first: int
    last: int
    step: int
    frame_s: float


class Borne:
    """How the mouths of a clip's tracks lie, by their heads around each frame."""

    def __init__(self, bearing: Bearing, clip: ClipFaces) -> None:
        self._bearing, self._clip = bearing, clip
        self._nowhere = np.zeros(bearing.slopes.shape[1], dtype=np.float32)
        self._steps_of = lru_cache(MOST_TRACKS)(self._find_steps)
        self._look = lru_cache(MOST_LOOKS)(self._read)

    def shift(self, track: int, index: int) -> Floats:
        """Change of the mouth shapes, (20,) float32, of a track in a frame of the clip; 0 where it is never seen."""
        steps = self._steps_of(track)
        if steps is None:
            return self._nowhere
        middle = round((index - steps.first) / steps.step)
        # A track is taken to stay as it is at its ends, as `lipsync.bearing.slow_upper` has it.
        most = (steps.last - steps.first) // steps.step
        total, slow = 0.0, np.zeros_like(self._bearing.usual)
        for place in range(middle - AROUND, middle + AROUND + 1):
            upper = self._look(track, steps.first + steps.step * min(max(place, 0), most))
            if upper is not None:
                apart_s = (steps.first + steps.step * place - index) * steps.frame_s
                weight = float(np.exp(-0.5 * (apart_s / SLOW_S) ** 2))
                total += weight
                slow += np.float32(weight) * upper
        return self._bearing.shifts(slow / np.float32(total)) if total > 0.0 else self._nowhere

    def _find_steps(self, number: int) -> _Steps | None:
        track = track_of(self._clip, number)
        if track is None:
            return None
        apart = track.last - track.first
        lasts_s = self._clip.time_of(track.last) - self._clip.time_of(track.first)
        frame_s = lasts_s / apart if apart > 0 else LOOK_S
        return _Steps(track.first, track.last, max(1, round(LOOK_S / max(frame_s, 1e-3))), frame_s)

    def _read(self, track: int, index: int) -> Floats | None:
        face = next((face for face in self._clip.faces_at(index) if face.track == track), None)
        return None if face is None else upper_of(free_face(face).points)
