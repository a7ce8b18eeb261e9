"""Self-reenactment: learn from a part of a speaker's footage, re-create clips that were never seen, compare.

Rows of the table: the real video (what figures the real mouth has), the same detected again (the noise of the
measurement), mean mouth and ridge (what any predictor must beat), the retrieval oracle (true shapes in: the limit of
the pool), and each recipe, as `sync` uses it and its network alone. Held-out clips are in no training and in no pool
of candidates. Intervals are over held-out clips, drawn again with replacement; differences are paired.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from lipsync.alignment import Marks, read_marks
from lipsync.baselines import Predictor, by_voice, detected_again, mean_mouth, retrieved, ridge, ridge_model
from lipsync.evaluate_options import BASELINE, EvaluateOptions
from lipsync.features import SAMPLE_RATE_HZ
from lipsync.figures import FIGURES, sums_of
from lipsync.gauge import Gauge, HeldClip, Judged, held_clip
from lipsync.index import ClipMouths, gather
from lipsync.options import VoiceOptions
from lipsync.prepare import learn_voice
from lipsync.silences import LENGTH_S, made_silences
from lipsync.splits import split_clips
from lipsync.voice import Voice, open_voice
from shared.errors import UsageError
from shared.media.sound import load_sound
from shared.metrics.interval import Interval, paired_pooled_interval, pooled_interval
from shared.metrics.lag import Lag, LagModel, SpeakingClip, measure_lag
from shared.metrics.mouth import open_rate
from shared.metrics.pooled import Sums
from shared.progress import Progress, silent
from shared.store.artefact import cache_folder
from shared.types import Floats, JsonObject, Sound

Tell: TypeAlias = Callable[[str], None]
VOICES: Final = "voices"
AGAIN: Final = "again"
SUFFIXES: Final = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg")
SILENCE_RATE_HZ: Final = 25.0


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes
    ----------
    figures : by the keys of `lipsync.figures.FIGURES`.
    against : the same less the baseline's, paired; empty for the baseline itself and where there is none.
    lag : of the mouth in its sound; None for a mouth that never moves.
    leaks : rate of open frames under made-up silences, less the real speaker's own in his pauses; by their names.
    judged : of each held-out clip.
    """

    name: str
    about: str
    figures: dict[str, Interval]
    against: dict[str, Interval]
    lag: Lag | None
    leaks: dict[str, float]
    judged: tuple[Judged, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was found.

    Attributes
    ----------
    learned : facts of each recipe's learning.
    """

    rows: tuple[Row, ...]
    clips: tuple[HeldClip, ...]
    names_learned: tuple[str, ...]
    names_shared: tuple[str, ...]
    learned_s: float
    learned: dict[str, JsonObject]

    def row(self, name: str) -> Row:
        """The row of a name."""
        return next(row for row in self.rows if row.name == name)


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
    footage : clips of one speaker with their own sound.
    folder : where the voices go; a later call with the same footage and options takes them from there.
    force : learn them again.

    Raises
    ------
    UsageError
        Too few clips to hold any out.
    ArtefactError
        The folder holds voices learned otherwise.
    NoFaceError, MediaError
        As of `lipsync.prepare.learn_voice`.
    """
    if not options.recipes:
        raise UsageError("an evaluation needs at least one recipe")
    say = tell or (lambda _: None)
    marks = read_marks(options.align) if options.align is not None else {}
    paths = [*footage, *_clips_in(options.also)]
    clips = gather(paths, cache_folder(), options.person, Counter(), progress, options.finder)
    split = split_clips(clips, options.hold_out, [clip.path in footage for clip in clips], options.seed)
    held = tuple(_held(clips[number], marks) for number in split.held)
    say(f"learning from {len(split.learn)} clips, measuring on {len(held)}")
    learn = [clips[number] for number in split.learn]
    voices, facts = _voices([clip.path for clip in learn], folder / VOICES, options, force, progress, tell)
    table = _Table(learn, held, options.seed)
    _fill(table, voices, learn, folder / AGAIN, options, progress)
    return Evaluation(
        rows=tuple(table.rows),
        clips=held,
        names_learned=tuple(clip.path.name for clip in learn),
        names_shared=tuple(clips[number].path.name for number in split.shared),
        learned_s=_seconds(learn),
        learned=facts,
    )


def _fill(
    table: _Table,
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
        table.predict(f"{name}, net alone", "without rest, closing and smoothing", by_voice(voice, bare=True))
        table.predict(name, "as sync uses it", by_voice(voice))
    table.compare(BASELINE)


class _Table:
    """Rows over the same held-out clips, in the order they are added."""

    def __init__(self, learn: Sequence[ClipMouths], held: Sequence[HeldClip], seed: int) -> None:
        faces = np.array([face.points for clip in learn for face in clip.faces], dtype=np.float32)
        self.held, self.rows = held, list[Row]()
        self.lag_model: LagModel = ridge_model(learn)
        self._gauge, self._seed = Gauge(faces.mean(axis=0).astype(np.float32)), seed
        self._silences = made_silences(seed)
        real = [(self._gauge.gaps(clip.lips), clip.pause) for clip in held]
        gaps, pauses = (np.concatenate(parts) for parts in zip(*real, strict=True))
        self._open_in_pauses = open_rate(gaps, pauses).share

    def predict(self, name: str, about: str, predictor: Predictor) -> None:
        """Add a row that is made from sound alone."""
        leaks = {key: self._leak(predictor, sound) for key, sound in self._silences.items()}
        self.add(name, about, [predictor(clip.sound, clip.times_s) for clip in self.held], leaks)

    def add(self, name: str, about: str, lips: Sequence[Floats], leaks: dict[str, float] | None = None) -> None:
        """Add a row of mouths, (T, 36) for each held-out clip."""
        judged = tuple(Judged(self._gauge, clip, made) for clip, made in zip(self.held, lips, strict=True))
        figures = {one.key: pooled_interval(sums_of(one, judged), one.figure, self._seed) for one in FIGURES}
        self.rows.append(Row(name, about, figures, {}, self._lag(lips), leaks or {}, judged))

    def compare(self, baseline: str) -> None:
        """Fill in the differences to a row, where there is one of that name."""
        base = next((row for row in self.rows if row.name == baseline), None)
        if base is None:
            return
        sums: dict[str, Sums] = {one.key: sums_of(one, base.judged) for one in FIGURES}
        for place, row in enumerate(self.rows):
            if row is not base:
                against = {
                    one.key: paired_pooled_interval(sums_of(one, row.judged), sums[one.key], one.figure, self._seed)
                    for one in FIGURES
                }
                self.rows[place] = Row(row.name, row.about, row.figures, against, row.lag, row.leaks, row.judged)

    def _leak(self, predictor: Predictor, sound: Sound) -> float:
        times_s = np.arange(int(LENGTH_S * SILENCE_RATE_HZ)) / SILENCE_RATE_HZ
        return open_rate(self._gauge.gaps(predictor(sound, times_s))).share - self._open_in_pauses

    def _lag(self, lips: Sequence[Floats]) -> Lag | None:
        if all(np.nanstd(made, axis=0).max() < 1e-4 for made in lips):
            return None
        clips = [SpeakingClip(clip.sound, made, clip.times_s) for clip, made in zip(self.held, lips, strict=True)]
        return measure_lag(self.lag_model, clips)


def _voices(
    learn: Sequence[Path], folder: Path, options: EvaluateOptions, force: bool, progress: Progress, tell: Tell | None
) -> tuple[dict[str, Voice], dict[str, JsonObject]]:
    """Voice and facts of each recipe."""
    voices: dict[str, Voice] = {}
    facts: dict[str, JsonObject] = {}
    for recipe in options.recipes:
        if tell is not None:
            tell(f"recipe {recipe}")
        chosen = VoiceOptions(
            person=options.person, finder=options.finder, recipe=recipe, updates=options.updates, seed=options.seed
        )
        facts[recipe], _ = learn_voice(learn, folder / recipe, chosen, force=force, progress=progress, tell=tell)
        voices[recipe] = open_voice(folder / recipe)
    return voices, facts


def _held(clip: ClipMouths, marks: dict[str, Marks]) -> HeldClip:
    return held_clip(clip, load_sound(clip.path, SAMPLE_RATE_HZ), marks.get(clip.path.stem, Marks()))


def _clips_in(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    if not folder.is_dir():
        raise UsageError(f"{folder}: is no folder of clips")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise UsageError(f"{folder}: holds no clips")
    return found


def _seconds(clips: Sequence[ClipMouths]) -> float:
    """Time during which a face is seen."""
    return float(sum(len(clip.times_s) * np.median(np.diff(clip.times_s)) for clip in clips if len(clip.times_s) > 1))
