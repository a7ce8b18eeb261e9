"""The demo's figures as a table in the terminal and as a page to look at."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from shared.store.artefact import write_atomically
from shared.types import JsonObject

COLUMNS: Final = (
    ("aperture_r", "opening r", "{:.3f}"),
    ("aperture_std_ratio", "std ratio", "{:.2f}"),
    ("lag_ms", "lag ms", "{:+.0f}"),
    ("m_lmd_px", "M-LMD px", "{:.2f}"),
    ("m_lmd_centred_px", "centred", "{:.2f}"),
    ("closure_share", "closures", "{:.0%}"),
    ("open_in_pauses_share", "leak", "{:.0%}"),
    ("cosine_first", "cos first", "{:.2f}"),
    ("cosine_second", "cos second", "{:.2f}"),
    ("mouth_sharpness_ratio", "sharpness", "{:.2f}"),
    ("psnr_outside_db", "PSNR out dB", "{:.1f}"),
)
LEGEND: Final = (
    "opening r: detected inner-lip gap against the drawn opening of the new speech; std ratio, M-LMD (18 lip points, "
    "pose-free, face 512 px high) and sharpness (around the mouth) against the clip as drawn; closures: share of p, b, "
    "m that close to 1.25% of the face width; leak: open frames in pauses; cos: SFace cosine to each actor's footage "
    "(0.363 and more is the same person); PSNR out: outside the face's box, against the target."
)


def table(rows: Sequence[JsonObject]) -> str:
    """The figures as lines of text."""
    heads = ["clip", *(head for _, head, _ in COLUMNS)]
    body = [[str(row["clip"]), *(_shown(row[key], form) for key, _, form in COLUMNS)] for row in rows]
    widths = [max(len(line[column]) for line in [heads, *body]) for column in range(len(heads))]
    lines = []
    for line in [heads, *body]:
        first, *rest = (text.ljust(width) if n == 0 else text.rjust(width) for n, (text, width) in _sized(line, widths))
        lines.append("  ".join([first, *rest]).rstrip())
    return "\n".join(lines)


def write_page(path: Path, answer: JsonObject) -> None:
    """A page with both clips, the table and the sheet, all beside it."""
    heads = "".join(f"<th>{escape(head)}</th>" for head in ("clip", *(head for _, head, _ in COLUMNS)))
    rows = "".join(
        f"<tr><td>{escape(str(row['clip']))}</td>"
        + "".join(f"<td>{_shown(row[key], form)}</td>" for key, _, form in COLUMNS)
        + "</tr>"
        for row in answer["rows"]
    )
    cast = answer["cast"]
    likeness = "; ".join(
        f"{name} actor: {', '.join(f'{portrait} {value:.2f}' for portrait, value in cast[key].items())}"
        for name, key in (("first", "first_cosine_to_portraits"), ("second", "second_cosine_to_portraits"))
    )
    text = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>lipswap demo</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;font-variant-numeric:tabular-nums}}td,th{{padding:.2rem .6rem;text-align:right;
border-bottom:1px solid #ccc}}td:first-child,th:first-child{{text-align:left}}video,img{{max-width:100%}}</style>
<h1>lipswap demo</h1><p>{escape(str(cast["statement"]))}</p>
<p>Left the target as it was filmed; right the same clip with the second actor's face and new speech.</p>
<video controls src="compare.mp4"></video>
<table><tr>{heads}</tr>{rows}</table><p>{escape(LEGEND)}</p>
<p>SFace cosine to the portraits that the faces were blended from, {escape(likeness)};
of the actors to each other {cast["first_cosine_to_second"]:.2f}.</p>
<p>Rows of the sheet: first actor, second actor, target, lip sync alone, swap and lip sync, as drawn.</p>
<img src="contact_sheet.png" alt="frames of each clip"><p>Made in {answer["total_s"]:.0f} s.</p></html>
"""
    write_atomically(path, text.encode())


def _shown(value: object, form: str) -> str:
    return form.format(value) if isinstance(value, (int, float)) else "-"


def _sized(line: Sequence[str], widths: Sequence[int]) -> list[tuple[int, tuple[str, int]]]:
    return list(enumerate(zip(line, widths, strict=True)))
