"""Costly results as folders: fingerprinted, written under a temporary name, renamed when complete, locked.

An artefact is a folder with a ``manifest.json``. Its fingerprint is a digest of everything that went into it (files
by size, time and ends; options by value), so that running again with the same inputs does nothing, and running with
others is an error that names what differs.
"""

from __future__ import annotations

import dataclasses
import errno
import importlib.metadata
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from shared.errors import ArtefactError, LockedError, NoSpaceError, from_os_error
from shared.store.fingerprint import MANIFEST, Fingerprint, file_digest, fingerprint
from shared.types import JsonObject

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = [
    "Fingerprint",
    "Manifest",
    "artefact",
    "cache_folder",
    "file_digest",
    "fingerprint",
    "is_current",
    "lock",
    "open_artefact",
    "tool_version",
    "write_atomically",
]


@dataclasses.dataclass(frozen=True, slots=True)
class Manifest:
    """What an artefact says of itself."""

    kind: str
    """What it is: ``faces``, ``faceset``, ``model``, ``voice``..."""
    schema: int
    """Version of the layout inside the folder."""
    fingerprint: str
    parts: dict[str, str]
    """The named parts of the fingerprint, for the message that says what differs."""
    tool: str
    created: str
    """ISO 8601, UTC."""
    details: JsonObject
    """Counts and facts that the maker added."""


def tool_version() -> str:
    """Version of the installed distribution, ``0+source`` when run from a folder that was never installed."""
    try:
        return importlib.metadata.version("lipswap")
    except importlib.metadata.PackageNotFoundError:
        return "0+source"


