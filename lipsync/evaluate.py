"""Self-reenactment: learn from a part of a speaker's footage, re-create clips that were never seen, compare.

Rows of the table: the real video (what figures the real mouth has), the same detected again (the noise of the
measurement), mean mouth and ridge (what any predictor must beat), the retrieval oracle (true shapes in: the limit of
the pool), and each recipe, as `sync` uses it and its network alone. Held-out clips are in no training and in no pool
of candidates. Intervals are over held-out clips, drawn again with replacement; differences are paired.

A held-out clip's own sound may come some tens of milliseconds before or after its mouth (`lipsync.jitter`), which no
predictor can know. That is told by the baseline's network, the last that would favour another recipe, and taken out of
the clip for all rows alike, rendered ones too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import torch

from lipsync.alignment import Marks, read_marks
from lipsync.baselines import by_voice, detected_again, mean_mouth, retrieved, ridge, ridge_model
from lipsync.evaluate_options import BASELINE, EvaluateOptions
from lipsync.features import SAMPLE_RATE_HZ, row_times_s
from lipsync.gauge import Gauge, HeldClip, held_clip
from lipsync.index import ClipMouths, examples_of, gather, heard_again
from lipsync.jitter import late_s
from lipsync.options import RecipeName, RoleRule, VoiceOptions
from lipsync.prepare import learn_voice
from lipsync.recipes import recipe_of
from lipsync.rendered import Renderer
from lipsync.rendered_table import RenderedTable, rendered_table, some_of
from lipsync.roles import ALL, given_roles, muted, rules_of
from lipsync.rows import Row, Table
from lipsync.splits import Split, before, parts_of, seconds_of, split_clips, split_ends, write_before
from lipsync.voice import Voice, open_voice
from shared.errors import UsageError
from shared.media.sound import load_sound
from shared.progress import Progress, silent
from shared.store.artefact import cache_folder
from shared.types import JsonObject

Tell: TypeAlias = Callable[[str], None]
VOICES: Final = "voices"
AGAIN: Final = "again"
CURVES: Final = "curves"
BEGINNINGS: Final = "beginnings"
SUFFIXES: Final = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was found.

    Attributes
    ----------
    learned : facts of each recipe's learning.
    rendered : what was rendered, where it was asked for.
    others : rows on clips of other speakers, each judged by his own mouth.
    """

    rows: tuple[Row, ...]
    clips: tuple[HeldClip, ...]
    names_learned: tuple[str, ...]
    names_shared: tuple[str, ...]
    names_barred: tuple[str, ...]
    learned_s: float
    learned: dict[str, JsonObject]
    rendered: RenderedTable | None = None
    others: tuple[Row, ...] = ()

    def row(self, name: str) -> Row:
        """The row of a name."""
        return next(row for row in self.rows if row.name == name)

    @property
    def last(self) -> Row:
        """The last recipe, of all that was learned."""
        return [row for row in self.rows if row.name == row.recipe][-1]


@dataclass(frozen=True, slots=True)
class _KeptApart:
    """What is learned from and what is measured on.

    Attributes
    ----------
    paths : of all clips, by the numbers in `split`.
    roles : given ones of what is learned from.
    """

    paths: tuple[Path, ...]
    split: Split
    learn: tuple[ClipMouths, ...]
    held: tuple[ClipMouths, ...]
    roles: tuple[RoleRule, ...]

    def names(self, numbers: Sequence[int]) -> tuple[str, ...]:
        """File names of some clips."""
        return tuple(self.paths[number].name for number in numbers)


