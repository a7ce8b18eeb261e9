"""The stage: order, look-ahead, absence of faces, and what comes out for the next stage."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from lipsync import composite as module
from lipsync.borne import Borne
from lipsync.composite import AHEAD, BLOCK, ROOM, Remembered, _cast, _Role, _settled, _stage
from lipsync.detail import Details
from lipsync.ease import INSIDE_PER_S
from lipsync.front import Fronts
from lipsync.inside import Insides
from lipsync.mouth import FreeFace
from lipsync.options import SyncOptions
from lipsync.palette import palette_of
from lipsync.path import Follower
from lipsync.predict import MouthTrack
from lipsync.seat import Seats
from lipsync.synthesise import Synthesiser
from lipsync.teeth import SpeakerTeeth, TeethProxy
from lipsync.tint import Tints
from lipsync.upper import Moved, UpperFaces
from lipsync.voice import Voice
from lipsync.window import STEADY_FRAMES, Window
from shared.face.pose import FacePose
from shared.picture.composite import composite
from shared.picture.planes import cut
from shared.types import Edit, Face, Floats, Frame, Patch, Scene

OPTIONS = SyncOptions(voice=Path(), speech=Path(), sharpen=False)
STEADY = replace(OPTIONS, steadiness=0.5)
Frames = Callable[..., Frame]
Thing = tuple[slice, slice]
BOX: Thing = (slice(78, 114), slice(40, 121))
"""Over the lips, cheek to cheek."""
STICK: Thing = (slice(108, 200), slice(93, 104))
"""From below up to the chin, beside the lips."""


@pytest.fixture
def scenes(
    monkeypatch: pytest.MonkeyPatch,
    points_of: Callable[[float], Floats],
    posed: Callable[..., FacePose],
    face_from: Callable[..., Face],
    free_from: Callable[..., FreeFace],
    framed: Frames,
) -> Callable[..., list[Scene]]:
    """Frames of bright skin with a closed mouth; faces absent, or a thing in front of them, where told."""

    def make(
        count: int,
        absent: tuple[int, ...] = (),
        yaw_deg: float = 0.0,
        level: int = 200,
        thing: Thing | None = None,
        thing_in: range = range(0),
    ) -> list[Scene]:
        pose, points = posed(yaw_deg), points_of(0.0)
        monkeypatch.setattr(module, "free_face", lambda _: free_from(points, pose))
        picture = np.full((200, 170, 3), level, dtype=np.uint8)
        picture[..., 2] = level // 2
        behind = picture.copy()
        if thing is not None:
            behind[thing] = 110
        face = face_from(points, pose)
        shown = [framed(behind if k in thing_in else picture, k) for k in range(count)]
        return [Scene(frame, () if k in absent else (face,)) for k, frame in enumerate(shown)]

    return make


def opened(
    voice: Voice, opening_row: int, scenes: list[Scene], options: SyncOptions = OPTIONS
) -> list[tuple[Scene, Edit]]:
    shapes = voice.shapes[[opening_row, opening_row]]
    track = MouthTrack(np.array([0.0, 0.01]), shapes, np.zeros(2, dtype=np.float32))
    return list(_stage(iter(scenes), track, Synthesiser(voice, options), remembered_of(voice), options))


def remembered_of(voice: Voice) -> Remembered:
    return Remembered(Fronts(voice, palette_of(voice)), None, Seats(voice, lambda _: []), Insides(), Details(), Tints())


@pytest.mark.parametrize("count", [0, 1, STEADY_FRAMES, 3 * STEADY_FRAMES + 5])
def test_every_scene_comes_back_in_order(voice: Voice, scenes: Callable[..., list[Scene]], count: int) -> None:
    given = scenes(count)
    assert [scene.frame.index for scene, _ in opened(voice, 30, given)] == list(range(count))


@pytest.mark.parametrize("count", [1, BLOCK, BLOCK + AHEAD, 3 * BLOCK + AHEAD + 5])
def test_takes_are_followed_through_scenes_with_and_without_faces(
    voice: Voice, scenes: Callable[..., list[Scene]], count: int
) -> None:
    absent = (3, BLOCK, BLOCK + 1, 2 * BLOCK + AHEAD)
    found = opened(voice, 30, scenes(count, absent=absent), STEADY)
    assert [scene.frame.index for scene, _ in found] == list(range(count))
    assert [bool(edit.patches) for _, edit in found] == [k not in absent for k in range(count)]


def test_who_left_the_picture_is_followed_no_more(
    voice: Voice,
    scenes: Callable[..., list[Scene]],
    points_of: Callable[[float], Floats],
    posed: Callable[..., FacePose],
    free_from: Callable[..., FreeFace],
) -> None:
    followers: dict[int, Follower] = {}
    synthesiser = Synthesiser(voice, STEADY)
    for track in range(3):
        follower = synthesiser.follower()
        assert follower is not None
        followers[track] = follower
    found = synthesiser.find(voice.shapes[30], (0.0, 0.0, 0.0))
    waiting: deque[tuple[Scene, list[_Role]]] = deque()
    for scene, track in zip(scenes(2), (1, 2), strict=True):
        face = replace(scene.faces[0], track=track)
        followers[track].add(found, 0.0)
        waiting.append((scene, [_Role(face, free_from(points_of(0.0), posed()), voice.shapes[30], found)]))
    ((_, cast),) = _settled(waiting, 1, followers)
    assert [role.face.track for role in cast] == [1]
    assert sorted(followers) == [1, 2]


def test_mouths_are_made_as_the_head_of_the_shown_frame_bears_them(
    voice: Voice, scenes: Callable[..., list[Scene]]
) -> None:
    asked: list[tuple[int, int]] = []

    def shift(track: int, index: int) -> Floats:
        asked.append((track, index))
        return np.full(20, 0.01 * index, dtype=np.float32)

    track = MouthTrack(np.array([0.0, 0.01]), voice.shapes[[30, 30]], np.zeros(2, dtype=np.float32))
    shown = [replace(scene, clip_index=index) for scene, index in zip(scenes(3), (7, 3, 12), strict=True)]
    cast_of = _cast(iter(shown), track, Synthesiser(voice, OPTIONS), cast(Borne, SimpleNamespace(shift=shift)))
    shapes = [role.shape for _, roles in cast_of for role in roles]
    np.testing.assert_allclose(shapes, voice.shapes[30] + np.array([[0.07], [0.03], [0.12]]), atol=1e-5)
    assert asked == [(0, 7), (0, 3), (0, 12)]


def test_the_mouth_of_takes_is_the_wanted_one(voice: Voice, scenes: Callable[..., list[Scene]]) -> None:
    plain, steady = (opened(voice, 45, scenes(5), options)[2][1].faces for options in (OPTIONS, STEADY))
    assert plain is not None
    assert steady is not None
    np.testing.assert_allclose(steady[0].landmarks, plain[0].landmarks, atol=0.5)


@pytest.mark.parametrize(("options", "ahead"), [(OPTIONS, 0), (STEADY, BLOCK + AHEAD - 1)])
def test_the_stage_is_lazy_and_bounded(
    voice: Voice, scenes: Callable[..., list[Scene]], options: SyncOptions, ahead: int
) -> None:
    taken = 0

    def counted() -> object:
        nonlocal taken
        for scene in scenes(200):
            taken += 1
            yield scene

    track = MouthTrack(np.array([0.0, 0.01]), voice.shapes[[5, 5]], np.zeros(2, dtype=np.float32))
    results = _stage(counted(), track, Synthesiser(voice, options), remembered_of(voice), options)  # type: ignore[arg-type]
    next(results)
    time.sleep(0.5)  # the thread that makes mouths runs ahead as far as it may
    assert taken <= STEADY_FRAMES + 1 + ROOM + 1 + ahead


@pytest.mark.parametrize("count", [13, 60, 61, 62])
def test_no_frame_is_finished_by_those_far_from_it(
    voice: Voice,
    scenes: Callable[..., list[Scene]],
    monkeypatch: pytest.MonkeyPatch,
    count: int,
) -> None:
    sides: list[tuple[int, int]] = []

    def finished(window: Window, *_: object) -> tuple[Scene, Edit]:
        sides.append((window.place, len(window.scenes) - 1 - window.place))
        return window.scenes[window.place].scene, Edit()

    monkeypatch.setattr("lipsync.composite._finish", finished)
    opened(voice, 5, scenes(count))
    expected = [(min(at, STEADY_FRAMES), min(count - 1 - at, STEADY_FRAMES)) for at in range(count)]
    assert sides == expected


def test_a_closed_mouth_is_opened(voice: Voice, scenes: Callable[..., list[Scene]]) -> None:
    scene, edit = opened(voice, 45, scenes(1))[0]
    made = composite(scene.frame, edit.patches)
    assert edit.faces is not None
    x, y = np.rint(edit.faces[0].landmarks[[62, 66]].mean(axis=0)).astype(int)
    assert cut(scene.frame, (x, y, x + 1, y + 1)).max() == 200
    assert cut(made, (x, y, x + 1, y + 1)).max() < 80
    assert edit.faces[0].landmarks[57, 1] > scene.faces[0].landmarks[57, 1] + 4


def test_skin_takes_the_light_of_the_clip(voice: Voice, scenes: Callable[..., list[Scene]]) -> None:
    # The voice's skin is at 150, the clip's at 200; on the chin the new skin must be the clip's.
    scene, edit = opened(voice, 20, scenes(3))[1]
    made = composite(scene.frame, edit.patches)
    x, y = np.rint(scene.faces[0].landmarks[[57, 8]].mean(axis=0)).astype(int)
    np.testing.assert_allclose(cut(made, (x - 2, y - 2, x + 3, y + 3))[..., 0], 200, atol=3)


def test_the_upper_face_is_untouched(voice: Voice, scenes: Callable[..., list[Scene]]) -> None:
    scene, edit = opened(voice, 45, scenes(1))[0]
    made = composite(scene.frame, edit.patches)
    above = int(scene.faces[0].landmarks[30, 1])
    for old, new in zip(scene.frame.planes, made.planes, strict=True):
        np.testing.assert_array_equal(old[:above], new[:above])


@pytest.mark.parametrize("thing_in", [range(0), range(14, 24)])
def test_the_upper_face_follows_an_expression_whether_or_not_the_mouth_is_seen(
    voice: Voice, scenes: Callable[..., list[Scene]], thing_in: range
) -> None:
    shifts = np.zeros((68, 2), dtype=np.float32)
    shifts[17:27] = [0.0, -4.0]
    patch = Patch((60, 20, 100, 40), np.zeros((20, 40, 3), np.float32), np.zeros((20, 40), np.float32), track=0)
    upper = SimpleNamespace(moved=lambda *_: Moved((patch,), shifts))
    remembered = replace(remembered_of(voice), upper=cast(UpperFaces, upper))
    given = scenes(40, thing=BOX, thing_in=thing_in)
    track = MouthTrack(np.array([0.0, 0.01]), voice.shapes[[45, 45]], np.zeros(2, dtype=np.float32))
    scene, edit = list(_stage(iter(given), track, Synthesiser(voice, OPTIONS), remembered, OPTIONS))[19]
    assert edit.patches[0] is patch
    assert len(edit.patches) == (1 if thing_in else 2)
    assert edit.faces is not None
    np.testing.assert_allclose(edit.faces[0].landmarks[17:48] - scene.faces[0].landmarks[17:48], shifts[17:48])
    assert bool((edit.faces[0].landmarks[57] != scene.faces[0].landmarks[57]).any()) == (not thing_in)


def test_frames_without_a_face_pass_and_are_noted(voice: Voice, scenes: Callable[..., list[Scene]]) -> None:
    results = opened(voice, 30, scenes(5, absent=(1, 2)))
    assert [bool(edit.patches) for _, edit in results] == [True, False, False, True, True]
    assert results[1][1].notes == ("no-face",)


def test_a_profile_is_left_alone(voice: Voice, scenes: Callable[..., list[Scene]]) -> None:
    turned = opened(voice, 30, scenes(2, yaw_deg=60.0))
    assert all(not edit.patches and edit.notes == ("turned-away",) for _, edit in turned)
    faded = opened(voice, 30, scenes(2, yaw_deg=45.0))[0][1]
    assert faded.notes == ("faded-turned-away",)
    assert 0.3 < faded.patches[0].mask.max() < 0.7


def strengths(results: list[tuple[Scene, Edit]]) -> list[float]:
    """How strongly each frame shows its new mouth."""
    return [float(edit.patches[0].mask.max()) if edit.patches else 0.0 for _, edit in results]


def test_a_covered_mouth_is_left_as_filmed_and_fades_in_and_out_around_it(
    voice: Voice, scenes: Callable[..., list[Scene]]
) -> None:
    results = opened(voice, 45, scenes(40, thing=BOX, thing_in=range(14, 24)))
    assert [k for k, (_, edit) in enumerate(results) if edit.notes == ("covered",)] == list(range(14, 24))
    fading = [k for k, (_, edit) in enumerate(results) if "faded-covered" in edit.notes]
    assert fading == [11, 12, 13, 24, 25, 26]
    shown = strengths(results)
    assert shown[:11] == [1.0] * 11
    assert shown[14:24] == [0.0] * 10
    np.testing.assert_allclose(np.abs(np.diff(shown)).max(), 0.25, atol=0.02)


def test_a_single_frame_that_is_odd_does_not_take_the_mouth_away(
    voice: Voice, scenes: Callable[..., list[Scene]]
) -> None:
    results = opened(voice, 45, scenes(20, thing=BOX, thing_in=range(9, 10)))
    assert all(edit.patches and "covered" not in edit.notes for _, edit in results)
    assert results[9][1].notes == ("in-front",)


def test_what_is_in_front_stays_in_front_and_the_mouth_beside_it_moves(
    voice: Voice, scenes: Callable[..., list[Scene]]
) -> None:
    results = opened(voice, 45, scenes(12, thing=STICK, thing_in=range(3, 12)))
    scene, edit = results[8]
    assert edit.notes == ("in-front",)
    made = composite(scene.frame, edit.patches)
    changed = np.abs(made.planes[0].astype(int) - scene.frame.planes[0]) > 2
    assert not changed[STICK].any()
    assert changed[90:112, 70:90].sum() > 100
    assert results[1][1].notes == ()


def test_where_a_face_is_lost_and_found_in_a_shot_the_mouth_fades(
    voice: Voice, scenes: Callable[..., list[Scene]]
) -> None:
    results = opened(voice, 45, scenes(24, absent=(10, 11)))
    np.testing.assert_allclose(strengths(results)[6:16], [1, 0.75, 0.5, 0.25, 0, 0, 0.25, 0.5, 0.75, 1], atol=0.02)
    assert results[9][1].notes == ("faded-no-face",)
    assert results[10][1].notes == ("no-face",)


def test_a_cut_is_no_reason_to_fade(voice: Voice, scenes: Callable[..., list[Scene]], framed: Frames) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (10, 9, 3), dtype=np.uint8)
    other = np.kron(noise, np.ones((20, 20, 1), dtype=np.uint8))[:200, :170]
    given = scenes(24, absent=tuple(range(12, 24)))
    given[12:] = [replace(scene, frame=framed(other, scene.frame.index), shot=1) for scene in given[12:]]
    assert strengths(opened(voice, 45, given)) == [1.0] * 12 + [0.0] * 12


@pytest.fixture
def toothed_voice(voice: Voice) -> Voice:
    """The voice, whose mouths now show bright teeth, the proxy's with gaps."""
    textures = np.asarray(voice.textures).copy()
    teeth = (textures == (40, 10, 10)).all(axis=-1)
    textures[teeth] = 190
    proxy = textures[59].copy()
    proxy[:, ::4] = np.where(teeth[59, :, ::4, np.newaxis], 60, proxy[:, ::4])
    shown = teeth.sum(axis=(1, 2)).astype(np.float32)
    found = SpeakerTeeth((TeethProxy("upper", proxy, voice.pool.flat[59]),), shown, np.zeros(60, dtype=np.float32))
    return replace(voice, textures=textures, teeth=found)


