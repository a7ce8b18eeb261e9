"""The made face moved so that its brows, eyes, nose, lips and jaw lie where the replaced face has its own.

The finder looks at each made face inside the target's own surroundings; its points are steadied in time exactly as the
target's were. What remains between both is split by time: its mean along the track is the difference of the two faces'
shapes, the rest is movement that the net did not follow (a blink, a glance, a mouth not wide enough). The warp between
the points is a smoothed multiquadric (Hardy, J. Geophys. Res. 76(8), 1971), which stays local where points that lie
close together, as the lids of a closing eye, move apart; a thin-plate spline overshoots there.
"""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from faceswap.align import VIEW_SHARE, crop_from_frame
from faceswap.view import Made, Shown
from shared.face.landmarks import CORNERS_68, IRISES, LANDMARKS, OVAL, landmarks_from_mesh
from shared.face.smooth import Seen, SmoothOptions, smooth
from shared.picture.blend import alpha_blend
from shared.picture.planes import warp
from shared.picture.warp import gaussian, invert, resize, scale_of, to_float, to_uint8, transform, warp_picture
from shared.types import Face, Floats, Frame

CROP_PX: Final = 256
VIEW_PX: Final = round(CROP_PX * VIEW_SHARE)
EDGE_PX: Final = 6
"""The made view fades into its surroundings over so many of the crop's pixels."""
PRESENT: Final = 0.5
FOREHEAD: Final = OVAL[:6] + OVAL[-5:]
JAW: Final = slice(0, 17)
ROUND: Final = 0.003
"""The spline is round within this share of the view about each point."""
SMOOTHING: Final = 1e-4
"""Added to the spline's own kernel: points that fall together share their steps."""
GRID: Final = 64
"""Places a side at which the spline is computed; between them it is linear."""
MARGIN: Final = 0.15
"""The warp reaches this share of the view beyond the view on each side."""
LEAST_AREA: Final = 0.1
"""A place is never stretched more than tenfold in area, nor folded over."""
TREMBLE: Final = 0.002
"""Size of the finder's noise on made faces, in shares of the view: movement of this size is followed by half."""
IRISES_HERE: Final = (-2, -1)
"""The irises among the control points, the last of them."""
FACING: Final = ((37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65))
"""Upper and lower points of lids and of the inner lips."""
UPPER, LOWER = np.array(FACING).T
LEAST_GAP: Final = 0.006
"""Between those, as a share of the view."""
CALMING_TURNS: Final = 8
SHUT, OPEN = 0.15, 0.25
"""Openings of an eye over its width: at the first its iris cannot be told, from the second on it can."""


class PointFinder(Protocol):
    """Finds the mesh in a crop that shows one upright face."""

    def read(self, crop: NDArray[np.uint8]) -> tuple[Floats, float]:
        """(478, 3) points in pixels of a (256, 256, 3) crop, and presence in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Field:
    """Where a made face is read, for each place of the view that it is laid on.

    Attributes
    ----------
    steps : (GRID, GRID, 2) float32, from the place to where it is read, in shares of the view; the grid spans the
        view and `MARGIN` on each side.
    """

    steps: Floats


def steered(items: Iterator[Shown], finder: PointFinder) -> Iterator[Shown]:
    """Find each made face's own points and steady them along the track; order is kept, three frames later."""
    waiting: deque[Shown] = deque()

    def found() -> Iterator[Seen]:
        for shown in items:
            faces = tuple(replace(made, found=find_made(shown.scene.frame, made, finder)) for made in shown.faces)
            waiting.append(replace(shown, faces=faces))
            yield Seen(shown.scene.frame, [made.found for made in faces if made.found is not None], 0)

    for seen in smooth(found(), SmoothOptions()):
        shown = waiting.popleft()
        steady = {face.track: face for face in seen.faces}
        yield replace(shown, faces=tuple(replace(made, found=steady.get(made.view.face.track)) for made in shown.faces))


def find_made(frame: Frame, made: Made, finder: PointFinder) -> Face | None:
    """The face in a made picture, looked for inside the frame's surroundings; None where there seems to be none."""
    face = made.view.face
    matrix = crop_from_frame(face.landmarks, CROP_PX)
    crop = to_float(warp(frame, matrix, (CROP_PX, CROP_PX), "zero"))
    share = _paste_share()
    if made.view.centring == "face":
        first = (CROP_PX - VIEW_PX) // 2
        inside = slice(first, first + VIEW_PX)
        crop[inside, inside] = alpha_blend(resize(made.picture, (VIEW_PX, VIEW_PX)), crop[inside, inside], share)
    else:
        side = len(made.picture)
        crop_from_view = matrix @ invert(made.view.view_from_frame)
        there = warp_picture(resize(share, (side, side)), crop_from_view, (CROP_PX, CROP_PX), "zero")
        crop = alpha_blend(warp_picture(made.picture, crop_from_view, (CROP_PX, CROP_PX)), crop, there)
    mesh, presence = finder.read(to_uint8(crop))
    if presence < PRESENT or not np.isfinite(mesh).all():
        return None
    frame_from_crop = invert(matrix)
    placed = mesh.copy()
    placed[:, :2] = transform(frame_from_crop, mesh[:, :2])
    placed[:, 2] *= scale_of(frame_from_crop)
    low, high = placed[:, :2].min(axis=0), placed[:, :2].max(axis=0)
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return Face(box, landmarks_from_mesh(placed), placed, presence, face.track)


