"""Where each pixel of a training picture is read: similarities, the 5x5 warp, the warp to other landmarks.

Places are crop coordinates, x to the right and y down, -1 and 1 at the crop's edges; as a picture's they are planes
(N, 2, side, side). Every warp is a product with a matrix that is known beforehand, but for the landmark warp.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from faceswap.align import VIEW_SHARE
from faceswap.draw import Draw
from faceswap.options import AugmentOptions

GRID = 5
GRID_SHARE = 0.625
"""The 5x5 points span the central 160 of 256 px."""
COARSE = 33
"""Side of the lattice on which the landmark warp is worked out; between its nodes it is linear."""
AT_ONCE = 4
"""Faces whose warp to landmarks is worked out at a time on a CPU, so that its caches suffice."""
SMOOTH = 0.04
"""Radius of the multiquadric's round tip, in crop coordinates: about a third of an eye."""
SLACK = 1e-3
"""Added to the diagonal, so that points which fall together (closed lips) share what they cannot both have."""
RING = 6
"""Points on each side of the crop that the landmark warp leaves where they are."""
COUNTS = (*(1.0,) * 36, *(4.0,) * 12, *(2.0,) * 20)
"""How much each iBUG point counts when shapes are compared: most by the eyes and then the lips, which move most."""
GAPS = ((37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65))
"""Facing points of the lids and of the inner lips."""
MOST_STRETCH = 1.5
LEAST_GAP = 0.01
"""A gap becomes at most so many times as wide or as narrow, and so much in crop coordinates: lashes and lips torn open
look like nothing that a face does, and from a mouth pressed shut no net can learn to open one."""
MIRRORED = (
    *reversed(range(17)),
    *reversed(range(17, 27)),
    *range(27, 31),
    *reversed(range(31, 36)),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
    *(64, 63, 62, 61, 60, 67, 66, 65),
    *(69, 68),
)
"""Number of each iBUG point's twin on the other side of the face; the irises, where they are told, come after those."""


def similarities(count: int, options: AugmentOptions, draw: Draw) -> tuple[Tensor, Tensor]:
    """(N, 2, 2) turn, zoom and mirror, and (N, 2) shift, of random similarities."""
    angle = draw.even((count,), -1.0, 1.0) * math.radians(options.rotation_deg)
    scale = 1 + draw.even((count,), -1.0, 1.0) * options.zoom
    shift = draw.even((count, 2), -1.0, 1.0) * (2 * options.shift)
    mirror = torch.ones_like(shift)
    mirror[:, 0] = torch.where(draw.even((count,)) < options.flip, -1.0, 1.0)
    return _turn(scale * torch.cos(angle), scale * torch.sin(angle)) * mirror[:, None], shift


def nodes(device: torch.device) -> Tensor:
    """The 5x5 points where they lie unmoved, (25, 2)."""
    return _points(GRID, GRID_SHARE, device).view(GRID * GRID, 2)


def unit_points(landmarks: Tensor, size: int) -> Tensor:
    """Pixels of a crop of `size` to crop coordinates."""
    return (landmarks + 0.5) * (2.0 / size) - 1.0


def moved(points: Tensor, turn: Tensor, shift: Tensor) -> Tensor:
    """(N, P, 2) points through (N, 2, 2) and (N, 2)."""
    return points @ turn.transpose(1, 2) + shift[:, None]


