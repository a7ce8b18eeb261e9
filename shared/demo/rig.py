"""What a drawn face can do: displacement fields of its vertices for jaw, lips, lids and brows.

Each movement is stated at a few vertices (a lip ring, the jaw line, what must stay) and spread over the rest of the
mesh as a harmonic function, with the mouth cut open, so that upper and lower lip part along the slit.
Coordinates are the canonical face's: centimetres, x right, y up, z to the camera.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.face.landmarks import INNER_LIP, OUTER_LIP, OVAL, CanonicalFace

Field = NDArray[np.float64]
"""(468, 3) displacement."""

MOVES: Final = ("jaw", "upper", "width", "rounding", "tuck", "blink", "brow")
LOWER_SHARE: Final = 0.78
"""Part of the opening that the jaw makes; the upper lip makes the rest."""
CORNER_SHARE: Final = 0.35
"""How far mouth corners follow the jaw."""
HINGE: Final = (0.5, -4.0)
"""y and z of the jaw's hinge, about the ear."""
INNER_LOWER: Final = (95, 88, 178, 87, 14, 317, 402, 318, 324)
INNER_UPPER: Final = (191, 80, 81, 82, 13, 312, 311, 310, 415)
OUTER_LOWER: Final = (146, 91, 181, 84, 17, 314, 405, 321, 375)
OUTER_UPPER: Final = (185, 40, 39, 37, 0, 267, 269, 270, 409)
CORNERS: Final = (61, 78, 291, 308)
_LIDS: Final = (
    # upper lid, the same places on the lower lid, the row of skin above the lid; picture's left, then right
    ((246, 161, 160, 159, 158, 157, 173), (7, 163, 144, 145, 153, 154, 155), (247, 30, 29, 27, 28, 56, 190)),
    ((466, 388, 387, 386, 385, 384, 398), (249, 390, 373, 374, 380, 381, 382), (467, 260, 259, 257, 258, 286, 414)),
)
EYE_RINGS: Final = tuple((*upper, *lower) for upper, lower, _ in _LIDS)
EYE_ENDS: Final = ((33, 133), (263, 362))
_BROWS: Final = (105, 66, 63, 107, 70, 334, 296, 293, 336, 300, 52, 65, 282, 295)
_CHIN: Final = (152, 148, 377, 176, 400, 175, 171, 396, 199, 200, 208, 428)


@dataclass(frozen=True, slots=True)
class Rig:
    """A face at rest with closed lips, and its movements.

    Attributes
    ----------
    rest : (468, 3) float64.
    moves : for each of `MOVES` the displacement at strength 1; ``jaw`` and ``upper`` at 1 cm of opening.
    hole : (M, 3) triangles between the lips, which show the mouth's inside.
    eyes : triangles of the eyeballs, over which the lids glide.
    skin : all other triangles.
    """

    rest: Field
    moves: Mapping[str, Field]
    hole: NDArray[np.int64]
    eyes: NDArray[np.int64]
    skin: NDArray[np.int64]


def make_rig(shape: Field, canonical: CanonicalFace) -> Rig:
    """The rig of a face of shape (468, 3), pose-free; its lips are closed first.

    Parameters
    ----------
    shape : canonical units, lips open or closed.
    """
    triangles = canonical.triangles.astype(np.int64)
    within_lips = np.isin(triangles, INNER_LIP).all(axis=1)
    left, right = (
        np.isin(triangles, (*ring, *ends)).all(axis=1) for ring, ends in zip(EYE_RINGS, EYE_ENDS, strict=True)
    )
    within_eyes = left | right
    skin = triangles[~within_lips & ~within_eyes]
    harmonic = _Harmonic(triangles[~within_lips], len(shape))
    rest = shape + _closing(shape, harmonic)
    moves = {
        "jaw": _jaw(rest, harmonic),
        "upper": _upper(rest, harmonic),
        "width": _lips(rest, harmonic, corner=(0.42, 0.08, -0.10), middle=(0.0, -0.05, -0.15)),
        "rounding": _lips(rest, harmonic, corner=(-0.62, 0.0, 0.25), middle=(0.0, 0.0, 0.55)),
        "tuck": _tuck(rest, harmonic),
        "blink": _blink(rest, harmonic),
        "brow": _brow(rest, harmonic),
    }
    return Rig(rest, moves, triangles[within_lips], triangles[within_eyes], skin)


