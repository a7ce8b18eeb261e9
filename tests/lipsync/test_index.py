"""Footage to examples: what is known, what is a pause, and which mouth is at rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lipsync.index import ClipMouths, _known, examples_of, in_spans, rest_shape, speech_s
from lipsync.mouth import FreeFace, MouthBasis, aperture_cm, fit_basis
from shared.face.pose import FacePose
from shared.types import Floats


@pytest.fixture
def clip_of(
    points_of: Callable[[float], Floats], free_from: Callable[..., FreeFace], posed: Callable[..., FacePose]
) -> Callable[..., ClipMouths]:
    def make(openings: Floats, voiced: tuple[tuple[float, float], ...] = (), sound: bool = True) -> ClipMouths:
        count = len(openings)
        return ClipMouths(
            path=Path("ada.mp4"),
            indices=np.arange(count),
            times_s=np.arange(count) / 25.0,
            faces=tuple(free_from(points_of(float(opening)), posed()) for opening in openings),
            inside=np.ones(count, dtype=bool),
            sharpness=np.ones(count, dtype=np.float32),
            features=np.zeros((count * 4, 28), dtype=np.float32) if sound else None,
            voiced=voiced,
        )

    return make


def basis_of(clip: ClipMouths) -> MouthBasis:
    return fit_basis(clip.lips)


def test_shapes_are_interpolated_at_the_features_times(clip_of: Callable[..., ClipMouths]) -> None:
    clip = clip_of(np.linspace(0, 2, 51))
    basis = basis_of(clip)
    (example,) = examples_of([clip], basis)
    openings = aperture_cm(basis.decode(example.shapes))
    times = 0.01275 + np.arange(204) / 100
    np.testing.assert_allclose(openings[:198], times[:198], atol=2e-3)
    assert example.known[:200].all()


def test_rows_in_a_gap_of_the_face_are_unknown() -> None:
    seen = np.delete(np.arange(50) / 25.0, slice(20, 30))
    known = _known(seen, np.arange(0, 2, 0.01))
    times = np.arange(0, 2, 0.01)
    assert not known[(times > 0.77) & (times < 1.19)].any()
    assert known[(times < 0.75) | ((times > 1.21) & (times < 1.95))].all()


def test_one_missing_frame_is_a_gap() -> None:
    seen = np.delete(np.arange(10) / 25.0, 5)
    assert not _known(seen, np.array([0.2]))[0]


def test_a_clip_without_sound_teaches_nothing(clip_of: Callable[..., ClipMouths]) -> None:
    clip = clip_of(np.zeros(20), sound=False)
    assert examples_of([clip], basis_of(clip)) == []
    assert speech_s([clip]) == 0.0


def test_speech_counts_where_the_face_is_seen(clip_of: Callable[..., ClipMouths]) -> None:
    assert speech_s([clip_of(np.zeros(50), ((0.5, 1.5),))]) == pytest.approx(1.0, abs=0.02)
    assert speech_s([clip_of(np.zeros(25), ((0.5, 5.0),))]) == pytest.approx(0.5, abs=0.03)


def test_rest_is_the_closed_mouth_of_pauses(clip_of: Callable[..., ClipMouths]) -> None:
    openings = np.full(100, 0.6)
    openings[50:] = 0.2  # the pause: lips a little apart, as this speaker holds them
    openings[10] = 0.0
    clip = clip_of(openings, ((0.0, 1.8),))
    basis = basis_of(clip)
    assert float(aperture_cm(basis.decode(rest_shape([clip], basis)))) == pytest.approx(0.2, abs=0.02)


def test_a_clip_that_is_not_heard_tells_no_pause(clip_of: Callable[..., ClipMouths]) -> None:
    openings = np.full(100, 0.6)
    openings[50:] = 0.2  # the pause of the clip that is heard
    heard, silent = clip_of(openings, ((0.0, 1.8),)), clip_of(np.full(100, 0.05), sound=False)
    basis = basis_of(heard)
    assert float(aperture_cm(basis.decode(rest_shape([heard, silent], basis)))) == pytest.approx(0.2, abs=0.02)


def test_without_a_pause_rest_is_the_most_closed_third(clip_of: Callable[..., ClipMouths]) -> None:
    clip = clip_of(np.linspace(0, 1, 101), ((0.0, 9.0),))
    basis = basis_of(clip)
    assert float(aperture_cm(basis.decode(rest_shape([clip], basis)))) == pytest.approx(0.15, abs=0.02)


def test_spans_grow_by_their_margin() -> None:
    inside = in_spans(np.array([0.9, 1.0, 1.5, 2.05, 2.2]), [(1.0, 2.0)], 0.06)
    np.testing.assert_array_equal(inside, [False, True, True, True, False])
