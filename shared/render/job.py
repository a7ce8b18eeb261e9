"""What to do, as values: a job names files and options, and says which of them do not go together."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from shared.errors import MediaError, UsageError, from_os_error
from shared.media.layers import check_layers, is_clip
from shared.media.numbered import check_own
from shared.media.options import EncodeOptions
from shared.media.sequence import check_sequence, is_sequence, place_of
from shared.provenance.consent import Consent
from shared.render.options import RETIME, RetimeChoice

if TYPE_CHECKING:  # it brings OpenCV, which a job can do without
    from shared.face.detect import FinderName

Engine: TypeAlias = Literal["swap", "sync"]
PersonChoice: TypeAlias = Literal["largest", "all", "speaker"] | int | Path
"""The largest face, everybody, who speaks, a track number, or who a picture shows."""
WORDS: dict[str, Literal["largest", "all", "speaker"]] = {"largest": "largest", "all": "all", "speaker": "speaker"}
CONTAINERS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi")
LONGEST_NAME = 200
"""Bytes of an output's name: file systems end at 255, and what lies hidden beside it has longer names."""
ORDER: tuple[Engine, ...] = ("sync", "swap")
"""The mouth is re-synced with the person's own textures first; then the face, with its new mouth, is swapped."""

MADE_OF = ("model", "voice", "speech", "driver", "mouth")
"""Options of the engines that name what they read."""


@dataclass(frozen=True, slots=True)
class StageRequest:
    """One engine and its own options (a frozen dataclass of that engine)."""

    engine: Engine
    options: object


@dataclass(frozen=True, slots=True)
class RenderJob:
    """One clip to be changed."""

    clip: Path
    output: Path
    consent: Consent
    stages: tuple[StageRequest, ...] = ()
    speech: Path | None = None
    """Replaces the sound of the output; None keeps the clip's own, untouched."""
    inputs: tuple[Path, ...] = ()
    """Further files that went into it (the clip a face is from, footage): named in the signature."""
    person: PersonChoice = "largest"
    finder: FinderName = "mesh"
    """Who finds the faces."""
    device: str = "auto"
    """``auto``, ``cpu`` or ``cuda``."""
    encode: EncodeOptions = field(default_factory=EncodeOptions)
    seed: int = 0
    force: bool = False
    """Replace an output that was made otherwise."""
    layers: Path | None = None
    """A ``.mov`` or folder for what is laid over the clip, with its matte."""
    retime: RetimeChoice = RETIME
    """Whether the clip's frames are chosen anew for the speech: ``auto`` unless something speaks against it
    (`shared.render.retiming`)."""

    @property
    def outputs(self) -> tuple[Path, ...]:
        """All that is written."""
        return (self.output,) if self.layers is None else (self.output, self.layers)

    @property
    def may_be_retimed(self) -> bool:
        """Whether there is a speech to choose the clip's frames for, and nobody forbids it."""
        return self.retime != "off" and self.speech is not None and any(one.engine == "sync" for one in self.stages)


@dataclass(frozen=True, slots=True)
class Wish:
    """A job of which models may still be missing; `shared.render.prepare.complete` makes them."""

    job: RenderJob
    model: Path | None = None
    face_from: Path | None = None
    voice: Path | None = None
    speech: Path | None = None
    driver: Path | None = None
    """Whose face moves the mouth, instead of the speech."""
    swap_direction: bool = False
    """Swap with the other decoder: the model's second person becomes the first."""
    train_minutes: float = 20.0
    """Longest time for training a missing model."""


def parse_person(text: str) -> PersonChoice:
    """Read ``--person``.

    Raises
    ------
    UsageError
        It is no word, no number and no file.
    """
    word = WORDS.get(text)
    if word is not None:
        return word
    if text.isdecimal():
        return int(text)
    path = Path(text)
    try:
        if path.is_file():
            return path
    except OSError as error:
        raise from_os_error(error, f"--person {text[:40]}...", "looking for the picture") from error
    raise UsageError(f"--person {text}: say largest, all, speaker, a track number, or an existing picture")


