"""Crops: sounds and mouths stay together, whole or joined of pieces, and joints count for nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lipsync.crops import EDGE_ROWS, LEAST_PIECE, Crops, Example
from shared.types import Floats

STEPS = 100


def crops(joined: tuple[float, int], delay: int = 0, batch: int = 64) -> Crops:
    """Of clips whose sound and mouth are the number of their row, each clip in thousands of its own."""
    examples = []
    for clip in range(6):
        rows = 1000.0 * clip + np.arange(300, dtype=np.float32)[:, np.newaxis]
        examples.append(Example(rows.copy(), rows.copy(), np.ones(300, dtype=bool)))
    nothing = [np.zeros(300, dtype=bool)] * 6
    return Crops(examples, nothing, (batch, STEPS), delay, joined=joined)


def steps_of(joined: tuple[float, int], delay: int = 0) -> tuple[Floats, NDArray[np.bool_]]:
    """(B, S) sounds and mouths, and which rows count, of one batch."""
    features, shapes, known = crops(joined, delay).draw(np.random.default_rng(0))
    heard, shown, counts = features[..., 0].numpy(), shapes[..., 0].numpy(), known.numpy() > 0
    later = np.minimum(shown % 1000 + delay, 299) + shown // 1000 * 1000  # a clip's last row is heard on
    np.testing.assert_array_equal(heard[counts], later[counts])
    return shown, counts


def joints_of(mouths: Floats) -> NDArray[np.intp]:
    """Where a crop goes on elsewhere; past the end of a clip its last row stays."""
    return np.flatnonzero(~np.isin(np.diff(mouths), (0.0, 1.0))) + 1


def test_a_crop_is_a_stretch_of_one_clip() -> None:
    shown, counts = steps_of((0.0, 3))
    assert (np.diff(shown, axis=1)[counts[:, 1:]] == 1.0).all()
    assert counts.sum(axis=1).min() >= STEPS / 2


@pytest.mark.parametrize("delay", [0, 20])
@pytest.mark.parametrize("pieces", [2, 3, 5])
def test_a_joined_crop_is_of_so_many_pieces_and_its_joints_count_for_nothing(pieces: int, delay: int) -> None:
    shown, counts = steps_of((1.0, pieces), delay)
    for mouths, known in zip(shown, counts, strict=True):
        joints = joints_of(mouths)
        assert ((joints >= LEAST_PIECE) & (joints <= STEPS - LEAST_PIECE)).all()
        for joint in joints:
            assert not known[max(joint - EDGE_ROWS - delay, 0) : joint + EDGE_ROWS].any()
    clips = [len(np.unique(mouths[known] // 1000)) for mouths, known in zip(shown, counts, strict=True)]
    assert max(clips) > 1
    assert max(clips) <= pieces


def test_some_crops_stay_whole() -> None:
    shown, _ = steps_of((0.5, 3))
    assert 0.3 < np.mean([len(joints_of(mouths)) == 0 for mouths in shown]) < 0.75