def control_points(face: Face) -> Floats:
    """(P, 2) points that steer: the 68 and, of a mesh, eleven of the forehead and both irises."""
    if face.mesh is None:
        return face.landmarks
    return np.concatenate([face.landmarks, face.mesh[[*FOREHEAD, *IRISES], :2]])


def misses(made: Made) -> NDArray[np.float64] | None:
    """(P, 2) from the wanted points to the made face's own, in shares of the view; None where it was not found."""
    if made.found is None:
        return None
    wanted, own = control_points(made.view.face), control_points(made.found)
    count = min(len(wanted), len(own))
    matrix, side = made.view.view_from_frame, len(made.picture)
    return (transform(matrix, own[:count]) - transform(matrix, wanted[:count])).astype(np.float64) / side


def mixed(miss: NDArray[np.float64], usual: NDArray[np.float64], steer: float, shape: float) -> NDArray[np.float64]:
    """The part of a miss that is to be undone: of movement `steer`, of shape `shape`, of the jaw line all of it.

    Movement near the finder's own noise is left alone, as a Wiener filter would, or the made face would tremble. How
    far across its eye an iris lies is no shape but a gaze, however long it lasts.
    """
    share = np.full((len(miss), 1), shape)
    share[JAW] = 1.0
    movement = miss - usual
    squares = (movement**2).sum(axis=1, keepdims=True)
    undone = steer * (movement * squares / (squares + TREMBLE**2) + share * usual)
    if len(miss) > LANDMARKS:
        for iris, corners in zip(IRISES_HERE, CORNERS_68, strict=True):
            lasting = usual[iris, 0] - usual[list(corners), 0].mean()
            undone[iris, 0] += steer * (1 - shape) * lasting
    return np.asarray(undone, dtype=np.float64)


def gaps_of(made: Made) -> NDArray[np.float64]:
    """(G,) how far the replaced face's lids and inner lips stand apart, pairs of `FACING`, in shares of the view."""
    points = transform(made.view.view_from_frame, made.view.face.landmarks)
    return np.asarray((points[LOWER, 1] - points[UPPER, 1]) / len(made.picture), dtype=np.float64)


def shut(
    miss: NDArray[np.float64],
    undone: NDArray[np.float64],
    gaps: NDArray[np.float64],
    usual: NDArray[np.float64],
    steer: float,
) -> NDArray[np.float64]:
    """What is to be undone, so that lids and lips meet where the replaced face's do.

    How far an eye or a mouth usually stands open is a face's shape, and is kept; but as the replaced face closes them,
    what is kept shrinks with its own opening, or a blink would leave a slit.

    Parameters
    ----------
    miss, undone : (P, 2) shares of the view.
    gaps, usual : (G,) the replaced face's `gaps_of` now and along the track.
    steer : share of it that is followed.
    """
    kept = (miss - undone)[LOWER, 1] - (miss - undone)[UPPER, 1]
    further = steer * kept * np.clip(1 - gaps / np.maximum(usual, LEAST_GAP), 0.0, 1.0) / 2
    undone = undone.copy()
    undone[LOWER, 1] += further
    undone[UPPER, 1] -= further
    return undone


def field_of(face: Face, view_from_frame: NDArray[np.float64], side: int, miss: NDArray[np.float64]) -> Field:
    """Spread the misses at a face's control points over the view.

    Parameters
    ----------
    side : of the view, pixels.
    miss : (P, 2) shares of the view; those that the face has no points for are left out.
    """
    points = control_points(face)[: len(miss)]
    wanted, miss = (transform(view_from_frame, points).astype(np.float64) + 0.5) / side, miss[: len(points)]
    apart = _parted(wanted, wanted + miss) - wanted
    wanted, miss, kept = wanted + apart, miss - apart, np.ones(len(miss), dtype=np.bool_)
    if len(miss) > len(face.landmarks):
        for place, eye in zip(IRISES_HERE, (slice(36, 42), slice(42, 48)), strict=True):
            # A closing eye takes its iris along with its lids, and a shut one shows none.
            seen = float(np.clip((_openness(face.landmarks[eye]) - SHUT) / (OPEN - SHUT), 0.0, 1.0))
            miss[place] = seen * miss[place] + (1 - seen) * miss[eye].mean(axis=0)
            kept[place] = seen > 0
    steps = spline(wanted[kept], miss[kept], _places(), SMOOTHING).reshape(GRID, GRID, 2)
    return Field(_unfolded(np.asarray(steps, dtype=np.float32)))


