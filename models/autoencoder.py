"""Face autoencoders: one shared encoder and one decoder for each of two people; a swap decodes with the other one.

``classic`` is the well-known 64 px net of 2017, ``light`` the same with half the filters. ``quick`` is made to show a
face within minutes on two CPU cores: thin layers, a standardised input, and a decoder that moves and repaints a
learned picture of its person, which starts as the person's mean face, instead of painting a face from nothing.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.blocks import SLOPE, Residual, Shrink, Upscale, start_well

NetName = Literal["classic", "light", "quick"]
PEOPLE = 2
MEAN_LIMITS = (0.02, 0.98)
"""The learned picture starts within these, or its logit would be too steep to learn."""
STD_FLOOR = 0.05
"""Added to the spread of an input before division, so that flat pictures do not become noise."""


@dataclass(frozen=True, slots=True)
class AutoencoderConfig:
    """Which net, and its sizes in pixels; made by `config_of`."""

    name: NetName
    input_px: int
    """Side of the encoder's input."""
    output_px: int
    """Side of the decoders' output."""
    filters: tuple[int, ...]
    """Of the encoder's convolutions."""
    code: int
    """Values in the latent."""
    base: int
    """Filters of the first decoded layer."""
    decoder: tuple[int, ...]
    """Filters of the decoder's upscales."""


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


class FaceAutoencoder(Protocol):
    """What training and conversion need of a net; each one is an ``nn.Module``."""

    config: AutoencoderConfig
    decoders: nn.ModuleList
    """One for each person; all other weights are shared."""

    def encode(self, pictures: Tensor) -> Tensor:
        """(N, 3, input_px, input_px) float32 in [0, 1] to the code that the decoders read."""

    def decode(self, code: Tensor, person: int) -> Decoded:
        """Turn the code into faces of `person` 0 or 1."""

    def start_from(self, mean_faces: Tensor) -> None:
        """Take over what is known before training: (2, 3, output_px, output_px), the mean face of each person."""


def config_of(name: str) -> AutoencoderConfig:
    """Sizes of the named net."""
    if name == "classic":
        return AutoencoderConfig("classic", 64, 64, (128, 256, 512, 1024), 1024, 512, (256, 128, 64))
    if name == "light":
        return AutoencoderConfig("light", 64, 64, (64, 128, 256, 512), 512, 256, (128, 64, 32))
    if name == "quick":
        return AutoencoderConfig("quick", 64, 128, (32, 64, 128, 128), 128, 128, (80, 48, 24))
    raise ValueError(f"expected classic, light or quick, got {name!r}")


def build(config: AutoencoderConfig) -> FaceAutoencoder:
    """Make a net with fresh weights, drawn from torch's global generator."""
    return Quick(config) if config.name == "quick" else Classic(config)


def as_module(net: FaceAutoencoder) -> nn.Module:
    """View the net as torch's own class."""
    if not isinstance(net, nn.Module):
        raise ValueError(f"expected an nn.Module, got {type(net).__name__}")
    return cast(nn.Module, net)