class _Harmonic:
    """Smooth spreading of values over a triangle mesh."""

    def __init__(self, triangles: NDArray[np.int64], count: int) -> None:
        links = np.zeros((count, count))
        for one, other in ((0, 1), (1, 2), (2, 0)):
            links[triangles[:, one], triangles[:, other]] = 1.0
            links[triangles[:, other], triangles[:, one]] = 1.0
        self._laplacian = np.diag(links.sum(axis=1)) - links

    def spread(self, fixed: Mapping[int, tuple[float, float, float]]) -> Field:
        """(468, 3) field with the given values at some vertices, as smooth as can be elsewhere."""
        known = np.array(sorted(fixed))
        values = np.array([fixed[vertex] for vertex in known])
        free = np.setdiff1d(np.arange(len(self._laplacian)), known)
        field = np.zeros((len(self._laplacian), 3))
        field[known] = values
        inner = self._laplacian[np.ix_(free, free)] + 1e-9 * np.eye(len(free))
        field[free] = np.linalg.solve(inner, -self._laplacian[np.ix_(free, known)] @ values)
        return field


def _still(rest: Field) -> dict[int, tuple[float, float, float]]:
    """The vertices that no mouth movement reaches: all above the nose's base, and the sides of the face."""
    base = rest[2, 1]
    above = np.flatnonzero(rest[:, 1] > base)
    return dict.fromkeys((int(vertex) for vertex in above), (0.0, 0.0, 0.0))


def _along(rest: Field, vertices: tuple[int, ...]) -> NDArray[np.float64]:
    """Position along the mouth of each vertex, -1 and 1 at the corners."""
    left, right = rest[78, 0], rest[308, 0]
    along = (2.0 * rest[list(vertices), 0] - left - right) / (right - left)
    return np.asarray(np.clip(along, -1.0, 1.0), dtype=np.float64)


