"""By how much the sound comes after the mouth that made it.

A ridge regression from spectral features to the mouth is fitted on other clips of the speaker; on the clip to be
judged its prediction is shifted in steps of 10 ms, and a parabola through the best correlation gives the lag. Only
the lag *relative to those other clips* can be known. Mouth opening against loudness gives wrong lags and is not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from librosa.filters import mel
from numpy.typing import NDArray

from shared.clock import FEATURE_RATE_HZ
from shared.metrics.track import parabolic_peak
from shared.types import Floats, Sound

MEL_FILTERS, CEPSTRA = 26, 13
LOWEST_HZ, HIGHEST_HZ = 100.0, 7000.0
WINDOW_S = 0.0256
DEEPEST_NEPERS = 12.0
"""Band energies this far (52 dB) below the loud parts count as silence, so that digital zeros do not stand out."""
CONTEXT_S = np.arange(-12, 13) * 0.02
"""+-240 ms, the reach of the ridge in the project's first experiment."""


@dataclass(frozen=True, slots=True)
class LagOptions:
    """How the lag is sought."""

    reach_s: float = 0.6  # largest lag that is tried, either way
    step_s: float = 0.01
    ridge: float = 0.03  # share of the features' total variance added to the diagonal, > 0
    least_speech_s: float = 20.0  # under it only an interval is given
    block_s: float = 2.0  # unit of the bootstrap
    rounds: int = 400  # of the bootstrap
    confidence: float = 0.95
    least_contrast: float = 3.3  # see `Lag.contrast`; about 1 in 100 unrelated sounds gets so far over all lags
    seed: int = 0


@dataclass(frozen=True, slots=True)
class SpeakingClip:
    """A mouth and the sound beside it on one clock."""

    sound: Sound
    mouth: Floats
    """(T, D) float32: any numbers that tell the mouth's shape; NaN rows where there is no face."""
    times_s: NDArray[np.float64]
    """(T,) times of the frames."""


@dataclass(frozen=True, slots=True)
class LagModel:
    """The fitted regression."""

    weights: NDArray[np.float64]
    """(features x context + 1, D); the last row is the constant."""
    trust: NDArray[np.float64]
    """(D,) weight of each mouth number in the score: its r^2 on the clips that were fitted."""
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Lag:
    """What was found."""

    lag_s: float
    """Positive: the sound comes late, the mouth leads. NaN under `least_speech_s` or where no peak stands out."""
    low_s: float
    high_s: float
    """Bootstrap interval; NaN where no peak stands out."""
    correlation: float
    """At the peak."""
    contrast: float
    """The peak over the standard deviation of what chance gives: the prediction read backwards, at any lag."""
    speech_s: float


def fit_lag(clips: Sequence[SpeakingClip], options: LagOptions | None = None) -> LagModel:
    """Fit the regression on clips that are in sync and are not those to be judged."""
    options = options or LagOptions()
    if not clips or len({clip.sound.rate_hz for clip in clips}) != 1:
        raise ValueError("the lag is fitted on at least one clip, all at one sample rate")
    parts = [(_rows(clip, _features(clip.sound), 0.0), clip.mouth) for clip in clips]
    kept = [np.isfinite(mouth).all(axis=1) for _, mouth in parts]
    inputs = np.concatenate([rows[keep] for (rows, _), keep in zip(parts, kept, strict=True)])
    wanted = np.concatenate([mouth[keep] for (_, mouth), keep in zip(parts, kept, strict=True)]).astype(np.float64)
    if len(inputs) < 2 * CEPSTRA:
        raise ValueError(f"the lag needs more frames with a mouth than {2 * CEPSTRA}, got {len(inputs)}")
    mean, goal = inputs.mean(axis=0), wanted.mean(axis=0)
    centred = inputs - mean
    square = centred.T @ centred
    square[np.diag_indices_from(square)] += options.ridge * np.trace(square) / len(square)
    slopes = np.linalg.solve(square, centred.T @ (wanted - goal))
    fitted = centred @ slopes
    spread = np.maximum(fitted.std(axis=0) * wanted.std(axis=0), 1e-12)
    trust = (np.mean(fitted * (wanted - goal), axis=0) / spread) ** 2
    return LagModel(np.vstack([slopes, goal - mean @ slopes]), trust, clips[0].sound.rate_hz)


