"""A file that a muxer fills, with the metadata of the clip that it is made from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av
from av.container import OutputContainer

from shared.errors import LipswapError, MediaError, from_os_error
from shared.types import ClipInfo

MAX_MOVIE_TIMESCALE = 1 << 30
"""Units a second in which MP4 states the start of each track; FFmpeg's default of 1000 would round it."""
STALE_KEYS = ("encoder", "major_brand", "minor_version", "compatible_brands", "duration")
"""Container metadata of the source that would be untrue of the output."""


def open_muxer(partial: Path, muxer: str, like: ClipInfo) -> OutputContainer:
    """Open a file for writing, with the metadata of the clip `like`; MediaError where it cannot be."""
    options = {}
    if muxer in ("mp4", "mov"):
        options = {"movflags": "+faststart", "movie_timescale": str(_movie_timescale(like))}
    elif muxer in ("matroska", "webm"):
        # Codecs' pre-roll has negative times; FFmpeg would shift the picture with it.
        options = {"avoid_negative_ts": "disabled"}
    with as_media_errors(partial):
        partial.unlink(missing_ok=True)
        output = av.open(f"file:{partial}", "w", format=muxer, container_options=options)
    if like.path.is_file():
        with suppress(av.FFmpegError), av.open(f"file:{like.path}", metadata_errors="replace") as source:
            output.metadata.update({key: value for key, value in source.metadata.items() if key not in STALE_KEYS})
    return output


def _movie_timescale(like: ClipInfo) -> int:
    """A unit in which both the picture's and the sound's start are whole, where one fits."""
    scale = like.time_base.denominator
    for stream in like.streams:
        if stream.kind == "audio" and stream.detail:
            both = math.lcm(scale, int(stream.detail.split()[0]))
            scale = both if both <= MAX_MOVIE_TIMESCALE else scale
    return scale


@contextmanager
def as_media_errors(path: Path) -> Iterator[None]:
    """Turn FFmpeg's and the system's errors into those of the user's world."""
    try:
        yield
    except LipswapError:
        raise
    except OSError as error:
        raise from_os_error(error, path, "writing the clip") from error
    except av.FFmpegError as error:
        raise MediaError(f"{path}: {error.strerror or error} while writing the clip; try another codec") from error
