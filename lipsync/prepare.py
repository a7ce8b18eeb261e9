"""Footage to a voice: gather, cut out, fit, seal."""

from __future__ import annotations

import itertools
import math
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lipsync import offset, roles
from lipsync.closure import lips_from
from lipsync.index import ClipMouths, examples_of, gather, rest_shape, speech_s
from lipsync.learn import LEARNING, Fit, LearnOptions, fit, longer_for
from lipsync.mouth import COEFFICIENTS, LAYOUTS, LIP_POINTS, LIPS, MouthSpace, fit_basis
from lipsync.options import OffsetChoice, VoiceOptions
from lipsync.plane import TexturePlane, plane_for
from lipsync.proxies import find_teeth
from lipsync.strangers import strangers_of
from lipsync.teeth import save_teeth
from lipsync.textures import usable_rows, write_textures
from lipsync.told import bearing_of, closure_of, told_of
from lipsync.voice import KIND, SCHEMA, TEXTURES, Pool, map_rows, save_mouths, save_net
from shared.errors import NoFaceError, UsageError
from shared.face.detect import FinderName
from shared.progress import Progress, silent
from shared.store.artefact import artefact, cache_folder, fingerprint, is_current, lock, open_artefact
from shared.store.cache import PREPARED
from shared.store.corrections import corrections_part
from shared.types import JsonObject

LEAST_SPEECH_S = 1.0
"""Speech below which no mouth can be learned; one GRID sentence has about 1.7 s."""
NAME = "voice"
TO_MM = 10.0 * math.sqrt(COEFFICIENTS / len(LIP_POINTS))
"""From the root mean square of the coefficients, centimetres, to that of a lip point's distance, millimetres."""
PATIENCE = 1000
"""For a voice that is made on the way to a render: on minutes of speech the error has long been rising by then."""
TELL_EVERY = 5
"""Validations between two lines of the curve."""


def make_voice(
    footage: Sequence[Path],
    folder: Path,
    device: str = "auto",  # noqa: ARG001 - the signature that both engines share; nets this small are fastest on the CPU
    progress: Progress = silent,
    seed: int = 0,
    finder: FinderName = "mesh",
) -> Path:
    """Learn a voice into ``folder/voice``, in no more time than it needs; what `shared.render.prepare` calls."""
    made = folder / NAME
    learn_voice(footage, made, VoiceOptions(finder=finder, patience=PATIENCE, seed=seed), progress=progress)
    return made


def learn_voice(
    footage: Sequence[Path],
    output: Path,
    options: VoiceOptions,
    *,
    force: bool = False,
    progress: Progress = silent,
    tell: Callable[[str], None] | None = None,
    gathered: Sequence[ClipMouths] | None = None,
) -> tuple[JsonObject, bool]:
    """Learn how a person's mouth moves to speech, and keep the mouths.

    Parameters
    ----------
    footage : clips of one speaker, >= 1, some with their own sound.
    tell : hears what the clips serve as, and the held-out error while the network is fitted.
    gathered : what `gather` found in the footage, where that is known already, with the recipe's features.

    Returns
    -------
    facts : counts and held-out errors, as stored in the manifest.
    reused : whether the voice was there already, made from the same footage and options.

    Raises
    ------
    NoFaceError
        No face in the footage, or no speech with a face to learn from.
    UsageError
        Roles that do not fit the footage; or the paper's network is asked to be live, which it is.
    """
    if options.live and options.recipe != "default":
        raise UsageError(
            "--live makes the default network follow a stream; the paper's does as it is, 0.2 s late: leave --live out"
        )
    given = roles.given_roles(footage, options.roles)
    parts = corrections_part(footage) | roles.roles_part(footage, given)
    wanted = fingerprint(footage=list(footage), options=replace(options, roles=()), schema=SCHEMA, **parts)
    with lock(output):
        if not force and is_current(output, KIND, wanted, SCHEMA):
            return open_artefact(output, KIND, SCHEMA).details, True
        facts: JsonObject = {}
        kept = _training_folder(wanted, options)
        with artefact(output, KIND, SCHEMA, wanted, force, details=facts) as partial:
            facts.update(_learn(footage, gathered, partial, options, kept, progress, tell or (lambda _: None)))
        shutil.rmtree(kept, ignore_errors=True)
        return facts, False


