"""Digests of inputs and options that remember what they were made of."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from shared.errors import ArtefactError, from_os_error

MANIFEST = "manifest.json"
ENDS_BYTES = 65536
"""Bytes hashed at each end of a file: a re-encode changes them, and an hour of video costs no more than a photo."""


class Fingerprint(str):
    """A digest (32 hex digits, fit for a file name) that remembers the named parts it was made of."""

    __slots__ = ("parts",)
    parts: dict[str, str]

    def __new__(cls, parts: Mapping[str, str]) -> Fingerprint:
        """Digest `parts`, whose order does not matter."""
        text = json.dumps(sorted(parts.items()), ensure_ascii=False)
        made = super().__new__(cls, hashlib.sha256(text.encode()).hexdigest()[:32])
        made.parts = dict(parts)
        return made


def fingerprint(**parts: object) -> Fingerprint:
    """Digest of inputs and options, each under its own name.

    Paths count by content (`file_digest`), dataclasses and mappings field by field, sequences item by item; numbers,
    strings, booleans and None by value.
    """
    flat: dict[str, str] = {}
    for name, value in parts.items():
        _flatten(name, value, flat)
    return Fingerprint(flat)


def file_digest(path: Path) -> str:
    """What a file or an artefact holds, as a digest.

    A file counts by its size, modification time and a hash of both ends; an artefact by the fingerprint in its manifest
    and the names, sizes and ends of the files in it, since a model is trained on and pictures are deleted. When an
    artefact was made does not count.

    Raises
    ------
    ArtefactError
        It is a folder that is no artefact.
    MediaError
        It cannot be read.
    """
    try:
        if path.is_dir():
            return _artefact_digest(path)
        stat = path.stat()
        return hashlib.sha256(f"{stat.st_size}:{stat.st_mtime_ns}:{_ends(path, stat.st_size)}".encode()).hexdigest()[
            :32
        ]
    except OSError as error:
        raise from_os_error(error, path, "reading it") from error


def _artefact_digest(folder: Path) -> str:
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise ArtefactError(f"{folder}: a folder without {MANIFEST}; give a file, or a folder that lipswap made")
    content = manifest.read_bytes()
    try:
        made = str(json.loads(content)["fingerprint"])
    except (ValueError, KeyError, TypeError):  # damaged; whoever opens it says so
        made = hashlib.sha256(content).hexdigest()
    digest = hashlib.sha256(made.encode())
    for file in sorted(folder.rglob("*")):
        if file != manifest and file.is_file() and not file.name.startswith("."):
            size = file.stat().st_size
            digest.update(f"\n{file.relative_to(folder).as_posix()}:{size}:{_ends(file, size)}".encode())
    return digest.hexdigest()[:32]


def _ends(path: Path, size: int) -> str:
    """Hash of the first and last bytes of a file."""
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(ENDS_BYTES))
        if size > ENDS_BYTES:
            file.seek(max(ENDS_BYTES, size - ENDS_BYTES))
            digest.update(file.read(ENDS_BYTES))
    return digest.hexdigest()


def _flatten(name: str, value: object, into: dict[str, str]) -> None:
    if isinstance(value, Path):
        into[name] = file_digest(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for entry in dataclasses.fields(value):
            _flatten(f"{name}.{entry.name}", getattr(value, entry.name), into)
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            _flatten(f"{name}.{key}", value[key], into)
    elif isinstance(value, (str, int, float, bool, Fraction)) or value is None:
        into[name] = repr(value) if isinstance(value, (str, float)) else str(value)
    elif isinstance(value, (bytes, bytearray)):
        into[name] = hashlib.sha256(value).hexdigest()[:32]
    elif isinstance(value, (frozenset, set)):
        into[name] = repr(sorted(map(str, value)))
    elif isinstance(value, Sequence):
        into[name] = f"{len(value)} items"
        for index, item in enumerate(value):
            _flatten(f"{name}.{index}", item, into)
    else:
        raise ValueError(f"part {name!r} of a fingerprint cannot be a {type(value).__name__}")
