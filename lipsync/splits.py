"""Which clips are learned from and which are kept out, so that nothing is measured on what was learned.

Clips are split whole, or where there are few long ones by time: the end of each is held out, and what lies before it is
learned from as a clip of its own. Never are single frames held out, which their neighbours would give away. The same
recording may lie there twice (two sizes, two encodings, a shifted sound); a clip whose speech is heard in a held-out
one is therefore not learned from either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.features import DIMENSIONS
from lipsync.index import ClipMouths
from shared.clock import FEATURE_RATE_HZ
from shared.errors import UsageError
from shared.media.options import EncodeOptions
from shared.media.reader import clip_origin, open_clip
from shared.media.writer import open_writer
from shared.store.artefact import fingerprint
from shared.types import Floats

USUAL_SHARE: Final = 0.2
"""Of the clips that may be held out, where no number is asked for,"""
USUAL_MOST: Final = 50
"""and at most so many."""
LONG_ENOUGH: Final = 2.5
"""Clips this many times as long as what is held out of each are cut in two."""
MARGIN_S: Final = 0.5
"""Left out between what is learned and what is held out: no feature there hears both."""
WINDOW: Final = 150
"""Rows (1.5 s) that must be alike for two clips to hold the same recording."""
LOUD_SHARE: Final = 0.5
"""A window is looked for where at least this share of it is speech."""
SAME: Final = 0.8
"""Correlation of the cepstra, each of spread one, of two windows from which they are one recording. Two sizes of one
clip have 0.999, 800 pairs of sentences by one man with one grammar at most 0.58."""
LEAST_CHANGE: Final = 0.3
"""A place changes at least this much of what a window does."""
CEPSTRA: Final = slice(1, 13)
"""Columns of the paper's features: the cepstra without the level."""


@dataclass(frozen=True, slots=True)
class Split:
    """Numbers of clips, each list rising."""

    learn: tuple[int, ...]
    held: tuple[int, ...]
    shared: tuple[int, ...]
    """Not learned from, since what they say is heard in a held-out clip."""
    barred: tuple[int, ...] = ()
    """Not learned from either, since they hold words that learning must not hear."""
    cut_s: Mapping[int, float] = field(default_factory=dict)
    """Where the held-out end of a clip begins, of those whose beginning may be learned from."""


def split_clips(
    clips: Sequence[ClipMouths],
    hold_out: int,
    may_be_held: Sequence[bool],
    seed: int,
    may_be_learned: Sequence[bool] | None = None,
) -> Split:
    """Choose clips at random to be held out.

    Parameters
    ----------
    clips : with the paper's features; those without sound are learned from (their mouths), never held out.
    hold_out : how many; 0 for a fifth of those that may be, at most 50.
    may_be_held : for each clip, whether it may be held out.
    may_be_learned : for each clip, whether it may be learned from; None for all.

    Raises
    ------
    UsageError
        There are not enough clips to hold so many out and still learn from some.
    """
    able = [number for number, clip in enumerate(clips) if may_be_held[number] and clip.features is not None]
    count = hold_out or min(max(1, round(USUAL_SHARE * len(able))), USUAL_MOST)
    if count > len(able) or count >= len(clips):
        raise UsageError(
            f"{count} clips cannot be held out of {len(clips)} ({len(able)} with sound that may be); give more clips, "
            "fewer to --hold-out, or the end of each to --hold-out-s"
        )
    held = sorted(np.random.default_rng(seed).permutation(able)[:count].tolist())
    able_to_teach = [True] * len(clips) if may_be_learned is None else may_be_learned
    rest = [number for number in range(len(clips)) if number not in held and able_to_teach[number]]
    barred = tuple(n for n in range(len(clips)) if n not in held and not able_to_teach[n])
    windows = [window for number in held for window in speech_windows(clips[number])]
    return replace(_without_shared({number: clips[number] for number in rest}, held, windows, {}), barred=barred)


def split_ends(clips: Sequence[ClipMouths], hold_out_s: float, may_be_held: Sequence[bool]) -> Split:
    """Hold out the last seconds of each clip that is long enough to be learned from before them.

    Parameters
    ----------
    hold_out_s : seconds, > 0; clips shorter than two and a half times that are learned from whole.

    Raises
    ------
    UsageError
        No clip is long enough, or nothing is left to learn from.
    """
    cut_s = {}
    for number, clip in enumerate(clips):
        long_enough = len(clip.times_s) > 0 and clip.times_s[-1] - clip.times_s[0] >= LONG_ENOUGH * hold_out_s
        if may_be_held[number] and clip.features is not None and long_enough:
            cut_s[number] = float(clip.times_s[-1]) - hold_out_s
    if not cut_s:
        raise UsageError(
            f"no clip with sound is {LONG_ENOUGH * hold_out_s:g} s long; give longer ones, less to --hold-out-s, or "
            "hold out whole clips with --hold-out"
        )
    windows = [window for number, cut in cut_s.items() for window in speech_windows(clips[number], cut)]
    parts = {number: before(clip, cut_s[number]) if number in cut_s else clip for number, clip in enumerate(clips)}
    return _without_shared(parts, sorted(cut_s), windows, cut_s)


