"""What lies in the user's cache: found damaged it is thrown away, and what was not used for long makes room.

Everything here but the weights can be made again by the run that needs it. A folder's modification time says when it
was last used.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import ArtefactError, LipswapError, UsageError
from shared.store.artefact import lock

log = logging.getLogger(__name__)

LIMIT: Final = "LIPSWAP_CACHE_GB"
USUAL_GB: Final = 20.0
IN_USE_S: Final = 3600.0
"""What was used this short while ago is not removed to make room: the run that used it may need it still."""
PARTIAL_DAYS: Final = 7.0
"""Unfinished work that nobody took up for so long is removed."""
UNFINISHED: Final = (".partial", ".old")
"""How the names of unfinished work end."""
FACES, MODEL, VOICE, PARTIAL = "faces", "model", "voice", "partial"
PREPARED: Final = "prepared"
"""Folder of the models and voices, ``model-...`` and ``voice-...``."""
KINDS: Final = {
    FACES: "faces found in clips",
    MODEL: "models that render trained",
    VOICE: "voices that render learned",
    PARTIAL: "unfinished work of runs that broke off",
}
"""Kinds that can be made again, and so be removed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A folder of the cache."""

    path: Path
    kind: str
    size_bytes: int
    used_s: float
    """When it was last used, seconds since 1970."""


def entries(cache: Path) -> list[Entry]:
    """All folders of the cache that can be made again, those of the weights apart, by kind."""
    found = [_entry(path, kind) for path, kind in _folders(cache)]
    return sorted((entry for entry in found if entry is not None), key=lambda entry: (entry.kind, entry.used_s))


def limit_bytes() -> float:
    """Most that the cache may hold beside the weights: ``$LIPSWAP_CACHE_GB``, else 20 GB.

    Raises
    ------
    UsageError
        The variable holds no number.
    """
    said = os.environ.get(LIMIT, "")
    try:
        limit = float(said) if said else USUAL_GB
    except ValueError:
        limit = -1.0
    if not limit >= 0:
        raise UsageError(f"{LIMIT}={said}: say how many gigabytes the cache may hold, 0 or more")
    return limit * 1e9


def make_room(cache: Path) -> tuple[Entry, ...]:
    """Remove forgotten unfinished work, and while the limit is passed what was used least lately; say what went.

    What is locked or was used within the hour stays, and so do the weights.
    """
    now, limit = time.time(), limit_bytes()
    gone: list[Entry] = []
    kept: list[Entry] = []
    for entry in sorted(entries(cache), key=lambda one: one.used_s):
        old = entry.kind == PARTIAL and now - entry.used_s > PARTIAL_DAYS * 86400
        (gone if old and discard(entry) else kept).append(entry)
    over = sum(entry.size_bytes for entry in kept) - limit
    for entry in kept:
        if over <= 0 or now - entry.used_s < IN_USE_S:
            break
        if entry.kind != PARTIAL and discard(entry):
            gone.append(entry)
            over -= entry.size_bytes
    for entry in gone:
        log.info("%s: removed from the cache to make room (%.0f MB)", entry.path, entry.size_bytes / 1e6)
    return tuple(gone)


def discard(entry: Entry) -> bool:
    """Remove a folder unless another run holds it; whether it went."""
    target = entry.path
    if entry.kind == PARTIAL:  # .NAME.FINGERPRINT.partial or .NAME.old
        name = target.name.removesuffix(".partial").rpartition(".")[0].removeprefix(".")
        target = target.with_name(name or target.name)
    try:
        with lock(target):
            shutil.rmtree(entry.path)
    except (LipswapError, OSError):
        return False
    return True


def mark_used(folder: Path) -> None:
    """Note that a folder of the cache is used now; in a cache that cannot be written nothing is noted."""
    try:
        os.utime(folder)
    except OSError as error:
        log.debug("%s: its use is not noted (%s)", folder, error)


def throw_away(folder: Path, why: object = "damaged") -> None:
    """Remove a folder of the cache that is not what it should be, with a warning; nothing where there is none."""
    if not folder.exists():
        return
    log.warning("%s: is thrown away and made again (%s)", folder, why)
    shutil.rmtree(folder)


def check_base(file: Path) -> None:
    """Refuse an SQLite file that is missing or damaged; reads all of it.

    Raises
    ------
    ArtefactError
        Saying what is wrong with it.
    """
    try:
        base = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        try:
            wrong = [str(row[0]) for row in base.execute("PRAGMA quick_check(1)")]
        finally:
            base.close()
    except sqlite3.Error as error:
        raise ArtefactError(f"{file}: unreadable ({error})") from error
    if wrong != ["ok"]:
        raise ArtefactError(f"{file}: damaged ({'; '.join(wrong)})")


def _folders(cache: Path) -> Iterator[tuple[Path, str]]:
    for parent in (cache / FACES, cache / PREPARED):
        for path in parent.iterdir() if parent.is_dir() else ():
            if not path.is_dir() or path.is_symlink():
                continue
            if path.name.startswith(".") and path.suffix in UNFINISHED:  # a clip's own name may begin with a point
                yield path, PARTIAL
            else:
                kind = FACES if parent.name == FACES else path.name.partition("-")[0]
                if kind in KINDS:
                    yield path, kind


def _entry(path: Path, kind: str) -> Entry | None:
    """The folder with its size; None where another run has just removed it."""
    try:
        size, used = 0, path.stat().st_mtime
        for file in path.rglob("*"):
            said = file.lstat()
            size += said.st_size if file.is_file() else 0
            used = max(used, said.st_mtime)
    except FileNotFoundError:
        return None
    return Entry(path, kind, size, used)
