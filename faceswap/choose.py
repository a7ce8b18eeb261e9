"""Faces of a set chosen by their measures, put in order by one, written as a table."""

from __future__ import annotations

import csv
import io
import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Final

from faceswap.rows import FaceRow
from shared.errors import UsageError

ALSO_CALLED: Final[dict[str, str]] = {
    "blur": "sharpness",
    "yaw": "yaw_deg",
    "pitch": "pitch_deg",
    "roll": "roll_deg",
    "size": "size_px",
    "identity": "person",
    "similarity": "likeness",
}
"""Words for a column that people type."""
COLOUR: Final = "colour"
"""Hue of the skin in degrees: sorted by, though it is no column."""
COLUMNS: Final = tuple(
    entry.name for entry in fields(FaceRow) if entry.name not in ("landmarks", "embedding", "crop_from_frame")
)
_COMPARED: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_CONDITION: Final = re.compile(r"\s*([a-z_]+)\s*(<=|>=|!=|<|>|=)\s*(.*?)\s*")


def chosen(rows: Sequence[FaceRow], conditions: Sequence[str]) -> list[FaceRow]:
    """The rows that meet all conditions, such as ``yaw>20``, ``why=covered`` or ``person!=0``.

    A measure that is not known meets no condition.

    Raises
    ------
    UsageError
        If one cannot be read, or names no column.
    """
    tests = [_test_of(condition) for condition in conditions]
    return [row for row in rows if all(test(row) for test in tests)]


def in_order(rows: Sequence[FaceRow], key: str, falling: bool = False) -> list[FaceRow]:
    """Rows by a measure, those of which it is not known last.

    Raises
    ------
    UsageError
        If there is no such measure.
    """
    name = _column(key)
    known = [row for row in rows if _is_known(_value(row, name))]
    rest = [row for row in rows if not _is_known(_value(row, name))]
    return [*sorted(known, key=lambda row: _value(row, name), reverse=falling), *rest]


def asks_for_likeness(conditions: Sequence[str], key: str | None) -> bool:
    """Whether a choice or an order needs the likeness of each face, which the extraction measures now and then only."""
    named = [match[1] for match in map(_CONDITION.fullmatch, conditions) if match]
    return "likeness" in [ALSO_CALLED.get(name, name) for name in (*named, *([key] if key else []))]


def table_of(rows: Sequence[FaceRow]) -> str:
    """Rows as CSV, with a header."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([[plain(getattr(row, name)) for name in COLUMNS] for row in rows])
    return out.getvalue()


def _test_of(condition: str) -> Callable[[FaceRow], bool]:
    match = _CONDITION.fullmatch(condition)
    if match is None:
        raise UsageError(f"--where {condition!r}: say a measure, one of < <= > >= = != and a value, like 'yaw>20'")
    name, sign, text = _column(match[1]), match[2], match[3]
    is_text = name in ("name", "why")
    try:
        wanted: Any = text if is_text else float({"true": "1", "false": "0"}.get(text.lower(), text))
    except ValueError as error:
        raise UsageError(f"--where {condition!r}: {text!r} is no number") from error

    def test(row: FaceRow) -> bool:
        value = _value(row, name)
        return _is_known(value) and _COMPARED[sign](value if is_text else float(value), wanted)

    return test


def _column(word: str) -> str:
    name = ALSO_CALLED.get(word, word)
    if name != COLOUR and name not in COLUMNS:
        raise UsageError(f"no measure is called {word}; there are {', '.join((*ALSO_CALLED, COLOUR, *COLUMNS))}")
    return name


def _value(row: FaceRow, name: str) -> Any:  # noqa: ANN401 - a number or a text, as the column has it
    return math.degrees(math.atan2(row.yellow, row.red)) if name == COLOUR else getattr(row, name)


def _is_known(value: object) -> bool:
    return not (isinstance(value, float) and math.isnan(value))


def plain(value: object) -> object:
    """A value as a table has it: short numbers, nothing where it is not known."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return "" if math.isnan(value) else round(value, 4)
    return value