def measure_lag(model: LagModel, clips: Sequence[SpeakingClip], options: LagOptions | None = None) -> Lag:
    """The common lag of clips that the model has not seen; see `Lag`."""
    options = options or LagOptions()
    steps = round(options.reach_s / options.step_s)
    shifts = np.arange(-steps, steps + 1, dtype=np.float64) * np.float64(options.step_s)
    blocks: list[NDArray[np.float64]] = []
    pairs: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    speech_s = 0.0
    for clip in clips:
        if clip.sound.rate_hz != model.rate_hz:
            raise ValueError(f"the model was fitted at {model.rate_hz} Hz, this sound has {clip.sound.rate_hz} Hz")
        features = _features(clip.sound)
        speech_s += float(np.mean(features[:, 0] > -DEEPEST_NEPERS / 2)) * clip.sound.duration_s
        keep, made, wanted = _predictions(model, clip, features, shifts)
        if keep.any():
            blocks.extend(_moments(made, wanted, (clip.times_s[keep] / options.block_s).astype(int)))
            pairs.append((made[steps], wanted))
    sums = np.array(blocks)
    nothing = float("nan")
    if not pairs:
        return Lag(nothing, nothing, nothing, nothing, 0.0, speech_s)
    scores = _scores(sums.sum(axis=0), model.trust)
    contrast = float(scores.max()) / _chance(pairs, model.trust)
    peak = int(np.argmax(scores))
    if contrast < options.least_contrast or peak in (0, len(scores) - 1):
        return Lag(nothing, nothing, nothing, float(scores.max()), contrast, speech_s)
    rng = np.random.default_rng(options.seed)
    drawn = [
        parabolic_peak(_scores(sums[rng.integers(0, len(sums), len(sums))].sum(axis=0), model.trust))
        for _ in range(options.rounds)
    ]
    tail = (1 - options.confidence) / 2
    low, high = ((np.quantile(drawn, [tail, 1 - tail]) - steps) * options.step_s).tolist()
    lag_s = (parabolic_peak(scores) - steps) * options.step_s if speech_s >= options.least_speech_s else nothing
    return Lag(lag_s, low, high, float(scores.max()), contrast, speech_s)


def predict_mouth(model: LagModel, sound: Sound, times_s: NDArray[np.float64]) -> Floats:
    """What the regression says of the mouth at each time: (T, D) float32. A baseline for any better predictor."""
    if sound.rate_hz != model.rate_hz:
        raise ValueError(f"the model was fitted at {model.rate_hz} Hz, this sound has {sound.rate_hz} Hz")
    nobody = SpeakingClip(sound, np.zeros((len(times_s), 0), dtype=np.float32), times_s)
    made = _rows(nobody, _features(sound), 0.0) @ model.weights[:-1] + model.weights[-1]
    return np.asarray(made, dtype=np.float32)


def _predictions(
    model: LagModel, clip: SpeakingClip, features: NDArray[np.float64], shifts: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """The frames used (T,), what the model says of them at each shift (shifts, n, D), and their mouths (n, D).

    The same frames serve every shift, or the end of a clip would favour some of them.
    """
    keep = np.asarray(np.isfinite(clip.mouth).all(axis=1), dtype=np.bool_)
    reach = float(shifts[-1])
    keep &= (clip.times_s >= reach) & (clip.times_s <= clip.sound.duration_s - reach)
    rows = (_rows(clip, features, float(shift))[keep] for shift in shifts)
    made = np.stack([row @ model.weights[:-1] + model.weights[-1] for row in rows])
    return keep, made, clip.mouth[keep].astype(np.float64)


def _moments(
    made: NDArray[np.float64], wanted: NDArray[np.float64], block_of: NDArray[np.int_]
) -> list[NDArray[np.float64]]:
    """Sums from which a correlation is made, one (shifts, D, 6) array a block."""
    sums = []
    for block in np.unique(block_of):
        x = made[:, block_of == block]
        y = np.broadcast_to(wanted[block_of == block], x.shape)
        parts = (np.ones_like(x), x, y, x * x, y * y, x * y)
        sums.append(np.stack([part.sum(axis=1) for part in parts], axis=-1))
    return sums


def _scores(sums: NDArray[np.float64], trust: NDArray[np.float64]) -> NDArray[np.float64]:
    count, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    both = xy / count - x * y / count**2
    spread = np.sqrt(np.maximum((xx / count - (x / count) ** 2) * (yy / count - (y / count) ** 2), 1e-18))
    return np.asarray((both / spread) @ trust / max(float(trust.sum()), 1e-12), dtype=np.float64)


def _chance(pairs: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], trust: NDArray[np.float64]) -> float:
    """Spread of the score when the prediction runs backwards: it keeps its rhythm and loses all sync."""
    made, wanted = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
    made, wanted = ((part - part.mean(axis=0)) / np.maximum(part.std(axis=0), 1e-9) for part in (made[::-1], wanted))
    spectrum = np.fft.rfft(wanted, axis=0) * np.conj(np.fft.rfft(made, axis=0))
    scores = np.fft.irfft(spectrum, n=len(made), axis=0) @ trust / (len(made) * max(float(trust.sum()), 1e-12))
    return max(float(scores.std()), 1e-6)


