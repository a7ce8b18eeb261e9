"""The picture of a pair check: both sets' poses, expressions and lights over each other, their shapes, the scores."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from faceswap.cover import MAPS
from faceswap.overlap import PairCheck
from shared.picture.image import Rgb
from shared.types import Floats

PANEL_PX, GAP_PX, TOP_PX = 260, 16, 24
COLOURS: Final = ((214, 96, 77), (67, 120, 180))
INK, PAPER, LINE = (60, 60, 60), 250, (200, 200, 200)
PANELS: Final = ("pose: yaw across, pitch up", "expression: mouth across, eyes up", "light: lightness across, side up")
CONTOURS: Final = ((0, 17), (17, 22), (22, 27), (27, 31), (31, 36), (36, 42), (42, 48), (48, 60))


def pair_sheet(check: PairCheck) -> Rgb:
    """Draw a pair check: the first set red, the second blue."""
    width = 4 * (PANEL_PX + GAP_PX) + GAP_PX
    sheet = np.full((PANEL_PX + 3 * TOP_PX + 22 * len(check.scores), width, 3), PAPER, dtype=np.uint8)
    for place, (across, left, right, upwards, low, high) in enumerate(MAPS):
        corner = (GAP_PX + place * (PANEL_PX + GAP_PX), TOP_PX)
        _frame(sheet, corner, PANELS[place])
        for number in (1, 0):
            measures = check.sides[number].measures
            x = (measures[across] - left) / (right - left)
            y = (measures[upwards] - low) / (high - low)
            _dots(sheet, corner, np.stack([x, 1 - y], axis=1), COLOURS[number])
    corner = (GAP_PX + 3 * (PANEL_PX + GAP_PX), TOP_PX)
    _frame(sheet, corner, "shape of the face")
    for number in (1, 0):
        _outline(sheet, corner, check.sides[number].shape, COLOURS[number])
    _scores(sheet, check)
    return sheet


def _frame(sheet: Rgb, corner: tuple[int, int], title: str) -> None:
    cv2.rectangle(sheet, corner, (corner[0] + PANEL_PX, corner[1] + PANEL_PX), LINE, 1)
    _write(sheet, title, (corner[0], corner[1] - 7), INK)


def _dots(sheet: Rgb, corner: tuple[int, int], places: Floats, colour: tuple[int, int, int]) -> None:
    layer = sheet.copy()
    for x, y in np.clip(places, 0.01, 0.99) * PANEL_PX + corner:
        cv2.circle(layer, (int(x), int(y)), 3, colour, -1, cv2.LINE_AA)
    cv2.addWeighted(layer, 0.6, sheet, 0.4, 0, dst=sheet)


def _outline(sheet: Rgb, corner: tuple[int, int], shape: Floats, colour: tuple[int, int, int]) -> None:
    points = np.rint((shape * 0.42 + (0.5, 0.34)) * PANEL_PX + corner).astype(np.int32)
    for first, end in CONTOURS:
        closed = first in (36, 42, 48)
        cv2.polylines(sheet, [points[first:end]], closed, colour, 1, cv2.LINE_AA)


def _scores(sheet: Rgb, check: PairCheck) -> None:
    top = TOP_PX + PANEL_PX + 20
    names = [side.name for side in check.sides]
    for number, name in enumerate(names):
        _write(
            sheet,
            f"{name}: {check.sides[number].count} faces compared",
            (GAP_PX + number * 320, top),
            COLOURS[number],
        )
    for line, (kind, both) in enumerate(check.scores.items()):
        y = top + 22 * (line + 1)
        _write(sheet, kind, (GAP_PX, y), INK)
        for number in (0, 1):
            left = GAP_PX + 100 + number * 430
            cv2.rectangle(sheet, (left, y - 10), (left + round(180 * both[number]), y), COLOURS[1 - number], -1)
            cv2.rectangle(sheet, (left, y - 10), (left + 180, y), LINE, 1)
            told = f"{both[number]:.0%} of {names[number]} in {names[1 - number]}"
            _write(sheet, told, (left + 190, y), INK)


def _write(sheet: Rgb, text: str, place: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(sheet, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
