"""Laying one picture over another: plain alpha, and in frequency bands."""

from __future__ import annotations

import cv2
import numpy as np

from shared.picture.warp import spread
from shared.types import Floats


def alpha_blend(front: Floats, back: Floats, mask: Floats) -> Floats:
    """`front` where the mask is 1, `back` where it is 0, both unchanged there, and a straight mix between.

    Parameters
    ----------
    front, back : (H, W, C) float32.
    mask : (H, W) float32 in [0, 1].
    """
    _check(front, back, mask)
    # numpy spreads a last axis of one very slowly. Two products, not back + w (front - back): this form gives both ends
    # back to the last bit.
    weight = spread(mask, front.shape[2])
    mixed = front * weight
    np.subtract(1.0, weight, out=weight)
    weight *= back
    mixed += weight
    return mixed


def pyramid_blend(front: Floats, back: Floats, mask: Floats, levels: int = 4) -> Floats:
    """Blend each band of detail over a transition as wide as its own wavelength.

    Burt and Adelson, "A multiresolution spline with application to image mosaics", ACM ToG 2(4), 1983. The coarse
    bands spread past the mask by about 2^levels pixels, so lay the result over the frame with a mask that covers
    that much more, or with the plain mask where the frame must stay untouched outside it.

    Parameters
    ----------
    front, back : (H, W, C) float32 of any size.
    mask : (H, W) float32 in [0, 1].
    levels : bands above the coarsest; fewer are used where the picture becomes smaller than 4 px.

    Returns
    -------
    (H, W, C) float32; may leave [0, 1] by a little where the inputs have strong edges.
    """
    _check(front, back, mask)
    if levels < 0:
        raise ValueError(f"levels must not be negative, got {levels}")
    bands: list[Floats] = []
    for _ in range(levels):
        if min(mask.shape) < 8:
            break
        small_front, small_back, small_mask = _down(front), _down(back), _down(mask)
        size = mask.shape
        bands.append(alpha_blend(front - _up(small_front, size), back - _up(small_back, size), mask))
        front, back, mask = small_front, small_back, small_mask
    blended = alpha_blend(front, back, mask)
    for band in reversed(bands):
        blended = _up(blended, band.shape[:2]) + band
    return blended


def _down(picture: Floats) -> Floats:
    small = np.asarray(cv2.pyrDown(picture), dtype=np.float32)
    return small.reshape(small.shape[:2] + picture.shape[2:])


def _up(picture: Floats, size: tuple[int, ...]) -> Floats:
    large = np.asarray(cv2.pyrUp(picture, dstsize=(size[1], size[0])), dtype=np.float32)
    return large.reshape(large.shape[:2] + picture.shape[2:])


def _check(front: Floats, back: Floats, mask: Floats) -> None:
    if front.ndim != 3 or front.shape != back.shape or mask.shape != front.shape[:2]:
        raise ValueError(
            f"expected two (H, W, C) pictures and an (H, W) mask of one size, "
            f"got {front.shape}, {back.shape} and {mask.shape}"
        )
