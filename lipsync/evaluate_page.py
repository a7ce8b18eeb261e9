"""The evaluation as a page to look at: tables, plots, and strips of pictures that lie beside it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from operator import itemgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.evaluate import Evaluation
from lipsync.evaluate_options import BASELINE
from lipsync.evaluate_plots import by_minutes, curves, intervals, scatter
from lipsync.evaluate_table import (
    Cells,
    beside_baseline,
    difference_cells,
    other_cells,
    rendered_cells,
    shape_cells,
    summary,
    unit_of,
)
from lipsync.figures import FIGURES, Figure
from lipsync.gauge import NORMALISER
from lipsync.picture_figures import PICTURES, PictureFigure
from lipsync.rendered_table import RenderedTable
from lipsync.rows import Row
from lipsync.silences import LENGTH_S, NOISE_DBFS, ROOM_DBFS

PICTURES_FOLDER: Final = "pictures"
STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:84rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:14px}"
    "td,th{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #ccc;white-space:nowrap}"
    "td:first-child,th:first-child{text-align:left}small{color:#666}svg,img{max-width:100%}.wide{overflow-x:auto}"
)


def page(found: Evaluation, strips: Sequence[str]) -> str:
    """The report as HTML, plots inside it.

    Parameters
    ----------
    strips : names of the pictures of the rendered clips, in their order.
    """
    parts = [
        f"<h1>lipswap evaluate</h1><p>{escape(summary(found))}.</p>",
        _html_table(shape_cells(found)),
        f"<p><small>{escape(NORMALISER)}. {escape(_legend(FIGURES))}; lag: of the mouth in its sound, relative to the "
        "learned clips; leak: rate of open frames above the real speaker's own in his pauses, under "
        f"{LENGTH_S:.0f} s each of zeros, room tone at {ROOM_DBFS:.0f} dBFS and pink noise at {NOISE_DBFS:.0f} dBFS."
        "</small></p>",
        "<h2>Distance to the real mouth</h2>",
        *(
            f"<p>{_intervals(found, key, unit)}</p>"
            for key, unit in (("m_lmd_px", "px"), ("m_lmd_centred_px", "px, centred"))
        ),
        *_by_minutes(found),
        *_differences(found),
        "<h2>Openings</h2><p>% of the face width, speech shaded; the held-out clips that the last recipe makes best, "
        "of middle quality, and worst.</p>",
        *_curves(found),
        *_others(found),
        *([] if found.rendered is None else _rendered(found.rendered, strips)),
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>lipswap evaluate</title><style>{STYLE}</style>'
        + "\n".join(parts)
        + "</html>\n"
    )


def _differences(found: Evaluation) -> list[str]:
    """Each row less the baseline, and each clip's distance under the baseline and the last row."""
    cells = difference_cells(found)
    if not cells[1]:
        return []
    heading = f"<h2>Less the row of {BASELINE}</h2><p>Paired bootstrap, 95%, drawn again: a {unit_of(found)}.</p>"
    parts = [heading, _html_table(cells)]
    last, base = found.last, found.row(BASELINE)
    if last is not base:
        parts.append(f"<p>{escape(beside_baseline(found))}.</p>")
        drawn = scatter(_by_clip(base), _by_clip(last), (base.name, last.name))
        parts.append(f"<p>M-LMD of each clip, px; below the line {escape(last.name)} is nearer.</p><p>{drawn}</p>")
    return parts


def _by_minutes(found: Evaluation) -> list[str]:
    """How the distance falls with the minutes of footage, where less was learned from too."""
    learned = [row for row in found.rows if row.recipe]
    lines = {
        recipe: sorted(
            ((row.minutes, row.figures["m_lmd_px"]) for row in learned if row.recipe == recipe), key=itemgetter(0)
        )
        for recipe in dict.fromkeys(row.recipe for row in learned)
    }
    if all(len(points) < 2 for points in lines.values()):
        return []
    return [f"<h2>By minutes of footage</h2><p>M-LMD, px, over minutes (logarithmic).</p><p>{by_minutes(lines)}</p>"]


def _curves(found: Evaluation) -> list[str]:
    last = found.last
    order = np.argsort(_by_clip(last))
    chosen = dict.fromkeys(int(order[place]) for place in (0, len(order) // 2, len(order) - 1))
    rows = [row for row in found.rows if row is last or row.name in ("real", BASELINE)]
    parts = []
    for number in chosen:
        clip = found.clips[number]
        lines = [(row.name, row.judged[number].gap) for row in rows]
        parts.append(f"<h3>{escape(clip.path.name)}</h3><p>{curves(clip.times_s, lines, clip.speech)}</p>")
    return parts


def _others(found: Evaluation) -> list[str]:
    if not found.others:
        return []
    clips = len(found.others[0].judged)
    heading = f"<h2>Other speakers</h2><p>{clips} clips; openings against each speaker's own.</p>"
    return [heading, _html_table(other_cells(found))]


def _rendered(found: RenderedTable, strips: Sequence[str]) -> list[str]:
    rows = ", ".join(row.name for row in found.rows)
    outside = max(row.outside for row in found.rows)
    parts = [
        f"<h2>Rendered</h2><p>{len(found.clips)} held-out clips, before any encoding; M-LMD and what follows it of the "
        f"mouth detected again on the picture, without smoothing. Largest difference outside the mask: {outside}.</p>",
        _html_table(rendered_cells(found)),
        f"<p><small>{escape(_legend(PICTURES))}.</small></p><p>Lines of each strip: {escape(rows)}.</p>",
    ]
    for clip, name in zip(found.clips, strips, strict=True):
        parts.append(f'<h3>{escape(clip.path.name)}</h3><img src="{PICTURES_FOLDER}/{escape(name)}" alt="strip">')
    return parts


def _intervals(found: Evaluation, key: str, unit: str) -> str:
    return intervals([(row.name, row.figures[key]) for row in found.rows if row.name != "real"], unit)


def _by_clip(row: Row) -> NDArray[np.float64]:
    """(N,) M-LMD of each clip, NaN where it has none."""
    known = [one.apart_px[np.isfinite(one.apart_px)] for one in row.judged]
    return np.array([float(one.mean()) if len(one) else np.nan for one in known])


def _legend(figures: Sequence[Figure] | Sequence[PictureFigure]) -> str:
    return "; ".join(f"{one.head}: {one.legend}" for one in figures)


def _html_table(cells: Cells) -> str:
    heads, body = cells
    lines = [_html_line(heads, "th"), *(_html_line(line, "td") for line in body)]
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def _html_line(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(text)}</{tag}>" for text in cells) + "</tr>"
