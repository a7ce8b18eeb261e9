"""Blending and reshaping, on painted faces; the real cast where its portraits are in the cache."""

from __future__ import annotations

import numpy as np
import pytest

from shared.demo.cast import make_cast
from shared.demo.nobody import Recipe, blended, mirror_vertices
from shared.demo.portraits import PORTRAITS, Portrait
from shared.demo.reshape import Reshape, reshaped
from shared.face.detect import make_finder
from shared.face.identity import THRESHOLD, Embedder
from shared.face.landmarks import canonical_face
from shared.store.weights import check_weights
from tests.shared.demo.made import made_portrait

pytestmark = [pytest.mark.weights, pytest.mark.usefixtures("weights")]
SIZE = (160, 144)


def _two() -> dict[str, Portrait]:
    canonical = canonical_face()
    return {"one": made_portrait(canonical, SIZE, seed=1), "two": made_portrait(canonical, SIZE, seed=2)}


def test_a_recipe_of_one_face_without_edits_gives_that_face_back() -> None:
    portraits = _two()
    recipe = Recipe("one", {"one": 1.0}, {}, mirror=0.0, face_width=0.5)
    made = blended(portraits, recipe, canonical_face(), SIZE)
    shift = made.mesh[4, :2] - portraits["one"].mesh[4, :2]
    assert np.abs(made.mesh[:, :2] - portraits["one"].mesh[:, :2] - shift).max() < 2.5
    face = slice(50, 110), slice(50, 94)
    moved = np.roll(portraits["one"].picture, np.rint(shift[::-1]).astype(int), axis=(0, 1))
    assert np.abs(made.picture[face].astype(int) - moved[face]).mean() < 12


def test_parts_come_from_the_face_that_the_recipe_names() -> None:
    portraits = _two()
    green = portraits["two"].picture.copy()
    green[..., 1] = np.minimum(green[..., 1].astype(int) + 60, 255)
    portraits["two"] = Portrait("two", green, portraits["two"].mesh)
    recipe = Recipe("one", {"one": 1.0}, {"mouth": {"two": 1.0}}, mirror=0.0)
    mixed = blended(portraits, recipe, canonical_face(), SIZE)
    plain = blended(portraits, Recipe("one", {"one": 1.0}, {}, mirror=0.0), canonical_face(), SIZE)
    difference = np.abs(mixed.picture.astype(int) - plain.picture).sum(axis=2)
    mouth = np.rint(mixed.mesh[17, :2]).astype(int)
    brow = np.rint(mixed.mesh[9, :2]).astype(int)
    assert difference[mouth[1], mouth[0]] > 2 * difference[brow[1], brow[0]]


def test_edits_move_what_they_name_and_little_else() -> None:
    canonical = canonical_face()
    rest = canonical.vertices.astype(np.float64)
    plain = reshaped(rest, Reshape(), canonical)
    wide = reshaped(rest, Reshape(nose_width=0.2), canonical)
    assert np.array_equal(plain, rest)
    assert wide[327, 0] - wide[98, 0] > 1.05 * (rest[327, 0] - rest[98, 0])
    assert np.abs(wide[[10, 152, 61, 291]] - rest[[10, 152, 61, 291]]).max() < 0.06


def test_mirroring_pairs_left_with_right() -> None:
    partner = mirror_vertices(canonical_face())
    assert partner[33] == 263
    assert partner[61] == 291
    assert np.array_equal(partner[partner], np.arange(468))


def test_the_actors_are_nobody() -> None:
    names = {f"portrait_{name}" for name in PORTRAITS}
    if any(one.state != "ok" for one in check_weights() if one.weight.name in names):
        pytest.skip("the portraits are not in the cache; run `lipswap demo` once")
    cast = make_cast(make_finder(), Embedder())
    assert cast.is_nobody
    assert max(max(row.values()) for row in cast.likeness) < THRESHOLD - 0.02
    assert cast.between < THRESHOLD - 0.02
