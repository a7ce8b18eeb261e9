"""Content credentials of a folder of pictures: one signature over the list of its files and their hashes.

A signature for each of ten thousand pictures would say the same ten thousand times. The list, ``contents.json``, is
signed once, by a sidecar; whoever verifies the folder checks the list, and the files against it.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from shared.errors import ConsentError, from_os_error
from shared.media.numbered import CONTENTS
from shared.provenance.credentials import Statement, file_sha256, sign_as
from shared.provenance.verify import Credentials, verify
from shared.types import JsonObject

MOST_NAMED = 5
"""Files that are named one by one where they differ from the list."""


def sign_folder(statement: Statement, folder: Path, details: JsonObject) -> Path:
    """Sign the contents of a folder that `shared.media.numbered` wrote, and return the sidecar.

    Raises
    ------
    MediaError, NoSpaceError
        As of `shared.provenance.credentials.sign_as`.
    """
    contents = folder / CONTENTS
    return sign_as(statement, contents, contents, details)


def verify_folder(folder: Path) -> Credentials:
    """Read the credentials of a folder and check every file in it; one that is missing, changed or new is a problem.

    Raises
    ------
    ConsentError
        The folder carries none.
    MediaError
        A file cannot be read.
    """
    contents = folder / CONTENTS
    if not contents.is_file():
        raise ConsentError(f"{folder}: a folder without {CONTENTS} carries no content credentials")
    found = verify(contents)
    try:
        listed = json.loads(contents.read_bytes())["files"]
        hashes = {str(name): str(said["sha256"]) for name, said in listed.items()}
        problems = _problems(folder, hashes, found.kept_in)
    except OSError as error:
        raise from_os_error(error, folder, "checking its files") from error
    except (ValueError, KeyError, TypeError, AttributeError):
        problems = [f"{CONTENTS} lists no files"]
    if not problems:
        return found
    rest = [f"and {len(problems) - MOST_NAMED} more"] if len(problems) > MOST_NAMED else []
    return dataclasses.replace(found, state="invalid", problems=(*found.problems, *problems[:MOST_NAMED], *rest))


def _problems(folder: Path, hashes: dict[str, str], sidecar: Path) -> list[str]:
    own = {CONTENTS, sidecar.name}
    there = {path.name for path in folder.iterdir()} - own
    problems = [f"{name} is not in the list" for name in sorted(there - hashes.keys())]
    for name, wanted in hashes.items():
        if name not in there:
            problems.append(f"{name} is missing")
        elif file_sha256(folder / name) != wanted:
            problems.append(f"{name} was changed")
    return problems