def evaluate(
    footage: Sequence[Path],
    folder: Path,
    options: EvaluateOptions,
    *,
    force: bool = False,
    progress: Progress = silent,
    tell: Tell | None = None,
) -> Evaluation:
    """Learn, re-create, measure.

    Parameters
    ----------
    footage : clips of one speaker; those with their own sound can be held out.
    folder : where the voices go; a later call with the same footage and options takes them from there.
    force : learn them again.

    Raises
    ------
    UsageError
        Too few clips to hold any out, or roles that do not fit the footage.
    ArtefactError
        The folder holds voices learned otherwise.
    NoFaceError, MediaError
        As of `lipsync.prepare.learn_voice`.
    """
    if not options.recipes:
        raise UsageError("an evaluation needs at least one recipe")
    say = tell or (lambda _: None)
    marks = read_marks(options.align) if options.align is not None else {}
    kept = _kept_apart(footage, folder, marks, options, progress)
    options = replace(options, roles=kept.roles)
    learn = kept.learn
    say(f"learning from {len(learn)} clips, measuring on {len(kept.held)}")
    heard = {recipe: heard_again(learn, recipe, progress) for recipe in options.recipes}
    voices, facts = _voices(heard, folder / VOICES, options, force, progress, tell)
    held = _timed(kept, voices.get(BASELINE) or next(iter(voices.values())), marks, options)
    faces = np.concatenate([clip.points for clip in learn])
    table = Table(Gauge(faces.mean(axis=0).astype(np.float32)), ridge_model(learn), held, options.seed)
    _fill(table, voices, learn, folder / AGAIN, options, progress)
    for part in parts_of(learn, options.minutes, options.seed):
        minutes = seconds_of(part) / 60
        say(f"learning from {minutes:.1f} minutes")
        place = folder / f"{VOICES}-{minutes:.1f}-minutes"
        chosen = {clip.path for clip in part}
        some = {recipe: [clip for clip in clips if clip.path in chosen] for recipe, clips in heard.items()}
        fewer, _ = _voices(some, place, options, force, progress, tell)
        for name, voice in fewer.items():
            table.predict(f"{name}, {minutes:.1f} min", "less footage", by_voice(voice), name, minutes)
    table.compare(BASELINE)
    return Evaluation(
        rows=tuple(table.rows),
        clips=held,
        names_learned=kept.names(kept.split.learn),
        names_shared=kept.names(kept.split.shared),
        names_barred=kept.names(kept.split.barred),
        learned_s=seconds_of(learn),
        learned=facts,
        rendered=_rendered(held, voices, table.gauge, folder / CURVES, options, progress) if options.render else None,
        others=_others(table, voices, marks, options, progress) if options.others is not None else (),
    )


def _kept_apart(
    footage: Sequence[Path], folder: Path, marks: dict[str, Marks], options: EvaluateOptions, progress: Progress
) -> _KeptApart:
    """Look at all clips, and split them."""
    paths = list(dict.fromkeys([*footage, *_clips_in(options.also)]))  # the same clip must not be on both sides
    given = given_roles(paths, options.roles)
    clips = gather(paths, cache_folder(), options.person, Counter(), progress, options.finder, recipe="paper")
    serves = [given.get(clip.path, ALL) for clip in clips]
    may_be_held = [clip.path in footage and "sound" in roles for clip, roles in zip(clips, serves, strict=True)]
    split = _split(clips, may_be_held, marks, options)
    held = tuple(clips[number] for number in split.held)
    learn = [_learned(clips[number], split.cut_s.get(number), folder / BEGINNINGS) for number in split.learn]
    learn = muted(learn, [serves[number] for number in split.learn])
    names = zip(learn, (clips[number].path for number in split.learn), strict=True)  # a beginning has its own
    roles = rules_of({clip.path: given[path] for clip, path in names if path in given})
    return _KeptApart(tuple(clip.path for clip in clips), split, tuple(learn), held, roles)


def _timed(kept: _KeptApart, clock: Voice, marks: dict[str, Marks], options: EvaluateOptions) -> tuple[HeldClip, ...]:
    """The held-out clips on the clock of their sounds, as a voice tells it."""
    held = []
    for number, clip in zip(kept.split.held, heard_again(kept.held, recipe_of(clock.net)), strict=True):
        from_s = kept.split.cut_s.get(number, 0.0)
        (example,) = examples_of([clip], clock.basis)
        known = example.known & (row_times_s(len(example.known)) >= from_s)
        found = late_s(clock.net.shapes_of(torch.from_numpy(example.features)).numpy(), example.shapes, known)
        held.append(_held(clip, marks, from_s, options, found if np.isfinite(found) else 0.0))
    return tuple(held)


def _fill(
    table: Table,
    voices: dict[str, Voice],
    learn: Sequence[ClipMouths],
    again: Path,
    options: EvaluateOptions,
    progress: Progress,
) -> None:
    table.add("real", "the real video", [clip.lips for clip in table.held])
    seen = []
    for number, clip in enumerate(table.held):
        seen.append(detected_again(clip, again, options.person, options.finder, options.seed, silent))
        progress(number + 1, len(table.held), "detecting again")
    table.add("detected again", "the real video, detected again with jittered crops: the noise of the measure", seen)
    table.predict("mean mouth", "always the mean of the footage", mean_mouth(learn))
    table.predict("ridge", "ridge regression on +-240 ms of cepstra", ridge(table.lag_model))
    pool = next(iter(voices.values()))
    oracle = [retrieved(pool, clip) for clip in table.held]
    table.add("retrieval oracle", "true shapes in: the pool's weighted candidates", oracle)
    for name, voice in voices.items():
        table.predict(
            f"{name}, net alone", "without rest, closing, smoothing and what heads tell", by_voice(voice, bare=True)
        )
        heads = "" if voice.bearing is None else ", and borne as the clips' heads tell"
        table.predict(name, f"as sync uses it{heads}", by_voice(voice), name, seconds_of(learn) / 60)


