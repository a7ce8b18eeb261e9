"""A face set put in order by hand: chosen, sorted, dropped, taken back; every change can be undone.

A dropped face keeps its row. Its picture goes to ``aside``; one that is in neither place (thinned by the extraction, or
deleted in a file manager) is cut from its clip again when it is taken back.
"""

from __future__ import annotations

import csv
import io
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from faceswap.choose import table_of
from faceswap.footage import digest_of
from faceswap.rows import (
    ASIDE,
    KIND,
    PICTURES,
    SCHEMA,
    FaceRow,
    change_rows,
    identity_of,
    read_clips,
    read_rows,
    store_measures,
)
from faceswap.sheets import draw_sheets
from faceswap.survey import cut
from shared.errors import ArtefactError, MediaError, UsageError
from shared.face.identity import Embedder, unit
from shared.picture.image import read_image
from shared.progress import Progress, silent
from shared.store.artefact import open_artefact, write_atomically

BY_HAND: Final = "by-hand"
DELETED: Final = "deleted"
TABLE: Final = "faces.csv"
YES, NO = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")
"""What a table may say of a face that is kept, and of one that is not."""


def faces_in(folder: Path) -> list[FaceRow]:
    """All rows of a face set as they stand: one whose picture was deleted is dropped, as ``deleted``.

    Raises
    ------
    ArtefactError
        If the folder is no face set.
    """
    open_artefact(folder, KIND, SCHEMA)
    return [
        replace(row, kept=False, why=DELETED, by_hand=True)
        if row.kept and not (folder / PICTURES / row.name).is_file()
        else row
        for row in read_rows(folder)
    ]


def with_likeness(folder: Path, rows: Sequence[FaceRow], progress: Progress = silent) -> list[FaceRow]:
    """Rows with the likeness to the set's person wherever there is a picture; what was measured is stored."""
    person = unit(np.array(identity_of(folder), dtype=np.float32))
    embedder = Embedder()
    out, found = [], []
    for number, row in enumerate(rows):
        picture = picture_of(folder, row)
        full = row
        if math.isnan(row.likeness) and picture is not None:
            embedding = embedder.embed_picture(read_image(picture), row.landmarks)
            full = replace(row, embedding=embedding, likeness=float(person @ embedding))
            found.append(full)
        out.append(full)
        progress(number + 1, len(rows), "comparing faces")
    store_measures(folder, found)
    return out


def drop(folder: Path, rows: Sequence[FaceRow], why: str = BY_HAND) -> int:
    """Drop faces that are kept; how many were."""
    gone = [row for row in rows if row.kept]
    place = folder / ASIDE / why
    for row in gone:
        picture = folder / PICTURES / row.name
        if picture.is_file():
            place.mkdir(parents=True, exist_ok=True)
            picture.replace(place / row.name)
    _change(folder, [replace(row, kept=False, why=why, by_hand=True) for row in gone])
    return len(gone)


def keep(folder: Path, rows: Sequence[FaceRow], progress: Progress = silent) -> int:
    """Take dropped faces back, cutting again what has no picture any more; how many were.

    Raises
    ------
    MediaError
        If a clip that is needed is not where it was, or a folder of pictures holds others by now.
    """
    back = [row for row in rows if not row.kept]
    _bring_pictures(folder, back, progress)
    _change(folder, [replace(row, kept=True, why="", by_hand=True) for row in back])
    return len(back)


def undo(folder: Path, progress: Progress = silent) -> int:
    """Take the last change back (and the one before, when called again); how many faces it had changed."""
    before = change_rows(folder, None)
    _bring_pictures(folder, [row for row in before if row.kept], progress)
    for row in before:
        picture = folder / PICTURES / row.name
        if not row.kept and picture.is_file():
            place = folder / ASIDE / (row.why or BY_HAND)
            place.mkdir(parents=True, exist_ok=True)
            picture.replace(place / row.name)
    draw_sheets(folder, faces_in(folder))
    return len(before)


def export(folder: Path, rows: Sequence[FaceRow], target: Path) -> int:
    """Copy the pictures of rows, and a table of what is known of each, into a new folder; how many had a picture.

    Raises
    ------
    UsageError
        If the target is there and not empty.
    """
    if target.exists() and any(target.iterdir()):
        raise UsageError(f"{target}: is there already and not empty; choose another folder")
    target.mkdir(parents=True, exist_ok=True)
    copied = 0
    for row in rows:
        picture = picture_of(folder, row)
        if picture is not None:
            shutil.copyfile(picture, target / row.name)
            copied += 1
    write_atomically(target / TABLE, table_of(rows).encode())
    return copied


def take_decisions(folder: Path, table: Path, progress: Progress = silent) -> tuple[int, int]:
    """Drop and keep faces as the columns ``name`` and ``kept`` of a CSV say; how many were dropped and kept.

    Raises
    ------
    UsageError
        If it is no such table, or names faces that are not in the set.
    """
    try:
        lines = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8-sig"))))
        told = {line["name"]: line["kept"].strip().lower() for line in lines}
    except (KeyError, UnicodeDecodeError, AttributeError, csv.Error) as error:
        raise UsageError(f"{table}: needs the columns name and kept, as --export writes them ({error})") from error
    if odd := [word for word in told.values() if word not in (*YES, *NO)]:
        raise UsageError(f"{table}: the column kept says {odd[0]!r}; it may say {', '.join((*YES, *NO))}")
    wish = {name: word in YES for name, word in told.items()}
    rows = {row.name: row for row in faces_in(folder)}
    if unknown := [name for name in wish if name not in rows]:
        raise UsageError(f"{table}: {unknown[0]} and {len(unknown) - 1} others are not in {folder}")
    gone = drop(folder, [rows[name] for name, kept in wish.items() if not kept])
    back = keep(folder, [rows[name] for name, kept in wish.items() if kept], progress)
    return gone, back


def _change(folder: Path, rows: Sequence[FaceRow]) -> None:
    if rows:
        change_rows(folder, rows)
        draw_sheets(folder, faces_in(folder))


def picture_of(folder: Path, row: FaceRow) -> Path | None:
    """Where the picture of a row lies now."""
    places = [folder / PICTURES / row.name, *sorted(folder.glob(f"{ASIDE}/*/{row.name}"))]
    return next((place for place in places if place.is_file()), None)


def _bring_pictures(folder: Path, rows: Sequence[FaceRow], progress: Progress) -> None:
    missing: dict[int, list[FaceRow]] = {}
    for row in rows:
        picture = picture_of(folder, row)
        if picture is None:
            missing.setdefault(row.clip, []).append(row)
        elif picture.parent.name != PICTURES:
            picture.replace(folder / PICTURES / row.name)
    told = {clip.number: clip for clip in read_clips(folder)}
    clips = {number: Path(clip.path) for number, clip in told.items()}
    for number, those in missing.items():
        if number not in clips or any(row.crop_from_frame is None for row in those):
            raise ArtefactError(f"{folder}: does not say what {those[0].name} was cut from; extract the faces again")
        if not clips[number].exists():
            raise MediaError(f"{clips[number]}: is gone, and {those[0].name} is to be cut from it; put it back there")
        if clips[number].is_dir() and digest_of(clips[number]) != told[number].digest:  # frames are places in it
            raise MediaError(
                f"{clips[number]}: its pictures are not those that {folder} was made of, and {those[0].name} is to be "
                "cut from one; put them back as they were, or extract the faces again"
            )
        size_px = int(open_artefact(folder, KIND, SCHEMA).details["crop_px"])
        cut(clips[number], those, folder / PICTURES, size_px, progress)
