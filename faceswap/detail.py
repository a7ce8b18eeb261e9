"""Detail of a made face: enlarged without softness, sharpened, blurred by motion and grained as the face it replaces.

All measures are taken where nothing is in front of the face.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faceswap.view import Made
from shared.picture.grain import noise_variances, streaked, tile
from shared.picture.planes import cut
from shared.picture.warp import eight_bit, gaussian, grey_of, laplacian, spread, to_float
from shared.types import Face, Floats, Frame

UNSHARP_SIGMA_PX: Final = 1.5
"""At the net's own size; finer detail than that it does not draw."""
MOST_UNSHARP: Final = 2.0
SMALLEST_DETAIL: Final = 1e-6
NOISE_PX: Final = 128
"""Noise is measured in a square of the frame of at most this side, between brows and upper lip."""
MOST_GRAIN: Final = 0.03
"""Largest standard deviation of grain, in [0, 1] units: above it, it is no grain."""
SHUTTER: Final = 0.5
"""Share of a frame's time in which film and most cameras see (180 degrees)."""
LEAST_STREAK_PX: Final = 1.5


def log_details(made: Made, seen: Floats) -> NDArray[np.float64]:
    """(2,) log detail of the replaced and of the made face.

    Parameters
    ----------
    seen : (V, V) weight of the pixels that count.
    """
    pictures = (made.view.picture, made.picture)
    return np.array([np.log(max(SMALLEST_DETAIL, _detail(picture, seen))) for picture in pictures])


def noise_around(frame: Frame, before: Frame, face: Face) -> NDArray[np.float64]:
    """(2,) variances of fine and of coarser noise in the middle of a face, at the frame's own size.

    Pores and stubble look like noise in one frame, motion looks like noise between two: the smaller one counts.

    Parameters
    ----------
    before : the frame before.
    """
    points = face.landmarks
    middle = points[27:36].mean(axis=0)
    half = min(NOISE_PX / 2, 0.35 * float(np.linalg.norm(points[16] - points[0])))
    x0, y0 = (int(value) for value in np.floor(middle - half))
    side = max(16, int(2 * half))
    now, then = (grey_of(to_float(eight_bit(cut(one, (x0, y0, x0 + side, y0 + side))))) for one in (frame, before))
    return np.minimum(noise_variances(now), noise_variances(now - then) / 2)


def sharpened(picture: Floats, log_detail: NDArray[np.float64], strength: float) -> Floats:
    """Unsharp masking by as much as the old face has more fine detail than the new one.

    Parameters
    ----------
    log_detail : (2,) the steadied `log_details`.
    """
    ratio = float(np.exp((log_detail[0] - log_detail[1]) / 2))
    amount = strength * min(MOST_UNSHARP, max(0.0, ratio - 1.0))
    if amount <= 0:
        return picture
    return np.clip(picture + np.float32(amount) * (picture - gaussian(picture, UNSHARP_SIGMA_PX)), 0.0, 1.0)


def streak_of(motion_px: tuple[float, float], log_detail: float, usual: float, strength: float) -> tuple[float, float]:
    """The streak, x y in frame pixels, that motion draws on the replaced face in this frame.

    A camera with a short shutter draws none, however fast the face moves: only as far as this frame of the clip is
    softer than usual is it taken to be streaked.

    Parameters
    ----------
    motion_px : of the face from the last frame to this one.
    log_detail, usual : of the replaced face in this frame and along the track.
    """
    softer = 1.0 - float(np.exp(min(0.0, log_detail - usual) / 2))
    share = strength * SHUTTER * min(1.0, 2.0 * softer)
    return share * motion_px[0], share * motion_px[1]


def in_motion(picture: Floats, streak_px: tuple[float, float]) -> Floats:
    """The picture along a streak; as it is where the streak is too short to be seen."""
    if math.hypot(*streak_px) < LEAST_STREAK_PX:
        return picture
    return streaked(picture, streak_px)


def grained(picture: Floats, noise: NDArray[np.float64], strength: float, seed: tuple[int, int]) -> Floats:
    """Add the noise that a picture lacks, the same in all channels.

    Parameters
    ----------
    noise : (2,) variances of fine and coarser noise that it should have; what it has is taken off.
    seed : of the frame and the track; the same seed gives the same grain.
    """
    height, width = picture.shape[:2]
    own = noise_variances(grey_of(picture[height // 4 : -height // 4, width // 4 : -width // 4][:NOISE_PX, :NOISE_PX]))
    lacks = np.sqrt(np.clip(noise - own, 0.0, MOST_GRAIN**2)) * strength
    if lacks.max() < 0.5 / 255:
        return picture
    grain = np.zeros((height, width), dtype=np.float32)
    for kind, share in enumerate(lacks):
        if share > 0:
            grain += np.float32(share) * tile(kind, (height, width), seed)
    grainy = spread(grain)
    grainy += picture
    return np.clip(grainy, 0.0, 1.0, out=grainy)


def _detail(picture: Floats, seen: Floats) -> float:
    """Mean square of the Laplacian over the face."""
    return float((laplacian(grey_of(picture)) ** 2 * seen).sum() / seen.sum())
