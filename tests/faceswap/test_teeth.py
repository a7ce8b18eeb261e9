"""The clip's own teeth between the created lips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceswap.lay import Setting, figures, lay
from faceswap.options import SwapOptions
from faceswap.teeth import own_mouth
from faceswap.view import Made, look_at
from shared.face.landmarks import INNER_LIP_68
from shared.picture.planes import composite, cut
from shared.types import Floats
from tests.faceswap.drawn import draw_face, face_of, face_points, frame_of

SIZE = (260, 320)
WIDTH = 150.0


def points(opening: float) -> Floats:
    return face_points((160, 130), WIDTH, opening=opening)


def mouth_of(landmarks: Floats) -> tuple[int, int]:
    x, y = np.rint(landmarks[INNER_LIP_68].mean(axis=0)).astype(int)
    return int(y), int(x)


def test_the_own_mouth_is_what_lies_within_both_lips() -> None:
    wide, narrow = points(0.4), points(0.2)
    alone = own_mouth(wide, None, SIZE, WIDTH)
    assert alone[mouth_of(wide)] == 1.0
    lips = np.rint(wide[[51, 57]]).astype(int)
    assert float(alone[lips[:, 1], lips[:, 0]].max()) == 0.0
    within = own_mouth(wide, narrow[INNER_LIP_68], SIZE, WIDTH)
    assert np.all(within <= alone + 1e-6)
    assert 0 < within.sum() < 0.8 * alone.sum()


def test_shut_lips_show_none_and_parting_ones_more_and_more() -> None:
    assert not own_mouth(points(0.0), None, SIZE, WIDTH).any()
    assert not own_mouth(points(0.4), points(0.0)[INNER_LIP_68], SIZE, WIDTH).any()
    shown = [float(own_mouth(points(opening), None, SIZE, WIDTH).sum()) for opening in np.linspace(0.0, 0.4, 30)]
    assert np.all(np.diff(shown) >= 0)
    assert float(np.diff(shown).max()) < 0.15 * shown[-1]  # it fades in


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_as_much_of_the_clips_mouth_stays_as_is_asked_for(share: float) -> None:
    landmarks = points(0.4)
    frame = frame_of(draw_face(SIZE, landmarks, (210, 160, 130), seed=2))
    view = look_at(frame, face_of(landmarks), 96)
    made = Made(view, np.full_like(view.picture, 0.5))
    options = SwapOptions(Path("unused"), colour=0.0, sharpen=0.0, grain=0.0, motion_blur=0.0, own_mouth=share)
    numbers = figures(made, options)
    patch = lay(made, numbers, numbers, options, Setting(lips=np.zeros((8, 2))))
    y, x = mouth_of(landmarks)
    here = (x, y, x + 1, y + 1)
    before, after = (cut(one, here).astype(float) for one in (frame, composite(frame, [patch])))
    np.testing.assert_allclose(after, share * before + (1 - share) * 127.5, atol=2)
    away = Setting(lips=np.full((8, 2), 0.5))  # the created lips are somewhere else
    elsewhere = lay(made, numbers, numbers, replace(options, own_mouth=1.0), away)
    np.testing.assert_allclose(cut(composite(frame, [elsewhere]), here).astype(float), 127.5, atol=2)
