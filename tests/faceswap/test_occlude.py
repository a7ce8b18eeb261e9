"""Things in front of faces: their shape against a slow one, where their textures come from."""

from __future__ import annotations

import itertools

import numpy as np
import torch

from faceswap import bend, occlude
from faceswap.draw import Draw
from tests.faceswap.drawn import face_points

CPU = torch.device("cpu")
COUNT = 60


def drawing(seed: int = 0) -> Draw:
    return Draw(torch.Generator().manual_seed(seed), CPU)


def view(count: int, side: int) -> torch.Tensor:
    return bend.straight(torch.eye(2).expand(count, -1, -1), torch.zeros(count, 2), side)


def test_a_thing_is_a_union_of_capsules() -> None:
    things = occlude.draw_occluders(4, drawing())
    alpha, depth = occlude.cover(things, view(4, 20))
    places = view(4, 20).double().numpy()
    for number, row, column in itertools.product(range(4), range(0, 20, 3), range(0, 20, 3)):
        place = places[number, :, row, column]
        inside = -np.inf
        for (start, end), radius in zip(things.ends[number].double().numpy(), things.radius[number], strict=True):
            along = end - start
            length = float(along @ along)
            share = np.clip((place - start) @ along / length, 0, 1) if length > 0 else 0.0
            inside = max(inside, float(radius) - float(np.linalg.norm(place - start - share * along)))
        wanted = np.clip(inside / float(things.soft[number]) + 0.5, 0, 1)
        assert abs(float(alpha[number, 0, row, column]) - wanted) < 1e-3
        assert abs(float(depth[number, 0, row, column]) - np.clip(inside / occlude.ROUND, 0, 1)) < 1e-3


def test_all_three_kinds_are_drawn_and_cover_a_part_of_the_face() -> None:
    things = occlude.draw_occluders(COUNT, drawing(1))
    share = occlude.cover(things, view(COUNT, 48))[0].mean(dim=(1, 2, 3))
    assert 10 < int(things.skin.sum()) < 30
    assert float(share.min()) > 0.002
    assert float(share.max()) < 0.5
    assert 0.04 < float(share.mean()) < 0.2


def test_hands_are_made_of_cheeks_and_other_things_of_what_lies_beside_the_face() -> None:
    things = occlude.draw_occluders(COUNT, drawing(2))
    landmarks = torch.from_numpy(face_points((0.0, 0.0), 0.9, 0.05)).expand(COUNT, -1, -1)
    places = occlude.texture_places(things, view(COUNT, 32), landmarks, drawing(3))
    tip = things.ends[:, 0, 1]
    nearest = (view(COUNT, 32) - tip[..., None, None]).square().sum(dim=1).flatten(1).argmin(dim=1)
    middle = places.flatten(2)[torch.arange(COUNT), :, nearest]
    hull = landmarks[0].abs().amax(dim=0)
    inside = (middle.abs() < hull).all(dim=1)
    assert bool(inside[things.skin].all())
    assert float((~inside[~things.skin]).float().mean()) > 0.8


def test_paint_keeps_hands_near_the_hue_of_skin_and_shades_towards_the_edge() -> None:
    things = occlude.draw_occluders(COUNT, drawing(4))
    skin = torch.tensor([0.75, 0.55, 0.45])[:, None, None].expand(COUNT, 3, 8, 8)
    deep = occlude.paint(skin, things, torch.ones(COUNT, 1, 8, 8), drawing(5))
    edge = occlude.paint(skin, things, torch.zeros(COUNT, 1, 8, 8), drawing(5))
    assert bool((edge <= deep).all())
    red_over_blue = (deep[:, 0] / deep[:, 2].clamp_min(1e-3)).mean(dim=(1, 2))
    hands = red_over_blue[things.skin]
    assert 1.3 < float(hands.min()) <= float(hands.max()) < 2.1
    assert float(red_over_blue[~things.skin].std()) > 2 * float(hands.std())