def _rows(clip: SpeakingClip, features: NDArray[np.float64], shift_s: float) -> NDArray[np.float64]:
    """(T, features x context): the features around each frame's time, `shift_s` later in the sound."""
    if clip.mouth.ndim != 2 or clip.times_s.shape != clip.mouth.shape[:1]:
        raise ValueError(f"expected (T, D) mouths with (T,) times, got {clip.mouth.shape} and {clip.times_s.shape}")
    places = (clip.times_s[:, np.newaxis] + shift_s + CONTEXT_S) * FEATURE_RATE_HZ
    places = np.clip(places, 0, len(features) - 1)
    before = np.minimum(places.astype(int), max(len(features) - 2, 0))
    share = (places - before)[..., np.newaxis]
    mixed = features[before] * (1 - share) + features[np.minimum(before + 1, len(features) - 1)] * share
    return np.asarray(mixed.reshape(len(places), -1), dtype=np.float64)


def _features(sound: Sound) -> NDArray[np.float64]:
    """(T, 14) log energy and cepstra without the zeroth, row k centred at k / 100 s; loudness of the clip removed."""
    window = round(WINDOW_S * sound.rate_hz)
    hops = np.arange(int(sound.duration_s * FEATURE_RATE_HZ) + 1) / FEATURE_RATE_HZ
    starts = np.rint(hops * sound.rate_hz).astype(int)
    padded = np.pad(sound.samples.astype(np.float64), (window // 2, window + sound.rate_hz // FEATURE_RATE_HZ))
    frames = padded[starts[:, np.newaxis] + np.arange(window)] * np.hamming(window)
    size = 1 << (window - 1).bit_length()
    power = np.abs(np.fft.rfft(frames, size, axis=1)) ** 2
    bands = np.log(power @ _mel_filters(sound.rate_hz, size).T + 1e-30)
    energy = np.log(np.sum(power, axis=1) + 1e-30)
    loud = float(np.percentile(energy, 95))
    bands = np.maximum(bands - loud, -DEEPEST_NEPERS - 4.0)
    angle = np.pi / MEL_FILTERS * (np.arange(MEL_FILTERS) + 0.5)
    cepstra = bands @ np.cos(np.outer(angle, np.arange(1, CEPSTRA + 1))) * np.sqrt(2 / MEL_FILTERS)
    return np.column_stack([np.maximum(energy - loud, -DEEPEST_NEPERS), cepstra])


def _mel_filters(rate_hz: int, size: int) -> NDArray[np.float64]:
    """Triangles of height 1, even on the scale 2595 log10(1 + f / 700): (26, size / 2 + 1) float64."""
    highest_hz = min(HIGHEST_HZ, rate_hz / 2)
    bank = mel(
        sr=rate_hz, n_fft=size, n_mels=MEL_FILTERS, fmin=LOWEST_HZ, fmax=highest_hz, htk=True, norm=None,
        dtype=np.float64,
    )  # fmt: skip
    return np.asarray(bank, dtype=np.float64)
