"""Teeth: the fine detail that a median of many mouths loses or makes flicker, from sharp frames of the same speaker.

Suwajanakorn et al. 2017, section 4.3: a *teeth proxy* is a sharp frontal frame that shows the upper teeth well, another
one the lower teeth. Their high frequencies are laid into the median texture, whose low frequencies (how bright the
teeth are, what the lips cover) stay; then it is sharpened. Here half of the detail is the proxy's and half the median's
own, and the whole is brought to the sharpness that the teeth of the median's own candidates have.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from lipsync.opening import ROWS, MouthWindow, TeethRow, around, in_row, ramp, shifted, smooth_inside
from lipsync.plane import TexturePlane
from shared.errors import ArtefactError
from shared.picture.mask import erode
from shared.picture.warp import gaussian, grey_of, laplacian, to_float
from shared.types import Floats

FILE_NAME: Final = "teeth.safetensors"
REACH_CM: Final = 0.08
"""A proxy's detail is believed this far around its teeth, so that their dark edges come along."""
FAR_ROW: Final = 0.02
"""Weight of a row of teeth in the other one's half: it counts there only where the other one has nothing."""
SHARE: Final = 0.5
"""How much of the detail is the proxy's. On held-out mouths of GRID and of a 1080p clip, made by their true shapes, all
as sharp, teeth flicker 0.92 and 0.66 times as much as real ones (by the median's detail alone 0.96, 0.73; by the
proxies' alone 0.88, 0.61), and their detail correlates with the real one by .74 and .37 (.76, .35; .68, .37)."""
STEADY_SIGMA: Final = 1.0
"""Frames over which region and offsets are averaged (Gaussian)..."""
STEADY_REACH: Final = 3
"""...and how many of them on either side."""
UNSHARP_SIGMA_PX: Final = 1.0
GAINS: Final = (-1.0, 2.0)
"""Least and largest gain of the unsharp mask over the teeth; below 0 it softens."""
ROOM_PX: Final = 6
"""Around the opening: as far as the unsharp mask and a shifted Laplacian look."""
QUARTER: Final[Floats] = np.array([0.25, 0.25], dtype=np.float32)
"""Shift whose loss of detail is an average linear warp's."""


@dataclass(frozen=True, slots=True)
class TeethProxy:
    """A frame of the footage in which one row of teeth is well seen.

    Attributes
    ----------
    row : which teeth.
    picture : (H, W, 3) uint8 RGB, a texture of the voice's plane.
    flat : (68, 2) float32 centimetres on the plane.
    """

    row: TeethRow
    picture: NDArray[np.uint8]
    flat: Floats


@dataclass(frozen=True, slots=True)
class SpeakerTeeth:
    """What a voice knows of its speaker's teeth.

    Attributes
    ----------
    proxies : one for each row that the footage shows well, >= 1.
    shown_px : (N,) float32, teeth in each frame of the pool, texture pixels.
    sharpness : (N,) float32, mean squared Laplacian of grey in [0, 1] over them, 0 where there are none.
    """

    proxies: tuple[TeethProxy, ...]
    shown_px: Floats
    sharpness: Floats

    def sharpness_of(self, indices: NDArray[np.intp], weights: Floats) -> float:
        """Sharpness that teeth have in frames of the pool, by weight and by teeth shown; 0 where they show none."""
        shown = weights * self.shown_px[indices]
        total = float(shown.sum())
        return float(shown @ self.sharpness[indices]) / total if total > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class SeenTeeth:
    """Where one mouth shows teeth, and where the proxies' teeth belong in it.

    Attributes
    ----------
    region : (h, w) float32 in [0, 1] over the mouth's window, 1 = teeth.
    offsets : (proxies, 2) float32 texture pixels from each proxy's teeth to this mouth's.
    opening, depth : (h, w) float32, as of `MouthWindow.opening`.
    """

    region: Floats
    offsets: Floats
    opening: Floats
    depth: Floats


@dataclass(frozen=True, slots=True)
class _Detail:
    """The high pass of a proxy, and how far it is believed: (h, w) float32 each."""

    proxy: TeethProxy
    high: Floats
    valid: Floats


