"""A portrait that no camera took: a plain painted face on the canonical mesh, where no picture can be fetched."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.demo.nobody import EYE_RINGS
from shared.demo.paint import paint
from shared.demo.portraits import Portrait
from shared.face.landmarks import INNER_LIP, OUTER_LIP, OVAL, CanonicalFace
from shared.face.pose import FLIP
from shared.picture.mask import polygon_mask
from shared.picture.warp import gaussian, to_uint8
from shared.types import Floats

_BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
_FACE_CM = 15.0
"""Width of the canonical face, about."""


def made_portrait(canonical: CanonicalFace, size: tuple[int, int] = (160, 144), seed: int = 0) -> Portrait:
    """A painted face, with a little texture from the seed, in the middle of a (height, width) picture."""
    height, width = size
    scale = 0.5 * width / _FACE_CM
    offset = np.array([width / 2, 0.5 * height, 0.0])
    mesh = (canonical.vertices.astype(np.float64) @ FLIP) * scale + offset
    random = np.random.default_rng(seed)
    picture = np.empty((height, width, 3), dtype=np.float32)
    picture[...] = np.array([0.45, 0.55, 0.62], dtype=np.float32) + random.normal(scale=0.02, size=3)
    _body(picture, mesh, random)
    shades = _shading(mesh, canonical) * (np.array([0.83, 0.62, 0.50]) + random.normal(scale=0.03, size=3))
    skin = np.zeros_like(picture)
    paint(mesh[:, :2], canonical.triangles.astype(np.int64), shades, skin)
    _lay(picture, skin, mesh[list(OVAL), :2])
    for brow in _BROWS:
        _lay(picture, np.array([0.22, 0.15, 0.11]), mesh[list(brow), :2])
    for ring in EYE_RINGS:
        _lay(picture, np.array([0.93, 0.92, 0.90]), mesh[list(ring), :2])
        centre, half = mesh[list(ring), :2].mean(axis=0), 0.55 * scale
        circle = centre + half * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
        iris = polygon_mask(circle, size) * polygon_mask(mesh[list(ring), :2], size)
        picture += iris[..., np.newaxis] * (np.array([0.20, 0.13, 0.08], dtype=np.float32) - picture)
    _lay(picture, np.array([0.70, 0.36, 0.34]), mesh[list(OUTER_LIP), :2])
    _lay(picture, np.array([0.30, 0.12, 0.12]), mesh[list(INNER_LIP), :2])
    grain = gaussian(random.normal(scale=0.03, size=(height, width, 1)).astype(np.float32), 0.7)
    return Portrait("made", to_uint8(gaussian(picture, 0.006 * width) + grain), mesh.astype(np.float32))


ANGLES = np.linspace(0, 2 * np.pi, 24, endpoint=False)


def _body(picture: Floats, mesh: NDArray[np.float64], random: np.random.Generator) -> None:
    """Hair behind the face, neck and shoulders."""
    height, width = picture.shape[:2]
    oval = mesh[list(OVAL), :2]
    centre, reach = oval.mean(axis=0), np.ptp(oval, axis=0) / 2
    hair = centre + (0, -0.15 * reach[1]) + np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1) * reach * (1.15, 1.2)
    neck = np.array([[-0.45, 0.5], [0.45, 0.5], [0.5, 3.0], [-0.5, 3.0]]) * reach + centre
    chest = np.array([[0, height], [0, 0.93 * height], [width / 2, 0.85 * height], [width, 0.93 * height]])
    _lay(picture, np.array([0.25, 0.17, 0.12]) + random.normal(scale=0.02, size=3), hair)
    _lay(picture, np.array([0.70, 0.52, 0.42]), neck)
    _lay(picture, np.array([0.20, 0.24, 0.34]), np.vstack([chest, [[width, height]]]))


def _shading(mesh: NDArray[np.float64], canonical: CanonicalFace) -> NDArray[np.float64]:
    """(468, 1) light from above and in front on each vertex."""
    corners = mesh[canonical.triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal[normal[:, 2] > 0] *= -1.0
    total = np.zeros_like(mesh)
    for corner in range(3):
        np.add.at(total, canonical.triangles[:, corner], normal)
    total /= np.linalg.norm(total, axis=1, keepdims=True) + 1e-9
    light = np.array([-0.25, -0.45, -0.85])
    return np.asarray(0.45 + 0.6 * np.clip(total @ light, 0.0, 1.0), dtype=np.float64)[:, np.newaxis]


def _lay(picture: Floats, colour: NDArray[np.float64] | Floats, polygon: NDArray[np.float64]) -> None:
    mask = polygon_mask(polygon, picture.shape[:2])[..., np.newaxis]
    picture += mask * (colour.astype(np.float32) - picture)
