"""Regions of a picture: connected parts that are large enough, closed and grown. Masks are (H, W) bool."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Region = NDArray[np.bool_]


def joined(weak: Region, strong: Region, least_px: int) -> Region:
    """The connected parts (8 neighbours) of `weak` that hold at least `least_px` pixels, and one, of `strong`."""
    if weak.shape != strong.shape or weak.ndim != 2:
        raise ValueError(f"expected two (H, W) regions of one size, got {weak.shape} and {strong.shape}")
    count, labels = cv2.connectedComponents(weak.astype(np.uint8), connectivity=8)
    sure = np.bincount(np.asarray(labels)[weak & strong], minlength=count) >= max(1, least_px)
    sure[0] = False
    return np.asarray(sure[labels], dtype=np.bool_)


def parts(region: Region) -> list[Region]:
    """The connected parts (8 neighbours) of a region."""
    count, labels = cv2.connectedComponents(region.astype(np.uint8), connectivity=8)
    return [np.asarray(labels == number, dtype=np.bool_) for number in range(1, count)]


def grown(region: Region, close_px: int, grow_px: int) -> Region:
    """A region whose gaps up to twice `close_px` wide are closed, then grown by `grow_px` on all sides."""
    room = close_px + grow_px + 1
    padded = cv2.copyMakeBorder(region.astype(np.uint8), room, room, room, room, cv2.BORDER_CONSTANT, value=(0,))
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, _disc(close_px))
    large = np.asarray(cv2.dilate(closed, _disc(grow_px)))
    return np.asarray(large[room:-room, room:-room] > 0, dtype=np.bool_)


def _disc(radius_px: int) -> NDArray[np.uint8]:
    size = 2 * radius_px + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), dtype=np.uint8)
