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
MARGIN_PX: Final = 40
SIZE_PX: Final = (360, 640)
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


def curve(log: Sequence[JsonObject]) -> Rgb:
    """Loss (thin) and held-out PSNR (thick) of both people over the steps, with the mean face's PSNR dashed."""
    height, width = SIZE_PX
    canvas = np.full((height, width, 3), 255, dtype=np.uint8)
    cv2.rectangle(canvas, (MARGIN_PX, 20), (width - MARGIN_PX, height - MARGIN_PX), GREY, 1)
    if log:
        steps = np.array([line["step"] for line in log], dtype=np.float64)
        _draw(canvas, steps, [[line[f"loss_{p}"] for line in log] for p in "ab"], 1, "loss", left=True)
        psnr = [[line[f"psnr_{p}_db"] for line in log] for p in "ab"]
        floor = [log[-1][f"mean_face_{p}_db"] for p in "ab"]
        _draw(canvas, steps, psnr, 2, "PSNR dB", left=False, levels=floor)
        _write(canvas, f"{steps[-1]:.0f} steps", (width // 2 - 40, height - 12), GREY)
    _write(canvas, "A", (MARGIN_PX + 6, 14), COLOURS[0])
    _write(canvas, "B", (MARGIN_PX + 26, 14), COLOURS[1])
    return canvas


def _draw(
    canvas: Rgb,
    steps: NDArray[np.float64],
    values: Sequence[Sequence[float]],
    thickness: int,
    name: str,
    *,
    left: bool,
    levels: Sequence[float] = (),
) -> None:
    """Draw one curve a person on a scale of its own, with the scale's ends written on one side."""
    height, width = SIZE_PX
    every = [value for line in values for value in line] + list(levels)
    low, high = min(every), max(every)
    room = max(high - low, 1e-6)
    x = MARGIN_PX + steps / max(steps[-1], 1) * (width - 2 * MARGIN_PX)

    def y_of(value: float) -> float:
        return height - MARGIN_PX - 8 - (value - low) / room * (height - MARGIN_PX - 36)

    for line, colour in zip(values, COLOURS, strict=True):
        points = np.stack([x, [y_of(value) for value in line]], axis=1)
        fixed = np.rint(points * 16).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(canvas, [fixed], False, colour, thickness, cv2.LINE_AA, shift=4)
    for level, colour in zip(levels, COLOURS, strict=False):
        for start in range(MARGIN_PX, width - MARGIN_PX, 12):
            cv2.line(canvas, (start, round(y_of(level))), (start + 5, round(y_of(level))), colour, 1)
    edge = 2 if left else width - MARGIN_PX + 2
    digits = 3 if left else 1
    _write(canvas, f"{high:.{digits}f}", (edge, 30), GREY)
    _write(canvas, f"{low:.{digits}f}", (edge, height - MARGIN_PX), GREY)
    _write(canvas, name, (edge if left else edge - 30, 14), GREY)


def _write(canvas: Rgb, text: str, place: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, colour, 1, cv2.LINE_AA)
