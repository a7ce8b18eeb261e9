"""What a person put right by hand: landmarks, box and mask of faces in a clip, kept apart from what can be found again.

An analysis may be thrown away and made anew; handwork may not. So it lies in the user's data and not in the cache, one
SQLite file a clip, named by what the clip holds and not by when it was written: the clip may be moved, renamed, copied
and restored, and every later analysis, by whatever finder, takes it up.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from shared.errors import ArtefactError, MediaError, NoSpaceError, from_os_error
from shared.types import Floats

PART_BYTES: Final = 65536
"""Bytes of a clip that are read at its beginning, middle and end to tell it from others."""

_LAYOUT: Final = """
CREATE TABLE IF NOT EXISTS corrections (
    frame INTEGER NOT NULL,
    track INTEGER NOT NULL,
    x0 REAL, y0 REAL, x1 REAL, y1 REAL,
    landmarks BLOB,
    mask BLOB,
    PRIMARY KEY (frame, track)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Correction:
    """What was put right of one face; what was not is None."""

    frame: int
    track: int
    landmarks: Floats | None = None
    """(68, 2) float32 upright frame pixels."""
    box: tuple[float, float, float, float] | None = None
    mask: Floats | None = None
    """(N, 2) float32 corners of the area that is the face, upright frame pixels."""

    def __post_init__(self) -> None:
        if self.landmarks is not None and self.landmarks.shape != (68, 2):
            raise ValueError(f"landmarks must be (68, 2), got {self.landmarks.shape}")
        if self.mask is not None and (self.mask.ndim != 2 or self.mask.shape[1] != 2 or len(self.mask) < 3):
            raise ValueError(f"a mask needs (N, 2) corners with N >= 3, got {self.mask.shape}")

    @property
    def is_empty(self) -> bool:
        """Whether nothing is put right: it takes an earlier correction back."""
        return self.landmarks is None and self.box is None and self.mask is None


def handwork_folder() -> Path:
    """Where handwork is kept: ``$LIPSWAP_DATA``, else ``lipswap`` under ``$XDG_DATA_HOME`` or ``~/.local/share``."""
    own = os.environ.get("LIPSWAP_DATA")
    if own:
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".local" / "share").absolute() / "lipswap"


def corrections_of(clip: Path) -> list[Correction]:
    """The corrections of a clip by frame and track; mostly none.

    Raises
    ------
    ArtefactError
        If their file is damaged.
    """
    path = _file_of(clip)
    if not path.is_file():
        return []
    try:
        with closing(sqlite3.connect(path)) as base:
            rows = base.execute("SELECT * FROM corrections ORDER BY frame, track").fetchall()
    except sqlite3.DatabaseError as error:
        raise ArtefactError(
            f"{path}: the corrections of {clip} are unreadable ({error}); move the file away"
        ) from error
    return [
        Correction(row[0], row[1], _points(row[6]), None if row[2] is None else tuple(row[2:6]), _points(row[7]))
        for row in rows
    ]


def correct(clip: Path, changes: Iterable[Correction]) -> None:
    """Keep corrections in one transaction; each replaces an earlier one of its face, an empty one takes it back.

    Raises
    ------
    MediaError, NoSpaceError
        If they cannot be written.
    """
    path = _file_of(clip)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, changes)
    except OSError as error:
        raise from_os_error(error, path.parent, "keeping corrections") from error
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise NoSpaceError(f"{path}: the disk is full; free some space and run again") from error
        raise MediaError(f"{path}: the corrections of {clip} cannot be kept ({error})") from error


def _write(path: Path, changes: Iterable[Correction]) -> None:
    with closing(sqlite3.connect(path)) as base, base:
        base.executescript(_LAYOUT)
        for one in changes:
            base.execute("DELETE FROM corrections WHERE frame = ? AND track = ?", (one.frame, one.track))
            if not one.is_empty:
                box = one.box or (None,) * 4
                base.execute(
                    "INSERT INTO corrections VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (one.frame, one.track, *box, _stored(one.landmarks), _stored(one.mask)),
                )


def corrections_digest(clip: Path) -> str:
    """What was put right in a clip, as a digest for fingerprints; empty where nothing was."""
    if clip.is_dir():
        return ""
    rows = corrections_of(clip)
    digest = hashlib.sha256()
    for one in rows:
        digest.update(repr((one.frame, one.track, one.box)).encode())
        digest.update((_stored(one.landmarks) or b"-") + (_stored(one.mask) or b"-"))
    return digest.hexdigest()[:32] if rows else ""


def corrections_part(clips: Iterable[Path]) -> dict[str, dict[int, str]]:
    """What was put right in clips, as a part of a fingerprint by their positions; no part where nothing was."""
    told = {number: digest for number, clip in enumerate(clips) if (digest := corrections_digest(clip))}
    return {"corrections": told} if told else {}


def _file_of(clip: Path) -> Path:
    return handwork_folder() / "corrections" / f"{_content_digest(clip)}.sqlite"


def _content_digest(clip: Path) -> str:
    """What tells a clip from others: its size and a hash of its beginning, middle and end; never its times."""
    try:
        size = clip.stat().st_size
        digest = hashlib.sha256(f"{size}:".encode())
        with clip.open("rb") as file:
            for start in (0, max(0, (size - PART_BYTES) // 2), max(0, size - PART_BYTES)):
                file.seek(start)
                digest.update(file.read(PART_BYTES))
    except OSError as error:
        raise from_os_error(error, clip, "reading it") from error
    return digest.hexdigest()[:32]


def _points(stored: bytes | None) -> Floats | None:
    return None if stored is None else np.frombuffer(stored, "<f4").reshape(-1, 2).astype(np.float32)


def _stored(points: Floats | None) -> bytes | None:
    return None if points is None else points.astype("<f4").tobytes()
