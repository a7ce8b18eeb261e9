"""The upper face of a frame follows an expression, and nothing else moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

import lipsync.upper as module
from lipsync.expression import BROWS, Expression
from lipsync.lids import ShutEyes
from lipsync.mouth import FreeFace
from lipsync.upper import UpperFaces, move
from shared.face.analyse import ClipFaces
from shared.face.pose import FacePose
from shared.picture.composite import composite
from shared.picture.planes import cut
from shared.types import Face, Floats, Frame, Picture

SCALE = 12.0
CENTRE = (150.0, 150.0)
OPEN = np.ones(2, dtype=np.float32)
Poses = Callable[..., FacePose]


@pytest.fixture
def points(points_of: Callable[[float], Floats]) -> Floats:
    return points_of(0.0)


@pytest.fixture
def frame(points: Floats, posed: Poses, framed: Callable[..., Frame], face_from: Callable[..., Face]) -> Frame:
    """Bright skin with dark brows."""
    picture: Picture = np.full((320, 300, 3), 200, dtype=np.uint8)
    landmarks = face_from(points, posed(0.0, SCALE, CENTRE)).landmarks
    for x, y in np.rint(landmarks[BROWS]).astype(int):
        picture[y - 3 : y + 4, x - 9 : x + 10] = 40
    return framed(picture)


def frame_like(frame: Frame, grey: NDArray[np.int_]) -> Frame:
    """A frame of the same kind that shows a grey picture."""
    return replace(frame, planes=(grey.astype(np.uint8),) * 3)


def brow_row(frame: Frame, x: float) -> float:
    """The middle of what is dark over the eyes."""
    column = 255.0 - cut(frame, (round(x), 40, round(x) + 1, 150))[:, 0, 0]
    dark = np.where(column > 120, column, 0.0)
    return 40.0 + float((dark * np.arange(len(dark))).sum() / dark.sum())


def expression(up_cm: float = 0.0, lids: float = 1.0, known: float = 1.0) -> Expression:
    brows = np.tile(np.array([0.0, up_cm], dtype=np.float32), (100, 10, 1))
    return Expression(
        np.arange(100) / 100.0, brows, np.full((100, 2), lids, np.float32), np.full(100, known, np.float32)
    )


@pytest.fixture
def moved(
    frame: Frame,
    points: Floats,
    posed: Poses,
    face_from: Callable[..., Face],
    free_from: Callable[..., FreeFace],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[Face, module.Moved]]:
    """The face with its own brows up by `own_cm`, under an expression."""

    def run(
        told: Expression,
        own_cm: float = 0.0,
        yaw_deg: float = 0.0,
        strength: float = 1.0,
        shut: ShutEyes | None = None,
    ) -> tuple[Face, module.Moved]:
        pose = posed(yaw_deg, SCALE, CENTRE)
        usual = points.copy()
        usual[BROWS, 1] -= own_cm
        monkeypatch.setattr(module, "faces_in", lambda _: lambda _: [(0, face_from(usual, pose))])
        monkeypatch.setattr(module, "free_face", lambda _: free_from(usual, pose))
        monkeypatch.setattr(module, "find_shut", lambda *_: shut)
        face = face_from(points, pose)
        clip = SimpleNamespace(tracks=(SimpleNamespace(number=0, person=0),))
        upper = UpperFaces(told, cast(ClipFaces, clip), strength)
        return face, upper.moved(frame, face, free_from(points, pose))

    return run


@pytest.mark.parametrize(("up_cm", "own_cm"), [(0.5, 0.0), (-0.3, 0.0), (0.0, 0.5), (0.5, 0.5)])
def test_brows_go_to_where_the_expression_has_them_beside_the_clip_s_usual(
    frame: Frame, moved: Callable[..., tuple[Face, module.Moved]], up_cm: float, own_cm: float
) -> None:
    face, found = moved(expression(up_cm), own_cm)
    rows = -SCALE * (up_cm - own_cm)
    np.testing.assert_allclose(found.shifts[BROWS], np.tile([0.0, rows], (10, 1)), atol=1e-3)
    made = composite(frame, found.patches)
    for x in face.landmarks[BROWS, 0][1:4]:
        assert brow_row(made, float(x)) - brow_row(frame, float(x)) == pytest.approx(rows, abs=0.8)
    assert bool(found.patches) == (rows != 0.0)


def test_a_brow_is_no_thicker_for_being_raised(frame: Frame, moved: Callable[..., tuple[Face, module.Moved]]) -> None:
    face, found = moved(expression(0.5))
    made = composite(frame, found.patches)
    x = round(float(face.landmarks[19, 0]))
    dark = [int((cut(each, (x, 40, x + 1, 150))[:, 0, 0] < 120).sum()) for each in (frame, made)]
    assert abs(dark[1] - dark[0]) <= 1


@pytest.mark.parametrize(
    ("told", "given"),
    [
        (expression(0.5, 0.3, known=0.0), {}),
        (expression(0.5, 0.3), {"yaw_deg": 50.0}),
        (expression(0.5, 0.3), {"strength": 0.0}),
    ],
)
def test_what_is_not_known_turned_away_or_not_wanted_stays_as_it_is(
    moved: Callable[..., tuple[Face, module.Moved]], told: Expression, given: dict[str, float]
) -> None:
    _, found = moved(told, **given)
    assert found.patches == ()
    np.testing.assert_array_equal(found.shifts, 0.0)


def test_without_a_shut_eye_lids_fall_half_way(moved: Callable[..., tuple[Face, module.Moved]]) -> None:
    face, found = moved(expression(lids=0.0))
    gap = face.landmarks[41, 1] - face.landmarks[37, 1]
    assert found.shifts[37, 1] == pytest.approx(0.5 * gap * 1.15, abs=0.2)
    np.testing.assert_array_equal(found.shifts[BROWS], 0.0)
    np.testing.assert_array_equal(found.shifts[[36, 39, 40, 41]], 0.0)


def test_eyes_are_shut_by_the_clip_s_own_and_handed_on_as_shut(
    frame: Frame, moved: Callable[..., tuple[Face, module.Moved]]
) -> None:
    face, _ = moved(expression())
    picture = np.full((320, 300, 3), 0.8, dtype=np.float32)
    x, y = np.rint(face.landmarks[36:42].mean(axis=0)).astype(int)
    picture[y - 1 : y + 2, x - 8 : x + 9] = 0.1
    _, found = moved(expression(lids=0.0), shut=ShutEyes(picture, face.landmarks))
    made = composite(frame, found.patches)
    assert cut(frame, (x, y, x + 1, y + 1)).min() == 200
    assert cut(made, (x, y, x + 1, y + 1)).max() < 80
    for above, below in ((37, 41), (38, 40), (43, 47), (44, 46)):
        landed = face.landmarks[above] + found.shifts[above]
        np.testing.assert_allclose(landed, face.landmarks[below], atol=0.5)


@pytest.mark.parametrize("up_cm", [0.5, -0.5])
def test_moving_brows_neither_opens_nor_shuts_the_eyes(
    points: Floats, posed: Poses, framed: Callable[..., Frame], face_from: Callable[..., Face], up_cm: float
) -> None:
    picture: Picture = np.full((320, 300, 3), 200, dtype=np.uint8)
    face = face_from(points, posed(0.0, SCALE, CENTRE))
    for number in (36, 42):
        low, high = face.landmarks[number : number + 6].min(axis=0), face.landmarks[number : number + 6].max(axis=0)
        (x0, y0), (x1, y1) = np.rint(low).astype(int), np.rint(high).astype(int)
        picture[y0:y1, x0:x1] = 30
    frame = framed(picture)
    drawn = np.tile(np.array([0.0, -SCALE * up_cm], dtype=np.float32), (10, 1))
    made = composite(frame, move(frame, face, drawn, OPEN, None).patches)
    for number in (37, 38, 43, 44):
        x, y = np.rint(face.landmarks[number]).astype(int)
        column = (x, y - 4, x + 1, y + 16)
        dark = [int((cut(each, column)[:, 0, 0] < 115).sum()) for each in (frame, made)]
        assert abs(dark[1] - dark[0]) <= 1


def test_a_brow_does_not_come_down_onto_its_lid(moved: Callable[..., tuple[Face, module.Moved]]) -> None:
    face, found = moved(expression(-3.0))
    for brow, lid in zip(range(17, 27), module.LID_UNDER, strict=True):
        assert face.landmarks[brow, 1] + found.shifts[brow, 1] < face.landmarks[lid, 1]


def test_no_brow_is_moved_further_than_is_possible(moved: Callable[..., tuple[Face, module.Moved]]) -> None:
    _, found = moved(expression(5.0))
    assert np.abs(found.shifts[BROWS]).max() == pytest.approx(SCALE * module.MOST_CM, rel=1e-3)


def test_what_is_moved_ends_before_the_patch_does(
    frame: Frame, points: Floats, posed: Poses, face_from: Callable[..., Face]
) -> None:
    """No line is seen on the forehead: at the patch's border pixels are where they were."""
    face = face_from(points, posed(0.0, SCALE, CENTRE))
    x, y = np.meshgrid(np.arange(300), np.arange(320))
    striped = frame_like(frame, np.where((x + y) % 12 < 6, 200, 120))
    drawn = np.tile(np.array([0.0, -6.0], dtype=np.float32), (10, 1))
    (patch,) = move(striped, face, drawn, OPEN, None).patches
    own = cut(striped, patch.box)[..., 0] / 255
    for edge in (np.s_[1:3], np.s_[-3:-1], np.s_[:, 1:3], np.s_[:, -3:-1]):
        assert np.abs(patch.picture[..., 0] - own)[edge].max() < 0.06


def test_a_face_at_the_edge_of_the_picture_is_moved_too(
    points: Floats, posed: Poses, framed: Callable[..., Frame], face_from: Callable[..., Face]
) -> None:
    face = face_from(points, posed(0.0, SCALE, (20.0, 90.0)))
    picture: Picture = np.full((320, 300, 3), 200, dtype=np.uint8)
    column, row = np.rint(face.landmarks[25]).astype(int)
    picture[row - 2 : row + 3, column - 20 : column + 21] = 40
    frame = framed(picture)
    drawn = np.tile(np.array([0.0, -5.0], dtype=np.float32), (10, 1))
    made = composite(frame, move(frame, face, drawn, OPEN, None).patches)
    x, y = np.rint(face.landmarks[25]).astype(int)
    assert cut(frame, (x, y - 5, x + 1, y - 4)).min() == 200
    assert cut(made, (x, y - 5, x + 1, y - 4)).max() < 100
