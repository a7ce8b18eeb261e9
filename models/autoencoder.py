"""Face autoencoders: one shared encoder, and for each of two people what makes a code into that person's face.

A swap decodes the code of one person's picture as the other. All nets are `AutoencoderConfig`s of one class.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.blocks import SLOPE, Residual, Shrink, Upscale, standardised, start_well, still_grid, stretch
from models.nets import AutoencoderConfig
from models.reading import read_at

PEOPLE = 2
MEAN_LIMITS = (0.02, 0.98)
"""The learned picture starts within these, or its logit would be too steep to learn."""
FLOW_AFTER = 2
"""Upscales before the flow is read off: 32x32 vectors for 128 px."""
FLOW_REACH = 0.2
"""Furthest a pixel of the learned picture may be fetched from, in half sides."""
PAINT_START = 0.01
"""Standard deviation at which the weights that repaint a learned picture start."""
READ_SIDE = 4
"""Guides are read off a map of so many values a side, and by so many hidden ones."""
READ_HIDDEN, TOLD_HIDDEN = 64, 128
ACTS_ON = 1
"""A split code: the person who becomes; it reads the common code twice."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a decoder makes.

    Attributes
    ----------
    picture : (N, 3, output_px, output_px) float32 in [0, 1].
    mask : (N, 1, output_px, output_px) float32 in [0, 1], 1 = face; None where the net draws no mask.
    """

    picture: Tensor
    mask: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """What an encoder reads off pictures.

    Attributes
    ----------
    values : what is free for the net to use.
    guides : (N, config.guides) float32, pose and expression as the net reads them; None where it is not guided.
    """

    values: Tensor
    guides: Tensor | None = None


class FaceAutoencoder(Protocol):
    """What training and conversion need of a net; each one is an ``nn.Module``."""

    config: AutoencoderConfig
    own: nn.ModuleList
    """What belongs to each person alone; all other weights are shared."""

    def encode(self, pictures: Tensor) -> Code:
        """(N, 3, input_px, input_px) float32 in [0, 1] to the code that `decode` reads."""

    def decode(self, code: Code, person: int) -> Decoded:
        """Turn the code into faces of `person` 0 or 1."""

    def start_from(self, mean_faces: Tensor) -> None:
        """Take over what is known before training: (2, 4, output_px, output_px), each person's mean face and mask."""


def build(config: AutoencoderConfig) -> FaceAutoencoder:
    """Make a net with fresh weights, drawn from torch's global generator."""
    return Autoencoder(config)


def as_module(net: FaceAutoencoder) -> nn.Module:
    """View the net as torch's own class."""
    if not isinstance(net, nn.Module):
        raise ValueError(f"expected an nn.Module, got {type(net).__name__}")
    return cast(nn.Module, net)


class Autoencoder(nn.Module):
    """Convolutions of stride 2, a dense bottleneck, and decoders of upscales."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        kernels = [5 if config.classic or level == 0 else 3 for level in range(len(config.filters))]
        pairs = itertools.pairwise((3, *config.filters))
        self.shrinks = nn.Sequential(*(Shrink(*pair, kernel) for pair, kernel in zip(pairs, kernels, strict=True)))
        if not config.classic:
            start_well(self.shrinks)
        self.bottleneck = Bottleneck(config)
        self.guide = Guide(config) if config.guides else None
        if config.split:
            self.own = nn.ModuleList([Bottleneck(config), nn.Identity()])
            self.decoder = Decoder(config, 2 * config.base)
        else:
            self.own = nn.ModuleList(Decoder(config, config.base) for _ in range(PEOPLE))

    def encode(self, pictures: Tensor) -> Code:
        """(N, 3, input_px, input_px) to the map that decoders read, or to what makes split codes; and to guides."""
        plain = pictures if self.config.classic else standardised(pictures)
        shrunk = self.shrinks(plain.contiguous(memory_format=torch.channels_last))
        values = shrunk if self.config.split else self.bottleneck(shrunk)
        return Code(values, None if self.guide is None else self.guide.read_off(shrunk))

    def decode(self, code: Code, person: int) -> Decoded:
        """Faces of `person`, (N, 3, output_px, output_px)."""
        common = self.bottleneck(code.values) if self.config.split else code.values
        told = common if self.guide is None or code.guides is None else common + self.guide(code.guides)
        if not self.config.split:
            return cast(Decoded, self.own[person](told))
        other = common if person == ACTS_ON else self.own[person](code.values)
        return cast(Decoded, self.decoder(torch.cat([told, other], dim=1)))

    def start_from(self, mean_faces: Tensor) -> None:
        """Let each decoder that repaints a picture start as its person's mean face."""
        logits = torch.logit(mean_faces.clamp(*MEAN_LIMITS))
        if self.config.moved and self.config.split:
            self.decoder.start_as(logits.mean(dim=0))
        elif self.config.moved:
            for decoder, start in zip(self.own, logits, strict=True):
                cast(Decoder, decoder).start_as(start)


