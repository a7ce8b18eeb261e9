"""What is known of each face of a face set: one SQLite row a face, kept or not, beside the folder of pictures.

A picture that was deleted is out of the set; so is one whose row says ``kept = 0``.
"""

from __future__ import annotations

import dataclasses
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from faceswap.align import Centring
from shared.errors import ArtefactError, NoFaceError, UsageError
from shared.store.artefact import Fingerprint, fingerprint, open_artefact
from shared.types import Floats, Matrix

T = TypeVar("T")
KIND: Final = "faceset"
SCHEMA: Final = 1
PICTURES: Final = "pictures"
ROWS: Final = "faces.sqlite"
SHEET: Final = "contact_sheet.png"
COVERAGE: Final = "coverage.png"
ASIDE: Final = "aside"
"""Folder of the pictures that were set aside, in one folder for each reason."""
FEWEST: Final = 16
"""Fewer faces than this are not worth training on."""


@dataclass(frozen=True, slots=True)
class FaceRow:
    """One face that was considered for a set; what an older set does not tell of it has its default here."""

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
    """Why it was dropped, empty where it was kept."""
    by_hand: bool = False
    """Whether a person decided so; no later pass over the set changes that."""
    person: int = -1
    """Which of the people seen in the clips, 0 the most seen; -1 where nobody looked."""
    likeness: float = math.nan
    """Cosine of its identity embedding to the mean of the set's person, -1 to 1."""
    misfit: float = math.nan
    """Root mean square distance of its landmarks from a head in their pose, in eye distances."""
    light: float = math.nan
    """Mean lightness of the skin, 0 to 100 (CIE L*)."""
    side_light: float = math.nan
    """Lightness of the picture's right half of the skin less that of the left."""
    top_light: float = math.nan
    """Lightness of the skin above the nose base less that below."""
    red: float = math.nan
    """Mean colour of the skin, CIE a* (green to red)."""
    yellow: float = math.nan
    """Mean colour of the skin, CIE b* (blue to yellow)."""
    burnt: float = math.nan
    """Share of the skin that is white or black without any drawing, 0 to 1."""
    mouth: float = math.nan
    """Opening of the inner lips, in eye distances."""
    smile: float = math.nan
    """Width of the mouth, in eye distances."""
    eyes: float = math.nan
    """Opening of both eyes, in widths of an eye."""
    brows: float = math.nan
    """Height of the brows above the eyes, in eye distances."""
    covered: float = math.nan
    """How much of the face looks unlike this person's other pictures (hand, microphone), in its usual difference."""
    embedding: Floats | None = None
    """(128,) float32 of length one."""
    irises: Floats | None = None
    """(2, 2) float32 pixels of the crop, of the eyes 36-41 and 42-47; None where the finder gives none."""
    crop_from_frame: Matrix | None = None
    """(3, 3) float64; with it the picture can be cut from the clip again."""


@dataclass(frozen=True, slots=True)
class ClipRow:
    """One input of a face set."""

    number: int
    path: str
    """Absolute, as it was when the set was made."""
    digest: str
    """`shared.store.fingerprint.file_digest` of it, or of the pictures in it where it is a folder."""
    frames: int
    with_face: int
    damaged: int


_CHANGES: Final = "changes (batch INTEGER, name TEXT, kept INTEGER, why TEXT, by_hand INTEGER)"
"""What was decided before, batch by batch, so that it can be taken back."""
_TYPES: Final = {"str": "TEXT", "int": "INTEGER", "float": "REAL", "bool": "INTEGER"}


def write_rows(folder: Path, rows: Iterable[FaceRow], clips: Iterable[ClipRow] = ()) -> None:
    """Write the rows of a face set, in place of those that are there."""
    with closing(sqlite3.connect(folder / ROWS)) as base, base:
        for table, kind, entries in (("faces", FaceRow, rows), ("clips", ClipRow, clips)):
            base.execute(f"DROP TABLE IF EXISTS {table}")
            base.execute(_layout(table, kind))
            places = ", ".join("?" * len(dataclasses.fields(kind)))
            base.executemany(f"INSERT INTO {table} VALUES ({places})", [_values(entry) for entry in entries])


def read_rows(folder: Path) -> list[FaceRow]:
    """All rows of a face set, by clip, frame and track."""
    with _reading(folder) as base:
        found = base.execute("SELECT * FROM faces ORDER BY clip, frame, track").fetchall()
    try:
        return [_row(row) for row in found]
    except (KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"{folder / ROWS}: rows of another kind ({error}); extract the faces again") from error


def read_clips(folder: Path) -> list[ClipRow]:
    """The inputs of a face set by number; none where an older version made it."""
    with _reading(folder) as base:
        if not base.execute("SELECT 1 FROM sqlite_master WHERE name = 'clips'").fetchone():
            return []
        return [ClipRow(**dict(row)) for row in base.execute("SELECT * FROM clips ORDER BY number")]