class Teeth:
    """Lays the detail of a speaker's teeth into his lower faces."""

    def __init__(self, speaker: SpeakerTeeth, flats: Floats, plane: TexturePlane, strength: float) -> None:
        """Make the proxies of a speaker ready for faces that lie within those of his pool, (N, 68, 2)."""
        proxies = speaker.proxies
        self._strength, self._reach_px = strength, REACH_CM * plane.px_per_cm
        self.window = MouthWindow(np.concatenate([flats, *(proxy.flat[np.newaxis] for proxy in proxies)]), plane)
        self._details = [self._detail(proxy) for proxy in proxies]
        self._kept = self._kept_by_resampling()

    def see(self, texture: Floats, flat: Floats) -> SeenTeeth:
        """Find the teeth of a lower face (H, W, 3), whose landmarks lie at `flat` (68, 2) on the plane."""
        opening, depth = self.window.opening(flat)
        region = self.window.teeth(self.window.cut(texture), flat, opening)
        offsets = [self.window.offset(detail.proxy.row, detail.proxy.flat, flat) for detail in self._details]
        return SeenTeeth(region, np.array(offsets, dtype=np.float32), opening, depth)

    def lay(self, texture: Floats, seen: SeenTeeth, sharpness: float) -> Floats:
        """Give the teeth of a lower face their detail; nothing outside its inner lips changes.

        Parameters
        ----------
        texture : (H, W, 3) float32 in [0, 1].
        sharpness : what teeth have in the footage of such a mouth (`SpeakerTeeth`); 0 leaves it as it comes.
        """
        made = texture.copy()
        part = around(seen.opening, ROOM_PX)
        if part is None:
            return made
        window, opening = self.window.cut(made)[part], seen.opening[part]
        region = self._strength * seen.region[part] * opening
        high, valid = (moved[part] for moved in self._moved(seen.offsets, seen.depth))
        low = smooth_inside(window, opening, self.window.sigma_px)
        mixed = window + (SHARE * region * valid)[..., np.newaxis] * (overlay(low, high) - window)
        # Textures have lost detail on their way out of the footage.
        window[:] = _sharpened(mixed, region, sharpness / self._kept)
        return made

    def _detail(self, proxy: TeethProxy) -> _Detail:
        window = self.window.cut(to_float(proxy.picture))
        opening, depth = self.window.opening(proxy.flat)
        teeth = self.window.teeth(window, proxy.flat, opening) * in_row(proxy.row, depth)
        valid = opening * ramp(erode(teeth, -self._reach_px), (0.0, 0.5))
        return _Detail(proxy, self.window.high_pass(window, opening), valid)

    def _moved(self, offsets: Floats, depth: Floats) -> tuple[Floats, Floats]:
        """The proxies' detail where this mouth's teeth are, each row's where it is the nearer one."""
        high, total, valid = (np.zeros_like(depth) for _ in range(3))
        for detail, offset in zip(self._details, offsets, strict=True):
            believed = shifted(detail.valid, offset)
            weight = believed * np.maximum(in_row(detail.proxy.row, depth), FAR_ROW)
            high += weight * shifted(detail.high, offset)
            total += weight
            valid = np.maximum(valid, believed)
        return (high / np.maximum(total, 1e-3)).astype(np.float32), valid

    def _kept_by_resampling(self) -> float:
        """Share of the squared Laplacian of the proxies' teeth that outlives one more linear warp, in (0, 1]."""
        before = after = 0.0
        for detail in self._details:
            grey = grey_of(np.ascontiguousarray(self.window.cut(to_float(detail.proxy.picture))))
            before += float((detail.valid * laplacian(grey) ** 2).sum())
            after += float((detail.valid * laplacian(shifted(grey, QUARTER)) ** 2).sum())
        return after / before if after > 0.0 else 1.0


def steady_teeth(near: Sequence[tuple[int, SeenTeeth]]) -> SeenTeeth:
    """Average what is seen in the frames around one, so that teeth do not come and go.

    Parameters
    ----------
    near : how many frames away, and the teeth seen there; with the frame itself, at 0.
    """
    weights = np.exp(-0.5 * (np.array([distance for distance, _ in near]) / STEADY_SIGMA) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    region, offsets = (
        np.tensordot(weights, np.stack(parts), 1)
        for parts in ([seen.region for _, seen in near], [seen.offsets for _, seen in near])
    )
    return replace(next(seen for distance, seen in near if distance == 0), region=region, offsets=offsets)


def overlay(picture: Floats, detail: Floats) -> Floats:
    """Lay a high pass over a picture: ``2 H I`` where H < 0.5, else ``1 - 2 (1 - I)(1 - H)`` (the paper's blend).

    Parameters
    ----------
    picture : (H, W, 3) float32 in [0, 1].
    detail : (H, W) float32, H - 0.5: 0 changes nothing.
    """
    high = np.clip(detail + 0.5, 0.0, 1.0)[..., np.newaxis]
    laid = np.where(high < 0.5, 2.0 * high * picture, 1.0 - 2.0 * (1.0 - picture) * (1.0 - high))
    return np.asarray(laid, dtype=np.float32)


def _sharpened(picture: Floats, region: Floats, sharpness: float) -> Floats:
    """Unsharp mask over a region, with the gain that brings its mean squared Laplacian to a wanted one in the frame."""
    fine = region[..., np.newaxis] * (picture - gaussian(picture, UNSHARP_SIGMA_PX))
    now, more = (laplacian(shifted(grey_of(np.ascontiguousarray(part)), QUARTER)) for part in (picture, fine))
    # sum of region (now + gain more)^2 = sharpness x sum of region: a parabola in the gain.
    square, half = float((region * more * more).sum()), float((region * now * more).sum())
    rest = float((region * now * now).sum()) - sharpness * float(region.sum())
    if sharpness <= 0.0 or square <= 0.0:
        return picture
    gain = (-half + np.sqrt(max(half * half - square * rest, 0.0))) / square
    return np.clip(picture + np.float32(np.clip(gain, *GAINS)) * fine, 0.0, 1.0).astype(np.float32)


def save_teeth(folder: Path, teeth: SpeakerTeeth) -> None:
    """Write a speaker's teeth into the folder of a voice."""
    arrays: dict[str, NDArray[np.uint8] | Floats] = {"shown_px": teeth.shown_px, "sharpness": teeth.sharpness}
    for proxy in teeth.proxies:
        arrays |= {f"{proxy.row}.picture": proxy.picture, f"{proxy.row}.flat": proxy.flat}
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / FILE_NAME)


def load_teeth(folder: Path) -> SpeakerTeeth | None:
    """Read a speaker's teeth; None where the voice has none, which are seldom shown.

    Raises
    ------
    ArtefactError
        The file is damaged.
    """
    if not (folder / FILE_NAME).is_file():
        return None
    try:
        arrays = load_file(folder / FILE_NAME)
        proxies = tuple(
            TeethProxy(row, arrays[f"{row}.picture"], arrays[f"{row}.flat"])
            for row in ROWS
            if f"{row}.picture" in arrays
        )
        return SpeakerTeeth(proxies, arrays["shown_px"], arrays["sharpness"])
    except (OSError, SafetensorError, ValueError, KeyError, struct.error) as error:
        raise ArtefactError(
            f"{folder}: this voice is damaged ({FILE_NAME}: {error}); remove the folder and learn it again"
        ) from error
