"""By how much the sound of a clip comes after its mouth: found by comparing the footage's clips, taken out of them.

A regression from sound to mouth that was fitted on some clips is shifted along another (`shared.metrics.lag`), so what
is found is how one clip's offset differs from the others'. Those that agree with each other, with the most speech,
are taken to be in sync; a clip alone has nothing to be compared with. What is corrected must be worth it and sure:
enough speech, a narrow interval, more than half a frame.

How near it comes: a clip whose mouth leads by about 240 ms is found at 241 to 252 ms against one or two other clips of
the speaker, the same clip put right at 9 to 12 ms; ten groups of 14 GRID sentences (20 s of speech), each against the
rest of 150, at -1 ms on average with a standard deviation of 7 ms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from lipsync.features import SAMPLE_RATE_HZ
from lipsync.index import ClipMouths, in_spans
from lipsync.mouth import MouthBasis, fit_basis
from lipsync.options import OffsetChoice
from shared.clock import sample_at
from shared.media.sound import load_sound
from shared.metrics.lag import Lag, LagModel, LagOptions, SpeakingClip, fit_lag, measure_lag
from shared.types import JsonObject, Sound

ENOUGH_S: Final = 15.0
"""Speech with a seen mouth from which an offset is told as a number and corrected; under it only its interval."""
LEAST_S: Final = 3.0
"""Clips with less speech are not looked at alone."""
LONGEST_S: Final = 60.0
"""So much from the middle of a clip is listened to."""
WORTH_S: Final = 0.02
"""Half a frame at 25 a second: what is less is left, and clips that differ by less agree."""
WIDEST_S: Final = 0.06
"""An interval wider than this is too weak to correct by."""
REFERENCES: Final = 4
"""Clips, by most speech, among which those that agree are looked for."""
TOLD_SHORT: Final = 8
"""More short clips than this are told as one."""
MODES: Final = 6
"""Principal components that stand for a mouth here."""
OPTIONS: Final = LagOptions(least_speech_s=0.0, block_s=0.5)
"""Little speech has too few of the usual longer blocks for an interval. With these, of 49 made of 2, 3 or 6 GRID clips
(3 to 9 s of speech) against 50 others, 94% held the 0 that is theirs, to 5 ms."""
COARSE: Final = LagOptions(least_speech_s=0.0, step_s=0.02, rounds=2)
"""Enough to say whether clips agree."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of one clip, or of short ones taken together.

    Attributes
    ----------
    clips : numbers of the clips.
    lag : against those that are in sync with each other; None for the only one of these.
    speech_s : with a seen mouth, as far as it was listened to.
    corrected_s : what was taken out.
    """

    clips: tuple[int, ...]
    lag: Lag | None
    speech_s: float
    corrected_s: float = 0.0


def aligned(clips: Sequence[ClipMouths], wanted: OffsetChoice) -> tuple[list[ClipMouths], list[Found]]:
    """Move the mouths of each clip onto the clock of its sound.

    Parameters
    ----------
    wanted : milliseconds by which the sound of all clips comes after the mouth, or who finds out.

    Returns
    -------
    clips : with corrected times.
    found : by most speech; empty where there was nothing to compare with.
    """
    if wanted == "off":
        return list(clips), []
    if wanted != "auto":
        return [_moved(clip, float(wanted) * 1e-3) for clip in clips], []
    found = find_offsets(clips)
    shifts = dict.fromkeys(range(len(clips)), 0.0)
    for one in found:
        shifts |= dict.fromkeys(one.clips, one.corrected_s)
    return [_moved(clip, shifts[number]) for number, clip in enumerate(clips)], found


def find_offsets(clips: Sequence[ClipMouths]) -> list[Found]:
    """Compare the clips with each other; see `Found`."""
    heard = {number: _speech_s(clip) for number, clip in enumerate(clips)}
    groups = _groups(heard)
    if len(groups) < 2:
        return []
    basis = fit_basis(np.concatenate([clip.lips[:: 1 + len(clip.indices) // 2000] for clip in clips]))
    strong = [group for group in groups if sum(heard[number] for number in group) >= ENOUGH_S][:REFERENCES]
    if not strong:
        return []
    listened = {group: [_speaking(clips[number], basis) for number in group] for group in strong}
    in_sync = _agreeing(listened, heard)
    common = fit_lag([part for group in in_sync for part in listened[group]])
    found = []
    for group in groups:
        speech_s = sum(heard[number] for number in group)
        parts = listened.get(group) or [_speaking(clips[number], basis) for number in group]
        others = [part for other in in_sync if other != group for part in listened[other]]
        model = common if group not in in_sync else fit_lag(others) if others else None
        lag = None if model is None else measure_lag(model, parts, OPTIONS)
        found.append(Found(group, lag, speech_s, _worth(lag, group, speech_s)))
    return found


def _groups(heard: dict[int, float]) -> list[tuple[int, ...]]:
    """Clips that are looked at, by most speech: alone, or many short ones together."""
    numbers = sorted(heard, key=lambda number: -heard[number])
    alone: list[tuple[int, ...]] = [(number,) for number in numbers if heard[number] >= ENOUGH_S]
    short = [number for number in numbers if 0.0 < heard[number] < ENOUGH_S]
    if len(short) <= TOLD_SHORT:
        return alone + [(number,) for number in short if heard[number] >= LEAST_S]
    totals = np.cumsum([heard[number] for number in short])
    together = tuple(short[: 1 + int(np.searchsorted(totals, LONGEST_S))])
    groups = [*alone, together]
    return sorted(groups, key=lambda group: -sum(heard[number] for number in group))


def _agreeing(listened: dict[tuple[int, ...], list[SpeakingClip]], heard: dict[int, float]) -> list[tuple[int, ...]]:
    """Of all sets of clips that agree with one of them, the one with the most speech."""
    best: list[tuple[int, ...]] = []
    most_s = -1.0
    for group, parts in listened.items():
        model = fit_lag(parts)
        agreeing = [other for other in listened if other == group or _agrees(model, listened[other])]
        speech_s = sum(heard[number] for one in agreeing for number in one)
        if speech_s > most_s:
            best, most_s = agreeing, speech_s
    return best


def _agrees(model: LagModel, parts: Sequence[SpeakingClip]) -> bool:
    return abs(measure_lag(model, parts, COARSE).lag_s) <= WORTH_S  # false where no peak stands out: NaN


def _worth(lag: Lag | None, group: tuple[int, ...], speech_s: float) -> float:
    """Seconds to be taken out: the lag where it is sure and matters, else 0."""
    if lag is None or len(group) > 1 or speech_s < ENOUGH_S or not math.isfinite(lag.lag_s):
        return 0.0
    sure = lag.high_s - lag.low_s <= WIDEST_S and (lag.low_s > 0.0 or lag.high_s < 0.0)
    return lag.lag_s if sure and abs(lag.lag_s) >= WORTH_S else 0.0


def _moved(clip: ClipMouths, late_s: float) -> ClipMouths:
    """A mouth that leads its sound by `late_s` belongs to the sound of so much later."""
    if clip.features is None or late_s == 0.0:
        return clip
    return replace(clip, times_s=clip.times_s + late_s)


def _middle(clip: ClipMouths) -> tuple[float, float]:
    first, last = float(clip.times_s[0]), float(clip.times_s[-1])
    spare = max(last - first - LONGEST_S, 0.0) / 2
    return max(first + spare, 0.0), last - spare


def _speech_s(clip: ClipMouths) -> float:
    """Seconds of speech in the middle of a clip while the mouth is seen; 0 without sound."""
    if clip.features is None or len(clip.times_s) < 2:
        return 0.0
    start, end = _middle(clip)
    seen = clip.times_s[(clip.times_s >= start) & (clip.times_s <= end)]
    return float(np.median(np.diff(clip.times_s))) * int(in_spans(seen, clip.voiced, 0.0).sum())


def _speaking(clip: ClipMouths, basis: MouthBasis) -> SpeakingClip:
    start, end = _middle(clip)
    rows = np.flatnonzero((clip.times_s >= start) & (clip.times_s <= end))
    sound = load_sound(clip.path, SAMPLE_RATE_HZ)
    first, last = (sample_at(time_s, SAMPLE_RATE_HZ) for time_s in (start, end))
    mouth = basis.encode(np.array([clip.faces[row].lips for row in rows], dtype=np.float32))[:, :MODES]
    return SpeakingClip(Sound(sound.samples[first:last], SAMPLE_RATE_HZ), mouth, clip.times_s[rows] - start)


def facts_of(found: Sequence[Found], clips: Sequence[ClipMouths]) -> list[JsonObject]:
    """What was found, for a manifest; times in milliseconds, null where nothing could be told."""
    return [
        {
            "clips": [clips[number].path.name for number in one.clips],
            "speech_s": round(one.speech_s, 1),
            "reference": one.lag is None,
            "late_ms": None if one.lag is None else _ms(one.lag.lag_s),
            "low_ms": None if one.lag is None else _ms(one.lag.low_s),
            "high_ms": None if one.lag is None else _ms(one.lag.high_s),
            "corrected_ms": _ms(one.corrected_s),
        }
        for one in found
    ]


def lines_of(facts: Sequence[JsonObject]) -> list[str]:
    """The same in words, one line for each."""
    lines = []
    for one in facts:
        names = one["clips"]
        who = names[0] if len(names) == 1 else f"{len(names)} short clips"
        span = f"between {one['low_ms']} and {one['high_ms']} ms"
        if one["reference"]:
            said = "what the others are compared with"
        elif one["low_ms"] is None:
            said = "no offset of its sound can be told: it does not fit the mouth as in the other clips"
        elif one["corrected_ms"]:
            said = f"the sound came {one['late_ms']} ms after the mouth ({span}); taken out"
        elif len(names) > 1 or one["speech_s"] < ENOUGH_S:
            said = f"the sound comes {span} after the mouth; too little speech to correct it"
        else:
            said = f"the sound comes {one['late_ms']} ms after the mouth ({span}); left as it is"
        lines.append(f"{who}: {said}")
    return lines


def _ms(seconds: float) -> int | None:
    return round(1000 * seconds) if math.isfinite(seconds) else None
