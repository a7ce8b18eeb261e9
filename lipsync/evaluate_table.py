"""The evaluation as tables of text: what the terminal shows, and the cells of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from lipsync.evaluate import Evaluation
from lipsync.evaluate_options import BASELINE
from lipsync.figures import FIGURES
from lipsync.gauge import BLOCK_S, FEW_CLIPS
from lipsync.picture_figures import PICTURES
from lipsync.rendered_table import SHAPES, RenderedTable
from lipsync.rows import Row
from shared.metrics.interval import Interval
from shared.metrics.lag import Lag
from shared.metrics.mouth import open_rate
from shared.types import JsonObject

SILENCES: Final = {"zeros": "leak: zeros", "room": "room", "pink": "pink"}
"""Heads of the columns of made-up silences."""
OTHERS: Final = ("aperture_r", "aperture_speech_r", "articulation_ratio", "closure_share")
"""Columns that mean something where the mouth is another speaker's."""
Cells = tuple[list[str], list[list[str]]]
"""Heads, and lines of as many cells."""


def text_of(cells: Cells) -> str:
    """A table with its columns aligned."""
    heads, body = cells
    widths = [max(len(line[column]) for line in [heads, *body]) for column in range(len(heads))]
    return "\n".join(_text_line(line, widths) for line in [heads, *body])


def summary(found: Evaluation) -> str:
    """What was learned from and measured on, in one line."""
    held = held_facts(found)
    opened = held["open_in_pauses_share"]
    pauses = f"; the real mouth is open in {opened:.1%} of its pauses" if np.isfinite(opened) else ""
    late_ms = held["late_ms"]
    late = (
        f"; their sounds came {late_ms['mean']:+.0f} ms after the mouth (standard deviation {late_ms['deviation']:.0f} "
        "ms), which was taken out"
        if late_ms["deviation"] > 0.0
        else ""
    )
    return (
        f"learned from {len(found.names_learned)} clips ({found.learned_s / 60:.1f} minutes), measured on "
        f"{held['clips']} clips that no recipe has seen ({held['frames']} frames, {held['speech_frames']} in speech, "
        f"{held['pause_frames']} in pauses, {held['closures']} closures){pauses}{late}"
    )


def beside_baseline(found: Evaluation) -> str:
    """How far the last recipe has come from the baseline towards the noise of the measure, in one line."""
    parts = []
    for key, name in (("m_lmd_px", "M-LMD"), ("m_lmd_centred_px", "centred")):
        ratio, closed = towards_noise(found, found.last, key)
        parts.append(f"{name} {ratio:.2f} x that of {BASELINE}, {closed:.0%} of its distance to the noise gone")
    return f"{found.last.name}: " + "; ".join(parts)


def towards_noise(found: Evaluation, row: Row, key: str) -> tuple[float, float]:
    """A row's distance over the baseline's, and what share of the baseline's excess over the noise it does without.

    The noise is the real clip detected again, a little more than what a perfect prediction would show.
    """
    base, noise = (found.row(name).figures[key].mean for name in (BASELINE, "detected again"))
    own = row.figures[key].mean
    return own / base, (base - own) / (base - noise)


def shape_cells(found: Evaluation) -> Cells:
    """The rows of predicted mouths."""
    figures = [one for one in FIGURES if any(np.isfinite(row.figures[one.key].mean) for row in found.rows)]
    heads = ["", *(one.head for one in figures), "lag ms", *SILENCES.values()]
    body = []
    for row in found.rows:
        told = [shown(row.figures[one.key].mean, one.form) for one in figures]
        leaks = [shown(row.leaks.get(name, float("nan")), "{:+.1%}") for name in SILENCES]
        body.append([row.name, *told, lag_text(row.lag), *leaks])
    return heads, body


def difference_cells(found: Evaluation) -> Cells:
    """Each row less the baseline, with its interval; no lines where there is no baseline."""
    rows = [row for row in found.rows if row.against]
    figures = [one for one in FIGURES if any(np.isfinite(row.against[one.key].mean) for row in rows)]
    body = [[row.name, *(interval_text(row.against[one.key], one.form) for one in figures)] for row in rows]
    return ["", *(one.head for one in figures)], body


def other_cells(found: Evaluation) -> Cells:
    """The rows on other speakers: how openings follow theirs, and in which time."""
    figures = [one for one in FIGURES if one.key in OTHERS]
    body = [
        [row.name, *(shown(row.figures[one.key].mean, one.form) for one in figures), lag_text(row.lag)]
        for row in found.others
    ]
    return ["", *(one.head for one in figures), "lag ms"], body


def rendered_cells(found: RenderedTable) -> Cells:
    """The rows of rendered pictures, and of the mouths detected on them."""
    columns = [(one.key, one.head, one.form) for one in PICTURES]
    columns += [(one.key, one.head, one.form) for one in FIGURES if one.key in SHAPES]
    body = [
        [row.name, *(shown(row.figures[key].mean, form) if key in row.figures else "-" for key, _, form in columns)]
        for row in found.rows
    ]
    return ["", *(head for _, head, _ in columns)], body


def shown(value: float, form: str) -> str:
    """A figure, or a dash where it is unknown."""
    return form.format(value) if np.isfinite(value) else "-"


def interval_text(one: Interval, form: str) -> str:
    """A difference with its interval."""
    if not np.isfinite(one.mean):
        return "-"
    signed = form.replace("{:.", "{:+.")
    around = f" [{signed.format(one.low)}, {signed.format(one.high)}]" if np.isfinite(one.low) else ""
    return signed.format(one.mean) + around


def lag_text(lag: Lag | None) -> str:
    """Milliseconds, or the interval where there is too little speech for a figure."""
    if lag is None or not np.isfinite(lag.low_s):
        return "-"
    if np.isfinite(lag.lag_s):
        return f"{1000 * lag.lag_s:+.0f}"
    return f"{1000 * lag.low_s:+.0f}..{1000 * lag.high_s:+.0f}"


def held_facts(found: Evaluation) -> JsonObject:
    """Counts of what was held out, and how often the real mouth is open in its pauses."""
    real = found.row("real")
    late_ms = 1000.0 * np.array([clip.late_s for clip in found.clips])
    pauses = [open_rate(one.gap, one.clip.pause) for one in real.judged]
    count = sum(rate.count for rate in pauses)
    opened = sum(rate.share * rate.count for rate in pauses if rate.count)
    return {
        "clips": len(found.clips),
        "late_ms": {"mean": round(float(late_ms.mean()), 1), "deviation": round(float(late_ms.std()), 1)},
        "frames": sum(len(clip.times_s) for clip in found.clips),
        "speech_frames": sum(int(clip.speech.sum()) for clip in found.clips),
        "pause_frames": sum(int(clip.pause.sum()) for clip in found.clips),
        "closures": sum(len(clip.marks.closures_s) for clip in found.clips),
        "open_in_pauses_share": opened / count if count else float("nan"),
    }


def unit_of(found: Evaluation) -> str:
    """What is drawn again for the intervals."""
    return "clip" if len(found.clips) >= FEW_CLIPS else f"block of {BLOCK_S:g} s"


def _text_line(line: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(line, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)]).rstrip()
