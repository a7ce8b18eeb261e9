"""Make what a wish lacks: a model from two clips, a voice from the clip's own speech; kept in the cache and reused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from shared.errors import ArtefactError, LipswapError, MediaError, NoFaceError, UsageError, WeightsError
from shared.face.analyse import SPEECH_RATE_HZ, ClipFaces, pick_tracks
from shared.face.detect import FinderName
from shared.media.reader import probe
from shared.media.sound import load_sound, voiced_spans
from shared.progress import Progress, silent
from shared.render.check import check_artefact, check_heard, check_soon
from shared.render.job import Engine, RenderJob, StageRequest, Wish, check_layers_path, check_paths, check_retime
from shared.render.once import chosen_tracks, faces_of, quiet
from shared.render.report import check_replaceable
from shared.render.stage import CHECKS, OPTIONS, load
from shared.store.artefact import cache_folder, fingerprint, lock, write_atomically
from shared.store.cache import PREPARED, make_room, mark_used, throw_away
from shared.store.corrections import corrections_part

MAKE_MODEL = "faceswap.prepare:make_model"
MAKE_VOICE = "lipsync.prepare:make_voice"
LEAST_SPEECH_S = 1.0
"""Voiced speech below which no mouth can be learned; one GRID sentence has about 1.7 s."""
DONE = "prepared.json"
EXTRACT_OPTIONS = "faceswap.options:ExtractOptions"
TRAIN_OPTIONS = "faceswap.options:options_for"
MODEL_SCHEMAS = ("faceswap.rows:SCHEMA", "faceswap.model:SCHEMA")
VOICE_OPTIONS = "lipsync.options:VoiceOptions"
VOICE_SCHEMA = "lipsync.voice:SCHEMA"
"""What else decides how a model or voice turns out: a newer version of this program makes its own."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How what is missing is made."""

    device: str = "auto"
    seed: int = 0
    finder: FinderName = "mesh"


def complete(wish: Wish, progress: Progress = silent, say: Callable[[str], None] = quiet) -> RenderJob:
    """Make what is missing and return a job whose stages are all there.

    Raises
    ------
    UsageError
        Nothing was wished, things that exclude each other, or a person of whom nothing can be learned here.
    NoFaceError
        The target has no face, or no speech that a voice could be learned from.
    """
    job = wish.job
    _check(wish)
    with faces_of(job, progress) as faces:
        _check_person(wish, faces)
    stages = list(job.stages)
    inputs = list(job.inputs)
    speech = job.speech
    settings = Settings(job.device, job.seed, job.finder)
    if wish.speech or wish.voice or wish.driver:
        voice = wish.voice or make_voice(job.clip, settings, progress, say)
        if wish.voice is None:
            progress = _keeping(voice.parent, progress)
        # A voice alone re-syncs the mouth to the clip's own sound.
        spoken = wish.speech if wish.driver else wish.speech or job.clip
        stages.append(StageRequest("sync", load(OPTIONS["sync"])(voice=voice, speech=spoken, driver=wish.driver)))
        speech = sound_of(wish.speech, wish.driver) or speech
        inputs += [wish.driver] if wish.driver else []
    if wish.model or wish.face_from:
        model = wish.model
        if model is None and wish.face_from is not None:
            model = make_model(job.clip, wish.face_from, wish.train_minutes, settings, progress, say)
            inputs.append(wish.face_from)
        stages.append(StageRequest("swap", load(OPTIONS["swap"])(model=model, swap_direction=wish.swap_direction)))
    return replace(job, stages=tuple(stages), speech=speech, inputs=tuple(inputs))


def sound_of(speech: Path | None, driver: Path | None) -> Path | None:
    """What becomes the sound of an output: the speech, else that of a driver's video; None for the clip's own."""
    if speech is not None or driver is None:
        return speech
    return driver if probe(driver).has_audio else None


def make_model(
    clip: Path,
    face_from: Path,
    minutes: float,
    settings: Settings | None = None,
    progress: Progress = silent,
    say: Callable[[str], None] = quiet,
) -> Path:
    """A model that puts the face of one clip onto another: trained now, or from the cache.

    A model trained for fewer minutes than asked for is trained on; one made by another recipe is left alone.
    """
    chosen = settings or Settings()
    options = load(TRAIN_OPTIONS)("quick", chosen.seed)
    cut = load(EXTRACT_OPTIONS)(finder=chosen.finder)
    recipe = {"extract": cut, "train": options, "schemas": [load(name) for name in MODEL_SCHEMAS]}
    recipe |= corrections_part((clip, face_from))
    folder = _folder("model", fingerprint(clip=clip, face_from=face_from, **recipe))
    with lock(folder):
        made, trained = _prepared(folder, "swap")
        if made is not None and trained >= minutes:
            say(f"no --model given: using the one made before, {made}")
            return made
        say(f"no --model given: training one in {folder}, until it gets no better or for {minutes:g} minutes")
        make_room(cache_folder())
        given = ((clip, face_from), folder, minutes, chosen.device, progress, options, chosen.finder)
        made = _made(folder, "swap", lambda: load(MAKE_MODEL)(*given))
        return _note(folder, made, minutes)


