"""The paper's network from audio features to mouth shapes: one causal LSTM layer with a time delay.

Suwajanakorn et al. 2017, section 4.1: 60-D cell, linear read-out, delay of 20 steps (200 ms), so that a causal net
sees the near future; inputs z-scored per dimension, outputs not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]
SMALLEST_STD = 1e-6


@dataclass(frozen=True, slots=True)
class Audio2MouthConfig:
    """Sizes of the network."""

    inputs: int = 28
    """Feature dimensions."""
    cell: int = 60
    outputs: int = 20
    """Coefficients of a mouth shape."""
    delay: int = 20
    """Steps (10 ms) by which the output lags the input."""


class Audio2Mouth(nn.Module):
    """LSTM with its input normaliser; the state is handed in and out, so that a clip of any length can stream."""

    input_mean: Tensor
    input_std: Tensor

    def __init__(self, config: Audio2MouthConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("input_mean", torch.zeros(config.inputs))
        self.register_buffer("input_std", torch.ones(config.inputs))
        self.lstm = nn.LSTM(config.inputs, config.cell, batch_first=True)
        self.read_out = nn.Linear(config.cell, config.outputs)

    @property
    def delay(self) -> int:
        """Rows by which the output lags the input."""
        return self.config.delay

    def normalise_by(self, features: Tensor, shapes: Tensor) -> None:  # noqa: ARG002 - the signature of both networks
        """Set the z-score of the inputs from training features (N, inputs), N >= 2; outputs are not scaled."""
        self.input_mean.copy_(features.mean(dim=0))
        self.input_std.copy_(features.std(dim=0).clamp_min(SMALLEST_STD))

    def forward(self, features: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Map (B, T, inputs) features to (B, T, outputs); output step t belongs to input step t - delay."""
        hidden, state = self.lstm((features - self.input_mean) / self.input_std, state)
        return self.read_out(hidden), state

    def heard(self, features: Tensor) -> Tensor:
        """Sounds with all that training does not change: here the sounds (B, T, inputs) alone."""
        return features

    def crops(self, features: Tensor) -> Tensor:
        """Map crops (B, T, inputs) to (B, T, outputs), each from an empty state; the output lags by the delay."""
        return self.read_out(self.lstm((features - self.input_mean) / self.input_std)[0])  # type: ignore[no-any-return]

    def shapes_of(self, features: Tensor, block: int = 2000) -> Tensor:
        """Mouth shapes of a whole clip, delay taken out, state kept from its first step to its last.

        Parameters
        ----------
        features : (T, inputs) float32. The last row is repeated for the length of the delay, so that the last 200 ms
            have a future to look at too.

        Returns
        -------
        (T, outputs) float32; row k belongs to feature row k.
        """
        if features.ndim != 2 or features.shape[1] != self.config.inputs:
            raise ValueError(f"expected features (T, {self.config.inputs}), got {tuple(features.shape)}")
        if features.shape[0] == 0:
            return features.new_zeros((0, self.config.outputs))
        padded = torch.cat([features, features[-1:].expand(self.delay, -1)])
        parts: list[Tensor] = []
        state: State | None = None
        with torch.no_grad():
            for start in range(0, padded.shape[0], block):
                shapes, state = self(padded[None, start : start + block], state)
                parts.append(shapes[0])
        return torch.cat(parts)[self.delay :]
