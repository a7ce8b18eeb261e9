"""The faces of one clip that may go into a set: who is where, which shape and place speak against it, what is cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faceswap.align import VIEW_SHARE, Centring, crop_from_frame
from faceswap.footage import Footage, PictureFaces, digest_of, frames_of, open_footage, size_of, speaker_of
from faceswap.looks import misfit_of
from faceswap.options import ExtractOptions
from faceswap.rows import ClipRow, FaceRow, evenly
from shared.errors import from_os_error
from shared.face.landmarks import canonical_face, irises_of
from shared.picture.image import encode_png
from shared.picture.planes import warp
from shared.picture.warp import eight_bit, transform
from shared.progress import Progress
from shared.store.faces import StoredTrack
from shared.types import Face, Floats, Frame, Matrix

SHAPE_REASONS: Final = ("small", "large", "turned", "uncertain", "misfit", "outside", "cut off", "blurred", "crowded")
"""Why a face is dropped before anybody looks at its picture, in this order."""

CROP_REVISION: Final = 1
"""Raised when a face is cut out otherwise, so that no set holds pictures of two versions."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What one clip or folder of pictures shows."""

    clip: ClipRow
    rows: list[FaceRow]
    """Each face considered, kept or with the reason against it; not yet looked at."""
    tracks: tuple[StoredTrack, ...]
    speaking: frozenset[int]
    """Tracks of whoever speaks, where that was asked for."""
    mixed: frozenset[int]
    """Tracks that share their shot with somebody else's: each of their faces must be looked at to tell whose it is."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One face in one frame of an input."""

    frame: int
    time_s: float
    face: Face
    """Without its mesh, which would make up nine tenths of what a long clip holds in memory."""
    size: tuple[int, int]
    """(height, width) of the upright frame."""
    crowd: float = 0.0
    """Share of the view that other faces cover."""
    irises: Floats | None = None
    """(2, 2) pixels of the frame; None where the finder gives none."""


def survey(path: Path, number: int, options: ExtractOptions, progress: Progress) -> Survey:
    """Find the faces of an input and drop those whose shape, size or place speaks against them.

    Raises
    ------
    MediaError
        If it cannot be read.
    """
    faces = open_footage(path, options.finder, progress)
    try:
        seen = list(_seen(faces, options))
        counts = faces.counts
        speaking = speaker_of(faces) if options.person == "speaker" else frozenset()
        tracks = faces.tracks
    finally:
        faces.close()
    clip = ClipRow(number, str(path.absolute()), digest_of(path), counts.frames, counts.with_face, counts.damaged)
    return Survey(clip, judge(seen, number, options), tracks, speaking, _mixed(tracks))


def cut(path: Path, rows: Sequence[FaceRow], folder: Path, crop_px: int, progress: Progress) -> int:
    """Write the pictures of rows of one clip into `folder`, passing over those that are there; how many were not.

    Raises
    ------
    MediaError
        If the clip cannot be read.
    """
    missing = [row for row in rows if not (folder / row.name).is_file()]
    by_frame: dict[int, list[FaceRow]] = {}
    for row in missing:
        by_frame.setdefault(row.frame, []).append(row)
    done = 0
    for frame in frames_of(path) if by_frame else ():
        for row in by_frame.pop(frame.index, ()):
            _write(folder / row.name, cut_out(frame, matrix_of(row), crop_px))
            done += 1
            progress(done, len(missing), f"cutting faces of {path.name}")
        if not by_frame:
            break
    return len(missing)


def cut_out(frame: Frame, crop_from_frame: Matrix, size_px: int) -> NDArray[np.uint8]:
    """A face of a frame as its (S, S, 3) RGB picture."""
    return eight_bit(warp(frame, crop_from_frame, (size_px, size_px)))


def matrix_of(row: FaceRow) -> Matrix:
    """Where a row's picture lies in its frame; rows of sets that older versions made do not say."""
    if row.crop_from_frame is None:
        raise ValueError(f"{row.name}: its set does not tell where it was cut from")
    return row.crop_from_frame


def shared_out(counts: Sequence[int], total: int) -> list[int]:
    """How many of `counts` each may keep, so that at most `total` stay and the longest give up first."""
    left, room = total, list(counts)
    for place, number in enumerate(sorted(range(len(counts)), key=lambda one: counts[one])):
        share = left // (len(counts) - place)
        room[number] = min(counts[number], share)
        left -= room[number]
    return room


def thinned(rows: list[FaceRow], most: int) -> list[FaceRow]:
    """Keep at most `most` of the kept rows, spread evenly."""
    kept = [number for number, row in enumerate(rows) if row.kept]
    if len(kept) <= most:
        return rows
    stay = set(evenly(kept, max(1, most)))
    return [
        replace(row, kept=False, why="thinned") if row.kept and number not in stay else row
        for number, row in enumerate(rows)
    ]


