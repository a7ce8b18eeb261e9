"""The pace of a clip under new speech: heads measured, speech heard, the dynamic programme asked, frames named."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.endless import endless_path, jumps_taken, taken_again
from lipsync.features import SAMPLE_RATE_HZ
from lipsync.heads import Heads, blinks, heads_of, speeds
from lipsync.jumps import AGAIN_S, ALIKE, AROUND, find_jumps
from lipsync.retime import BLINK, UNSEEN, Jumps, Target, began, cheapest_path, row_weights, voiced_rows
from lipsync.retime import Path as Way
from shared.face.analyse import ClipFaces
from shared.media.length import CUT_S
from shared.media.reader import probe
from shared.media.sound import Span, load_sound, voiced_spans
from shared.progress import Progress, silent
from shared.render.timeline import Timeline

EVEN: Final = 0.3
"""Frames that come off their beat by less than this share of a frame are evenly spaced, for containers round times."""
USUAL_RATES: Final = (
    *(Fraction(rate * 1000, 1001) for rate in (24, 30, 60, 120)),
    *map(Fraction, (15, 24, 25, 30, 48, 50, 60, 120)),
)
FASTEST: Final = 240
"""Frames a second; frames of an uneven clip that come faster come in bursts, and its average is its beat."""
NEAR_RATE: Final = 0.015
"""Milliseconds make of a 30th of a second 0.033 s, 1% less."""
CUT_BLINK: Final = 10.0
"""What it costs to begin or end within a blink, against 1 for each frame of one in a pause."""
STRETCH: Final = 1.1
"""Up to this many times as long as the clip, speech is followed by frames that stay longer alone: one in ten, stillest
first, which is seen less than a jump."""
SPARE_S: Final = 1e-3
"""Sound beyond the last whole frame that needs no picture."""


def plan(clip: ClipFaces, tracks: frozenset[int], speech: Path, progress: Progress = silent) -> Timeline:
    """Which frames of a clip are shown while a speech is heard, as long as it lasts.

    Parameters
    ----------
    tracks : of the person whose head counts.

    Raises
    ------
    MediaError
        The speech has no sound.
    """
    heads = heads_of(clip.frames(), tracks)
    sound = load_sound(speech, SAMPLE_RATE_HZ)
    return timeline_of(heads, voiced_spans(sound), sound.duration_s, probe(clip.clip).rate, progress)


def timeline_of(
    heads: Heads, spans: list[Span], length_s: float, stated: Fraction, progress: Progress = silent
) -> Timeline:
    """The timeline of a measured clip under a speech.

    Parameters
    ----------
    spans : where somebody speaks, seconds.
    length_s : of the speech.
    stated : frames a second that the clip says it has.
    """
    rate, slots = slots_of(heads.times_s, stated)
    heads, speed = heads.at(slots), speeds(heads.at(slots))
    shut = blinks(heads, float(rate))
    goes_on = np.concatenate([np.diff(heads.shots) == 0, [False]])
    speaks = heads.can_speak()
    toll = np.where(speaks, 0.0, UNSEEN)
    target = Target(speed + BLINK * shut, goes_on & ~shut, np.where(shut, CUT_BLINK, 0.0), toll)
    count = max(1, math.ceil((length_s - SPARE_S) * rate))
    if len(slots) < count <= len(slots) + CUT_S * rate:
        count = len(slots)
    weights = row_weights(voiced_rows(spans, count, float(rate)))
    jumps = partial(find_jumps, heads.upper, heads.shots, shut, float(rate))
    way, remarks = _way(target, weights, jumps, float(rate), progress)
    return _named(way, slots, heads.shots, rate, (*remarks, *_hidden(speaks, way)))


def slots_of(times_s: NDArray[np.float64], stated: Fraction) -> tuple[Fraction, NDArray[np.int64]]:
    """An even clock for a clip: its rate, and the frame shown at each beat.

    Evenly spaced frames are one a beat; else the beat is the mean of their usual distances, and a frame that stays
    longer, stays for several.
    """
    count = len(times_s)
    if count < 2:
        return stated or Fraction(25), np.arange(count)
    steps = np.diff(times_s)
    step, length_s = float(np.median(steps)), float(times_s[-1] - times_s[0])
    usual = np.abs(steps - step) < EVEN * step
    is_even = bool(usual.all())
    measured = 1.0 / float(steps[usual].mean())  # a container's rounding cancels out
    if not is_even and measured > FASTEST:
        measured = (count - 1) / length_s
    rates = (stated, *USUAL_RATES) if is_even else USUAL_RATES  # of uneven clips the average is stated
    rate = min(rates, key=lambda one: abs(float(one) / measured - 1.0))
    if abs(float(rate) / measured - 1.0) > NEAR_RATE:
        rate = Fraction(measured).limit_denominator(1001)
    if is_even:
        return rate, np.arange(count)
    beats = 1 + round(length_s * float(rate))
    at_s = times_s[0] + (np.arange(beats) + EVEN) / float(rate)
    return rate, np.maximum(np.searchsorted(times_s, at_s, side="right") - 1, 0)


def _way(
    target: Target,
    weights: NDArray[np.float64],
    jumps_of: Callable[[], tuple[Jumps, float]],
    rate: float,
    progress: Progress,
) -> tuple[Way, tuple[str, ...]]:
    """The way through a target and what may be seen of it: without a jump where frames need not stay much longer."""
    count, length = len(weights), len(target)
    way = _straight(target, weights, progress) if count <= STRETCH * length else None
    if way is not None:
        return way, ()
    jumps, unlike = jumps_of()
    way = endless_path(target, weights, jumps, rate, progress) or _straight(target, weights, progress)
    if way is not None and way.jumped.any():
        return way, _remarks(way, unlike, length, rate)
    if way is not None:
        return way, ("the clip has no moments to jump between: its frames stay longer instead",)
    stays = np.zeros(count, dtype=np.bool_)  # a still picture is better than a stutter
    still = Way(np.minimum(np.arange(count), length - 1), stays, stays, 0.0)
    return still, (
        "the clip is too short to be gone on with: its last frame stands still under the rest of the speech",
    )


def _straight(target: Target, weights: NDArray[np.float64], progress: Progress) -> Way | None:
    """The way without a jump."""
    return cheapest_path(target, weights, began(target, weights), target.edge, progress=progress)


def _hidden(speaks: NDArray[np.bool_], way: Way) -> tuple[str, ...]:
    """What to say where the speaker is seen less than if the clip were played from its start."""
    shown, filmed = float(speaks[way.frames].mean()), float(speaks[: len(way.frames)].mean())
    if round(100 * shown) >= round(100 * filmed):
        return ()
    return (f"the speaker's face is seen in {100 * shown:.0f}% of the frames, in {100 * filmed:.0f}% as filmed",)


def _remarks(way: Way, unlike: float, count: int, rate: float) -> tuple[str, ...]:
    """What may be seen of the jumps in a clip of `count` frames."""
    taken = jumps_taken(way.frames, way.jumped)
    told = []
    clip_s, speech_s = count / rate, len(way.frames) / rate
    if len(taken) and clip_s < AGAIN_S:
        told.append(
            f"the clip lasts {clip_s:.1f} s, the speech {speech_s:.1f} s: what is in it comes again within 10 s; a "
            "longer clip hides that better"
        )
    if again := taken_again(taken, rate):
        told.append(
            f"the clip has too few moments that are alike for this speech: {again} of {len(taken)} jumps come again "
            "within 10 s and may be seen as a loop; a longer clip helps"
        )
    if len(taken) and unlike > ALIKE:
        told.append("no moments of the clip are alike: flow bridges larger jumps, which may be seen")
    return tuple(told)


def _named(
    way: Way, slots: NDArray[np.int64], shots: NDArray[np.int64], rate: Fraction, remarks: tuple[str, ...]
) -> Timeline:
    """The way in frames of the clip, repeats half-way to the next one, jumps joined over `2 * AROUND` frames."""
    first, second = way.frames.copy(), np.minimum(way.frames + way.repeated, len(slots) - 1)
    share = np.where(way.repeated, 0.5, 0.0)
    jumps = []
    for row, source, landing in jumps_taken(way.frames, way.jumped).tolist():
        jumps.append((row, int(slots[source]), int(slots[landing])))
        for step in range(2 * AROUND):
            at, offset = row - AROUND + step, step - AROUND
            going, coming = source + 1 + offset, landing + offset
            inside = 0 <= at < len(first) and max(going, coming) < len(slots) and min(going, coming) >= 0
            if inside and shots[going] == shots[source] and shots[coming] == shots[landing]:
                first[at], second[at], share[at] = going, coming, (step + 1) / (2 * AROUND + 1)
    first, second = slots[first], slots[second]
    share = np.where(first == second, 0.0, share).astype(np.float32)
    return Timeline(first, second, share, tuple(jumps), rate, remarks)
