"""What a training shows."""

from __future__ import annotations

import numpy as np
import pytest

from faceswap.preview import COLOURS, SIZE_PX, curve, sheet
from shared.types import JsonObject


def test_the_sheet_has_the_triplets_in_reading_order() -> None:
    faces = np.zeros((3, 16, 16, 3), dtype=np.float32)
    rebuilt, swapped = faces + 0.5, faces + 1.0
    picture = sheet(faces, rebuilt, swapped, columns=2)
    assert picture.shape == (2 * 16 + 2, 2 * 48 + 2, 3)
    assert [int(picture[4, x, 0]) for x in (4, 20, 36)] == [0, 128, 255]
    assert [int(picture[22, x, 0]) for x in (4, 20, 36)] == [0, 128, 255]
    assert int(picture[22, 70, 0]) == 32


def test_unequal_stacks_are_a_callers_mistake() -> None:
    with pytest.raises(ValueError, match="three equal stacks"):
        sheet(
            np.zeros((2, 8, 8, 3), np.float32), np.zeros((1, 8, 8, 3), np.float32), np.zeros((2, 8, 8, 3), np.float32)
        )


def line(step: int) -> JsonObject:
    figures = {"loss_a": 1 / step, "loss_b": 2 / step, "psnr_a_db": 20.0 + step, "psnr_b_db": 18.0 + step}
    return {"step": step, "mean_face_a_db": 19.0, "mean_face_b_db": 20.0, **figures}


def test_the_curve_shows_both_people_and_works_from_the_first_look() -> None:
    for log in ([], [line(1)], [line(step) for step in range(1, 30)]):
        picture = curve(log)
        assert picture.shape == (*SIZE_PX, 3)
    for colour in COLOURS:
        near = np.abs(picture.astype(int) - colour).sum(axis=2) < 60
        assert near[40:300, 60:580].sum() > 300
