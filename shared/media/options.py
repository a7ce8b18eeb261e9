"""How a clip is to be encoded; free of heavy imports, so that the command line can show the defaults."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """Options of `shared.media.writer.open_writer`."""

    codec: str = "auto"
    """``auto`` (H.264 up to 8 bit, HEVC above; VP9 in WebM), ``h264``, ``hevc``, ``vp9``, ``av1``, ``ffv1``,
    ``prores``, or FFmpeg's name of an encoder."""
    crf: float = 16.0
    """Constant rate factor, 0 (best) to 51; 16 cannot be told from the source by eye."""
    preset: str = "medium"
    """x264's and x265's trade of time for size, ``ultrafast`` to ``veryslow``."""
    lossless: bool = False
    """Keep every sample of the frames given."""
    threads: int = 0
    """Threads of the encoder, 0 = as many as there are cores."""
    audio_bitrate: int = 192_000
    """Bits a second where sound has to be encoded by a lossy codec."""
