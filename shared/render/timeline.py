"""Which frame of the clip each frame of the output shows, where these are not simply the clip's in order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.types import Floats, JsonObject

Indices: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The frames of an output, each the clip's own or one between two of the clip's along optical flow.

    Attributes
    ----------
    first, second : (T,) int64 frames of the clip, T >= 1.
    share : (T,) float32 in [0, 1), how far from the first to the second; 0 shows the first as it is.
    jumps : (output frame, clip frame before, clip frame from there on) of each.
    rate : frames a second, constant.
    remarks : what the user should know of it.
    """

    first: Indices
    second: Indices
    share: Floats
    jumps: tuple[tuple[int, int, int], ...]
    rate: Fraction
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.first)
        if count == 0 or self.second.shape != (count,) or self.share.shape != (count,):
            shapes = self.first.shape, self.second.shape, self.share.shape
            raise ValueError(f"a timeline needs first, second and share of (T,) with T > 0, got {shapes}")
        if not (np.all(self.share >= 0) and np.all(self.share < 1)) or min(self.first.min(), self.second.min()) < 0:
            raise ValueError("a timeline needs frames of at least 0 and shares in [0, 1)")

    def __len__(self) -> int:
        return len(self.first)

    def filmed(self, runs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Runs (first, last) of the clip's frames that some runs of output frames are made of."""
        rows = np.concatenate([np.arange(first, last + 1) for first, last in runs])
        frames = np.unique([self.first[rows], np.where(self.share[rows] > 0, self.second[rows], self.first[rows])])
        breaks = np.flatnonzero(np.diff(frames) > 1)
        return list(zip(frames[[0, *breaks + 1]].tolist(), frames[[*breaks, -1]].tolist(), strict=True))

    def as_json(self, count: int | None = None) -> JsonObject:
        """The first `count` frames, else all, as JSON values.

        The map is told in runs: ``[first output frame, last, first clip frame]``, which goes on one by one, or
        ``[first, last, "flow"]``.
        """
        runs: list[list[int | str]] = []
        source = np.where(self.share > 0, -1, self.first)[:count]
        step = np.diff(source)
        goes_on = np.where(source[1:] < 0, source[:-1] < 0, (source[:-1] >= 0) & (step == 1))
        starts = np.concatenate([[0], 1 + np.flatnonzero(~goes_on)])
        ends = np.concatenate([starts[1:], [len(source)]]) - 1
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            runs.append([start, end, "flow" if source[start] < 0 else int(source[start])])
        return {
            "frames": len(source),
            "as_filmed": int((source >= 0).sum()),
            "rate": str(self.rate),
            "runs": runs,
            "jumps": [list(jump) for jump in self.jumps if jump[0] < len(source)],
        }
