"""True times of words or phones of clips, as a table, and where in them the lips must meet.

The table is tab-separated with a first line ``clip start_s end_s word`` (or ``phone``): the clip's name without its
suffix, seconds on the clip's own clock, and the word as it is spelled or the phone as the CMU dictionary writes it.
"""

from __future__ import annotations

import csv
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import MediaError, from_os_error

COLUMNS: Final = ("clip", "start_s", "end_s")
CLOSES_FIRST: Final = re.compile(r"(?:p(?![hnst])|b|m)")
"""Spellings whose first sound is p, b or m (not "phone", "psalm")."""
CLOSES_LAST: Final = re.compile(r".*[aeiouy][a-z]*[mpb]{1,2}e?$|.*mn$|m$")
"""Spellings whose last sound is one ("him", "up", "time", "help", "thumb", "column", the letter m; not "be", "b")."""
AFTER_START_S: Final = 0.01
"""Middle of a closure that begins a word, after the word's start. Aligners hear a stop begin about when the lips meet:
of 131 such closures on 100 GRID clips the real lips meet within 40 ms of 0 to 20 ms in 96%, of -20 and 40 ms in 94% and
92%."""
BEFORE_END_S: Final = 0.03
"""Middle of a closure that ends a word, before the word's end: stops are shut for some 60 ms (Stathopoulos and Weismer,
"Closure duration of stop consonants", Journal of Phonetics 11(4), 1983)."""
CLOSING_PHONES: Final = ("P", "B", "M")
OPEN_PHONES: Final = ("AA", "AE", "AH", "AO")
"""Vowels at which the mouth is to be open."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Moments of one clip, seconds on its own clock.

    Attributes
    ----------
    closures_s : middles of the closures of p, b and m.
    open_s : middles of open vowels; known from phones only.
    words : (start, end, word) in lower case; known from words only.
    """

    closures_s: tuple[float, ...] = ()
    open_s: tuple[float, ...] = ()
    words: tuple[tuple[float, float, str], ...] = ()


def read_marks(path: Path) -> dict[str, Marks]:
    """Closures and open vowels of each clip in a table, by the clip's name.

    Raises
    ------
    MediaError
        The file cannot be read, or is no such table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file, delimiter="\t")
            rows, names = list(table), tuple(table.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        if isinstance(error, OSError):
            raise from_os_error(error, path, "reading the alignment") from error
        raise MediaError(f"{path}: is no table of text ({error}); give a tab-separated one") from error
    kind = "phone" if "phone" in names else "word"
    if missing := [name for name in (*COLUMNS, kind) if name not in names]:
        raise MediaError(f"{path}: lacks the column {missing[0]}; its first line must name clip, start_s, end_s, word")
    found: dict[str, list[Marks]] = defaultdict(list)
    for number, row in enumerate(rows, start=2):
        found[row["clip"]].append(_marks_of(path, number, row, kind))
    return {clip: _joined(marks) for clip, marks in found.items()}


def _marks_of(path: Path, number: int, row: Mapping[str, str], kind: str) -> Marks:
    try:
        start_s, end_s = float(row["start_s"]), float(row["end_s"])
    except (TypeError, ValueError):
        start_s = end_s = math.nan
    if not (math.isfinite(start_s) and math.isfinite(end_s) and start_s <= end_s and row[kind]):
        raise MediaError(f"{path}: line {number} is not clip, start_s, end_s, {kind}, with end_s after start_s")
    middle = (start_s + end_s) / 2
    if kind == "phone":
        phone = row[kind].upper().rstrip("012")
        return Marks((middle,) * (phone in CLOSING_PHONES), (middle,) * (phone in OPEN_PHONES))
    return Marks(closures_of_word(row[kind], start_s, end_s), (), ((start_s, end_s, row[kind].lower()),))


def closures_of_word(word: str, start_s: float, end_s: float) -> tuple[float, ...]:
    """When the lips meet at the beginning and at the end of a word, as far as its English spelling tells.

    Closures inside a word are left out, since nothing says when they are.
    """
    spelled = word.lower()
    closures = []
    if CLOSES_FIRST.match(spelled) and spelled != "m":
        closures.append(min(start_s + AFTER_START_S, end_s))
    if CLOSES_LAST.match(spelled):
        closures.append(max(end_s - BEFORE_END_S, start_s))
    return tuple(closures)


def _joined(marks: Sequence[Marks]) -> Marks:
    return Marks(
        tuple(sorted(time for one in marks for time in one.closures_s)),
        tuple(sorted(time for one in marks for time in one.open_s)),
        tuple(sorted(word for one in marks for word in one.words)),
    )
