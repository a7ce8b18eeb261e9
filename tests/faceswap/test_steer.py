"""A made face moved onto the points of the face that it replaces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from faceswap.along import Layer
from faceswap.options import SwapOptions
from faceswap.steer import (
    FACING,
    FOREHEAD,
    GRID,
    MARGIN,
    ROUND,
    field_of,
    find_made,
    gaps_of,
    misses,
    mixed,
    shut,
    spline,
    steered,
)
from faceswap.view import Made, Shown, View, look_at
from shared.face.detect import make_finder
from shared.face.landmarks import LANDMARKS
from shared.face.mesh import MeshFinder
from shared.media.reader import open_clip
from shared.picture.planes import composite
from shared.picture.warp import piecewise_warp, to_float, transform, warp_picture
from shared.types import Face, Floats, Scene
from tests.faceswap.drawn import draw_face, face_of, face_points, frame_of, laid_alone

PLAIN = SwapOptions(model=Path("unused"), colour=0.0, sharpen=0.0)


def seen(points: Floats) -> View:
    return look_at(frame_of(draw_face((260, 320), points, (210, 160, 130))), face_of(points), 128)


def moved_points(points: Floats) -> Floats:
    """A shorter chin, lower brows, a mouth to one side."""
    own = points.copy()
    own[5:12, 1] -= 8
    own[17:27, 1] += 4
    own[48:68, 0] += 5
    return own


def test_the_spline_is_scipys() -> None:
    random = np.random.default_rng(0)
    points, values, places = random.random((30, 2)), random.normal(size=(30, 2)), random.random((50, 2))
    for smoothing in (0.0, 1e-2):
        # scipy's kernel is -sqrt(1 + (r / c)^2), so 1 / c of the smoothing there.
        reference = RBFInterpolator(
            points, values, kernel="multiquadric", epsilon=1 / ROUND, degree=1, smoothing=smoothing / ROUND
        )
        wanted = reference(places)
        assert np.abs(spline(points, values, places, smoothing) - wanted).max() < 2e-3


def test_smoothing_calms_a_lone_outlier() -> None:
    line = np.linspace(0, 1, 8)
    points = np.stack([np.tile(line, 8), np.repeat(line, 8)], axis=1)
    values = np.zeros((64, 1))
    values[27] = 1.0
    exact, calm = (spline(points, values, points, smoothing)[27, 0] for smoothing in (0.0, 0.3))
    assert exact == pytest.approx(1.0, abs=1e-4)
    assert calm < 0.6


def test_where_nothing_misses_nothing_moves() -> None:
    view = seen(face_points((160, 130), 90))
    made = Made(view, view.picture, found=view.face)
    miss = misses(made)
    assert miss is not None
    assert np.abs(miss).max() == 0
    assert np.abs(field_of(view.face, view.view_from_frame, 128, miss).steps).max() < 1e-6


def test_a_gaze_that_lasts_is_followed_across_and_a_place_of_the_eye_that_lasts_is_shape() -> None:
    usual = np.zeros((LANDMARKS + len(FOREHEAD) + 2, 2))
    usual[[36, 39, 42, 45]] = (0.01, 0.01)
    usual[-2:] = (0.03, 0.03)
    undone = mixed(usual, usual, 1.0, 0.2)
    np.testing.assert_allclose(undone[36], (0.002, 0.002))
    np.testing.assert_allclose(undone[-2:], [(0.002 + 0.02, 0.006)] * 2)
    np.testing.assert_allclose(mixed(usual, usual, 0.5, 0.2), undone / 2)
    trembling = usual.copy()
    trembling[-2:, 0] += 1e-4
    np.testing.assert_allclose(mixed(trembling, usual, 1.0, 0.2), undone, atol=1e-5)


def test_landmarks_placed_by_hand_where_nobody_saw_a_face_stop_no_steering() -> None:
    points = face_points((160, 130), 90)
    face = face_of(points)
    mesh = np.zeros((478, 3), dtype=np.float32)
    mesh[:, :2] = points.mean(axis=0) + np.random.default_rng(0).normal(0, 20, (478, 2))
    view = seen(points)
    found = replace(face, landmarks=moved_points(points), mesh=mesh)
    meshed, placed = (
        Made(replace(view, face=one), view.picture, found=found) for one in (replace(face, mesh=mesh), face)
    )
    for order in ((meshed, placed, meshed), (placed, meshed, placed)):
        layer = Layer(PLAIN)
        for index, made in enumerate(order):
            frame = frame_of(draw_face((260, 320), points, (210, 160, 130)), index)
            edits = list(layer.laid([Shown(Scene(frame, (made.view.face,)), (made,))]))
            assert len(edits[0][1].patches) == 1


def test_every_marked_point_comes_to_its_place() -> None:
    points = face_points((160, 130), 90, opening=0.1)
    view = seen(points)
    own = moved_points(points)
    miss = misses(Made(view, view.picture, found=face_of(own)))
    assert miss is not None
    field = field_of(view.face, view.view_from_frame, 128, miss)
    for number in (8, 19, 57):
        # A bright dot at the made face's own point is laid on the frame at the wanted one.
        spot = np.zeros((128, 128, 3), dtype=np.float32)
        place = transform(view.view_from_frame, own[number : number + 1])[0]
        down, across = np.indices((128, 128))
        spot[...] = np.exp(-((down - place[1]) ** 2 + (across - place[0]) ** 2) / 8)[..., None]
        patch = laid_alone(Made(view, spot), PLAIN, field)
        light = patch.picture[..., 0] ** 2
        rows, columns = np.indices(light.shape)
        there = np.array([(columns * light).sum(), (rows * light).sum()]) / light.sum() + patch.box[:2]
        # At the chin, on the hull's rim, the skin beside the dot goes on beyond it and draws its middle outwards.
        assert np.linalg.norm(there - points[number]) < (2.0 if number == 8 else 1.5)


def test_no_place_is_folded_however_far_points_move() -> None:
    points = face_points((160, 130), 90)
    view = seen(points)
    random = np.random.default_rng(3)
    field = field_of(view.face, view.view_from_frame, 128, random.normal(0, 0.1, (68, 2)))
    cell = (1 + 2 * MARGIN) / GRID
    across, down = np.gradient(field.steps, cell, axis=1), np.gradient(field.steps, cell, axis=0)
    assert ((1 + across[..., 0]) * (1 + down[..., 1]) - across[..., 1] * down[..., 0]).min() > 0


def test_movement_is_followed_whole_and_shape_in_part_but_for_the_jaw() -> None:
    usual, miss = np.full((68, 2), 0.1), np.full((68, 2), 0.15)
    half = mixed(miss, usual, 1.0, 0.5)
    assert half[:17] == pytest.approx(0.15, rel=0.01)
    assert half[17:] == pytest.approx(0.05 + 0.05, rel=0.01)
    assert mixed(miss, usual, 0.0, 0.5) == pytest.approx(0.0)


def test_closing_lids_and_lips_meet_whatever_their_usual_opening() -> None:
    points = face_points((150, 130), 90, opening=0.2)
    usual = gaps_of(Made(seen(points), np.zeros((96, 96, 3), dtype=np.float32)))
    assert np.all(usual > 0)
    upper, lower = np.array(FACING).T
    miss = np.zeros((68, 2))
    miss[lower, 1], miss[upper, 1] = 0.01, -0.01  # the made face stands further open
    for share in (2.0, 1.0, 0.5, 0.0):
        undone = shut(miss, np.zeros((68, 2)), share * usual, usual, 1.0)
        kept = (miss - undone)[lower, 1] - (miss - undone)[upper, 1]
        np.testing.assert_allclose(kept, 0.02 * min(1.0, share), atol=1e-9)
        half = shut(miss, np.zeros((68, 2)), share * usual, usual, 0.5)
        np.testing.assert_allclose(half, undone / 2)


def test_a_trembling_finder_does_not_make_the_face_tremble() -> None:
    usual = np.full((68, 2), 0.02)
    noisy = usual + np.random.default_rng(0).normal(0, 0.0005, (68, 2))
    assert np.abs(mixed(noisy, usual, 1.0, 1.0) - usual).mean() < 0.25 * np.abs(noisy - usual).mean()


def test_lids_that_cross_are_no_fold() -> None:
    points = face_points((160, 130), 90)
    view = seen(points)
    shut = points.copy()
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        shut[upper, 1], shut[lower, 1] = points[lower, 1] + 1, points[lower, 1] - 1
    miss = (points - shut).astype(np.float64) * 128 / 90 / 128 * 0.8
    steps = field_of(face_of(shut), view.view_from_frame, 128, miss).steps
    cell = (1 + 2 * MARGIN) / GRID
    assert np.abs(steps).max() < 1.5 * np.abs(miss).max()
    assert (1 + np.gradient(steps[..., 1], cell, axis=0)).min() > 0


def test_an_iris_is_steered_only_while_the_eye_is_open() -> None:
    points = face_points((160, 130), 90)
    steps = []
    for squeeze in (1.0, 0.01):
        own = points.copy()
        for eye in (slice(36, 42), slice(42, 48)):
            own[eye, 1] = own[eye, 1].mean() + squeeze * (own[eye, 1] - own[eye, 1].mean())
        mesh = np.zeros((478, 3), dtype=np.float32)
        mesh[468, :2], mesh[473, :2] = own[36:42].mean(axis=0), own[42:48].mean(axis=0)
        mesh[list(FOREHEAD), :2] = np.linspace((120, 60), (200, 60), len(FOREHEAD))
        face = replace(face_of(own), mesh=mesh)
        view = replace(seen(points), face=face)
        miss = np.zeros((68 + len(FOREHEAD) + 2, 2))
        miss[-2:, 0] = 0.03
        steps.append(float(np.abs(field_of(face, view.view_from_frame, 128, miss).steps).max()))
    assert steps[0] > 0.01
    assert steps[1] < 1e-6


class Nowhere:
    """A finder that sees no face in every third crop, else the points it is given."""

    def __init__(self, mesh: Floats) -> None:
        self.mesh, self.looks = mesh, 0

    def read(self, crop: NDArray[np.uint8]) -> tuple[Floats, float]:
        assert crop.shape == (256, 256, 3)
        self.looks += 1
        return self.mesh, 0.1 if self.looks % 3 == 0 else 0.9


def test_scenes_keep_their_order_and_lost_faces_stay_without_points() -> None:
    points = face_points((160, 130), 90)
    frame = frame_of(draw_face((260, 320), points, (210, 160, 130)))
    view = look_at(frame, face_of(points), 96)
    mesh = np.random.default_rng(0).uniform(80, 170, (478, 3)).astype(np.float32)
    given = [
        Shown(Scene(replace(frame, index=index, pts=index), ()), (Made(view, view.picture),) if index % 4 else ())
        for index in range(12)
    ]
    results = list(steered(iter(given), Nowhere(mesh)))
    assert [shown.scene.frame.index for shown in results] == list(range(12))
    assert [[made.found is not None for made in shown.faces] for shown in results[:5]] == [
        [],
        [True],
        [True],
        [False],
        [],
    ]


def real_face(footage: Path) -> Iterator[tuple[MeshFinder, Scene]]:
    finder = make_finder("mesh")
    assert isinstance(finder, MeshFinder)
    with open_clip(footage / "train" / "obama_pd" / "oval2010_450_resynced.mp4") as clip:
        frame = next(iter(clip.frames()))
    yield finder, Scene(frame, finder.find(frame)[:1])


@pytest.mark.footage
@pytest.mark.usefixtures("weights")
def test_a_real_face_that_was_bent_is_bent_back(footage: Path) -> None:
    for finder, scene in real_face(footage):
        face: Face = scene.faces[0]
        view = look_at(scene.frame, face, 128)
        rows, columns = np.indices((128, 128), dtype=np.float32)
        bent = piecewise_warp(view.picture, columns * 1.1 - 6.4, rows * 1.12 - 7)
        options = replace(PLAIN, feather=0.1)
        errors = []
        for steering in (False, True):
            made = Made(view, bent)
            made = replace(made, found=find_made(scene.frame, made, finder))
            miss = misses(made)
            assert miss is not None
            field = field_of(face, view.view_from_frame, 128, miss) if steering else None
            frame = composite(scene.frame, [laid_alone(made, options, field)])
            after = finder.follow(frame, [face])[0]
            assert after is not None
            inner = after.landmarks[17:] - face.landmarks[17:]
            errors.append(float(np.linalg.norm(inner, axis=1).mean()))
        assert errors[1] < 0.35 * errors[0]


@pytest.mark.footage
@pytest.mark.usefixtures("weights")
def test_the_face_in_a_view_is_found_where_it_was_found_in_the_frame(footage: Path) -> None:
    for finder, scene in real_face(footage):
        face = scene.faces[0]
        view = look_at(scene.frame, face, 128)
        found = find_made(scene.frame, Made(view, view.picture), finder)
        assert found is not None
        assert found.mesh is not None
        apart = np.linalg.norm(found.landmarks - face.landmarks, axis=1).mean()
        assert apart < 0.03 * np.linalg.norm(face.landmarks[45] - face.landmarks[36])


def test_a_face_is_warped_in_one_step_with_its_placing() -> None:
    """An even step of the field is a shift of the picture."""
    points = face_points((160, 130), 90)
    view = seen(points)
    field = field_of(view.face, view.view_from_frame, 128, np.full((68, 2), 4 / 128))
    made = Made(view, to_float(draw_face((128, 128), transform(view.view_from_frame, points), (210, 160, 130))))
    shift = np.array([[1.0, 0, -4], [0, 1, -4], [0, 0, 1]])
    moved = Made(view, warp_picture(made.picture, shift, (128, 128)))
    one, other = laid_alone(made, PLAIN, field), laid_alone(moved, PLAIN)
    inside = np.minimum(one.mask, other.mask) == 1.0
    assert np.abs(one.picture - other.picture)[inside].mean() < 0.002
