"""How a clip is to be encoded; free of heavy imports, so that the command line can show the defaults."""

from __future__ import annotations

from dataclasses import dataclass

WORST_CRF = 51.0
"""End of x264's and x265's scale; those of VP9 and AV1 (63) are stretched to it."""
PRESETS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow", "placebo"),
)


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """Options of `shared.media.writer.open_writer`."""

    codec: str = "auto"
    """``auto`` (H.264 up to 8 bit, HEVC above; VP9 in WebM), ``h264``, ``hevc``, ``vp9``, ``av1``, ``ffv1``,
    ``prores``, or FFmpeg's name of an encoder."""
    crf: float = 16.0
    """Constant rate factor, 0 (best) to 51; 16 cannot be told from the source by eye."""
    preset: str = "medium"
    """x264's and x265's trade of time for size, one of `PRESETS`; other encoders have none."""
    lossless: bool = False
    """Keep every sample of the frames given."""
    threads: int = 0
    """Threads of the encoder, 0 = as many as there are cores."""
    audio_bitrate: int = 192_000
    """Bits a second where sound has to be encoded by a lossy codec."""

    def __post_init__(self) -> None:
        if not 0 <= self.crf <= WORST_CRF:
            raise ValueError(f"crf must be 0 to {WORST_CRF:g}, got {self.crf:g}")
        if self.preset not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {self.preset}")