def ordered(job: RenderJob) -> RenderJob:
    """Put the stages in the order in which they must run."""
    return replace(job, stages=tuple(sorted(job.stages, key=lambda stage: ORDER.index(stage.engine))))


def check_job(job: RenderJob) -> None:
    """Refuse what cannot work, before anything is computed.

    Raises
    ------
    UsageError
        No engine, one twice, the output is an input, or of an unknown container.
    MediaError
        An input or the output's folder is missing.
    """
    engines = [stage.engine for stage in job.stages]
    if not engines:
        raise UsageError("nothing to do: give --model or --face-from to swap, --speech, --driver or --voice to re-sync")
    if len(set(engines)) != len(engines):
        raise UsageError(f"each engine runs once in a render, got {', '.join(engines)}")
    check_retime(job, job.speech is not None and "sync" in engines)
    check_paths(job.output, (job.clip, *job.inputs, *((job.speech,) if job.speech else ())))
    check_layers_path(job)


def check_retime(job: RenderJob, is_spoken: bool) -> None:
    """Refuse to retime a clip to no speech.

    Raises
    ------
    UsageError
        It was asked for, and the mouth is not re-synced to a sound that becomes the output's.
    """
    if job.retime == "on" and not is_spoken:
        raise UsageError("--retime on fits a clip to the speech that its mouth is re-synced to; give --speech")


def check_paths(output: Path, inputs: tuple[Path, ...], artefacts: tuple[Path, ...] = ()) -> None:
    """Check the output's name and folder, that inputs are files and artefacts there, and that the output is none."""
    if is_sequence(output):
        check_sequence(output)
    elif output.suffix.lower() not in CONTAINERS:
        raise UsageError(
            f"{output}: the output's name must end in one of {' '.join(CONTAINERS)}, or be FOLDER/%06d.png for pictures"
        )
    elif output.is_dir():
        raise UsageError(f"{output}: is a folder; give the name of a file")
    output = place_of(output)
    if len(os.fsencode(output.name)) > LONGEST_NAME:
        raise UsageError(f"{output}: the output's name is too long; take at most {LONGEST_NAME} bytes")
    for path in (*inputs, *artefacts):
        try:
            there = path.stat()
        except OSError as error:
            raise from_os_error(error, path, "looking for it") from error
        if path in inputs and not stat.S_ISREG(there.st_mode):
            raise MediaError(f"{path}: is not a file; give a clip or a sound file")
        if _same(output, path):
            raise UsageError(f"{output}: the output is also an input; choose another name")
    if not output.absolute().parent.is_dir():
        raise MediaError(f"{output.absolute().parent}: no such folder for the output; make it first")


def check_layers_path(job: RenderJob, others: Sequence[Path] = ()) -> None:
    """Refuse layers of another kind, without a folder to lie in, or where they and another file would meet.

    Parameters
    ----------
    others : inputs and models that the job does not name itself.
    """
    if job.layers is None:
        return
    check_layers(job.layers)
    place = place_of(job.layers)
    if not place.absolute().parent.is_dir():
        raise MediaError(f"{place.absolute().parent}: no such folder for the layers; make it first")
    if is_sequence(job.layers):
        check_sequence(job.layers)
    elif not is_clip(job.layers):
        check_own(place)
    told = [getattr(stage.options, name, None) for stage in job.stages for name in MADE_OF]
    for other in (place_of(job.output), job.clip, job.speech, *job.inputs, *told, *others):
        if other is not None and _meet(place, other):
            raise UsageError(f"{job.layers}: the layers and {other} would lie in one another; choose another place")


def _same(path: Path, other: Path) -> bool:
    return path.resolve() == other.resolve() or (path.exists() and other.exists() and path.samefile(other))


def _meet(path: Path, other: Path) -> bool:
    """Whether two places are the same, or one lies in the other."""
    one, two = path.resolve(), other.resolve()
    return _same(path, other) or one in two.parents or two in one.parents
