"""How close, how sharp and how well laid in a picture is: measures that need no trained weights.

Pictures are grey (H, W) or RGB (H, W, 3), uint8, uint16 or float32 in [0, 1], and are compared as floats; masks are
(H, W) float32. Ratios are made / real: 1 is perfect, and each should be printed beside the real footage's own row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from shared.picture.colour import delta_e, lab_from_rgb
from shared.picture.mask import erode
from shared.picture.warp import gaussian, grey_of, laplacian, to_float
from shared.types import Floats, Plane

AnyPicture: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16] | Floats

SSIM_SIGMA_PX, SSIM_RADIUS_PX = 1.5, 5
"""An 11x11 Gaussian window (Wang et al., "Image quality assessment", IEEE TIP 13(4), 2004, section III.B)."""
SSIM_K1, SSIM_K2 = 0.01, 0.03
SEAM_SIGMA_PX = 4.0
SECTORS = 12
"""The seam is judged in this many directions, so that errors of opposite sign do not cancel."""


def psnr(made: AnyPicture, real: AnyPicture, mask: Floats | None = None) -> float:
    """Peak signal to noise ratio in dB over all samples, or over those where the mask exceeds 0.5; inf where equal."""
    first, second = _pair(made, real)
    error = (first - second).astype(np.float64) ** 2
    mean = float(error.mean() if mask is None else error[_inside(mask, first)].mean())
    return float("inf") if mean == 0 else -10.0 * float(np.log10(mean))


def ssim(made: AnyPicture, real: AnyPicture, mask: Floats | None = None) -> float:
    """Mean structural similarity of the luma (Wang et al. 2004), over windows that lie inside the picture.

    Parameters
    ----------
    mask : where given, only windows whose centre it covers (> 0.5) are averaged.
    """
    first, second = (_grey(picture).astype(np.float64) for picture in _pair(made, real))
    if min(first.shape) <= 2 * SSIM_RADIUS_PX:
        raise ValueError(f"SSIM needs pictures of more than {2 * SSIM_RADIUS_PX} px, got {first.shape}")
    mean_a, mean_b = _window(first), _window(second)
    var_a = _window(first * first) - mean_a**2
    var_b = _window(second * second) - mean_b**2
    both = _window(first * second) - mean_a * mean_b
    c1, c2 = SSIM_K1**2, SSIM_K2**2
    scores = (2 * mean_a * mean_b + c1) * (2 * both + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    whole = (slice(SSIM_RADIUS_PX, -SSIM_RADIUS_PX),) * 2
    return float(scores[whole].mean() if mask is None else scores[whole][_inside(mask, first)[whole]].mean())


def largest_difference_outside(
    made: Sequence[Plane], real: Sequence[Plane], changed: Sequence[NDArray[np.bool_]]
) -> int:
    """The largest sample difference between two frames' planes outside the parts that were meant to change."""
    worst = 0
    for one, other, inside in zip(made, real, changed, strict=True):
        if one.shape != other.shape or inside.shape != one.shape:
            raise ValueError(f"planes of {one.shape}, {other.shape} and a support of {inside.shape} do not match")
        apart = np.abs(one.astype(np.int32) - other.astype(np.int32))[~inside]
        worst = max(worst, int(apart.max(initial=0)))
    return worst


def sharpness_ratio(made: AnyPicture, real: AnyPicture, mask: Floats | None = None) -> float:
    """Variance of the luma's Laplacian, made / real; inside the mask, two pixels off its edge, where one is given."""
    return _sharpness(made, mask) / max(_sharpness(real, mask), 1e-12)


def spectrum_ratio_db(made: AnyPicture, real: AnyPicture) -> Floats:
    """Power of the luma's spectrum in octaves, made / real in dB, finest octave first.

    The first is 1/4 to 1/2 cycles a pixel, and each next one half of that, down to 4 cycles in the shorter side.
    Noise must not count as detail: an octave should lie within 2 dB of the real one.
    """
    first, second = (_power_spectrum(_grey(picture)) for picture in _pair(made, real))
    height, width = first.shape
    radius = np.hypot(np.fft.fftfreq(height)[:, np.newaxis], np.fft.fftfreq(width)[np.newaxis, :])
    octaves: list[float] = []
    top = 0.5
    while not octaves or top / 2 >= 4 / min(height, width):
        ring = (radius > top / 2) & (radius <= top)
        octaves.append(10.0 * float(np.log10((first[ring].sum() + 1e-12) / (second[ring].sum() + 1e-12))))
        top /= 2
    return np.array(octaves, dtype=np.float32)


def flicker(pictures: Iterable[AnyPicture], mask: Floats | None = None) -> float:
    """Mean of |I_t - (I_(t-1) + I_(t+1)) / 2| over the inner frames of a shot, in [0, 1] units.

    Parameters
    ----------
    pictures : frames of one size, at least three; read once, three held at a time.
    """
    window: list[Floats] = []
    total, count = 0.0, 0
    for picture in pictures:
        window = [*window[-2:], _floats(picture)]
        if len(window) == 3:
            apart = np.abs(window[1] - (window[0] + window[2]) / 2)
            total += float(apart.mean() if mask is None else apart[_inside(mask, apart)].mean())
            count += 1
    if count == 0:
        raise ValueError("flicker needs at least three frames")
    return total / count


