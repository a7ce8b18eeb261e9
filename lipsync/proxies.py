"""Teeth found in the footage: the proxies, and how sharp teeth are in each frame.

Suwajanakorn et al. 2017, section 4.3, choose by hand one frame that shows the upper and one that shows the lower teeth
sharply and from the front. Here a frame is chosen by how well its teeth foretell those of other frames under the
motion of their row: the upper teeth move with nose and upper lip, the lower ones with the lower lip. What foretells
under the other row's motion as well (a tongue, a glint, the other row seen in this one's half) is no proxy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.mouth import aperture_cm
from lipsync.opening import ROWS, MouthWindow, TeethRow, in_row, shifted
from lipsync.plane import TexturePlane
from lipsync.teeth import SpeakerTeeth, TeethProxy
from lipsync.voice import Pool, lips_of
from shared.picture.warp import grey_of, laplacian, to_float
from shared.progress import Progress, silent
from shared.types import Floats

LEAST_GAP_CM: Final = 0.25
"""Inner lips closer than this show hardly any teeth."""
FRONTAL_DEG: Final = 8.0
"""A proxy looks no further than this from where the footage usually looks."""
LOOKED_AT: Final = 240
"""Frames among which proxies and witnesses are sought."""
LEAST_SHOWN_CM2: Final = 0.12
"""Teeth below which a frame, or a row of it, tells nothing; an incisor shows about 0.8 cm2."""
CANDIDATES: Final = 24
WITNESSES: Final = 40
APART_S: Final = 0.4
"""Frames of a clip nearer than this in time show the same picture, and bear no witness."""
TELLING_CM: Final = 0.12
"""The two motions differ by this much at least, where a frame is to tell rows apart."""
FEWEST_WITNESSES: Final = 6
LEAST_AGREEMENT: Final = 0.30
"""Mean correlation of a proxy's detail with its witnesses' under its own row's motion..."""
LEAST_LEAD: Final = 0.20
"""...and by how much more than under the other row's, unless that is negative."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What one frame of the pool shows between the lips: teeth by row and the detail, (h, w) float32 each."""

    index: int
    rows: dict[TeethRow, Floats]
    detail: Floats

    @property
    def teeth(self) -> Floats:
        return self.rows["upper"] + self.rows["lower"]


def find_teeth(
    textures: NDArray[np.uint8], pool: Pool, plane: TexturePlane, progress: Progress = silent
) -> SpeakerTeeth | None:
    """Find the proxies of a speaker, and how sharp his teeth are in each frame of the pool.

    Parameters
    ----------
    textures : (M, H, W, 3) uint8, `pool.rows` points into it.

    Returns
    -------
    None where no row of teeth is seen well enough, often enough.
    """
    window = MouthWindow(pool.flat, plane)
    finder = _Finder(textures, pool, window, plane.px_per_cm)
    proxies = []
    for row in ROWS:
        index = finder.best(row)
        if index is not None:
            proxies.append(TeethProxy(row, np.array(textures[pool.rows[index]]), pool.flat[index]))
    if not proxies:
        return None
    shown, sharpness = _sharpness(textures, pool, window, progress)
    return SpeakerTeeth(tuple(proxies), shown, sharpness)


