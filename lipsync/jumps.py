"""Where a target may jump: between moments in which the head is alike, and how dear each jump is.

Schoedl, Szeliski, Salesin, Essa, "Video textures", SIGGRAPH 2000, sections 3.1 and 3.2: moments are compared over a few
frames, so that movement goes on too, and of near jumps only the best is kept.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter

from lipsync.retime import Jumps
from shared.types import Floats

AROUND: Final = 2
"""Frames on either side that are compared too, and between which flow joins the two takes."""
ALIKE: Final = 0.12
"""Root mean square distance of brows, nose and eyes, in eye distances, up to which moments are alike. About the way of
a nod; what is left of it is joined by flow."""
APART_S: Final = 0.2
"""Of jumps whose ends lie nearer to each other than this, only the best is kept."""
LEAST_S: Final = 1.0
"""Nothing is jumped over or shown again that is shorter, and nothing shorter is shown between two jumps."""
AGAIN_S: Final = 10.0
"""No jump is taken again, and what was shown is not shown again if it can be helped, within this time."""
JUMP: Final = 0.4
"""Cost of a jump, in V's units: what a head that moves by a hundredth of the eye distance a frame costs in a pause of
40 frames."""
UNLIKE: Final = 4.0
"""Cost of a jump for each eye distance by which its ends differ; a repeated frame costs 2 for each that it moves."""
SOON: Final = 1.0
"""Cost of showing again what was shown just before, falling to 0 after `AGAIN_S`."""
LARGEST: Final = 3000
"""Moments that are compared with each other; of longer targets evenly spread ones: 9 million distances, 36 MB."""
MOST_INTO: Final = 8
"""Jumps into one frame that are kept."""
LAST_RESORT: Final = 40
"""Jumps that are kept where no moments are alike."""


def find_jumps(upper: Floats, shots: NDArray[np.int64], blinks: NDArray[np.bool_], rate: float) -> tuple[Jumps, float]:
    """Jumps of a target of N frames.

    Parameters
    ----------
    upper : (N, P, 2) float32 points in eye distances, NaN where no face is seen.
    shots : (N,) no jump leads from one shot into another.
    blinks : (N,) no jump cuts one.
    rate : frames a second.

    Returns
    -------
    jumps : every frame up to the last source leads to a jump; without any where the target is too short for one.
    unlike : distance of the least alike ends, eye distances.
    """
    moments = _moments(upper, shots, blinks)
    least = max(1, min(round(LEAST_S * rate), len(upper) // 4))
    if len(moments) < 2:
        return _table(np.zeros((0, 2), np.int64), np.zeros(0)), 0.0
    apart = _distances(upper, moments)
    allowed = np.abs(moments[:, np.newaxis] - moments) >= least
    allowed &= shots[moments][:, np.newaxis] == shots[moments]
    apart[~allowed] = np.inf
    spread = float(moments[-1] - moments[0]) / (len(moments) - 1)
    window = 1 + 2 * round(min(APART_S * rate, least / 2) / spread)
    best = np.isfinite(apart) & (apart <= minimum_filter(apart, size=window, mode="nearest"))
    good = best & (apart <= ALIKE)
    if not _leads_on(good, moments):
        order = np.flatnonzero(best)
        good.flat[order[np.argsort(apart.flat[order])[:LAST_RESORT]]] = True
    going, coming = np.nonzero(good)
    ends, unlike = np.stack([moments[going] - 1, moments[coming]], axis=1), apart[going, coming]
    kept = _cheapest_into(ends, _costs(ends, unlike, rate))
    ends, unlike = ends[kept], unlike[kept]
    kept = _without_dead_ends(ends, least)
    ends, unlike = ends[kept], unlike[kept]
    return _table(ends, _costs(ends, unlike, rate)), float(unlike.max(initial=0.0))


def _moments(upper: Floats, shots: NDArray[np.int64], blinks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Frames around which all is seen, in one shot, without a blink; evenly thinned to `LARGEST`."""
    count = len(upper)
    middle = np.arange(AROUND, count - AROUND)
    fits = np.ones(len(middle), dtype=np.bool_)
    for offset in range(-AROUND, AROUND + 1):
        there = middle + offset
        fits &= np.isfinite(upper[there]).all(axis=(1, 2)) & ~blinks[there] & (shots[there] == shots[middle])
    found = middle[fits]
    return found[:: -(-len(found) // LARGEST)] if len(found) else found


def _distances(upper: Floats, moments: NDArray[np.int64]) -> Floats:
    """(M, M) root mean square distance of the points around each two moments."""
    around = moments[:, np.newaxis] + np.arange(-AROUND, AROUND + 1)
    flat = upper[around].reshape(len(moments), -1)
    flat = flat - flat.mean(axis=0)
    sizes = (flat**2).sum(axis=1)
    squared = sizes[:, np.newaxis] + sizes - 2 * (flat @ flat.T)
    points = flat.shape[1] / 2
    return np.asarray(np.sqrt(np.maximum(squared, 0.0) / points), dtype=np.float32)


def _leads_on(good: NDArray[np.bool_], moments: NDArray[np.int64]) -> bool:
    """Whether any jump leads back, so that the target never ends."""
    going, coming = np.nonzero(good)
    return bool((moments[coming] < moments[going]).any())


def _costs(ends: NDArray[np.int64], unlike: NDArray[np.floating], rate: float) -> NDArray[np.float64]:
    """What jumps (source, landing) cost."""
    back_s = (ends[:, 0] + 1 - ends[:, 1]) / rate
    soon = np.where(back_s > 0, np.clip(1.0 - back_s / AGAIN_S, 0.0, 1.0), 0.0)
    return np.asarray(JUMP + UNLIKE * unlike.astype(np.float64) + SOON * soon)


def _cheapest_into(ends: NDArray[np.int64], cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places of the jumps that are among the `MOST_INTO` cheapest into their landing."""
    order = np.lexsort((cost, ends[:, 1]))
    return order[_column(ends[order, 1]) < MOST_INTO]


def _column(landing: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place of each sorted value among its equals."""
    _, starts, own = np.unique(landing, return_index=True, return_inverse=True)
    return np.asarray(np.arange(len(landing)) - starts[own])


def _without_dead_ends(ends: NDArray[np.int64], least: int) -> NDArray[np.int64]:
    """Places of the jumps (source, landing) that land at least so many frames before the last source of them."""
    kept = np.arange(len(ends))
    while len(kept):
        inside = ends[kept, 1] + least <= 1 + ends[kept, 0].max()
        if inside.all():
            break
        kept = kept[inside]
    return kept


def _table(ends: NDArray[np.int64], cost: NDArray[np.float64]) -> Jumps:
    """The jumps by landing, the cheapest first."""
    order = np.lexsort((cost, ends[:, 1]))
    places, own = np.unique(ends[order, 1], return_inverse=True)
    column = _column(ends[order, 1])
    shape = (len(places), 1 + int(column.max(initial=-1)))
    sources, costs = np.zeros(shape, dtype=np.int64), np.full(shape, np.inf)
    sources[own, column], costs[own, column] = ends[order, 0], cost[order]
    return Jumps(places, sources, costs, np.zeros_like(sources))