def seen_through(landmarks: Tensor, turn: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Where (N, 68 or 70, 2) points lie in crops read through similarities, in iBUG's order, and which are mirrored."""
    # The similarity leads from the place that is read to where it is read; this is the way back.
    back = torch.linalg.inv(turn)
    seen = (landmarks - shift[:, None]) @ back.transpose(1, 2)
    mirror = torch.linalg.det(turn) < 0
    twins = _twins(landmarks)
    return torch.where(mirror[:, None, None], seen[:, twins], seen), mirror


def fit(points: Tensor, bent: Tensor) -> tuple[Tensor, Tensor]:
    """Least-squares similarity, (N, 2, 2) and (N, 2), that brings centred `points` (P, 2) onto (N, P, 2) `bent`."""
    spread = points.square().sum()
    real = (points * bent).sum(dim=(1, 2)) / spread
    imaginary = (points[:, 0] * bent[..., 1] - points[:, 1] * bent[..., 0]).sum(dim=1) / spread
    return _turn(real, imaginary), bent.mean(dim=1)


def straight(turn: Tensor, shift: Tensor, side: int) -> Tensor:
    """Pixel centres of the view through a similarity, (N, 2, side, side)."""
    places = torch.cat([turn, shift[..., None]], dim=2) @ _view(side, turn.device)
    return places.view(-1, 2, side, side)


def bent(moved_nodes: Tensor, side: int) -> Tensor:
    """Pixel centres of the view among moved 5x5 points (N, 25, 2), linear between them, (N, 2, side, side)."""
    places = moved_nodes.transpose(1, 2) @ _between(side, moved_nodes.device)
    return places.view(-1, 2, side, side)


def nearest(landmarks: Tensor, others: Tensor, most: int, draw: Draw, mirror: bool = False) -> Tensor:
    """For each of (N, 68, 2) landmarks one of the `most` of (M, 68, 2) `others` that are nearest in shape.

    Its lids and lips are then opened about as far as these faces have theirs, for what the target shows of them must
    be seen in the input.

    Parameters
    ----------
    mirror : the others may be seen in a mirror, too.
    """
    counts = torch.tensor(COUNTS, device=landmarks.device)[:, None]
    # A face is as far from another's mirror image as its own mirror image is from the other.
    seen = [landmarks, mirrored(landmarks)] if mirror else [landmarks]
    theirs = (others * counts).flatten(1)
    distance = torch.cat([torch.cdist((one * counts).flatten(1), theirs) for one in seen], dim=1)
    ranked = distance.topk(min(most, distance.shape[1]), dim=1, largest=False).indices
    number = ranked.gather(1, draw.whole((len(landmarks), 1), ranked.shape[1]))[:, 0]
    chosen = others[number % len(others)]
    chosen = torch.where((number < len(others))[:, None, None], chosen, mirrored(chosen))
    return _as_open(landmarks, chosen)


def _as_open(landmarks: Tensor, wanted: Tensor) -> Tensor:
    """The wanted landmarks with lids and lips about as far open as those of (N, 68, 2) landmarks."""
    first, second = torch.tensor(GAPS, device=wanted.device).T
    middle = (wanted[:, first] + wanted[:, second]) / 2
    own, gap = landmarks[:, second] - landmarks[:, first], wanted[:, second] - wanted[:, first]
    wide = torch.linalg.vector_norm(own, dim=2, keepdim=True)
    length = torch.linalg.vector_norm(gap, dim=2, keepdim=True)
    limited = length.clamp(wide / MOST_STRETCH - LEAST_GAP, wide * MOST_STRETCH + LEAST_GAP).clamp_min(0.0)
    # A shut gap has no direction of its own.
    along = torch.where(length > LEAST_GAP / 10, gap / length.clamp_min(1e-6), own / wide.clamp_min(1e-6))
    opened = wanted.clone()
    opened[:, first], opened[:, second] = middle - along * limited / 2, middle + along * limited / 2
    return opened


def mirrored(landmarks: Tensor) -> Tensor:
    """Faces seen in a mirror, (N, 68 or 70, 2) crop coordinates, in iBUG's order again."""
    across = torch.tensor([-1.0, 1.0], device=landmarks.device)
    return landmarks[:, _twins(landmarks)] * across


def onto_landmarks(landmarks: Tensor, others: Tensor, turn: Tensor, shift: Tensor, side: int) -> Tensor:
    """Places that show each crop with its landmarks where `others` lie, (N, 2, side, side), after a similarity.

    A smooth field through the 68 points, that is still at the crop's edge: multiquadrics and a constant (Hardy,
    "Multiquadric equations of topography and other irregular surfaces", J. Geophysical Research 76(8), 1971).

    Parameters
    ----------
    landmarks : (N, 68, 2) crop coordinates of the crops that are read.
    others : (N, 68, 2) crop coordinates, where they are to be seen.
    turn, shift : (N, 2, 2) and (N, 2), the similarity by which the view is placed among `others`.
    """
    count, device = len(landmarks), landmarks.device
    ring = _ring(device).expand(count, -1, -1)
    centres = torch.cat([others, ring], dim=1)
    weights = _multiquadric(centres, torch.cat([landmarks - others, torch.zeros_like(ring)], dim=1))
    places = torch.cat([turn, shift[..., None]], dim=2) @ _view(COARSE, device, whole=True)
    at_once = AT_ONCE if device.type == "cpu" else count
    for first in range(0, count, at_once):
        some = slice(first, first + at_once)
        places[some] += weights[some, :-1].transpose(1, 2) @ _kernel(centres[some], places[some])
    places += weights[:, -1, :, None]
    finer = _hats(side, COARSE, device)
    return finer @ places.view(count, 2, COARSE, COARSE) @ finer.T


def _multiquadric(centres: Tensor, values: Tensor) -> Tensor:
    """Weights (N, P + 1, 2) of the kernels at (N, P, 2) centres and of the constant, for (N, P, 2) values there."""
    count, points, _ = centres.shape
    system = centres.new_zeros(count, points + 1, points + 1)
    system[:, :points, :points] = _kernel(centres, centres.transpose(1, 2))
    system[:, :points, :points].diagonal(dim1=1, dim2=2).sub_(SLACK)
    system[:, points, :points] = 1.0
    system[:, :points, points] = 1.0
    known = torch.cat([values, values.new_zeros(count, 1, 2)], dim=1)
    weights: Tensor = torch.linalg.solve(system, known)
    return weights


def _kernel(centres: Tensor, places: Tensor) -> Tensor:
    """Multiquadrics of (N, P, 2) centres at (N, 2, Q) places, (N, P, Q)."""
    squares = centres.square().sum(dim=2)[..., None] + (places.square().sum(dim=1)[:, None] + SMOOTH**2)
    away = torch.baddbmm(squares, centres, places, alpha=-2.0)
    return away.clamp_min_(SMOOTH**2).sqrt_()


def _twins(points: Tensor) -> Tensor:
    return torch.tensor(MIRRORED[: points.shape[1]], device=points.device)


def _turn(real: Tensor, imaginary: Tensor) -> Tensor:
    return torch.stack([real, -imaginary, imaginary, real], dim=-1).view(-1, 2, 2)


def _points(side: int, share: float, device: torch.device) -> Tensor:
    """(side, side, 2) x y of an even grid from -share to share."""
    line = torch.linspace(-share, share, side, device=device)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], dim=-1)


