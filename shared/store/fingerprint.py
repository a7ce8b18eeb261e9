"""Digests of inputs and options that remember what they were made of."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from shared.errors import from_os_error

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
    """Size, modification time and a hash of both ends of a file; for a folder, its manifest or its listing."""
    try:
        if path.is_dir():
            manifest = path / MANIFEST
            if manifest.is_file():
                return hashlib.sha256(manifest.read_bytes()).hexdigest()[:32]
            listed = [f"{p.relative_to(path)}:{p.stat().st_size}" for p in sorted(path.rglob("*")) if p.is_file()]
            return hashlib.sha256("\n".join(listed).encode()).hexdigest()[:32]
        stat = path.stat()
        digest = hashlib.sha256(f"{stat.st_size}:{stat.st_mtime_ns}".encode())
        with path.open("rb") as file:
            digest.update(file.read(ENDS_BYTES))
            if stat.st_size > ENDS_BYTES:
                file.seek(max(ENDS_BYTES, stat.st_size - ENDS_BYTES))
                digest.update(file.read(ENDS_BYTES))
    except OSError as error:
        raise from_os_error(error, path, "reading it") from error
    return digest.hexdigest()[:32]


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
