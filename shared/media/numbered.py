"""Numbered pictures in a folder that is whole or not there: coded, written and hashed in threads.

The folder grows under a temporary name beside the final one; the last file written into it, `CONTENTS`, lists the
others with their hashes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from shared.errors import UsageError, from_os_error
from shared.store.artefact import tool_version, write_atomically
from shared.types import JsonObject

CONTENTS: Final = "contents.json"
SIGNATURE: Final = "contents.c2pa"
"""What a signature of the contents is called."""
LITTER: Final = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""What file managers leave, and make again, in any folder that was looked at."""
SCHEMA: Final = 1
WORKERS: Final = min(4, os.cpu_count() or 1)


def check_own(folder: Path) -> None:
    """Refuse a folder that holds anything that is not of a sequence; one that is missing or empty will do.

    Raises
    ------
    UsageError
        Naming what lies there.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; the pictures need a folder of their own")
    if not folder.is_dir():
        return
    known = _listed(folder) | LITTER
    if foreign := next((one.name for one in sorted(folder.iterdir()) if one.name not in known), None):
        raise UsageError(
            f"{folder}: holds {foreign}, which no render wrote; the pictures need a folder of their own: "
            "move it away or name another folder"
        )


def _listed(folder: Path) -> set[str]:
    """Names of the files that we wrote into a folder; none where it has no list of ours."""
    try:
        said = json.loads((folder / CONTENTS).read_bytes())
        ours = str(said["tool"]).startswith("lipswap ")
        return {CONTENTS, SIGNATURE, *said["files"]} if ours else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()


class NumberedPictures:
    """Pictures that are coded, written and hashed in threads, in a folder that is whole or not there.

    Parameters
    ----------
    folder : where they will lie.
    pattern : their name, with one ``%d``.
    """

    def __init__(self, folder: Path, pattern: str) -> None:
        self._folder, self._pattern = folder, pattern
        self.partial = folder.with_name(f".{folder.name}.partial")
        self._pool = ThreadPoolExecutor(WORKERS, "png")
        self._waiting: deque[tuple[str, JsonObject, Future[str]]] = deque()
        self._files: dict[str, JsonObject] = {}
        try:
            shutil.rmtree(self.partial, ignore_errors=True)
            self.partial.mkdir()
        except OSError as error:
            raise from_os_error(error, folder, "making the folder of pictures") from error

    def add(self, number: int, encode: Callable[[], bytes], said: JsonObject) -> None:
        """Write one picture; waits where many are under way. What is `said` of it goes into the contents."""
        name = self._pattern % number
        self._waiting.append((name, said, self._pool.submit(self._write, name, encode)))
        while len(self._waiting) > 2 * WORKERS:
            self._gather()

    def note(self, name: str, said: JsonObject | None = None) -> None:
        """List a further file that lies in the folder."""
        content = (self.partial / name).read_bytes()
        self._files[name] = {**(said or {}), "sha256": hashlib.sha256(content).hexdigest()}

    def finish(self, facts: JsonObject) -> None:
        """Wait for all pictures, write the contents with `facts`, and rename the folder."""
        try:
            while self._waiting:
                self._gather()
            said = {"schema": SCHEMA, "tool": f"lipswap {tool_version()}", **facts, "files": self._files}
            write_atomically(self.partial / CONTENTS, (json.dumps(said, indent=1) + "\n").encode())
            if self._folder.is_dir():
                shutil.rmtree(self._folder)
            self.partial.rename(self._folder)
        except OSError as error:
            raise from_os_error(error, self._folder, "writing the pictures") from error
        finally:
            self._pool.shutdown()

    def abandon(self) -> None:
        """Remove what was written."""
        self._pool.shutdown(cancel_futures=True)
        shutil.rmtree(self.partial, ignore_errors=True)

    def _gather(self) -> None:
        name, said, future = self._waiting[0]
        try:
            self._files[name] = {**said, "sha256": future.result()}
        except OSError as error:
            raise from_os_error(error, self._folder / name, "writing a picture") from error
        self._waiting.popleft()  # not before: an interrupt while it is waited for must not drop it from the list

    def _write(self, name: str, encode: Callable[[], bytes]) -> str:
        content = encode()
        with (self.partial / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return hashlib.sha256(content).hexdigest()
