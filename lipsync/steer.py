"""What moves the mouth in a clip: speech or another person's video, then the user's gain on its opening and his table.

A table's row says how the mouth is at its time: as its shape, if it has one; then whatever else it says is made true,
so that a row that was written out can be edited in any one cell, and a row of one cell changes nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.controls import REST, RESTING, Controls, controls_of
from lipsync.curve import CurveTable, basis_name, check_suffix, read_curve, write_curve
from lipsync.driver import driven
from lipsync.expression import Expression
from lipsync.features import SAMPLE_RATE_HZ
from lipsync.options import SyncOptions
from lipsync.predict import MouthTrack, predict_track
from lipsync.voice import Voice, open_voice
from shared.clock import FEATURE_RATE_HZ, resample_track
from shared.errors import NoFaceError, UsageError
from shared.media.sound import load_sound
from shared.progress import Progress, silent

KEEPS_MM: Final = 0.02
"""Opening and width that say no more than this beside a row's shape say nothing new: what is written is rounded."""


@dataclass(frozen=True, slots=True)
class Steered:
    """What a face shall do, on the clock of the speech.

    Attributes
    ----------
    mouth : that a voice shall make.
    expression : of brows and lids; None where nothing moves them.
    """

    mouth: MouthTrack
    expression: Expression | None = None


def steered(voice: Voice, options: SyncOptions, progress: Progress = silent) -> Steered:
    """What moves a voice's mouth, and the face above it.

    Parameters
    ----------
    progress : of finding the faces in a driver's video.

    Raises
    ------
    MediaError
        The speech has no sound, or the driver's video or the table cannot be read.
    UsageError
        The table is not understood, or its shapes are another voice's.
    NoFaceError
        Nobody speaks in the speech, and nothing else moves the mouth; or the driver's video shows no face.
    """
    controls = controls_of(voice)
    table = None if options.mouth is None else _own_table(options.mouth, voice)
    expression = None
    if options.driver is not None:
        track, expression = driven(voice, controls, options.driver, options.smooth_ms, progress)
    elif options.speech is not None:
        track = predict_track(voice, load_sound(options.speech, SAMPLE_RATE_HZ), options)
        if table is None and options.rest and float(track.resting.min()) >= 1.0:
            raise NoFaceError(
                f"{options.speech}: no voice is heard in it, the mouth would rest throughout; give other speech, or "
                "let the net be believed everywhere with lipswap sync --no-rest"
            )
    else:
        track = MouthTrack(np.zeros(1), voice.rest[np.newaxis], np.ones(1, dtype=np.float32))
    if options.opening != 1.0:
        track = replace(track, shapes=controls.widened(track.shapes, options.opening))
    if table is not None:
        track = laid_over(track, table, controls, options.blend_ms * 1e-3)
    return Steered(track, expression)


def write_mouth(path: Path, options: SyncOptions, force: bool, progress: Progress = silent) -> MouthTrack:
    """Write the mouth curve that a re-sync with these options follows, without making a picture.

    Raises
    ------
    ArtefactError, UsageError
        As of `lipsync.curve.write_curve`; or the table that is laid over has that name.
    """
    check_suffix(path)
    if options.mouth is not None and path.exists() and path.samefile(options.mouth):
        raise UsageError(f"{path}: --mouth is read from it; choose another name for --mouth-out")
    voice = open_voice(options.voice)
    track = steered(voice, options, progress).mouth
    write_curve(path, track, controls_of(voice), voice.basis, force=force)
    return track


def _own_table(path: Path, voice: Voice) -> CurveTable:
    table, own = read_curve(path), basis_name(voice.basis)
    if table.basis not in ("", own):
        raise UsageError(
            f"{path}: its shapes are those of another voice (basis {table.basis}, this one is {own}); leave out the "
            "columns basis and shape_01 to shape_20, and opening, width and visemes are carried over"
        )
    return table


def laid_over(track: MouthTrack, table: CurveTable, controls: Controls, blend_s: float) -> MouthTrack:
    """Lay a table over a track: true at its times, straight between times near to each other, faded out beside them.

    Parameters
    ----------
    blend_s : a row counts this far around its time; two that are at most twice as far apart meet, >= 0.01.
    """
    track = _extended(track, float(table.times_s[-1]) + blend_s)
    before = resample_track(track.shapes, track.times_s, table.times_s)
    resting = resample_track(track.resting, track.times_s, table.times_s)
    given = np.asarray(np.isfinite(table.shapes).all(axis=1))
    told = np.isfinite(table.controls_mm)
    shapes = np.where(given[:, np.newaxis], table.shapes, before)
    # What a row says beside its shape counts where it says something else than the shape.
    same = given[:, np.newaxis] & (np.abs(controls.measure(shapes) - table.controls_mm) <= KEEPS_MM)
    for row in np.flatnonzero(~controls.fits(table.visemes, shapes)):
        shapes[row] = controls.shape_of(table.visemes[row])
    shapes = controls.moved(shapes, np.where(told & ~same, table.controls_mm, np.nan))
    named = np.array([bool(viseme) for viseme in table.visemes])
    moves = (given | named | told.any(axis=1)) & (resting >= RESTING)
    rest = np.where(np.array(table.visemes) == REST, 1.0, np.where(moves, 0.0, resting))
    change = np.column_stack([shapes - before, rest - resting])
    spread = _spread(change, table.times_s, track.times_s, blend_s)
    return MouthTrack(
        track.times_s,
        np.asarray(track.shapes + spread[:, :-1], dtype=np.float32),
        np.clip(track.resting + spread[:, -1], 0.0, 1.0).astype(np.float32),
    )


def _extended(track: MouthTrack, end_s: float) -> MouthTrack:
    """The track with its last row held up to a time."""
    missing = math.ceil((end_s - float(track.times_s[-1])) * FEATURE_RATE_HZ)
    if missing <= 0:
        return track
    more = float(track.times_s[-1]) + np.arange(1, missing + 1) / FEATURE_RATE_HZ
    return MouthTrack(
        np.concatenate([track.times_s, more]),
        np.pad(track.shapes, ((0, missing), (0, 0)), mode="edge"),
        np.pad(track.resting, (0, missing), mode="edge"),
    )


def _spread(
    change: NDArray[np.floating], at_s: NDArray[np.float64], times_s: NDArray[np.float64], blend_s: float
) -> NDArray[np.float64]:
    """Changes (R, C) made at times (R,) as changes (T, C) at all times."""
    right = np.searchsorted(at_s, times_s, side="right")
    left = np.clip(right - 1, 0, len(at_s) - 1)
    right = np.clip(right, 0, len(at_s) - 1)
    gap = at_s[right] - at_s[left]
    meet = (gap > 0) & (gap <= 2.0 * blend_s + 1e-9)
    share = np.where(meet, (times_s - at_s[left]) / np.where(gap > 0, gap, 1.0), 0.0)
    straight = change[left] * (1.0 - share)[:, np.newaxis] + change[right] * share[:, np.newaxis]
    # Rows too far apart to meet fade by half a cosine, each on its own.
    faded = change[left] * _fade(np.abs(times_s - at_s[left]), blend_s)[:, np.newaxis]
    faded += change[right] * (_fade(np.abs(times_s - at_s[right]), blend_s) * (left != right))[:, np.newaxis]
    return np.asarray(np.where(meet[:, np.newaxis], straight, faded), dtype=np.float64)


def _fade(away_s: NDArray[np.float64], blend_s: float) -> NDArray[np.float64]:
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.minimum(away_s / blend_s, 1.0)), dtype=np.float64)
