"""Clips and pictures to a face set: who, which frames, which faces are good enough, cut and written as pictures.

Nothing is decided while decoding: tracks, poses and sharpness come from the sealed analysis of each clip, one more pass
cuts the faces that may stay, and what spoils or repeats is found by looking at all of them together. Pictures that are
cut stay where a run is interrupted, so that the next one goes on inside the clip.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from faceswap.cover import reach
from faceswap.curate import ASIDE_REASONS, judged, measured, thinned_alike
from faceswap.footage import digest_of
from faceswap.join import as_before, take_over
from faceswap.options import ExtractOptions
from faceswap.rows import (
    ASIDE,
    KIND,
    PICTURES,
    SCHEMA,
    ClipRow,
    FaceRow,
    evenly,
    identity_of,
    read_clips,
    write_rows,
)
from faceswap.sheets import draw_sheets
from faceswap.shelf import faces_in
from faceswap.survey import CROP_REVISION, Survey, cut, shared_out, survey, thinned
from faceswap.who import People, divided, slipped_tracks, tell_apart
from shared.errors import NoFaceError, UsageError
from shared.face.analyse import REVISION
from shared.face.identity import unit
from shared.progress import Progress, silent
from shared.store.artefact import Fingerprint, artefact, fingerprint, is_current, lock, open_artefact
from shared.store.corrections import corrections_part
from shared.types import JsonObject

LOOKED_AT: Final = 4
"""So many times the faces that a set may hold are looked at; more of a long clip are thinned beforehand."""
ASIDE_MOST: Final = 60
"""Of each clip so many faces that are dropped unseen, for one reason, are cut and kept aside as examples."""


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
    people: tuple[int, ...] = ()
    """How many faces of each person were found in the clips, the most seen first."""
    rows: tuple[FaceRow, ...] = field(default=(), repr=False)
    """Every face considered, where a rehearsal was asked for."""


def extract(
    clips: Sequence[Path],
    folder: Path,
    options: ExtractOptions | None = None,
    progress: Progress = silent,
    force: bool = False,
) -> ExtractReport:
    """Make a face set of one person from clips and folders of pictures.

    Raises
    ------
    NoFaceError
        If they show too few usable faces, with what was wrong with them.
    MediaError
        If one cannot be read.
    ArtefactError
        If `folder` was made otherwise and `force` is off.
    """
    chosen = options or ExtractOptions()
    wanted = _fingerprint(clips, chosen)
    if is_current(folder, KIND, wanted, SCHEMA) and not force:
        return _report(folder, open_artefact(folder, KIND, SCHEMA).details, reused=True)
    details: JsonObject = {}
    with lock(folder), artefact(folder, KIND, SCHEMA, wanted, force, resume=True, details=details) as partial:
        details |= _fill(clips, partial, chosen, progress)[0]
    return _report(folder, details, reused=False)


def append(
    clips: Sequence[Path], folder: Path, options: ExtractOptions | None = None, progress: Progress = silent
) -> ExtractReport:
    """Add the same person's faces of further clips to a face set; what is in it stays as it is.

    Clips that are in the set already are passed over. Errors as of `extract`.
    """
    chosen = options or ExtractOptions()
    with lock(folder):
        made = open_artefact(folder, KIND, SCHEMA)
        known = {clip.digest for clip in read_clips(folder)}
        added = [clip for clip in clips if digest_of(clip) not in known]
        if not added:
            return _report(folder, made.details, reused=True)
        _check_same_kind(folder, made.details, chosen)
        wanted = _fingerprint(added, chosen, before=made.fingerprint)
        details: JsonObject = {}
        with artefact(folder, KIND, SCHEMA, wanted, force=True, resume=True, details=details) as partial:
            details |= _fill(added, partial, chosen, progress, before=folder)[0]
    return _report(folder, details, reused=False)


def rehearse(
    clips: Sequence[Path],
    folder: Path,
    options: ExtractOptions | None = None,
    progress: Progress = silent,
    adding: bool = False,
) -> ExtractReport:
    """Do what `extract` (or `append`, where `adding`) would, keep nothing, and report every face with its reason."""
    chosen = options or ExtractOptions()
    with tempfile.TemporaryDirectory(prefix="lipswap-") as place:
        details, rows = _fill(clips, Path(place), chosen, progress, before=folder if adding else None)
    return replace(_report(folder, details, reused=False), rows=tuple(rows))


def _fill(
    clips: Sequence[Path], partial: Path, options: ExtractOptions, progress: Progress, before: Path | None = None
) -> tuple[JsonObject, list[FaceRow]]:
    """Fill the folder of a face set; what its manifest says, and all its rows."""
    old = [] if before is None else faces_in(before)
    old_clips = [] if before is None else read_clips(before)
    pictures = partial / PICTURES
    pictures.mkdir(exist_ok=True)
    start = max([clip.number for clip in old_clips] + [row.clip for row in old], default=-1) + 1
    surveys = [survey(clip, start + number, options, progress) for number, clip in enumerate(clips)]
    if before is not None:
        take_over(before, partial, frozenset(row.name for one in surveys for row in one.rows))
    people = _people(surveys, options, before, old)
    mixed = frozenset((one.clip.number, track) for one in surveys for track in one.mixed)
    unseen, seen = _divide(surveys, people, options)
    for path, one in zip(clips, surveys, strict=True):
        number = one.clip.number
        cut(path, [row for row in (*seen, *_examples(unseen, number)) if row.clip == number], pictures,
            options.crop_px, progress)  # fmt: skip
    looked, textures = measured(seen, pictures, mixed, progress)
    if slipped_tracks(looked) - mixed:
        surveys = divided(surveys, looked)
        people = _people(surveys, options, before, old)
        mixed = frozenset((one.clip.number, track) for one in surveys for track in one.mixed)
    fixed = frozenset(row.name for row in old)
    rows = judged([*old, *unseen, *looked], textures, people, mixed, options, fixed)
    rows = thinned_alike(rows, options, fixed)
    rows.sort(key=lambda row: (row.clip, row.frame, row.track))
    kept = [row for row in rows if row.kept]
    if not [row for row in kept if row.name not in fixed]:
        shutil.rmtree(partial, ignore_errors=True)
        raise NoFaceError(_none_left(clips, Counter(row.why for row in rows if row.name not in fixed)))
    _finish(partial, rows, [*old_clips, *(one.clip for one in surveys)])
    return _details(rows, [*old_clips, *(one.clip for one in surveys)], options, people), rows


def _people(surveys: Sequence[Survey], options: ExtractOptions, before: Path | None, old: Sequence[FaceRow]) -> People:
    if before is None:
        return tell_apart(surveys, options)
    return as_before(tell_apart(surveys, options, np.array(identity_of(before), dtype=np.float32)), old)


def _divide(surveys: Sequence[Survey], people: People, options: ExtractOptions) -> tuple[list[FaceRow], list[FaceRow]]:
    """Rows that nobody need look at, and those to be cut and looked at.

    Looked at are the tracks of the set's people, and those that share a shot with them.
    """
    wanted = [
        [replace(row, kept=False, why="stranger", person=people.of.get((row.clip, row.track), -1))
         if row.kept and not _in_question(row, one, people) else row
         for row in one.rows]
        for one in surveys
    ]  # fmt: skip
    room = shared_out([sum(row.kept for row in rows) for rows in wanted], LOOKED_AT * options.most)
    divided = [row for rows, most in zip(wanted, room, strict=True) for row in thinned(rows, most)]
    return [row for row in divided if not row.kept], [row for row in divided if row.kept]


def _in_question(row: FaceRow, one: Survey, people: People) -> bool:
    return row.track in one.mixed or people.of.get((row.clip, row.track), -1) in people.wanted


def _examples(rows: Sequence[FaceRow], clip: int) -> list[FaceRow]:
    """Some of the rows of a clip that were dropped unseen, for a person to look at."""
    found: list[FaceRow] = []
    for reason in ASIDE_REASONS:
        those = [row for row in rows if row.clip == clip and row.why == reason]
        found += evenly(those, ASIDE_MOST)
    return found


def _finish(partial: Path, rows: Sequence[FaceRow], clips: Sequence[ClipRow]) -> None:
    """Put each picture where its row says, and draw the sheets."""
    for row in rows:
        picture = partial / PICTURES / row.name
        if not row.kept and picture.is_file():
            if row.why in ASIDE_REASONS:
                (partial / ASIDE / row.why).mkdir(parents=True, exist_ok=True)
                picture.replace(partial / ASIDE / row.why / row.name)
            else:
                picture.unlink()
    write_rows(partial, rows, clips)
    draw_sheets(partial, rows)


def _details(rows: Sequence[FaceRow], clips: Sequence[ClipRow], options: ExtractOptions, people: People) -> JsonObject:
    kept = [row for row in rows if row.kept]
    known = [row.embedding for row in kept if row.embedding is not None]
    mean = unit(np.sum(known, axis=0)) if known else people.identities[sorted(people.wanted)].mean(axis=0)
    seen = Counter(row.person for row in rows if row.person >= 0)
    return {
        "faces": len(kept),
        "frames": sum(clip.frames for clip in clips),
        "with_face": sum(clip.with_face for clip in clips),
        "damaged": sum(clip.damaged for clip in clips),
        "dropped": dict(Counter(row.why for row in rows if not row.kept).most_common()),
        "clips": [Path(clip.path).name for clip in clips],
        "crop_px": options.crop_px,
        "finder": options.finder,
        "centring": options.centring,
        "people": [seen[person] for person in range(max(seen, default=-1) + 1)],
        "reach": reach(rows),
        "embedding": [round(float(v), 6) for v in mean],
    }


def _fingerprint(clips: Sequence[Path], options: ExtractOptions, before: str = "") -> Fingerprint:
    parts: dict[str, object] = {**corrections_part(clips)}
    person = options.person
    whom = [digest_of(one) for one in _paths(person)] if isinstance(person, Path | tuple) else person
    parts |= {
        "revision": f"{REVISION}.{CROP_REVISION}",
        "person": whom,
        "not_person": [digest_of(one) for one in options.not_person],
    }
    plain = replace(options, person="largest", not_person=())
    return fingerprint(clips=[digest_of(clip) for clip in clips], options=plain, schema=SCHEMA, before=before, **parts)


def _paths(person: Path | tuple[Path, ...]) -> tuple[Path, ...]:
    return (person,) if isinstance(person, Path) else person


def _check_same_kind(folder: Path, details: JsonObject, options: ExtractOptions) -> None:
    size, centring, finder = (details.get(*told) for told in (("crop_px",), ("centring", "face"), ("finder", "mesh")))
    if size != options.crop_px:
        raise UsageError(f"{folder}: its pictures are {size} px wide; add to it with --crop-px {size}")
    if centring != options.centring:
        raise UsageError(f"{folder}: is centred on the {centring}; add to it with that --centring")
    if finder != options.finder:
        raise UsageError(f"{folder}: its faces were found by {finder}; add to it with --finder {finder}")


def _none_left(clips: Sequence[Path], dropped: Counter[str]) -> str:
    del dropped[""]
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
        people=tuple(details.get("people", ())),
    )
