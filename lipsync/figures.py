"""The figures of the evaluation table: what is summed of each clip, and how sums become a figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.gauge import HeldClip, Judged, blocks_of
from shared.metrics.interval import FigureOf
from shared.metrics.mouth import CLOSED_SHARE
from shared.metrics.pooled import (
    Sums,
    closed_recall,
    closed_sums,
    correlation,
    excess,
    mean,
    mean_sums,
    pair_sums,
    relative_rate,
    spread_ratio,
)

Chosen = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Figure:
    """A column of the table."""

    key: str
    """Name in the JSON, with the unit."""
    head: str
    form: str
    sums: Callable[[Judged, Chosen], Sums]
    """What a part of a clip (its frames, (T,) bool) adds."""
    figure: FigureOf
    legend: str


def _within(clip: HeldClip, times_s: NDArray[np.float64], chosen: Chosen) -> Chosen:
    """Which moments fall to the chosen frames: those whose nearest frame is one."""
    if len(times_s) == 0:
        return np.zeros(0, dtype=np.bool_)
    nearest = np.abs(clip.times_s[np.newaxis] - times_s[:, np.newaxis]).argmin(axis=1)
    return np.asarray(chosen[nearest], dtype=np.bool_)


def _open_sums(judged: Judged, chosen: Chosen) -> Sums:
    return np.concatenate([mean_sums(judged.is_open(gaps)[chosen]) for gaps in (judged.gap, judged.real_gap)])


def _closure_sums(judged: Judged, chosen: Chosen) -> Sums:
    times_s, gaps = judged.at_closures()
    return mean_sums(judged.is_closed(gaps)[_within(judged.clip, times_s, chosen)])


def _contrast_sums(judged: Judged, chosen: Chosen) -> Sums:
    parts = (judged.at_open_vowels(), judged.at_closures())
    return np.concatenate([mean_sums(gaps[_within(judged.clip, times_s, chosen)]) for times_s, gaps in parts])


FIGURES: Final = (
    Figure(
        "m_lmd_px", "M-LMD px", "{:.2f}", lambda j, c: mean_sums(j.apart_px[c]), mean,
        "mean distance of the lip points",
    ),
    Figure(
        "m_lmd_centred_px", "centred", "{:.2f}", lambda j, c: mean_sums(j.centred_px[c]), mean,
        "the same, each mouth's own centre removed",
    ),
    Figure(
        "aperture_r", "opening r", "{:.3f}", lambda j, c: pair_sums(j.gap[c], j.real_gap[c]), correlation,
        "Pearson correlation of the inner-lip gap with the real one, all frames",
    ),
    Figure(
        "aperture_speech_r", "in speech", "{:.3f}",
        lambda j, c: pair_sums(j.gap[c & j.clip.speech], j.real_gap[c & j.clip.speech]), correlation,
        "the same where somebody speaks",
    ),
    Figure(
        "aperture_unheard_r", "new words", "{:.3f}",
        lambda j, c: pair_sums(j.gap[c & j.clip.unheard], j.real_gap[c & j.clip.unheard]), correlation,
        "the same in words that were left out of learning",
    ),
    Figure(
        "aperture_std_ratio", "std ratio", "{:.2f}", lambda j, c: pair_sums(j.gap[c], j.real_gap[c]), spread_ratio,
        "standard deviation of the gap, made / real",
    ),
    Figure(
        "articulation_ratio", "artic.", "{:.2f}", lambda j, c: _open_sums(j, c & j.clip.speech), relative_rate,
        "rate of open frames (gap over 3% of the face width) in speech, made / real",
    ),
    Figure(
        "leak_pauses_share", "leak: pauses", "{:+.1%}", lambda j, c: _open_sums(j, c & j.clip.pause), excess,
        "rate of open frames in the real pauses, less the real speaker's own",
    ),
    Figure(
        "closure_share", "closures", "{:.1%}", _closure_sums, mean,
        "p, b, m at which the smallest gap within 40 ms falls to 1.25% of the face width",
    ),
    Figure(
        "closed_recall_share", "closed found", "{:.1%}",
        lambda j, c: closed_sums(j.gap[c & j.clip.speech], j.real_gap[c & j.clip.speech], CLOSED_SHARE), closed_recall,
        "really closed frames of speech found by the gap at a precision of 85%",
    ),
    Figure(
        "open_closed_contrast_share", "open - closed", "{:.3f}", _contrast_sums, excess,
        "mean gap at open vowels less that at closures (needs phone times)",
    ),
)  # fmt: skip
"""Columns that have an interval over clips."""


def sums_of(figure: Figure, judged: Sequence[Judged]) -> Sums:
    """(units, K) sums of one row of the table, unit by unit (see `blocks_of`)."""
    rows = []
    for one, blocks in zip(judged, blocks_of([each.clip for each in judged]), strict=True):
        rows += [figure.sums(one, blocks == block) for block in range(int(blocks.max(initial=0)) + 1)]
    return np.array(rows)