class Classic(nn.Module):
    """The 64 px net: convolutions 5x5 of stride 2, a dense latent, decoders of three upscales and a sigmoid.

    The layers are those that the first open face-swap programs of 2017 and 2018 share; Adam 5e-5 with beta1 0.5 and
    the mean absolute error belong to it.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self._side = config.input_px >> len(config.filters)
        wide = config.filters[-1]
        sizes = (3, *config.filters)
        self.shrinks = nn.Sequential(*(Shrink(a, b) for a, b in itertools.pairwise(sizes)))
        self.narrow = nn.Linear(wide * self._side**2, config.code)
        self.widen = nn.Linear(config.code, wide * self._side**2)
        self.upscale = Upscale(wide, config.base)
        self.decoders = nn.ModuleList(_classic_decoder(config) for _ in range(PEOPLE))

    def encode(self, pictures: Tensor) -> Tensor:
        """(N, 3, 64, 64) to (N, base, 8, 8)."""
        shrunk = self.shrinks(pictures.contiguous(memory_format=torch.channels_last))
        wide = self.widen(self.narrow(shrunk.flatten(1)))
        shaped = wide.view(-1, self.config.filters[-1], self._side, self._side)
        return cast(Tensor, self.upscale(shaped.contiguous(memory_format=torch.channels_last)))

    def decode(self, code: Tensor, person: int) -> Decoded:
        """(N, base, 8, 8) to faces (N, 3, 64, 64)."""
        return Decoded(torch.sigmoid(self.decoders[person](code).float()))

    def start_from(self, mean_faces: Tensor) -> None:
        """Nothing is taken over: this net paints from nothing."""


class Quick(nn.Module):
    """A thin net that moves and repaints a learned picture of each person.

    A decoder gives, from the shared code, a coarse flow by which the learned picture is read and a residual that is
    added to it before the sigmoid; shape and appearance apart as in Shu et al., "Deforming autoencoders", ECCV 2018.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self._side = config.output_px >> (len(config.decoder) + 1)
        sizes = (3, *config.filters)
        kernels = (5, *(3 for _ in config.filters[1:]))
        self.shrinks = nn.Sequential(
            *(Shrink(a, b, kernel) for a, b, kernel in zip(sizes[:-1], sizes[1:], kernels, strict=True))
        )
        inner = config.filters[-1] * (config.input_px >> len(config.filters)) ** 2
        self.narrow = nn.Linear(inner, config.code)
        self.widen = nn.Linear(config.code, config.base * self._side**2)
        self.decoders = nn.ModuleList(QuickDecoder(config) for _ in range(PEOPLE))
        start_well(self.shrinks)

    def encode(self, pictures: Tensor) -> Tensor:
        """(N, 3, input_px, input_px) to (N, base, side, side).

        Each picture is standardised by channel first, so that light and skin tone tell the people apart less.
        """
        mean = pictures.mean(dim=(2, 3), keepdim=True)
        plain = (pictures - mean) / (pictures.std(dim=(2, 3), keepdim=True) + STD_FLOOR)
        shrunk = self.shrinks(plain.contiguous(memory_format=torch.channels_last))
        wide = self.widen(self.narrow(shrunk.flatten(1)))
        shaped = functional.leaky_relu(wide.view(-1, self.config.base, self._side, self._side), SLOPE)
        return shaped.contiguous(memory_format=torch.channels_last)

    def decode(self, code: Tensor, person: int) -> Decoded:
        """(N, base, side, side) to faces (N, 3, output_px, output_px)."""
        return Decoded(cast(Tensor, self.decoders[person](code)))

    def start_from(self, mean_faces: Tensor) -> None:
        """Let each decoder start as its person's mean face."""
        logits = torch.logit(mean_faces.clamp(*MEAN_LIMITS))
        for decoder, start in zip(self.decoders, logits, strict=True):
            cast(QuickDecoder, decoder).picture.data.copy_(start)


class QuickDecoder(nn.Module):
    """The learned picture of one person, and the layers that move and repaint it."""

    FLOW_AFTER = 2
    """Upscales before the flow is read off: 32x32 vectors for 128 px."""
    FLOW_REACH = 0.2
    """Furthest a pixel may be fetched from, in half sides of the picture."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        sizes = (config.base, *config.decoder)
        pairs = list(itertools.pairwise(sizes))
        self.coarse = nn.Sequential(*(Upscale(a, b) for a, b in pairs[: self.FLOW_AFTER]))
        self.fine = nn.Sequential(*(Upscale(a, b) for a, b in pairs[self.FLOW_AFTER :]), Residual(sizes[-1]))
        self.flow = nn.Conv2d(pairs[self.FLOW_AFTER - 1][1], 2, 3, padding=1)
        self.paint = nn.Conv2d(sizes[-1], 12, 3, padding=1)
        self.picture = nn.Parameter(torch.zeros(3, config.output_px, config.output_px))
        self.register_buffer("grid", _still_grid(config.output_px), persistent=False)
        start_well(self)
        nn.init.zeros_(self.flow.weight)
        nn.init.normal_(self.paint.weight, std=0.01)

    def forward(self, code: Tensor) -> Tensor:
        """Decode (N, base, side, side) to faces in [0, 1]."""
        coarse = self.coarse(code)
        side = self.picture.shape[-1]
        flow = self.FLOW_REACH * torch.tanh(self.flow(coarse).float())
        flow = functional.interpolate(flow, size=(side, side), mode="bilinear", align_corners=False)
        places = cast(Tensor, self.grid) + flow.permute(0, 2, 3, 1)
        pictures = self.picture.expand(len(code), -1, -1, -1)
        moved = functional.grid_sample(pictures, places, padding_mode="border", align_corners=False)
        painted = functional.pixel_shuffle(self.paint(self.fine(coarse)), 2)
        return torch.sigmoid(moved + painted.float())


def _classic_decoder(config: AutoencoderConfig) -> nn.Sequential:
    sizes = (config.base, *config.decoder)
    upscales = [Upscale(a, b) for a, b in itertools.pairwise(sizes)]
    return nn.Sequential(*upscales, nn.Conv2d(sizes[-1], 3, 5, padding=2))


def _still_grid(side: int) -> Tensor:
    """(1, side, side, 2) places of pixel centres, x y in [-1, 1]."""
    places = (torch.arange(side, dtype=torch.float32) + 0.5) / side * 2 - 1
    y, x = torch.meshgrid(places, places, indexing="ij")
    return torch.stack([x, y], dim=-1)[None]
