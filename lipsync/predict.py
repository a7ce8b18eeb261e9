"""Speech to a track of mouth shapes: the network, rest where nobody speaks, little smoothing, lips that close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from lipsync.closure import close_lips
from lipsync.features import row_times_s
from lipsync.options import RecipeName, SyncOptions
from lipsync.recipes import hear, recipe_of
from lipsync.voice import Voice
from models.mouthnet import MouthNet
from shared.clock import FEATURE_RATE_HZ, rows_around
from shared.media.sound import Span, voiced_spans
from shared.types import Floats, Sound

LEAD_S = 0.25
"""Lips leave their rest well before they are heard: the network is believed from this long before speech (on held-out
GRID clips 0.10 s costs 0.24 px of M-LMD, 0.30 s nothing)..."""
TRAIL_S = 0.10
"""...to this long after it."""
WIDE_S: Final = (0.80, 0.60)
"""The same for a network that has learned to rest by itself: these cost 0.010 px of M-LMD (100 held-out GRID clips),
where 0.50 and 0.30 s cost 0.046, and hold the mouth in longer pauses all the same."""
SMOOTH_MS: Final[Mapping[RecipeName, float]] = {"paper": 15.0, "default": 5.0}
"""Usual smoothing: steps of 20 ms with straight lines between are smooth by themselves, and 15 would cost 0.011 px."""
MARGINS_S: Final[Mapping[RecipeName, tuple[float, float]]] = {"paper": (LEAD_S, TRAIL_S), "default": WIDE_S}
OPENING_S = 0.15
"""Time over which rest gives way to speech (half a cosine), and below it speech to rest."""
CLOSING_S = 0.20


@dataclass(frozen=True, slots=True)
class MouthTrack:
    """Mouth shapes over time.

    Attributes
    ----------
    times_s : (T,) float64, 100 rows a second, T >= 1.
    shapes : (T, 20) float32.
    resting : (T,) float32 in [0, 1], 1 where the mouth is held at rest.
    """

    times_s: NDArray[np.float64]
    shapes: Floats
    resting: Floats

    def at(self, time_s: float) -> Floats:
        """Shape at a time, linear between rows, constant beyond the ends: (20,) float32."""
        before, after, share = rows_around(time_s, FEATURE_RATE_HZ, float(self.times_s[0]), len(self.shapes))
        return np.asarray(self.shapes[before] * (1 - share) + self.shapes[after] * share, np.float32)


def predict_track(voice: Voice, sound: Sound, options: SyncOptions) -> MouthTrack:
    """Predict how the speaker of `voice` would move the mouth to this sound (16 kHz)."""
    voiced = voiced_spans(sound)
    shapes = predict_rows(voice, sound, voiced)
    if shapes.shape[0] == 0:
        return MouthTrack(np.zeros(1), voice.rest[np.newaxis], np.ones(1, dtype=np.float32))
    times = row_times_s(shapes.shape[0])
    resting = np.zeros(shapes.shape[0], dtype=np.float32)
    if options.rest:
        resting = rest_share(times, voiced, MARGINS_S[recipe_of(voice.net)])
    shapes = shapes + resting[:, np.newaxis] * (voice.rest - shapes)
    smooth_ms = SMOOTH_MS[recipe_of(voice.net)] if options.smooth_ms is None else options.smooth_ms
    shapes = smoothed(shapes, smooth_ms)
    if options.close:
        shapes = close_lips(shapes, voice.basis, voice.closure)
    return MouthTrack(times, shapes.astype(np.float32), resting)


def smoothed(shapes: Floats, smooth_ms: float) -> Floats:
    """Shapes (T, 20), 100 rows a second, under a Gaussian of so many milliseconds; 0 leaves them as they are."""
    if smooth_ms <= 0:
        return shapes
    return np.asarray(gaussian_filter1d(shapes, smooth_ms * 1e-3 * FEATURE_RATE_HZ, axis=0, mode="nearest"))


def predict_rows(voice: Voice, sound: Sound, voiced: Sequence[Span] | None = None) -> Floats:
    """What a voice makes of a sound (16 kHz), before rest, smoothing and closing.

    Parameters
    ----------
    voiced : where somebody speaks, as of `shared.media.sound.voiced_spans`; None listens for it.

    Returns
    -------
    (T, 20) float32 mouth shapes at `lipsync.features.row_times_s`, 100 a second.
    """
    spans = voiced_spans(sound) if voiced is None else voiced
    features = hear(recipe_of(voice.net), sound, spans)
    if voice.strangers is not None and isinstance(voice.net, MouthNet):
        return voice.strangers.shapes(voice.net, features)
    return np.asarray(voice.net.shapes_of(torch.from_numpy(features)).numpy(), dtype=np.float32)


def rest_share(
    times_s: NDArray[np.float64], voiced: Sequence[Span], margins_s: tuple[float, float] = (LEAD_S, TRAIL_S)
) -> Floats:
    """How much the mouth rests at each time: 0 in speech, 1 in pauses, half cosines between.

    Parameters
    ----------
    times_s : (T,) seconds.
    voiced : (start, end) of speech in seconds.
    margins_s : how long before and after speech the network is believed.

    Returns
    -------
    (T,) float32 in [0, 1].
    """
    resting = np.ones(times_s.shape)
    for start, end in voiced:
        early = np.clip((start - margins_s[0] - times_s) / OPENING_S, 0.0, 1.0)
        late = np.clip((times_s - end - margins_s[1]) / CLOSING_S, 0.0, 1.0)
        # Closest span decides: the least rest that any of them allows.
        resting = np.minimum(resting, 0.5 - 0.5 * np.cos(np.pi * np.maximum(early, late)))
    return resting.astype(np.float32)
