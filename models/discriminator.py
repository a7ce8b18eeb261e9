"""A discriminator of patches: how much each patch of a picture looks like a photograph of the person.

Isola et al., "Image-to-image translation with conditional adversarial networks", CVPR 2017; with the squared loss of
Mao et al., "Least squares generative adversarial networks", ICCV 2017. Patches outside the face count little.
"""

from __future__ import annotations

from typing import Final, cast

from torch import Tensor, nn
from torch.nn import functional

from models.blocks import start_well
from models.losses import pooled

FILTERS: Final = (32, 64, 128)
"""Of its strided convolutions: each score sees 22 px."""
SLOPE: Final = 0.2


class PatchDiscriminator(nn.Module):
    """Convolutions 4x4 of stride 2, and one that scores."""

    def __init__(self, filters: tuple[int, ...] = FILTERS) -> None:
        super().__init__()
        pairs = zip((3, *filters[:-1]), filters, strict=True)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairs)
        self.score = nn.Conv2d(filters[-1], 1, 3, padding=1)
        start_well(self)

    def forward(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(N, 3, S, S) pictures in [0, 1] to (N, 1, S / 8, S / 8) scores and the features of each layer."""
        values, features = 2.0 * pictures - 1.0, []
        for layer in self.layers:
            values = functional.leaky_relu(layer(values), SLOPE)
            features.append(values)
        return cast(Tensor, self.score(values)).float(), features


def squared_distance(scores: Tensor, wanted: float, weight: Tensor) -> Tensor:
    """Mean squared distance of scores from 1 (real) or 0 (made), each patch weighted by how much of it is face.

    Parameters
    ----------
    scores : (N, 1, h, w).
    weight : (N, 1, S, S), 1 = face.
    """
    return ((scores - wanted).square() * pooled(weight, scores)).mean()
