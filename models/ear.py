"""Speaker-independent phone scores of log-mel rows: the Gaussian mixtures of a public acoustic model, as a layer.

A mouth network learned from minutes of one voice hears that voice's spectra; an acoustic model learned from many people
hears phones. CMU Sphinx's semi-continuous models with a codebook for each phone (Huggins-Daines et al., "Pocketsphinx",
ICASSP 2006) are small enough to be evaluated here for each 20 ms: cepstra with their first and second differences
against 42 codebooks of 128 diagonal Gaussians, each phone's three states summed. The model's own front end hears 25
bands; they are read off the 40 of the default recipe, so sounds that are varied there are varied here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log10, pi
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, pad

NAMES: Final = (
    "+NSN+ +SPN+ AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH SIL T TH UH UW V W Y Z "
    "ZH"
)
PHONES: Final = tuple(NAMES.split())
"""What is told apart, in the model's order: two noises, silence and 39 phones (ARPAbet)."""
STATES: Final = 3
STREAMS: Final = 3
"""Cepstra, their first and their second difference, independent of each other."""
DENSITIES: Final = 128
CEPSTRA: Final = 13
BANDS: Final = 25
LOWEST_HZ: Final = 130.0
HIGHEST_HZ: Final = 6800.0
LIFTER: Final = 22
SHARPNESS: Final = 0.3
"""Exponent of the likelihoods: streams and rows are no independent witnesses, so unweighted ones are far too sure."""
LEAST: Final = -8.0
"""Log of the smallest share that a phone is given."""
LOUD_ROWS: Final = 25
"""How loud a sound is is the mean of its loudest quarter of a second: no click, and not how long it is silent..."""
LOUD_RANGE: Final = 4.0
"""...and rows whose mean log power lies at most so far under it (17 dB) count as sound."""
CHUNK: Final = 64
"""Steps evaluated at once: 16,128 Gaussians each, a size that caches hold."""
SMALLEST: Final = 1e-30
REACH_ROWS: Final = 3
"""Rows that the differences see on either side."""
SOUNDS_FROM: Final = 7.5
"""Mean log power of a row that counts half as sound where there is no whole to measure it against: as far under the
loudest quarter of a second of speech at the recipe's loudness as `LOUD_RANGE`, and well over a room's noise (5)..."""
SOUNDS_WIDTH: Final = 0.5
"""...and how softly: of the logistic curve around it."""
MEMORY_ROWS: Final = 1000.0
"""A running mean forgets over ten seconds of sound, so that another voice or microphone is got used to..."""
RUNNING_ROWS: Final = 100_000
"""Rows over which what is forgotten is summed at once: over seven times as many it would exceed float64."""
USUAL_ROWS: Final = 50.0
"""...and begins with the training's own mean, which counts as half a second."""


@dataclass(frozen=True, slots=True)
class Mixtures:
    """The parameters of an acoustic model.

    Attributes
    ----------
    means, variances : (42, 3, 128, 13) float32, of each phone's codebook for each stream.
    weights : (3, 128, 126) float32, of each density in each state, phone after phone.
    """

    means: Tensor
    variances: Tensor
    weights: Tensor


