"""One sealed pass over a clip: who is where in each frame. Later passes only read it.

State that crosses frames (tracks, smoothing, persons) comes from here, so that a render can be cut into segments and
repeated. The result is an artefact in the cache, named by the fingerprint of clip and options: a second run reads it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self, TypeAlias

import numpy as np

from shared.errors import ArtefactError, NoFaceError, UsageError
from shared.face.correct import Corrected
from shared.face.detect import FaceFinder, FinderName, make_finder
from shared.face.fill import fill
from shared.face.identity import THRESHOLD, Embedder, cosine, unit
from shared.face.landmarks import mouth_opening
from shared.face.speaker import energy_of, speaking
from shared.face.track import TrackOptions
from shared.media.reader import clip_origin, open_clip, probe
from shared.progress import Progress, silent
from shared.store.artefact import Fingerprint, artefact, fingerprint, is_current, lock
from shared.store.cache import check_base, make_room, mark_used, throw_away
from shared.store.corrections import corrections_of
from shared.store.faces import FILE_NAME, SCHEMA, FaceStore, StoredFrame, StoredTrack
from shared.types import Counts, Face, Floats, Frame, Scene, Sound

PersonChoice: TypeAlias = Literal["largest", "all", "speaker"] | int | Path | tuple[Path, ...]
"""Which faces: those of the person seen largest and longest, all, of the one who speaks, of the person whose track has
this number (in every shot), or of the person in the reference pictures (or clips)."""
KIND = "faces"
REVISION = 3
"""Raised whenever the same options find other faces than before, so that no stale result is read."""
REFERENCE_FRAMES = 60
SPEECH_RATE_HZ = 16000


@dataclass(frozen=True, slots=True)
class AnalyseOptions:
    """How a clip is analysed."""

    finder: FinderName = "mesh"
    device: str = "cpu"
    blendshapes: bool = False
    """Whether the 52 blendshapes are stored too (mesh finder only)."""
    track: TrackOptions = field(default_factory=TrackOptions)


class ClipFaces:
    """The sealed faces of a clip; reads from disk, holds only the list of tracks. May be shared by threads."""

    def __init__(self, folder: Path, clip: Path) -> None:
        self.folder = folder
        self.clip = clip
        self._store = FaceStore(folder / FILE_NAME)
        facts = self._store.facts()
        self.tracks: tuple[StoredTrack, ...] = self._store.tracks()
        self.shots: int = self._store.shots()
        """How many there are, also without a face."""
        self.counts = Counts(int(facts["frames"]), int(facts["with_face"]), int(facts["damaged"]))
        self.size: tuple[int, int] = (int(facts["height"]), int(facts["width"]))
        """Upright (height, width) of the clip."""
        corrections = corrections_of(clip)
        self._corrected = Corrected(corrections, self._store.faces_at, self._store.shot_of) if corrections else None

    def faces_at(self, index: int) -> tuple[Face, ...]:
        """The faces of one frame, by track number; empty where there is none."""
        faces = self._store.faces_at(index)
        return faces if self._corrected is None else self._corrected.at(index, self._store.shot_of(index), faces)

    def scene(self, frame: Frame, tracks: Container[int]) -> Scene:
        """A frame of the clip with the faces of some tracks."""
        faces = tuple(face for face in self.faces_at(frame.index) if face.track in tracks)
        return Scene(frame, faces, self._store.shot_of(frame.index), frame.index)

    def iter(self) -> Iterator[tuple[int, float, tuple[Face, ...]]]:
        """(index, time in seconds, faces) of each frame in order."""
        for frame in self.frames():
            yield frame.number, frame.time_s, frame.faces

    def frames(self, first: int = 0, end: int | None = None) -> Iterator[StoredFrame]:
        """As `iter` for a range of frames, with the number of the shot."""
        for frame in self._store.frames(first, end):
            if self._corrected is not None:
                frame = replace(frame, faces=self._corrected.at(frame.number, frame.shot, frame.faces))  # noqa: PLW2901
            yield frame

    def time_of(self, index: int) -> float:
        """Time of a frame in seconds."""
        return next(self._store.frames(index, index + 1)).time_s

    def openings(self, track: int, origin_s: float = 0.0) -> tuple[Floats, Floats]:
        """(seconds after `origin_s`, mouth openings in eye distances) of a track, both (N,) float32."""
        times, openings = self._store.openings(track)
        if self._corrected is not None:
            told = [
                (frame.time_s, mouth_opening(face.landmarks))
                for frame in self.frames()
                for face in frame.faces
                if face.track == track
            ]
            times, openings = np.array(told, dtype=np.float64).reshape(-1, 2).T
        return (times - origin_s).astype(np.float32), openings.astype(np.float32)

    def keep(self, changes: Iterable[tuple[int, int, bool, str]]) -> None:
        """Keep faces or leave them out, given as (frame, track, kept, why), in one transaction."""
        self._store.keep(changes)

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def analyse(path: Path, cache: Path, options: AnalyseOptions | None = None, progress: Progress = silent) -> ClipFaces:
    """The faces of a clip: from the cache where they were found before, else found now.

    A run that was interrupted, killed or cut off from power is gone on with where it was.

    Parameters
    ----------
    path : the clip.
    cache : the cache folder (`shared.store.artefact.cache_folder`); the result lies under ``faces`` in it.

    Raises
    ------
    MediaError : the clip cannot be read.
    WeightsError, InstallError : the finder cannot work.
    LockedError : another run analyses the same clip.
    """
    chosen = options or AnalyseOptions()
    if chosen.finder == "mesh":
        chosen = replace(chosen, device="cpu")  # the mesh runs there anyway: one result, not one for each device
    wanted = fingerprint(clip=path, options=chosen, schema=SCHEMA, revision=REVISION)
    folder = cache / KIND / f"{path.stem[:40]}-{wanted[:16]}"
    found = _stored(folder, path, wanted)
    if found is None:
        make_room(cache)
        with lock(folder):
            found = _stored(folder, path, wanted)
            if found is None:
                throw_away(folder)
                with artefact(folder, KIND, SCHEMA, wanted, force=True, resume=True) as partial:
                    _fill(path, partial / FILE_NAME, chosen, progress)
                found = ClipFaces(folder, path)
    return found


def pick_tracks(faces: ClipFaces, person: PersonChoice, sound: Sound | None = None) -> frozenset[int]:
    """Track numbers of the person asked for, over all shots.

    Parameters
    ----------
    sound : the clip's own sound, needed for ``speaker``.

    Raises
    ------
    NoFaceError : the clip has no face, or not that of the reference.
    UsageError : no such track, or a speaker asked for without sound.
    """
    tracks = faces.tracks
    if not tracks:
        raise NoFaceError(f"{faces.clip}: no face was found in it; choose another clip")
    if person == "all":
        return frozenset(track.number for track in tracks)
    if person == "largest":
        weight: dict[int, float] = {}
        for track in tracks:
            weight[track.person] = weight.get(track.person, 0.0) + track.frames * track.size_px
        return _of_person(tracks, max(weight, key=lambda number: weight[number]))
    if person == "speaker":
        if sound is None:
            raise UsageError("--person speaker needs a clip with sound; choose a track number or a reference picture")
        return _of_person(tracks, _speaker(faces, sound))
    if isinstance(person, int):
        if all(track.number != person for track in tracks):
            known = ", ".join(str(track.number) for track in tracks[:20])
            raise UsageError(f"{faces.clip}: no track {person} in it; there are {known}")
        return _of_person(tracks, next(track.person for track in tracks if track.number == person))
    return _like(tracks, (person,) if isinstance(person, Path) else tuple(person))


def track_of(faces: ClipFaces, number: int) -> StoredTrack | None:
    """The track of a clip that has this number, if one has."""
    return next((track for track in faces.tracks if track.number == number), None)


def tracks_of(faces: ClipFaces, person: PersonChoice) -> frozenset[int]:
    """`pick_tracks` with the clip's own sound where the choice needs it and the clip has it; errors as there."""
    from shared.media.sound import load_sound  # noqa: PLC0415 - sound loads only where it is asked for

    needs_sound = person == "speaker" and probe(faces.clip).has_audio
    return pick_tracks(faces, person, load_sound(faces.clip, SPEECH_RATE_HZ) if needs_sound else None)


