"""Face sets as tensors: the pictures of one person on a device, with what of them counts how much."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap.align import HAIR
from faceswap.rows import PICTURES, FaceRow, centring_of, usable
from models.tensors import floats, nchw
from shared.errors import ArtefactError
from shared.face.landmarks import CORNERS_68, LANDMARKS
from shared.picture.image import read_image
from shared.picture.mask import erode, extended_hull, mouth_mask, polygon_mask
from shared.picture.warp import gaussian, resize, to_uint8
from shared.progress import Progress, silent
from shared.types import Floats

HELD_BLOCKS: Final = 20
"""A face set is cut into so many spans of time, of which every n-th is held out whole: neighbours look alike."""
MASK_GROW: Final = 0.02
"""How far the training mask reaches beyond the hull, as a share of the crop's side."""
FOREHEAD: Final = 0.5
EYE_GROW: Final = 1.5
MOUTH_GROW: Final = 1.2
MOST_READERS: Final = 8
"""Threads that decode pictures."""


@dataclass(frozen=True, slots=True)
class FaceSet:
    """Faces of one person on a device: those to learn from, then those held out, each in order of clip and time.

    Attributes
    ----------
    crops : (N, 4, S, S) uint8, RGB and what counts how much (`face_weight`): 0 outside, 127 face, 255 eyes and mouth.
    landmarks : (N, 68, 2) float32, pixels of the crop.
    irises : (N, 2, 2) float32, the same; halfway between the eye's corners in a set that does not tell them all.
    poses : (N, 2) float32, yaw and pitch in degrees.
    held : (N,) bool, never trained on.
    """

    crops: Tensor
    landmarks: Tensor
    irises: Tensor
    poses: Tensor
    held: NDArray[np.bool_]

    @property
    def training(self) -> Tensor:
        """The crops to learn from."""
        return self._part(self.crops, held=False)

    @property
    def unseen(self) -> Tensor:
        """The crops held out."""
        return self._part(self.crops, held=True)

    @property
    def unseen_landmarks(self) -> Tensor:
        """Their landmarks."""
        return self._part(self.landmarks, held=True)

    def training_landmarks(self, size_px: int) -> Tensor:
        """The landmarks of the crops to learn from, in pixels of crops of another size, (n, 68, 2)."""
        scale = size_px / self.crops.shape[-1]
        return (self._part(self.landmarks, held=False) + 0.5) * scale - 0.5

    @property
    def training_points(self) -> Tensor:
        """The landmarks and the irises of the crops to learn from, in their pixels, (n, 70, 2)."""
        return self._part(torch.cat([self.landmarks, self.irises], dim=1), held=False)

    @property
    def training_poses(self) -> Tensor:
        """Yaw and pitch of the crops to learn from, in degrees, (n, 2)."""
        return self._part(self.poses, held=False)

    def _part(self, values: Tensor, held: bool) -> Tensor:
        """The values of one part; a view, so that nothing is held twice, where the part is one span."""
        places = np.flatnonzero(self.held == held)
        if len(places) and places[-1] - places[0] + 1 == len(places):
            return values[int(places[0]) : int(places[-1]) + 1]
        return values[torch.from_numpy(places).to(values.device)]


