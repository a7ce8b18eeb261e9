"""The evaluation as JSON, as a table of text, and as a page to look at."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Final

import numpy as np

from lipsync.evaluate import Evaluation, Row
from lipsync.evaluate_options import BASELINE, EvaluateOptions
from lipsync.evaluate_plots import curves, intervals, scatter
from lipsync.figures import FIGURES
from lipsync.gauge import BLOCK_S, FEW_CLIPS, NORMALISER
from lipsync.silences import LENGTH_S, NOISE_DBFS, ROOM_DBFS
from shared.metrics.interval import Interval
from shared.metrics.lag import Lag
from shared.metrics.mouth import open_rate
from shared.store.artefact import tool_version, write_atomically
from shared.types import JsonObject

JSON_NAME: Final = "evaluation.json"
PAGE_NAME: Final = "report.html"
SILENCES: Final = {"zeros": "leak: zeros", "room": "room", "pink": "pink"}
PLAIN_ROWS: Final = ("real",)
"""Rows that have no difference to the baseline worth telling."""
STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:84rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:14px}"
    "td,th{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #ccc;white-space:nowrap}"
    "td:first-child,th:first-child{text-align:left}small{color:#666}svg,img{max-width:100%}"
    ".wide{overflow-x:auto}.settled{font-weight:600}"
)


def as_json(found: Evaluation, options: EvaluateOptions) -> JsonObject:
    """The evaluation as JSON values; keys carry their units, None stands for what cannot be told."""
    return {
        "tool": tool_version(),
        "normaliser": NORMALISER,
        "seed": options.seed,
        "learned": {
            "clips": len(found.names_learned),
            "minutes": _rounded(found.learned_s / 60),
            "names": list(found.names_learned),
            "left_out_for_shared_speech": list(found.names_shared),
            "recipes": found.learned,
        },
        "held_out": {**_held_facts(found), "names": [clip.path.name for clip in found.clips]},
        "interval": {"share": 0.95, "unit": _unit(found), "units": _units(found)},
        "silences": {"length_s": LENGTH_S, "room_dbfs": ROOM_DBFS, "pink_dbfs": NOISE_DBFS},
        "baseline": BASELINE,
        "rows": [_row_json(row) for row in found.rows],
    }


def table(found: Evaluation) -> str:
    """The rows as lines of text."""
    heads, body = _cells(found)
    widths = [max(len(line[column]) for line in [heads, *body]) for column in range(len(heads))]
    lines = [
        "  ".join(
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in [heads, *body]
    ]
    return "\n".join(lines)


def summary(found: Evaluation) -> str:
    """What was learned from and measured on, in one line."""
    held = _held_facts(found)
    return (
        f"learned from {len(found.names_learned)} clips ({found.learned_s / 60:.1f} minutes), measured on "
        f"{held['clips']} clips that no recipe has seen ({held['frames']} frames, {held['speech_frames']} in speech, "
        f"{held['pause_frames']} in pauses, {held['closures']} closures); the real mouth is open in "
        f"{held['open_in_pauses_share']:.1%} of its pauses"
    )


def write_report(folder: Path, found: Evaluation, options: EvaluateOptions) -> JsonObject:
    """Write JSON and page into the folder; the JSON values come back."""
    answer = as_json(found, options)
    write_atomically(folder / JSON_NAME, (json.dumps(answer, indent=1, ensure_ascii=False) + "\n").encode())
    write_atomically(folder / PAGE_NAME, page(found).encode())
    return answer


def page(found: Evaluation) -> str:
    """The report as HTML, plots inside it."""
    legend = "; ".join(f"{figure.head}: {figure.legend}" for figure in FIGURES)
    parts = [
        f"<h1>lipswap evaluate</h1><p>{escape(summary(found))}.</p>",
        _html_table(*_cells(found)),
        f"<p><small>{escape(NORMALISER)}. {escape(legend)}; lag: of the mouth in its sound, relative to the learned "
        f"clips; leak: rate of open frames above the real speaker's own in his pauses, under {LENGTH_S:.0f} s each of "
        f"zeros, room tone at {ROOM_DBFS:.0f} dBFS and pink noise at {NOISE_DBFS:.0f} dBFS.</small></p>",
        "<h2>Distance to the real mouth</h2>",
        *(
            f"<p>{_plot_of(found, key, unit)}</p>"
            for key, unit in (("m_lmd_px", "px"), ("m_lmd_centred_px", "px, centred"))
        ),
        *_differences(found),
        "<h2>Openings</h2>",
        "<p>% of the face width, speech shaded; the held-out clips that the last recipe makes best, of middle quality, "
        "and worst.</p>",
        *_curves(found),
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>lipswap evaluate</title><style>{STYLE}</style>'
        + "\n".join(parts)
        + "</html>\n"
    )


def _cells(found: Evaluation) -> tuple[list[str], list[list[str]]]:
    figures = [one for one in FIGURES if any(np.isfinite(row.figures[one.key].mean) for row in found.rows)]
    heads = ["", *(one.head for one in figures), "lag ms", *SILENCES.values()]
    body = []
    for row in found.rows:
        told = [_shown(row.figures[one.key].mean, one.form) for one in figures]
        leaks = [_shown(row.leaks.get(name, float("nan")), "{:+.1%}") for name in SILENCES]
        body.append([row.name, *told, _lag_text(row.lag), *leaks])
    return heads, body


def _differences(found: Evaluation) -> list[str]:
    """Each row less the baseline, with the interval, and each clip's distance under both recipes."""
    rows = [row for row in found.rows if row.against and row.name not in PLAIN_ROWS]
    if not rows:
        return []
    figures = [one for one in FIGURES if any(np.isfinite(row.against[one.key].mean) for row in rows)]
    body = [[row.name, *(_interval_text(row.against[one.key], one.form) for one in figures)] for row in rows]
    heading = f"<h2>Less the row of {BASELINE}</h2><p>Paired bootstrap over {_unit(found)}s, 95%.</p>"
    parts = [heading, _html_table(["", *(one.head for one in figures)], body)]
    last, base = found.rows[-1], found.row(BASELINE)
    if last is not base:
        across, up = (_by_clip(row) for row in (base, last))
        parts.append(f"<p>M-LMD of each clip, px.</p><p>{scatter(across, up, (base.name, last.name))}</p>")
    return parts


