"""The command ``mouth``, which writes a mouth curve without a picture, and the options that it shares with ``sync``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from lipsync.options import SyncOptions
from shared.errors import UsageError
from shared.render.terminal import Terminal, force_option, standard_options

R = TypeVar("R")
FILE = click.Path(path_type=Path)
MOVED = ("voice", "speech", "driver", "mouth", "blend_ms", "opening", "rest", "close", "smooth_ms")
USUAL = SyncOptions(voice=Path(), speech=None)


def mouth_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add what decides how the mouth moves, passed together as the argument `moved`."""

    @click.option("--voice", type=FILE, required=True, metavar="VOICE", help="Folder that lipswap learn made.")
    @click.option("--speech", type=FILE, metavar="AUDIO", help="What the mouth shall say.")
    @click.option(
        "--driver", type=FILE, metavar="VIDEO", help="Another person's video whose lips move the mouth instead."
    )
    @click.option("--mouth", type=FILE, metavar="CSV|JSON", help="Mouth curve to follow where it has rows.")
    @click.option(
        "--mouth-blend-ms",
        "blend_ms",
        type=click.FloatRange(10),
        default=USUAL.blend_ms,
        help="How far around its time a row of --mouth counts.",
    )
    @click.option(
        "--opening", type=click.FloatRange(0), default=USUAL.opening, help="Open the mouth so many times as far."
    )
    @click.option("--rest/--no-rest", default=USUAL.rest, help="Close the mouth where nobody speaks.")
    @click.option("--close/--no-close", default=USUAL.close, help="Shut lips that are nearly closed.")
    @click.option(
        "--smooth-ms",
        type=click.FloatRange(0),
        default=USUAL.smooth_ms,
        help="Smoothing of the mouth's motion; by default 5 after speech, 15 after a driver or in the paper's recipe.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, **given: Any) -> R:  # noqa: ANN401 - passed on
        moved = SyncOptions(**{name: given.pop(name) for name in MOVED})
        if moved.speech is None and moved.driver is None and moved.mouth is None:
            raise UsageError("nothing moves the mouth: give --speech, --driver, or a mouth curve with --mouth")
        return command(*args, moved=moved, **given)

    return wrapped


@click.command(epilog="Example: lipswap mouth --voice voices/ada --speech new.wav -o new.csv")
@mouth_options
@click.option("-o", "--output", type=FILE, required=True, metavar="CSV|JSON", help="Mouth curve to write.")
@force_option
@standard_options
def mouth(*, moved: SyncOptions, output: Path, force: bool, terminal: Terminal) -> None:
    """Write how the mouth moves to new speech, as a table to look at, edit, and give to sync.

    The table has 100 rows a second with time_s (from the start of the speech), opening_mm, width_mm, viseme (A to F, X
    at rest, as Rhubarb Lip Sync names them) and the shape itself. Change cells, leave out rows and columns, or make one
    by other means (JSON with mouthCues too; visemes A to H, X), and give it back with --mouth, here or to sync: what a
    row says holds at its time, all else stays as the speech asks for. Without --speech the mouth rests elsewhere.
    """
    from lipsync.steer import write_mouth

    track = write_mouth(output, moved, force, terminal.progress)
    seconds = track.times_s.shape[0] / 100
    resting = float(track.resting.mean())
    text = f"{output}: {track.times_s.shape[0]} rows, {seconds:.1f} s, at rest in {100 * resting:.0f}% of it"
    terminal.result({"mouth": str(output), "rows": track.times_s.shape[0], "resting_share": round(resting, 4)}, text)