def load_faceset(
    folder: Path,
    size_px: int,
    held: float | NDArray[np.bool_] = 0.1,
    device: torch.device | None = None,
    progress: Progress = silent,
) -> FaceSet:
    """Read the pictures of a face set once, several at a time.

    Parameters
    ----------
    size_px : side S that the crops are brought to; where the set's first picture is smaller, that one's side is taken,
        since larger crops would hold nothing more.
    held : about this share is held out, in whole spans of time; or which of `usable` (N,) are.
    """
    rows = usable(folder)
    if any(row.irises is None for row in rows):
        rows = [replace(row, irises=None) for row in rows]
    apart = held_out(len(rows), held) if isinstance(held, float) else held
    order = np.argsort(apart, kind="stable")
    side = min(size_px, read_image(folder / PICTURES / rows[0].name).shape[0])
    planes = np.empty((len(rows), 4, side, side), dtype=np.uint8)
    points = np.empty((len(rows), LANDMARKS + 2, 2), dtype=np.float32)
    forehead = HAIR if centring_of(folder) == "head" else FOREHEAD

    def load(place: int) -> None:
        planes[place], points[place] = _loaded(folder, rows[order[place]], side, forehead)

    with ThreadPoolExecutor(min(MOST_READERS, os.cpu_count() or 1), "faces") as pool:
        # A failed or interrupted map cancels what has not begun.
        for number, _ in enumerate(pool.map(load, range(len(rows)))):
            progress(number + 1, len(rows), f"loading {folder.name}")
    poses = np.array([(rows[place].yaw_deg, rows[place].pitch_deg) for place in order], dtype=np.float32)
    crops = nchw(planes.transpose(0, 2, 3, 1), device)
    landmarks, irises = floats(points[:, :LANDMARKS], device), floats(points[:, LANDMARKS:], device)
    return FaceSet(crops, landmarks, irises, floats(poses, device), apart[order])


def _loaded(folder: Path, row: FaceRow, side: int, forehead: float) -> tuple[NDArray[np.uint8], Floats]:
    """One picture with its weights, (4, side, side), its landmarks, and its irises, (70, 2)."""
    path = folder / PICTURES / row.name
    picture = read_image(path)
    if picture.shape[0] != picture.shape[1]:
        raise ArtefactError(f"{path}: not the square picture that was extracted; delete it")
    points = np.concatenate([row.landmarks, middles(row.landmarks) if row.irises is None else row.irises])
    points = np.asarray((points + 0.5) * (side / picture.shape[0]) - 0.5, dtype=np.float32)
    weight = to_uint8(face_weight(points[:LANDMARKS], side, forehead))
    return np.concatenate([resize(picture, (side, side)).transpose(2, 0, 1), weight[np.newaxis]]), points


def middles(landmarks: Floats) -> Floats:
    """Halfway between the corners of each eye, (2, 2): where irises are taken to be that nobody measured."""
    return np.asarray(landmarks[np.array(CORNERS_68)].mean(axis=1), dtype=np.float32)


def face_weight(landmarks: Floats, size_px: int, forehead: float = FOREHEAD) -> Floats:
    """What of a training picture counts how much, (S, S) float32: 0 outside, 0.5 on the face, 1 on eyes and mouth.

    The face is the hull with the brows; all parts are slightly grown and soft.
    """
    size = (size_px, size_px)
    hull = erode(extended_hull(landmarks, size, forehead), -MASK_GROW * size_px)
    parts = np.maximum(mouth_mask(landmarks, size, MOUTH_GROW), _eyes(landmarks, size))
    parts = erode(parts, -MASK_GROW / 2 * size_px)
    soft = [np.clip(gaussian(part, MASK_GROW * size_px / 2), 0.0, 1.0) for part in (hull, parts)]
    return np.asarray((soft[0] + np.minimum(soft[0], soft[1])) / 2, dtype=np.float32)


def _eyes(landmarks: Floats, size: tuple[int, int]) -> Floats:
    """Both eyes with their lids."""
    eyes = []
    for eye in (landmarks[36:42], landmarks[42:48]):
        centre = eye.mean(axis=0)
        eyes.append(polygon_mask(centre + (eye - centre) * EYE_GROW, size))
    return np.maximum(*eyes)


def held_out(count: int, share: float) -> NDArray[np.bool_]:
    """Which of `count` faces in order of time are held out: whole spans, about `share` of all, never all."""
    if not 0.0 < share < 1.0:
        raise ValueError(f"share must lie between 0 and 1, got {share}")
    blocks = np.arange(count) * HELD_BLOCKS // max(1, count)
    every = min(HELD_BLOCKS, max(2, round(1.0 / share)))
    return np.asarray(blocks % every == every // 2, dtype=np.bool_)
