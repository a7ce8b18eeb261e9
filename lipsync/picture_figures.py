"""The figures of rendered pictures: what is measured in each frame beside the real one, and how clips are summed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lipsync.synthesise import MOUTH
from shared.metrics.interval import FigureOf
from shared.metrics.motion import e_warp
from shared.metrics.picture import (
    SSIM_RADIUS_PX,
    colour_step,
    flicker,
    psnr,
    seam_gradient_ratio,
    spectrum_ratio_db,
    ssim,
)
from shared.metrics.pooled import Sums, excess, mean, mean_sums
from shared.picture.planes import cut
from shared.picture.warp import box_around, grey_of, laplacian_variance, to_float
from shared.types import Face, Floats, Frame, IntBox, Patch, Picture

EVERY: Final = 5
"""Whole frames, seams and colours are compared in each n-th frame."""
LEAST_FLOW_PX: Final = 12
"""Side of a picture below which no flow can be found."""
BOX: Final = (1.4, 1.0)
"""Sides of the mouth box in widths of the real mouth: across, down."""
CHIN: Final = slice(5, 12)
"""Jaw points across which the chin box reaches."""
BELOW_CHIN: Final = 0.2
"""How far below them, in widths of the real mouth: the jaw line with the shadow under it."""

Rgb: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PictureFigure:
    """A column of the table of rendered pictures; `figure` makes it of the sums under its key."""

    key: str
    head: str
    form: str
    figure: FigureOf
    legend: str


def _worst(sums: Sums) -> Sums:
    """The mean of each octave that is furthest from 0, of (K + 1,) sums whose last is the count."""
    means = sums[..., :-1] / np.maximum(sums[..., -1:], 1.0)
    far = np.abs(means).argmax(axis=-1)
    return np.asarray(np.take_along_axis(means, far[..., np.newaxis], axis=-1)[..., 0], dtype=np.float64)


PICTURES: Final = (
    PictureFigure("psnr_mouth_db", "PSNR mouth", "{:.2f}", mean, "dB, a box of 1.4 by 1 real mouth widths"),
    PictureFigure("ssim_mouth", "SSIM mouth", "{:.4f}", mean, "the same box"),
    PictureFigure("psnr_chin_db", "PSNR chin", "{:.2f}", mean, "dB, from the real lower lip to below the real chin"),
    PictureFigure("psnr_frame_db", "PSNR frame", "{:.2f}", mean, "dB, each fifth whole frame"),
    PictureFigure("ssim_frame", "SSIM frame", "{:.4f}", mean, "each fifth whole frame"),
    PictureFigure(
        "sharpness_mouth_ratio", "sharpness", "{:.2f}", mean, "variance of the Laplacian, mouth, made / real"
    ),
    PictureFigure("spectrum_worst_db", "spectrum dB", "{:+.1f}", _worst, "octave of the mouth furthest from the real"),
    PictureFigure("flicker_ratio", "flicker", "{:.2f}", mean, "|I_t - (I_t-1 + I_t+1) / 2| of the mouth, made / real"),
    PictureFigure("e_warp_ratio", "E_warp", "{:.2f}", mean, "error along the real flow, made / real"),
    PictureFigure("seam_ratio", "seam", "{:.2f}", mean, "gradient across the mask's edge, made / real"),
    PictureFigure("colour_step_delta_e", "colour step", "{:+.2f}", excess, "across the mask's edge, made less real"),
)


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame as it was and as it was made."""

    real: Frame
    made: Frame
    face: Face
    patches: tuple[Patch, ...]


