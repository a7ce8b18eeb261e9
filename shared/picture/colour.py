"""CIE Lab and the transfer of a face's colour by mean and spread.

Pictures are (H, W, 3) float32 sRGB in [0, 1]; Lab is float32 with L in [0, 100], under the white point D65.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.types import Floats

XYZ_FROM_RGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]],
    dtype=np.float64,
)
"""IEC 61966-2-1 (sRGB)."""
WHITE_D65 = XYZ_FROM_RGB.sum(axis=1)
"""So that RGB white is exactly L = 100, a = b = 0."""
SHARE_FROM_LINEAR = XYZ_FROM_RGB / WHITE_D65[:, np.newaxis]
LINEAR_FROM_SHARE = np.linalg.inv(XYZ_FROM_RGB) * WHITE_D65[np.newaxis, :]
LAB_FROM_CURVE = np.array([[0.0, 116.0, 0.0, -16.0], [500.0, -500.0, 0.0, 0.0], [0.0, 200.0, -200.0, 0.0]])
CURVE_FROM_LAB = np.array(
    [[1 / 116, 1 / 500, 0.0, 16 / 116], [1 / 116, 0.0, 0.0, 16 / 116], [1 / 116, 0.0, -1 / 200, 16 / 116]]
)
"""Matrices (3, 3), or (3, 4) with a last column that is added."""
CBRT_ABOVE = (6 / 29) ** 3
"""CIE 15:2004: below this share of white the cube root gives way to a straight line."""
LINE_SLOPE, LINE_START = (29 / 6) ** 2 / 3, 4 / 29


@dataclass(frozen=True, slots=True)
class LabStatistics:
    """Mean and standard deviation of L, a, b over the pixels of a mask."""

    mean: NDArray[np.float32]
    """(3,) float32."""
    std: NDArray[np.float32]
    """(3,) float32, >= 0."""


def lab_from_rgb(rgb: Floats) -> Floats:
    """CIE Lab of sRGB, float32, any shape that ends in 3."""
    encoded = np.clip(rgb, 0.0, 1.0).astype(np.float32, copy=False)
    linear = encoded + np.float32(0.055)
    linear /= np.float32(1.055)
    linear = _power(linear, 2.4)
    dark = encoded <= 0.04045
    linear[dark] = encoded[dark] / np.float32(12.92)
    share = _mixed(linear, SHARE_FROM_LINEAR)
    curve = _power(share, 1 / 3)
    dark = share <= CBRT_ABOVE
    curve[dark] = share[dark] * np.float32(LINE_SLOPE) + np.float32(LINE_START)
    return _mixed(curve, LAB_FROM_CURVE)


def rgb_from_lab(lab: Floats) -> Floats:
    """The sRGB colours of CIE Lab, cut off to [0, 1]; the inverse of `lab_from_rgb` on colours that sRGB can show."""
    curve = _mixed(lab.astype(np.float32, copy=False), CURVE_FROM_LAB)
    share = curve * curve * curve
    line = (curve - np.float32(LINE_START)) / np.float32(LINE_SLOPE)
    np.copyto(share, line, where=curve <= 6 / 29)
    linear = np.clip(_mixed(share, LINEAR_FROM_SHARE), 0.0, 1.0)
    encoded = np.float32(1.055) * _power(linear, 1 / 2.4) - np.float32(0.055)
    np.copyto(encoded, linear * np.float32(12.92), where=linear <= 0.0031308)
    return np.clip(encoded, 0.0, 1.0, out=encoded)


def lab_statistics(picture: Floats, mask: Floats) -> LabStatistics:
    """Mean and spread of a picture in Lab, each pixel weighted by the mask.

    Parameters
    ----------
    picture : (H, W, 3) float32 sRGB.
    mask : (H, W) float32 in [0, 1], with at least one pixel above 0.
    """
    weight = mask.astype(np.float64).ravel()
    total = float(weight.sum())
    if mask.shape != picture.shape[:2] or total <= 0:
        raise ValueError(f"expected a mask of {picture.shape[:2]} with something in it, got {mask.shape}, sum {total}")
    inside = weight > 0
    lab = lab_from_rgb(picture.reshape(-1, 3)[inside]).astype(np.float64)
    share = weight[inside, np.newaxis] / total
    mean = np.sum(lab * share, axis=0)
    variance = np.sum((lab - mean) ** 2 * share, axis=0)
    return LabStatistics(mean.astype(np.float32), np.sqrt(variance).astype(np.float32))


def delta_e(first: Floats, second: Floats) -> Floats:
    """CIE76 colour difference of two Lab arrays that end in 3; about 2.3 is just noticeable."""
    return cast(Floats, np.sqrt(np.sum((first - second) ** 2, axis=-1)).astype(np.float32))


def _power(values: Floats, exponent: float) -> Floats:
    """A power of numbers >= 0."""
    return np.asarray(cv2.pow(values.reshape(-1, 1), exponent), dtype=np.float32).reshape(values.shape)


def _mixed(values: Floats, matrix: NDArray[np.float64]) -> Floats:
    """Every (3,) of an array multiplied by a matrix; OpenCV does so several times as fast as numpy."""
    flat = np.ascontiguousarray(values).reshape(-1, 1, 3)
    return np.asarray(cv2.transform(flat, matrix), dtype=np.float32).reshape(values.shape)
