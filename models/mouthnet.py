"""The default network from sound to mouth shapes: convolutions that hear a third of a second, and an LSTM beside them.

Against the paper's causal LSTM of 60 cells (`models.audio2mouth`) it hears what comes next instead of answering late,
log-mel bands instead of cepstra, and beside them the phones of a model of many voices (`models.ear`), so that what was
learned from minutes of one speaker holds for words and voices that were not in them. Most of a mouth is told by the
convolutions, which cannot learn sentences by heart; the LSTM adds what is longer than their window. It runs at 50 steps
a second, half the rate of its rows: footage shows 25 to 30 mouths a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from models.audio2mouth import SMALLEST_STD, Audio2Mouth
from models.ear import LEAST, PHONES, REACH_ROWS, Ear
from models.stream import MouthStream
from models.tape import Conv

STRIDE = 2
"""Rows a step."""
WIDTH = 5
"""Rows, then steps, that each convolution sees."""
BLOCK = 6000
"""Rows (10 ms) mapped at once when a clip is predicted; memory does not grow with its length."""
CONTEXT = 400
"""Rows heard on either side of a block and thrown away; both even, so that steps fall on the same rows."""
VELOCITY_ROWS = 4
"""Rows over which velocity is taken: 40 ms, a frame of footage."""


@dataclass(frozen=True, slots=True)
class MouthNetConfig:
    """Sizes of the network."""

    inputs: int = 40
    """Feature dimensions: mel bands."""
    channels: int = 128
    dilations: tuple[int, ...] = (1, 1, 2, 2)
    """Steps between what each convolution sees, each added to what it was given."""
    cell: int = 64
    """Cells of the LSTM in each direction."""
    outputs: int = 20
    """Coefficients of a mouth shape."""
    dropout: float = 0.2
    unled: float = 0.5
    """Share of training crops in which the LSTM is not heard: what a sentence leads up to must not be needed. Of words
    that were in no sentence of the training (half of GRID) r of the opening rises from .762 to .791."""
    deaf: float = 0.4
    """Share of training crops in which phones are not heard: half as much, .01 less for such words and other voices."""
    phones: bool = True
    """Whether it hears phones too."""
    live: bool = False
    """Whether it can follow a stream: it hears no further ahead than `MouthNet.ahead`. Its LSTM runs forward only, of
    the convolutions after the first two those of dilation 1 alone look ahead, and phones are measured against what was
    heard so far."""


class MouthNet(nn.Module):
    """Convolutions of which each adds to the last, an LSTM in both directions beside them, a linear read-out.

    Inputs are z-scored, outputs scaled as one.
    """

    input_mean: Tensor
    input_std: Tensor
    output_scale: Tensor
    delay = 0
    """Rows by which the output lags the input."""

    def __init__(self, config: MouthNetConfig, ear: Ear | None = None) -> None:
        """Make an untrained network; with ``config.phones`` it needs the `ear` that hears them."""
        super().__init__()
        if config.phones != (ear is not None):
            raise ValueError("a network that hears phones needs an ear, and no other has one")
        if ear is not None and ear.live != config.live:
            raise ValueError("a live network needs a live ear, and no other has one")
        self.config = config
        self.register_buffer("input_mean", torch.zeros(config.inputs))
        self.register_buffer("input_std", torch.ones(config.inputs))
        self.register_buffer("output_scale", torch.ones(()))
        self.ear = ear
        self.first = _same(config.inputs, config.channels, WIDTH)
        self.second = _same(config.channels, config.channels, WIDTH, stride=STRIDE)
        self.phones = _same(len(PHONES), config.channels, 3) if ear is not None else None
        self.trunk = nn.ModuleList(_trunk(config, step) for step in config.dilations)
        self.drop = nn.Dropout(config.dropout)
        self.lstm = nn.LSTM(config.channels, config.cell, batch_first=True, bidirectional=not config.live)
        self.read_near = nn.Linear(config.channels, config.outputs)
        self.read_far = nn.Linear((1 if config.live else 2) * config.cell, config.outputs, bias=False)

    @property
    def layers(self) -> list[Conv]:
        """The convolutions after the first two."""
        return [layer for layer in self.trunk if isinstance(layer, Conv)]

    @property
    def ahead(self) -> int:
        """Rows after its own that an output row of a live network hears, at most: with the usual sizes 14, 0.14 s.

        Raises
        ------
        ValueError
            It is not live: it hears on to the end.
        """
        if not self.config.live:
            raise ValueError("this network hears its sound to the end; only a live one has a bound")
        bands = self.first.ahead + self.second.ahead
        heard = 0 if self.phones is None else REACH_ROWS + STRIDE * self.phones.ahead
        # A row between two steps needs the later one, which stands a row after it.
        return max(bands, heard) + STRIDE * sum(layer.ahead for layer in self.layers) + STRIDE - 1

    def normalise_by(self, features: Tensor, shapes: Tensor) -> None:
        """Set the scales from training rows: features (N, inputs) and shapes (N, outputs), N >= 2."""
        self.input_mean.copy_(features.mean(dim=0))
        self.input_std.copy_(features.std(dim=0).clamp_min(SMALLEST_STD))
        self.output_scale.copy_(shapes.std(dim=0).square().mean().sqrt().clamp_min(SMALLEST_STD))
        if self.ear is not None and self.ear.live:
            self.ear.usual_from(features)

    def widen(self, gain: float) -> None:
        """Let all mouths lie so many times as far from the mean mouth."""
        self.output_scale.mul_(gain)

    def forward(self, features: Tensor, centre: Tensor | None = None) -> Tensor:
        """Map (B, T, inputs) to (B, T, outputs), T >= 1; output row k belongs to input row k.

        Parameters
        ----------
        centre : of the whole sound, as of `Ear.centre`, where `features` are a part of it.
        """
        return self._mapped(features, None if self.ear is None else self.ear(features, STRIDE, centre))

    def _mapped(self, features: Tensor, shares: Tensor | None) -> Tensor:
        """Map (B, T, inputs) and the log shares of phones at their steps (B, S, 42)."""
        rows = features.shape[1]
        heard = self.second(gelu(self.first(self.bands(features))))
        if shares is not None and self.phones is not None:
            heard = heard + self.phones(self._some(self.scaled(shares), self.config.deaf))
        heard = gelu(heard)
        for layer in self.layers:
            heard = heard + self.drop(gelu(layer(heard)))
        near = heard.transpose(1, 2)
        far = self._some(self.drop(self.lstm(self.drop(near))[0]), self.config.unled)
        shapes = self.read(near, far)
        # Step j stands at row 2j; the rows between are half-way.
        after = torch.cat([shapes[:, 1:], shapes[:, -1:]], dim=1)
        between = torch.stack([shapes, (shapes + after) / 2], dim=2)
        return between.flatten(1, 2)[:, :rows]

    def _some(self, crops: Tensor, left_out: float) -> Tensor:
        """Crops (B, ...) without what a share of them shall do without in training; what is left is not scaled up."""
        if not self.training or left_out <= 0.0:
            return crops
        return crops * (torch.rand(crops.shape[0], 1, 1) >= left_out).to(crops.dtype)

    def bands(self, features: Tensor) -> Tensor:
        """What the convolutions are given of (B, T, inputs): (B, inputs, T)."""
        return ((features - self.input_mean) / self.input_std).transpose(1, 2)

    def scaled(self, shares: Tensor) -> Tensor:
        """Log shares of phones (B, S, 42) as the convolutions are given them: (B, 42, S), -1 to 3."""
        return (shares.transpose(1, 2) - 0.75 * LEAST) / 2.0

    def read(self, near: Tensor, far: Tensor) -> Tensor:
        """Shapes (B, S, outputs) of what convolutions (B, S, channels) and LSTM (B, S, cells) say."""
        shapes: Tensor = (self.read_near(near) + self.read_far(far)) * self.output_scale
        return shapes

    def heard(self, features: Tensor) -> Tensor:
        """Sounds (B, T, inputs) with all that training does not change: phones beside them, (B, T, inputs + 42)."""
        return features if self.ear is None else torch.cat([features, self.ear(features, 1)], dim=2)

    def crops(self, heard: Tensor) -> Tensor:
        """Map crops of what was `heard` to (B, T, outputs), each alone, as whole clips are."""
        features, shares = heard[..., : self.config.inputs], heard[:, ::STRIDE, self.config.inputs :]
        return self._mapped(features, None if self.ear is None else shares)

    def shapes_of(self, features: Tensor, block: int = BLOCK, context: int = CONTEXT) -> Tensor:
        """Mouth shapes of a whole clip, in blocks that overlap; a live network goes on from block to block instead.

        Parameters
        ----------
        features : (T, inputs) float32.
        block, context : rows mapped at once, and heard on either side; even.

        Returns
        -------
        (T, outputs) float32; row k belongs to feature row k.
        """
        if features.ndim != 2 or features.shape[1] != self.config.inputs:
            raise ValueError(f"expected features (T, {self.config.inputs}), got {tuple(features.shape)}")
        if self.config.live:
            return MouthStream(self).whole(features, block)
        rows, parts = features.shape[0], [features.new_zeros((0, self.config.outputs))]
        was_training = self.training
        self.eval()
        centre = self.ear.centre(features[None]) if self.ear is not None and rows else None
        with torch.no_grad():
            for start in range(0, rows, block):
                first = max(start - context, 0)
                mapped = self(features[None, first : start + block + context], centre)[0]
                parts.append(mapped[start - first : start - first + block])
        self.train(was_training)
        return torch.cat(parts)


def _same(inputs: int, outputs: int, width: int, stride: int = 1) -> Conv:
    """A convolution that keeps its rows where they are."""
    return Conv(inputs, outputs, width, width // 2, stride)


def _trunk(config: MouthNetConfig, dilation: int) -> Conv:
    ahead = 0 if config.live and dilation > 1 else dilation * (WIDTH // 2)
    return Conv(config.channels, config.channels, WIDTH, ahead, dilation=dilation)


MouthModel: TypeAlias = Audio2Mouth | MouthNet
"""What maps sound to mouths; `heard`, `crops`, `shapes_of`, `normalise_by`, `delay`, `config` mean the same in both."""


def open_loss(gaps: Tensor, wanted: Tensor, known: Tensor, closed_cm: float) -> Tensor:
    """Mean square of how far lips that should be closed are open.

    A mean squared error of shapes leaves them a little open, since it pays for the rows before and after too.

    Parameters
    ----------
    gaps, wanted : (B, T) gaps of the inner lips, centimetres.
    known : (B, T) in {0, 1}; the mean is over these.
    closed_cm : wanted gaps up to this are closed.
    """
    closed = (wanted <= closed_cm).to(known.dtype) * known
    over = (gaps - wanted.clamp_min(0.0)).clamp_min(0.0)
    return (over.square() * closed).sum() / known.sum().clamp_min(1.0)


@dataclass(frozen=True, slots=True)
class PointCost:
    """What an error of a shape costs: the mean over its points of their distance, squared where that is small.

    A mouth that may be open or shut as far as the sound tells is told half open by a mean of squares, which is what
    neither is; by distances it is told as the likelier of the two. ``2 s^2 (sqrt(1 + d^2 / s^2) - 1)`` is d^2 for
    distances d well under s and 2 s d for those well over it (Charbonnier et al., "Deterministic edge-preserving
    regularization in computed imaging", IEEE TIP 6(2), 1997).

    Attributes
    ----------
    points : (D, 2 P), by which each coefficient moves the x and y of each point.
    softness : s, in the points' unit, > 0.
    """

    points: Tensor
    softness: float

    def __call__(self, error: Tensor) -> Tensor:
        """Cost of each of the errors (B, T, D): (B, T)."""
        squares = (error @ self.points).square()
        squares = squares[..., ::2] + squares[..., 1::2]
        soft = self.softness**2
        costs = 2.0 * soft * ((1.0 + squares / soft).sqrt() - 1.0)
        return costs.mean(dim=-1)


def mean_square(error: Tensor) -> Tensor:
    """Mean square of each of the errors (B, T, D): (B, T)."""
    return error.square().mean(dim=-1)


def shape_loss(error: Tensor, known: Tensor, cost: Callable[[Tensor], Tensor] = mean_square) -> Tensor:
    """Mean cost of the errors (B, T, D) of rows that are `known` (B, T), {0, 1}."""
    return (cost(error) * known).sum() / known.sum().clamp_min(1.0)


def velocity_loss(error: Tensor, known: Tensor) -> Tensor:
    """Mean square of their change over 40 ms, where both its ends are known."""
    change = error[:, VELOCITY_ROWS:] - error[:, :-VELOCITY_ROWS]
    return shape_loss(change, known[:, VELOCITY_ROWS:] * known[:, :-VELOCITY_ROWS])