def make_voice(
    clip: Path,
    settings: Settings | None = None,
    progress: Progress = silent,
    say: Callable[[str], None] = quiet,
) -> Path:
    """A voice learned from the clip itself: now, or from the cache.

    Raises
    ------
    NoFaceError
        The clip holds no learnable speech.
    """
    chosen = settings or Settings()
    recipe = {"options": load(VOICE_OPTIONS)(finder=chosen.finder, seed=chosen.seed), "schema": load(VOICE_SCHEMA)}
    folder = _folder("voice", fingerprint(footage=clip, **recipe, **corrections_part([clip])))
    with lock(folder):
        made, _ = _prepared(folder, "sync")
        if made is not None:
            say(f"no --voice given: using the one made before, {made}")
            return made
        check_speech([clip])
        say(f"no --voice given: learning one from the clip itself, in {folder}")
        make_room(cache_folder())
        given = ([clip], folder, chosen.device, progress, chosen.seed, chosen.finder)
        made = _made(folder, "sync", lambda: load(MAKE_VOICE)(*given))
        return _note(folder, made, 0.0)


def check_speech(footage: Sequence[Path]) -> None:
    """Refuse footage without speech to learn from.

    Raises
    ------
    NoFaceError
        Naming the way out.
    """
    seconds = 0.0
    for path in footage:
        if probe(path).has_audio:
            spans = voiced_spans(load_sound(path, SPEECH_RATE_HZ))
            seconds += sum(end - start for start, end in spans)
    if seconds < LEAST_SPEECH_S:
        raise NoFaceError(
            f"{footage[0]}: no learnable speech in it ({seconds:.1f} s, {LEAST_SPEECH_S:g} s needed); give --voice, "
            "made by lipswap learn from footage in which the person speaks"
        )


def _check(wish: Wish) -> None:
    job = wish.job
    if wish.model and wish.face_from:
        raise UsageError("--model and --face-from exclude each other: a model knows its face already")
    if not (wish.model or wish.face_from or wish.voice or wish.speech or wish.driver or job.stages):
        raise UsageError("nothing to do: give --model or --face-from to swap, --speech, --driver or --voice to re-sync")
    if wish.train_minutes <= 0:
        raise UsageError(f"--train-minutes must be more than 0, got {wish.train_minutes:g}")
    speech = sound_of(wish.speech, wish.driver)
    check_retime(job, speech is not None)
    given = (job.clip, wish.face_from, wish.speech, wish.driver, *job.inputs)
    made = (wish.model, wish.voice)
    check_paths(job.output, tuple(filter(None, given)), tuple(filter(None, made)))
    check_layers_path(job, tuple(filter(None, (*given, *made))))
    check_replaceable(job.output, job.force)
    check_artefact("swap", wish.model)
    check_artefact("sync", wish.voice)
    check_soon(replace(job, speech=speech or job.speech))
    if wish.voice and not (wish.speech or wish.driver):
        check_heard(job.clip)


def _check_person(wish: Wish, faces: ClipFaces) -> None:
    """Refuse to learn from the largest face what is to be laid on another."""
    lacks_voice = (wish.speech is not None or wish.driver is not None) and wish.voice is None
    lacks_model = wish.face_from is not None and wish.model is None
    if not (lacks_voice or lacks_model) or wish.job.person == "largest":
        return
    if not chosen_tracks(wish.job, faces) <= pick_tracks(faces, "largest"):
        ways = ["lipswap learn --person and --voice"] * lacks_voice
        ways += ["lipswap extract --person, lipswap train and --model"] * lacks_model
        raise UsageError(
            f"--person {wish.job.person} is not the largest face in {wish.job.clip}, and what is missing is learned "
            f"from that one; use {'; and '.join(ways)}"
        )


def _folder(kind: str, wanted: str) -> Path:
    folder = cache_folder() / PREPARED / f"{kind}-{wanted[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _prepared(folder: Path, engine: Engine) -> tuple[Path | None, float]:
    """What was made before, if it is still whole, and the minutes given to it; what is damaged goes."""
    note = folder / DONE
    try:
        said = json.loads(note.read_text(encoding="utf-8"))
        made, minutes = folder / said["made"], float(said["minutes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None, 0.0
    if not made.exists():
        return None, 0.0
    try:
        load(CHECKS[engine])(made)
    except (ArtefactError, WeightsError) as error:
        _empty(folder, error)
        return None, 0.0
    mark_used(folder)
    return made, minutes


def _made(folder: Path, engine: Engine, make: Callable[[], Path]) -> Path:
    """What `make` makes; where it stumbles over what an earlier run left damaged in the folder, from the start.

    What was trained so far and still opens is never given up: then the error is not one of damage.
    """
    left = any(folder.iterdir())
    try:
        return make()
    except (ArtefactError, MediaError, WeightsError) as error:
        if str(folder) not in str(error) or not left or _holds_whole(folder, engine):
            raise
        _empty(folder, error)
        return make()


def _holds_whole(folder: Path, engine: Engine) -> bool:
    """Whether anything in the folder is a model or voice that opens."""
    for path in folder.iterdir():
        if path.is_dir():
            with suppress(ArtefactError, WeightsError):
                load(CHECKS[engine])(path)
                return True
    return False


def _keeping(folder: Path, progress: Progress) -> Progress:
    """A progress that notes the use of a folder of the cache, so that no other run makes room of it meanwhile."""

    def note(done: float, total: float, label: str) -> None:
        mark_used(folder)
        progress(done, total, label)

    return note


def _empty(folder: Path, why: LipswapError) -> None:
    throw_away(folder, why)
    folder.mkdir()


def _note(folder: Path, made: Path, minutes: float) -> Path:
    text = json.dumps({"made": str(made.relative_to(folder)), "minutes": minutes})
    write_atomically(folder / DONE, text.encode())
    return made
