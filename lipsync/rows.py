"""Rows of the evaluation table: mouths of the same clips made in different ways, and their figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from lipsync.baselines import Predictor
from lipsync.figures import FIGURES, sums_of
from lipsync.gauge import Gauge, HeldClip, Judged
from lipsync.silences import LENGTH_S, made_silences
from shared.metrics.interval import Interval, paired_pooled_interval, pooled_interval
from shared.metrics.lag import Lag, LagModel, SpeakingClip, measure_lag
from shared.metrics.mouth import open_rate
from shared.metrics.pooled import Sums
from shared.types import Floats, Sound

SILENCE_RATE_HZ: Final = 25.0
"""Frames a second at which mouths under made-up silences are looked at."""
STILL_CM: Final = 1e-4
"""A mouth that moves less has no lag."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes
    ----------
    figures : by the keys of `lipsync.figures.FIGURES`.
    against : the same less the baseline's, paired; empty for the baseline itself and where there is none.
    lag : of the mouth in its sound; None for a mouth that never moves.
    leaks : rate of open frames under made-up silences, less the real speaker's own in his pauses; by their names.
    judged : of each held-out clip.
    recipe, minutes : what was learned, and from how much footage; empty and 0 for what is not learned.
    """

    name: str
    about: str
    figures: dict[str, Interval]
    against: dict[str, Interval]
    lag: Lag | None
    leaks: dict[str, float]
    judged: tuple[Judged, ...]
    recipe: str = ""
    minutes: float = 0.0


class Table:
    """Rows over the same held-out clips, in the order they are added.

    Parameters
    ----------
    lag_model : regression from sound to lips on learned clips, by which lags are told.
    """

    def __init__(self, gauge: Gauge, lag_model: LagModel, held: Sequence[HeldClip], seed: int) -> None:
        self.held, self.rows = held, list[Row]()
        self.gauge, self.lag_model, self._seed = gauge, lag_model, seed
        self._silences = made_silences(seed)
        real = [(self.gauge.gaps(clip.lips), clip.pause) for clip in held]
        gaps, pauses = (np.concatenate(parts) for parts in zip(*real, strict=True))
        self._open_in_pauses = open_rate(gaps, pauses).share

    def predict(self, name: str, about: str, predictor: Predictor, recipe: str = "", minutes: float = 0.0) -> None:
        """Add a row that is made from sound, and from what the clips' upper faces tell, of no mouth."""
        leaks = {key: self._leak(predictor, sound) for key, sound in self._silences.items()}
        self.add(name, about, [predictor(clip.sound, clip.times_s, clip.upper) for clip in self.held], leaks)
        self.rows[-1] = replace(self.rows[-1], recipe=recipe, minutes=minutes)

    def add(self, name: str, about: str, lips: Sequence[Floats], leaks: dict[str, float] | None = None) -> None:
        """Add a row of mouths, (T, 36) for each held-out clip."""
        judged = tuple(Judged(self.gauge, clip, made) for clip, made in zip(self.held, lips, strict=True))
        figures = {one.key: pooled_interval(sums_of(one, judged), one.figure, self._seed) for one in FIGURES}
        self.rows.append(Row(name, about, figures, {}, self._lag(lips), leaks or {}, judged))

    def compare(self, baseline: str) -> None:
        """Fill in the differences to a row, where there is one of that name."""
        base = next((row for row in self.rows if row.name == baseline), None)
        if base is None:
            return
        sums: dict[str, Sums] = {one.key: sums_of(one, base.judged) for one in FIGURES}
        for place, row in enumerate(self.rows):
            if row is not base:
                against = {
                    one.key: paired_pooled_interval(sums_of(one, row.judged), sums[one.key], one.figure, self._seed)
                    for one in FIGURES
                }
                self.rows[place] = replace(row, against=against)

    def _leak(self, predictor: Predictor, sound: Sound) -> float:
        times_s = np.arange(int(LENGTH_S * SILENCE_RATE_HZ)) / SILENCE_RATE_HZ
        return open_rate(self.gauge.gaps(predictor(sound, times_s, None))).share - self._open_in_pauses

    def _lag(self, lips: Sequence[Floats]) -> Lag | None:
        if all(np.nanstd(made, axis=0).max() < STILL_CM for made in lips):
            return None
        clips = [SpeakingClip(clip.sound, made, clip.times_s) for clip, made in zip(self.held, lips, strict=True)]
        return measure_lag(self.lag_model, clips)