def _seen(faces: Footage, options: ExtractOptions) -> Iterator[Seen]:
    every = 1 if isinstance(faces, PictureFaces) else max(1, options.every)
    for index, time_s, found in faces.iter():
        if index % every == 0:
            for face in found:
                others = [other for other in found if other is not face]
                plain = replace(face, mesh=None, blendshapes=None)
                crowd = _crowd(face, others, options.centring)
                yield Seen(index, time_s, plain, size_of(faces, index), crowd, irises_of(face))


def _crowd(face: Face, others: Sequence[Face], centring: Centring = "face") -> float:
    """Share of a face's view that the boxes of others cover, roughly: their overlap with the view's own box."""
    if not others:
        return 0.0
    matrix = crop_from_frame(face.landmarks, 1, centring)
    low, high = (1 - VIEW_SHARE) / 2 - 0.5, (1 + VIEW_SHARE) / 2 - 0.5
    covered = 0.0
    for other in others:
        x0, y0, x1, y1 = other.box
        corners = transform(matrix, [[x0, y0], [x1, y0], [x0, y1], [x1, y1]])
        left, top = np.maximum(corners.min(axis=0), low)
        right, bottom = np.minimum(corners.max(axis=0), high)
        covered += max(0.0, float(right - left)) * max(0.0, float(bottom - top))
    return covered / VIEW_SHARE**2


def judge(seen: Sequence[Seen], clip: int, options: ExtractOptions) -> list[FaceRow]:
    """One row a face, kept or with the first reason that speaks against it."""
    usual = float(np.median([one.face.sharpness for one in seen])) if seen else 0.0
    canonical = canonical_face() if seen else None
    rows = []
    for one in seen:
        face = one.face
        misfit = 0.0 if canonical is None else misfit_of(face.landmarks, canonical)
        faults = _faults(one, misfit, usual, options)
        why = next((reason for reason, fault in zip(SHAPE_REASONS, faults, strict=True) if fault), "")
        matrix = crop_from_frame(face.landmarks, options.crop_px, options.centring)
        rows.append(
            FaceRow(
                name=f"{clip:02d}-{one.frame:06d}-{face.track:03d}.png",
                clip=clip,
                frame=one.frame,
                time_s=one.time_s,
                track=face.track,
                size_px=_side(face),
                sharpness=face.sharpness,
                presence=face.presence,
                yaw_deg=face.pose_deg[0],
                pitch_deg=face.pose_deg[1],
                roll_deg=face.pose_deg[2],
                landmarks=transform(matrix, face.landmarks),
                kept=not why,
                why=why,
                misfit=misfit,
                irises=None if one.irises is None else transform(matrix, one.irises),
                crop_from_frame=matrix,
            )
        )
    return rows


def _faults(one: Seen, misfit: float, usual: float, options: ExtractOptions) -> tuple[bool, ...]:
    """What speaks against a face, in the order of `SHAPE_REASONS`."""
    face = one.face
    yaw, pitch, roll = face.pose_deg
    off, cut_off = _misplaced(face, one.size, options)
    return (
        _side(face) < options.least_size_px,
        0 < options.most_size_px < _side(face),
        abs(yaw) > options.most_yaw_deg or abs(pitch) > options.most_pitch_deg or abs(roll) > options.most_roll_deg,
        face.presence < options.least_presence,
        misfit > options.most_misfit,
        off,
        cut_off,
        face.sharpness < options.least_sharpness * usual,
        one.crowd > options.most_crowd,
    )


def _misplaced(face: Face, size: tuple[int, int], options: ExtractOptions) -> tuple[bool, bool]:
    """Whether a face lies outside the region asked for, and whether the border cuts it off."""
    height, width = size
    x, y = (face.box[0] + face.box[2]) / 2 / width, (face.box[1] + face.box[3]) / 2 / height
    left, top, right, bottom = options.region
    points = face.landmarks
    inside = (points >= -0.5).all(axis=1) & (points <= (width - 0.5, height - 0.5)).all(axis=1)
    return not (left <= x <= right and top <= y <= bottom), float(inside.mean()) < options.least_inside


def _side(face: Face) -> float:
    return float(max(face.box[2] - face.box[0], face.box[3] - face.box[1]))


def _mixed(tracks: Sequence[StoredTrack]) -> frozenset[int]:
    people: dict[int, set[int]] = {}
    for track in tracks:
        people.setdefault(track.shot, set()).add(track.person)
    return frozenset(track.number for track in tracks if len(people[track.shot]) > 1)


def _write(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture so that a killed run leaves it whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(encode_png(picture, effort=1))
        partial.replace(path)
    except OSError as error:
        raise from_os_error(error, path, "writing a face") from error
