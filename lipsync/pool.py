"""A pool of mouths that is searched exactly and fast: of millions of frames only those near a wanted mouth are read.

The frames lie in the leaves of a k-d tree (Friedman, Bentley, Finkel, "An algorithm for finding best matches in
logarithmic expected time", ACM TOMS 3(3), 1977). A leaf further away than the n-th nearest frame found so far holds
none of the n nearest, so what is found is exact. For sigma (Suwajanakorn et al. 2017, section 4.2) more leaves are read
until the bounds on the weight of all others (`lipsync.width`) are tight enough.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lipsync.width import (
    BIN_BITS,
    COUNT,
    LEAST,
    MEAN,
    MOST,
    Groups,
    Real,
    Whole,
    bin_frames,
    empty_bins,
    filled,
    loose_below,
    solve,
)
from shared.types import Floats

LEAF: Final = 256
"""Most frames in a leaf: their first 20 numbers stay in the first-level cache."""
SPLIT_SAMPLE: Final = 2048
"""Frames by which the axis of a cut is chosen."""
NARROWEST: Final = 1e-4
"""Smallest sigma, as a share of the root mean square distance to the pool."""
WIDEST: Final = 1e4
SLACK: Final = 1e-5
"""More than the rounding of a squared distance in float32, as a share; what lies within it is told apart in float64."""


class Tree(NamedTuple):
    """A pool of N frames with D numbers each, in L leaves.

    Attributes
    ----------
    blocks : (L, D, B) float32, the frames of each leaf, axes by falling variance; a short leaf repeats its last frame.
    rows : (L, B) int32, their rows of the pool.
    counts : (L,) int64, frames of each leaf.
    low, high, middle : (D, L) float32, bounds and mean of each leaf.
    spread : (L,) float32, mean squared distance from the middle.
    reach : (L,) float32, largest distance from the middle.
    axes : (D,) int64, the pool's number that each axis is.
    """

    blocks: Floats
    rows: NDArray[np.int32]
    counts: NDArray[np.int64]
    low: Floats
    high: Floats
    middle: Floats
    spread: Floats
    reach: Floats
    axes: NDArray[np.int64]


def plant(pool: Floats) -> Tree:
    """Sort a pool (N, D) float32, N >= 1, into leaves: one copy of it, made in seconds for two million frames."""
    size, depth = pool.shape
    leaves = 1 << max(0, math.ceil(math.log2(size / LEAF)))
    bounds, order = _cut(pool, leaves)
    counts = np.diff(bounds)
    width = int(counts.max())
    axes = np.argsort(-pool[:: max(1, size // (64 * SPLIT_SAMPLE))].var(axis=0), kind="stable")
    blocks = np.empty((leaves, depth, width), dtype=np.float32)
    rows = np.empty((leaves, width), dtype=np.int32)
    low, high, middle = (np.empty((depth, leaves), dtype=np.float32) for _ in range(3))
    spread, reach = np.empty(leaves, dtype=np.float32), np.empty(leaves, dtype=np.float32)
    for leaf, (start, end) in enumerate(pairwise(bounds)):
        frames = pool[order[start:end]][:, axes]
        rows[leaf] = np.pad(order[start:end], (0, width - frames.shape[0]), mode="edge")
        blocks[leaf] = pool[rows[leaf]][:, axes].T
        low[:, leaf], high[:, leaf], middle[:, leaf] = frames.min(axis=0), frames.max(axis=0), frames.mean(axis=0)
        squares = ((frames.astype(np.float64) - middle[:, leaf]) ** 2).sum(axis=1)
        spread[leaf], reach[leaf] = squares.mean(), math.sqrt(squares.max()) * (1 + SLACK)
    return Tree(blocks, rows, counts, low, high, middle, spread, reach, axes)


def _cut(pool: Floats, leaves: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Halve the pool across its widest axis again and again: bounds (L + 1,) of the leaves, and its rows in order."""
    order = np.arange(pool.shape[0])
    bounds = np.array([0, pool.shape[0]])
    while bounds.shape[0] - 1 < leaves:
        halves = bounds[:-1] + np.diff(bounds) // 2
        for start, half, end in zip(bounds[:-1], halves, bounds[1:], strict=True):
            part = order[start:end]
            axis = int(pool[part[:: max(1, part.shape[0] // SPLIT_SAMPLE)]].var(axis=0).argmax())
            order[start:end] = part[np.argpartition(pool[part, axis], half - start)]
        bounds = np.sort(np.concatenate([bounds, halves]))
    return bounds, order


@njit(cache=True, nogil=True)
def search(
    tree: Tree, wanted: Floats, count: int, share: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], float]:
    """Find the frames nearest to a wanted place, and the sigma at which they carry a share of the pool's weight.

    Parameters
    ----------
    wanted : (D,) float32, as the pool has its numbers.
    count : n, from 1 to N.
    share : in (0, 1).

    Returns
    -------
    rows : (n,) of the pool, nearest first, equally near ones as the pool has them.
    squares : (n,) squared distances.
    sigma : the narrowest there is, where the share is not reached (many frames at exactly the n-th distance).
    """
    place = wanted[tree.axes]
    least, mean, most = _bounds(tree, place)
    opened = np.zeros(tree.counts.shape[0], dtype=np.bool_)
    read = np.empty(tree.rows.size, dtype=np.float32)  # touched only where leaves are opened
    near = _collect(tree, place, (least, mean), count, opened, read)
    rows, squares = _ranked(tree, place, near, count, read)
    size = tree.counts.sum()
    scale = math.sqrt((mean * tree.counts).sum() / size)
    if scale == 0.0 or count >= size:
        return rows, squares, max(scale, 1.0)
    base, head = np.float32(squares[0]), squares - squares[0]
    bins = empty_bins()
    for leaf in np.flatnonzero(opened):
        bin_frames(bins, read[leaf * tree.rows.shape[1] :][: tree.counts[leaf]], base)
    while True:
        closed = _closed(tree, base, least, mean, most, opened)
        groups = np.concatenate((filled(bins), closed), axis=1)
        sigma = solve(head, groups, share, NARROWEST * scale, WIDEST * scale)
        limit = loose_below(head, groups, closed, sigma)
        if limit <= 0.0:
            return rows, squares, sigma
        for leaf in np.flatnonzero(~opened & (least - base < limit)):
            bin_frames(bins, _read(tree, place, leaf, opened, read), base)


@njit(cache=True, nogil=True)
def _bounds(tree: Tree, place: Floats) -> tuple[Floats, Floats, Floats]:
    """Least, mean and most squared distance from a place to the frames of each leaf, (L,) float32 each."""
    leaves = tree.counts.shape[0]
    least, mean = np.zeros(leaves, dtype=np.float32), np.zeros(leaves, dtype=np.float32)
    zero = np.float32(0.0)
    for axis in range(place.shape[0]):
        own, low, high, middle = place[axis], tree.low[axis], tree.high[axis], tree.middle[axis]
        for leaf in range(leaves):
            outside = max(low[leaf] - own, own - high[leaf], zero)
            least[leaf] += outside * outside
            mean[leaf] += (middle[leaf] - own) * (middle[leaf] - own)
    most = np.empty(leaves, dtype=np.float32)
    for leaf in range(leaves):
        furthest = math.sqrt(mean[leaf]) + tree.reach[leaf]
        most[leaf] = furthest * furthest
        mean[leaf] += tree.spread[leaf]
    return least, mean, most


@njit(cache=True, nogil=True)
def _read(tree: Tree, place: Floats, leaf: Whole, opened: NDArray[np.bool_], read: Floats) -> Floats:
    """Open a leaf: its squared distances, kept in `read`."""
    width = tree.rows.shape[1]
    squares = read[leaf * width : (leaf + 1) * width]
    squares[:] = 0
    for axis in range(place.shape[0]):
        own, frames = place[axis], tree.blocks[leaf, axis]
        for k in range(width):
            squares[k] += (frames[k] - own) * (frames[k] - own)
    opened[leaf] = True
    return squares[: tree.counts[leaf]]


@njit(cache=True, nogil=True)
def _collect(
    tree: Tree, place: Floats, bounds: tuple[Floats, Floats], count: int, opened: NDArray[np.bool_], read: Floats
) -> NDArray[np.int64]:
    """Places in `read` of all frames that may be among the n nearest."""
    least, mean = bounds
    width = tree.rows.shape[1]
    near = np.empty(2 * (count + width), dtype=np.int64)
    kept = 0
    limit: Real = np.float32(np.inf)
    # Leaves whose frames are near on average give a first limit; those that could be nearer than it follow in order.
    enough = -(-count // tree.counts.min())
    for leaf in np.flatnonzero(mean <= np.partition(mean, enough - 1)[enough - 1]):
        near, kept = _keep(near, kept, leaf * width, _read(tree, place, leaf, opened, read), limit)
    kept, limit = _trimmed(near, kept, count, read)
    waiting = np.flatnonzero(~opened & (least <= limit))
    for leaf in waiting[np.argsort(least[waiting])]:
        if least[leaf] > limit:
            break
        near, kept = _keep(near, kept, leaf * width, _read(tree, place, leaf, opened, read), limit)
        if kept > count + width:
            kept, limit = _trimmed(near, kept, count, read)
    kept, limit = _trimmed(near, kept, count, read)
    return near[:kept]


@njit(cache=True, nogil=True)
def _keep(
    near: NDArray[np.int64], kept: int, start: Whole, squares: Floats, limit: Real
) -> tuple[NDArray[np.int64], int]:
    """Add the frames of a leaf that lie within the limit, in a longer array where they need one."""
    if kept + squares.shape[0] > near.shape[0]:
        longer = np.empty(2 * (kept + squares.shape[0]), dtype=np.int64)
        longer[:kept] = near[:kept]
        near = longer
    for k in range(squares.shape[0]):
        near[kept] = start + k
        kept += squares[k] <= limit
    return near, kept


@njit(cache=True, nogil=True)
def _trimmed(near: NDArray[np.int64], kept: int, count: int, read: Floats) -> tuple[int, Real]:
    """Keep what rounding could put among the n nearest, and return how many these are and their limit."""
    limit = np.float32(np.partition(read[near[:kept]], count - 1)[count - 1] * np.float32(1 + SLACK))
    left = 0
    for k in range(kept):
        near[left] = near[k]
        left += read[near[k]] <= limit
    return left, limit


@njit(cache=True, nogil=True)
def _ranked(
    tree: Tree, place: Floats, near: NDArray[np.int64], count: int, read: Floats
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rank by distance in float64, then by row; the n nearest are taken out of `read` (a negative distance)."""
    width = tree.rows.shape[1]
    rows = np.empty(near.shape[0], dtype=np.int64)
    squares = np.zeros(near.shape[0], dtype=np.float64)
    for k in range(near.shape[0]):
        leaf, column = near[k] // width, near[k] % width
        rows[k] = tree.rows[leaf, column]
        for axis in range(place.shape[0]):
            squares[k] += (np.float64(tree.blocks[leaf, axis, column]) - np.float64(place[axis])) ** 2
    order = np.argsort(rows)
    order = order[np.argsort(squares[order], kind="mergesort")][:count]
    read[near[order]] = -1.0
    return rows[order], squares[order]


@njit(cache=True, nogil=True)
def _closed(tree: Tree, base: Real, least: Floats, mean: Floats, most: Floats, opened: NDArray[np.bool_]) -> Groups:
    """Group the leaves that were not opened, by their least distance."""
    bins = empty_bins()
    beyond = np.maximum(least - np.float32(base), np.float32(0.0))
    numbers = beyond.view(np.int32)
    for leaf in np.flatnonzero(~opened):
        number, frames = numbers[leaf] >> BIN_BITS, tree.counts[leaf]
        bins[COUNT, number] += frames
        bins[LEAST, number] = min(bins[LEAST, number], np.float64(beyond[leaf]))
        bins[MEAN, number] += frames * max(np.float64(mean[leaf]) - base, 0.0)
        bins[MOST, number] = max(bins[MOST, number], np.float64(most[leaf]) - base, 0.0)
    return filled(bins)