def before(clip: ClipMouths, cut_s: float) -> ClipMouths:
    """What of a clip is learned from when its end is held out: all but half a second before the cut."""
    end_s = cut_s - MARGIN_S
    kept = clip.times_s < end_s
    rows = None if clip.features is None else clip.features[: max(round(end_s * FEATURE_RATE_HZ), 0)]
    return replace(
        clip,
        indices=clip.indices[kept],
        times_s=clip.times_s[kept],
        faces=tuple(face for face, keep in zip(clip.faces, kept, strict=True) if keep),
        inside=clip.inside[kept],
        sharpness=clip.sharpness[kept],
        features=rows,
        voiced=tuple((start, min(end, end_s)) for start, end in clip.voiced if start < end_s),
    )


def write_before(clip: Path, cut_s: float, folder: Path) -> Path:
    """Write what lies before a cut as a clip of its own, without loss of a sample, where it is not there yet.

    Parameters
    ----------
    cut_s : seconds after the clip's first picture.
    """
    wanted = fingerprint(clip=clip, cut_s=round(cut_s, 3), margin_s=MARGIN_S)
    place = folder / f"{clip.stem[:40]}-{wanted[:16]}.mp4"
    if place.is_file():
        return place
    folder.mkdir(parents=True, exist_ok=True)
    origin_s = clip_origin(clip)
    with (
        open_clip(clip) as reader,
        open_writer(place, reader.info, EncodeOptions(lossless=True), clip, origin_s) as writer,
    ):
        for frame in reader.frames():
            if float(frame.time_s - origin_s) >= cut_s - MARGIN_S:
                break
            writer.write(frame)
    return place


def parts_of(clips: Sequence[ClipMouths], minutes: Sequence[float], seed: int) -> list[list[ClipMouths]]:
    """For each number of minutes so many clips, chosen at random, each part within the next larger one.

    Parts that would be all clips are left out.
    """
    order = [clips[number] for number in np.random.default_rng(seed).permutation(len(clips))]
    reached = np.cumsum([seconds_of([clip]) for clip in order])
    counts = {int(np.searchsorted(reached, 60 * wanted - 1e-6)) + 1 for wanted in minutes}
    return [order[:count] for count in sorted(counts) if count < len(clips)]


def seconds_of(clips: Sequence[ClipMouths]) -> float:
    """Time during which a face is seen."""
    return float(sum(len(clip.times_s) * np.median(np.diff(clip.times_s)) for clip in clips if len(clip.times_s) > 1))


def _without_shared(
    parts: Mapping[int, ClipMouths], held: Sequence[int], windows: Sequence[Floats], cut_s: Mapping[int, float]
) -> Split:
    shared = [number for number, part in parts.items() if any_heard(windows, part)]
    learn = [number for number in parts if number not in shared]
    if not learn:
        raise UsageError(
            "nothing is left to learn from: all clips say what must be held out; give clips of other speech"
        )
    return Split(tuple(learn), tuple(held), tuple(shared), cut_s=cut_s)


def speech_windows(clip: ClipMouths, from_s: float = 0.0) -> list[Floats]:
    """(150, 12) cepstra of stretches of speech, end to end, from a time on."""
    if clip.features is None:
        return []
    rows = _cepstra(clip.features)
    spoken = np.zeros(len(rows), dtype=bool)
    for start, end in clip.voiced:
        spoken[max(round(start * FEATURE_RATE_HZ), 0) : max(round(end * FEATURE_RATE_HZ), 0)] = True
    starts = range(max(round(from_s * FEATURE_RATE_HZ), 0), len(rows) - WINDOW + 1, WINDOW)
    return [rows[start : start + WINDOW] for start in starts if spoken[start : start + WINDOW].mean() >= LOUD_SHARE]


def any_heard(windows: Sequence[Floats], clip: ClipMouths) -> bool:
    """Whether one of the windows is heard anywhere in a clip, at whatever time and loudness."""
    if clip.features is None or not windows:
        return False
    if len(clip.features) < WINDOW:
        return False
    scale = np.maximum(np.concatenate(windows).std(axis=0), 1e-6)  # else the first few cepstra, loudness almost, decide
    rows = _cepstra(clip.features) / scale
    size = 1 << (len(rows) + WINDOW - 1).bit_length()
    spectrum = np.fft.rfft(rows, size, axis=0)
    total, squares = (
        np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(part, axis=0)]) for part in (rows, rows**2)
    )
    mean = (total[WINDOW:] - total[:-WINDOW]) / WINDOW
    spread = (squares[WINDOW:] - squares[:-WINDOW]) - WINDOW * mean**2  # (places, 12)
    lengths = np.sqrt(np.maximum(spread.sum(axis=1), 1e-9))
    return any(float(_alike(window / scale, spectrum, size, lengths).max()) >= SAME for window in windows)


def _cepstra(features: Floats) -> Floats:
    """(T, 12) of the paper's features; bands of the other recipe are alike in all speech, and would bar all clips."""
    if features.shape[1] != DIMENSIONS:
        raise ValueError(f"splits are told by the paper's features (T, {DIMENSIONS}), got {features.shape}")
    return features[:, CEPSTRA]


def _alike(
    window: NDArray[np.floating], spectrum: NDArray[np.complex128], size: int, lengths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Correlation of a window with each place of a clip: products of what is left when the means are taken out."""
    centred = window.astype(np.float64) - window.mean(axis=0)
    own = np.sqrt(max(float((centred**2).sum()), 1e-9))
    product = np.fft.irfft((spectrum * np.conj(np.fft.rfft(centred, size, axis=0))).sum(axis=1), size)
    # Places that hardly change (digital silence) are like nothing: there rounding would be divided by rounding.
    return np.asarray(product[: len(lengths)] / (own * np.maximum(lengths, LEAST_CHANGE * own)), dtype=np.float64)
