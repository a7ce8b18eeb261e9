"""Which clips are held out, and the recordings that lie there twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lipsync.features import audio_features
from lipsync.index import ClipMouths
from lipsync.splits import any_heard, speech_windows, split_clips
from shared.errors import UsageError
from shared.types import Floats, Sound

RATE = 16_000


def babble(seed: int, seconds: float) -> Floats:
    """Sound whose spectrum wanders as that of speech does."""
    rng = np.random.default_rng(seed)
    out = np.zeros(int(seconds * RATE))
    for low in (200, 500, 1000, 2000, 3500):
        spectrum = np.fft.rfft(rng.standard_normal(len(out)))
        frequencies = np.fft.rfftfreq(len(out), 1 / RATE)
        spectrum[(frequencies < low) | (frequencies > 1.5 * low)] = 0
        steps = np.arange(0, seconds + 0.1, 0.08)
        loud = np.interp(np.arange(len(out)) / RATE, steps, rng.uniform(-2.5, 2.5, len(steps)))
        out += np.fft.irfft(spectrum, len(out)) * np.exp(loud)
    return np.asarray(0.1 * out / out.std(), dtype=np.float32)


def clip_of(samples: Floats | None, name: str = "a") -> ClipMouths:
    spans: tuple[tuple[float, float], ...] = ()
    features = None
    if samples is not None:
        features = audio_features(Sound(samples, RATE))
        spans = ((0.0, len(samples) / RATE),)
    nothing = np.zeros(0)
    return ClipMouths(
        path=Path(f"{name}.mp4"),
        indices=nothing.astype(np.int64),
        times_s=nothing,
        faces=(),
        inside=nothing.astype(bool),
        sharpness=nothing.astype(np.float32),
        features=features,
        voiced=spans,
    )


@pytest.fixture(scope="module")
def clips() -> list[ClipMouths]:
    return [clip_of(babble(seed, 3.0), f"clip{seed}") for seed in range(8)]


def test_each_clip_is_on_one_side_and_the_seed_chooses(clips: list[ClipMouths]) -> None:
    split = split_clips(clips, 3, [True] * 8, seed=1)
    assert len(split.held) == 3
    assert sorted((*split.learn, *split.held)) == list(range(8))
    assert split.shared == ()
    assert split == split_clips(clips, 3, [True] * 8, seed=1)
    assert {split_clips(clips, 3, [True] * 8, seed=seed).held for seed in range(5)} != {split.held}


def test_a_fifth_is_held_out_where_no_number_is_given(clips: list[ClipMouths]) -> None:
    assert len(split_clips(clips, 0, [True] * 8, seed=0).held) == 2


def test_only_clips_that_may_be_and_have_sound_are_held_out(clips: list[ClipMouths]) -> None:
    mixed = [clip_of(None, "silent"), *clips[:3]]
    assert split_clips(mixed, 2, [True, True, False, True], seed=0).held == (1, 3)
    for hold_out, able in ((3, [True, True, False, True]), (4, [True] * 4)):
        with pytest.raises(UsageError, match="cannot be held out"):
            split_clips(mixed, hold_out, able, seed=0)


def test_the_same_recording_shifted_quieter_and_noisy_is_learned_from_nowhere(clips: list[ClipMouths]) -> None:
    rng = np.random.default_rng(3)
    again = babble(5, 3.0)
    late = np.concatenate([babble(99, 1.3), again * 0.2, babble(98, 0.7)])
    late += (0.002 * rng.standard_normal(len(late))).astype(np.float32)
    every = [*clips, clip_of(late.astype(np.float32), "copy")]
    split = split_clips(every, 1, [number == 5 for number in range(9)], seed=0)
    assert (split.held, split.shared) == ((5,), (8,))
    assert 8 not in split.learn


def test_the_correlation_is_that_of_the_slow_way(clips: list[ClipMouths]) -> None:
    window = speech_windows(clips[0])[1]
    features = clips[0].features
    assert features is not None
    rows = features[:, 1:13].astype(np.float64)
    best = -1.0
    for start in range(len(rows) - 150 + 1):
        pair = [one - one.mean(axis=0) for one in (window.astype(np.float64), rows[start : start + 150])]
        best = max(best, float((pair[0] * pair[1]).sum() / np.sqrt((pair[0] ** 2).sum() * (pair[1] ** 2).sum())))
    assert best == pytest.approx(1.0)
    assert any_heard([window], clips[0])
    assert not any_heard([window], clips[1])
    assert not any_heard([window], clip_of(None))
    assert not any_heard([window], clip_of(babble(0, 1.0)))


def test_where_all_say_the_same_nothing_is_left_to_learn(clips: list[ClipMouths]) -> None:
    with pytest.raises(UsageError, match="other speech"):
        split_clips([clips[0], clips[0]], 1, [True, True], seed=0)
