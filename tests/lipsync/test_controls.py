"""Opening, width and visemes of a speaker's mouths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lipsync.controls import NAMED, VISEMES, Controls, controls_of
from lipsync.mouth import aperture_cm, fit_basis
from lipsync.voice import Voice, lips_of
from tests.lipsync.conftest import face_points


@pytest.fixture
def voice(voice: Voice) -> Voice:
    """The small voice, with mouths of every width for every opening."""
    rng = np.random.default_rng(1)
    points = np.array([face_points(float(opening)) for opening in np.linspace(0.0, 2.0, 60)])
    points[:, 48:68, 0] *= rng.uniform(0.75, 1.15, (60, 1))
    basis = fit_basis(lips_of(points))
    shapes = basis.encode(lips_of(points))
    return replace(
        voice, basis=basis, shapes=shapes, repertoire=shapes, rest=shapes[0], pool=replace(voice.pool, points=points)
    )


@pytest.fixture
def controls(voice: Voice) -> Controls:
    return controls_of(voice)


def test_opening_and_width_are_those_of_the_lip_points(voice: Voice, controls: Controls) -> None:
    points = voice.pool.points
    measured = controls.measure(voice.shapes)
    np.testing.assert_allclose(measured[:, 0], 10 * aperture_cm(lips_of(points)), atol=0.01)
    np.testing.assert_allclose(measured[:, 1], 10 * (points[:, 54, 0] - points[:, 48, 0]), atol=0.01)


def test_a_mouth_moved_to_an_opening_and_a_width_has_them(controls: Controls) -> None:
    start = np.repeat(controls.middle[np.newaxis], 3, axis=0)
    wanted = np.array([[5.0, 40.0], [np.nan, 45.0], [12.0, np.nan]])
    moved = controls.measure(controls.moved(start, wanted))
    before = controls.measure(start[:1])[0]
    np.testing.assert_allclose(moved, [[5.0, 40.0], [before[0], 45.0], [12.0, before[1]]], atol=1e-3)


def test_each_viseme_s_own_mouth_is_called_by_its_name(controls: Controls) -> None:
    shapes = np.array([controls.shape_of(viseme) for viseme in NAMED])
    assert controls.visemes(shapes, np.zeros(len(NAMED), dtype=np.float32)) == list(NAMED)
    assert controls.visemes(shapes, np.ones(len(NAMED), dtype=np.float32)) == ["X"] * len(NAMED)
    assert controls.fits([*NAMED, "X", ""], np.array([*shapes, controls.rest, shapes[3]])).all()
    assert not controls.fits(["X", "G", "H"], shapes[[3, 3, 3]]).any()


def test_closed_lips_are_an_a_however_narrow(controls: Controls) -> None:
    narrow = np.array([[controls.closed_mm + 0.2, controls.narrow_mm]])
    shut = controls.moved(controls.rest[np.newaxis], narrow)
    assert controls.visemes(shut, np.zeros(1, dtype=np.float32)) == ["A"]


def test_visemes_open_and_round_as_they_should(controls: Controls) -> None:
    place = {viseme: controls.measure(controls.shape_of(viseme)[np.newaxis])[0] for viseme in VISEMES}
    assert place["A"][0] < place["G"][0] < place["B"][0] < place["E"][0] < place["C"][0] < place["D"][0]
    assert place["F"][1] < place["E"][1] < place["A"][1] < place["B"][1]


def test_a_width_that_the_footage_never_varies_is_not_moved(voice: Voice) -> None:
    points = np.array([face_points(float(opening)) for opening in np.linspace(0.0, 2.0, 60)])
    points += np.random.default_rng(2).normal(0, 0.001, points.shape).astype(np.float32)  # cm, the finder's noise
    basis = fit_basis(lips_of(points))
    shapes = basis.encode(lips_of(points))
    narrow = controls_of(replace(voice, basis=basis, shapes=shapes, repertoire=shapes, rest=shapes[0]))
    moved = narrow.measure(narrow.moved(shapes[:1], np.array([[8.0, 60.0]])))[0]
    assert moved[0] == pytest.approx(8.0, abs=0.05)
    assert moved[1] == pytest.approx(narrow.measure(shapes[:1])[0, 1], abs=0.5)