def _others(
    table: Table, voices: dict[str, Voice], marks: dict[str, Marks], options: EvaluateOptions, progress: Progress
) -> tuple[Row, ...]:
    """How far the mouths follow voices that were never heard: as far as other speakers' own mouths tell."""
    clips = gather(_clips_in(options.others), cache_folder(), options.person, Counter(), progress, options.finder)
    heard = [replace(_held(clip, marks, 0.0, options), upper=None) for clip in clips if clip.features is not None]
    if not heard:
        raise UsageError(f"{options.others}: none of its clips has sound")
    other = Table(table.gauge, table.lag_model, heard, options.seed)
    other.predict("ridge", "ridge regression on +-240 ms of cepstra", ridge(table.lag_model))
    for name, voice in voices.items():
        other.predict(name, "as sync uses it, but for what heads tell", by_voice(voice), name)
    other.compare(BASELINE)
    return tuple(other.rows)


def _rendered(
    held: Sequence[HeldClip],
    voices: dict[str, Voice],
    gauge: Gauge,
    curves: Path,
    options: EvaluateOptions,
    progress: Progress,
) -> RenderedTable:
    renderer = Renderer(voices, curves, options.person, options.finder)
    chosen = some_of(held, options.render)
    return rendered_table(chosen, renderer.rows, renderer.render, gauge, BASELINE, options.seed, progress)


def _voices(
    learn: Mapping[RecipeName, Sequence[ClipMouths]],
    folder: Path,
    options: EvaluateOptions,
    force: bool,
    progress: Progress,
    tell: Tell | None,
) -> tuple[dict[str, Voice], dict[str, JsonObject]]:
    """Voice and facts of each recipe, learned from clips as it hears them."""
    voices: dict[str, Voice] = {}
    facts: dict[str, JsonObject] = {}
    for recipe, clips in learn.items():
        if tell is not None:
            tell(f"recipe {recipe}")
        paths = [clip.path for clip in clips]
        chosen = VoiceOptions(
            person=options.person,
            finder=options.finder,
            recipe=recipe,
            updates=options.updates,
            roles=tuple(rule for rule in options.roles if Path(rule.pattern) in paths),
            seed=options.seed,
        )
        facts[recipe], _ = learn_voice(
            paths, folder / recipe, chosen, force=force, progress=progress, tell=tell, gathered=clips
        )
        voices[recipe] = open_voice(folder / recipe)
    return voices, facts


def _split(
    clips: Sequence[ClipMouths], may_be_held: Sequence[bool], marks: dict[str, Marks], options: EvaluateOptions
) -> Split:
    if options.hold_out_s > 0:
        if options.hold_out or options.leave_out:
            raise UsageError("hold out either whole clips (--hold-out, --leave-out) or the end of each (--hold-out-s)")
        return split_ends(clips, options.hold_out_s, may_be_held)
    if not options.leave_out:
        return split_clips(clips, options.hold_out, may_be_held, options.seed)
    spoken = [{word for _, _, word in marks.get(clip.path.stem, Marks()).words} for clip in clips]
    for word in options.leave_out:
        if not any(word.lower() in words for words in spoken):
            raise UsageError(f"no clip has the word {word!r} in its alignment (--align); leave out another word")
    wanted = {word.lower() for word in options.leave_out}
    new = [not words or bool(words & wanted) for words in spoken]  # a clip of unknown words may hold any
    able = [may and bool(words & wanted) for may, words in zip(may_be_held, spoken, strict=True)]
    return split_clips(clips, options.hold_out, able, options.seed, [not one for one in new])


def _held(
    clip: ClipMouths, marks: dict[str, Marks], from_s: float, options: EvaluateOptions, late: float = 0.0
) -> HeldClip:
    sound, own = load_sound(clip.path, SAMPLE_RATE_HZ), marks.get(clip.path.stem, Marks())
    return held_clip(clip, sound, own, from_s, [word.lower() for word in options.leave_out], late)


def _learned(clip: ClipMouths, cut_s: float | None, folder: Path) -> ClipMouths:
    """A clip to learn from, or what lies before its held-out end."""
    return clip if cut_s is None else replace(before(clip, cut_s), path=write_before(clip.path, cut_s, folder))


def _clips_in(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    if not folder.is_dir():
        raise UsageError(f"{folder}: is no folder of clips")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise UsageError(f"{folder}: holds no clips")
    return found
