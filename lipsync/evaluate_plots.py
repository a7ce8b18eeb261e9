"""The plots of the evaluation report, as SVG text: no library, sharp at any size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.metrics.interval import Interval

COLOURS: Final = ("#222222", "#b2182b", "#2166ac", "#1b7837", "#762a83")
WIDTH: Final = 860
LEFT: Final = 150
RIGHT: Final = 16


def intervals(rows: Sequence[tuple[str, Interval]], unit: str) -> str:
    """A point with its interval for each row, from 0 on."""
    shown = [(name, one) for name, one in rows if np.isfinite(one.mean)]
    if not shown:
        return ""
    top = max(max(one.mean, one.high if np.isfinite(one.high) else one.mean) for _, one in shown) * 1.05
    scale = (WIDTH - LEFT - RIGHT) / max(top, 1e-9)
    parts = []
    for number, (name, one) in enumerate(shown):
        y = 18 + 22 * number
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        if np.isfinite(one.low):
            ends = [LEFT + scale * max(value, 0.0) for value in (one.low, one.high)]
            parts.append(
                f'<line x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{y}" y2="{y}" stroke="{COLOURS[2]}" '
                'stroke-width="5" stroke-opacity=".45"/>'
            )
        parts.append(f'<circle cx="{LEFT + scale * max(one.mean, 0.0):.1f}" cy="{y}" r="4" fill="{COLOURS[2]}"/>')
    height = 30 + 22 * len(shown)
    parts += [
        f'<text x="{LEFT + scale * value:.1f}" y="{height - 2}" text-anchor="middle">{value:g}</text>'
        for value in _steps(top)
    ]
    parts.append(f'<text x="{LEFT - 24}" y="{height - 2}" text-anchor="end">{escape(unit)}</text>')
    return _svg(height, parts)


def curves(
    times_s: NDArray[np.float64], lines: Sequence[tuple[str, NDArray[np.floating]]], shaded: NDArray[np.bool_]
) -> str:
    """Openings over time in % of the face width, one colour a line; speech is shaded.

    Parameters
    ----------
    times_s : (T,) seconds.
    lines : name and (T,) shares, NaN where unknown; at most as many as there are colours.
    shaded : (T,) bool.
    """
    height, floor, head = 220, 190, 24
    top = max([0.06, *(float(np.nanmax(values)) for _, values in lines if np.isfinite(values).any())])
    start, length = float(times_s[0]), max(float(times_s[-1] - times_s[0]), 1e-6)

    def x(time_s: float) -> float:
        return 40 + (WIDTH - 40 - RIGHT) * (time_s - start) / length

    def y(value: float) -> float:
        return floor - (floor - head) * value / top

    parts = [
        f'<rect x="{x(first):.1f}" y="{head}" width="{x(last) - x(first):.1f}" height="{floor - head}" fill="#f0f0e4"/>'
        for first, last in _spans(times_s, shaded)
    ]
    for value in _steps(100 * top):
        parts.append(
            f'<line x1="40" x2="{WIDTH - RIGHT}" y1="{y(value / 100):.1f}" y2="{y(value / 100):.1f}" stroke="#ddd"/>'
        )
        parts.append(f'<text x="34" y="{y(value / 100) + 4:.1f}" text-anchor="end">{value:g}</text>')
    parts += [
        f'<text x="{x(start + t):.1f}" y="{floor + 16}" text-anchor="middle">{t:g} s</text>' for t in _steps(length)
    ]
    for (name, values), colour, number in zip(lines, COLOURS, range(len(lines)), strict=False):
        for run in _runs(np.isfinite(values)):
            points = " ".join(f"{x(float(times_s[k])):.1f},{y(float(values[k])):.1f}" for k in run)
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        parts.append(f'<text x="{44 + 150 * number}" y="14" fill="{colour}">{escape(name)}</text>')
    return _svg(height, parts)


def scatter(across: NDArray[np.float64], up: NDArray[np.float64], names: tuple[str, str]) -> str:
    """One point a clip, two rows against each other on equal axes; below the diagonal the second is the better."""
    known = np.isfinite(across) & np.isfinite(up)
    if not known.any():
        return ""
    side, top = 330, 1.05 * float(max(across[known].max(), up[known].max()))
    room = side - 60

    def place(value: float) -> float:
        return 50 + room * value / top

    ends = f'x1="{place(0):.1f}" y1="{side - place(0):.1f}" x2="{place(top):.1f}" y2="{side - place(top):.1f}"'
    parts = [f'<line {ends} stroke="#999"/>']
    for value in _steps(top):
        parts.append(f'<text x="{place(value):.1f}" y="{side - 32}" text-anchor="middle">{value:g}</text>')
        parts.append(f'<text x="44" y="{side - place(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
    parts += [
        f'<circle cx="{place(float(a)):.1f}" cy="{side - place(float(b)):.1f}" r="3.5" fill="{COLOURS[2]}" '
        'fill-opacity=".6"/>'
        for a, b in zip(across[known], up[known], strict=True)
    ]
    parts.append(f'<text x="{side / 2}" y="{side - 12}" text-anchor="middle">{escape(names[0])}</text>')
    parts.append(f'<text x="12" y="14">{escape(names[1])}</text>')
    return _svg(side, parts, side)


def by_minutes(lines: Mapping[str, Sequence[tuple[float, Interval]]]) -> str:
    """A figure with its interval against minutes on a logarithmic scale, from 0 on, one colour a line."""
    known = [(minutes, one) for points in lines.values() for minutes, one in points if np.isfinite(one.mean)]
    if not known:
        return ""
    height, floor, head = 260, 226, 24
    top = 1.05 * max(max(one.mean, one.high if np.isfinite(one.high) else one.mean) for _, one in known)
    first, last = (math.log2(edge(minutes for minutes, _ in known)) for edge in (min, max))

    def x(minutes: float) -> float:
        return 60 + (WIDTH - 100) * (math.log2(minutes) - first) / max(last - first, 1e-6)

    def y(value: float) -> float:
        return floor - (floor - head) * max(value, 0.0) / top

    parts = [f'<text x="34" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>' for value in _steps(top)]
    parts += [
        f'<text x="{x(minutes):.1f}" y="{floor + 18}" text-anchor="middle">{minutes:.3g}</text>'
        for minutes in sorted({minutes for minutes, _ in known})
    ]
    for number, ((name, points), colour) in enumerate(zip(lines.items(), COLOURS[1:], strict=False)):
        shown = [(minutes, one) for minutes, one in points if np.isfinite(one.mean)]
        places = " ".join(f"{x(minutes):.1f},{y(one.mean):.1f}" for minutes, one in shown)
        parts.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        parts += [
            f'<line x1="{x(minutes):.1f}" x2="{x(minutes):.1f}" y1="{y(one.low):.1f}" y2="{y(one.high):.1f}" '
            f'stroke="{colour}" stroke-width="4" stroke-opacity=".4"/>'
            for minutes, one in shown
            if np.isfinite(one.low)
        ]
        parts.append(f'<text x="{64 + 150 * number}" y="14" fill="{colour}">{escape(name)}</text>')
    return _svg(height, parts)


def _svg(height: float, parts: Sequence[str], width: float = WIDTH) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'font-family="system-ui,sans-serif" font-size="12" fill="#222">{"".join(parts)}</svg>'
    )


def _steps(top: float) -> list[float]:
    """Round numbers from 0 to `top`, four to nine of them."""
    base = 10.0 ** math.floor(math.log10(max(top, 1e-9)))
    step = next(part * base for part in (0.2, 0.5, 1.0, 2.0) if top / (part * base) <= 8)
    return [round(step * number, 10) for number in range(int(top / step) + 1)]


def _runs(known: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    places = np.flatnonzero(known)
    return [run for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(run)]


def _spans(times_s: NDArray[np.float64], inside: NDArray[np.bool_]) -> list[tuple[float, float]]:
    return [(float(times_s[run[0]]), float(times_s[run[-1]])) for run in _runs(inside)]
