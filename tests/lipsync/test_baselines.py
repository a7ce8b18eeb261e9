"""Rows beside the recipes: what they answer, and the finder that looks beside the place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lipsync.alignment import Marks
from lipsync.baselines import SHIFT, TURN_DEG, ZOOM, Jittered, by_voice, detected_again, mean_mouth, retrieved
from lipsync.bearing import TOLD, Bearing
from lipsync.gauge import HeldClip
from lipsync.index import ClipMouths, gather
from lipsync.mouth import FreeFace
from lipsync.voice import Voice, lips_of
from shared.face.detect import Detection
from shared.face.pose import FacePose
from shared.media.sound import load_sound
from shared.progress import silent
from shared.store.artefact import cache_folder
from shared.types import Face, Floats, Frame, Picture, Sound

SILENCE = Sound(np.zeros(16000, dtype=np.float32), 16000)


def held(lips: Floats, path: Path = Path("a.mp4"), sound: Sound = SILENCE) -> HeldClip:
    count = len(lips)
    nobody = np.zeros(count, dtype=bool)
    return HeldClip(path, sound, np.arange(count), np.arange(count) / 25.0, lips, nobody, nobody, Marks(), nobody)


def test_the_mean_mouth_always_answers_the_mean(
    points_of: Callable[[float], Floats],
    free_from: Callable[..., FreeFace],
    posed: Callable[..., FacePose],
) -> None:
    faces = tuple(free_from(points_of(opening), posed()) for opening in (0.0, 0.4))
    nothing = np.zeros(2)
    clip = ClipMouths(
        path=Path("a.mp4"),
        indices=np.arange(2),
        times_s=nothing,
        faces=faces,
        inside=nothing.astype(bool),
        sharpness=nothing.astype(np.float32),
        features=None,
        voiced=(),
    )
    answer = mean_mouth([clip])(SILENCE, np.arange(3) / 25.0, None)
    np.testing.assert_allclose(answer, np.repeat(lips_of(points_of(0.2)[np.newaxis]), 3, axis=0), atol=1e-5)


def test_the_oracle_gives_the_pool_s_mouths_near_the_true_ones(
    voice: Voice, points_of: Callable[[float], Floats]
) -> None:
    wanted = lips_of(np.array([points_of(opening) for opening in (0.5, 1.2)]))
    made = retrieved(voice, held(wanted))
    assert made.shape == wanted.shape
    assert float(np.abs(made - wanted).max()) < 0.08
    assert float(np.abs(retrieved(voice, held(wanted[::-1].copy())) - wanted).max()) > 0.3


def test_a_voice_rests_under_silence_and_its_net_alone_does_not_know(voice: Voice) -> None:
    times = np.arange(20) / 25.0
    rested = by_voice(voice)(SILENCE, times, None)
    rest = voice.basis.decode(voice.rest)
    np.testing.assert_allclose(rested, np.repeat(rest[np.newaxis], 20, axis=0), atol=1e-4)
    assert float(np.abs(by_voice(voice, bare=True)(SILENCE, times, None) - rest).max()) > 1e-3


def test_a_voice_bears_mouths_as_the_head_does_and_its_net_alone_knows_no_head(voice: Voice) -> None:
    times, upper = np.arange(20) / 25.0, np.full((20, TOLD), 0.1, dtype=np.float32)
    slopes = np.full((TOLD, 20), 0.01, dtype=np.float32)
    far = np.array([1e6], dtype=np.float32)
    knowing = replace(voice, bearing=Bearing(np.zeros(TOLD, np.float32), np.eye(TOLD, dtype=np.float32), far, slopes))
    borne, unknown = (by_voice(knowing)(SILENCE, times, seen) for seen in (upper, None))
    moved = np.full(20, 0.01 * 0.1 * TOLD, dtype=np.float32) @ voice.basis.components
    np.testing.assert_allclose(borne - unknown, np.repeat(moved[np.newaxis], 20, axis=0), atol=1e-4)
    bare = by_voice(knowing, bare=True)
    np.testing.assert_array_equal(bare(SILENCE, times, upper), bare(SILENCE, times, None))


class Still:
    """A finder that finds the face where it is looked for."""

    turns = 2

    def detect(self, frame: Frame, thorough: bool = False) -> tuple[Detection, ...]:
        assert frame.planes
        return (Detection((10.0, 10.0, 60.0, 80.0), np.zeros((5, 2), dtype=np.float32), 0.9 if thorough else 0.8),)

    def look(self, frame: Frame, detection: Detection) -> Face | None:
        assert frame.planes
        return Face(detection.box, np.zeros((68, 2), dtype=np.float32), None, 1.0)

    def find(self, frame: Frame) -> tuple[Face, ...]:
        raise AssertionError(f"the jittered finder looks by itself, at {frame.index} too")

    def follow(self, frame: Frame, faces: Sequence[Face]) -> tuple[Face | None, ...]:
        assert frame.planes
        return tuple(faces)


def test_jitter_moves_zooms_and_turns_each_look_a_little(
    framed: Callable[..., Frame], drawn: Callable[..., Picture]
) -> None:
    frame, finder = framed(drawn(0.5)), Jittered(Still(), seed=4)
    rng = np.random.default_rng(0)
    mesh = np.concatenate([rng.uniform(0, 100, (478, 2)), rng.normal(0, 5, (478, 1))], axis=1).astype(np.float32)
    face = Face((0, 0, 100, 100), mesh[:68, :2], mesh, 1.0)
    shifts = []
    for _ in range(60):
        (moved,) = finder.follow(frame, [face])
        assert moved is not None
        assert moved.mesh is not None
        np.testing.assert_array_equal(moved.mesh[:, 2], mesh[:, 2])
        first, second = (one[:, :2] - one[:, :2].mean(axis=0) for one in (mesh, moved.mesh))
        turned = (second[:, 1] * first[:, 0] - second[:, 0] * first[:, 1]).sum(), (second * first).sum()
        assert abs(np.degrees(np.arctan2(*turned))) <= TURN_DEG + 1e-3
        assert abs(np.linalg.norm(second) / np.linalg.norm(first) - 1) <= ZOOM + 1e-3
        shifts.append(moved.mesh[:, :2].mean(axis=0) - mesh[:, :2].mean(axis=0))
    assert 0.5 * SHIFT * 100 < np.abs(shifts).max() <= (SHIFT + 0.01) * 100
    (again,) = Jittered(Still(), seed=4).follow(frame, [face])
    assert again is not None
    assert again.mesh is not None
    np.testing.assert_allclose(again.mesh[:, :2].mean(axis=0) - mesh[:, :2].mean(axis=0), shifts[0], atol=1e-4)


def test_jitter_moves_the_box_of_a_detection_and_faces_without_a_mesh(
    framed: Callable[..., Frame], drawn: Callable[..., Picture]
) -> None:
    frame, finder = framed(drawn(0.5)), Jittered(Still(), seed=1)
    (found,) = finder.find(frame)
    apart = np.abs(np.array(found.box) - [10.0, 10.0, 60.0, 80.0])
    assert 0 < apart.max() <= (SHIFT + ZOOM) * 70
    flat = Face((0, 0, 9, 9), np.arange(136, dtype=np.float32).reshape(68, 2), None, 1.0)
    (moved,) = finder.follow(frame, [flat])
    assert moved is not None
    assert not np.array_equal(moved.landmarks, flat.landmarks)
    finder.turns = 1
    assert finder.turns == 1


@pytest.mark.footage
@pytest.mark.usefixtures("weights")
def test_a_real_clip_detected_again_is_near_itself_and_not_itself(footage: Path, tmp_path: Path) -> None:
    path = footage / "train/grid_s1/hq/bwwu2p.mp4"
    (clip,) = gather([path], cache_folder(), "largest", Counter())
    seen = HeldClip(
        path, load_sound(path), clip.indices, clip.times_s, clip.lips, clip.inside, clip.inside, Marks(), clip.inside
    )
    again = detected_again(seen, tmp_path, "largest", "mesh", 0, silent)
    apart_cm = np.linalg.norm((again - clip.lips).reshape(len(again), -1, 2), axis=2).mean(axis=1)
    assert np.isfinite(apart_cm).mean() > 0.95
    assert 0.005 < float(np.nanmean(apart_cm)) < 0.1
    np.testing.assert_array_equal(detected_again(seen, tmp_path, "largest", "mesh", 0, silent), again)
    assert len(list(tmp_path.iterdir())) == 1
