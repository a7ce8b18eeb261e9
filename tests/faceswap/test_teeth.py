"""The clip's own teeth between the created lips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceswap.lay import Setting, figures, lay
from faceswap.options import SwapOptions
from faceswap.teeth import GROWTH, Mouth, mouth_share, moved
from faceswap.view import Made, look_at
from shared.face.landmarks import INNER_LIP_68
from shared.picture.planes import composite, cut
from shared.picture.warp import scale_of, transform
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
    alone = mouth_share(wide[INNER_LIP_68], wide[INNER_LIP_68], SIZE, WIDTH)
    assert alone[mouth_of(wide)] == 1.0
    lips = np.rint(wide[[51, 57]]).astype(int)
    assert float(alone[lips[:, 1], lips[:, 0]].max()) == 0.0
    within = mouth_share(wide[INNER_LIP_68], narrow[INNER_LIP_68], SIZE, WIDTH)
    assert np.all(within <= alone + 1e-6)
    assert 0 < within.sum() < 0.8 * alone.sum()


def test_shut_lips_show_none_and_parting_ones_more_and_more() -> None:
    def shown(own: float, laid: float) -> float:
        return float(mouth_share(points(own)[INNER_LIP_68], points(laid)[INNER_LIP_68], SIZE, WIDTH).sum())

    assert shown(0.0, 0.0) == 0.0
    assert shown(0.4, 0.0) == 0.0
    more = [shown(opening, opening) for opening in np.linspace(0.0, 0.4, 30)]
    assert np.all(np.diff(more) >= 0)
    assert float(np.diff(more).max()) < 0.15 * more[-1]  # it fades in


def test_the_own_mouth_comes_to_lie_on_the_created_lips_as_wide_as_they_are() -> None:
    clip = points(0.3)[INNER_LIP_68]
    laid = np.asarray(1.2 * (clip - clip.mean(axis=0)) + (90.0, 70.0), dtype=np.float32)
    np.testing.assert_allclose(transform(moved(Mouth(clip, laid)), clip), laid, atol=1e-3)
    far = moved(Mouth(clip, np.asarray(3 * clip, dtype=np.float32)))
    assert far[0, 0] == far[1, 1] == GROWTH[1]


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("apart", [0.0, 0.08])
def test_as_much_of_the_clips_mouth_lies_between_the_created_lips_as_is_asked_for(share: float, apart: float) -> None:
    landmarks = points(0.4)
    frame = frame_of(draw_face(SIZE, landmarks, (210, 160, 130), seed=2))
    view = look_at(frame, face_of(landmarks), 96)
    made = Made(view, np.full_like(view.picture, 0.5))
    options = SwapOptions(Path("unused"), colour=0.0, sharpen=0.0, grain=0.0, motion_blur=0.0, own_mouth=share)
    numbers = figures(made, options)
    lips = np.zeros((8, 2))
    lips[:, 1] = apart  # the created lips are laid so much lower, in shares of the view
    patch = lay(made, numbers, numbers, options, Setting(lips=lips, frame=frame))
    y, x = mouth_of(landmarks)
    down = round(apart * 96 / scale_of(view.view_from_frame))
    own = cut(frame, (x, y, x + 1, y + 1)).astype(float)
    after = cut(composite(frame, [patch]), (x, y + down, x + 1, y + down + 1)).astype(float)
    np.testing.assert_allclose(after, share * own + (1 - share) * 127.5, atol=2)