def _parted(points: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.float64]:
    """The wanted points, with upper and lower lids and lips parted a little where the made face has them open.

    Where they fall together or cross, no warp without a fold brings an open eye there.
    """
    across = points[42:48].mean(axis=0) - points[36:42].mean(axis=0)
    down = np.array([-across[1], across[0]]) / max(float(np.linalg.norm(across)), 1e-9)
    parted = points.copy()
    gaps, own_gaps = ((one[LOWER] - one[UPPER]) @ down for one in (points, own))
    lacks = np.maximum(0.0, np.minimum(LEAST_GAP, own_gaps) - gaps)[:, np.newaxis] / 2
    parted[UPPER] -= lacks * down
    parted[LOWER] += lacks * down
    return parted


def _unfolded(steps: Floats) -> Floats:
    """Calm a field where it would fold the picture over: near the fold first, and as a whole if that does not help."""
    for turn in itertools.count():
        folds = (_areas(steps) < LEAST_AREA).astype(np.float32)
        if not folds.any():
            return steps
        if turn < CALMING_TURNS:
            share = np.minimum(1.0, 4 * gaussian(folds, 2.0))[..., np.newaxis]
            steps = steps + share * (gaussian(steps, 1.5) - steps)
        else:
            steps = steps * np.float32(0.8)
    return steps


def _areas(steps: Floats) -> Floats:
    """How much of the made face each place of a field shows, as a share of its own area; below 0 where it folds."""
    cell = (1 + 2 * MARGIN) / GRID
    across, down = np.gradient(steps, cell, axis=1), np.gradient(steps, cell, axis=0)
    area = (1 + across[..., 0]) * (1 + down[..., 1]) - across[..., 1] * down[..., 0]
    return np.asarray(area, dtype=np.float32)


def spline(
    points: NDArray[np.float64], values: NDArray[np.float64], places: NDArray[np.float64], smoothing: float
) -> NDArray[np.float64]:
    """The smoothed multiquadric spline, with an affine part, through values at points, at other places.

    Parameters
    ----------
    points : (P, 2), P >= 3, not on one line.
    values : (P, K).
    places : (N, 2).
    smoothing : 0 passes through every value.

    Returns
    -------
    (N, K).
    """
    count = len(points)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _bend(points, points) + smoothing * np.eye(count)
    system[:count, count] = system[count, :count] = 1.0
    system[:count, count + 1 :] = points
    system[count + 1 :, :count] = points.T
    wanted = np.concatenate([values, np.zeros((3, values.shape[1]))])
    weights = np.linalg.solve(system, wanted)
    # No matrix product: BLAS would wake its threads, which costs more than the sum itself beside a running encoder. One
    # column at a time, so that the sum runs along memory.
    bends, columns = _bend(places, points), weights[:count].T.astype(np.float32)
    bent = np.stack([np.einsum("np,p->n", bends, column) for column in columns], axis=1)
    return np.asarray(bent + weights[count] + places @ weights[count + 1 :], dtype=np.float64)


def _bend(ones: NDArray[np.float64], others: NDArray[np.float64]) -> Floats:
    """-sqrt(r^2 + c^2) between all pairs of (N, 2) and (P, 2) places; single precision, since they are many."""
    first, second = ones.astype(np.float32), others.astype(np.float32)
    apart = first[:, :1] - second[:, 0]
    squares = apart * apart
    np.subtract(first[:, 1:], second[:, 1], out=apart)
    squares += np.multiply(apart, apart, out=apart)
    squares += np.float32(ROUND**2)
    np.sqrt(squares, out=squares)
    return np.asarray(np.negative(squares, out=squares), dtype=np.float32)


@functools.lru_cache(maxsize=1)
def _places() -> NDArray[np.float64]:
    line = (np.arange(GRID) + 0.5) / GRID * (1 + 2 * MARGIN) - MARGIN
    return np.stack([np.tile(line, GRID), np.repeat(line, GRID)], axis=1)


def _paste_share() -> Floats:
    """(VIEW_PX, VIEW_PX): 0 on the view's border, 1 from `EDGE_PX` inwards."""
    line = np.clip((np.minimum(np.arange(VIEW_PX), np.arange(VIEW_PX)[::-1]) + 0.5) / EDGE_PX, 0, 1)
    return np.minimum(line[:, np.newaxis], line).astype(np.float32)


def _openness(eye: Floats) -> float:
    width = float(np.linalg.norm(eye[3] - eye[0]))
    gap = float(np.linalg.norm(eye[1] - eye[5]) + np.linalg.norm(eye[2] - eye[4])) / 2
    return gap / max(width, 1e-3)
