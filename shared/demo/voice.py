"""Speech synthesised on the spot: the two voices of the demo."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from shared.clock import time_of_sample
from shared.errors import InstallError
from shared.types import Floats, Sound

RATE_HZ: Final = 16_000
"""What the synthesiser gives."""
VOLUME: Final = 0.5
"""At 1 the synthesiser clips the loudest vowels."""


class _Synthesiser(Protocol):
    def speak(self, text: str, *, voice: str, speed: float, pitch: float, volume: float) -> bytes:
        """Give 16-bit mono samples at `RATE_HZ`."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """A voice of the synthesiser."""

    language: str
    """``en-US`` or ``en-GB``, each with a voice of its own."""
    pitch: float = 1.0
    """Relative, [0.5, 2]."""
    speed: float = 1.0
    """Relative, [0.2, 5]."""


def speak(text: str, speaker: Speaker) -> Sound:
    """A sentence spoken by py-nanotts (SVOX Pico; Apache-2.0).

    The same text gives the same length and nearly the same samples; the noise in its hisses goes on from call to call.

    Raises
    ------
    InstallError : the package is not there or does not load on this platform.
    """
    pcm = _synthesiser().speak(text, voice=speaker.language, speed=speaker.speed, pitch=speaker.pitch, volume=VOLUME)
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(32768.0)
    if samples.size == 0:
        raise ValueError(f"nothing was spoken for {text!r} with {speaker}")
    return Sound(samples, RATE_HZ)


def joined(
    parts: list[Sound], pause_s: float, rate_hz: int = RATE_HZ, floor_dbfs: float = -62.0, seed: int = 0
) -> tuple[Sound, list[float]]:
    """Sentences one after the other with pauses before, between and behind, over a faint room tone.

    Parameters
    ----------
    pause_s : length of each pause.
    floor_dbfs : loudness of the room tone (white noise, smoothed a little).

    Returns
    -------
    The sound, and the start of each part in seconds.
    """
    gap = np.zeros(round(pause_s * rate_hz), dtype=np.float32)
    pieces: list[Floats] = [gap]
    starts: list[float] = []
    length = gap.size
    for part in parts:
        if part.rate_hz != rate_hz:
            raise ValueError(f"expected sound at {rate_hz} Hz, got {part.rate_hz}")
        starts.append(float(time_of_sample(length, rate_hz)))
        pieces += [part.samples, gap]
        length += part.samples.size + gap.size
    samples = np.concatenate(pieces)
    noise = np.random.default_rng(seed).normal(size=samples.size + 2)
    room = np.convolve(noise, [0.25, 0.5, 0.25], mode="valid")
    room *= 10.0 ** (floor_dbfs / 20.0) / max(float(room.std()), 1e-9)
    return Sound(np.clip(samples + room, -1.0, 1.0).astype(np.float32), rate_hz), starts


def _synthesiser() -> _Synthesiser:
    try:
        package = importlib.import_module("py_nanotts")
    except ImportError as error:
        raise InstallError(
            f"the demo speaks with py-nanotts, which does not load here ({error}): pip install py-nanotts "
            "(there are builds for Linux on x86-64); the other commands do not need it"
        ) from error
    synthesiser: _Synthesiser = package.NanoTTS()
    return synthesiser