class _Finder:
    """Looks at some frames of a pool, and asks them about each other."""

    def __init__(self, textures: NDArray[np.uint8], pool: Pool, window: MouthWindow, px_per_cm: float) -> None:
        self._pool, self._window, self._px_per_cm = pool, window, px_per_cm
        turned = np.abs(pool.angles_deg - np.median(pool.angles_deg, axis=0))[:, :2].max(axis=1)
        usable = np.flatnonzero((aperture_cm(lips_of(pool.points)) >= LEAST_GAP_CM) & (turned <= FRONTAL_DEG))
        chosen = usable[np.linspace(0, usable.size - 1, min(LOOKED_AT, usable.size)).astype(np.intp)]
        looks = (self._look(textures, int(index)) for index in chosen)
        self._looks = [look for look in looks if self._shown_cm2(look.teeth) >= LEAST_SHOWN_CM2]

    def best(self, row: TeethRow) -> int | None:
        """Return the frame of the pool whose row of teeth foretells the others' best and shows most detail."""

        def seen(look: _Look) -> float:
            return self._shown_cm2(look.rows[row] * np.abs(look.detail))

        best, found = 0.0, None
        for look in sorted(self._looks, key=seen, reverse=True)[:CANDIDATES]:
            if self._shown_cm2(look.rows[row]) < LEAST_SHOWN_CM2:
                continue
            own, other = self._agreement(look, row)
            lead = own - max(other, 0.0)
            worth = own * own * lead * seen(look)
            if own >= LEAST_AGREEMENT and lead >= LEAST_LEAD and worth > best:
                best, found = worth, look.index
        return found

    def _look(self, textures: NDArray[np.uint8], index: int) -> _Look:
        picture = self._window.cut(to_float(np.asarray(textures[self._pool.rows[index]])))
        opening, depth = self._window.opening(self._pool.flat[index])
        teeth = self._window.teeth(picture, self._pool.flat[index], opening)
        return _Look(index, {row: teeth * in_row(row, depth) for row in ROWS}, self._window.high_pass(picture, opening))

    def _agreement(self, look: _Look, row: TeethRow) -> tuple[float, float]:
        """Mean correlation with the witnesses under the row's own motion, and under the other row's; 0 with few."""
        found = []
        for witness in self._witnesses(look):
            offsets = {rule: self._offset(rule, witness, look) for rule in ROWS}
            if np.abs(offsets["lower"] - offsets["upper"]).max() < TELLING_CM * self._px_per_cm:
                continue
            own = self._correlation(look, row, witness, offsets[row])
            other = self._correlation(look, row, witness, offsets["lower" if row == "upper" else "upper"])
            if own is not None:
                found.append((own, 0.0 if other is None else other))
        if len(found) < FEWEST_WITNESSES:
            return 0.0, 0.0
        own_mean, other_mean = np.mean(found, axis=0)
        return float(own_mean), float(other_mean)

    def _witnesses(self, look: _Look) -> list[_Look]:
        clips, times = self._pool.clips, self._pool.times_s
        far = [
            other
            for other in self._looks
            if clips[other.index] != clips[look.index] or abs(times[other.index] - times[look.index]) > APART_S
        ]
        return [far[k] for k in np.linspace(0, len(far) - 1, min(WITNESSES, len(far))).astype(int)]

    def _offset(self, row: TeethRow, first: _Look, second: _Look) -> Floats:
        return self._window.offset(row, self._pool.flat[first.index], self._pool.flat[second.index])

    def _correlation(self, look: _Look, row: TeethRow, witness: _Look, offset: Floats) -> float | None:
        """Correlation of two mouths' detail where both show teeth, the witness moved; None where they hardly do."""
        weight = look.rows[row] * shifted(witness.teeth, offset)
        if self._shown_cm2(weight) < LEAST_SHOWN_CM2 / 2:
            return None
        here, there = look.detail, shifted(witness.detail, offset)
        here, there = (part - np.average(part, weights=weight) for part in (here, there))
        power = float((weight * here * here).sum()) * float((weight * there * there).sum())
        return float((weight * here * there).sum()) / np.sqrt(power) if power > 0.0 else None

    def _shown_cm2(self, mask: Floats) -> float:
        return float(mask.sum()) / self._px_per_cm**2


def _sharpness(
    textures: NDArray[np.uint8], pool: Pool, window: MouthWindow, progress: Progress
) -> tuple[Floats, Floats]:
    """Teeth shown in each frame, pixels, and the mean squared Laplacian over them, (N,) float32 each."""
    total = pool.rows.shape[0]
    shown, sharpness = np.zeros(total, dtype=np.float32), np.zeros(total, dtype=np.float32)
    for index in range(total):
        picture = window.cut(to_float(np.asarray(textures[pool.rows[index]])))
        teeth = window.teeth(picture, pool.flat[index], window.opening(pool.flat[index])[0])
        shown[index] = teeth.sum()
        if shown[index] > 0.0:
            edges = laplacian(grey_of(np.ascontiguousarray(picture)))
            sharpness[index] = float((teeth * edges * edges).sum()) / shown[index]
        progress(index + 1, total, "looking at teeth")
    return shown, sharpness
