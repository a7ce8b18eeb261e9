"""A face that belongs to nobody: shape and texture mixed part by part from several portraits, then reshaped.

A plain average of faces still resembles each of them to a face embedding. So each part (eyes, brows, nose, mouth, jaw,
forehead) has weights of its own, left and right are partly mirrored, and the shape is moved off the line between the
portraits by named edits. Hair, ears, neck and clothes are those of one portrait, warped to the new shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.demo.paint import identity_maps, paint, spread, surround
from shared.demo.portraits import Portrait, scaled
from shared.demo.reshape import Reshape, reshaped
from shared.face.landmarks import OUTER_LIP, OVAL, CanonicalFace
from shared.face.pose import FacePose, fit_pose
from shared.picture.colour import lab_from_rgb, rgb_from_lab
from shared.picture.mask import erode, feather, polygon_mask
from shared.picture.warp import piecewise_warp, resize, to_float, to_uint8
from shared.types import Floats

Weights = Mapping[str, float]
"""Portrait name -> share; shares are normalised."""

PARTS: Final[Mapping[str, tuple[tuple[int, ...], float]]] = {
    "eyes": ((33, 133, 159, 145, 263, 362, 386, 374), 2.0),
    "brows": ((105, 66, 52, 334, 296, 282), 1.6),
    "nose": ((4, 5, 195, 98, 327), 2.4),
    "mouth": ((61, 291, 0, 17, 13, 14), 2.2),
    "jaw": ((152, 176, 400, 172, 397), 3.0),
    "forehead": ((10, 151, 9, 109, 338, 67, 297, 103, 332, 54, 284, 21, 251, 69, 299, 104, 333, 68, 298), 2.2),
}
"""Part -> vertices at its heart, and its reach in canonical centimetres."""
PART_STRENGTH: Final = 6.0
"""Weight of a part at its heart over the weight of the whole face."""
EYE_RINGS: Final = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
)
EDGE: Final = 0.045
"""How far inside the oval the blended texture begins, in face widths; its soft edge is as wide."""
CONTRAST_LIMIT: Final = 1.3


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one nobody is made."""

    base: str
    """The portrait that gives hair, ears, neck and clothes."""
    whole: Weights
    """Shares in the face as a whole."""
    parts: Mapping[str, Weights]
    """Shares at each part of `PARTS`."""
    reshape: Reshape = field(default_factory=Reshape)
    mirror: float = 0.25
    """Share of the mirrored shape, [0, 0.5]; 0.5 makes a symmetric face."""
    lip_colour: float = 1.0
    """How much of the lips' own colour stays, [0, 1]."""
    face_width: float = 0.5
    """Width of the base's face, in widths of the finished picture."""
    centre: tuple[float, float] = (0.5, 0.46)
    """Middle of the base's face, in widths and heights of the finished picture."""


def blended(
    portraits: Mapping[str, Portrait], recipe: Recipe, canonical: CanonicalFace, size: tuple[int, int]
) -> Portrait:
    """The portrait of a nobody, made by a recipe.

    Parameters
    ----------
    portraits : by name; at least those that the recipe names.
    size : (height, width) of the picture to make, pixels.
    """
    base = portraits[recipe.base]
    face_px = recipe.face_width * size[1]
    scale = face_px / base.face_width_px
    base = scaled(base, scale, (recipe.centre[0] * size[1], recipe.centre[1] * size[0]), size)
    names = [name for name in portraits if _is_used(recipe, name)]
    shares = _shares(recipe, names, canonical)
    shape = _shape([portraits[name] for name in names], shares, recipe, canonical)
    mesh = _pose(base, canonical).to_frame(shape)
    places = mesh[:, :2].astype(np.float64)
    around = to_float(_reshaped_base(base, places, canonical))
    lab = lab_from_rgb(around)
    skin = _skin_mask(places, size)
    mixed = np.zeros_like(lab)
    spread_shares = np.zeros((*size, len(names)), dtype=np.float32)
    paint(places, canonical.triangles.astype(np.int64), shares.T, spread_shares)
    for number, name in enumerate(names):
        texture = _texture(portraits[name], places, face_px, canonical, size)
        mixed += _coloured(lab_from_rgb(texture), lab, skin) * spread_shares[..., number : number + 1]
    mixed = _lips_toned(mixed, places, skin, recipe.lip_colour)
    edge = EDGE * face_px
    inside = feather(erode(polygon_mask(places[list(OVAL)], size), 1.5 * edge), 2.0 * edge)[..., np.newaxis]
    picture = rgb_from_lab(mixed * inside + lab * (1.0 - inside))
    return Portrait(f"nobody on {recipe.base}", to_uint8(picture), mesh)


def _is_used(recipe: Recipe, name: str) -> bool:
    return any(weights.get(name, 0.0) > 0 for weights in (recipe.whole, *recipe.parts.values()))