@functools.lru_cache(maxsize=4)
def _ring(device: torch.device) -> Tensor:
    """(4 * (RING - 1), 2) points on the crop's edge."""
    square = _points(RING, 1.0, torch.device("cpu")).view(-1, 2)
    return square[square.abs().amax(dim=1) > 1 - 1e-3].to(device)


@functools.lru_cache(maxsize=16)
def _view(side: int, device: torch.device, whole: bool = False) -> Tensor:
    """(3, side * side): x, y and 1 of the view's pixel centres, or of nodes from edge to edge of the view."""
    share = VIEW_SHARE if whole else VIEW_SHARE * (side - 1) / side
    places = _points(side, share, device).view(-1, 2).T
    return torch.cat([places, torch.ones_like(places[:1])])


@functools.lru_cache(maxsize=16)
def _between(side: int, device: torch.device) -> Tensor:
    """(25, side * side): how much each of the 5x5 points counts at each pixel centre of the view."""
    line = _hats(side, GRID, device)
    return torch.einsum("yi,xj->ijyx", line, line).reshape(GRID * GRID, side * side)


@functools.lru_cache(maxsize=16)
def _hats(side: int, count: int, device: torch.device) -> Tensor:
    """(side, count) weights of linear interpolation between `count` nodes that span the view's edges."""
    places = (torch.arange(side, dtype=torch.float64) + 0.5) / side * (count - 1)
    hats = 1.0 - (places[:, None] - torch.arange(count)).abs()
    return hats.clamp_min(0.0).float().to(device)
