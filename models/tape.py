"""Convolutions that say how far they hear, and what each still needs of a stream."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, pad


class Conv(nn.Conv1d):
    """A convolution whose outputs see `back` columns before their own and `ahead` after; the last ones go on.

    With a stride, output k stands at column ``stride * k``.
    """

    def __init__(self, inputs: int, outputs: int, width: int, ahead: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__(inputs, outputs, width, stride, dilation=dilation)
        self.ahead = ahead
        self.back = dilation * (width - 1) - ahead

    def forward(self, columns: Tensor) -> Tensor:
        """Map (B, inputs, N) to (B, outputs, ceil(N / stride))."""
        return self.inside(pad(columns, (self.back, self.ahead), mode="replicate"))

    def inside(self, columns: Tensor) -> Tensor:
        """The outputs that see nothing beyond the ends of (B, inputs, N)."""
        return conv1d(columns, self.weight, self.bias, self.stride, 0, self.dilation)


class Tape:
    """The last columns of a stream, as many as are needed for what comes; its ends are repeated as `Conv` does it."""

    def __init__(self, back: int, ahead: int, stride: int = 1) -> None:
        """Serve a layer whose output k sees columns ``stride * k - back`` to ``stride * k + ahead``."""
        self._back, self._ahead, self._stride = back, ahead, stride
        self._kept: Tensor | None = None

    def feed(self, columns: Tensor, last: bool = False) -> Tensor | None:
        """Add (B, C, N), N >= 0; what the next outputs see, or None where none is certain.

        Parameters
        ----------
        last : nothing comes after these.
        """
        if self._kept is None:
            if columns.shape[2] == 0:
                return None
            self._kept = columns[..., :1].expand(-1, -1, self._back)
        kept = torch.cat([self._kept, columns], dim=2)
        if last:
            kept = torch.cat([kept, kept[..., -1:].expand(-1, -1, self._ahead)], dim=2)
        around = self._back + 1 + self._ahead
        count = max((kept.shape[2] - around) // self._stride + 1, 0)
        self._kept = kept[..., count * self._stride :].clone()
        return kept[..., : (count - 1) * self._stride + around] if count else None


class Waiting:
    """Columns that wait for others, to be taken in order."""

    def __init__(self) -> None:
        self._kept: Tensor | None = None

    def add(self, columns: Tensor) -> int:
        """Add (B, C, N); how many wait now."""
        self._kept = columns if self._kept is None else torch.cat([self._kept, columns], dim=2)
        return self._kept.shape[2]

    def take(self, count: int) -> Tensor:
        """Take the first `count` of what waits: (B, C, count)."""
        if self._kept is None:
            raise ValueError("nothing was added")
        taken, self._kept = self._kept[..., :count], self._kept[..., count:].clone()
        return taken
