"""Face sets: folders of aligned pictures that a person may look at and delete, with one SQLite row a face.

A picture that was deleted is out of the set; so is one whose row says ``kept = 0``.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.tensors import nchw
from shared.errors import ArtefactError, NoFaceError
from shared.picture.image import read_image
from shared.picture.mask import erode, extended_hull, mouth_mask, polygon_mask
from shared.picture.warp import gaussian, resize, to_uint8
from shared.progress import Progress, silent
from shared.store.artefact import Fingerprint, fingerprint, open_artefact
from shared.types import Floats

KIND: Final = "faceset"
SCHEMA: Final = 1
PICTURES: Final = "pictures"
ROWS: Final = "faces.sqlite"
SHEET: Final = "contact_sheet.png"
HELD_BLOCKS: Final = 20
"""A face set is cut into so many spans of time, of which every n-th is held out whole: neighbours look alike."""
MASK_GROW: Final = 0.02
"""How far the training mask reaches beyond the hull, as a share of the crop's side."""
FOREHEAD: Final = 0.5
EYE_GROW: Final = 1.5
MOUTH_GROW: Final = 1.2
FEWEST: Final = 16
"""Fewer faces than this are not worth training on."""

_LAYOUT: Final = """
CREATE TABLE faces (
    name TEXT PRIMARY KEY,
    clip INTEGER NOT NULL,
    frame INTEGER NOT NULL,
    time_s REAL NOT NULL,
    track INTEGER NOT NULL,
    size_px REAL NOT NULL,
    sharpness REAL NOT NULL,
    presence REAL NOT NULL,
    yaw_deg REAL NOT NULL,
    pitch_deg REAL NOT NULL,
    roll_deg REAL NOT NULL,
    landmarks BLOB NOT NULL,
    kept INTEGER NOT NULL,
    why TEXT NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class FaceRow:
    """One face that was considered for a set."""

    name: str
    """File name of its picture, without the folder; faces that were dropped have a name and no picture."""
    clip: int
    """Number of the clip among those extracted together."""
    frame: int
    time_s: float
    track: int
    size_px: float
    sharpness: float
    presence: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    landmarks: Floats
    """(68, 2) float32 pixels of the crop."""
    kept: bool
    why: str
    """Why it was dropped, empty where it was kept: ``small``, ``blurred``, ``turned``, ``uncertain``, ``thinned``."""


@dataclass(frozen=True, slots=True)
class FaceSet:
    """Faces of one person on a device, in order of clip and time.

    Attributes
    ----------
    crops : (N, 4, S, S) uint8, RGB and what counts how much (`face_weight`): 0 outside, 127 face, 255 eyes and mouth.
    held : (N,) bool, never trained on.
    """

    crops: Tensor
    held: NDArray[np.bool_]

    @property
    def training(self) -> Tensor:
        """The faces to learn from."""
        return self.crops[torch.from_numpy(~self.held).to(self.crops.device)]

    @property
    def unseen(self) -> Tensor:
        """The faces held out."""
        return self.crops[torch.from_numpy(self.held).to(self.crops.device)]


def write_rows(folder: Path, rows: Iterable[FaceRow]) -> None:
    """Write the rows of a new face set."""
    with closing(sqlite3.connect(folder / ROWS)) as base, base:
        base.executescript(_LAYOUT)
        base.executemany(f"INSERT INTO faces VALUES ({', '.join('?' * 14)})", [_values(row) for row in rows])


def read_rows(folder: Path) -> list[FaceRow]:
    """All rows of a face set, by clip, time and track."""
    with _reading(folder) as base:
        found = base.execute("SELECT * FROM faces ORDER BY clip, frame, track").fetchall()
    try:
        return [_row(row) for row in found]
    except (KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"{folder / ROWS}: rows of another kind ({error}); extract the faces again") from error


def usable(folder: Path) -> list[FaceRow]:
    """The rows that are kept and whose picture is still there.

    Raises
    ------
    ArtefactError
        If the folder is no face set.
    NoFaceError
        If too few are left.
    """
    open_artefact(folder, KIND, SCHEMA)
    rows = [row for row in read_rows(folder) if row.kept and (folder / PICTURES / row.name).is_file()]
    if len(rows) < FEWEST:
        raise NoFaceError(f"{folder}: {len(rows)} faces, at least {FEWEST} are needed; extract more of this person")
    return rows


def content(folder: Path) -> Fingerprint:
    """What a training on this set depends on: its faces, less those deleted since."""
    made = open_artefact(folder, KIND, SCHEMA).fingerprint
    return fingerprint(made=made, pictures="\n".join(row.name for row in usable(folder)))


def identity_of(folder: Path) -> list[float]:
    """Mean identity embedding of a face set, 128 numbers, as its manifest has it."""
    try:
        return [float(value) for value in open_artefact(folder, KIND, SCHEMA).details["embedding"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"{folder}: its manifest has no embedding ({error!r}); extract the faces again") from error


def load_faceset(
    folder: Path,
    size_px: int,
    held_share: float = 0.1,
    device: torch.device | None = None,
    progress: Progress = silent,
) -> FaceSet:
    """Read the pictures of a face set.

    Parameters
    ----------
    size_px : side S that the crops are brought to.
    held_share : about this share is held out, in whole spans of time.
    """
    rows = usable(folder)
    crops = np.empty((len(rows), size_px, size_px, 4), dtype=np.uint8)
    for number, row in enumerate(rows):
        picture = read_image(folder / PICTURES / row.name)
        if picture.shape[0] != picture.shape[1]:
            raise ArtefactError(f"{folder / PICTURES / row.name}: not the square picture that was extracted; delete it")
        scale = size_px / picture.shape[0]
        crops[number, ..., :3] = resize(picture, (size_px, size_px))
        crops[number, ..., 3] = to_uint8(face_weight((row.landmarks + 0.5) * scale - 0.5, size_px))
        progress(number + 1, len(rows), f"loading {folder.name}")
    return FaceSet(nchw(crops, device), held_out(len(rows), held_share))


def face_weight(landmarks: Floats, size_px: int) -> Floats:
    """What of a training picture counts how much, (S, S) float32: 0 outside, 0.5 on the face, 1 on eyes and mouth.

    The face is the hull with the brows; all parts are slightly grown and soft.
    """
    size = (size_px, size_px)
    hull = erode(extended_hull(landmarks, size, FOREHEAD), -MASK_GROW * size_px)
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


def _values(row: FaceRow) -> tuple[object, ...]:
    values = {entry.name: getattr(row, entry.name) for entry in dataclasses.fields(row)}
    return tuple({**values, "landmarks": row.landmarks.astype("<f4").tobytes(), "kept": int(row.kept)}.values())


def _row(stored: sqlite3.Row) -> FaceRow:
    values: dict[str, Any] = dict(stored)
    values["landmarks"] = np.frombuffer(values["landmarks"], "<f4").reshape(68, 2).astype(np.float32)
    if Path(values["name"]).name != values["name"]:
        raise ValueError(f"a picture may not be named {values['name']!r}")
    return FaceRow(**{**values, "kept": bool(values["kept"])})


@contextmanager
def _reading(folder: Path) -> Iterator[sqlite3.Connection]:
    path = folder / ROWS
    if not path.is_file():
        raise ArtefactError(f"{folder}: has no {ROWS}; extract the faces again")
    try:
        with closing(sqlite3.connect(path)) as base:
            base.row_factory = sqlite3.Row
            yield base
    except sqlite3.DatabaseError as error:
        raise ArtefactError(f"{path}: unreadable ({error}); extract the faces again") from error
