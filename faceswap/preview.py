"""What a training shows: a sheet of faces as they are, rebuilt and swapped, and the curves of its log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.picture.warp import to_uint8
from shared.types import Floats, JsonObject

Rgb = NDArray[np.uint8]
MARGIN_PX: Final = 44
TOP_PX: Final = 20
STRIP_PX: Final = 20
SIZE_PX: Final = (480, 800)
COLOURS: Final = ((214, 96, 77), (67, 120, 180))
GREY: Final = (120, 120, 120)


def sheet(faces: Floats, rebuilt: Floats, swapped: Floats, columns: int = 2) -> Rgb:
    """Triplets source | rebuilt | swapped, `columns` of them in a row.

    Parameters
    ----------
    faces, rebuilt, swapped : (N, S, S, 3) float32 RGB in [0, 1].
    """
    if not faces.shape == rebuilt.shape == swapped.shape or len(faces) == 0:
        raise ValueError(f"expected three equal stacks, got {faces.shape}, {rebuilt.shape}, {swapped.shape}")
    side = faces.shape[1]
    gap = max(2, side // 16)
    rows = -(-len(faces) // columns)
    canvas = np.full((rows * (side + gap) - gap, columns * (3 * side + gap) - gap, 3), 32, dtype=np.uint8)
    for number, three in enumerate(zip(faces, rebuilt, swapped, strict=True)):
        top, left = number // columns * (side + gap), number % columns * (3 * side + gap)
        canvas[top : top + side, left : left + 3 * side] = to_uint8(np.concatenate(three, axis=1))
    return canvas


def labelled(picture: Rgb, text: str) -> Rgb:
    """The picture over a strip with a line of text."""
    strip = np.full((STRIP_PX, picture.shape[1], 3), 32, dtype=np.uint8)
    _write(strip, text, (4, STRIP_PX - 6), (220, 220, 220))
    return np.concatenate([picture, strip])


def curve(log: Sequence[JsonObject]) -> Rgb:
    """Loss, held-out PSNR and SSIM of both people, and whom their swapped faces resemble, over the steps.

    The mean face's PSNR is dashed. Of the likenesses the thick line is to the person that should be seen, the thin one
    to the person that should not.
    """
    height, width = SIZE_PX
    canvas = np.full((height, width, 3), 255, dtype=np.uint8)
    cells = [canvas[y : y + height // 2, x : x + width // 2] for y in (0, height // 2) for x in (0, width // 2)]
    _panel(cells[0], "loss", log, [("loss_{}", 2)])
    _panel(cells[1], "held-out PSNR, dB", log, [("psnr_{}_db", 2)], "mean_face_{}_db")
    _panel(cells[2], "held-out SSIM", log, [("ssim_{}", 2)])
    _panel(cells[3], "likeness of swapped", log, [("identity_to_source_{}", 2), ("identity_to_target_{}", 1)])
    _write(canvas, f"{log[-1]['step'] if log else 0} steps", (width // 2 - 40, height - 6), GREY)
    for name, colour, x in (("A", COLOURS[0], 6), ("B", COLOURS[1], 20)):
        _write(canvas, name, (x, height - 6), colour)
    return canvas


def _panel(cell: Rgb, title: str, log: Sequence[JsonObject], lines: Sequence[tuple[str, int]], level: str = "") -> None:
    """Draw some figures of both people in a cell of the picture, on a scale of their own.

    Parameters
    ----------
    lines : name of each figure with {} for the person, and the thickness of its line.
    level : name of a figure whose last value is drawn as a dashed line.
    """
    height, width = cell.shape[:2]
    cv2.rectangle(cell, (MARGIN_PX, TOP_PX), (width - 8, height - MARGIN_PX // 2), GREY, 1)
    _write(cell, title, (MARGIN_PX, TOP_PX - 6), GREY)
    kept = [line for line in log if all(_is_there(line, name.format(p)) for name, _ in lines for p in "ab")]
    if not kept:
        return
    steps = np.array([line["step"] for line in kept], dtype=np.float64)
    x = MARGIN_PX + steps / max(float(log[-1]["step"]), 1) * (width - 8 - MARGIN_PX)
    curves = [
        (np.array([line[name.format(p)] for line in kept], dtype=np.float64), colour, thickness)
        for name, thickness in lines
        for p, colour in zip("ab", COLOURS, strict=True)
    ]
    levels = [float(kept[-1][level.format(p)]) for p in "ab"] if level else []
    every = np.concatenate([*(values for values, _, _ in curves), levels])
    low, high = float(every.min()), float(every.max())
    room = height - MARGIN_PX // 2 - TOP_PX - 12

    def rows(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(height - MARGIN_PX // 2 - 6 - (values - low) / max(high - low, 1e-6) * room)

    for values, colour, thickness in curves:
        fixed = np.rint(np.stack([x, rows(values)], axis=1) * 16).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(cell, [fixed], False, colour, thickness, cv2.LINE_AA, shift=4)
    for y, colour in zip(rows(np.array(levels)), COLOURS, strict=False):
        for start in range(MARGIN_PX, width - 8, 12):
            cv2.line(cell, (start, round(y)), (start + 5, round(y)), colour, 1)
    digits = 1 if high - low > 2 else 3
    _write(cell, f"{high:.{digits}f}", (2, TOP_PX + 12), GREY)
    _write(cell, f"{low:.{digits}f}", (2, height - MARGIN_PX // 2), GREY)


def _is_there(line: JsonObject, name: str) -> bool:
    return isinstance(line.get(name), int | float) and bool(np.isfinite(line[name]))


def _write(canvas: Rgb, text: str, place: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, colour, 1, cv2.LINE_AA)
