"""What decoders are told of the faces in a clip: they move as the landmarks do too, about the level that is read.

The clip's landmarks are steadied along the track and tell the pose more finely than the net reads it off a small
picture; of the expression both tell about as much, and their mean errs less than either. But what landmarks say of a
resting face holds for that person alone, whom a model may not know; so the level, the mean of the track's last
seconds, is taken from what the net reads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faceswap.align import crop_from_frame
from faceswap.bend import unit_points
from faceswap.guides import POSE, Guides
from faceswap.steady import Steadied
from faceswap.view import View
from models.tensors import array, floats
from shared.picture.warp import transform
from shared.types import Floats

LEVEL_S: Final = 4.0
"""Time constant of the level, in seconds: longer than a word, shorter than most shots."""
CROP_PX: Final = 256


class Telling:
    """Remembers the level of each track.

    Parameters
    ----------
    guides : the model's.
    person : who of the model's people the clip shows, 0 or 1; of anybody else the level tells the difference.
    """

    def __init__(self, guides: Guides, person: int) -> None:
        self._guides = guides
        self._person = person
        self._levels = Steadied(LEVEL_S)

    def told(self, views: Sequence[View], times_s: Sequence[float], read: Floats) -> Floats:
        """What is told of the faces of some consecutive frames, (N, K) float32.

        Parameters
        ----------
        times_s : of each face's frame, rising along each track.
        read : (N, K) float32, what the net reads off them.
        """
        measured = self.measured(views)
        apart = (read - measured).astype(np.float64)
        first: dict[int, list[NDArray[np.float64]]] = defaultdict(list)
        for view, difference in zip(views, apart, strict=True):
            first[view.face.track].append(difference)
        self._levels.start(first)
        levels = [
            self._levels.add(view.face.track, time_s, difference)
            for view, time_s, difference in zip(views, times_s, apart, strict=True)
        ]
        finer = measured + np.stack(levels)
        return np.concatenate([finer[:, :POSE], (finer[:, POSE:] + read[:, POSE:]) / 2], axis=1, dtype=np.float32)

    def measured(self, views: Sequence[View]) -> Floats:
        """Guides of the faces by their landmarks, (N, K) float32."""
        points = [
            transform(crop_from_frame(view.face.landmarks, CROP_PX, view.centring), view.face.landmarks)
            for view in views
        ]
        poses = np.array([view.face.pose_deg[:2] for view in views], dtype=np.float32)
        landmarks = unit_points(floats(np.stack(points).astype(np.float32)), CROP_PX)
        return array(self._guides.of(self._person, landmarks, floats(poses)))
