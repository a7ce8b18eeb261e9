"""Things pasted in front of training faces: hands, rods with a head, and lumps, with textures of other pictures.

They teach the net to rebuild the face behind, and its mask to end where something is in front. Each thing is a union
of six capsules in crop coordinates (`faceswap.bend`), so that it can be drawn on the net's input and on the mask's
teacher, which show the crop by different warps, and still be the same thing in the same place of the crop.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from faceswap.draw import Draw

PARTS = 6
"""Capsules that make up one thing."""
REACH = 0.45
"""Things end within this square about the crop's middle; the face is about as large."""
FAR = 1.6
"""Where arms and rods begin, outside the crop."""
CHEEKS = ((2, 31, 41, 48), (14, 35, 46, 54))
"""iBUG points around each cheek: skin for the hands."""
SKIN_ZOOM = 0.18
"""A hand's skin is a cheek, read at this share of its size, so that eyes and lips stay out of it."""
SURROUNDINGS = (0.72, 0.9)
"""Where a crop shows no face, as distance from its middle."""
ROUND = 0.08
"""Depth below a thing's edge, in crop coordinates, at which it gets its full light."""


@dataclass(frozen=True, slots=True)
class Occluders:
    """One thing for each picture.

    Attributes
    ----------
    ends : (N, PARTS, 2, 2) float32, both ends of each capsule, x y in crop coordinates.
    radius : (N, PARTS) float32, of the capsules.
    soft : (N,) float32, width of the edge.
    skin : (N,) bool, a hand.
    """

    ends: Tensor
    radius: Tensor
    soft: Tensor
    skin: Tensor


def draw_occluders(count: int, draw: Draw) -> Occluders:
    """One hand, rod or lump each, with even chances."""
    kind = draw.whole((count,), 3)
    tip = draw.even((count, 2), -REACH, REACH)
    angle = draw.even((count,), -0.1, 1.1) * torch.pi  # from the sides and from below, seldom from above
    outward = torch.stack([angle.cos(), angle.sin()], dim=-1)
    three = [_hands(tip, outward, draw), _rods(tip, outward, draw), _lumps(tip, draw)]
    each = torch.arange(count, device=kind.device)
    ends = torch.stack([ends for ends, _ in three])[kind, each]
    radius = torch.stack([radius for _, radius in three])[kind, each]
    return Occluders(ends, radius, draw.even((count,), 0.01, 0.05), kind == 0)


def cover(things: Occluders, places: Tensor) -> tuple[Tensor, Tensor]:
    """How far (N, 2, h, w) places are covered, and how deep inside they lie, (N, 1, h, w) float32 in [0, 1] each."""
    count, _, height, width = places.shape
    inside = torch.full((count, height * width), -FAR, device=places.device)
    x, y = places.flatten(2).unbind(1)
    start = things.ends[:, :, 0, :, None]
    along = things.ends[:, :, 1, :, None] - start
    pace = along / along.square().sum(dim=2, keepdim=True).clamp_min(1e-6)
    for part in range(PARTS):
        # Planes of x and of y: a norm over a dimension of two is thirty times slower.
        away_x, away_y = x - start[:, part, 0], y - start[:, part, 1]
        share = (away_x * pace[:, part, 0]).addcmul_(away_y, pace[:, part, 1]).clamp_(0.0, 1.0)
        away_x.addcmul_(share, along[:, part, 0], value=-1.0)
        away_y.addcmul_(share, along[:, part, 1], value=-1.0)
        distance = away_x.square_().addcmul_(away_y, away_y).sqrt_()
        inside = torch.maximum(inside, things.radius[:, part, None] - distance)
    alpha = (inside / things.soft[:, None] + 0.5).clamp_(0.0, 1.0)
    depth = (inside / ROUND).clamp_(0.0, 1.0)
    return alpha.view(count, 1, height, width), depth.view(count, 1, height, width)


