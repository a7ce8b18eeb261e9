"""A face set put in order by hand: chosen, sorted, dropped, taken back, split, merged; every change can be undone.

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
from faceswap.rows import (
    ASIDE,
    KIND,
    PICTURES,
    SCHEMA,
    ClipRow,
    FaceRow,
    change_rows,
    common_centring,
    identity_of,
    read_clips,
    read_rows,
    store_measures,
    write_rows,
)
from faceswap.sheets import draw_sheets
from faceswap.survey import cut
from shared.errors import ArtefactError, MediaError, UsageError
from shared.face.identity import Embedder, unit
from shared.picture.image import read_image
from shared.progress import Progress, silent
from shared.store.artefact import artefact, fingerprint, open_artefact, write_atomically
from shared.types import JsonObject

BY_HAND: Final = "by-hand"
DELETED: Final = "deleted"
TABLE: Final = "faces.csv"


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
        If a clip that is needed is not where it was.
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
        wish = {line["name"]: line["kept"].strip().lower() in ("1", "true", "yes") for line in lines}
    except (KeyError, UnicodeDecodeError, AttributeError, csv.Error) as error:
        raise UsageError(f"{table}: needs the columns name and kept, as --export writes them ({error})") from error
    rows = {row.name: row for row in faces_in(folder)}
    if unknown := [name for name in wish if name not in rows]:
        raise UsageError(f"{table}: {unknown[0]} and {len(unknown) - 1} others are not in {folder}")
    gone = drop(folder, [rows[name] for name, kept in wish.items() if not kept])
    back = keep(folder, [rows[name] for name, kept in wish.items() if kept], progress)
    return gone, back


def split(folder: Path, rows: Sequence[FaceRow], target: Path) -> int:
    """Make a face set of some of the kept faces and drop them here; how many.

    Raises
    ------
    UsageError
        If no face was chosen.
    """
    moved = [row for row in rows if row.kept]
    if not moved:
        raise UsageError(f"{folder}: no kept face was chosen; say which with --where")
    merge_rows([(folder, moved)], target)
    return drop(folder, moved, why="split")


def merge(folders: Sequence[Path], target: Path) -> int:
    """Make one face set of several, kept and dropped faces alike; how many are kept.

    Raises
    ------
    UsageError
        If their pictures differ in size.
    """
    return merge_rows([(folder, faces_in(folder)) for folder in folders], target)


def merge_rows(parts: Sequence[tuple[Path, Sequence[FaceRow]]], target: Path) -> int:
    """Make a face set of rows of others, with their pictures; how many are kept."""
    manifests = [open_artefact(folder, KIND, SCHEMA) for folder, _ in parts]
    sizes = {manifest.details["crop_px"] for manifest in manifests if "crop_px" in manifest.details}
    if len(sizes) > 1:
        raise UsageError(f"the pictures of these sets are of different sizes ({', '.join(map(str, sorted(sizes)))} px)")
    centring = common_centring([folder for folder, _ in parts])
    names = "\n".join(row.name for _, rows in parts for row in rows)
    wanted = fingerprint(made=[manifest.fingerprint for manifest in manifests], faces=names)
    details: JsonObject = {}
    with artefact(target, KIND, SCHEMA, wanted, details=details) as partial:
        (partial / PICTURES).mkdir()
        rows, clips = _gathered(parts, partial)
        write_rows(partial, rows, clips)
        draw_sheets(partial, rows)
        kept = sum(row.kept for row in rows)
        details |= {**_joint_details([manifest.details for manifest in manifests], kept, clips), "centring": centring}
    return kept


def _gathered(parts: Sequence[tuple[Path, Sequence[FaceRow]]], target: Path) -> tuple[list[FaceRow], list[ClipRow]]:
    """Rows and clips of several sets under numbers of their own, their pictures copied."""
    rows: list[FaceRow] = []
    clips: list[ClipRow] = []
    start = 0
    for folder, chosen_rows in parts:
        known = read_clips(folder)
        clips += [replace(clip, number=clip.number + start) for clip in known]
        for row in chosen_rows:
            name = f"{row.clip + start:02d}-{row.frame:06d}-{row.track:03d}.png" if start else row.name
            rows.append(replace(row, name=name, clip=row.clip + start))
            picture = picture_of(folder, row)
            if picture is not None:
                place = target / (PICTURES if row.kept else f"{ASIDE}/{picture.parent.name}")
                place.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(picture, place / name)
        start = max([row.clip for row in rows] + [clip.number for clip in clips], default=-1) + 1
    return rows, clips


def _joint_details(details: Sequence[JsonObject], kept: int, clips: Sequence[ClipRow]) -> JsonObject:
    faces = [float(one.get("faces", 1)) for one in details]
    means = [np.array(one["embedding"], dtype=np.float32) * share for one, share in zip(details, faces, strict=True)]
    return {
        "faces": kept,
        "frames": sum(clip.frames for clip in clips),
        "with_face": sum(clip.with_face for clip in clips),
        "damaged": sum(clip.damaged for clip in clips),
        "dropped": {},
        "clips": [Path(clip.path).name for clip in clips],
        "crop_px": details[0].get("crop_px"),
        "finder": details[0].get("finder", "mesh"),
        "embedding": [round(float(value), 6) for value in unit(np.sum(means, axis=0))],
    }


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
    clips = {clip.number: Path(clip.path) for clip in read_clips(folder)}
    for number, those in missing.items():
        if number not in clips or any(row.crop_from_frame is None for row in those):
            raise ArtefactError(f"{folder}: does not say what {those[0].name} was cut from; extract the faces again")
        if not clips[number].exists():
            raise MediaError(f"{clips[number]}: is gone, and {those[0].name} is to be cut from it; put it back there")
        size_px = int(open_artefact(folder, KIND, SCHEMA).details["crop_px"])
        cut(clips[number], those, folder / PICTURES, size_px, progress)
