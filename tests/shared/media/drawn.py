"""Clips drawn and encoded from a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from numpy.typing import NDArray


@dataclass(frozen=True)
class Recipe:
    """What a drawn clip is like."""

    frames: int = 10
    size: tuple[int, int] = (48, 64)
    pix_fmt: str = "yuv420p"
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=lambda: {"qp": "0", "preset": "ultrafast"})
    time_base: Fraction = Fraction(1, 12800)
    pts: Sequence[int] | None = None
    rate: Fraction = Fraction(25)
    audio: str | None = None
    audio_rate: int = 44100
    audio_start: int = 0
    container_options: dict[str, str] = field(default_factory=dict)
    setup: Callable[[VideoStream], None] | None = None


def drawn_picture(recipe: Recipe, number: int, seed: int = 0) -> av.VideoFrame:
    """A soft random texture that drifts, with a different corner in each quadrant."""
    rng = np.random.default_rng(seed)
    frame = av.VideoFrame(recipe.size[1], recipe.size[0], recipe.pix_fmt)
    depth = max(part.bits for part in frame.format.components)
    for number_of_plane, plane in enumerate(frame.planes):
        row_bytes = plane.line_size
        dtype = np.uint8 if depth == 8 else np.uint16
        rows = np.frombuffer(plane, dtype=dtype).reshape(plane.height, -1)  # type: ignore[call-overload]
        y, x = np.mgrid[0 : plane.height, 0 : row_bytes // np.dtype(dtype).itemsize]
        wave = 0.5 + 0.2 * np.sin(x / 5 + number / 3 + number_of_plane) + 0.2 * (y / plane.height)
        noise = rng.normal(0, 0.01, wave.shape)
        rows[:] = np.clip((wave + noise) * ((1 << depth) - 1), 16 << (depth - 8), 235 << (depth - 8)).astype(dtype)
    return frame


def tone(rate: int, start: int, samples: int, hz: float = 440.0) -> NDArray[np.int16]:
    """Mono int16 sine as (1, samples)."""
    time = (start + np.arange(samples)) / rate
    wave: NDArray[np.int16] = np.rint(9000 * np.sin(2 * np.pi * hz * time)).astype(np.int16)
    return wave[None, :]


def make_clip(path: Path, recipe: Recipe) -> Path:
    """Draw and encode a clip by PyAV alone."""
    with av.open(str(path), "w", container_options=recipe.container_options) as out:
        video = out.add_stream(recipe.codec, rate=recipe.rate, options=dict(recipe.options))
        assert isinstance(video, VideoStream)
        context = video.codec_context
        context.height, context.width = recipe.size
        context.pix_fmt = recipe.pix_fmt
        context.time_base = video.time_base = recipe.time_base
        if recipe.setup is not None:
            recipe.setup(video)
        sound = _add_sound(out, recipe)
        step = round(1 / (recipe.rate * recipe.time_base))
        for number in range(recipe.frames):
            frame = drawn_picture(recipe, number)
            frame.pts = number * step if recipe.pts is None else recipe.pts[number]
            frame.time_base, frame.duration = recipe.time_base, step
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if sound is not None:
            _write_tone(out, sound, recipe)
    return path


def _add_sound(out: av.container.OutputContainer, recipe: Recipe) -> AudioStream | None:
    if recipe.audio is None:
        return None
    sound = out.add_stream(recipe.audio, rate=recipe.audio_rate, layout="mono")
    assert isinstance(sound, AudioStream)
    return sound


def _write_tone(out: av.container.OutputContainer, sound: AudioStream, recipe: Recipe) -> None:
    total = int(recipe.frames / recipe.rate * recipe.audio_rate)
    for start in range(0, total, 1000):
        frame = AudioFrame.from_ndarray(
            tone(recipe.audio_rate, start, min(1000, total - start)), format="s16", layout="mono"
        )
        frame.sample_rate = recipe.audio_rate
        frame.pts, frame.time_base = start + recipe.audio_start, Fraction(1, recipe.audio_rate)
        out.mux(sound.encode(frame))
    out.mux(sound.encode(None))


def shifted(source: Path, target: Path, by_s: float) -> Path:
    """The same packets in another file, all later by `by_s` seconds, as a broadcast captured midway."""
    with av.open(str(source)) as before, av.open(str(target), "w", options={"output_ts_offset": str(by_s)}) as out:
        tracks = {stream.index: out.add_stream_from_template(stream) for stream in before.streams}
        for packet in before.demux():
            if packet.size:
                packet.stream = tracks[packet.stream_index]
                out.mux(packet)
    return target


def renamed_codec(source: Path, target: Path, name: bytes, unknown: bytes) -> Path:
    """The same file with a codec's name put out of FFmpeg's knowledge."""
    whole = source.read_bytes()
    if name not in whole or len(name) != len(unknown):
        raise ValueError(f"{source} has no {name!r} that {unknown!r} can stand for")
    target.write_bytes(whole.replace(name, unknown))
    return target
