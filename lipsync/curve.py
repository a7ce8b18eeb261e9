"""The mouth curve as a table: written from a track, edited by hand or made by another program, and read again.

CSV has the columns time_s, opening_mm, width_mm, viseme, basis, shape_01 to shape_20; JSON an object with ``basis`` and
``rows``, objects of the same names but ``shape``, a list. Times count from the start of the speech. A table to be read
needs time_s and any of the others, for any times, in any order. Shapes are coefficients of one voice's basis; opening,
width and visemes (`lipsync.controls`) mean the same in every voice. JSON with ``mouthCues``, as Rhubarb Lip Sync writes
it, is read too.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lipsync.controls import VISEMES, Controls
from lipsync.mouth import COEFFICIENTS, MouthBasis
from lipsync.predict import MouthTrack
from shared.errors import ArtefactError, UsageError, from_os_error
from shared.store.artefact import write_atomically
from shared.types import Floats, JsonObject

SUFFIXES: Final = (".csv", ".json")
SHAPE: Final = tuple(f"shape_{number:02d}" for number in range(1, COEFFICIENTS + 1))
COLUMNS: Final = ("time_s", "opening_mm", "width_mm", "viseme", "basis", *SHAPE)
DECIMALS: Final = 5
"""Of times in seconds and shapes in centimetres."""
LONGEST_S: Final = 86_400.0
CUE_EDGE_S: Final = 0.04
"""A cue of `mouthCues` is reached this long after its start, and held until as long before its end."""


@dataclass(frozen=True, slots=True)
class CurveTable:
    """What a table says; NaN and "" where it says nothing.

    Attributes
    ----------
    times_s : (R,) float64, strictly increasing, R >= 1.
    controls_mm : (R, 2) float32 opening and width.
    visemes : R letters.
    shapes : (R, 20) float32.
    basis : what the shapes are coefficients of; "" where there are none.
    """

    times_s: NDArray[np.float64]
    controls_mm: Floats
    visemes: tuple[str, ...]
    shapes: Floats
    basis: str = ""


def basis_name(basis: MouthBasis) -> str:
    """Eight hex digits that tell one voice's basis from another's."""
    numbers = np.concatenate([basis.mean[np.newaxis], basis.components]).astype("<f4")
    return hashlib.sha256(numbers.tobytes()).hexdigest()[:8]


def write_curve(path: Path, track: MouthTrack, controls: Controls, basis: MouthBasis, *, force: bool = False) -> None:
    """Write a track as CSV or JSON, by the name's ending, one row for each of its rows.

    Raises
    ------
    UsageError
        The name ends otherwise.
    ArtefactError
        There is another file of that name, which may hold handwork, and `force` is not set.
    MediaError, NoSpaceError
        It cannot be written.
    """
    check_suffix(path)
    content = _text_of(track, controls, basis, as_json=_is_json(path)).encode()
    if not force and path.exists():
        if path.is_file() and path.read_bytes() == content:
            return
        raise ArtefactError(f"{path}: exists, and may hold handwork; choose another name, or --force replaces it")
    write_atomically(path, content)


def check_suffix(path: Path) -> None:
    """Refuse the name of a mouth curve that says neither CSV nor JSON."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: a mouth curve is a table; its name ends in {' or '.join(SUFFIXES)}")


