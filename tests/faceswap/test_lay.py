"""A made face laid into a frame: place, edge, colour, sharpness."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceswap.lay import OWN_FOREHEAD
from faceswap.options import SwapOptions
from faceswap.view import Made, View, look_at
from shared.picture.colour import lab_statistics
from shared.picture.mask import erode, extended_hull, hull_mask
from shared.picture.planes import changed_support, composite, cut
from shared.picture.warp import gaussian, to_float
from shared.types import Floats, Frame
from tests.faceswap.drawn import draw_face, face_of, face_points, frame_of, laid_alone

PLAIN = SwapOptions(model=Path("unused"), colour=0.0, sharpen=0.0)


def seen(width: float = 90.0, centre: tuple[float, float] = (150.0, 130.0), turn: float = 0.2) -> tuple[Frame, View]:
    points = face_points(centre, width, opening=0.1, turn=turn)
    picture = draw_face((260, 320), points, (210, 160, 130), seed=4)
    frame = frame_of(np.asarray(np.rint(gaussian(to_float(picture), 1.0) * 255), dtype=np.uint8))
    return frame, look_at(frame, face_of(points), 96)


def laid(frame: Frame, view: View, made: Floats, options: SwapOptions) -> Floats:
    """The frame with the made face in it, as float RGB."""
    patch = laid_alone(Made(view, made), options)
    return to_float(cut(composite(frame, [patch]), (0, 0, 320, 260)))


@pytest.mark.parametrize("width", [40.0, 90.0, 200.0])
def test_a_face_laid_on_itself_changes_next_to_nothing(width: float) -> None:
    frame, view = seen(width)
    before = to_float(cut(frame, (0, 0, 320, 260)))
    error = np.abs(laid(frame, view, view.picture, PLAIN) - before)
    face = erode(extended_hull(view.face.landmarks, (260, 320), PLAIN.forehead), 0.06 * width) > 0.5
    assert error[face].max() < 0.2
    assert error[face].mean() < 0.004
    # On the soft edge beyond it the skin goes on where the background was.
    assert error.mean() < 0.006


def test_the_patch_is_exactly_nothing_on_its_border_and_whole_in_the_face() -> None:
    frame, view = seen()
    patch = laid_alone(Made(view, view.picture), PLAIN)
    for edge in (patch.mask[0], patch.mask[-1], patch.mask[:, 0], patch.mask[:, -1]):
        assert edge.max() == 0.0
    nose = np.rint(view.face.landmarks[30]).astype(int) - patch.box[:2]
    assert patch.mask[nose[1], nose[0]] == 1.0
    # Nothing far from the hull is touched.
    support = changed_support(frame, [patch])[0]
    y, x = np.nonzero(support)
    low, high = view.face.landmarks.min(axis=0), view.face.landmarks.max(axis=0)
    assert np.all((x > low[0] - 25) & (x < high[0] + 25) & (y > low[1] - 40) & (y < high[1] + 25))


def test_no_edge_of_the_view_shows_where_the_face_reaches_beyond_it() -> None:
    points = face_points((150.0, 130.0), 90.0, opening=0.1)
    points[:17, 1] += 60  # a jaw far below the view
    frame = frame_of(draw_face((260, 320), points, (210, 160, 130)))
    view = look_at(frame, face_of(points), 96)
    patch = laid_alone(Made(view, np.zeros_like(view.picture)), PLAIN)
    steps = np.abs(np.diff(patch.mask, axis=0))
    assert steps.max() < 0.35


def test_colour_is_taken_from_the_face_replaced() -> None:
    frame, view = seen()
    tinted = np.clip(view.picture * np.array([0.6, 0.8, 1.0], dtype=np.float32) * 0.7, 0, 1).astype(np.float32)
    wanted = lab_statistics(view.picture, view.inner)
    for colour, near in ((1.0, True), (0.0, False)):
        after = laid(frame, view, tinted, replace(PLAIN, colour=colour))
        there = look_at(frame_of(np.asarray(np.rint(after * 255), dtype=np.uint8)), view.face, 96)
        got = lab_statistics(there.picture, view.inner)
        assert (float(np.abs(got.mean - wanted.mean).max()) < 4.0) == near


def test_a_soft_face_is_sharpened_and_a_sharp_one_left_alone() -> None:
    _, view = seen()
    soft = gaussian(view.picture, 1.2)
    plain = laid_alone(Made(view, soft), PLAIN).picture
    sharper = laid_alone(Made(view, soft), replace(PLAIN, sharpen=1.0)).picture
    wanted = laid_alone(Made(view, view.picture), PLAIN, measured=Made(view, soft)).picture
    assert np.abs(sharper - wanted).mean() < np.abs(plain - wanted).mean()
    same = laid_alone(Made(view, view.picture), replace(PLAIN, sharpen=1.0)).picture
    assert np.array_equal(same, laid_alone(Made(view, view.picture), PLAIN).picture)


def test_a_face_at_the_frames_edge_is_laid_without_complaint() -> None:
    frame, view = seen(centre=(10.0, 20.0))
    patch = laid_alone(Made(view, view.picture), PLAIN)
    assert composite(frame, [patch]).size == (260, 320)


def test_what_lies_beside_the_made_face_in_its_own_pictures_does_not_show() -> None:
    _, view = seen(120.0, turn=0.0)
    points = (view.face.landmarks @ view.view_from_frame[:2, :2].T + view.view_from_frame[:2, 2]).astype(np.float32)
    hull = extended_hull(points, (96, 96), PLAIN.forehead + OWN_FOREHEAD)[..., np.newaxis]
    skin, wall = np.array([[0.7, 0.5, 0.4], [1.0, 1.0, 0.9]], dtype=np.float32)
    patch = laid_alone(Made(view, np.asarray(hull * skin + (1 - hull) * wall, dtype=np.float32)), PLAIN)
    shown = patch.mask > 0.1
    assert np.abs(patch.picture - skin)[shown].max() < 0.02


def test_skin_goes_on_beyond_the_face_and_the_face_itself_stays() -> None:
    frame, view = seen(120.0, turn=0.0)
    patch = laid_alone(Made(view, view.picture), PLAIN)
    own = to_float(cut(frame, patch.box))
    inner = (
        erode(
            hull_mask(
                view.face.landmarks - np.array(patch.box[:2], dtype=np.float32),
                (patch.mask.shape[0], patch.mask.shape[1]),
            ),
            8.0,
        )
        > 0.5
    )
    assert np.abs(patch.picture - own)[inner].mean() < 0.01
