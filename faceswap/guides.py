"""What a face does, in few numbers that mean the same for both people: its pose, and its expression beyond that.

An autoencoder of pictures is free to write a smile of one person and a smile of the other into its code differently;
then the other decoder does not smile. So the encoder is taught to read these numbers off its picture as well, and the
decoders are told them. The idea is that of a parametric face model's expression (Blanz, Vetter, "A morphable model for
the synthesis of 3D faces", SIGGRAPH 1999), fitted here to the landmarks of the two face sets: a person's own shape, and
what turning the head does to it, are taken out by regression, and the principal components of what is left are kept.
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

POSE: Final = 2
"""Yaw and pitch come first."""
COMPONENTS: Final = GUIDES - POSE
POSE_DEG: Final = 15.0
"""Degrees that count as one."""
COUNTS: Final = (*(1.0,) * 17, *(1.5,) * 10, *(0.7,) * 9, *(3.0,) * 12, *(2.0,) * 20)
"""How much each iBUG point counts: most on the lids, then on the lips."""
SHRINK: Final = 1e-3
"""Ridge of the regression on the pose: faces that never turn tell nothing of it."""
FLAT: Final = 1e-9
"""Least variance of a component: drawn faces that never move must not become infinite."""
NOISE: Final = 0.02
"""Variance, as a share of the first component's, below which a component is mostly the finder's noise."""


@dataclass(frozen=True, slots=True)
class Guides:
    """How landmarks become guides.

    Attributes
    ----------
    by_pose : (2, 6, 136) each person's landmarks as a quadratic of the pose.
    basis : (136, COMPONENTS) what is left of them to components of about unit variance.
    """

    by_pose: Tensor
    basis: Tensor

    def of(self, person: int, landmarks: Tensor, poses: Tensor) -> Tensor:
        """The guides of faces of `person`, (N, GUIDES).

        Parameters
        ----------
        landmarks : (N, 68, 2) crop coordinates.
        poses : (N, 2) yaw and pitch in degrees.
        """
        rest = _centred(landmarks) - _quadratic(poses) @ self.by_pose[person]
        return torch.cat([poses / POSE_DEG, rest @ self.basis], dim=1)

    def told(self, batch: Batch, person: int, poses: Tensor) -> Batch:
        """The batch with the guides of its targets, whose crops have these poses (N, 2)."""
        seen = torch.where(batch.mirrored[:, None], mirrored_poses(poses), poses)
        return replace(batch, guides=self.of(person, batch.landmarks, seen))

    def tensors(self) -> dict[str, Tensor]:
        """What `guides_from` makes them of again."""
        return {"by_pose": self.by_pose, "basis": self.basis}


def guides_from(stored: Mapping[str, Tensor], device: torch.device) -> Guides:
    """The guides out of their tensors."""
    return Guides(stored["by_pose"].to(device), stored["basis"].to(device))


def moving(code: Code, expression: float) -> Code:
    """The code with an expression so many times as strong; one without guides as it is."""
    if code.guides is None or expression == 1.0:
        return code
    strength = code.guides.new_tensor([*(1.0,) * POSE, *(expression,) * COMPONENTS])
    return replace(code, guides=code.guides * strength)


def fit_guides(people: Sequence[tuple[Tensor, Tensor]], basis: Tensor | None = None) -> Guides:
    """Fit guides to the landmarks (N, 68, 2) and the poses (N, 2) of both people's faces.

    A mirrored face does the mirrored thing: each counts both ways.

    Parameters
    ----------
    basis : components to keep, those of a model that this one starts from; None finds them.
    """
    solved, spreads = [], []
    for landmarks, poses in people:
        points = _centred(torch.cat([landmarks, mirrored(landmarks)])).double()
        known = _quadratic(torch.cat([poses, mirrored_poses(poses)])).double()
        ridge = SHRINK * len(known) * torch.diag(known.new_tensor([0.0, *(1.0,) * (known.shape[1] - 1)]))
        own = torch.linalg.solve(known.T @ known + ridge, known.T @ points)
        rest = points - known @ own
        solved.append(own.float())
        spreads.append(rest.T @ rest / len(rest))
    if basis is None:
        values, vectors = torch.linalg.eigh(spreads[0] + spreads[1])
        values, vectors = values.flip(0)[:COMPONENTS] / len(spreads), vectors.flip(1)[:, :COMPONENTS]
        basis = (vectors / (values + NOISE * values[0]).clamp_min(FLAT).sqrt()).float()
        # As it is when it is read again: the sums of another layout differ in their last bit.
        basis = basis.contiguous()
    return Guides(torch.stack(solved), basis)


def mirrored_poses(poses: Tensor) -> Tensor:
    """Yaw and pitch of faces (N, 2) seen in a mirror."""
    return poses * poses.new_tensor([-1.0, 1.0])


def _centred(landmarks: Tensor) -> Tensor:
    """(N, 136) weighted points, from the middle of brows, nose and eyes."""
    steady = landmarks[:, 17:48].mean(dim=1, keepdim=True)
    return ((landmarks - steady) * landmarks.new_tensor(COUNTS)[:, None]).flatten(1)


def _quadratic(poses: Tensor) -> Tensor:
    """(N, 6): 1, yaw, pitch, and their products."""
    yaw, pitch = (poses / POSE_DEG).unbind(dim=1)
    return torch.stack([torch.ones_like(yaw), yaw, pitch, yaw * yaw, pitch * pitch, yaw * pitch], dim=1)