def texture_places(things: Occluders, places: Tensor, landmarks: Tensor, draw: Draw) -> Tensor:
    """Where in another crop each thing's texture is read: on a cheek for a hand, else beside the face.

    Parameters
    ----------
    places : (N, 2, h, w) crop coordinates of the picture that the thing is pasted into.
    landmarks : (N, 68, 2) crop coordinates of the other crops' faces.

    Returns
    -------
    (N, 2, h, w) crop coordinates; may lie outside, to be mirrored at the edge.
    """
    count = len(places)
    left = draw.even((count,)) < 0.5
    first, second = (landmarks[:, cheek].mean(dim=1) for cheek in CHEEKS)
    cheek = torch.where(left[:, None], first, second)
    angle = draw.even((count,), 0.0, 2 * torch.pi)
    around = torch.stack([angle.cos(), angle.sin()], dim=-1)
    beside = around / around.abs().amax(dim=1, keepdim=True) * draw.even((count, 1), *SURROUNDINGS)
    middle = torch.where(things.skin[:, None], cheek, beside)
    zoom = torch.where(things.skin, SKIN_ZOOM, draw.even((count,), 0.2, 0.6))
    tip = things.ends[:, 0, 1]
    return middle[..., None, None] + zoom[:, None, None, None] * (places - tip[..., None, None])


def paint(texture: Tensor, things: Occluders, depth: Tensor, draw: Draw) -> Tensor:
    """Give a texture, (N, 3, h, w), another colour, but a hand the hue of skin, and the light of a round thing."""
    count = len(texture)
    light = draw.even((count, 1), 0.7, 1.2)
    tint = draw.even((count, 3), -0.5, 0.5) * torch.where(things.skin, 0.1, 1.0)[:, None]
    other = torch.where(things.skin[:, None], 0.0, draw.even((count, 3), -0.3, 0.3))
    shade = 0.6 + 0.4 * depth
    return ((texture * (light + tint)[..., None, None] + other[..., None, None]) * shade).clamp_(0.0, 1.0)


def _hands(tip: Tensor, outward: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """Palm, arm and four fingers: ends (N, PARTS, 2, 2), radii (N, PARTS); `tip` is the palm's middle."""
    count = len(tip)
    size = draw.even((count, 1), 0.7, 1.2)
    across = torch.stack([-outward[:, 1], outward[:, 0]], dim=-1)
    knuckles = tip - outward * 0.1 * size
    capsules = [(tip + outward * 0.08 * size, tip), (tip + outward * 0.1 * size, tip + outward * FAR)]
    bow = draw.even((count, 1), -0.35, 0.35)
    for finger in range(4):
        side = (finger - 1.5) * 0.085
        spread = across * ((finger - 1.5) * draw.even((count, 1), 0.0, 0.35) + bow) - outward
        reach = draw.even((count, 1), 0.12, 0.34) * size
        start = knuckles + across * side * size
        capsules.append((start, start + spread * reach))
    radius = torch.cat([0.15 * size, 0.11 * size, *([0.045 * size] * 4)], dim=1)
    return torch.stack([torch.stack(ends, dim=1) for ends in capsules], dim=1), radius


def _rods(tip: Tensor, outward: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """A bar from outside with a head at its end, as of a microphone; some have none, some are wide."""
    count = len(tip)
    thick = draw.even((count, 1), 0.02, 0.1)
    head = torch.where(draw.even((count, 1)) < 0.6, draw.even((count, 1), 0.06, 0.18), thick)
    bar, end = torch.stack([tip + outward * FAR, tip], dim=1), torch.stack([tip + outward * 0.05, tip], dim=1)
    ends = torch.stack([bar, *([end] * (PARTS - 1))], dim=1)
    return ends, torch.cat([thick, head.expand(-1, PARTS - 1)], dim=1)


def _lumps(tip: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """A heap of short capsules, each beginning where the last one ended."""
    count = len(tip)
    steps = draw.normal((count, PARTS, 2)) * 0.12
    knees = torch.cat([tip[:, None], tip[:, None] + steps.cumsum(dim=1)], dim=1)
    return torch.stack([knees[:, :-1], knees[:, 1:]], dim=2), draw.even((count, PARTS), 0.03, 0.14)
