"""Whether two people's face sets have seen the same things, before anybody trains on them: what footage is missing.

A net can only make a face that its own footage holds something like. For each of a person's faces the nearest one of
the other is looked for, in pose, expression, gaze and light each; beside these stand the shapes of the faces and how
sharp the footage is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faceswap.align import STEADY
from faceswap.cover import UNITS
from faceswap.looks import gaze_of, looks_of
from faceswap.rows import PICTURES, FaceRow, evenly, usable
from shared.face.landmarks import eye_distance
from shared.picture.image import read_image
from shared.progress import Progress, silent
from shared.types import Floats

KINDS: Final[dict[str, tuple[str, ...]]] = {
    "pose": ("yaw_deg", "pitch_deg"),
    "expression": ("mouth", "smile", "eyes", "brows"),
    "gaze": ("gaze_across", "gaze_down"),
    "light": ("light", "side_light", "top_light"),
}
"""What is compared face by face, and by which measures."""
MOST_COMPARED: Final = 600
"""Faces of each set that are compared, spread evenly."""
PLAIN: Final[Mapping[str, float]] = {**UNITS, "gaze_across": 0.04, "gaze_down": 0.04}
"""The difference that is plainly seen, of each measure; an eye that turns by 6 degrees moves its iris by so much of the
eye's width."""
SHAPE_UNIT: Final = 0.25
"""Mean distance of two faces' contours, in eye distances, at which the score of the shape is 0."""
WORTH_SAYING: Final = 0.03
"""Share of a person's faces that must lack a counterpart before footage of it is asked for."""
SAID: Final[dict[str, tuple[str, str, str]]] = {
    "yaw_deg": ("turned to the picture's left", "turned to the picture's right", "{:.0f} deg"),
    "pitch_deg": ("looking down", "looking up", "{:.0f} deg"),
    "mouth": ("with the mouth closed", "with the mouth wide open", "{:.2f} eye distances"),
    "smile": ("with the lips drawn together", "with the lips drawn wide", "{:.2f} eye distances"),
    "eyes": ("with the eyes closed", "with the eyes wide open", "{:.2f}"),
    "brows": ("with lowered brows", "with raised brows", "{:.2f} eye distances"),
    "gaze_across": ("looking to the picture's left", "looking to the picture's right", "{:+.2f} eye widths"),
    "gaze_down": ("looking up from under the lids", "looking down under the lids", "{:+.2f} eye widths"),
    "light": ("in darker light", "in brighter light", "L* {:.0f}"),
    "side_light": ("lit from the picture's left", "lit from the picture's right", "L* {:+.0f}"),
    "top_light": ("lit from below", "lit from above", "L* {:+.0f}"),
}
"""For each measure: low in words, high in words, and how its value is told."""


@dataclass(frozen=True, slots=True)
class Side:
    """What is compared of one set."""

    name: str
    measures: Mapping[str, Floats]
    """(N,) of each face, by the names in `KINDS`; without the gaze where the set does not tell it."""
    shape: Floats
    """(68, 2) mean landmarks in eye distances, brows, eyes and nose laid on the mean face."""
    size_px: float
    """Median size of the faces in their frames."""
    sharpness: float
    """Median, at one size for all."""

    @property
    def count(self) -> int:
        """Faces compared."""
        return len(self.measures["yaw_deg"])


@dataclass(frozen=True, slots=True)
class PairCheck:
    """How far two face sets overlap."""

    sides: tuple[Side, Side]
    scores: dict[str, tuple[float, float]]
    """For each dimension, 0 to 1: how much of the first the second has something like, and the other way."""
    missing: tuple[str, ...]
    """Footage to add, in words."""

    @property
    def summary(self) -> str:
        """One line: the scores, and what is missing most."""
        told = ", ".join(f"{name} {min(both):.0%}" for name, both in self.scores.items())
        more = f"; {len(self.missing)} gaps (lipswap faces A --against B)" if self.missing else ""
        return f"pair check: {told}{more}"


