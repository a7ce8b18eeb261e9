"""How unlike frames look, in units of the footage's own change."""

from __future__ import annotations

import numpy as np
import pytest

from lipsync import looks as module
from lipsync.looks import LEAST_CHANGE, SIZE, Looks
from lipsync.voice import Pool


def brightening(step: float, clips: tuple[int, ...] = (0,) * 20) -> Looks:
    """Frames each brighter than the one before."""
    count = len(clips)
    points = np.zeros((count, 68, 2), dtype=np.float32)
    times = np.arange(count, dtype=np.float64) * 0.04
    rows = np.arange(count)[::-1].copy()  # the file has them in another order
    pool = Pool(points, points, np.zeros((count, 3), np.float32), times, np.array(clips, np.int32), rows)
    levels = (20 + step * np.arange(count)[::-1]).astype(np.uint8)
    return Looks(pool, np.broadcast_to(levels[:, None, None, None], (count, 45, 61, 3)))


def test_a_usual_change_is_one() -> None:
    looks = brightening(4.0)
    assert looks.usual == pytest.approx(16.0)
    one, other = looks.of(np.array([0, 5])), looks.of(np.array([0, 1, 2]))
    assert one.shape == (2, SIZE[0] * SIZE[1] * 3)
    np.testing.assert_allclose(looks.unlike(one, other), [[0, 1, 4], [25, 16, 9]], atol=1e-3)


def test_still_footage_has_a_least_change_and_single_frames_none() -> None:
    assert brightening(0.0).usual == LEAST_CHANGE
    alone = brightening(4.0, tuple(range(20)))
    assert alone.unlike(alone.of(np.array([0])), alone.of(np.array([19]))).max() == 0.0


def test_only_the_next_frame_of_the_same_clip_follows() -> None:
    looks = brightening(1.0, (0, 0, 0, 1, 1))
    here, there = np.array([0, 1, 2]), np.array([0, 1, 2, 3])
    expected = [[False, True, False, False], [False, False, True, False], [False, False, False, False]]
    np.testing.assert_array_equal(looks.follows(here, there, 0.04), expected)
    assert not looks.follows(here, there, 0.0).any()
    assert not looks.follows(here[:1], there, 0.11).any()  # half the step would reach frame 2
    np.testing.assert_array_equal(np.flatnonzero(looks.follows(here[:1], there, 0.08)), [2])


def test_no_more_looks_are_kept_than_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 5)
    looks = brightening(4.0)
    every = looks.of(np.arange(20))
    assert looks._look.cache_info().currsize == 5
    np.testing.assert_array_equal(looks.of(np.arange(20)), every)
