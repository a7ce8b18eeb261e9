"""From cut-out faces to a face set: measure them, say whose they are, set aside what spoils a training, thin the rest.

Each step gives every face it drops its reason; what a person decided by hand stays as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faceswap.cover import placed, spread
from faceswap.covered import FEWEST_FACES, texture_of, unusual
from faceswap.looks import looks_of
from faceswap.options import ExtractOptions
from faceswap.rows import FaceRow
from faceswap.who import People, slipped_tracks, whose
from shared.face.identity import Embedder
from shared.picture.image import read_image
from shared.progress import Progress

EMBED_EVERY_S: Final = 1.0
"""Where nobody else is in the shot a track is compared with itself this often."""
ASIDE_REASONS: Final = ("stranger", "unwanted", "crowded", "tinted", "unlit", "covered", "blurred", "misfit", "cut off")
"""Faces dropped for these are cut and kept aside, so that a person can look at them."""
FEWEST_FOR_TINT: Final = 8
Textures = dict[str, NDArray[np.uint8]]


def measured(
    rows: Sequence[FaceRow], folder: Path, mixed: frozenset[tuple[int, int]], progress: Progress
) -> tuple[list[FaceRow], Textures]:
    """Rows with what their pictures in `folder` look like, and the skin of each by name.

    Parameters
    ----------
    mixed : (clip, track) of those that share a shot with somebody else; each of their faces gets its identity, and
        so does each of a track that turns out to have slipped; of the others one a second.
    """
    embedder: Embedder | None = None
    embedded: dict[tuple[int, int], float] = {}
    found: list[FaceRow] = []
    textures: Textures = {}
    for number, row in enumerate(rows):
        picture = read_image(folder / row.name)
        track = (row.clip, row.track)
        full = replace(row, **looks_of(picture, row.landmarks).as_columns())
        if track in mixed or abs(row.time_s - embedded.get(track, -np.inf)) >= EMBED_EVERY_S:
            embedder = embedder or Embedder()
            full = replace(full, embedding=embedder.embed_picture(picture, row.landmarks))
            embedded[track] = row.time_s
        found.append(full)
        textures[row.name] = texture_of(picture, row.landmarks)
        progress(number + 1, len(rows), "looking at faces")
    slipped = slipped_tracks(found) - mixed
    for number, row in enumerate(found):
        if embedder is not None and row.embedding is None and (row.clip, row.track) in slipped:
            picture = read_image(folder / row.name)
            found[number] = replace(row, embedding=embedder.embed_picture(picture, row.landmarks))
    return found, textures


def judged(
    rows: Sequence[FaceRow],
    textures: Textures,
    people: People,
    mixed: frozenset[tuple[int, int]],
    options: ExtractOptions,
    fixed: frozenset[str] = frozenset(),
) -> list[FaceRow]:
    """Rows with whose they are, and those dropped that are somebody else's, badly lit, tinted or covered.

    Parameters
    ----------
    fixed : names of those that stay as they are.
    """
    fixed |= {row.name for row in rows if row.by_hand}
    rows = [row if row.name in fixed else whose(row, people, (row.clip, row.track) in mixed) for row in rows]
    rows = [row if row.name in fixed or not row.kept else _lit(row, options) for row in rows]
    for person in sorted({row.person for row in rows if row.kept}):
        rows = _uncovered(rows, textures, person, options, fixed)
        rows = _untinted(rows, person, options, fixed)
    return list(rows)


def thinned_alike(
    rows: Sequence[FaceRow], options: ExtractOptions, fixed: frozenset[str] = frozenset()
) -> list[FaceRow]:
    """Rows less those that are like a sharper one, and at most as many as the options allow.

    Each person is thinned alone; those named in `fixed` and what was decided by hand stay.
    """
    out = list(rows)
    fixed |= {row.name for row in rows if row.by_hand}
    for person in sorted({row.person for row in rows if row.kept}):
        numbers = [number for number, row in enumerate(rows) if row.kept and row.person == person]
        numbers.sort(key=lambda number: rows[number].name not in fixed)
        first = sum(rows[number].name in fixed for number in numbers)
        worth = np.array([rows[number].sharpness for number in numbers], dtype=np.float32)
        chosen = [rows[number] for number in numbers]
        stay = set(spread(placed(chosen), worth, options.alike, len(numbers), first).tolist())
        best = set(spread(placed(chosen), worth, options.alike, options.most, first).tolist())
        for place, number in enumerate(numbers):
            if place not in best:
                why = "thinned" if place in stay else "alike"
                out[number] = replace(rows[number], kept=False, why=why)
    return out


def _lit(row: FaceRow, options: ExtractOptions) -> FaceRow:
    unlit = row.light < options.least_light or row.burnt > options.most_burnt
    return replace(row, kept=False, why="unlit") if unlit else row


def _untinted(rows: Sequence[FaceRow], person: int, options: ExtractOptions, fixed: frozenset[str]) -> list[FaceRow]:
    mine = [row for row in rows if row.kept and row.person == person]
    if options.most_tint <= 0 or len(mine) < FEWEST_FOR_TINT:
        return list(rows)
    usual = np.median([(row.red, row.yellow) for row in mine], axis=0)
    limit = options.most_tint
    tinted = [float(np.hypot(row.red - usual[0], row.yellow - usual[1])) > limit for row in rows]
    return [
        replace(row, kept=False, why="tinted") if off and _may_go(row, person, fixed) else row
        for row, off in zip(rows, tinted, strict=True)
    ]


def _uncovered(
    rows: Sequence[FaceRow], textures: Textures, person: int, options: ExtractOptions, fixed: frozenset[str]
) -> list[FaceRow]:
    mine = [row for row in rows if row.kept and row.person == person and row.name in textures]
    if not mine:
        return list(rows)
    counts = Counter(row.clip for row in mine)
    groups: dict[int, list[FaceRow]] = {}
    for row in mine:  # each clip has its own light; those with few faces are looked at together
        groups.setdefault(row.clip if counts[row.clip] >= FEWEST_FACES else -1, []).append(row)
    score_of = {
        row.name: float(score)
        for group in groups.values()
        for row, score in zip(group, unusual(np.stack([textures[row.name] for row in group])), strict=True)
    }
    out = []
    for row in rows:
        score = score_of.get(row.name, row.covered)
        seen = replace(row, covered=score)
        drop = 0 < options.most_covered < score and _may_go(row, person, fixed)
        out.append(replace(seen, kept=False, why="covered") if drop else seen)
    return out


def _may_go(row: FaceRow, person: int, fixed: frozenset[str]) -> bool:
    return row.kept and row.name not in fixed and row.person == person
