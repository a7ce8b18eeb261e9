"""The talking head: what is drawn is what is said to be drawn."""

from __future__ import annotations

import numpy as np
import pytest

from shared.demo.actor import Actor, ActorOptions, Drawn
from shared.demo.motion import MotionOptions, make_motion
from shared.demo.portraits import frame_of
from shared.demo.visemes import PARTS, MouthCurve
from shared.face.detect import make_finder
from shared.face.landmarks import canonical_face
from tests.shared.demo.made import made_portrait

pytestmark = [pytest.mark.weights, pytest.mark.usefixtures("weights")]
SIZE = (160, 144)
STILL = MotionOptions(yaw_deg=0, pitch_deg=0, roll_deg=0, shift_cm=0, nod_deg=0, blink_every_s=1e6)


@pytest.fixture(scope="module")
def actor() -> Actor:
    canonical = canonical_face()
    return Actor(made_portrait(canonical, (240, 216)), canonical, ActorOptions(SIZE, grain=0.0, motion=STILL))


def _curve(**columns: list[float]) -> MouthCurve:
    length = max(len(column) for column in columns.values())
    rows = np.stack([columns.get(part, [0.0] * length) for part in PARTS], axis=1).astype(np.float64)
    return MouthCurve(np.arange(length) / 25.0, rows)


def _moving(seconds: float) -> MouthCurve:
    times = np.arange(round(seconds * 25)) / 25.0
    rows = np.zeros((times.size, len(PARTS)))
    rows[:, 0] = np.clip(0.9 * np.sin(2 * np.pi * 1.1 * times), 0.0, None)
    return MouthCurve(times, rows)


def test_the_gap_of_the_lips_is_proportional_to_the_opening_asked_for(actor: Actor) -> None:
    openings = [0.0, 0.25, 0.5, 0.75, 1.0]
    gaps = np.array([one.aperture_px for one in actor.perform(_curve(opening_cm=openings))])
    assert gaps[0] < 0.02
    assert np.abs(gaps / gaps[-1] - openings).max() < 0.03
    assert gaps[-1] > 4.0


def test_the_mouth_turns_dark_where_the_lips_part_and_the_forehead_stays(actor: Actor) -> None:
    closed, opened = actor.perform(_curve(opening_cm=[0.0, 1.1]))
    centre = np.rint(opened.mesh[[13, 14], :2].mean(axis=0)).astype(int)
    y = centre[1] + 1
    assert int(opened.picture[y, centre[0]].sum()) < 0.6 * int(closed.picture[y, centre[0]].sum())
    forehead = slice(0, round(float(opened.mesh[9, 1])) - 12)
    assert np.abs(opened.picture[forehead].astype(int) - closed.picture[forehead]).max() <= 3


def test_width_and_rounding_move_the_corners_apart_and_together(actor: Actor) -> None:
    rest, wide, round_ = actor.perform(_curve(width=[0.0, 1.0, 0.0], rounding=[0.0, 0.0, 1.0]))

    def breadth(one: Drawn) -> float:
        return float(one.mesh[291, 0] - one.mesh[61, 0])

    assert breadth(wide) > 1.08 * breadth(rest)
    assert breadth(round_) < 0.85 * breadth(rest)


def test_what_a_finder_sees_is_what_was_drawn(actor: Actor) -> None:
    finder = make_finder()
    drawn = list(actor.perform(_moving(1.6)))
    faces = finder.find(frame_of(drawn[0].picture))
    seen = []
    for one in drawn:
        (face,) = finder.follow(frame_of(one.picture), faces)
        assert face is not None
        faces = (face,)
        assert face.mesh is not None
        seen.append(np.linalg.norm(face.mesh[14, :2] - face.mesh[13, :2]))
    assert np.corrcoef(seen, [one.aperture_px for one in drawn])[0, 1] > 0.9


def test_a_head_that_turns_shows_parallax() -> None:
    canonical = canonical_face()
    options = ActorOptions(SIZE, grain=0.0, motion=MotionOptions(yaw_deg=8, pitch_deg=0, roll_deg=0, shift_cm=0))
    drawn = list(Actor(made_portrait(canonical, SIZE), canonical, options).perform(_moving(8.0), seed=2))
    nose = np.array([one.mesh[4, 0] for one in drawn])
    ear = np.array([one.mesh[[127, 356], 0].mean() for one in drawn])
    assert np.ptp(nose) > 1.5 * np.ptp(ear)
    corner = np.array([one.picture[-1, 0] for one in drawn]).astype(int)
    assert np.ptp(corner, axis=0).max() <= 2


def test_a_blink_covers_the_eye() -> None:
    canonical = canonical_face()
    portrait = made_portrait(canonical, (240, 216))
    options = ActorOptions(SIZE, grain=0.0, motion=STILL)
    actor = Actor(portrait, canonical, options)
    curve = _curve(opening_cm=[0.0, 0.0])
    motion = make_motion(curve.times_s, curve.opening_cm, STILL, 0)
    motion.blink[1] = 1.0
    opened, closed = actor.perform_motion(curve, motion)
    eye = np.rint(opened.mesh[[159, 145], :2].mean(axis=0)).astype(int)
    skin = np.rint(opened.mesh[50, :2]).astype(int)
    before, after, cheek = (
        one.picture[place[1], place[0]].astype(int) for one, place in ((opened, eye), (closed, eye), (opened, skin))
    )
    assert np.abs(after - cheek).sum() < np.abs(before - cheek).sum()
    assert np.linalg.norm(closed.mesh[159, :2] - closed.mesh[145, :2]) < 0.3


def test_the_same_seed_gives_the_same_frames_and_another_one_does_not() -> None:
    canonical = canonical_face()
    actor = Actor(made_portrait(canonical, SIZE), canonical, ActorOptions(SIZE))
    first, again, other = (list(actor.perform(_moving(0.4), seed=seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a.picture, b.picture) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[-1].picture, other[-1].picture)
