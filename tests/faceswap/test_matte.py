"""Masks: their names, their intersection, their sides, what they leave in front."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceswap.masks import mask_parts
from faceswap.matte import edged, person_crop
from faceswap.options import SwapOptions
from faceswap.view import Made, View, look_at
from shared.errors import UsageError
from shared.face.detect import make_finder
from shared.face.person import PersonFinder
from shared.media.reader import open_clip
from shared.picture.mask import hull_mask
from shared.picture.planes import warp
from shared.picture.warp import eight_bit, transform
from shared.types import Floats
from tests.faceswap.drawn import draw_face, face_of, face_points, frame_of, laid_alone

PLAIN = SwapOptions(model=Path("unused"), colour=0.0, sharpen=0.0)


def seen(turn: float = 0.0) -> View:
    points = face_points((160, 130), 100, turn=turn)
    return look_at(frame_of(draw_face((260, 320), points, (210, 160, 130))), face_of(points), 96)


def mask_of(made: Made, options: SwapOptions) -> Floats:
    """The mask over the whole frame."""
    patch = laid_alone(made, options)
    whole = np.zeros((460, 520), dtype=np.float32)
    x0, y0, x1, y1 = (value + 100 for value in patch.box)
    whole[y0:y1, x0:x1] = patch.mask
    return whole[100:360, 100:420]


def test_unknown_masks_are_named() -> None:
    assert mask_parts("hull, learned") == ("hull", "learned")
    for text, name in (("hull,beard", "beard"), ("", "nothing")):
        with pytest.raises(UsageError, match=f"no mask is called {name}"):
            mask_parts(text)


def test_masks_are_intersected() -> None:
    view = seen()
    left = np.zeros((96, 96), dtype=np.float32)
    left[:, :48] = 1
    made = Made(view, view.picture, mask=left)
    hull, both = mask_of(made, replace(PLAIN, mask="hull")), mask_of(made, replace(PLAIN, mask="hull,learned"))
    assert np.all(both <= hull + 1e-6)
    assert both[130, 120] == pytest.approx(hull[130, 120])
    assert both[130, 190:].max() < 0.1
    sharp = replace(PLAIN, erode=0.0, feather=0.02)
    assert mask_of(made, sharp).sum() > 1.03 * mask_of(made, replace(sharp, mask="hull")).sum()


def test_a_mask_drawn_by_hand_counts_before_all_others() -> None:
    view = seen()
    drawn = np.array([[140, 110], [190, 110], [190, 150], [140, 150]], dtype=np.float32)
    by_hand = replace(view, face=replace(view.face, outline=drawn))
    none = np.zeros((96, 96), dtype=np.float32)
    sharp = replace(PLAIN, erode=0.0, feather=0.02, mask="hull,learned")
    mask = mask_of(Made(by_hand, view.picture, mask=none, front=np.ones_like(none)), sharp)
    assert mask[130, 165] > 0.9
    assert mask[130, 130] < 0.1
    assert mask[165, 165] < 0.1
    assert mask_of(Made(view, view.picture, mask=none), sharp).max() < 0.1


def test_what_is_in_front_stays_and_may_be_painted_over_on_wish() -> None:
    view = seen()
    front = np.zeros((48, 48), dtype=np.float32)
    front[:, :24] = 1
    made = Made(view, view.picture, front=front)
    kept = mask_of(made, PLAIN)
    assert kept[130, 135] == 0.0
    assert kept[130, 185] == 1.0
    assert mask_of(made, replace(PLAIN, occluders=0.0))[130, 135] == 1.0
    assert mask_of(made, replace(PLAIN, occluders=0.5))[130, 135] == pytest.approx(0.5)


@pytest.mark.parametrize("turn", [0.0, 0.5])
def test_each_side_is_eroded_alone_however_the_face_is_turned(turn: float) -> None:
    points = face_points((100, 100), 80, turn=turn)
    hull = hull_mask(points, (200, 200))
    usual = replace(PLAIN, erode=0.0, feather=0.0)
    cos, sin = np.cos(turn), np.sin(turn)
    rows, columns = np.indices((200, 200)) - 100
    across, down = columns * cos + rows * sin, rows * cos - columns * sin

    def ends(options: SwapOptions) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        inside = edged(hull, points, 80.0, options) > 0.5
        return np.array([across[inside].min(), across[inside].max(), down[inside].min(), down[inside].max()])

    plain = ends(usual)
    for share in (0.1, -0.1):
        sides = (
            (0, 1, replace(usual, erode_left=share)),
            (1, -1, replace(usual, erode_right=share)),
            (2, 1, replace(usual, erode_top=share)),
            (3, -1, replace(usual, erode_bottom=share)),
        )
        for number, sign, options in sides:
            moved = ends(options) - plain
            assert moved[number] == pytest.approx(sign * share * 80, abs=1.6)
            assert moved[number ^ 1] == pytest.approx(0, abs=1.6)


@pytest.mark.footage
@pytest.mark.usefixtures("weights")
def test_the_person_is_told_from_the_background(footage: Path) -> None:
    with open_clip(footage / "train" / "obama_pd" / "oval2010_450_resynced.mp4") as clip:
        frame = next(iter(clip.frames()))
    face = make_finder("mesh").find(frame)[0]
    matrix = person_crop(face)
    person = PersonFinder().person(eight_bit(warp(frame, matrix, (256, 256))))
    nose = np.rint(transform(matrix, face.landmarks)[30]).astype(int)
    assert person[nose[1], nose[0]] > 0.9
    assert 0.2 < float((person > 0.5).mean()) < 0.9
    with pytest.raises(ValueError, match="expected a"):
        PersonFinder().person(np.zeros((64, 64, 3), dtype=np.uint8))
