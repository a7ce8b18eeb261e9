"""The networks from sound to mouths, fed as the sound comes: what is certain is given, and what that needs is kept.

Every layer keeps the columns that its next output still sees, the LSTM its state, the ear its sums: a bounded state,
whatever was heard before, and no column is worked out twice. What comes out is what the whole sound gives, but for
rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import gelu

from models.ear import REACH_ROWS
from models.tape import Conv, Tape, Waiting

if TYPE_CHECKING:  # both are mapped here, and the one maps whole sounds by this
    from models.audio2mouth import Audio2Mouth, State
    from models.mouthnet import MouthNet


class MouthStream:
    """A live `models.mouthnet.MouthNet` on a stream of feature rows."""

    def __init__(self, net: MouthNet) -> None:
        self.ahead = net.ahead
        """Rows by which what is given lags what was fed, at most."""
        self._net = net
        self._stride = int(net.second.stride[0])
        self._first, self._second = _tape_of(net.first), _tape_of(net.second)
        self._ear = Tape(REACH_ROWS, REACH_ROWS, self._stride)
        self._phones = None if net.phones is None else _tape_of(net.phones)
        self._trunk = [(layer, _tape_of(layer), Waiting()) for layer in net.layers]
        self._by_bands, self._by_phones = Waiting(), Waiting()
        self._sums: Tensor | None = None
        self._state: State | None = None
        self._before: Tensor | None = None
        self._fed = self._given = 0

    def feed(self, features: Tensor, last: bool = False) -> Tensor:
        """Add rows (N, inputs), N >= 0, and give those that are certain now, in order: (M, outputs).

        Parameters
        ----------
        last : nothing comes after these; all rows that are missing are given.
        """
        self._fed += features.shape[0]
        with torch.no_grad():
            heard = self._heard(features[None], last)
            for layer, tape, waiting in self._trunk:
                waiting.add(heard)
                more = gelu(_mapped(layer, tape, heard, last))
                heard = waiting.take(more.shape[2]) + more
            rows = self._rows(self._read(heard.transpose(1, 2)), last)[: self._fed - self._given]
        self._given += rows.shape[0]
        return rows

    def whole(self, features: Tensor, block: int) -> Tensor:
        """All rows of a whole sound (T, inputs), `block` at a time: (T, outputs)."""
        parts = [self.feed(part) for part in torch.split(features, block)]
        return torch.cat([*parts, self.feed(features[:0], last=True)])

    def _heard(self, features: Tensor, last: bool) -> Tensor:
        """What the trunk is given (1, channels, S): bands and phones of the steps for which both are certain."""
        net = self._net
        bands = gelu(_mapped(net.first, self._first, net.bands(features), last))
        steps = _mapped(net.second, self._second, bands, last)
        if net.ear is None or net.phones is None or self._phones is None:
            return gelu(steps)
        centre, self._sums = net.ear.running(features, self._sums)
        around = self._ear.feed(net.ear.cepstra_by(features, centre), last)
        shares = features.new_zeros((1, 0, net.phones.in_channels))
        if around is not None:
            shares = net.ear.shares(around, self._stride)
        phones = _mapped(net.phones, self._phones, net.scaled(shares), last)
        count = min(self._by_bands.add(steps), self._by_phones.add(phones))
        return gelu(self._by_bands.take(count) + self._by_phones.take(count))

    def _read(self, near: Tensor) -> Tensor:
        """Shapes of steps (1, S, channels): (S, outputs)."""
        if near.shape[1] == 0:
            return near.new_zeros((0, self._net.config.outputs))
        far, self._state = self._net.lstm(near, self._state)
        shapes: Tensor = self._net.read(near, far)[0]
        return shapes

    def _rows(self, shapes: Tensor, last: bool) -> Tensor:
        """Each new step's row, before it the one half-way from the last; at the end one more, which may be over."""
        if shapes.shape[0] == 0:
            return shapes if self._before is None or not last else self._before
        before = shapes[:1] if self._before is None else self._before
        steps = torch.cat([before, shapes])
        rows = torch.stack([(steps[:-1] + steps[1:]) / 2, steps[1:]], dim=1).flatten(0, 1)
        rows = rows if self._before is not None else rows[1:]
        self._before = shapes[-1:].clone()
        return torch.cat([rows, self._before]) if last else rows


class PaperStream:
    """The paper's `models.audio2mouth.Audio2Mouth` on a stream; it answers late instead of hearing ahead."""

    def __init__(self, net: Audio2Mouth) -> None:
        self.ahead = net.delay
        """Rows by which what is given lags what was fed."""
        self._net = net
        self._late = net.delay
        self._state: State | None = None
        self._last: Tensor | None = None

    def feed(self, features: Tensor, last: bool = False) -> Tensor:
        """As of `MouthStream.feed`."""
        if features.shape[0]:
            self._last = features[-1:].clone()
        if last and self._last is not None:
            features = torch.cat([features, self._last.expand(self._net.delay, -1)])
        if features.shape[0] == 0:
            return features.new_zeros((0, self._net.config.outputs))
        with torch.no_grad():
            shapes, self._state = self._net(features[None], self._state)
        early = min(self._late, shapes.shape[1])
        self._late -= early
        rows: Tensor = shapes[0, early:]
        return rows


def _tape_of(layer: Conv) -> Tape:
    return Tape(layer.back, layer.ahead, int(layer.stride[0]))


def _mapped(layer: Conv, tape: Tape, columns: Tensor, last: bool) -> Tensor:
    """The outputs of a layer that are certain with these columns: (1, outputs, S)."""
    around = tape.feed(columns, last)
    return columns.new_zeros((1, layer.out_channels, 0)) if around is None else layer.inside(around)