def embedding_of(paths: Sequence[Path], finder: FaceFinder | None = None) -> Floats:
    """Mean embedding, of length one, of the largest face in each picture (or the first frames of each clip).

    Raises
    ------
    NoFaceError : a file shows no face.
    """
    finder = finder or make_finder("mesh")
    embedder = Embedder()
    total = np.zeros(128, np.float32)
    for path in paths:
        with open_clip(path) as clip:
            for frame in clip.frames():
                found = finder.find(frame)
                if found:
                    total += embedder.embed(frame, found[0])
                    break
                if frame.index >= REFERENCE_FRAMES:
                    raise NoFaceError(f"{path}: shows no face; give a picture of the person from the front")
            else:
                raise NoFaceError(f"{path}: shows no face; give a picture of the person from the front")
    return unit(total)


def _stored(folder: Path, clip: Path, wanted: Fingerprint) -> ClipFaces | None:
    """The faces that an earlier run found; None where there are none, or damaged ones."""
    try:
        if not is_current(folder, KIND, wanted, SCHEMA):
            return None
        check_base(folder / FILE_NAME)
    except ArtefactError:
        return None
    mark_used(folder)
    return ClipFaces(folder, clip)


def _fill(path: Path, file: Path, options: AnalyseOptions, progress: Progress) -> None:
    fill(path, file, _finder(options), options.track, progress)


