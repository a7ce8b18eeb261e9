"""The consent statement that every changed clip needs: read, dated and digested."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from shared.errors import ConsentError, from_os_error

LARGEST_BYTES = 1_000_000
"""A statement is a page of text; anything larger is the wrong file."""
_NAMED = re.compile(r"^\s*(?:who|name|person|signed(?: by)?)\s*:\s*(\S.*?)\s*$", re.IGNORECASE | re.MULTILINE)
_LOOKS_LIKE_FILE = re.compile(r"^(?:\S*[/\\]\S*|\S+\.(?:txt|md|rst|text))$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Consent:
    """What the persons shown agreed to; travels, whole, in the signature of every output."""

    text: str
    sha256: str
    """Of the statement's UTF-8 bytes (of the file as it lies on disk, where it came from one)."""
    who: str
    """From a line such as ``Name: Ada Example``; empty where the statement has none."""
    when: str
    """When it was given to this program, ISO 8601 UTC."""


def read_consent(text_or_file: str | Path | None) -> Consent:
    """Take a statement as text, or the text of the file named.

    Raises
    ------
    ConsentError
        Nothing was given, it is blank, or what looks like a file is missing or is not text.
    """
    if text_or_file is None:
        raise ConsentError(
            "no consent statement; give --consent with a sentence in which the persons shown and heard agree, "
            "or with a file that holds it"
        )
    content = _content(text_or_file)
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise ConsentError(f"{text_or_file}: the consent statement is not UTF-8 text; give a text file") from error
    if not text:
        raise ConsentError("the consent statement is empty; say who agrees to what")
    named = _NAMED.search(text)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Consent(text, hashlib.sha256(content).hexdigest(), named.group(1) if named else "", now)


def _content(text_or_file: str | Path) -> bytes:
    given = str(text_or_file)
    path = Path(text_or_file)
    if "\n" not in given and len(given) < 1024:  # a longer name is no file on any system
        try:
            if path.is_file():
                if path.stat().st_size > LARGEST_BYTES:
                    raise ConsentError(f"{path}: too large for a consent statement; give a text file")
                return path.read_bytes()
        except OSError as error:
            raise ConsentError(str(from_os_error(error, path, "reading the consent statement"))) from error
        if isinstance(text_or_file, Path) or _LOOKS_LIKE_FILE.match(given):
            raise ConsentError(f"{given}: no such file; give --consent a sentence, or the file that holds it")
        if given.strip() and len(given.split()) == 1:
            raise ConsentError(
                f"{given}: a single word is no statement, and no such file is here; say who agrees to what"
            )
    return given.encode()