def add_shot(lists: dict[str, list[float]], shot: Shot) -> None:
    """Measure one frame into lists by key."""
    box = mouth_box(shot.face.landmarks, shot.real.size)
    made, real = (cut(frame, box) for frame in (shot.made, shot.real))
    told: dict[str, float] = {"psnr_mouth_db": psnr(made, real)}
    chin = chin_box(shot.face.landmarks, shot.real.size)
    if chin[2] > chin[0] and chin[3] > chin[1]:
        told["psnr_chin_db"] = psnr(cut(shot.made, chin), cut(shot.real, chin))
    if min(made.shape[:2]) > 2 * SSIM_RADIUS_PX:
        told["ssim_mouth"] = ssim(made, real)
    if shot.real.index % EVERY == 0:
        whole = (0, 0, shot.real.size[1], shot.real.size[0])
        both = [cut(frame, whole) for frame in (shot.made, shot.real)]
        told |= {"psnr_frame_db": psnr(both[0], both[1]), "ssim_frame": ssim(both[0], both[1])}
        patch = shot.patches[0]
        edged = [cut(frame, patch.box) for frame in (shot.made, shot.real)]
        told["seam_ratio"] = seam_gradient_ratio(edged[0], edged[1], patch.mask)
        told |= {f"step {name}": _step(one, patch.mask) for name, one in zip(("made", "real"), edged, strict=True)}
    for key, value in told.items():
        lists.setdefault(key, []).append(value)


def clip_sums(lists: dict[str, list[float]], made: Sequence[Rgb], real: Sequence[Rgb]) -> dict[str, Sums]:
    """What a clip adds to each figure.

    Parameters
    ----------
    lists : filled by `add_shot`.
    made, real : the mouth of each frame, without pose, all of one size.
    """
    sums = {figure.key: mean_sums(lists.get(figure.key, [])) for figure in PICTURES}
    sums["colour_step_delta_e"] = np.concatenate(
        [mean_sums(lists.get(f"step {name}", [])) for name in ("made", "real")]
    )
    sums["sharpness_mouth_ratio"] = np.array([sum(map(_detail, made)), sum(map(_detail, real))])
    octaves = [spectrum_ratio_db(one, other) for one, other in zip(made, real, strict=True)]
    if octaves:
        sums["spectrum_worst_db"] = np.append(np.sum(octaves, axis=0, dtype=np.float64), len(octaves))
    sums["flicker_ratio"] = _both(len(made) >= 3, flicker, made, real)
    flows = len(made) >= 2 and min(made[0].shape[:2]) >= LEAST_FLOW_PX
    sums["e_warp_ratio"] = _both(flows, lambda side: e_warp(side, real), made, real)
    return sums


def _both(enough: bool, figure: Callable[[Sequence[Rgb]], float], made: Sequence[Rgb], real: Sequence[Rgb]) -> Sums:
    """(2,) a figure of both sides times the frames, so that long clips count for more."""
    return np.array([len(side) * figure(side) for side in (made, real)]) if enough else np.zeros(2)


def mouth_box(landmarks: Floats, size: tuple[int, int]) -> IntBox:
    """Box around a mouth whose sides do not change as it opens, within a picture of (height, width)."""
    lips = landmarks[MOUTH]
    middle, width = (lips.min(axis=0) + lips.max(axis=0)) / 2, float(np.ptp(lips[:, 0]))
    half = width * np.array(BOX) / 2
    x0, y0, x1, y1 = box_around(np.stack([middle - half, middle + half]))
    return max(x0, 0), max(y0, 0), min(x1, size[1]), min(y1, size[0])


def chin_box(landmarks: Floats, size: tuple[int, int]) -> IntBox:
    """Box around chin and jaw line of a face, below its lips, within a picture of (height, width); may be empty."""
    lips, jaw = landmarks[MOUTH], landmarks[CHIN]
    low = jaw[:, 1].max() + BELOW_CHIN * float(np.ptp(lips[:, 0]))
    corners = np.array([[jaw[:, 0].min(), lips[:, 1].max()], [jaw[:, 0].max(), low]], dtype=np.float32)
    x0, y0, x1, y1 = box_around(corners)
    return max(x0, 0), max(y0, 0), min(x1, size[1]), min(y1, size[0])


def _step(picture: Picture, mask: Floats) -> float:
    try:
        return colour_step(picture, mask)
    except ValueError:  # the mask leaves no room for rings
        return float("nan")


def _detail(view: Rgb) -> float:
    return laplacian_variance(grey_of(to_float(view)))
