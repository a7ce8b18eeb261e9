"""What a face does, in few numbers that mean the same for both people: its pose, and its expression beyond that.

An autoencoder of pictures is free to write a smile of one person and a smile of the other into its code differently;
then the other decoder does not smile. So the encoder is taught to read these numbers off its picture as well, and the
decoders are told them. The idea is that of a parametric face model's expression (Blanz, Vetter, "A morphable model for
the synthesis of 3D faces", SIGGRAPH 1999), fitted here to the landmarks of the two face sets: a person's own shape, and
what turning the head does to it, are taken out by regression; of what is left the gaze, the mouth and the lids are told
by name, and then the principal components of the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from faceswap.augment import Batch
from faceswap.bend import mirrored
from models.autoencoder import Code
from models.nets import GUIDES
from shared.face.landmarks import CORNERS_68, LANDMARKS

POSE: Final = 2
"""Yaw and pitch come first."""
NAMED: Final = {
    "gaze across": (0, (LANDMARKS, LANDMARKS + 1), (*CORNERS_68[0], *CORNERS_68[1])),
    "gaze down": (1, (LANDMARKS, LANDMARKS + 1), (*CORNERS_68[0], *CORNERS_68[1])),
    "mouth gap": (1, (65, 66, 67), (61, 62, 63)),
    "mouth width": (0, (54,), (48,)),
    "lids": (1, (40, 41, 46, 47), (37, 38, 43, 44)),
}
"""What is told by name: how much further along an axis, 0 for x and 1 for y, the middle of some points lies than that
of others. Principal components mix these with one another, and the smallest, the gaze, would not be among them."""
GAZE: Final = slice(POSE, POSE + 2)
"""The gaze among the guides: across, then down."""
COMPONENTS: Final = GUIDES - POSE - len(NAMED)
POSE_DEG: Final = 15.0
"""Degrees that count as one."""
COUNTS: Final = (*(1.0,) * 17, *(1.5,) * 10, *(0.7,) * 9, *(3.0,) * 12, *(2.0,) * 20, *(1.0,) * 2)
"""How much each point counts in the components: most on the lids, then on the lips."""
SHRINK: Final = 1e-3
"""Ridge of the regression on the pose: faces that never turn tell nothing of it."""
FLAT: Final = 1e-9
"""Least variance of a component: drawn faces that never move must not become infinite."""
NOISE: Final = 0.02
"""Variance, as a share of the strongest component's, below which a component is mostly the finder's noise."""
TREMBLE: Final = 0.002
"""The finder's own noise in what has a name, in crop coordinates."""