def read_curve(path: Path) -> CurveTable:
    """Read a table, in whatever order its rows are.

    Raises
    ------
    UsageError
        A row is not understood, with its number; or there is none.
    MediaError
        It cannot be read.
    """
    check_suffix(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise from_os_error(error, path, "reading the mouth curve") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is no text ({error})") from error
    try:
        rows, basis = _json_rows(text) if _is_json(path) else _csv_rows(text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: not understood ({error!r}); see lipswap sync --help") from error
    found: dict[float, tuple[list[float], str, list[float]]] = {}
    for number, row in enumerate(rows, 1):
        try:
            time_s = _number(row["time_s"])
            if not 0.0 <= time_s <= LONGEST_S or time_s in found:
                raise ValueError(f"its time_s is no number of seconds up to {LONGEST_S:g}, or there twice")
            found[time_s] = _said(row)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{path}, row {number}: not understood ({error}); see lipswap sync --help") from error
    if not found:
        raise UsageError(f"{path}: has no rows")
    times = sorted(found)
    said = [found[time_s] for time_s in times]
    return CurveTable(
        np.array(times, dtype=np.float64),
        np.array([one[0] for one in said], dtype=np.float32),
        tuple(one[1] for one in said),
        np.array([one[2] for one in said], dtype=np.float32),
        basis if any(math.isfinite(one[2][0]) for one in said) else "",
    )


def table_rows(track: MouthTrack, controls: Controls) -> list[JsonObject]:
    """Rows of a table for those of a track, as JSON has them."""
    shapes = np.round(track.shapes.astype(np.float64), DECIMALS)
    kept = shapes.astype(np.float32)  # as it will be read again, so that a row agrees with itself
    columns = zip(
        np.round(track.times_s, DECIMALS).tolist(),
        np.round(controls.measure(kept).astype(np.float64), 3).tolist(),
        controls.visemes(kept, track.resting),
        shapes.tolist(),
        strict=True,
    )
    return [
        {"time_s": time_s, "opening_mm": opening, "width_mm": width, "viseme": viseme, "shape": shape}
        for time_s, (opening, width), viseme, shape in columns
    ]


def _text_of(track: MouthTrack, controls: Controls, basis: MouthBasis, *, as_json: bool) -> str:
    rows, name = table_rows(track, controls), basis_name(basis)
    return json.dumps({"basis": name, "rows": rows}) if as_json else _csv_of(rows, name)


def _said(row: Mapping[str, Any]) -> tuple[list[float], str, list[float]]:
    """Opening and width, viseme, and shape of a row."""
    controls = [_number(row.get(name)) for name in COLUMNS[1:3]]
    if controls[1] <= 0.0:
        raise ValueError("width_mm is more than 0")
    viseme = str(row.get("viseme") or "").strip().upper()
    if viseme and viseme not in VISEMES:
        raise ValueError(f"viseme {viseme} is none of {' '.join(VISEMES)}")
    shape = [_number(value) for value in row.get("shape") or [None] * COEFFICIENTS]
    if len(shape) != COEFFICIENTS or len({math.isfinite(value) for value in shape}) != 1:
        raise ValueError(f"a shape has {COEFFICIENTS} numbers, or none")
    return controls, viseme, shape


def _number(value: object) -> float:
    """A cell as a number; NaN where it is empty."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return math.nan
    number = float(str(value).replace(",", "."))  # spreadsheets write decimals in the user's own way
    if not math.isfinite(number):
        raise ValueError(f"{value} is no number")
    return number


def _csv_rows(text: str) -> tuple[list[dict[str, Any]], str]:
    first = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=first.count))
    names = reader.fieldnames or []
    if "time_s" not in names or any(name not in COLUMNS for name in names):
        raise ValueError(f"needs the column time_s, and knows {', '.join(COLUMNS[1:5])} and {SHAPE[0]} to {SHAPE[-1]}")
    rows: list[dict[str, Any]] = list(reader)
    for row in rows:
        row["shape"] = [row.get(name) for name in SHAPE]
    return rows, next((str(row["basis"]).strip() for row in rows if row.get("basis")), "")


def _json_rows(text: str) -> tuple[list[dict[str, Any]], str]:
    read = json.loads(text)
    if isinstance(read, list):
        return read, ""
    if "mouthCues" in read:
        return list(_cues(read["mouthCues"])), ""
    return list(read["rows"]), str(read.get("basis") or "")


def _cues(cues: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows that hold each cue, `CUE_EDGE_S` inside its ends."""
    for cue in cues:
        start, end = float(cue["start"]), float(cue["end"])
        edge = min(CUE_EDGE_S, (end - start) / 2)
        count = max(2, math.ceil((end - start - 2 * edge) / CUE_EDGE_S) + 1) if end - start > 2 * edge else 1
        for time_s in np.linspace(start + edge, end - edge, count):
            yield {"time_s": float(time_s), "viseme": cue["value"]}


def _csv_of(rows: Sequence[Mapping[str, Any]], basis: str) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([*(row[name] for name in COLUMNS[:4]), basis, *row["shape"]])
    return out.getvalue()


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == ".json"
