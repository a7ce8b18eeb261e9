"""The command ``listen``: a stream of sound in, the mouth curve out, row by row."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from lipsync.options import LiveOptions
from shared.render.terminal import Terminal, standard_options

if TYPE_CHECKING:  # it brings numpy, which a help text can do without
    from shared.types import Floats

USUAL = LiveOptions()


MOST_BYTES = 3200
"""Read at once, 0.1 s; less where less is there."""
SAMPLE_BYTES = 2
FULL_SCALE = 32768.0


@click.command(epilog="Example: lipswap listen --voice voices/ada-live < call.raw > curve.jsonl")
@click.option(
    "--voice", type=click.Path(path_type=Path), required=True, metavar="VOICE", help="Folder of lipswap learn --live."
)
@click.option(
    "--rest/--no-rest", default=USUAL.rest, help="Hold a mouth of the paper's recipe at rest until voice is heard."
)
@click.option("--close/--no-close", default=USUAL.close, help="Shut lips that are nearly closed.")
@standard_options
def listen(*, voice: Path, rest: bool, close: bool, terminal: Terminal) -> None:
    """Say how the mouth moves to a stream of sound, each row as soon as it is certain.

    Standard input is raw sound: signed 16-bit samples, little end first, one channel, 16,000 a second; ffmpeg makes it
    of any other with -f s16le -ac 1 -ar 16000 and sends it to a file, or to a pipe as it comes. Standard output
    has one JSON object a line, 100 for each second, as the rows of lipswap mouth: time_s (from the first sample),
    opening_mm, width_mm, viseme and shape. A row comes 0.15 s after its own time (0.22 s with a voice of the paper's
    recipe), and what is left comes at the end of the input.
    """
    from lipsync.controls import controls_of
    from lipsync.curve import table_rows
    from lipsync.live import LiveMouth, follow
    from lipsync.voice import open_voice
    from models.tensors import one_thread

    opened = open_voice(voice)
    controls, mouth, rows = controls_of(opened), LiveMouth(opened, LiveOptions(rest, close)), 0
    terminal.say(f"{voice}: listening; rows come {1000 * mouth.latency_s:.0f} ms late")
    pieces = pcm_pieces(cast("BufferedIOBase", sys.stdin.buffer))
    with one_thread():
        for track in follow(mouth, pieces):
            for row in table_rows(track, controls):
                click.echo(json.dumps(row))
            rows += track.times_s.shape[0]
    terminal.say(f"{rows} rows")


def pcm_pieces(stream: BufferedIOBase) -> Iterator[Floats]:
    """Read 16-bit samples as they come: pieces (N,) float32 in [-1, 1); half a sample at the very end is dropped."""
    import numpy as np

    rest = b""
    while more := stream.read1(MOST_BYTES):
        rest += more
        whole = len(rest) - len(rest) % SAMPLE_BYTES
        yield np.frombuffer(rest[:whole], dtype="<i2").astype(np.float32) / np.float32(FULL_SCALE)
        rest = rest[whole:]