def _finder(options: AnalyseOptions) -> FaceFinder:
    if options.finder == "mesh" and options.blendshapes:
        from shared.face.mesh import MeshFinder, MeshOptions  # noqa: PLC0415 - as in make_finder

        return MeshFinder(MeshOptions(blendshapes=True))
    return make_finder(options.finder, options.device)


def _of_person(tracks: Sequence[StoredTrack], person: int) -> frozenset[int]:
    return frozenset(track.number for track in tracks if track.person == person)


def _like(tracks: Sequence[StoredTrack], references: Sequence[Path]) -> frozenset[int]:
    wanted = embedding_of(references)
    likeness = {track.number: cosine(track.embedding, wanted) for track in tracks}
    people = {track.person for track in tracks if likeness[track.number] >= THRESHOLD}
    if not people:
        raise NoFaceError(
            f"{references[0]}: this person is not in the clip (nearest likeness {max(likeness.values()):.2f}, "
            f"{THRESHOLD} needed); give other pictures or a track number"
        )
    return frozenset(track.number for track in tracks if track.person in people)


def _speaker(faces: ClipFaces, sound: Sound) -> int:
    from shared.media.sound import voiced_spans  # noqa: PLC0415 - voice activity loads only where it is asked for

    voiced, energy, origin_s = voiced_spans(sound), energy_of(sound), float(clip_origin(faces.clip))
    evidence: dict[int, float] = {}
    for track in faces.tracks:
        times, openings = faces.openings(track.number, origin_s)
        found = speaking(times, openings, voiced, sound, energy)
        evidence[track.person] = evidence.get(track.person, 0.0) + found
    if max(evidence.values()) <= 0.0:
        heard = "nobody's mouth moves with the voice" if voiced else "no voice is heard"
        raise NoFaceError(f"{faces.clip}: {heard} in it; choose a track number or a reference picture for --person")
    return max(evidence, key=lambda number: evidence[number])
