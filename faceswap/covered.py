"""Which faces have something in front of them: a hand, a microphone, a cup.

The skin of each face is read at the same places of the face, whatever its pose and expression (a shape-free texture:
Cootes, Edwards, Taylor, "Active appearance models", PAMI 2001). What neither a smooth change of light nor the few ways
in which this person's skin usually changes explain, and what lies together, is something else.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay, cKDTree

from shared.face.landmarks import canonical_face
from shared.picture.colour import lab_from_rgb
from shared.picture.warp import piecewise_warp, resize, to_float
from shared.types import Floats

Doubles = NDArray[np.float64]
STEP_CM: Final = 0.75
"""Distance of the places on the canonical face."""
READ_PX: Final = 128
"""Side of the copy of the crop that is read."""
INSIDE: Final = 1.06
"""Places this much further from the middle of the face must still lie in its hull: no background is read."""
MOUTH_GROW: Final = 1.1
TOGETHER: Final = 9
"""Neighbouring places whose difference is averaged: an occluder covers several."""
WAYS: Final = (0, 4, 10, 20)
"""Principal components taken out, round after round: first what is far from the median must go, or it is learned."""
FACES_A_WAY: Final = 6
"""Fewer faces than this do not tell a way of change from a chance."""
USUAL: Final = 0.6
"""Share of the faces that the next round learns from."""
MOST_LEARNED: Final = 400
FEWEST_FACES: Final = 40
"""Fewer faces do not tell what is usual."""


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the skin is read."""

    weights: Floats
    """(P, 68): a place is the so weighted mean of the landmarks."""
    near: NDArray[np.intp]
    """(P, TOGETHER) numbers of the places around each, itself among them."""
    smooth: Doubles
    """(P, 6) orthonormal: what a light that changes smoothly over the face can do."""


def texture_of(crop: NDArray[np.uint8], landmarks: Floats) -> NDArray[np.uint8]:
    """The skin at the fixed places of a face, (P, 3) RGB.

    Parameters
    ----------
    crop : (S, S, 3) RGB.
    landmarks : (68, 2) pixels of the crop.
    """
    places = (_places().weights @ landmarks + 0.5) * (READ_PX / crop.shape[0]) - 0.5
    small = resize(crop, (READ_PX, READ_PX))
    return np.asarray(piecewise_warp(small, places[:, :1], places[:, 1:])[:, 0])


def unusual(textures: NDArray[np.uint8]) -> Floats:
    """How unlike the others each face looks where it does most, (N,) in units of CIE L*a*b*; NaN where too few.

    Of real clips, 96 to 100 in 100 faces with nothing in front stay below 7.5; a hand on the chin comes to 8 to 12.

    Parameters
    ----------
    textures : (N, P, 3) uint8 of one person, from `texture_of`.
    """
    count = len(textures)
    if count < FEWEST_FACES:
        return np.full(count, np.nan, dtype=np.float32)
    places = _places()
    lab = lab_from_rgb(to_float(textures)).astype(np.float64)
    lab -= places.smooth @ np.einsum("pk,npc->nkc", places.smooth, lab)
    flat = lab.reshape(count, -1)
    usual = np.arange(count)
    score = np.zeros(count)
    for ways in WAYS:
        learned = flat[usual[np.linspace(0, len(usual) - 1, min(len(usual), MOST_LEARNED)).astype(np.intp)]]
        middle = np.median(learned, axis=0)
        first = flat.shape[1] - min(ways, len(learned) // FACES_A_WAY)
        axes = np.linalg.eigh((learned - middle).T @ (learned - middle))[1][:, first:]
        rest = flat - middle
        rest -= (rest @ axes) @ axes.T
        apart = (rest.reshape(count, -1, 3) ** 2).sum(axis=2)
        score = np.sqrt(apart[:, places.near].mean(axis=2)).max(axis=1)
        usual = np.flatnonzero(score <= np.quantile(score, USUAL))
    return score.astype(np.float32)


@functools.lru_cache(maxsize=1)
def _places() -> _Places:
    face = canonical_face().landmarks[:, :2].astype(np.float64) * (1.0, -1.0)
    low, high = face.min(axis=0), face.max(axis=0)
    across, down = np.meshgrid(np.arange(low[0], high[0], STEP_CM), np.arange(low[1], high[1], STEP_CM))
    points = np.stack([across.ravel(), down.ravel()], axis=1)
    mesh = Delaunay(face)
    middle = face.mean(axis=0)
    inside = mesh.find_simplex(middle + (points - middle) * INSIDE) >= 0
    inside &= points[:, 1] > face[36:48, 1].max()  # brows and lids move and crease too much to tell anything
    lips = face[48:60].mean(axis=0) + (face[48:60] - face[48:60].mean(axis=0)) * MOUTH_GROW
    inside &= Delaunay(lips).find_simplex(points) < 0
    points = points[inside]
    found = mesh.find_simplex(points)
    corners = mesh.transform[found]
    two = np.einsum("pij,pj->pi", corners[:, :2], points - corners[:, 2])
    weights = np.zeros((len(points), 68), dtype=np.float32)
    np.put_along_axis(weights, mesh.simplices[found], np.column_stack([two, 1 - two.sum(axis=1)]), axis=1)
    x, y = ((points - points.mean(axis=0)) / points.std(axis=0)).T
    smooth = np.linalg.qr(np.column_stack([np.ones_like(x), x, y, x * x, x * y, y * y]))[0]
    near = np.asarray(cKDTree(points).query(points, TOGETHER)[1], dtype=np.intp)
    return _Places(weights, near, smooth)