def _curves(found: Evaluation) -> list[str]:
    last = found.rows[-1]
    order = np.argsort(_by_clip(last))
    chosen = dict.fromkeys(int(order[place]) for place in (0, len(order) // 2, len(order) - 1))
    shown = [row for row in found.rows if row is last or row.name in ("real", BASELINE)]
    parts = []
    for number in chosen:
        clip = found.clips[number]
        lines = [(row.name, row.judged[number].gap) for row in shown]
        parts.append(f"<h3>{escape(clip.path.name)}</h3><p>{curves(clip.times_s, lines, clip.speech)}</p>")
    return parts


def _by_clip(row: Row) -> np.ndarray:
    return np.array(
        [float(np.nanmean(one.apart_px)) if np.isfinite(one.apart_px).any() else np.nan for one in row.judged]
    )


def _plot_of(found: Evaluation, key: str, unit: str) -> str:
    return intervals([(row.name, row.figures[key]) for row in found.rows if row.name not in PLAIN_ROWS], unit)


def _html_table(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [_html_line(heads, "th"), *(_html_line(line, "td") for line in body)]
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def _html_line(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(text)}</{tag}>" for text in cells) + "</tr>"


def _row_json(row: Row) -> JsonObject:
    answer: JsonObject = {"row": row.name, "about": row.about}
    answer |= {key: _interval_json(one) for key, one in row.figures.items()}
    answer |= {f"leak_{name}_share": _rounded(row.leaks.get(name, float("nan"))) for name in SILENCES}
    if row.lag is not None:
        answer["lag_ms"] = _scaled(row.lag.lag_s, row.lag.low_s, row.lag.high_s)
    answer["less_baseline"] = {key: _interval_json(one) for key, one in row.against.items()}
    return answer


def _interval_json(one: Interval) -> JsonObject:
    return {"value": _rounded(one.mean), "low": _rounded(one.low), "high": _rounded(one.high)}


def _scaled(*seconds: float) -> JsonObject:
    return dict(zip(("value", "low", "high"), (_rounded(1000 * one) for one in seconds), strict=True))


def _rounded(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def _shown(value: float, form: str) -> str:
    return form.format(value) if np.isfinite(value) else "-"


def _interval_text(one: Interval, form: str) -> str:
    signed: Callable[[float], str] = lambda value: form.replace("{:.", "{:+.").format(value)  # noqa: E731 - three uses
    if not np.isfinite(one.mean):
        return "-"
    around = f" [{signed(one.low)}, {signed(one.high)}]" if np.isfinite(one.low) else ""
    return signed(one.mean) + around


def _lag_text(lag: Lag | None) -> str:
    if lag is None or not np.isfinite(lag.low_s):
        return "-"
    if np.isfinite(lag.lag_s):
        return f"{1000 * lag.lag_s:+.0f}"
    return f"{1000 * lag.low_s:+.0f}..{1000 * lag.high_s:+.0f}"


def _held_facts(found: Evaluation) -> JsonObject:
    real = found.row("real")
    pauses = [open_rate(one.gap, one.clip.pause) for one in real.judged]
    count = sum(rate.count for rate in pauses)
    opened = sum(rate.share * rate.count for rate in pauses if rate.count)
    return {
        "clips": len(found.clips),
        "frames": sum(len(clip.times_s) for clip in found.clips),
        "speech_frames": sum(int(clip.speech.sum()) for clip in found.clips),
        "pause_frames": sum(int(clip.pause.sum()) for clip in found.clips),
        "closures": sum(len(clip.marks.closures_s) for clip in found.clips),
        "open_in_pauses_share": opened / count if count else float("nan"),
    }


def _unit(found: Evaluation) -> str:
    return "clip" if len(found.clips) >= FEW_CLIPS else f"block of {BLOCK_S:g} s"


def _units(found: Evaluation) -> int:
    return found.rows[0].figures[FIGURES[0].key].count