def compare(first: Path, second: Path, progress: Progress = silent) -> PairCheck:
    """Compare two face sets; what an older one did not measure is measured now.

    Raises
    ------
    ArtefactError, NoFaceError
        If one is no face set, or has too few faces.
    """
    sides = (side_of(first, progress), side_of(second, progress))
    scores: dict[str, tuple[float, float]] = {}
    missing: list[str] = []
    for kind, names in KINDS.items():
        if not all(name in side.measures for side in sides for name in names):
            continue
        tables = [_table(side, names) for side in sides]
        shares = []
        for one in (0, 1):
            lonely = _lonely(tables[one], tables[1 - one])
            shares.append(1.0 - float(lonely.mean()))
            missing += _told(names, lonely, sides[one], sides[1 - one])
        scores[kind] = (shares[0], shares[1])
    alike = max(0.0, 1.0 - _shape_apart(sides) / SHAPE_UNIT)
    scores["shape"] = (alike, alike)
    scores["resolution"] = _ratio(sides[0].size_px, sides[1].size_px)
    scores["sharpness"] = _ratio(sides[0].sharpness, sides[1].sharpness)
    return PairCheck(sides, scores, tuple(missing + _told_of_detail(sides)))


def side_of(folder: Path, progress: Progress = silent) -> Side:
    """What of a face set is compared."""
    picked = evenly(usable(folder), MOST_COMPARED)
    full = []
    for number, row in enumerate(picked):
        if np.isnan(row.light):
            looks = looks_of(read_image(folder / PICTURES / row.name), row.landmarks)
            row = replace(row, **looks.as_columns())  # noqa: PLW2901 - the same face, measured
            progress(number + 1, len(picked), f"looking at {folder.name}")
        full.append(row)
    points = np.stack([row.landmarks for row in full])
    frontal = np.argsort([abs(row.yaw_deg) + abs(row.pitch_deg) for row in full])[: max(1, len(full) // 2)]
    shape = np.median(points[frontal], axis=0)
    shape = (shape - shape[STEADY].mean(axis=0)) / max(eye_distance(shape), 1e-6)
    return Side(
        folder.name,
        _measures(full),
        np.asarray(shape, dtype=np.float32),
        float(np.median([row.size_px for row in full])),
        float(np.median([row.sharpness for row in full])),
    )


def _measures(rows: Sequence[FaceRow]) -> dict[str, Floats]:
    found = {name: np.array([getattr(row, name) for row in rows], dtype=np.float32) for name in UNITS}
    gazes = [gaze_of(row.landmarks, row.irises) for row in rows if row.irises is not None]
    if len(gazes) == len(rows):
        found["gaze_across"], found["gaze_down"] = np.array(gazes, dtype=np.float32).T
    return found


def _table(side: Side, names: Sequence[str]) -> Floats:
    """(N, D) measures, each in the difference that is plainly seen."""
    return np.stack([side.measures[name] / np.float32(PLAIN[name]) for name in names], axis=1)


def _lonely(mine: Floats, other: Floats) -> NDArray[np.bool_]:
    """Which of my faces have none of the other within a plainly seen difference."""
    nearest = np.array([((other - face) ** 2).sum(axis=1).min() for face in mine])
    return np.asarray(nearest > 1.0, dtype=np.bool_)


def _told(names: Sequence[str], lonely: NDArray[np.bool_], mine: Side, other: Side) -> list[str]:
    """What the other lacks of what I show, in words."""
    found = []
    for name in names:
        low, high = np.percentile(other.measures[name], [2, 98])
        values = mine.measures[name]
        for word, beyond, end in (
            (SAID[name][0], lonely & (values < low - PLAIN[name] / 2), low),
            (SAID[name][1], lonely & (values > high + PLAIN[name] / 2), high),
        ):
            share = float(beyond.mean())
            if share >= WORTH_SAYING:
                reached = float(np.median(values[beyond]))
                form = SAID[name][2]
                found.append(
                    f"{other.name} needs footage {word}, to {form.format(reached)} (it ends at {form.format(end)}; "
                    f"{share:.0%} of {mine.name}'s faces are beyond)"
                )
    return found


def _told_of_detail(sides: tuple[Side, Side]) -> list[str]:
    found = []
    for one, other in (sides, sides[::-1]):
        if other.size_px < 0.6 * one.size_px:
            found.append(
                f"{other.name} needs closer footage: its faces are {other.size_px:.0f} px, {one.name}'s "
                f"{one.size_px:.0f} px"
            )
        if other.sharpness < 0.4 * one.sharpness:
            found.append(
                f"{other.name} needs sharper footage: it is {one.sharpness / other.sharpness:.1f} times softer"
            )
    return found


def _shape_apart(sides: tuple[Side, Side]) -> float:
    return float(np.linalg.norm(sides[0].shape - sides[1].shape, axis=1).mean())


def _ratio(first: float, second: float) -> tuple[float, float]:
    """How much of the first's detail the second has, and the other way."""
    return min(1.0, second / max(first, 1e-6)), min(1.0, first / max(second, 1e-6))
