"""Face sets joined, divided and added to: several made one, some of the faces of one made a set of their own."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from faceswap.rows import ASIDE, KIND, PICTURES, SCHEMA, ClipRow, FaceRow, common_centring, read_clips, write_rows
from faceswap.sheets import draw_sheets
from faceswap.shelf import drop, faces_in, picture_of
from faceswap.who import People
from shared.errors import UsageError
from shared.face.identity import THRESHOLD, unit
from shared.store.artefact import artefact, fingerprint, is_current, lock, open_artefact
from shared.store.fingerprint import MANIFEST
from shared.types import Floats, JsonObject

logger = logging.getLogger(__name__)


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
    """Make a face set of rows of others, with their pictures; how many are kept.

    A set that was made of the same rows before stays as it is, with what was decided in it since.

    Raises
    ------
    ArtefactError
        If `target` was made of others.
    UsageError
        If it is one of them, or their pictures differ in size or centring.
    """
    if target.resolve() in [folder.resolve() for folder, _ in parts]:
        raise UsageError(f"{target}: is one of the sets that it would be made of; choose another --output")
    manifests = [open_artefact(folder, KIND, SCHEMA) for folder, _ in parts]
    sizes = {manifest.details["crop_px"] for manifest in manifests if "crop_px" in manifest.details}
    if len(sizes) > 1:
        raise UsageError(f"the pictures of these sets are of different sizes ({', '.join(map(str, sorted(sizes)))} px)")
    centring = common_centring([folder for folder, _ in parts])
    names = "\n".join(f"{row.name} {row.kept:d}" for _, rows in parts for row in rows)
    wanted = fingerprint(made=[manifest.fingerprint for manifest in manifests], faces=names)
    details: JsonObject = {}
    with lock(target):
        if is_current(target, KIND, wanted, SCHEMA):
            logger.warning("%s: is made of these faces already, and stays as it is", target)
            return sum(row.kept for row in faces_in(target))
        with artefact(target, KIND, SCHEMA, wanted, details=details) as partial:
            (partial / PICTURES).mkdir()
            rows, clips = _gathered(parts, partial)
            write_rows(partial, rows, clips)
            draw_sheets(partial, rows)
            kept = sum(row.kept for row in rows)
            details |= _joint_details([manifest.details for manifest in manifests], kept, clips)
            details["centring"] = centring
    return kept


def take_over(before: Path, partial: Path, added: frozenset[str]) -> None:
    """Copy what lies in a set that is added to, decisions and files of the user's own too, as it is now.

    Parameters
    ----------
    partial : folder of the new set; of what an interrupted run left there only pictures of new faces stay.
    added : file names of those pictures.
    """
    pictures = partial / PICTURES
    old = [entry for entry in partial.iterdir() if entry != pictures]
    for entry in (*old, *(entry for entry in pictures.iterdir() if entry.name not in added)):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    shutil.copytree(before, partial, symlinks=True, dirs_exist_ok=True)
    (partial / MANIFEST).unlink(missing_ok=True)  # it says of the old set that it is complete


def as_before(people: People, rows: Sequence[FaceRow]) -> People:
    """People under the numbers that a set which is added to has for them; who is new to it comes after those.

    Parameters
    ----------
    rows : of that set.
    """
    seen: dict[int, list[Floats]] = {}
    for row in rows:
        if row.person >= 0 and row.embedding is not None:
            seen.setdefault(row.person, []).append(row.embedding)
    known = {person: unit(np.sum(found, axis=0)) for person, found in seen.items()}
    free = max((row.person for row in rows), default=-1) + 1
    pairs = [(float(mean @ one), new, old) for new, one in enumerate(people.identities) for old, mean in known.items()]
    numbers: dict[int, int] = {}
    for cosine, new, old in sorted(pairs, reverse=True):
        if cosine >= THRESHOLD and new not in numbers and old not in numbers.values():
            numbers[new] = old
    for new in range(len(people.identities)):
        if new not in numbers:
            numbers[new], free = free, free + 1
    identities = np.zeros((free, people.identities.shape[1]), dtype=np.float32)
    for old, mean in known.items():
        identities[old] = mean
    for new, number in numbers.items():
        identities[number] = people.identities[new]
    return replace(
        people,
        of={track: numbers[person] for track, person in people.of.items()},
        identities=identities,
        wanted=frozenset(numbers[person] for person in people.wanted),
        refused=frozenset(numbers[person] for person in people.refused),
    )


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
