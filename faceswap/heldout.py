"""What the held-out faces say of a net: how well it rebuilds them, and who is seen in the swapped ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from faceswap.align import VIEW_SHARE
from faceswap.augment import net_input, view
from faceswap.faceset import FaceSet
from faceswap.objective import face_mask
from models.autoencoder import FaceAutoencoder
from models.losses import psnr, ssim_map
from models.tensors import Precision, array, nhwc
from shared.face.identity import cosine
from shared.picture.image import Rgb
from shared.picture.warp import to_uint8
from shared.types import Floats, JsonObject

MOST_LOOKED_AT, FEWEST_LOOKED_AT = 64, 16
"""Held-out faces of each person that a look measures, spread evenly: fewer of those larger than 128 px, so that a look
costs no more than two steps."""
SHOWN: Final = 4
"""Faces of each person on the preview sheet."""
AT_ONCE: Final = 16
"""Faces that the net sees at once."""
Embed = Callable[[Rgb, Floats], Floats]
"""A picture (H, W, 3) uint8 and the (68, 2) landmarks in it to an identity embedding (128,)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Some faces of A, then as many of B, (N, S, S, 3) float32 in [0, 1]: as they are, rebuilt, and swapped."""

    faces: Floats
    rebuilt: Floats
    swapped: Floats


@dataclass(frozen=True, slots=True)
class Look:
    """What the held-out faces say.

    Attributes
    ----------
    shown : some of the faces.
    spread : standard deviation over the pixels of a rebuilt face, of the flattest person's.
    figures : for each person p of a and b: ``psnr_p_db``, ``ssim_p``, ``l1_p`` over the face's hull, and
        ``mean_face_p_db``, the PSNR of the mean of the training faces. With a `Judge` also ``identity_to_source_p``
        and ``identity_to_target_p``: mean cosine of p's swapped faces to the person they should show, and to p.
    """

    shown: Shown
    spread: float
    figures: JsonObject

    @property
    def level_db(self) -> float:
        """Mean PSNR of both people."""
        return float(self.figures["psnr_a_db"] + self.figures["psnr_b_db"]) / 2


@dataclass(frozen=True, slots=True)
class Judge:
    """Tells who is seen in a swapped face, by its likeness to the mean embedding of either person's face set."""

    embed: Embed
    people: tuple[Floats, Floats]
    """(128,) each."""
    most: int
    """Faces of each person that are judged."""

    def figures(self, name: str, person: int, swapped: Floats, landmarks: Floats) -> JsonObject:
        """Mean cosines of faces of `person` that should show the other one."""
        chosen = _spread(len(swapped), self.most)
        seen = [self.embed(to_uint8(swapped[place]), landmarks[place]) for place in chosen]
        source, target = (
            round(float(np.mean([cosine(one, self.people[who]) for one in seen])), 4) for who in (1 - person, person)
        )
        return {f"identity_to_source_{name}": source, f"identity_to_target_{name}": target}


class HeldOut:
    """Faces of both people that are never trained on, as the nets see them."""

    def __init__(self, sets: Sequence[FaceSet], output_px: int) -> None:
        self.means = torch.stack([_mean_view(one.training, output_px) for one in sets])
        """(2, 4, output_px, output_px) float32: mean face of the training faces, and mean of what counts how much."""
        self._views, self._landmarks, self._mean_face_db = [], [], []
        for one, mean in zip(sets, self.means, strict=True):
            chosen = torch.from_numpy(_spread(len(one.unseen), _looked_at(output_px)))
            views = view(one.unseen[chosen.to(one.crops.device)], output_px)
            self._views.append(views)
            self._landmarks.append(_in_view(array(one.unseen_landmarks)[chosen], one.crops.shape[-1], output_px))
            faces, mask = views[:, :3], face_mask(views[:, 3:])
            self._mean_face_db.append(float(psnr(mean[None, :3].expand_as(faces), faces, mask).mean()))

    def look(self, net: FaceAutoencoder, how: Precision, judge: Judge | None = None) -> Look:
        """Measure a net."""
        figures: JsonObject = {}
        spreads, some = [], []
        for person, name in enumerate("ab"):
            faces, mask = self._views[person][:, :3], face_mask(self._views[person][:, 3:])
            rebuilt, swapped = _made(net, faces, person, how)
            weight = mask.sum() * 3
            figures[f"psnr_{name}_db"] = round(float(psnr(rebuilt, faces, mask).mean()), 3)
            figures[f"ssim_{name}"] = round(float((ssim_map(rebuilt, faces) * mask).sum() / weight), 4)
            figures[f"l1_{name}"] = round(float(((rebuilt - faces).abs() * mask).sum() / weight), 5)
            figures[f"mean_face_{name}_db"] = round(self._mean_face_db[person], 3)
            if judge is not None:
                figures |= judge.figures(name, person, nhwc(swapped), self._landmarks[person])
            spreads.append(float(rebuilt.std(dim=(2, 3)).mean()))
            chosen = torch.from_numpy(_spread(len(faces), SHOWN)).to(faces.device)
            some.append((faces[chosen], rebuilt[chosen], swapped[chosen]))
        return Look(_shown(some), min(spreads), figures)

    def show(self, net: FaceAutoencoder, how: Precision) -> Shown:
        """Show some of the faces without measuring anything."""
        some = []
        for person, views in enumerate(self._views):
            faces = views[torch.from_numpy(_spread(len(views), SHOWN)).to(views.device), :3]
            some.append((faces, *_made(net, faces, person, how)))
        return _shown(some)


def _shown(people: Sequence[tuple[Tensor, Tensor, Tensor]]) -> Shown:
    return Shown(*(nhwc(torch.cat(pair)) for pair in zip(*people, strict=True)))


def _made(net: FaceAutoencoder, faces: Tensor, person: int, how: Precision) -> tuple[Tensor, Tensor]:
    """Rebuilt and swapped faces of one person, a few at a time."""
    made: list[list[Tensor]] = [[], []]
    with torch.inference_mode(), how.autocast():
        for some in torch.split(faces, AT_ONCE):
            code = net.encode(net_input(some, net.config.input_px))
            for pictures, who in zip(made, (person, 1 - person), strict=True):
                pictures.append(net.decode(code, who).picture.float())
    rebuilt, swapped = (torch.cat(pictures) for pictures in made)
    return rebuilt, swapped


def _looked_at(output_px: int) -> int:
    """How many faces of this side a look measures."""
    return max(FEWEST_LOOKED_AT, min(MOST_LOOKED_AT, MOST_LOOKED_AT * 128**2 // output_px**2))


def _spread(count: int, most: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """At most `most` of `count` places, spread evenly."""
    return np.rint(np.linspace(0, count - 1, min(most, count))).astype(np.int64)


def _in_view(landmarks: Floats, crop_px: int, output_px: int) -> Floats:
    """Landmarks in crop pixels, (N, 68, 2), in pixels of the view."""
    middle = landmarks + 0.5 - crop_px / 2
    return np.asarray(middle * (output_px / (crop_px * VIEW_SHARE)) + output_px / 2 - 0.5, dtype=np.float32)


def _mean_view(crops: Tensor, output_px: int, batch: int = 128) -> Tensor:
    """Mean of the unmoved views of all crops, (4, output_px, output_px) float32."""
    total = torch.zeros(crops.shape[1], output_px, output_px, device=crops.device)
    for some in torch.split(crops, batch):
        total += view(some, output_px).sum(dim=0)
    return total / len(crops)