def _bow(along: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 in the middle of the mouth, 0 at its corners."""
    return np.asarray((1.0 - along**2) ** 0.55, dtype=np.float64)


def _closing(shape: Field, harmonic: _Harmonic) -> Field:
    fixed = _still(shape) | dict.fromkeys(OVAL, (0.0, 0.0, 0.0))
    for upper, lower in zip(INNER_UPPER, INNER_LOWER, strict=True):
        line = (0.6 * shape[lower] + 0.4 * shape[upper]).tolist()
        fixed[upper] = tuple(np.subtract(line, shape[upper]).tolist())
        fixed[lower] = tuple(np.subtract(line, shape[lower]).tolist())
    for outer, inner in (*zip(OUTER_UPPER, INNER_UPPER, strict=True), *zip(OUTER_LOWER, INNER_LOWER, strict=True)):
        fixed[outer] = (0.0, 0.85 * fixed[inner][1], 0.0)
    return harmonic.spread(fixed)


def _jaw(rest: Field, harmonic: _Harmonic) -> Field:
    """A turn about the hinge that lowers the middle of the lower lip by 1 cm."""
    weight = _still(rest)
    ear, chin = rest[[127, 356], 1].mean(), rest[152, 1]
    for vertex in OVAL:
        depth = float(np.clip((ear - rest[vertex, 1]) / (ear - chin), 0.0, 1.0))
        weight[vertex] = (depth**1.5, 0.0, 0.0)
    for vertex in _CHIN:
        weight[vertex] = (1.0, 0.0, 0.0)
    for ring, middle in ((INNER_LOWER, 1.0), (OUTER_LOWER, 1.0), (INNER_UPPER, 0.0), (OUTER_UPPER, 0.0)):
        for vertex, bow in zip(ring, _bow(_along(rest, ring)), strict=True):
            weight[vertex] = (CORNER_SHARE + (middle - CORNER_SHARE) * float(bow), 0.0, 0.0)
    for vertex in CORNERS:
        weight[vertex] = (CORNER_SHARE, 0.0, 0.0)
    share = harmonic.spread(weight)[:, 0]
    from_hinge = rest[:, 1:] - HINGE
    turn = 1.0 / from_hinge[14, 1]
    field = np.zeros_like(rest)
    field[:, 1] = -share * turn * from_hinge[:, 1]
    field[:, 2] = share * turn * from_hinge[:, 0]
    field[:, 1] *= 1.0 / -field[14, 1]
    return field


def _upper(rest: Field, harmonic: _Harmonic) -> Field:
    fixed = _still(rest) | dict.fromkeys(OVAL, (0.0, 0.0, 0.0)) | dict.fromkeys(CORNERS, (0.0, 0.0, 0.0))
    for ring, height in ((INNER_UPPER, 1.0), (OUTER_UPPER, 0.8), (INNER_LOWER, 0.0), (OUTER_LOWER, 0.0)):
        for vertex, bow in zip(ring, _bow(_along(rest, ring)), strict=True):
            fixed[vertex] = (0.0, height * float(bow), 0.0)
    return harmonic.spread(fixed)


def _lips(
    rest: Field, harmonic: _Harmonic, corner: tuple[float, float, float], middle: tuple[float, float, float]
) -> Field:
    """Lips moved by `middle` at their middle and by `corner` (x away from the middle) at the corners."""
    fixed = _still(rest) | dict.fromkeys(OVAL, (0.0, 0.0, 0.0))
    ring = (*INNER_LIP, *OUTER_LIP)
    for vertex, along in zip(ring, _along(rest, ring), strict=True):
        out, up, front = (np.array(middle) + (np.array(corner) - middle) * abs(along)).tolist()
        fixed[vertex] = (float(np.sign(along)) * out, up, front)
    return harmonic.spread(fixed)


def _tuck(rest: Field, harmonic: _Harmonic) -> Field:
    """The lower lip drawn in and up under the upper teeth."""
    fixed = _still(rest) | dict.fromkeys((*OVAL, *CORNERS, *INNER_UPPER, *OUTER_UPPER, *_CHIN), (0.0, 0.0, 0.0))
    for ring, up, back in ((INNER_LOWER, 0.0, -0.35), (OUTER_LOWER, 0.18, -0.25)):
        for vertex, bow in zip(ring, _bow(_along(rest, ring)), strict=True):
            fixed[vertex] = (0.0, up * float(bow), back * float(bow))
    return harmonic.spread(fixed)


def _blink(rest: Field, harmonic: _Harmonic) -> Field:
    field = np.zeros_like(rest)
    for upper, lower, above in _LIDS:
        drop = rest[list(lower)] - rest[list(upper)]
        field[list(upper)] = 1.03 * drop
        field[list(above)] = 0.5 * drop
    known = {int(vertex): tuple(row.tolist()) for vertex, row in enumerate(field) if row.any()}
    eyelids = {vertex for lids in _LIDS for row in lids for vertex in row}
    fixed = {
        vertex: (0.0, 0.0, 0.0) for vertex in range(len(rest)) if vertex not in _NEAR_LIDS and vertex not in eyelids
    }
    fixed |= {vertex: (0.0, 0.0, 0.0) for lids in _LIDS for vertex in lids[1]}
    return harmonic.spread(fixed | known)


_NEAR_LIDS: Final = (113, 225, 224, 223, 222, 221, 189, 342, 445, 444, 443, 442, 441, 413)
"""Vertices between lids and brows, which follow the lids a little."""


def _brow(rest: Field, harmonic: _Harmonic) -> Field:
    fixed = dict.fromkeys((*OVAL, *EYE_RINGS[0], *EYE_RINGS[1], 4, 5, 195, 197), (0.0, 0.0, 0.0))
    fixed |= dict.fromkeys((int(v) for v in np.flatnonzero(rest[:, 1] < rest[6, 1])), (0.0, 0.0, 0.0))
    return harmonic.spread(fixed | dict.fromkeys(_BROWS, (0.0, 0.35, 0.0)))
