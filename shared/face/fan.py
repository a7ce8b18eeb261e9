"""The second face finder: the face-alignment package's 2DFAN-4 network (Bulat and Tzimiropoulos, ICCV 2017).

Used when asked for, where the package is installed and its weights are in its cache: no package index holds them, and
nothing is fetched from here. The file is unpickled by the package (by its ``weights_only`` loader); that happens only
after the sha256 was compared with the one that torch's naming scheme writes into the file's name. Crop and decoding of
the heat maps are our own, since the package rounds its points to whole pixels.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import urlparse

import numpy as np
import torch
from numpy.typing import NDArray

from shared.errors import InstallError, WeightsError
from shared.face.detect import PRESENT, Detection, Detector, agrees, find_all
from shared.face.landmarks import canonical_face
from shared.face.mesh import sharpness_of
from shared.face.pose import fit_pose_68
from shared.picture.planes import warp
from shared.picture.warp import eight_bit
from shared.types import Face, Floats, Frame, Matrix

NETWORK: Final = "2DFAN-4"
CROP_PX: Final = 256
MAP_PX: Final = 64
SIDE_FROM_BOX: Final = 200 / 165
"""Side of the crop over width + height of a YuNet box (face-alignment: its reference scale for YuNet)."""
SIDE_FROM_POINTS: Final = 1.05
"""The same for the bounds of the 68 points, which lack the forehead."""
RAISE: Final = 0.12
"""The crop's centre lies this share of the height above the box's (face-alignment: CENTER_Y_OFFSET)."""
HALF_PEAK: Final = 0.25
"""Mean peak of the heat maps that counts as a presence of one half; the net is trained to peaks of 1."""


@dataclass(frozen=True, slots=True)
class _Square:
    centre: tuple[float, float]
    side: float

    @property
    def crop_from_frame(self) -> Matrix:
        scale = CROP_PX / max(self.side, 1.0)
        middle = (CROP_PX - 1) / 2
        return np.array(
            [[scale, 0, middle - scale * self.centre[0]], [0, scale, middle - scale * self.centre[1]], [0, 0, 1.0]]
        )


class FanFinder:
    """YuNet and 2DFAN-4; gives the 68 points, and no mesh."""

    def __init__(self, device: str = "cpu") -> None:
        self._device = torch.device(device)
        self._net = _load(device)
        self._detector = Detector()
        self._canonical = canonical_face().landmarks

    @property
    def turns(self) -> int:
        """The detector's."""
        return self._detector.turns

    @turns.setter
    def turns(self, turns: int) -> None:
        self._detector.turns = turns

    def detect(self, frame: Frame, thorough: bool = False) -> tuple[Detection, ...]:
        """Where YuNet sees faces, largest first."""
        return self._detector.detect(frame, thorough)

    def look(self, frame: Frame, detection: Detection) -> Face | None:
        """The face at a detection."""
        face = self._read(frame, _square(detection.box, SIDE_FROM_BOX))
        return face if face is not None and agrees(face, detection) else None

    def find(self, frame: Frame) -> tuple[Face, ...]:
        """All faces of a frame, largest first."""
        return find_all(self, frame)

    def follow(self, frame: Frame, faces: Sequence[Face]) -> tuple[Face | None, ...]:
        """Each of `faces` found again, None where its presence fell below a half."""
        return tuple(self._read(frame, _square(_bounds(face.landmarks), SIDE_FROM_POINTS)) for face in faces)

    def _read(self, frame: Frame, square: _Square) -> Face | None:
        crop_from_frame = square.crop_from_frame
        crop = eight_bit(warp(frame, crop_from_frame, (CROP_PX, CROP_PX), "zero"))
        pixels = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1))).to(self._device)
        with torch.inference_mode():
            maps = self._net(pixels[None].float() / 255.0)
        last = maps[-1] if isinstance(maps, list) else maps
        points, peaks = points_from_maps(last[0].float().cpu().numpy())
        presence = float(np.clip(peaks.mean() / (peaks.mean() + HALF_PEAK), 0.0, 1.0)) if peaks.mean() > 0 else 0.0
        landmarks = ((points - crop_from_frame[:2, 2]) / crop_from_frame[0, 0]).astype(np.float32)
        box = _with_forehead(_bounds(landmarks))
        height, width = frame.size
        if presence < PRESENT or not (0 <= (box[0] + box[2]) / 2 < width and 0 <= (box[1] + box[3]) / 2 < height):
            return None
        pose = fit_pose_68(landmarks, self._canonical)
        sharpness = sharpness_of(crop)
        return Face(box, landmarks, None, presence, pose_deg=pose.angles_deg, sharpness=sharpness)


def points_from_maps(maps: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points in pixels of the 256 px crop, and peaks, of (68, 64, 64) heat maps.

    Each point is the centre of mass of the 5 x 5 cells around its map's maximum, above the least of them.
    """
    if maps.shape[1:] != (MAP_PX, MAP_PX):
        raise ValueError(f"expected heat maps of (N, {MAP_PX}, {MAP_PX}), got {maps.shape}")
    points = np.zeros((len(maps), 2))
    peaks = maps.reshape(len(maps), -1).max(axis=1).astype(np.float64)
    for number, cells in enumerate(maps):
        row, column = divmod(int(cells.argmax()), MAP_PX)
        rows, columns = np.mgrid[max(0, row - 2) : min(MAP_PX, row + 3), max(0, column - 2) : min(MAP_PX, column + 3)]
        mass = cells[rows, columns].astype(np.float64)
        mass = mass - mass.min() + 1e-9
        points[number] = (columns * mass).sum() / mass.sum(), (rows * mass).sum() / mass.sum()
    step = CROP_PX / MAP_PX
    return (points + 0.5) * step - 0.5, peaks


def _load(device: str) -> torch.nn.Module:
    try:
        import face_alignment  # noqa: PLC0415 - an optional package
        from face_alignment import api  # noqa: PLC0415
    except ImportError as error:
        raise InstallError(
            f"the fan finder needs the face-alignment package ({error}): pip install 'lipswap[fan]'"
        ) from error
    _check(api.models_urls[NETWORK])
    made = face_alignment.FaceAlignment(
        face_alignment.LandmarksType.TWO_D, device=device, face_detector="folder", compile=False
    )
    net: torch.nn.Module = made.face_alignment_net
    return net


def _check(address: str) -> None:
    """Refuse a weights file that is missing or is not the one its name says."""
    name = PurePosixPath(urlparse(address).path).name
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    wanted = re.search(r"-([a-f0-9]{8,})\.", name)
    if wanted is None:
        raise WeightsError(f"{path}: its name carries no hash, so it is not loaded; use the mesh finder")
    if not path.is_file():
        raise WeightsError(f"the fan finder's weights are missing: fetch {address} into {path.parent}")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(wanted.group(1)):
        raise WeightsError(f"{path}: sha256 is {digest}, not {wanted.group(1)}...; delete it and fetch {address} again")


def _square(box: tuple[float, float, float, float], share: float) -> _Square:
    width, height = box[2] - box[0], box[3] - box[1]
    return _Square(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2 - RAISE * height), (width + height) * share)


def _bounds(landmarks: Floats) -> tuple[float, float, float, float]:
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _with_forehead(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    return box[0], box[1] - 0.25 * (box[3] - box[1]), box[2], box[3]
