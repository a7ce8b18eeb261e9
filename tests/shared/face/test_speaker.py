"""The one whose mouth moves while somebody is heard is the speaker."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.face.speaker import speaking
from shared.types import Floats

TIMES: Floats = (np.arange(100) / 25).astype(np.float32)
VOICED = [(0.0, 2.0)]


def wobble(moves: NDArray[np.bool_]) -> Floats:
    return (np.where(moves, 0.1 + 0.1 * np.sin(np.arange(100) * 1.3), 0.1)).astype(np.float32)


def test_a_mouth_that_moves_with_the_voice_scores_above_one_that_does_not() -> None:
    talks, chews, still = wobble(TIMES < 2), wobble(TIMES < 99), wobble(TIMES < 0)
    listener = wobble(TIMES >= 2)
    scores = [speaking(TIMES, one, VOICED) for one in (talks, chews, still, listener)]
    assert scores[0] > 1
    assert abs(scores[1]) < 0.2 * scores[0]
    assert scores[2] == 0
    assert scores[3] < -1


def test_a_gap_between_frames_counts_for_nothing() -> None:
    times = np.array([0.0, 0.04, 1.0], np.float32)
    assert speaking(times, np.array([0.0, 0.0, 0.5], np.float32), VOICED) == 0


def test_one_frame_alone_says_nothing() -> None:
    assert speaking(TIMES[:1], TIMES[:1], VOICED) == 0


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="one length"):
        speaking(TIMES, TIMES[:5], VOICED)
