"""The faces of a clip while they are being found: rows in order, and the state from which to go on if it ends early.

The file is in SQLite's write-ahead mode while it grows: what was saved outlives the process and, since SQLite orders
its writes, the power; what was added after is gone. A clean exit leaves the sealed layout of `shared.store.faces`.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from shared.errors import from_os_error
from shared.store.faces import BATCH, LAYOUT, Row, StoredTrack, row_of
from shared.types import Face

LOG = logging.getLogger(__name__)

_UNFINISHED: Final = """
CREATE TABLE unfinished (one INTEGER PRIMARY KEY CHECK (one = 0), frames INTEGER, facts TEXT, arrays BLOB);
"""
_MODE: Final = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"


@dataclass(frozen=True, slots=True)
class Saved:
    """Where an unfinished run is to go on."""

    frames: int
    """How many frames of the clip it had seen."""
    facts: str
    """Its state as JSON, and the arrays in it."""
    arrays: bytes


class FaceWriter:
    """Writes the faces of a clip, frame after frame, into a file; sealed by a clean exit.

    A file that an earlier run left is gone on with after what it `save`d; one that holds nothing saved or cannot be
    read is begun anew.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._base = _left(path) or _new(path)
        except OSError as error:
            raise from_os_error(error, path, "storing faces") from error
        self._frames: list[Row] = []
        self._faces: list[Row] = []
        self._base.execute("BEGIN")

    def __enter__(self) -> FaceWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
                self._base.execute("DROP TABLE IF EXISTS unfinished")
                self._base.execute("COMMIT")
                self._base.execute("PRAGMA journal_mode = DELETE")
        finally:
            self._base.close()

    @property
    def is_complete(self) -> bool:
        """Whether an earlier run `finish`ed this file, and only its folder was not sealed any more."""
        return bool(self._base.execute("SELECT COUNT(*) FROM clip").fetchone()[0])

    @property
    def saved(self) -> Saved | None:
        """What was saved last, by this run or the one before."""
        row = self._base.execute("SELECT frames, facts, arrays FROM unfinished").fetchone()
        return None if row is None else Saved(*row)

    def save(self, saved: Saved) -> None:
        """Make what was added so far last, together with the state after it."""
        self._flush()
        row = (saved.frames, saved.facts, saved.arrays)
        self._base.execute("INSERT OR REPLACE INTO unfinished VALUES (0, ?, ?, ?)", row)
        self._base.execute("COMMIT")
        self._base.execute("BEGIN")

    def add(self, number: int, pts: int, time_s: float, shot: int, faces: Sequence[tuple[Face, float]]) -> None:
        """Add a frame with its (face, mouth opening) pairs; frames come in order."""
        self._frames.append((number, pts, time_s, shot))
        self._faces += [row_of(number, face, opening) for face, opening in faces]
        if len(self._frames) >= BATCH:
            self._flush()

    def finish(self, tracks: Iterable[StoredTrack], facts: dict[str, int | float | str]) -> None:
        """Add the tracks and what is to be said of the clip as a whole."""
        self._flush()
        self._base.executemany(
            "INSERT INTO tracks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (t.number, t.person, t.shot, t.first, t.last, t.frames, t.size_px, t.presence, t.sharpness,
                 t.embedding.astype("<f4").tobytes())
                for t in tracks
            ],
        )  # fmt: skip
        self._base.executemany("INSERT INTO clip VALUES (?, ?)", list(facts.items()))

    def drop(self, track: int, first: int, last: int, why: str) -> None:
        """Mark the faces of a track from frame `first` to `last` as not kept."""
        self._flush()
        self._base.execute(
            "UPDATE faces SET kept = 0, why = ? WHERE track = ? AND frame BETWEEN ? AND ?", (why, track, first, last)
        )

    def frames_with_face(self) -> int:
        """How many of the frames added so far have a kept face."""
        self._flush()
        return int(self._base.execute("SELECT COUNT(DISTINCT frame) FROM faces WHERE kept").fetchone()[0])

    def statistics(self) -> dict[int, tuple[int, int, int, float, float, float]]:
        """(first, last, frames, size, presence, sharpness) by track of the kept faces added so far."""
        self._flush()
        rows = self._base.execute(
            "SELECT track, MIN(frame), MAX(frame), COUNT(*), AVG(MAX(x1 - x0, y1 - y0)), AVG(presence), AVG(sharpness) "
            "FROM faces WHERE kept GROUP BY track"
        )
        return {row[0]: row[1:] for row in rows}

    def _flush(self) -> None:
        self._base.executemany("INSERT INTO frames VALUES (?, ?, ?, ?)", self._frames)
        self._base.executemany(
            "INSERT INTO faces (frame, track, x0, y0, x1, y1, presence, yaw_deg, pitch_deg, roll_deg, sharpness, "
            "opening, landmarks, mesh, blendshapes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            self._faces,
        )
        self._frames, self._faces = [], []


def _left(path: Path) -> sqlite3.Connection | None:
    """The file that an earlier run left, where it can be gone on with; else it is removed."""
    if path.exists():
        base = sqlite3.connect(path, isolation_level=None)
        try:
            if _holds_something(base):
                return base
        except sqlite3.DatabaseError as error:
            LOG.warning("%s: what an earlier run left cannot be read (%s); beginning anew", path, error)
        base.close()
    for ending in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    return None


def _holds_something(base: sqlite3.Connection) -> bool:
    """Whether a file is complete or has a state saved in it; DatabaseError where it is damaged."""
    base.executescript(_MODE)
    verdict = base.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
    tables = {name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    telling = tables & {"unfinished"} or tables & {"clip"}
    return any(base.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in telling)


def _new(path: Path) -> sqlite3.Connection:
    base = sqlite3.connect(path, isolation_level=None)
    base.executescript(f"{_MODE} BEGIN; {LAYOUT} {_UNFINISHED} COMMIT;")
    return base
