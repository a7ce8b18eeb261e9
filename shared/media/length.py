"""How long the sound of a file is, without decoding it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import av

from shared.errors import MediaError
from shared.media.reader import open_input

CUT_S: Final = 0.2
"""Speech that lasts this much longer than its clip is cut audibly; encoders pad less."""


def sound_length_s(path: Path) -> float:
    """Seconds of a file's sound, as its container states them, else as its packets do; 0 where neither tells.

    Raises
    ------
    MediaError : the file cannot be opened, or has no audio track that can be decoded.
    """
    container = open_input(path)
    try:
        stream = next((one for one in container.streams.audio if one.codec_context is not None), None)
        if stream is None:
            raise MediaError(f"{path}: has no audio track that can be decoded; give another file")
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        if container.duration is not None:
            return container.duration / av.time_base
        longest = 0.0
        for packet in container.demux(stream):
            if packet.pts is not None and packet.time_base is not None:
                longest = max(longest, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        return longest
    except av.FFmpegError as error:
        raise MediaError(f"{path}: its sound cannot be read ({error.strerror or error}); give another file") from error
    finally:
        container.close()
