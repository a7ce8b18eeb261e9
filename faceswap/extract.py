"""Clips to a face set: who, which frames, which faces are good enough, cut and written as pictures.

Nothing is decided while decoding: tracks, poses and sharpness come from the sealed analysis of the clip, the second
pass only cuts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faceswap.align import crop_from_frame
from faceswap.options import ExtractOptions
from faceswap.rows import KIND, PICTURES, SCHEMA, SHEET, FaceRow, write_rows
from shared.errors import NoFaceError
from shared.face.analyse import ClipFaces, analyse, tracks_of
from shared.face.identity import unit
from shared.media.reader import open_clip
from shared.picture.image import contact_sheet, encode_png, read_image, write_png
from shared.picture.planes import warp
from shared.picture.warp import eight_bit, transform
from shared.progress import Progress, silent
from shared.store.artefact import artefact, cache_folder, fingerprint, is_current, lock, open_artefact
from shared.types import Face, Floats, Frame, JsonObject

SHEET_FACES: Final = 96
SHEET_COLUMNS: Final = 12
SHEET_CELL_PX: Final = 96
REASONS: Final = ("small", "turned", "uncertain", "blurred", "thinned")


@dataclass(frozen=True, slots=True)
class ExtractReport:
    """What an extraction came to."""

    folder: Path
    faces: int
    """Pictures in the set."""
    frames: int
    """Frames of all clips."""
    with_face: int
    """Of these, frames in which any face was found."""
    damaged: int
    """Frames that could not be decoded."""
    dropped: dict[str, int]
    """Faces that were considered and left out, by reason."""
    reused: bool
    """Whether the set was there already, made from the same clips with the same options."""


def extract(
    clips: Sequence[Path],
    folder: Path,
    options: ExtractOptions | None = None,
    progress: Progress = silent,
    force: bool = False,
) -> ExtractReport:
    """Make a face set of one person from one or more clips.

    Raises
    ------
    NoFaceError
        If the clips show too few usable faces, with what was wrong with them.
    MediaError
        If a clip cannot be read.
    ArtefactError
        If `folder` was made otherwise and `force` is off.
    """
    chosen = options or ExtractOptions()
    wanted = fingerprint(clips=list(clips), options=chosen, schema=SCHEMA)
    if is_current(folder, KIND, wanted, SCHEMA) and not force:
        return _report(folder, open_artefact(folder, KIND, SCHEMA).details, reused=True)
    details: JsonObject = {}
    with lock(folder), artefact(folder, KIND, SCHEMA, wanted, force, details=details) as partial:
        (partial / PICTURES).mkdir(exist_ok=True)
        parts = [_from_clip(clip, number, partial, chosen, progress) for number, clip in enumerate(clips)]
        rows = [row for part in parts for row in part.rows]
        kept = [row for row in rows if row.kept]
        dropped = Counter(row.why for row in rows if not row.kept)
        if not kept:
            raise NoFaceError(_none_left(clips, dropped))
        write_rows(partial, rows)
        _draw_sheet(partial, kept)
        details |= {
            "faces": len(kept),
            "frames": sum(part.frames for part in parts),
            "with_face": sum(part.with_face for part in parts),
            "damaged": sum(part.damaged for part in parts),
            "dropped": dict(dropped),
            "clips": [clip.name for clip in clips],
            "crop_px": chosen.crop_px,
            "embedding": [round(float(v), 6) for v in unit(np.sum([part.embedding for part in parts], axis=0))],
        }
    return _report(folder, details, reused=False)


@dataclass(frozen=True, slots=True)
class _Part:
    """What one clip gave."""

    rows: list[FaceRow]
    frames: int
    with_face: int
    damaged: int
    embedding: Floats


def _from_clip(clip: Path, number: int, folder: Path, options: ExtractOptions, progress: Progress) -> _Part:
    faces = analyse(clip, cache_folder(), progress=progress)
    try:
        tracks = tracks_of(faces, options.person)
        seen = list(_candidates(faces, tracks, options))
        rows = _thin(_judge(seen, number, options), options.most)
        _cut(clip, [(row, face) for row, face in zip(rows, seen, strict=True) if row.kept], folder, options, progress)
        chosen = [track for track in faces.tracks if track.number in tracks]
        embedding = np.sum([track.embedding * track.frames for track in chosen], axis=0)
        counts = faces.counts
    finally:
        faces.close()
    return _Part(rows, counts.frames, counts.with_face, counts.damaged, np.asarray(embedding, dtype=np.float32))


@dataclass(frozen=True, slots=True)
class _Seen:
    frame: int
    time_s: float
    face: Face
    """Without its mesh, which would make up nine tenths of what a long clip holds in memory."""


def _candidates(faces: ClipFaces, tracks: frozenset[int], options: ExtractOptions) -> Iterator[_Seen]:
    for index, time_s, found in faces.iter():
        if index % max(1, options.every) == 0:
            for face in found:
                if face.track in tracks:
                    yield _Seen(index, time_s, replace(face, mesh=None, blendshapes=None))


def _judge(seen: Sequence[_Seen], clip: int, options: ExtractOptions) -> list[FaceRow]:
    """One row a face, kept or with the first reason that speaks against it."""
    usual = float(np.median([one.face.sharpness for one in seen])) if seen else 0.0
    rows = []
    for one in seen:
        face = one.face
        size = max(face.box[2] - face.box[0], face.box[3] - face.box[1])
        yaw, pitch, roll = face.pose_deg
        faults = (
            size < options.least_size_px,
            abs(yaw) > options.most_yaw_deg or abs(pitch) > options.most_pitch_deg,
            face.presence < options.least_presence,
            face.sharpness < options.least_sharpness * usual,
        )
        why = next((reason for reason, fault in zip(REASONS, faults, strict=False) if fault), "")
        points = transform(crop_from_frame(face.landmarks, options.crop_px), face.landmarks)
        name = f"{clip:02d}-{one.frame:06d}-{face.track:03d}.png"
        rows.append(
            FaceRow(
                name=name,
                clip=clip,
                frame=one.frame,
                time_s=one.time_s,
                track=face.track,
                size_px=size,
                sharpness=face.sharpness,
                presence=face.presence,
                yaw_deg=yaw,
                pitch_deg=pitch,
                roll_deg=roll,
                landmarks=points,
                kept=not why,
                why=why,
            )
        )
    return rows


def _thin(rows: list[FaceRow], most: int) -> list[FaceRow]:
    """Keep at most `most` of the kept rows, spread evenly."""
    kept = [number for number, row in enumerate(rows) if row.kept]
    if len(kept) <= most:
        return rows
    stay = {kept[int(place)] for place in np.linspace(0, len(kept) - 1, max(1, most)).round()}
    return [
        replace(row, kept=False, why="thinned") if row.kept and number not in stay else row
        for number, row in enumerate(rows)
    ]


def _cut(
    clip: Path, wanted: Sequence[tuple[FaceRow, _Seen]], folder: Path, options: ExtractOptions, progress: Progress
) -> None:
    """Decode once more and write the crops of the wanted faces."""
    by_frame: dict[int, list[tuple[FaceRow, Face]]] = {}
    for row, seen in wanted:
        by_frame.setdefault(seen.frame, []).append((row, seen.face))
    last = max(by_frame, default=-1)
    done = 0
    with open_clip(clip) as reader:
        for frame in reader.frames():
            for row, face in by_frame.get(frame.index, ()):
                picture = _crop(frame, face, options.crop_px)
                (folder / PICTURES / row.name).write_bytes(encode_png(picture, effort=1))
                done += 1
                progress(done, len(wanted), f"cutting faces of {clip.name}")
            if frame.index >= last:
                break


def _crop(frame: Frame, face: Face, size_px: int) -> NDArray[np.uint8]:
    return eight_bit(warp(frame, crop_from_frame(face.landmarks, size_px), (size_px, size_px)))


def _draw_sheet(folder: Path, kept: Sequence[FaceRow]) -> None:
    places = np.linspace(0, len(kept) - 1, min(SHEET_FACES, len(kept))).round()
    pictures = [read_image(folder / PICTURES / kept[int(place)].name) for place in places]
    write_png(folder / SHEET, contact_sheet(pictures, SHEET_COLUMNS, (SHEET_CELL_PX, SHEET_CELL_PX)))


def _none_left(clips: Sequence[Path], dropped: Counter[str]) -> str:
    reasons = ", ".join(f"{count} {why}" for why, count in dropped.most_common()) or "none was found"
    return (
        f"{', '.join(map(str, clips))}: no usable face in it (dropped: {reasons}); "
        "give another clip, a smaller --every, or looser filters"
    )


def _report(folder: Path, details: JsonObject, reused: bool) -> ExtractReport:
    return ExtractReport(
        folder=folder,
        faces=details["faces"],
        frames=details["frames"],
        with_face=details["with_face"],
        damaged=details["damaged"],
        dropped=dict(details["dropped"]),
        reused=reused,
    )