class Ear(nn.Module):
    """Log-mel rows to log shares of phones; fixed, nothing in it is trained."""

    cepstra: Tensor
    squares: Tensor
    constants: Tensor
    weights: Tensor
    usual: Tensor

    def __init__(self, centres_mel: Tensor, mixtures: Mixtures | None = None, live: bool = False) -> None:
        """Hear bands with centres (inputs,) on the mel scale.

        Parameters
        ----------
        mixtures : without them they are to be restored.
        live : cepstra are measured against what was heard so far (`running`), not against the whole sound (`centre`).
        """
        super().__init__()
        self.live = live
        if live:
            self.register_buffer("usual", torch.zeros(CEPSTRA))
        codes = len(PHONES) * DENSITIES
        self.register_buffer("cepstra", cepstra_of(centres_mel))
        self.register_buffer("squares", torch.zeros(STREAMS, 2 * CEPSTRA, codes))
        self.register_buffer("constants", torch.zeros(STREAMS, codes))
        self.register_buffer("weights", torch.zeros(STREAMS, len(PHONES), DENSITIES, STATES))
        if mixtures is not None:
            self._fill(mixtures)

    def _fill(self, mixtures: Mixtures) -> None:
        means, inverse = mixtures.means.double(), 1.0 / mixtures.variances.double()
        constants = -0.5 * (means.square() * inverse - inverse.log() + log(2 * pi)).sum(dim=-1)
        quadratic = torch.cat([-0.5 * inverse, means * inverse], dim=-1)
        self.squares.copy_(quadratic.transpose(0, 1).flatten(1, 2).transpose(1, 2))
        self.constants.copy_(constants.transpose(0, 1).flatten(1))
        shared = mixtures.weights.reshape(STREAMS, DENSITIES, len(PHONES), STATES)
        self.weights.copy_(shared.transpose(1, 2))

    def centre(self, features: Tensor) -> Tensor:
        """Mean cepstra of what is loud in (B, T, inputs), T >= 1: (B, 1, 13); what a microphone and a voice add."""
        heard = _loud(features).to(features.dtype).unsqueeze(-1)
        return ((features @ self.cepstra) * heard).sum(dim=1, keepdim=True) / heard.sum(dim=1, keepdim=True)

    def likelihood(self, features: Tensor, chosen: Tensor, most: int) -> float:
        """Mean log-likelihood of chosen rows of one sound (1, T, inputs), measured against their own mean.

        Parameters
        ----------
        chosen : (T,) bool, one row at least.
        most : so many of them are judged, taken evenly.
        """
        rows = torch.nonzero(chosen)[:, 0]
        some = rows[torch.linspace(0, len(rows) - 1, min(most, len(rows))).round().long()]
        with torch.no_grad():
            centre = (features[:, rows] @ self.cepstra).mean(dim=1, keepdim=True)
            around = pad(self.cepstra_by(features, centre), (REACH_ROWS, REACH_ROWS), mode="replicate")
            parts = torch.split(_streams(around, 1)[:, some], CHUNK, dim=1)
            likely = torch.cat([torch.logsumexp(self._likelihoods(part), dim=1) for part in parts])
        return float(likely.double().mean())

    def usual_from(self, features: Tensor) -> None:
        """Set what a running mean begins with to that of training rows (N, inputs)."""
        heard = _heard(features)
        self.usual.copy_(((features @ self.cepstra).double() * heard).sum(dim=0) / heard.sum().clamp_min(SMALLEST))

    def running(self, features: Tensor, before: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean cepstra of what was loud so far, row by row, by which a live ear hears.

        Rows count by how loud they are, on an absolute scale: a stream does not know what is still to come. Each row of
        sound makes what was before it count ``1 / MEMORY_ROWS`` less.

        Parameters
        ----------
        features : (B, T, inputs), T >= 0, at the recipe's loudness.
        before : what the second result was for the rows before; None where there are none.

        Returns
        -------
        centres : (B, T, 13) float32, of each row and those before it.
        sums : (B, 1, 14) float64, weighted cepstra and weights; all that has to be kept.
        """
        if before is None:
            begun = USUAL_ROWS * torch.cat([self.usual.double(), self.usual.new_ones(1, dtype=torch.float64)])
            before = begun.expand(features.shape[0], 1, -1)
        if features.shape[1] > RUNNING_ROWS:
            first, sums = self.running(features[:, :RUNNING_ROWS], before)
            rest, sums = self.running(features[:, RUNNING_ROWS:], sums)
            return torch.cat([first, rest], dim=1), sums
        heard = _heard(features)
        counted = torch.cat([(features @ self.cepstra).double(), torch.ones_like(heard)], dim=2) * heard
        fading = torch.log1p(-heard / MEMORY_ROWS).cumsum(dim=1)
        sums = (before + (counted * (-fading).exp()).cumsum(dim=1)) * fading.exp()
        return (sums[..., :-1] / sums[..., -1:]).to(features.dtype), torch.cat([before, sums], dim=1)[:, -1:].clone()

    def forward(self, features: Tensor, stride: int, centre: Tensor | None = None) -> Tensor:
        """Map (B, T, inputs) natural logarithms of power to (B, ceil(T / stride), 42) log shares in [-8, 0].

        Parameters
        ----------
        stride : rows a step; step j stands at row ``stride * j``.
        centre : of the whole sound where `features` are a part of it (`centre`), or of each row; None takes theirs.
        """
        with torch.no_grad():
            if centre is None:
                centre = self.running(features)[0] if self.live else self.centre(features)
            around = pad(self.cepstra_by(features, centre), (REACH_ROWS, REACH_ROWS), mode="replicate")
            return self.shares(around, stride)

    def cepstra_by(self, features: Tensor, centre: Tensor) -> Tensor:
        """Cepstra of (B, T, inputs), and the same less their centre (B, 1 or T, 13): (B, 26, T)."""
        cepstra = features @ self.cepstra
        return torch.cat([cepstra, cepstra - centre], dim=2).transpose(1, 2)

    def shares(self, around: Tensor, stride: int) -> Tensor:
        """Log shares (B, N, 42) of every `stride`-th row of `cepstra_by` that has `REACH_ROWS` on either side."""
        rows = -(-(around.shape[2] - 2 * REACH_ROWS) // stride)
        scores = torch.cat([self._scores(part) for part in torch.split(_streams(around, stride), CHUNK, dim=1)])
        return scores.reshape(around.shape[0], rows, len(PHONES))

    def _scores(self, streams: Tensor) -> Tensor:
        """Log shares of phones for (3, N, 13): (N, 42)."""
        shares: Tensor = torch.log_softmax(SHARPNESS * self._likelihoods(streams), dim=1).clamp_min(LEAST)
        return shares

    def _likelihoods(self, streams: Tensor) -> Tensor:
        """Log-likelihoods of phones for (3, N, 13): (N, 42)."""
        total = streams.new_zeros(len(PHONES), streams.shape[1], STATES)
        for stream, squares, constants, weights in zip(
            streams, self.squares, self.constants, self.weights, strict=True
        ):
            terms = torch.addmm(constants, torch.cat([stream.square(), stream], dim=1), squares)
            terms = terms.reshape(-1, len(PHONES), DENSITIES)
            top = terms.amax(dim=2, keepdim=True)
            inside = terms.sub_(top).exp_().transpose(0, 1) @ weights
            total += (inside + SMALLEST).log_() + top.transpose(0, 1)
        return torch.logsumexp(total, dim=2).transpose(0, 1)


def _streams(around: Tensor, stride: int) -> Tensor:
    """Cepstra, their first and their second differences (3, B * N, 13) of every `stride`-th row of `Ear.cepstra_by`."""
    rows = around.shape[2] - 2 * REACH_ROWS
    plain, centred = around.transpose(1, 2).chunk(2, dim=2)
    first = REACH_ROWS
    at = {shift: plain[:, first + shift : first + shift + rows : stride] for shift in range(-3, 4)}
    static = centred[:, first : first + rows : stride]
    return torch.stack([static, at[2] - at[-2], at[3] - at[-1] - at[1] + at[-3]]).flatten(1, 2)


def _loud(features: Tensor) -> Tensor:
    """Which rows of (B, T, inputs) are no quieter than the loudest by more than `LOUD_RANGE`: (B, T)."""
    level = features.mean(dim=-1)
    loudest = avg_pool1d(level, min(LOUD_ROWS, level.shape[1]), stride=1).amax(dim=1, keepdim=True)
    return level >= loudest - LOUD_RANGE


def _heard(features: Tensor) -> Tensor:
    """How far rows (..., inputs) count as sound: (..., 1) float64 in [0, 1]."""
    level = features.double().mean(dim=-1, keepdim=True)
    return torch.sigmoid((level - SOUNDS_FROM) / SOUNDS_WIDTH)


def cepstra_of(centres_mel: Tensor) -> Tensor:
    """From log power of bands with centres (inputs,) on the mel scale to the model's liftered cepstra: (inputs, 13)."""
    low, high = (2595.0 * log10(1.0 + edge / 700.0) for edge in (LOWEST_HZ, HIGHEST_HZ))
    wanted = torch.linspace(low, high, BANDS + 2, dtype=torch.float64)
    reach = 0.75 * (wanted[1] - wanted[0])
    near = (1.0 - (wanted[1:-1] - centres_mel.double().unsqueeze(1)).abs() / reach).clamp_min(0.0)
    near = near / near.sum(dim=0, keepdim=True)
    orders = torch.arange(CEPSTRA, dtype=torch.float64)
    places = (torch.arange(BANDS, dtype=torch.float64) + 0.5) / BANDS
    cosines = torch.cos(pi * places.unsqueeze(1) * orders) * (2.0 / BANDS) ** 0.5
    cosines[:, 0] /= 2.0**0.5
    lifted = cosines * (1.0 + LIFTER / 2.0 * torch.sin(pi * orders / LIFTER))
    mapped: Tensor = near @ lifted
    return mapped.float()