def _learn(
    footage: Sequence[Path],
    gathered: Sequence[ClipMouths] | None,
    partial: Path,
    options: VoiceOptions,
    kept: Path,
    progress: Progress,
    tell: Callable[[str], None],
) -> JsonObject:
    counts: Counter[str] = Counter()
    if gathered is None:
        clips = gather(footage, cache_folder(), options.person, counts, progress, options.finder, options.recipe)
    else:
        clips, counts["frames"] = list(gathered), sum(len(clip.indices) for clip in gathered)
    servings = roles.decide(clips, roles.given_roles(footage, options.roles), options, progress)
    for line in roles.lines_of(servings, clips):
        tell(line)
    clips, offsets = _in_sync(roles.muted(clips, [serving.roles for serving in servings]), options.offset, tell)
    heard = speech_s(clips)
    if heard < LEAST_SPEECH_S:
        raise NoFaceError(
            f"{footage[0]}: no learnable speech: {heard:.1f} s of speech with a face, {LEAST_SPEECH_S:g} s needed; "
            "give footage in which the person speaks and is seen"
        )
    space = _space(roles.with_role("shapes", clips, servings), options)
    pictured = roles.with_role("textures", clips, servings)
    plane = plane_for(np.array([face.pose.scale for clip in pictured for face in clip.faces], dtype=np.float32))
    pool = write_textures(pictured, plane, options, partial / TEXTURES, counts, progress)
    teeth = _keep_teeth(partial, pool, plane, progress)
    examples = examples_of(clips, space.basis)
    learning = longer_for(heard, _learning(options)) if options.updates is None else _learning(options)
    lips = lips_from(space.basis, space.rest)
    found = fit(examples, learning, progress, _watch(tell), lips, kept)
    spread_ms = 1000.0 * float(np.std(found.late_s))
    if spread_ms > 0.0:
        tell(f"the clips' sounds came {spread_ms:.0f} ms (standard deviation) before or after the usual; taken out")
    told = told_of(found, clips, examples)
    bearing = None if options.recipe == "paper" else bearing_of(told, space.basis, lips)
    sounds = [example.features for example in examples]
    strangers = strangers_of(found.net, [one.example for one in told], [one.made for one in told], sounds)
    save_mouths(partial, pool, space, closure_of(told, space.basis), plane, bearing, strangers)
    facts = (
        {"recipe": options.recipe}
        | _facts(found, heard, counts)
        | {
            "jitter_ms": round(spread_ms, 1),
            "textures": int(pool.rows.shape[0]),
            "teeth": teeth,
            "bearing": bearing is not None,
            "tract": None if strangers is None else round(strangers.tract, 3),
            "clips": len(clips),
            "offsets": offsets,
        }
        | {"roles": roles.facts_of(servings, clips)}
    )
    save_net(partial, found.net, found.best[0], facts)
    return facts


def _space(clips: Sequence[ClipMouths], options: VoiceOptions) -> MouthSpace:
    """The mouth shapes of the clips that tell them, by the frames that show the mouth well."""
    chosen = usable_rows(clips, options, Counter())
    mouths = np.concatenate([clip.mouths[rows] for clip, rows in zip(clips, chosen, strict=True)])
    if mouths.shape[0] == 0:
        raise NoFaceError(f"{clips[0].path}: no frame of the footage shows the face well enough to take a mouth from")
    basis = fit_basis(mouths, LAYOUTS[options.recipe])
    return MouthSpace(mouths[:, :LIPS], basis, rest_shape(clips, basis))


def _keep_teeth(partial: Path, pool: Pool, plane: TexturePlane, progress: Progress) -> list[str]:
    """Find the speaker's teeth in the textures and keep them; which rows were seen well enough."""
    teeth = find_teeth(map_rows(partial / TEXTURES), pool, plane, progress)
    if teeth is None:
        return []
    save_teeth(partial, teeth)
    return [proxy.row for proxy in teeth.proxies]


def _learning(options: VoiceOptions) -> LearnOptions:
    usual = LEARNING[options.recipe]
    updates = options.updates or usual.updates
    return replace(
        usual,
        phones=options.phones,
        live=options.live,
        updates=updates,
        patience=options.patience,
        seed=options.seed,
    )


def _training_folder(wanted: str, options: VoiceOptions) -> Path:
    """Where the training of a voice is kept until it is done; the cache's own housekeeping knows it by its name."""
    finger = fingerprint(voice=str(wanted), learning=_learning(options))
    return cache_folder() / PREPARED / f".voice-training.{finger[:16]}.partial"


def _in_sync(
    clips: Sequence[ClipMouths], wanted: OffsetChoice, tell: Callable[[str], None]
) -> tuple[list[ClipMouths], list[JsonObject]]:
    """The clips on the clock of their sound, and what was found of their offsets."""
    moved, found = offset.aligned(clips, wanted)
    facts = offset.facts_of(found, clips)
    for line in offset.lines_of(facts):
        tell(line)
    return moved, facts


def _watch(tell: Callable[[str], None]) -> Callable[[int, float, float], None]:
    looks = itertools.count(1)

    def watch(update: int, error: float, best: float) -> None:
        if next(looks) % TELL_EVERY == 0 and np.isfinite(error):
            tell(f"update {update}: held-out lip error {error * TO_MM:.2f} mm, best so far {best * TO_MM:.2f} mm")

    return watch


def _facts(found: Fit, heard: float, counts: Counter[str]) -> JsonObject:
    curve = [[update, round(error * TO_MM, 3)] for update, error in found.curve if np.isfinite(error)]
    return {
        "speech_s": round(heard, 2),
        "frames": dict(counts),
        "best_update": found.best[0],
        "held_out_error_mm": round(found.best[1] * TO_MM, 3) if curve else None,
        "mean_mouth_error_mm": round(found.mean_mouth * TO_MM, 3) if curve else None,
        "curve_mm": curve,
    }