def cache_folder() -> Path:
    """The user's cache: ``$LIPSWAP_CACHE``, else ``lipswap`` under ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    own = os.environ.get("LIPSWAP_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".cache").absolute() / "lipswap"


def is_current(path: Path, kind: str, wanted: str, schema: int | None = None) -> bool:
    """Whether `path` already is an artefact of this kind (and schema, if given) with the wanted fingerprint."""
    if not (path / MANIFEST).is_file():
        return False
    found = _read_manifest(path)
    return found.kind == kind and found.fingerprint == wanted and schema in (None, found.schema)


def open_artefact(path: Path, kind: str, schema: int) -> Manifest:
    """Read the manifest of an artefact, checking that it is of the kind and schema this version reads.

    Raises
    ------
    ArtefactError
        Naming what differs, and the way out.
    """
    if not path.exists():
        raise ArtefactError(f"{path}: no such folder; a {kind} artefact was expected here")
    if not (path / MANIFEST).is_file():
        raise ArtefactError(f"{path}: not an artefact (no {MANIFEST}); a {kind} folder was expected here")
    found = _read_manifest(path)
    if found.kind != kind:
        raise ArtefactError(f"{path}: this is a {found.kind} artefact, a {kind} was expected")
    if found.schema != schema:
        raise ArtefactError(
            f"{path}: layout {found.schema} of lipswap {found.tool}, this version reads {schema}; "
            "make it again (--force)"
        )
    return found


@contextmanager
def artefact(
    path: Path,
    kind: str,
    schema: int,
    wanted: str,
    force: bool = False,
    *,
    resume: bool = False,
    details: JsonObject | None = None,
) -> Iterator[Path]:
    """Make an artefact: the block fills the temporary folder given; on success it becomes `path`.

    Parameters
    ----------
    wanted : the fingerprint, best from `fingerprint`.
    force : replace an artefact made from other inputs.
    resume : keep what is in the temporary folder when the block fails or is interrupted, and give it back next time.
    details : filled by the caller before the block ends; written into the manifest.

    Raises
    ------
    ArtefactError
        `path` holds an artefact with another fingerprint (what differs is named) or a folder that is not ours.
    NoSpaceError
        The disk is full.
    """
    _recover(path)
    _check_replaceable(path, kind, wanted, force)
    folder = path.parent / f".{path.name}.{wanted[:12]}.partial"
    try:
        if folder.exists() and not resume:
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        _write_manifest(folder, kind, schema, wanted, details or {})
        _sync_tree(folder)
        _put_in_place(folder, path)
    except BaseException as error:
        if not resume:
            shutil.rmtree(folder, ignore_errors=True)
        elif folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        if _is_disk_full(error):
            raise NoSpaceError(f"{path}: the disk is full; free some space and run again") from error
        raise


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold `path` (which need not exist) against other runs; the system frees the lock of a process that died.

    Raises
    ------
    LockedError
        Naming the process that holds it.
    """
    beside = path.parent / f".{path.name}.lock"
    try:
        beside.parent.mkdir(parents=True, exist_ok=True)
        number = _take(beside)
    except OSError as error:
        raise from_os_error(error, beside, "locking") from error
    if number is None:
        holder = beside.read_text(errors="replace").strip() if beside.exists() else ""
        raise LockedError(f"{path}: another run holds it (process {holder or 'unknown'}); wait for it or end it")
    try:
        _recover(path)
        yield
    finally:
        if sys.platform != "win32":
            beside.unlink(missing_ok=True)
        os.close(number)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a small file under a temporary name, fsync, and rename it into place."""
    temporary = path.with_name(f".{path.name}.partial")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise from_os_error(error, path, "writing it") from error


def _read_manifest(path: Path) -> Manifest:
    try:
        stored = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        return Manifest(**{entry.name: stored[entry.name] for entry in dataclasses.fields(Manifest)})
    except OSError as error:
        raise from_os_error(error, path, "reading its manifest") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ArtefactError(f"{path}: its {MANIFEST} is damaged; remove the folder and make it again") from error


def _write_manifest(folder: Path, kind: str, schema: int, wanted: str, details: JsonObject) -> None:
    parts = wanted.parts if isinstance(wanted, Fingerprint) else {}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    made = Manifest(kind, schema, str(wanted), parts, tool_version(), now, details)
    text = json.dumps(dataclasses.asdict(made), indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _check_replaceable(path: Path, kind: str, wanted: str, force: bool) -> None:
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not (path / MANIFEST).is_file():
        raise ArtefactError(f"{path}: exists and is not an artefact of lipswap; choose another place")
    found = _read_manifest(path)
    if force or (found.kind == kind and found.fingerprint == wanted):
        return
    if found.kind != kind:
        raise ArtefactError(f"{path}: holds a {found.kind}, not a {kind}; choose another place or --force")
    parts = wanted.parts if isinstance(wanted, Fingerprint) else {}
    names = sorted(n for n in {*parts, *found.parts} if parts.get(n) != found.parts.get(n))
    different = ", ".join(names) or "its inputs"
    raise ArtefactError(f"{path}: was made otherwise ({different} differ); choose another place or --force")


def _sync_tree(folder: Path) -> None:
    for entry in folder.rglob("*"):
        if entry.is_file():
            with entry.open("rb") as file:
                os.fsync(file.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _put_in_place(folder: Path, path: Path) -> None:
    old = _old(path)
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)
        path.rename(old)
    folder.rename(path)
    _sync_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _old(path: Path) -> Path:
    return path.parent / f".{path.name}.old"


def _recover(path: Path) -> None:
    """Give an artefact its name back that a run was killed over while replacing it."""
    if not path.exists() and (_old(path) / MANIFEST).is_file():
        _old(path).rename(path)


def _is_disk_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def _take(beside: Path) -> int | None:
    """Descriptor of the locked file with our process number in it, or None where another process has it."""
    while True:
        number = os.open(beside, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if sys.platform == "win32":
                msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(number)
            if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                return None
            raise
        if beside.exists() and os.fstat(number).st_ino == beside.stat().st_ino:
            os.ftruncate(number, 0)
            os.write(number, str(os.getpid()).encode())
            return number
        os.close(number)  # its last holder removed the file between our opening and our locking it
