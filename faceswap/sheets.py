"""The two pictures that lie in a face set: what is in it, and what that covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from faceswap.cover import coverage_sheet, shown
from faceswap.rows import COVERAGE, PICTURES, SHEET, FaceRow, evenly
from shared.picture.image import Rgb, contact_sheet, read_image, write_png

SHEET_FACES: Final = 96
SHEET_COLUMNS: Final = 12
SHEET_CELL_PX: Final = 96


def draw_sheets(folder: Path, rows: Sequence[FaceRow]) -> None:
    """Draw the contact sheet and the coverage of a face set anew."""
    kept = [row for row in rows if row.kept and (folder / PICTURES / row.name).is_file()]
    pictures = [read_image(folder / PICTURES / row.name) for row in evenly(kept, SHEET_FACES)]
    write_png(folder / SHEET, contact_sheet(pictures, SHEET_COLUMNS, (SHEET_CELL_PX, SHEET_CELL_PX)))
    gone = [replace(row, kept=False) for row in rows if not row.kept]
    named: dict[str, Rgb] = {name: read_image(folder / PICTURES / name) for name in shown([*kept, *gone])}
    write_png(folder / COVERAGE, coverage_sheet([*kept, *gone], named))