@dataclass(frozen=True, slots=True)
class Guides:
    """How landmarks become guides.

    Attributes
    ----------
    by_pose : (2, 6, 2 P) each person's points as a quadratic of the pose.
    basis : (2 P, K) what is left of them to expressions of about unit variance; models of before the gaze was told
        have 68 points.
    """

    by_pose: Tensor
    basis: Tensor

    @property
    def gaze(self) -> bool:
        """Whether they tell the gaze, at `GAZE`."""
        return len(self.basis) > 2 * LANDMARKS and bool(self.basis[:, 0].any())

    def of(self, person: int, points: Tensor, poses: Tensor) -> Tensor:
        """The guides of faces of `person`, (N, POSE + K).

        Parameters
        ----------
        points : (N, 70, 2) crop coordinates: the landmarks, then both irises.
        poses : (N, 2) yaw and pitch in degrees.
        """
        rest = _centred(points[:, : len(self.basis) // 2]) - _quadratic(poses) @ self.by_pose[person]
        return torch.cat([poses / POSE_DEG, rest @ self.basis], dim=1)

    def told(self, batch: Batch, person: int, poses: Tensor) -> Batch:
        """The batch with the guides of its targets, whose crops have these poses (N, 2)."""
        seen = torch.where(batch.mirrored[:, None], mirrored_poses(poses), poses)
        return replace(batch, guides=self.of(person, batch.points, seen))

    def tensors(self) -> dict[str, Tensor]:
        """What `guides_from` makes them of again."""
        return {"by_pose": self.by_pose, "basis": self.basis}


def guides_from(stored: Mapping[str, Tensor], device: torch.device) -> Guides:
    """The guides out of their tensors."""
    return Guides(stored["by_pose"].to(device), stored["basis"].to(device))


def moving(code: Code, expression: float) -> Code:
    """The code with an expression so many times as strong, but for pose and gaze; one without guides as it is."""
    if code.guides is None or expression == 1.0:
        return code
    count = code.guides.shape[1]
    kept = GAZE.stop if count == GUIDES else POSE
    strength = code.guides.new_tensor([*(1.0,) * kept, *(expression,) * (count - kept)])
    return replace(code, guides=code.guides * strength)


def fit_guides(people: Sequence[tuple[Tensor, Tensor]], basis: Tensor | None = None) -> Guides:
    """Fit guides to the points (N, 70, 2) and the poses (N, 2) of both people's faces.

    A mirrored face does the mirrored thing: each counts both ways. Of the gaze across neither a person's own nor what
    comes with turning is taken out: who looks into the camera has his irises in the middle of his eyes, whoever he is,
    and one who never does so while he is filmed would seem to. Where a set does not tell the irises no gaze is told.

    Parameters
    ----------
    basis : expressions to keep, those of a model that this one starts from; None finds them.
    """
    solved, spread, blind = [], torch.zeros(()), False
    for points, poses in people:
        flat = _centred(torch.cat([points, mirrored(points)])).double()
        known = _quadratic(torch.cat([poses, mirrored_poses(poses)])).double()
        ridge = SHRINK * len(known) * torch.diag(known.new_tensor([0.0, *(1.0,) * (known.shape[1] - 1)]))
        gaze = flat @ _named(flat)[:, :2]
        blind = blind or bool((gaze.var(dim=0) < FLAT).any())
        own = torch.linalg.solve(known.T @ known + ridge, known.T @ flat)
        rest = flat - known @ own
        solved.append(own.float())
        spread = spread.to(flat) + rest.T @ rest / len(rest) / len(people)
    found = (_expressions(spread) if basis is None else basis).clone()
    if blind:
        found[:, :2] = 0.0
    by_pose = torch.stack(solved)
    return Guides(by_pose - (by_pose @ found[:, :1]) @ _first_alone(found).T, found)


def column_of(name: str) -> int:
    """The column of the guides that tells what is named so in `NAMED`."""
    return POSE + list(NAMED).index(name)


def mirrored_poses(poses: Tensor) -> Tensor:
    """Yaw and pitch of faces (N, 2) seen in a mirror."""
    return poses * poses.new_tensor([-1.0, 1.0])


def _expressions(spread: Tensor) -> Tensor:
    """What has a name, and the strongest components of what is left without it: (2 P, K) out of a (2 P, 2 P) spread."""
    named = _named(spread)
    among = named.T @ spread @ named + TREMBLE**2 * torch.eye(named.shape[1]).to(spread)
    left = torch.eye(len(spread)).to(spread) - named @ torch.linalg.solve(among, named.T @ spread)
    strongest = torch.linalg.eigvalsh(spread)[-1]
    values, vectors = torch.linalg.eigh(left.T @ spread @ left)
    values, vectors = values.flip(0)[:COMPONENTS], vectors.flip(1)[:, :COMPONENTS]
    components = left @ vectors / (values + NOISE * strongest).clamp_min(FLAT).sqrt()
    basis = torch.cat([named / among.diagonal().sqrt(), components], dim=1).float()
    # As it is when it is read again: the sums of another layout differ in their last bit.
    return basis.contiguous()


def _first_alone(basis: Tensor) -> Tensor:
    """(2 P, 1) the direction that changes the first expression by 1 and no other."""
    alone: Tensor = torch.linalg.pinv(basis.double())[:1].T.float()
    return alone


def _named(like: Tensor) -> Tensor:
    """(2 P, len(NAMED)): what has a name, out of weighted points."""
    columns = like.new_zeros(len(COUNTS), 2, len(NAMED))
    for number, (axis, *pair) in enumerate(NAMED.values()):
        for sign, points in zip((1.0, -1.0), pair, strict=True):
            for point in points:
                columns[point, axis, number] += sign / len(points) / COUNTS[point]
    return columns.flatten(0, 1)


def _centred(points: Tensor) -> Tensor:
    """(N, 2 P) weighted points, from the middle of brows, nose and eyes."""
    steady = points[:, 17:48].mean(dim=1, keepdim=True)
    return ((points - steady) * points.new_tensor(COUNTS[: points.shape[1]])[:, None]).flatten(1)


def _quadratic(poses: Tensor) -> Tensor:
    """(N, 6): 1, yaw, pitch, and their products."""
    yaw, pitch = (poses / POSE_DEG).unbind(dim=1)
    return torch.stack([torch.ones_like(yaw), yaw, pitch, yaw * yaw, pitch * pitch, yaw * pitch], dim=1)
