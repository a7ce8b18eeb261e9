"""What decoders are told of the faces in a clip: they move as the landmarks do too, about the level that is read.

The clip's landmarks are steadied along the track and tell pose and gaze more finely than the net reads them off a
small picture; of the expression both tell about as much, and their mean errs less than either. But what landmarks say
of a resting face holds for that person alone, whom a model may not know; so the level, the mean of the track's last
seconds, is taken from what the net reads. Pose and gaze across need none where a mesh tells them: they are measured
alike on everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch

from faceswap.align import Centring, crop_from_frame
from faceswap.bend import unit_points
from faceswap.calm import Read
from faceswap.faceset import middles
from faceswap.guides import GAZE, POSE, Guides
from faceswap.steady import Steadied
from faceswap.view import View
from models.tensors import array, floats, one_thread
from shared.face.landmarks import irises_of
from shared.picture.warp import transform
from shared.types import Face, Floats

LEVEL_S: Final = 4.0
"""Time constant of the level, in seconds: longer than a word, shorter than most shots."""
CROP_PX: Final = 256
TOGETHER: Final = 8
"""Scenes whose figures start what is steadied along a track together, however many faces are decoded at once."""


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

    def of(self, items: Sequence[Read]) -> list[Read]:
        """Consecutive scenes with what is told in place of what was read."""
        seen = [(view, item.time_s) for item in items for view in item.views]
        read = [item.reading.guides for item in items if item.reading is not None and item.reading.guides is not None]
        if not read:
            return list(items)
        told = iter(self.told([view for view, _ in seen], [time_s for _, time_s in seen], np.concatenate(read)))
        return [
            item
            if item.reading is None
            else replace(item, reading=replace(item.reading, guides=np.stack([next(told) for _ in item.views])))
            for item in items
        ]

    def told(self, views: Sequence[View], times_s: Sequence[float], read: Floats) -> Floats:
        """What is told of the faces of some consecutive frames, (N, K) float32.

        Parameters
        ----------
        times_s : of each face's frame, rising along each track.
        read : (N, K) float32, what the net reads off them.
        """
        measured = self.measured(views)
        meshed = np.array([[irises_of(view.face) is not None] for view in views])
        columns = np.arange(measured.shape[1])
        pose = columns < POSE
        gaze = (columns >= GAZE.start) & (columns < GAZE.stop) & self._guides.gaze
        measured = np.where(gaze & ~meshed, read, measured)
        apart = (read - measured).astype(np.float64)
        self._levels.start((view.face.track, difference) for view, difference in zip(views, apart, strict=True))
        levels = [
            self._levels.add(view.face.track, time_s, difference)
            for view, time_s, difference in zip(views, times_s, apart, strict=True)
        ]
        told = np.where(meshed & (pose | gaze & (columns == GAZE.start)), measured, measured + np.stack(levels))
        return np.where(pose | gaze, told, (told + read) / 2).astype(np.float32)

    def measured(self, views: Sequence[View]) -> Floats:
        """Guides of the faces by their landmarks, (N, K) float32."""
        return measured(self._guides, self._person, [view.face for view in views], views[0].centring)


def measured(guides: Guides, person: int, faces: Sequence[Face], centring: Centring) -> Floats:
    """Guides of faces of `person` by their landmarks, (N, K) float32."""
    points = [transform(crop_from_frame(face.landmarks, CROP_PX, centring), _points(face)) for face in faces]
    poses = np.array([face.pose_deg[:2] for face in faces], dtype=np.float32)
    placed = unit_points(floats(np.stack(points).astype(np.float32)), CROP_PX)
    # Products of matrices so small that the threads which torch would wake for them spin for longer than they work.
    with one_thread(), torch.inference_mode():
        return array(guides.of(person, placed, floats(poses)))


def _points(face: Face) -> Floats:
    """The 68 landmarks and both irises, (70, 2) frame pixels."""
    irises = irises_of(face)
    return np.concatenate([face.landmarks, middles(face.landmarks) if irises is None else irises])
