"""What a face set covers: poses, expressions and lights, and which faces add nothing to it.

A long clip in which little happens gives thousands of faces that are all alike; a net that is shown them learns nothing
else. Faces are compared in a space in which a distance of 1 is a difference that is plainly seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.align import VIEW_SHARE
from faceswap.rows import FaceRow
from shared.picture.image import Rgb
from shared.picture.warp import resize
from shared.types import Floats

UNITS: Final[dict[str, float]] = {
    "yaw_deg": 8.0,
    "pitch_deg": 8.0,
    "mouth": 0.08,
    "smile": 0.06,
    "eyes": 0.1,
    "brows": 0.04,
    "light": 10.0,
    "side_light": 8.0,
    "top_light": 8.0,
    "red": 6.0,
    "yellow": 6.0,
}
"""The measures compared, each with the difference that is plainly seen."""
MAPS: Final = (
    ("yaw_deg", -45.0, 45.0, "pitch_deg", -30.0, 30.0),
    ("mouth", 0.0, 0.45, "eyes", 0.0, 0.42),
    ("light", 10.0, 90.0, "side_light", -24.0, 24.0),
)
"""The three maps of the coverage picture: what lies across with its ends, what lies upwards with its ends."""
TITLES: Final = (
    "yaw -45..45 across, pitch -30..30 deg up",
    "mouth closed..open across, eyes closed..open up",
    "lightness 10..90 across, lit from left..right up",
)
ACROSS, UPWARDS, CELL_PX = 9, 6, 56
GAP_PX, TITLE_PX = 14, 20
EMPTY, BARE, INK = 40, (120, 40, 40), (60, 60, 60)
"""Grey of a cell without any face, and colour of one all of whose faces were dropped."""


def placed(rows: Sequence[FaceRow]) -> Floats:
    """Where faces lie in the space of differences, (N, 11) float32; what was not measured counts as no difference."""
    table = np.array([[getattr(row, name) / unit for name, unit in UNITS.items()] for row in rows], dtype=np.float32)
    return np.nan_to_num(table.reshape(len(rows), len(UNITS)))


def spread(points: Floats, worth: Floats, apart: float, most: int, fixed: int = 0) -> NDArray[np.intp]:
    """Which points to keep so that none is nearer than `apart` to another, and at most `most`, those that differ most.

    First, in order of `worth`, each that has no neighbour yet (so that the best of several alike stays); then, where
    these are too many, again and again the one that is farthest from all taken (Gonzalez, "Clustering to minimize the
    maximum intercluster distance", TCS 38, 1985). Ties go to the earlier point.

    Parameters
    ----------
    points : (N, D).
    worth : (N,), more is better.
    fixed : the first so many points are kept whatever they are.

    Returns
    -------
    (K,) numbers of the points kept, ascending.
    """
    if len(points) != len(worth) or not 0 <= fixed <= len(points):
        raise ValueError(f"expected one worth a point and fixed <= N, got {len(points)}, {len(worth)} and {fixed}")
    order = [*range(fixed), *(fixed + np.argsort(-worth[fixed:], kind="stable"))]
    kept = _apart(points, [int(number) for number in order], apart, fixed)
    if len(kept) > most:
        kept = _farthest(points, kept, max(most, fixed), fixed)
    return np.sort(np.array(kept, dtype=np.intp))


def coverage_sheet(rows: Sequence[FaceRow], pictures: dict[str, Rgb]) -> Rgb:
    """Three maps side by side: pose (yaw, pitch), expression (mouth, eyes) and light (lightness, its side).

    Each cell shows the kept face nearest to its middle, with a bar as wide as there are many (a full one is 64 and
    more); a dark red cell has faces that were all dropped, a grey one none.

    Parameters
    ----------
    pictures : crops by name, of those named by `shown`.
    """
    width = ACROSS * CELL_PX
    size = (TITLE_PX + UPWARDS * CELL_PX, len(MAPS) * (width + GAP_PX) - GAP_PX, 3)
    sheet = np.full(size, 255, dtype=np.uint8)
    for place, cells in enumerate(_cells(rows)):
        title_at = (place * (width + GAP_PX) + 2, TITLE_PX - 6)
        cv2.putText(sheet, TITLES[place], title_at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)
        for (column, line), found in cells.items():
            left, top = place * (width + GAP_PX) + column * CELL_PX, TITLE_PX + (UPWARDS - 1 - line) * CELL_PX
            sheet[top : top + CELL_PX, left : left + CELL_PX] = _cell(found, pictures)
        _fill_empty(sheet, place * (width + GAP_PX), set(cells))
    return sheet


def shown(rows: Sequence[FaceRow]) -> list[str]:
    """Names of the pictures that `coverage_sheet` shows."""
    return sorted({found[0] for cells in _cells(rows) for found in cells.values() if found[0]})


def reach(rows: Sequence[FaceRow]) -> dict[str, tuple[float, float]]:
    """The 2nd and 98th percentile of each measure over the kept faces of which it is known."""
    found = {}
    for name in UNITS:
        values = np.array([getattr(row, name) for row in rows if row.kept], dtype=np.float64)
        values = values[np.isfinite(values)]
        if len(values):
            low, high = np.percentile(values, [2, 98])
            found[name] = (round(float(low), 3), round(float(high), 3))
    return found


def _apart(points: Floats, order: Sequence[int], apart: float, fixed: int) -> list[int]:
    if apart <= 0:
        return list(order)
    taken = np.empty((len(order), points.shape[1]), dtype=np.float32)
    kept: list[int] = []
    for number in order:
        near = ((taken[: len(kept)] - points[number]) ** 2).sum(axis=1)
        if number < fixed or not kept or float(near.min()) >= apart * apart:
            taken[len(kept)] = points[number]
            kept.append(number)
    return kept


def _farthest(points: Floats, kept: Sequence[int], most: int, fixed: int) -> list[int]:
    chosen = [number for number in kept if number < fixed]
    places = points[list(kept)]
    if not chosen:
        chosen = [kept[int(np.argmin(((places - np.median(places, axis=0)) ** 2).sum(axis=1)))]]
    far = np.min([((places - points[number]) ** 2).sum(axis=1) for number in chosen], axis=0)
    while len(chosen) < most:
        number = kept[int(np.argmax(far))]
        chosen.append(number)
        far = np.minimum(far, ((places - points[number]) ** 2).sum(axis=1))
    return chosen


_Cells = dict[tuple[int, int], tuple[str, int]]


def _cells(rows: Sequence[FaceRow]) -> list[_Cells]:
    """For each map, by column and line: the name of the face to show (empty where all were dropped), how many."""
    maps = []
    for across, left, right, upwards, low, high in MAPS:
        best: dict[tuple[int, int], tuple[float, str]] = {}
        counts: dict[tuple[int, int], int] = {}
        for row in rows:
            x = (getattr(row, across) - left) / (right - left) * ACROSS
            y = (getattr(row, upwards) - low) / (high - low) * UPWARDS
            if not np.isfinite(x + y):
                continue
            cell = int(np.clip(x, 0, ACROSS - 1)), int(np.clip(y, 0, UPWARDS - 1))
            counts[cell] = counts.get(cell, 0) + row.kept
            off = abs(x - cell[0] - 0.5) + abs(y - cell[1] - 0.5)
            if row.kept:
                best[cell] = min(best.get(cell, (np.inf, "")), (off, row.name))
        maps.append({cell: (best.get(cell, (0.0, ""))[1], count) for cell, count in counts.items()})
    return maps


def _cell(found: tuple[str, int], pictures: dict[str, Rgb]) -> Rgb:
    name, count = found
    cell = np.empty((CELL_PX, CELL_PX, 3), dtype=np.uint8)
    cell[:] = BARE
    if name in pictures:
        edge = round(pictures[name].shape[0] * (1 - VIEW_SHARE) / 2)
        view = np.ascontiguousarray(pictures[name][edge:-edge, edge:-edge])
        cell[1:-1, 1:-1] = resize(view, (CELL_PX - 2, CELL_PX - 2))
        bar = round((CELL_PX - 4) * min(1.0, np.log2(count + 1) / 6))
        cell[-6:-2, 2 : 2 + bar] = (255, 220, 0)
    return cell


def _fill_empty(sheet: Rgb, left: int, filled: set[tuple[int, int]]) -> None:
    for column in range(ACROSS):
        for line in range(UPWARDS):
            if (column, line) not in filled:
                top = TITLE_PX + (UPWARDS - 1 - line) * CELL_PX
                x = left + column * CELL_PX
                sheet[top + 1 : top + CELL_PX - 1, x + 1 : x + CELL_PX - 1] = EMPTY