def flicker_ratio(made: Iterable[AnyPicture], real: Iterable[AnyPicture], mask: Floats | None = None) -> float:
    """Flicker made / real; above 1 the made frames tremble more than the real ones."""
    return flicker(made, mask) / max(flicker(real, mask), 1e-9)


def seam_gradient_ratio(made: AnyPicture, real: AnyPicture, mask: Floats) -> float:
    """Gradient across the mask's edge, made / real: above 1 a line appears where the patch was laid in.

    The gradient along the mask's normal, weighted by the slope of the mask and averaged with its sign over
    `SEAM_SIGMA_PX`, so that texture cancels and a line does not; then the sum of its size over the channels.
    """
    first, second = _pair(made, real)
    _inside(mask, first)
    slope_y, slope_x = (np.asarray(slope, dtype=np.float32) for slope in np.gradient(mask))
    steep = np.hypot(slope_x, slope_y)
    if float(steep.sum()) <= 0:
        raise ValueError("a mask without an edge has no seam")
    return _across(first, slope_y, slope_x) / max(_across(second, slope_y, slope_x), 1e-12)


def colour_step(picture: AnyPicture, mask: Floats, width_px: int = 6) -> float:
    """Colour difference (Delta E, CIE76) between a ring inside and a ring outside the mask's edge.

    Means of `SECTORS` directions are compared and averaged; skin itself steps at a jaw line, so print the real
    picture's own figure beside it.

    Parameters
    ----------
    picture : (H, W, 3) RGB.
    width_px : width of each ring; the soft edge lies between them.
    """
    lab = lab_from_rgb(_floats(picture))
    _inside(mask, lab)
    full, touched = (mask >= 0.98).astype(np.float32), (mask > 0.02).astype(np.float32)
    inner = (full > 0.5) & (erode(full, width_px) < 0.5)
    outer = (touched < 0.5) & (erode(touched, -width_px) > 0.5)
    if not (inner.any() and outer.any()):
        raise ValueError("the mask leaves no room for a ring on each side of its edge")
    ys, xs = np.indices(mask.shape)
    centre = np.argwhere(full > 0.5).mean(axis=0)
    sector = ((np.arctan2(ys - centre[0], xs - centre[1]) / (2 * np.pi) + 0.5) * SECTORS).astype(int) % SECTORS
    steps = [
        float(delta_e(lab[here & inner].mean(axis=0), lab[here & outer].mean(axis=0)))
        for here in (sector == number for number in range(SECTORS))
        if (here & inner).any() and (here & outer).any()
    ]
    return float(np.mean(steps)) if steps else float("nan")


def octave_edges(count: int) -> list[tuple[float, float]]:
    """The (low, high) cycles a pixel of the octaves that `spectrum_ratio_db` gives back."""
    edges = [0.5 / 2**number for number in range(count + 1)]
    return [(low, high) for high, low in pairwise(edges)]


def _floats(picture: AnyPicture) -> Floats:
    if picture.dtype == np.float32:
        return cast(Floats, picture)
    return to_float(cast("NDArray[np.uint8]", picture))


def _pair(made: AnyPicture, real: AnyPicture) -> tuple[Floats, Floats]:
    if made.shape != real.shape or made.ndim not in (2, 3) or made.size == 0:
        raise ValueError(f"expected two pictures of one (H, W) or (H, W, 3) shape, got {made.shape} and {real.shape}")
    return _floats(made), _floats(real)


def _grey(picture: AnyPicture) -> Floats:
    floats = _floats(picture)
    return floats if floats.ndim == 2 else grey_of(floats)


def _inside(mask: Floats, picture: NDArray[np.floating]) -> NDArray[np.bool_]:
    inside = mask > 0.5
    if mask.shape != picture.shape[:2] or not inside.any():
        raise ValueError(f"expected a mask of {picture.shape[:2]} with something in it, got {mask.shape}")
    return inside


def _window(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    blurred = ndimage.gaussian_filter(grey, SSIM_SIGMA_PX, radius=SSIM_RADIUS_PX)
    return np.asarray(blurred, dtype=np.float64)


def _sharpness(picture: AnyPicture, mask: Floats | None) -> float:
    edges = laplacian(_grey(picture))
    if mask is None:
        return float(np.var(edges))
    return float(np.var(edges[_inside(erode((mask > 0.5).astype(np.float32), 2), edges)]))


def _across(picture: Floats, slope_y: Floats, slope_x: Floats) -> float:
    total = 0.0
    for channel in np.moveaxis(np.atleast_3d(picture), -1, 0):
        rise_y, rise_x = np.gradient(channel)
        signed = np.asarray(rise_y * slope_y + rise_x * slope_x, dtype=np.float32)
        total += float(np.abs(gaussian(signed, SEAM_SIGMA_PX)).sum())
    return total


def _power_spectrum(grey: Floats) -> NDArray[np.float64]:
    window = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))
    spectrum = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    return spectrum