def change_rows(folder: Path, rows: Sequence[FaceRow] | None) -> list[FaceRow]:
    """Store what was decided of faces, in one transaction; or, for None, take the last such change back.

    Returns
    -------
    The rows as they were before, or as they are again; none where there is nothing to take back.
    """
    with _writing(folder) as base:
        base.execute(f"CREATE TABLE IF NOT EXISTS {_CHANGES}")
        last = int(base.execute("SELECT COALESCE(MAX(batch), 0) FROM changes").fetchone()[0])
        if rows is None:
            stored = base.execute("SELECT kept, why, by_hand, name FROM changes WHERE batch = ?", (last,)).fetchall()
            base.execute("DELETE FROM changes WHERE batch = ?", (last,))
        else:
            stored = [(int(row.kept), row.why, int(row.by_hand), row.name) for row in rows]
            base.executemany(
                "INSERT INTO changes SELECT ?, name, kept, why, by_hand FROM faces WHERE name = ?",
                [(last + 1, row.name) for row in rows],
            )
        names = {row[3] for row in stored}
        before = [row for row in read_rows(folder) if row.name in names]
        base.executemany(
            "UPDATE faces SET kept = ?, why = ?, by_hand = ? WHERE name = ?", [tuple(row) for row in stored]
        )
    return before if rows is not None else [row for row in read_rows(folder) if row.name in names]


def store_measures(folder: Path, rows: Sequence[FaceRow]) -> None:
    """Store the identities and likenesses of rows that were measured since."""
    with _writing(folder) as base:
        base.executemany(
            "UPDATE faces SET likeness = ?, embedding = ? WHERE name = ?",
            [
                (row.likeness, None if row.embedding is None else row.embedding.astype("<f4").tobytes(), row.name)
                for row in rows
            ],
        )


def evenly(items: Sequence[T], most: int) -> list[T]:
    """At most `most` of the items, spread evenly from the first to the last."""
    return [items[int(place)] for place in np.linspace(0, len(items) - 1, min(most, len(items))).round()]


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


def centring_of(folder: Path) -> Centring:
    """What the pictures of a face set are centred on."""
    told = open_artefact(folder, KIND, SCHEMA).details.get("centring", "face")
    return "head" if told == "head" else "legacy" if told == "legacy" else "face"


def common_centring(folders: Sequence[Path]) -> Centring:
    """What the pictures of several face sets are centred on.

    Raises
    ------
    UsageError
        If they differ.
    """
    told = {folder: centring_of(folder) for folder in folders}
    if len(set(told.values())) > 1:
        named = ", ".join(f"{folder} on the {what}" for folder, what in told.items())
        raise UsageError(f"these face sets are centred differently ({named}); extract one of them with --centring")
    return next(iter(told.values()))


def _layout(table: str, kind: type[FaceRow] | type[ClipRow]) -> str:
    columns = []
    for entry in dataclasses.fields(kind):
        key = " PRIMARY KEY" if entry.name in ("name", "number") else ""
        columns.append(f"{entry.name} {_stored_as(str(entry.type))}{key}")
    return f"CREATE TABLE {table} ({', '.join(columns)}) WITHOUT ROWID"


def _stored_as(kind: str) -> str:
    return _TYPES.get(kind, "BLOB")


def _values(row: FaceRow | ClipRow) -> tuple[object, ...]:
    values: dict[str, object] = {entry.name: getattr(row, entry.name) for entry in dataclasses.fields(row)}
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            values[name] = value.astype("<f8" if name == "crop_from_frame" else "<f4").tobytes()
        elif isinstance(value, bool):
            values[name] = int(value)
    return tuple(values.values())


def _row(stored: sqlite3.Row) -> FaceRow:
    values: dict[str, Any] = dict(stored)
    values["landmarks"] = np.frombuffer(values["landmarks"], "<f4").reshape(68, 2).astype(np.float32)
    if values.get("embedding") is not None:
        values["embedding"] = np.frombuffer(values["embedding"], "<f4").astype(np.float32)
    if values.get("irises") is not None:
        values["irises"] = np.frombuffer(values["irises"], "<f4").reshape(2, 2).astype(np.float32)
    if values.get("crop_from_frame") is not None:
        values["crop_from_frame"] = np.frombuffer(values["crop_from_frame"], "<f8").reshape(3, 3).copy()
    for name in ("kept", "by_hand"):
        values[name] = bool(values.get(name, False))
    for entry in dataclasses.fields(FaceRow):  # SQLite keeps no NaN
        if entry.type == "float" and values.get(entry.name, 0.0) is None:
            values[entry.name] = math.nan
    if Path(values["name"]).name != values["name"]:
        raise ValueError(f"a picture may not be named {values['name']!r}")
    return FaceRow(**values)


@contextmanager
def _writing(folder: Path) -> Iterator[sqlite3.Connection]:
    """The rows in one transaction; a set that an older version made gets the columns it lacks."""
    with _reading(folder) as base:
        there = {row["name"] for row in base.execute("PRAGMA table_info(faces)")}
        with base:
            for entry in dataclasses.fields(FaceRow):
                if entry.name not in there:
                    default = {"bool": " DEFAULT 0", "int": " DEFAULT -1"}.get(str(entry.type), "")
                    base.execute(f"ALTER TABLE faces ADD COLUMN {entry.name} {_stored_as(str(entry.type))}{default}")
            yield base


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
