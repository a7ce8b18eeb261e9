"""A mouth that follows a stream of sound: each shape as soon as it is certain, in constant memory.

What needs the future is left out against a whole recording (`lipsync.predict`): the loudness is that of what was heard
so far (`lipsync.listening`), pauses are left to the network (a mouth of the paper's rests until voice is heard), and
nothing is smoothed. Lips close as there. Voices that can follow are those learned with ``lipswap learn --live``, and
the paper's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from lipsync.closure import close_lips
from lipsync.features import FIRST_ROW_S, SAMPLE_RATE_HZ, WINDOW
from lipsync.listening import Listener
from lipsync.options import LiveOptions, RecipeName
from lipsync.predict import CLOSING_S, OPENING_S, TRAIL_S, MouthTrack
from lipsync.recipes import recipe_of
from lipsync.voice import Voice
from models.audio2mouth import Audio2Mouth
from models.mouthnet import MouthModel
from models.stream import MouthStream, PaperStream
from shared.clock import FEATURE_RATE_HZ, times_of_rows
from shared.errors import UsageError
from shared.types import Floats

HELD: Final[tuple[RecipeName, ...]] = ("paper",)
"""Recipes whose mouth is held at rest in pauses, until voice is heard. A default network has learned to rest by itself
(its lips are open in 0.9% of a minute of noises of all kinds and levels), and lips move before they are heard: held on
30 GRID clips its M-LMD is 3.79 px, left to itself 3.41."""


class LiveMouth:
    """Samples in, mouth shapes out; rows of 10 ms, in order, at the times that a whole recording would have them."""

    def __init__(self, voice: Voice, options: LiveOptions | None = None) -> None:
        """Follow a new stream.

        Raises
        ------
        UsageError
            The voice's network hears to the end of its sound.
        InstallError
            The voice detector is missing.
        """
        self._voice, self._options = voice, options or LiveOptions()
        self._stream = stream_of(voice.net, str(voice.folder))
        recipe = recipe_of(voice.net)
        self._listener = Listener(recipe)
        self._pauses = _Pauses(self._stream.ahead - 1)
        self._rests = self._options.rest and recipe in HELD
        self._rows, self._ended = 0, False

    @property
    def latency_s(self) -> float:
        """How much later than its own time the last sample comes that a shape may wait for, seconds.

        With the usual sizes 0.153 s, for the paper's network 0.223 s; half a window of 25.6 ms is in it.
        """
        rows = self._stream.ahead + self._listener.late
        return rows / FEATURE_RATE_HZ + WINDOW / SAMPLE_RATE_HZ - FIRST_ROW_S

    def feed(self, samples: Floats) -> MouthTrack:
        """Add 16 kHz samples (N,) float32 in [-1, 1], any number; the rows that are certain now, often none."""
        return self._feed(samples, last=False)

    def end(self) -> MouthTrack:
        """The rows that waited for more, once no more comes; nothing can be fed after it."""
        rows = self._feed(np.zeros(0, dtype=np.float32), last=True)
        self._ended = True
        return rows

    def _feed(self, samples: Floats, last: bool) -> MouthTrack:
        if self._ended:
            raise ValueError("the stream has ended; follow another with a new LiveMouth")
        if samples.ndim != 1:
            raise ValueError(f"expected mono samples (N,), got {samples.shape}")
        features, voiced = self._listener.feed(samples, last)
        shapes = np.asarray(self._stream.feed(torch.from_numpy(features), last).numpy(), dtype=np.float32)
        times = times_of_rows(shapes.shape[0], FEATURE_RATE_HZ, FIRST_ROW_S + self._rows / FEATURE_RATE_HZ)
        self._rows += shapes.shape[0]
        resting = self._pauses.feed(voiced, shapes.shape[0], last)
        if self._rests:
            shapes = shapes + resting[:, np.newaxis] * (self._voice.rest - shapes)
        else:
            resting = np.zeros_like(resting)
        if self._options.close and shapes.shape[0]:
            shapes = close_lips(shapes, self._voice.basis, self._voice.closure)
        return MouthTrack(times, shapes, resting)


def follow(mouth: LiveMouth, pieces: Iterable[Floats]) -> Iterator[MouthTrack]:
    """Feed a stream to its end; what each piece makes certain, at least a row each."""
    for piece in pieces:
        if (track := mouth.feed(piece)).times_s.shape[0]:
            yield track
    if (track := mouth.end()).times_s.shape[0]:
        yield track


def stream_of(net: MouthModel, name: str) -> MouthStream | PaperStream:
    """A network on a stream of feature rows; `name` is its voice's, for the error as of `LiveMouth`."""
    if isinstance(net, Audio2Mouth):
        return PaperStream(net)
    if not net.config.live:
        raise UsageError(
            f"{name}: this voice hears its sound to the end and cannot follow a stream; learn it with "
            "lipswap learn --live"
        )
    return MouthStream(net)


class _Pauses:
    """How much the mouth rests, by voice heard until `ahead` rows later."""

    def __init__(self, ahead: int) -> None:
        self._ahead = ahead
        self._held = round(TRAIL_S * FEATURE_RATE_HZ) + ahead
        self._quiet = self._held + 1
        self._phase = 1.0
        self._skip = ahead
        self._voiced = False
        self._ready: deque[float] = deque()

    def feed(self, voiced: NDArray[np.bool_], count: int, last: bool) -> Floats:
        """Add voice of the next rows (N,) and take `count` rows of rest, (count,) float32 in [0, 1]."""
        if voiced.shape[0]:
            self._voiced = bool(voiced[-1])
        for heard in [*voiced.tolist(), *([self._voiced] * self._ahead if last else [])]:
            self._quiet = 0 if heard else min(self._quiet + 1, self._held + 1)
            step = 1.0 / CLOSING_S if self._quiet > self._held else -1.0 / OPENING_S
            self._phase = min(max(self._phase + step / FEATURE_RATE_HZ, 0.0), 1.0)
            if self._skip:
                self._skip -= 1
            else:
                self._ready.append(self._phase)
        phases = np.array([self._ready.popleft() for _ in range(count)], dtype=np.float32)
        return np.asarray(0.5 - 0.5 * np.cos(np.pi * phases), dtype=np.float32)
