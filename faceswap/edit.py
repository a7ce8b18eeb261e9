"""Landmarks, boxes and masks put right by hand: to a table, back from it, and into the pictures of a face set.

CSV has the columns clip, frame, track, box, landmarks, mask; the last three hold numbers with spaces between (4, 136,
and two a corner), or nothing. JSON is a list of objects with the same names and nested arrays. A line in which all
three are empty takes the correction of that face back.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from faceswap.align import Centring, crop_from_frame
from faceswap.footage import frames_of
from faceswap.looks import looks_of
from faceswap.rows import KIND, PICTURES, SCHEMA, FaceRow, centring_of, read_clips, read_rows, write_rows
from faceswap.survey import cut_out
from shared.errors import ArtefactError, UsageError, from_os_error
from shared.face.analyse import AnalyseOptions, ClipFaces, analyse
from shared.face.detect import FinderName
from shared.face.landmarks import irises_of
from shared.picture.image import encode_png
from shared.picture.warp import invert, transform
from shared.progress import Progress, silent
from shared.store.artefact import cache_folder, open_artefact, write_atomically
from shared.store.corrections import Correction, correct, corrections_of
from shared.types import Floats

COLUMNS: Final = ("clip", "frame", "track", "box", "landmarks", "mask")
MOVED_PX: Final = 0.05
"""Landmarks that moved less than this, in pixels of the frame, need no new picture."""
Edits = Mapping[int, Sequence[Correction]]
"""Corrections by the number of their clip."""


def clips_of(target: Path) -> dict[int, Path]:
    """The clips that an edit of a face set, or of one clip itself, may concern, by number.

    Raises
    ------
    ArtefactError
        If the folder is no face set, or of a version that did not note its clips.
    """
    if target.is_file():
        return {0: target}
    open_artefact(target, KIND, SCHEMA)
    found = {clip.number: Path(clip.path) for clip in read_clips(target) if Path(clip.path).is_file()}
    if not found:
        raise ArtefactError(f"{target}: none of its clips is where it was; put them back, or edit the clip itself")
    return found


def write_table(target: Path, table: Path, only: Iterable[tuple[int, int, int]] | None = None) -> int:
    """Write the faces of all clips as they stand, to be edited; how many.

    Parameters
    ----------
    only : (clip, frame, track) of the faces to write; None for all.
    """
    wanted = None if only is None else set(only)
    lines = []
    for number, clip in clips_of(target).items():
        with _analysed(target, clip) as faces:
            for index, _, found in faces.iter():
                for face in found:
                    if wanted is None or (number, index, face.track) in wanted:
                        lines.append(
                            _line(number, Correction(index, face.track, face.landmarks, face.box, face.outline))
                        )
    text = json.dumps(lines) if _is_json(table) else _csv_of(lines)
    write_atomically(table, text.encode())
    return len(lines)


def read_table(table: Path) -> dict[int, list[Correction]]:
    """The corrections in a CSV or JSON, by the number of their clip.

    Raises
    ------
    UsageError
        If a line is not understood, with its number.
    """
    try:
        text = table.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise from_os_error(error, table, "reading corrections") from error
    edits: dict[int, list[Correction]] = {}
    number = 0
    try:
        lines = json.loads(text) if _is_json(table) else list(csv.DictReader(io.StringIO(text)))
        for line in lines:
            number += 1
            edits.setdefault(int(line.get("clip") or 0), []).append(
                Correction(
                    int(line["frame"]),
                    int(line["track"]),
                    _points(line.get("landmarks")),
                    _box(line.get("box")),
                    _points(line.get("mask")),
                )
            )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{table}, line {number}: not understood ({error}); see lipswap faces --help") from error
    return edits


def take_edits(target: Path, edits: Edits, progress: Progress = silent) -> tuple[int, int]:
    """Keep corrections, of those faces that differ from what is known; a face set's pictures are cut anew.

    Returns
    -------
    How many faces were put right, and how many pictures were cut anew, neighbours in the shot with them.

    Raises
    ------
    UsageError
        If a clip, frame or track is not there.
    """
    clips = clips_of(target)
    if unknown := [number for number in edits if number not in clips]:
        raise UsageError(f"{target}: has no clip {unknown[0]}; there are {', '.join(map(str, clips))}")
    changed = 0
    for number, those in edits.items():
        with _analysed(target, clips[number]) as faces:
            real = _different(clips[number], faces, those)
        correct(clips[number], real)
        changed += len(real)
    renewed = recut(target, sorted(edits), progress) if target.is_dir() else 0
    return changed, renewed


def recut(folder: Path, numbers: Sequence[int], progress: Progress = silent) -> int:
    """Cut those pictures of a face set anew whose landmarks are others by now; how many."""
    rows, clips = read_rows(folder), clips_of(folder)
    new: dict[str, FaceRow] = {}
    size_px = int(open_artefact(folder, KIND, SCHEMA).details["crop_px"])
    for number in numbers:
        with _analysed(folder, clips[number]) as faces:
            mine = [row for row in rows if row.clip == number]
            new |= {row.name: row for row in _moved(mine, faces, size_px, centring_of(folder))}
        renewed = [row for row in new.values() if row.clip == number]
        new |= {row.name: row for row in _cut_anew(folder, clips[number], renewed, size_px, progress)}
    if new:
        write_rows(folder, [new.get(row.name, row) for row in rows], read_clips(folder))
    return len(new)


def _analysed(target: Path, clip: Path) -> ClipFaces:
    made_by = "mesh" if target.is_file() else open_artefact(target, KIND, SCHEMA).details.get("finder", "mesh")
    finder: FinderName = "fan" if made_by == "fan" else "mesh"
    return analyse(clip, cache_folder(), AnalyseOptions(finder=finder))


def _different(clip: Path, faces: ClipFaces, those: Sequence[Correction]) -> list[Correction]:
    """The corrections that say something else than the analysis with its present corrections does."""
    tracks = {track.number for track in faces.tracks}
    known = {(one.frame, one.track) for one in corrections_of(clip)}
    real = []
    for one in those:
        if one.track not in tracks or not 0 <= one.frame < faces.counts.frames:
            raise UsageError(f"{clip}: has no frame {one.frame} or no track {one.track}")
        seen = next((face for face in faces.faces_at(one.frame) if face.track == one.track), None)
        if one.is_empty:
            if (one.frame, one.track) in known:
                real.append(one)
        elif seen is None or not (
            _same(one.landmarks, seen.landmarks) and _same_box(one.box, seen.box) and _same(one.mask, seen.outline)
        ):
            real.append(one)
    return real


def _moved(rows: Sequence[FaceRow], faces: ClipFaces, size_px: int, centring: Centring) -> list[FaceRow]:
    """Rows whose face lies elsewhere by now, laid anew."""
    found = []
    for row in rows:
        face = next((face for face in faces.faces_at(row.frame) if face.track == row.track), None)
        if face is None or row.crop_from_frame is None:
            continue
        matrix = crop_from_frame(face.landmarks, size_px, centring)
        before = transform(invert(row.crop_from_frame), row.landmarks)
        if float(np.abs(before - face.landmarks).max()) > MOVED_PX:
            yaw, pitch, roll = face.pose_deg
            points, irises = transform(matrix, face.landmarks), irises_of(face)
            moved = replace(row, landmarks=points, crop_from_frame=matrix, yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll)
            found.append(replace(moved, irises=None if irises is None else transform(matrix, irises)))
    return found


def _cut_anew(folder: Path, clip: Path, rows: Sequence[FaceRow], size_px: int, progress: Progress) -> list[FaceRow]:
    """Replace the pictures of rows, where they have one, and measure them."""
    waiting: dict[int, list[FaceRow]] = {}
    for row in rows:
        if (folder / PICTURES / row.name).is_file():
            waiting.setdefault(row.frame, []).append(row)
    total, done = sum(map(len, waiting.values())), 0
    out = {row.name: row for row in rows}
    for frame in frames_of(clip) if waiting else ():
        for row in waiting.pop(frame.index, ()):
            matrix = row.crop_from_frame
            if matrix is not None:
                picture = cut_out(frame, matrix, size_px)
                write_atomically(folder / PICTURES / row.name, encode_png(picture, effort=1))
                out[row.name] = replace(row, **looks_of(picture, row.landmarks).as_columns())
            done += 1
            progress(done, total, "cutting corrected faces")
        if not waiting:
            break
    return list(out.values())


def _line(clip: int, one: Correction) -> dict[str, Any]:
    return {
        "clip": clip,
        "frame": one.frame,
        "track": one.track,
        "box": None if one.box is None else [round(float(value), 3) for value in one.box],
        "landmarks": _rounded(one.landmarks),
        "mask": _rounded(one.mask),
    }


def _rounded(points: Floats | None) -> list[list[float]] | None:
    return None if points is None else [[round(float(x), 3), round(float(y), 3)] for x, y in points]


def _csv_of(lines: Sequence[Mapping[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        flat = [line[name] for name in COLUMNS[:3]]
        flat += [
            "" if line[name] is None else " ".join(map(str, np.ravel(line[name]).tolist())) for name in COLUMNS[3:]
        ]
        writer.writerow(flat)
    return out.getvalue()


def _numbers(value: object) -> list[float]:
    if value is None:
        return []
    if isinstance(value, str):
        return [float(number) for number in value.replace(",", " ").split()]
    return [float(number) for number in np.ravel(np.array(value, dtype=np.float64))]


def _points(value: object) -> Floats | None:
    numbers = _numbers(value)
    return np.array(numbers, dtype=np.float32).reshape(-1, 2) if numbers else None


def _box(value: object) -> tuple[float, float, float, float] | None:
    numbers = _numbers(value)
    if not numbers:
        return None
    x0, y0, x1, y1 = numbers
    if x1 <= x0 or y1 <= y0:
        raise ValueError("a box is x0 y0 x1 y1 with x1 > x0 and y1 > y0")
    return x0, y0, x1, y1


def _same(one: Floats | None, other: Floats | None) -> bool:
    """Whether points are not given, or the same to what a table keeps of them."""
    return one is None or (other is not None and one.shape == other.shape and float(np.abs(one - other).max()) < 2e-3)


def _same_box(one: tuple[float, float, float, float] | None, other: tuple[float, float, float, float]) -> bool:
    return one is None or max(abs(a - b) for a, b in zip(one, other, strict=True)) < 2e-3


def _is_json(table: Path) -> bool:
    return table.suffix.lower() == ".json"