def test_teeth_get_the_proxys_detail_between_the_lips_alone(
    toothed_voice: Voice, scenes: Callable[..., list[Scene]]
) -> None:
    plain, made = (
        [
            composite(scene.frame, edit.patches)
            for scene, edit in opened(toothed_voice, 50, scenes(3), replace(OPTIONS, teeth=strength))
        ][1]
        for strength in (0.0, 1.0)
    )
    changed = np.abs(plain.planes[0].astype(int) - made.planes[0]) > 8
    assert int(changed.sum()) > 20
    rows, columns = np.nonzero(plain.planes[0] != made.planes[0])
    corners = scenes(1)[0].faces[0].landmarks[[48, 54, 51]]
    assert columns.min() > corners[0, 0]
    assert columns.max() < corners[1, 0]
    assert rows.min() > corners[2, 1]


def test_a_voice_without_teeth_is_laid_in_as_it_is(voice: Voice, scenes: Callable[..., list[Scene]]) -> None:
    one, other = (
        opened(voice, 45, scenes(1), replace(OPTIONS, teeth=strength))[0][1].patches[0].picture
        for strength in (0.0, 1.0)
    )
    np.testing.assert_array_equal(one, other)


def test_the_inside_of_a_mouth_changes_slowly_though_much_is_learned_at_once(
    voice: Voice, scenes: Callable[..., list[Scene]], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = iter([1.0] * 20 + [0.7] * 60)
    shares: list[float] = []
    monkeypatch.setattr(Insides, "share", lambda *_: next(known))

    def noted(texture: Floats, opening: object, share: float) -> Floats:
        del opening
        shares.append(share)
        return texture

    monkeypatch.setattr(module, "darkened", noted)
    opened(voice, 45, scenes(80))
    steps = np.abs(np.diff(shares)) * 25
    assert len(shares) == 80
    assert steps.max() == pytest.approx(INSIDE_PER_S)
    assert shares[0] == 1.0
    assert shares[-1] == pytest.approx(0.7)
