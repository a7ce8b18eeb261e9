"""Rows of rendered clips: figures of the pictures, and of the mouths that are detected on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lipsync.figures import FIGURES, sums_of
from lipsync.gauge import Gauge, HeldClip, Judged
from lipsync.picture_figures import PICTURES, Rgb
from lipsync.rendered import STRIP, STRIP_PX, ClipPictures
from shared.metrics.interval import FigureOf, Interval, paired_pooled_interval, pooled_interval
from shared.metrics.pooled import Sums
from shared.picture.image import contact_sheet
from shared.progress import Progress

SHAPES: Final = ("m_lmd_px", "m_lmd_centred_px", "aperture_r", "aperture_std_ratio", "closure_share")
"""Columns of the first table that are told of the rendered pictures too."""


@dataclass(frozen=True, slots=True)
class RenderedRow:
    """One way of making the pictures.

    Attributes
    ----------
    figures : by the keys of `lipsync.rendered.PICTURES`, and of `SHAPES` for the mouth detected on the picture.
    against : the same less the baseline's, paired.
    outside : largest sample difference outside of what was to change.
    """

    name: str
    figures: dict[str, Interval]
    against: dict[str, Interval]
    outside: int


@dataclass(frozen=True, slots=True)
class RenderedTable:
    """What was rendered of an evaluation.

    Attributes
    ----------
    strips : one sheet of each clip, a line of pictures for each row.
    """

    clips: tuple[HeldClip, ...]
    rows: tuple[RenderedRow, ...]
    strips: tuple[Rgb, ...]


def some_of(clips: Sequence[HeldClip], count: int) -> tuple[HeldClip, ...]:
    """So many of the clips, evenly spread."""
    places = dict.fromkeys(np.linspace(0, len(clips) - 1, min(count, len(clips))).round().astype(int).tolist())
    return tuple(clips[place] for place in places)


def rendered_table(
    clips: Sequence[HeldClip],
    rows: Sequence[str],
    render: Callable[[str, HeldClip], ClipPictures],
    gauge: Gauge,
    baseline: str,
    seed: int,
    progress: Progress,
) -> RenderedTable:
    """Render each clip for each row, and measure.

    Parameters
    ----------
    render : row and clip to its pictures; `lipsync.rendered.Renderer.render`.
    baseline : row that the others are compared with, where it is among them.
    """
    seen: dict[str, list[ClipPictures]] = {row: [] for row in rows}
    for number, clip in enumerate(clips):
        for place, row in enumerate(rows):
            progress(number * len(rows) + place, len(clips) * len(rows), "rendering")
            seen[row].append(render(row, clip))
    progress(len(clips) * len(rows), len(clips) * len(rows), "rendering")
    sums = {row: _sums(clips, made, gauge) for row, made in seen.items()}
    found = []
    for row, made in seen.items():
        figures = {key: pooled_interval(one, figure, seed) for key, (one, figure) in sums[row].items()}
        against = {}
        if baseline in sums and row != baseline:
            against = {
                key: paired_pooled_interval(one, sums[baseline][key][0], figure, seed)
                for key, (one, figure) in sums[row].items()
                if key in sums[baseline]
            }
        found.append(RenderedRow(row, figures, against, max(one.outside for one in made)))
    strips = [_sheet([made[number].strip for made in seen.values()]) for number in range(len(clips))]
    return RenderedTable(tuple(clips), tuple(found), tuple(strips))


def _sums(clips: Sequence[HeldClip], made: Sequence[ClipPictures], gauge: Gauge) -> dict[str, tuple[Sums, FigureOf]]:
    """Sums (units, K) of each figure, and how it is made of them."""
    judged = [Judged(gauge, clip, one.lips) for clip, one in zip(clips, made, strict=True)]
    sums = {one.key: (sums_of(one, judged), one.figure) for one in FIGURES if one.key in SHAPES}
    for figure in PICTURES:
        if all(figure.key in one.sums for one in made):
            sums[figure.key] = (np.array([one.sums[figure.key] for one in made]), figure.figure)
    return sums


def _sheet(strips: Sequence[Sequence[Rgb]]) -> Rgb:
    nothing: Rgb = np.full((STRIP_PX, STRIP_PX, 3), 32, dtype=np.uint8)
    cells = [picture for strip in strips for picture in [*strip, *[nothing] * (STRIP - len(strip))]]
    return contact_sheet(cells, STRIP, (STRIP_PX, STRIP_PX))
