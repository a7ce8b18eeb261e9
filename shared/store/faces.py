"""The faces of a clip in SQLite: written in order and read in order, so that no clip need sit in memory.

Points are kept as int16 in units of 1/8192 of the box's larger side from its centre (0.02 px on a face of 200 px). All
else is plain columns, so that any SQLite tool can read them. The columns ``kept`` and ``why`` of a face may be edited
by the user, in transactions; nothing else changes after the file is sealed.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.errors import ArtefactError
from shared.types import Face, Floats

SCHEMA: Final = 1
FILE_NAME: Final = "faces.sqlite"
STEPS: Final = 8192.0
"""Quantisation steps in the larger side of the box; points may lie up to four sides away from its centre."""
BATCH: Final = 256

LAYOUT: Final = """
CREATE TABLE clip (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE frames (number INTEGER PRIMARY KEY, pts INTEGER NOT NULL, time_s REAL NOT NULL, shot INTEGER NOT NULL);
CREATE TABLE faces (
    frame INTEGER NOT NULL REFERENCES frames (number),
    track INTEGER NOT NULL,
    x0 REAL NOT NULL, y0 REAL NOT NULL, x1 REAL NOT NULL, y1 REAL NOT NULL,
    presence REAL NOT NULL,
    yaw_deg REAL NOT NULL, pitch_deg REAL NOT NULL, roll_deg REAL NOT NULL,
    sharpness REAL NOT NULL,
    opening REAL NOT NULL,
    landmarks BLOB NOT NULL,
    mesh BLOB,
    blendshapes BLOB,
    kept INTEGER NOT NULL DEFAULT 1,
    why TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (frame, track)
) WITHOUT ROWID;
CREATE TABLE tracks (
    number INTEGER PRIMARY KEY,
    person INTEGER NOT NULL,
    shot INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    size_px REAL NOT NULL,
    presence REAL NOT NULL,
    sharpness REAL NOT NULL,
    embedding BLOB NOT NULL
);
"""
Row: TypeAlias = tuple[Any, ...]
_FACE_COLUMNS: Final = (
    "faces.x0, faces.y0, faces.x1, faces.y1, faces.landmarks, faces.mesh, faces.presence, faces.track, "
    "faces.yaw_deg, faces.pitch_deg, faces.roll_deg, faces.blendshapes, faces.sharpness"
)


@dataclass(frozen=True, slots=True)
class StoredTrack:
    """One face through one shot."""

    number: int
    person: int
    """Tracks of one person share this number, 0 upwards."""
    shot: int
    first: int
    """Number of the first frame; `last` is inclusive."""
    last: int
    frames: int
    size_px: float
    """Mean of the larger side of the box."""
    presence: float
    sharpness: float
    embedding: Floats
    """(128,) float32 of length one."""


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A frame of the clip with its faces."""

    number: int
    time_s: float
    shot: int
    faces: tuple[Face, ...]


class FaceStore:
    """The faces of a clip, read from a sealed file; may be used from several threads."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ArtefactError(f"{path}: no faces are stored here; analyse the clip again")
        self._path = path
        self._lock = threading.Lock()
        self._base = sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def close(self) -> None:
        """Close the file; a closed store cannot be read."""
        self._base.close()

    def facts(self) -> dict[str, int | float | str]:
        """What was said of the clip as a whole."""
        return dict(self._ask("SELECT name, value FROM clip"))

    def tracks(self) -> tuple[StoredTrack, ...]:
        """All tracks by number."""
        rows = self._ask("SELECT * FROM tracks ORDER BY number")
        return tuple(StoredTrack(*(*row[:9], np.frombuffer(row[9], "<f4").astype(np.float32))) for row in rows)

    def faces_at(self, number: int) -> tuple[Face, ...]:
        """The kept faces of one frame, by track."""
        rows = self._ask(f"SELECT {_FACE_COLUMNS} FROM faces WHERE frame = ? AND kept ORDER BY track", (number,))
        return tuple(_face_of(row) for row in rows)

    def frames(self, first: int = 0, end: int | None = None) -> Iterator[StoredFrame]:
        """Frames `first` to `end` (exclusive) in order with their kept faces, a few hundred read at a time."""
        stop = end if end is not None else (self._ask("SELECT COALESCE(MAX(number), -1) + 1 FROM frames")[0][0])
        for start in range(first, stop, BATCH):
            span = (start, min(start + BATCH, stop))
            faces: dict[int, list[Face]] = {}
            for row in self._ask(
                f"SELECT {_FACE_COLUMNS}, faces.frame FROM faces WHERE frame >= ? AND frame < ? AND kept "
                "ORDER BY frame, track",
                span,
            ):
                faces.setdefault(row[-1], []).append(_face_of(row))
            for number, time_s, shot in self._ask(
                "SELECT number, time_s, shot FROM frames WHERE number >= ? AND number < ? ORDER BY number", span
            ):
                yield StoredFrame(number, time_s, shot, tuple(faces.get(number, ())))

    def shot_of(self, number: int) -> int:
        """The number of the shot that a frame lies in; -1 for no frame of the clip."""
        rows = self._ask("SELECT shot FROM frames WHERE number = ?", (number,))
        return int(rows[0][0]) if rows else -1

    def shots(self) -> int:
        """How many shots the clip has, those without a face included."""
        return int(self._ask("SELECT COUNT(DISTINCT shot) FROM frames")[0][0])

    def openings(self, track: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(times in seconds, mouth openings in eye distances) of a track."""
        rows = self._ask(
            "SELECT frames.time_s, faces.opening FROM faces JOIN frames ON frames.number = faces.frame "
            "WHERE faces.track = ? ORDER BY faces.frame",
            (track,),
        )
        table = np.array(rows, dtype=np.float64).reshape(-1, 2)
        return table[:, 0], table[:, 1]

    def keep(self, changes: Iterable[tuple[int, int, bool, str]]) -> None:
        """Mark faces, given as (frame, track, kept, why), in one transaction."""
        with self._lock:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                self._base.executemany(
                    "UPDATE faces SET kept = ?, why = ? WHERE frame = ? AND track = ?",
                    [(int(kept), why, frame, track) for frame, track, kept, why in changes],
                )
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")

    def _ask(self, query: str, values: Sequence[object] = ()) -> list[Row]:
        with self._lock:
            try:
                return self._base.execute(query, tuple(values)).fetchall()
            except sqlite3.DatabaseError as error:
                raise ArtefactError(f"{self._path}: unreadable ({error}); analyse the clip again") from error


def row_of(number: int, face: Face, opening: float) -> Row:
    """A face of frame `number` as the columns that its writer fills, in their order."""
    shapes = face.blendshapes
    return (
        *(number, face.track, *face.box, face.presence, *face.pose_deg, face.sharpness, opening),
        _pack(face.landmarks, face.box),
        None if face.mesh is None else _pack(face.mesh, face.box),
        None if shapes is None else np.rint(np.clip(shapes, 0, 1) * 65535).astype("<u2").tobytes(),
    )


def _face_of(row: Row) -> Face:
    x0, y0, x1, y1, landmarks, mesh, presence, track, yaw, pitch, roll, shapes, sharpness = row[:13]
    box = (float(x0), float(y0), float(x1), float(y1))
    return Face(
        box=box,
        landmarks=_unpack(landmarks, box, 2),
        mesh=None if mesh is None else _unpack(mesh, box, 3),
        presence=float(presence),
        track=int(track),
        pose_deg=(float(yaw), float(pitch), float(roll)),
        blendshapes=None if shapes is None else np.frombuffer(shapes, "<u2").astype(np.float32) / np.float32(65535),
        sharpness=float(sharpness),
    )


def _frame_of_reference(box: tuple[float, float, float, float], width: int) -> tuple[NDArray[np.float64], float]:
    centre = np.zeros(width)
    centre[:2] = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return centre, max(box[2] - box[0], box[3] - box[1], 1e-3) / STEPS


def _pack(points: Floats, box: tuple[float, float, float, float]) -> bytes:
    centre, step = _frame_of_reference(box, points.shape[1])
    return np.clip(np.rint((points - centre) / step), -32768, 32767).astype("<i2").tobytes()


def _unpack(stored: bytes, box: tuple[float, float, float, float], width: int) -> Floats:
    centre, step = _frame_of_reference(box, width)
    return (np.frombuffer(stored, "<i2").reshape(-1, width) * step + centre).astype(np.float32)