def _shares(recipe: Recipe, names: list[str], canonical: CanonicalFace) -> NDArray[np.float64]:
    """(P, 468) share of each portrait at each vertex; columns sum to 1."""
    total = _row(recipe.whole, names)[:, np.newaxis] * np.ones(len(canonical.vertices))
    flat = canonical.vertices[:, :2].astype(np.float64)
    for part, weights in recipe.parts.items():
        heart, reach_cm = PARTS[part]
        apart = np.linalg.norm(flat[:, np.newaxis] - flat[np.newaxis, list(heart)], axis=2).min(axis=1)
        pull = PART_STRENGTH * np.exp(-(apart**2) / (2 * reach_cm**2))
        total += _row(weights, names)[:, np.newaxis] * pull
    return np.asarray(total / total.sum(axis=0), dtype=np.float64)


def _row(weights: Weights, names: list[str]) -> NDArray[np.float64]:
    row = np.array([weights.get(name, 0.0) for name in names], dtype=np.float64)
    return np.asarray(row / row.sum(), dtype=np.float64)


def _shape(
    portraits: list[Portrait], shares: NDArray[np.float64], recipe: Recipe, canonical: CanonicalFace
) -> NDArray[np.float32]:
    """(468, 3) pose-free shape of the nobody, canonical units."""
    mean = np.zeros((468, 3), dtype=np.float64)
    for portrait, share in zip(portraits, shares, strict=True):
        mean += share[:, np.newaxis] * _pose(portrait, canonical).to_face(portrait.mesh)
    mirrored = mean[mirror_vertices(canonical)] * (-1.0, 1.0, 1.0)
    mean = (1.0 - recipe.mirror) * mean + recipe.mirror * mirrored
    return reshaped(mean, recipe.reshape, canonical).astype(np.float32)


def mirror_vertices(canonical: CanonicalFace) -> NDArray[np.intp]:
    """(468,) for each vertex its partner on the other half of the face."""
    here = canonical.vertices.astype(np.float64)
    there = here * (-1.0, 1.0, 1.0)
    apart = np.linalg.norm(there[:, np.newaxis] - here[np.newaxis], axis=2)
    return np.asarray(apart.argmin(axis=1), dtype=np.intp)


def _pose(portrait: Portrait, canonical: CanonicalFace) -> FacePose:
    return fit_pose(portrait.mesh, canonical.vertices)


def _reshaped_base(base: Portrait, places: NDArray[np.float64], canonical: CanonicalFace) -> NDArray[np.uint8]:
    """The base portrait with its face, and less and less what is around it, warped to new vertex places."""
    size = (base.picture.shape[0], base.picture.shape[1])
    old = base.mesh[:, :2].astype(np.float64)
    ring = surround(old, size, size[1] / 24)
    moved = spread((places - old)[list(OVAL)], old[list(OVAL)], ring.points, 0.45 * base.face_width_px)
    border = (ring.points <= 0).any(axis=1) | (ring.points >= (size[1] - 1, size[0] - 1)).any(axis=1)
    moved[border] = 0.0
    maps = identity_maps(size)
    triangles = np.concatenate([ring.triangles, canonical.triangles.astype(np.int64)])
    paint(np.concatenate([places, ring.points + moved]), triangles, np.concatenate([old, ring.points]), maps)
    return piecewise_warp(base.picture, maps[..., 0], maps[..., 1])


def _texture(
    portrait: Portrait, places: NDArray[np.float64], face_px: float, canonical: CanonicalFace, size: tuple[int, int]
) -> Floats:
    """The face of a portrait, warped so that its vertices lie at `places`."""
    picture, mesh = portrait.picture, portrait.mesh[:, :2].astype(np.float64)
    shrink = face_px / portrait.face_width_px
    if shrink < 1.0:
        small = (round(picture.shape[0] * shrink), round(picture.shape[1] * shrink))
        picture, mesh = resize(picture, small), (mesh + 0.5) * shrink - 0.5
    maps = np.zeros((*size, 2), dtype=np.float32)
    paint(places, canonical.triangles.astype(np.int64), mesh, maps)
    return to_float(piecewise_warp(picture, maps[..., 0], maps[..., 1]))


def _skin_mask(places: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    mask = polygon_mask(places[list(OVAL)], size)
    for ring in (OUTER_LIP, *EYE_RINGS):
        mask = mask * (1.0 - polygon_mask(places[list(ring)], size))
    return np.asarray(mask > 0.5)


def _coloured(texture: Floats, wanted: Floats, skin: NDArray[np.bool_]) -> Floats:
    """A Lab texture with the skin colour of `wanted`, and half of its contrast."""
    mean, new_mean = texture[skin].mean(axis=0), wanted[skin].mean(axis=0)
    ratio = np.minimum(wanted[skin].std(axis=0) / np.maximum(texture[skin].std(axis=0), 1e-3), CONTRAST_LIMIT)
    return np.asarray((texture - mean) * (0.5 + 0.5 * ratio) + new_mean, dtype=np.float32)


def _lips_toned(lab: Floats, places: NDArray[np.float64], skin: NDArray[np.bool_], keep: float) -> Floats:
    lips = feather(polygon_mask(places[list(OUTER_LIP)], skin.shape), 6.0)
    share = (1.0 - keep) * lips[..., np.newaxis] * np.array([0.0, 1.0, 1.0], dtype=np.float32)
    return np.asarray(lab * (1.0 - share) + lab[skin].mean(axis=0) * share, dtype=np.float32)