class Bottleneck(nn.Module):
    """Two dense layers with the latent between them; before them fewer filters, where the net wants so."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        wide, side = config.filters[-1], config.input_px >> len(config.filters)
        self.squeeze = nn.Conv2d(wide, config.squeeze, 1) if config.squeeze else nn.Identity()
        narrow = config.squeeze or wide
        self.narrow = nn.Linear(narrow * side**2, config.code)
        first_px = config.output_px >> len(config.decoder) + (0 if config.classic else 1)
        self.shape = (narrow, first_px // 2, first_px // 2) if config.classic else (config.base, first_px, first_px)
        self.widen = nn.Linear(config.code, self.shape[0] * self.shape[1] ** 2)
        self.out = Upscale(narrow, config.base) if config.classic else nn.LeakyReLU(SLOPE)

    def forward(self, values: Tensor) -> Tensor:
        """(N, filters, H, W) to (N, base, H', W')."""
        wide = self.widen(self.narrow(self.squeeze(values).flatten(1)))
        return cast(Tensor, self.out(wide.view(-1, *self.shape).contiguous(memory_format=torch.channels_last)))


class Guide(nn.Module):
    """Reads pose and expression off the encoder's last map, and spreads them over the map that decoders read."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.side = (config.input_px >> len(config.filters)) // READ_SIDE
        flat = config.filters[-1] * READ_SIDE**2
        self.read = nn.Sequential(
            nn.Linear(flat, READ_HIDDEN), nn.LeakyReLU(SLOPE), nn.Linear(READ_HIDDEN, config.guides)
        )
        first_px = config.output_px >> len(config.decoder) + 1
        self.shape = (config.base, first_px, first_px)
        wide = config.base * first_px**2
        self.tell = nn.Sequential(
            nn.Linear(config.guides, TOLD_HIDDEN), nn.LeakyReLU(SLOPE), nn.Linear(TOLD_HIDDEN, wide)
        )

    def read_off(self, shrunk: Tensor) -> Tensor:
        """(N, filters, H, W) to (N, guides) float32."""
        small = functional.avg_pool2d(shrunk, self.side) if self.side > 1 else shrunk
        return cast(Tensor, self.read(small.flatten(1)).float())

    def forward(self, guides: Tensor) -> Tensor:
        """(N, guides) to (N, base, H', W'), which is added to the map."""
        return cast(Tensor, self.tell(guides).view(-1, *self.shape).contiguous(memory_format=torch.channels_last))


class Decoder(nn.Module):
    """Upscales, residual blocks, and a convolution that paints the face and its mask.

    Where the net moves a picture, the decoder gives, from the code, a coarse flow by which a learned picture is read
    and a residual that is added to it before the sigmoid; shape and appearance apart as in Shu et al., "Deforming
    autoencoders", ECCV 2018.
    """

    def __init__(self, config: AutoencoderConfig, inputs: int) -> None:
        super().__init__()
        self.config = config
        sizes = (inputs, *config.decoder)
        self.scales = nn.ModuleList(
            nn.Sequential(Upscale(a, b), *(Residual(b) for _ in range(blocks)))
            for a, b, blocks in zip(sizes[:-1], sizes[1:], config.residuals, strict=True)
        )
        planes = 4 if config.mask else 3
        if config.classic:
            self.paint = nn.Conv2d(sizes[-1], planes, 5, padding=2)
            return
        self.paint = nn.Conv2d(sizes[-1], 4 * planes, 3, padding=1)
        if config.moved:
            self.flow = nn.Conv2d(sizes[FLOW_AFTER], 2, 3, padding=1)
            self.picture = nn.Parameter(torch.zeros(planes, config.output_px, config.output_px))
            coarse_px = config.output_px >> len(sizes) - FLOW_AFTER
            self.register_buffer("grid", still_grid(config.output_px), persistent=False)
            self.register_buffer("stretch", stretch(coarse_px, config.output_px), persistent=False)
        start_well(self)
        nn.init.normal_(self.paint.weight, std=PAINT_START)
        if config.moved:
            nn.init.zeros_(self.flow.weight)

    def start_as(self, logits: Tensor) -> None:
        """Take (4, output_px, output_px) logits of a face and its mask as the learned picture."""
        self.picture.data.copy_(logits[: len(self.picture)])

    def forward(self, code: Tensor) -> Decoded:
        """Decode (N, inputs, side, side)."""
        values, coarse = code, code
        for level, scale in enumerate(self.scales, start=1):
            values = scale(values)
            coarse = values if level == FLOW_AFTER else coarse
        painted = self.paint(values)
        if not self.config.classic:
            painted = functional.pixel_shuffle(painted, 2)
        logits = painted.float() + self._moved(coarse) if self.config.moved else painted.float()
        made = torch.sigmoid(logits)
        return Decoded(made[:, :3], made[:, 3:] if self.config.mask else None)

    def _moved(self, coarse: Tensor) -> Tensor:
        """The learned picture, (N, planes, output_px, output_px), read through a flow."""
        stretched = cast(Tensor, self.stretch)
        flow = FLOW_REACH * torch.tanh(self.flow(coarse).float())
        places = cast(Tensor, self.grid) + (stretched @ (flow @ stretched.T)).permute(0, 2, 3, 1)
        return read_at(self.picture[None], places)
