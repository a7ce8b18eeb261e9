"""What the pictures of a clip are like: detail without edges, and light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lipsync import survey as module
from lipsync.index import ClipMouths, gather
from lipsync.mouth import FreeFace
from lipsync.options import VoiceOptions
from lipsync.plane import TexturePlane
from lipsync.roles import decide
from lipsync.survey import LOOKED_AT, WITHIN, detail_of, survey
from shared.face.pose import FacePose
from shared.picture.warp import gaussian, to_float
from shared.store.artefact import cache_folder
from shared.types import Floats, Picture


@pytest.fixture
def grained(plane: TexturePlane, drawn: Callable[..., Picture]) -> Floats:
    """A drawn lower face with the grain of skin."""
    rng = np.random.default_rng(5)
    return to_float(np.clip(drawn(0.6) + rng.normal(0.0, 4.0, (*plane.size, 3)), 0, 255).astype(np.uint8))


def test_blur_takes_detail(grained: Floats, plane: TexturePlane, points_of: Callable[[float], Floats]) -> None:
    flat = plane.to_texture(points_of(0.6))
    sharp, soft = detail_of(grained, flat), detail_of(gaussian(grained, 0.6), flat)
    assert soft < 0.7 * sharp


def test_detail_is_the_same_in_half_the_light(
    grained: Floats, plane: TexturePlane, points_of: Callable[[float], Floats]
) -> None:
    flat = plane.to_texture(points_of(0.6))
    assert detail_of(grained * np.float32(0.5), flat) == pytest.approx(detail_of(grained, flat), rel=1e-4)


def test_an_opened_mouth_is_no_detail(
    drawn: Callable[..., Picture], plane: TexturePlane, points_of: Callable[[float], Floats]
) -> None:
    assert detail_of(to_float(drawn(1.0)), plane.to_texture(points_of(1.0))) == pytest.approx(0.0, abs=1e-6)


@pytest.fixture
def staged(
    monkeypatch: pytest.MonkeyPatch,
    points_of: Callable[[float], Floats],
    free_from: Callable[..., FreeFace],
    posed: Callable[..., FacePose],
) -> Callable[..., ClipMouths]:
    """Clips whose lower faces have an even level; which rows are read is kept in the clip's times."""
    levels: dict[Path, int] = {}

    def lower_faces(clip: ClipMouths, rows: list[int], plane: TexturePlane) -> list[tuple[Picture, int]]:
        clip.times_s[rows] = -1.0
        return [(np.full((*plane.size, 3), levels[clip.path], dtype=np.uint8), int(row)) for row in rows]

    monkeypatch.setattr(module, "lower_faces", lower_faces)

    def make(name: str, level: int, frames: int = 20, yaw_deg: float = 0.0) -> ClipMouths:
        levels[Path(name)] = level
        return ClipMouths(
            path=Path(name),
            indices=np.arange(frames),
            times_s=np.zeros(frames),
            faces=(free_from(points_of(0.2), posed(yaw_deg)),) * frames,
            inside=np.ones(frames, dtype=bool),
            sharpness=np.ones(frames, dtype=np.float32),
            features=None,
            voiced=(),
        )

    return make


def test_light_is_the_gain_to_the_first_clip_that_is_seen(staged: Callable[..., ClipMouths]) -> None:
    clips = [staged("a.mp4", 10, yaw_deg=60.0), staged("b.mp4", 100), staged("c.mp4", 200)]
    aside, first, bright = survey(clips, VoiceOptions())
    assert (aside.frames, first.frames) == (0, 20)
    np.testing.assert_allclose(first.light, 0.0, atol=1e-9)
    np.testing.assert_allclose(bright.light[0], np.log(100 / 200), atol=0.03)


def test_clips_that_are_never_seen_from_the_front_have_no_frames(staged: Callable[..., ClipMouths]) -> None:
    assert [view.frames for view in survey([staged("a.mp4", 10, yaw_deg=60.0)] * 2, VoiceOptions())] == [0, 0]


def test_of_a_long_clip_only_the_start_is_read(staged: Callable[..., ClipMouths]) -> None:
    clip = staged("a.mp4", 100, frames=4 * WITHIN)
    survey([clip], VoiceOptions())
    read = np.flatnonzero(clip.times_s < 0)
    assert len(read) == LOOKED_AT
    assert (read[0], read[-1]) == (0, WITHIN - 1)


@pytest.mark.footage
@pytest.mark.usefixtures("weights")
def test_real_clips_that_are_soft_silent_or_lit_otherwise_are_found(
    footage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lipsync.roles.ENOUGH", 100)  # of a minute of sharp footage, one clip and a part
    hq = sorted((footage / "train/grid_s1/hq").glob("*.mp4"))[20:80:30]
    lm = sorted((footage / "train/grid_s1/lm").glob("*.mp4"))[300]
    derived = footage / "hard/derived"
    other_day = sorted((footage / "hard/grid_s1_sessionB").glob("*.mp4"))[0]
    paths = [lm, *hq, other_day, derived / "low_light_noise.mp4", derived / "no_audio_track.mp4"]
    clips = gather(paths, cache_folder(), "largest", Counter())
    assert [serving.why for serving in decide(clips, {}, VoiceOptions())] == [
        ("softer than the others",),
        (),
        (),
        ("lit otherwise",),
        ("lit otherwise",),
        ("no sound",),
    ]
