"""The one whose mouth moves while somebody is heard is the speaker."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.face.speaker import agreement, energy_of, speaking, voiced_travel
from shared.types import Floats, Sound

TIMES: Floats = (np.arange(100) / 25).astype(np.float32)
VOICED = [(0.0, 2.0)]
SILENCE = Sound(np.zeros(64000, np.float32), 16000)


def voice(openings: Floats, seed: int = 1) -> Sound:
    """Noise that is the louder the wider a mouth stands open."""
    loudness = np.interp(np.arange(64000) / 16000, TIMES, openings)
    noise = np.random.default_rng(seed).normal(size=64000)
    return Sound((noise * loudness * 0.5).astype(np.float32), 16000)


def wobble(moves: NDArray[np.bool_]) -> Floats:
    return (np.where(moves, 0.1 + 0.1 * np.sin(np.arange(100) * 1.3), 0.1)).astype(np.float32)


def test_a_mouth_that_moves_with_the_voice_scores_above_one_that_does_not() -> None:
    talks, chews, still = wobble(TIMES < 2), wobble(TIMES < 99), wobble(TIMES < 0)
    listener = wobble(TIMES >= 2)
    scores = [voiced_travel(TIMES, one, VOICED) for one in (talks, chews, still, listener)]
    assert scores[0] > 1
    assert abs(scores[1]) < 0.2 * scores[0]
    assert scores[2] == 0
    assert scores[3] < -1


def test_a_gap_between_frames_counts_for_nothing() -> None:
    times = np.array([0.0, 0.04, 1.0], np.float32)
    assert voiced_travel(times, np.array([0.0, 0.0, 0.5], np.float32), VOICED) == 0


def test_one_frame_alone_says_nothing() -> None:
    assert speaking(TIMES[:1], TIMES[:1], VOICED, SILENCE) == 0


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="one length"):
        speaking(TIMES, TIMES[:5], VOICED, SILENCE)


def test_a_mouth_agrees_with_its_own_voice_and_not_with_another_s() -> None:
    rng = np.random.default_rng(2)
    mouths = [np.abs(np.convolve(rng.normal(size=104), np.ones(5) / 5, "valid")).astype(np.float32) for _ in range(2)]
    own = [agreement(TIMES, mouth, voice(mouth)) for mouth in mouths]
    other = [agreement(TIMES, mouths[0], voice(mouths[1])), agreement(TIMES, mouths[1], voice(mouths[0]))]
    assert min(own) > 0.5
    assert max(other) < min(own) - 0.15, (own, other)
    assert agreement(TIMES, mouths[0], SILENCE) == 0


def test_of_two_that_move_alike_the_one_who_fits_the_sound_is_the_speaker() -> None:
    rng = np.random.default_rng(3)
    mouths = [np.abs(np.convolve(rng.normal(size=104), np.ones(5) / 5, "valid")).astype(np.float32) for _ in range(2)]
    whole = [(0.0, 4.0)]
    for number in range(2):
        scores = [speaking(TIMES, mouth, whole, voice(mouths[number])) for mouth in mouths]
        assert int(np.argmax(scores)) == number


def test_the_energy_of_a_sound_may_be_known_before() -> None:
    mouth = wobble(TIMES < 2)
    sound = voice(mouth)
    energy = energy_of(sound)
    assert energy.shape == (64001,)
    assert speaking(TIMES, mouth, VOICED, sound, energy) == speaking(TIMES, mouth, VOICED, sound) > 0
