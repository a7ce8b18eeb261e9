"""Picture files and sheets of pictures; BGR exists only on the lines that call OpenCV."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.errors import MediaError, from_os_error
from shared.picture.warp import resize
from shared.types import Picture

Rgb = NDArray[np.uint8]


def encode_png(picture: Picture, effort: int = 3) -> bytes:
    """A grey (H, W), RGB (H, W, 3) or RGBA (H, W, 4) picture, uint8 or uint16, as PNG; `effort` 0 (fast) to 9 (small).

    Alpha is straight: colours are not multiplied by it.
    """
    channels = picture.shape[2:]
    if picture.dtype not in (np.uint8, np.uint16) or picture.ndim < 2 or channels not in ((), (3,), (4,)):
        raise ValueError(f"expected (H, W[, 3 or 4]) uint8 or uint16, got {picture.shape} {picture.dtype}")
    bgr = picture if not channels else picture[..., [2, 1, 0, *range(3, channels[0])]]
    done, encoded = cv2.imencode(".png", np.ascontiguousarray(bgr), [cv2.IMWRITE_PNG_COMPRESSION, effort])
    if not done:
        raise ValueError(f"a picture of shape {picture.shape} could not be coded as PNG")
    return bytes(encoded)


def decode_image(encoded: bytes) -> Rgb:
    """A PNG, JPEG, WebP or other still picture as (H, W, 3) RGB uint8, turned upright by its own tag.

    Raises
    ------
    ValueError
        If the bytes are no picture.
    """
    bgr = None
    if encoded:
        try:
            bgr = cv2.imdecode(np.frombuffer(encoded, dtype=np.uint8), cv2.IMREAD_COLOR)
        except cv2.error as error:
            raise ValueError("these bytes are a damaged picture or one that is too large") from error
    if bgr is None:
        raise ValueError("these bytes are no picture in a known format")
    return cast(Rgb, np.ascontiguousarray(np.asarray(bgr)[..., ::-1], dtype=np.uint8))


def read_image(path: Path) -> Rgb:
    """A picture file as (H, W, 3) RGB uint8.

    Raises
    ------
    MediaError
        If there is no such file or it is not a picture.
    """
    try:
        encoded = path.read_bytes()
    except OSError as error:
        raise from_os_error(error, path, "reading a picture") from error
    try:
        return decode_image(encoded)
    except ValueError as error:
        raise MediaError(f"{path}: not a readable picture; give a PNG, JPEG or WebP file") from error


def write_png(path: Path, rgb: Picture) -> None:
    """Write a picture as PNG under a temporary name beside `path`, then rename it.

    Raises
    ------
    MediaError, NoSpaceError
        If the file cannot be written.
    """
    encoded = encode_png(rgb)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(encoded)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise from_os_error(error, path, "writing a picture") from error


def contact_sheet(pictures: Sequence[Rgb], columns: int, cell: tuple[int, int], gap_px: int = 2) -> Rgb:
    """Pictures side by side in rows, each scaled into a (height, width) cell with its shape kept, on dark grey.

    Parameters
    ----------
    pictures : (H, W, 3) uint8 each, in reading order; none gives one empty cell.
    columns : cells in a row, at least 1.
    gap_px : empty pixels between the cells.
    """
    if columns < 1 or min(cell) < 1:
        raise ValueError(f"expected at least one column and a cell of at least 1x1, got {columns} and {cell}")
    used = max(1, min(columns, len(pictures)))
    rows = max(1, -(-len(pictures) // used))
    sheet = np.full((rows * (cell[0] + gap_px) - gap_px, used * (cell[1] + gap_px) - gap_px, 3), 32, dtype=np.uint8)
    for number, picture in enumerate(pictures):
        fit = min(cell[0] / picture.shape[0], cell[1] / picture.shape[1])
        height, width = max(1, round(picture.shape[0] * fit)), max(1, round(picture.shape[1] * fit))
        top = (number // used) * (cell[0] + gap_px) + (cell[0] - height) // 2
        left = (number % used) * (cell[1] + gap_px) + (cell[1] - width) // 2
        sheet[top : top + height, left : left + width] = resize(picture, (height, width))
    return sheet
