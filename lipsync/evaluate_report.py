"""The evaluation as files: JSON, the page, and the pictures beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import numpy as np

from lipsync.evaluate import Evaluation
from lipsync.evaluate_options import BASELINE, EvaluateOptions
from lipsync.evaluate_page import PICTURES_FOLDER, page
from lipsync.evaluate_table import SILENCES, held_facts, towards_noise, unit_of
from lipsync.figures import FIGURES
from lipsync.gauge import NORMALISER
from lipsync.rendered_table import RenderedTable
from lipsync.rows import Row
from lipsync.silences import LENGTH_S, NOISE_DBFS, ROOM_DBFS
from shared.metrics.interval import Interval
from shared.picture.image import write_png
from shared.store.artefact import tool_version, write_atomically
from shared.types import JsonObject

JSON_NAME: Final = "evaluation.json"
PAGE_NAME: Final = "report.html"


def write_report(folder: Path, found: Evaluation, options: EvaluateOptions) -> JsonObject:
    """Write JSON, page and pictures into the folder; the JSON values come back.

    Raises
    ------
    MediaError, NoSpaceError
        A file cannot be written.
    """
    answer, strips = as_json(found, options), []
    if found.rendered is not None:
        for clip, strip in zip(found.rendered.clips, found.rendered.strips, strict=True):
            strips.append(f"{clip.path.stem}.png")
            write_png(folder / PICTURES_FOLDER / strips[-1], strip)
    write_atomically(folder / JSON_NAME, (json.dumps(answer, indent=1, ensure_ascii=False) + "\n").encode())
    write_atomically(folder / PAGE_NAME, page(found, strips).encode())
    return answer


def as_json(found: Evaluation, options: EvaluateOptions) -> JsonObject:
    """The evaluation as JSON values; keys carry their units, None stands for what cannot be told."""
    held = held_facts(found)
    return {
        "tool": tool_version(),
        "normaliser": NORMALISER,
        "seed": options.seed,
        "learned": {
            "clips": len(found.names_learned),
            "minutes": _rounded(found.learned_s / 60),
            "names": list(found.names_learned),
            "left_out_for_shared_speech": list(found.names_shared),
            "left_out_for_words": list(found.names_barred),
            "recipes": found.learned,
        },
        "held_out": {
            **held,
            "open_in_pauses_share": _rounded(held["open_in_pauses_share"]),
            "names": [clip.path.name for clip in found.clips],
        },
        "interval": {"share": 0.95, "unit": unit_of(found), "units": found.rows[0].figures[FIGURES[0].key].count},
        "silences": {"length_s": LENGTH_S, "room_dbfs": ROOM_DBFS, "pink_dbfs": NOISE_DBFS},
        "baseline": BASELINE,
        "rows": [_row_json(row) | _beside_baseline(found, row) for row in found.rows],
        "others": [_row_json(row) for row in found.others],
        "rendered": None if found.rendered is None else _rendered_json(found.rendered),
    }


def _row_json(row: Row) -> JsonObject:
    answer: JsonObject = {"row": row.name, "about": row.about, "learned_minutes": _rounded(row.minutes)}
    answer |= {key: _interval_json(one) for key, one in row.figures.items()}
    answer |= {f"leak_{name}_share": _rounded(row.leaks.get(name, float("nan"))) for name in SILENCES}
    if row.lag is not None:
        told = (row.lag.lag_s, row.lag.low_s, row.lag.high_s)
        answer["lag_ms"] = dict(zip(("value", "low", "high"), (_rounded(1000 * one) for one in told), strict=True))
    answer["less_baseline"] = {key: _interval_json(one) for key, one in row.against.items()}
    return answer


def _beside_baseline(found: Evaluation, row: Row) -> JsonObject:
    """Ratio to the baseline's distances, and the share of its excess over the noise that is gone."""
    if not row.against:
        return {}
    answer: JsonObject = {}
    for key in ("m_lmd_px", "m_lmd_centred_px"):
        ratio, closed = towards_noise(found, row, key)
        name = key.removesuffix("_px")
        answer |= {f"{name}_ratio": _rounded(ratio), f"{name}_gap_closed_share": _rounded(closed)}
    return answer


def _rendered_json(found: RenderedTable) -> JsonObject:
    return {
        "names": [clip.path.name for clip in found.clips],
        "rows": [
            {
                "row": row.name,
                **{key: _interval_json(one) for key, one in row.figures.items()},
                "largest_difference_outside": row.outside,
                "less_baseline": {key: _interval_json(one) for key, one in row.against.items()},
            }
            for row in found.rows
        ],
    }


def _interval_json(one: Interval) -> JsonObject:
    return {"value": _rounded(one.mean), "low": _rounded(one.low), "high": _rounded(one.high)}


def _rounded(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
