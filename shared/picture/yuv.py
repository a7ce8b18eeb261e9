"""Sample values of native planes to RGB and back, and where chroma samples sit.

Matrices are of ITU-T H.273 (KR, KB of BT.601, BT.709, BT.2020 non-constant luminance); limited range is black 16,
white 235, chroma 16-240, shifted up by ``depth - 8`` bits.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shared.types import ColourSpec, Matrix, PixelFormat

LUMA_WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593), "rgb": (0.2126, 0.0722)}
"""KR and KB of each matrix; what RGB planes are weighed with where one grey picture is wanted."""


@lru_cache(maxsize=64)
def samples_from_rgb(colour: ColourSpec, pixels: PixelFormat) -> NDArray[np.float64]:
    """The affine map from RGB to the sample values of the planes.

    Returns
    -------
    (P, 4) float64, P the number of planes: ``samples = m[:, :3] @ rgb + m[:, 3]`` with rgb in [0, 1]. Of a ``gray``
    format only the luma row; of ``rgb`` the planes in their own order G, B, R.
    """
    top = float((1 << pixels.depth) - 1)
    if pixels.kind == "rgb":
        return np.array([[0, top, 0, 0], [0, 0, top, 0], [top, 0, 0, 0]], dtype=np.float64)
    red, blue = LUMA_WEIGHTS[colour.matrix]
    luma = np.array([red, 1.0 - red - blue, blue])
    unit = float(1 << (pixels.depth - 8))
    black, span, chroma_span = (0.0, top, top) if colour.full_range else (16 * unit, 219 * unit, 224 * unit)
    middle = float(1 << (pixels.depth - 1))
    rows = [np.append(luma * span, black)]
    if pixels.kind == "yuv":
        rows.append(np.append((np.array([0.0, 0.0, 1.0]) - luma) * (0.5 * chroma_span / (1.0 - blue)), middle))
        rows.append(np.append((np.array([1.0, 0.0, 0.0]) - luma) * (0.5 * chroma_span / (1.0 - red)), middle))
    return np.array(rows, dtype=np.float64)


@lru_cache(maxsize=64)
def rgb_from_samples(colour: ColourSpec, pixels: PixelFormat) -> NDArray[np.float64]:
    """The affine map from three sample values to RGB pixels: uint8 where the depth is 8, else 16-bit full range.

    Returns
    -------
    (3, 4) float64 for samples in plane order; a ``gray`` format wants its luma repeated three times.
    """
    top = 255.0 if pixels.depth == 8 else 65535.0
    forward = samples_from_rgb(colour, pixels)
    if pixels.kind == "gray":
        # Grey: R = G = B = (Y - black) / span; the luma row sums to the span.
        span = float(forward[0, :3].sum())
        return np.hstack([np.eye(3) * (top / span), np.full((3, 1), -forward[0, 3] * top / span)])
    inverse = np.linalg.inv(forward[:, :3])
    return np.hstack([inverse, -inverse @ forward[:, 3:]]) * top


def black_sample(colour: ColourSpec, pixels: PixelFormat, plane: int) -> float:
    """The sample value of black in plane number `plane`."""
    return float(samples_from_rgb(colour, pixels)[plane, 3])


def is_left_sited(colour: ColourSpec) -> bool:
    """Whether chroma samples share their column with a luma sample (MPEG-2 and later) or lie between (JPEG, MPEG-1).

    Frames do not tell in all codecs; JPEG's own colour (BT.601, full range) marks the centred kind.
    """
    return not (colour.full_range and colour.matrix == "bt601")


def chroma_from_luma(colour: ColourSpec, pixels: PixelFormat) -> Matrix:
    """(3, 3) map from luma pixel coordinates to coordinates on the chroma plane's own grid."""
    down, across = pixels.chroma_shift
    step_x, step_y = float(1 << across), float(1 << down)
    first_x = 0.0 if is_left_sited(colour) else (step_x - 1.0) / 2.0
    first_y = (step_y - 1.0) / 2.0
    return np.array(
        [[1 / step_x, 0, -first_x / step_x], [0, 1 / step_y, -first_y / step_y], [0, 0, 1]], dtype=np.float64
    )
