"""What faces are taken from: clips, and folders of pictures, read the same way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from shared.errors import MediaError, from_os_error
from shared.face.analyse import AnalyseOptions, ClipFaces, analyse, embedding_of, tracks_of
from shared.face.detect import FinderName, make_finder
from shared.face.identity import Embedder, people_of, unit
from shared.media.reader import open_clip
from shared.progress import Progress, silent
from shared.store.artefact import Fingerprint, cache_folder, file_digest, fingerprint
from shared.store.faces import StoredTrack
from shared.types import Counts, Face, Floats, Frame

PICTURE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class PictureFaces:
    """The faces in a folder of pictures: each picture a frame, each face a track of its own."""

    tracks: tuple[StoredTrack, ...]
    counts: Counts
    faces: tuple[tuple[Face, ...], ...]
    """Of each picture."""
    sizes: tuple[tuple[int, int], ...]
    """(height, width) of each."""

    def iter(self) -> Iterator[tuple[int, float, tuple[Face, ...]]]:
        """(number of the picture, 0, faces)."""
        for number, found in enumerate(self.faces):
            yield number, 0.0, found

    def close(self) -> None:
        """Nothing is open."""


Footage: TypeAlias = ClipFaces | PictureFaces


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder by name.

    Raises
    ------
    MediaError
        If it cannot be read or holds none.
    """
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    except OSError as error:
        raise from_os_error(error, folder, "looking for pictures") from error
    if not found:
        raise MediaError(f"{folder}: no pictures in it ({' '.join(PICTURE_SUFFIXES)}); give a clip or another folder")
    return found


def digest_of(path: Path) -> str:
    """What a clip, or a folder of pictures, holds."""
    return _digest(pictures_in(path)) if path.is_dir() else file_digest(path)


def open_footage(path: Path, finder: FinderName = "mesh", progress: Progress = silent) -> Footage:
    """The faces of a clip (from the cache where they were found before) or of a folder of pictures.

    Raises
    ------
    MediaError
        If it cannot be read.
    """
    if path.is_dir():
        return _faces_in(path, finder, progress)
    return analyse(path, cache_folder(), AnalyseOptions(finder=finder), progress)


def size_of(faces: Footage, index: int) -> tuple[int, int]:
    """Upright (height, width) of a frame."""
    return faces.sizes[index] if isinstance(faces, PictureFaces) else faces.size


def frames_of(path: Path) -> Iterator[Frame]:
    """The frames of a clip, or the pictures of a folder, in order, numbered as `open_footage` numbers them."""
    if not path.is_dir():
        with open_clip(path) as reader:
            yield from reader.frames()
        return
    for number, picture in enumerate(pictures_in(path)):
        frame = _read(picture)
        if frame is not None:
            yield replace(frame, index=number)


def speaker_of(faces: Footage) -> frozenset[int]:
    """The tracks of whoever speaks in a clip; none in pictures."""
    return tracks_of(faces, "speaker") if isinstance(faces, ClipFaces) else frozenset()


def identities_in(references: Sequence[Path]) -> Floats:
    """Whom reference pictures, clips, or folders of pictures show, (N, 128) of length one each.

    Raises
    ------
    NoFaceError
        If one shows no face.
    """
    files = [file for path in references for file in (pictures_in(path) if path.is_dir() else [path])]
    finder = make_finder("mesh")
    return np.stack([embedding_of([file], finder) for file in files])


def _digest(pictures: Sequence[Path]) -> Fingerprint:
    return fingerprint(names=[path.name for path in pictures], pictures=list(pictures))


def _read(picture: Path) -> Frame | None:
    try:
        with open_clip(picture) as reader:
            return next(iter(reader.frames()), None)
    except MediaError:
        return None  # counted as damaged, as a frame would be


def _faces_in(folder: Path, finder_name: FinderName, progress: Progress) -> PictureFaces:
    finder, embedder = make_finder(finder_name), Embedder()
    pictures = pictures_in(folder)
    found: list[tuple[Face, ...]] = []
    tracks: list[StoredTrack] = []
    apart: list[frozenset[int]] = []
    sizes: list[tuple[int, int]] = []
    damaged = 0
    for number, picture in enumerate(pictures):
        frame = _read(picture)
        progress(number + 1, len(pictures), f"finding faces in {folder.name}")
        if frame is None:
            damaged += 1
            found.append(())
            sizes.append((1, 1))
            continue
        sizes.append(frame.size)
        first = len(tracks)
        found.append(tuple(replace(face, track=first + place) for place, face in enumerate(finder.find(frame))))
        for face in found[-1]:
            tracks.append(_track_of(face, number, embedder.embed(frame, face)))
            apart.append(frozenset(other.track for other in found[-1] if other.track != face.track))
    people = people_of([track.embedding for track in tracks], apart)
    numbered = tuple(replace(track, person=person) for track, person in zip(tracks, people, strict=True))
    return PictureFaces(
        numbered, Counts(len(pictures), sum(bool(one) for one in found), damaged), tuple(found), tuple(sizes)
    )


def _track_of(face: Face, frame: int, embedding: Floats) -> StoredTrack:
    size = max(face.box[2] - face.box[0], face.box[3] - face.box[1])
    return StoredTrack(
        face.track, -1, frame, frame, frame, 1, float(size), face.presence, face.sharpness, unit(np.asarray(embedding))
    )
