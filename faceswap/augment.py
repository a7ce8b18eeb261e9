"""Training pictures, moved, warped, covered and recoloured in batches on the device.

The net's input is the crop read through a warped 5x5 grid; its target is the same crop read through the similarity
that fits that grid best, so that rebuilding means undoing the warp: the denoising of the first face-swap nets. Or the
input is the crop warped so that its landmarks lie where those of a similar face of the other person do: what the
decoder will be given when faces are swapped.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn import functional

from faceswap import bend
from faceswap.draw import Draw
from faceswap.occlude import Occluders, cover, draw_occluders, paint, texture_places
from faceswap.options import AugmentOptions
from faceswap.tint import equalise, jitter
from models.tensors import unit
from shared.face.landmarks import LANDMARKS

AT_ONCE = 2
"""Crops read at a time on a CPU: with many, the caches are left and memory is fetched anew from the system, at up to
four times the cost."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of one person.

    Attributes
    ----------
    warped : (N, 3, input_px, input_px) float32 in [0, 1], what the encoder sees.
    target : (N, 3, output_px, output_px) float32, what the decoder should make, with nothing in front of the face.
    weight : (N, 1, output_px, output_px) float32, what counts how much: 0 outside, 0.5 face, 1 eyes and mouth.
    visible : (N, 1, output_px, output_px) float32, 0 where the input shows something pasted in front, else 1. A mask
        is to be taught ``face * visible``: so it learns to end at what is in front of the face, while the picture
        stays whole behind it.
    points : (N, P, 2) float32 crop coordinates of the landmarks, as the target shows them.
    mirrored : (N,) bool, whether it shows the face in a mirror.
    guides : (N, K) float32 pose and expression of the target; K is 0 where the net is not guided.
    """

    warped: Tensor
    target: Tensor
    weight: Tensor
    visible: Tensor
    points: Tensor
    mirrored: Tensor
    guides: Tensor

    def of(self, rows: slice) -> Batch:
        """Some of its faces."""
        return replace(self, **{entry.name: getattr(self, entry.name)[rows] for entry in fields(self)})


def augment(
    crops: Tensor,
    points: Tensor,
    others: Tensor | None,
    sizes: tuple[int, int],
    options: AugmentOptions,
    generator: torch.Generator,
) -> Batch:
    """Make a batch out of crops.

    Parameters
    ----------
    crops : (N, 4, S, S) uint8, RGB and what counts how much.
    points : (N, P, 2) float32, pixels of these crops: the 68 landmarks, and beyond them what else is to be followed.
    others : (M, 68, 2) float32, the other person's landmarks in crops of the same size S; None for no warp to them.
    sizes : (input_px, output_px).
    generator : of the CPU, whatever the device of `crops`, so that a seed means the same everywhere.
    """
    draw = Draw(generator, crops.device)
    every = bend.unit_points(points, crops.shape[-1])
    own = every[:, :LANDMARKS]
    theirs = None if others is None else bend.unit_points(others, crops.shape[-1])
    (turn, shift), bent = _places(own, theirs, sizes[0], options, draw)
    warped, target = _read_both(crops, bent, turn, shift, sizes[1])
    visible = torch.ones((), device=crops.device).expand_as(target[:, 3:])
    covered = draw.some(len(crops), options.occluders) if options.occluders > 0 else None
    if covered is not None and len(covered):
        occluders = draw_occluders(len(covered), draw)
        warped[covered] = _occluded(warped[covered], bent[covered], occluders, (crops, own), draw)
        visible = visible.clone()
        visible[covered] = 1.0 - cover(occluders, bend.straight(turn[covered], shift[covered], sizes[1]))[0]
    seen, mirrored = bend.seen_through(every, turn, shift)
    none = own.new_zeros(len(own), 0)
    return Batch(_coloured(warped, options, draw), target[:, :3], target[:, 3:], visible, seen, mirrored, none)


def view(crops: Tensor, output_px: int) -> Tensor:
    """The view of each crop, unmoved: (N, C, S, S) uint8 to (N, C, output_px, output_px) float32 in [0, 1]."""
    still = torch.eye(2, device=crops.device).expand(len(crops), -1, -1)
    places = bend.straight(still, torch.zeros(len(crops), 2, device=crops.device), output_px)
    return _read(unit(crops), places)


def net_input(views: Tensor, input_px: int) -> Tensor:
    """Views resampled to the encoder's size in the way of training (linear, no averaging)."""
    return functional.interpolate(views, size=(input_px, input_px), mode="bilinear", align_corners=False)


def _places(
    own: Tensor, theirs: Tensor | None, input_px: int, options: AugmentOptions, draw: Draw
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """The similarities of the targets, (N, 2, 2) and (N, 2), and where the inputs are read, (N, 2, px, px)."""
    count = len(own)
    turn, shift = bend.similarities(count, options, draw)
    nodes = bend.nodes(own.device)
    away = draw.normal((count, *nodes.shape)) * (options.warp_px / 128)
    chosen = None
    if theirs is not None and options.to_landmarks > 0:
        chosen = draw.some(count, options.to_landmarks)
        away[chosen] = 0.0
    moved = nodes + away
    fit_turn, fit_shift = bend.fit(nodes, moved)
    bent = bend.bent(bend.moved(moved, turn, shift), input_px)
    if theirs is not None and chosen is not None and len(chosen):
        wanted = bend.nearest(own[chosen], theirs, options.nearest, draw, mirror=options.flip > 0)
        bent[chosen] = bend.onto_landmarks(own[chosen], wanted, turn[chosen], shift[chosen], input_px)
    return (turn @ fit_turn, bend.moved(fit_shift[:, None], turn, shift)[:, 0]), bent


def _read_both(crops: Tensor, bent: Tensor, turn: Tensor, shift: Tensor, output_px: int) -> tuple[Tensor, Tensor]:
    """Colours at `bent` places, and colours and weights after a similarity, float32 in [0, 1]."""
    warped = torch.empty(len(crops), 3, *bent.shape[2:], device=crops.device)
    target = torch.empty(len(crops), 4, output_px, output_px, device=crops.device)
    at_once = AT_ONCE if crops.device.type == "cpu" else max(1, len(crops))
    for first in range(0, len(crops), at_once):
        some = slice(first, first + at_once)
        pictures = unit(crops[some])
        warped[some] = _read(pictures[:, :3], bent[some])
        target[some] = _read(pictures, bend.straight(turn[some], shift[some], output_px))
    return warped, target


def _occluded(warped: Tensor, bent: Tensor, things: Occluders, crops: tuple[Tensor, Tensor], draw: Draw) -> Tensor:
    """Inputs (n, 3, input_px, input_px) with things in front, textured from `crops` and their own landmarks."""
    pictures, landmarks = crops
    other = draw.whole((len(warped),), len(pictures))
    places = texture_places(things, bent, landmarks[other], draw)
    texture = _read(unit(pictures[other, :3]), places, beyond="reflection")
    alpha, depth = cover(things, bent)
    return torch.lerp(warped, paint(texture, things, depth, draw), alpha)


def _coloured(warped: Tensor, options: AugmentOptions, draw: Draw) -> Tensor:
    """Only the input is recoloured, so that the net learns to see past it."""
    if options.clahe > 0:
        chosen = draw.some(len(warped), options.clahe)
        warped[chosen] = equalise(warped[chosen])
    return jitter(warped, options.colour, draw) if options.colour > 0 else warped


def _read(pictures: Tensor, places: Tensor, beyond: str = "border") -> Tensor:
    return functional.grid_sample(pictures, places.permute(0, 2, 3, 1), padding_mode=beyond, align_corners=False)
