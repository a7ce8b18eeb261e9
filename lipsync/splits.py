"""Which clips are learned from and which are kept out, so that nothing is measured on what was learned.

Clips are split whole, never by frame. The same recording may lie there twice (two sizes, two encodings, a shifted
sound); a clip whose speech is heard in a held-out one is therefore not learned from either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.index import ClipMouths
from shared.clock import FEATURE_RATE_HZ
from shared.errors import UsageError
from shared.types import Floats

USUAL_SHARE: Final = 0.2
"""Of the clips that may be held out, where no number is asked for,"""
USUAL_MOST: Final = 50
"""and at most so many."""
WINDOW: Final = 150
"""Rows (1.5 s) that must be alike for two clips to hold the same recording."""
LOUD_SHARE: Final = 0.5
"""A window is looked for where at least this share of it is speech."""
SAME: Final = 0.9
"""Correlation of the cepstra of two windows from which they are one recording."""
CEPSTRA: Final = slice(1, 13)
"""Columns of the paper's features: the cepstra without the level."""


@dataclass(frozen=True, slots=True)
class Split:
    """Numbers of clips, each list rising."""

    learn: tuple[int, ...]
    held: tuple[int, ...]
    shared: tuple[int, ...]
    """Neither learned from nor measured: what they say is heard in a held-out clip."""


def split_clips(clips: Sequence[ClipMouths], hold_out: int, may_be_held: Sequence[bool], seed: int) -> Split:
    """Choose clips at random to be held out.

    Parameters
    ----------
    clips : with the paper's features; those without sound are learned from (their mouths), never held out.
    hold_out : how many; 0 for a fifth of those that may be, at most 50.
    may_be_held : for each clip, whether it may be held out.

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
    rest = [number for number in range(len(clips)) if number not in held]
    windows = [window for number in held for window in speech_windows(clips[number])]
    shared = [number for number in rest if any_heard(windows, clips[number])]
    learn = [number for number in rest if number not in shared]
    if not learn:
        raise UsageError("all clips say what the held-out ones say; give clips of other speech")
    return Split(tuple(learn), tuple(held), tuple(shared))


def speech_windows(clip: ClipMouths) -> list[Floats]:
    """(150, 12) cepstra of stretches of speech, end to end."""
    if clip.features is None:
        return []
    rows = clip.features[:, CEPSTRA]
    spoken = np.zeros(len(rows), dtype=bool)
    for start, end in clip.voiced:
        spoken[max(round(start * FEATURE_RATE_HZ), 0) : max(round(end * FEATURE_RATE_HZ), 0)] = True
    starts = range(0, len(rows) - WINDOW + 1, WINDOW)
    return [rows[start : start + WINDOW] for start in starts if spoken[start : start + WINDOW].mean() >= LOUD_SHARE]


def any_heard(windows: Sequence[Floats], clip: ClipMouths) -> bool:
    """Whether one of the windows is heard anywhere in a clip, at whatever time and loudness."""
    if clip.features is None or not windows:
        return False
    rows = clip.features[:, CEPSTRA].astype(np.float64)
    if len(rows) < WINDOW:
        return False
    size = 1 << (len(rows) + WINDOW - 1).bit_length()
    spectrum = np.fft.rfft(rows, size, axis=0)
    total, squares = (
        np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(part, axis=0)]) for part in (rows, rows**2)
    )
    mean = (total[WINDOW:] - total[:-WINDOW]) / WINDOW
    spread = (squares[WINDOW:] - squares[:-WINDOW]) - WINDOW * mean**2  # (places, 12)
    lengths = np.sqrt(np.maximum(spread.sum(axis=1), 1e-9))
    return any(float(_alike(window, spectrum, size, lengths).max()) >= SAME for window in windows)


def _alike(
    window: Floats, spectrum: NDArray[np.complex128], size: int, lengths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Correlation of a window with each place of a clip: products of what is left when the means are taken out."""
    centred = window.astype(np.float64) - window.mean(axis=0)
    own = np.sqrt(max(float((centred**2).sum()), 1e-9))
    product = np.fft.irfft((spectrum * np.conj(np.fft.rfft(centred, size, axis=0))).sum(axis=1), size)
    return np.asarray(product[: len(lengths)] / (own * lengths), dtype=np.float64)
