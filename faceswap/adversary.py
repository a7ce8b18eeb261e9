"""The discriminators of a training, one for each person, with their optimiser."""

from __future__ import annotations

from pathlib import Path
from typing import Final, cast

import torch
from torch import Tensor, nn

from faceswap.objective import Share
from models.autoencoder import PEOPLE
from models.checkpoint import Checkpoint, optimiser_tensors, restore_optimiser, restore_weights
from models.discriminator import PatchDiscriminator
from models.tensors import channels_last

CRITIC, CRITIC_OPTIMISER = "critic", "critic_optimiser"
"""Parts of a checkpoint."""
RATE: Final = 2e-4
BETAS: Final = (0.5, 0.999)
"""As Radford, Metz, Chintala (DCGAN, 2016) have them."""


class Adversary:
    """Tells made faces from real ones, and learns as the net does."""

    def __init__(self, device: torch.device) -> None:
        self.critics = nn.ModuleList(PatchDiscriminator() for _ in range(PEOPLE))
        channels_last(self.critics.to(device))
        self._weights = [list(critic.parameters()) for critic in self.critics]
        self._optimiser = torch.optim.Adam(self.critics.parameters(), RATE, betas=BETAS, fused=True)

    def take(self, shares: tuple[Share, Share]) -> list[Tensor]:
        """Lay both people's gradients ready for `step`, and give them back; none where a critic was not asked."""
        gradients = [list(one.critic) for one in shares]
        for weights, values in zip(self._weights, gradients, strict=True):
            for weight, value in zip(weights, values, strict=False):
                weight.grad = value
        return [value for values in gradients for value in values]

    def step(self) -> None:
        """Learn from what `take` laid ready."""
        self._optimiser.step()
        self._optimiser.zero_grad()

    def state(self) -> dict[str, dict[str, Tensor]]:
        """Weights and optimiser, by the names of the checkpoint's parts."""
        return {CRITIC: dict(self.critics.state_dict()), CRITIC_OPTIMISER: optimiser_tensors(self._optimiser)}

    def restore(self, stored: Checkpoint, path: Path) -> None:
        """Take over what `state` gave."""
        restore_weights(self.critics, stored.part(CRITIC), path)
        restore_optimiser(self._optimiser, stored.part(CRITIC_OPTIMISER))

    def critic(self, person: int) -> PatchDiscriminator:
        """The discriminator of one person."""
        return cast(PatchDiscriminator, self.critics[person])
