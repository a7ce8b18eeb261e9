"""A clip whose file starts late (a broadcast captured midway) is synced and learned from as one that starts at 0."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from lipsync import composite, index
from lipsync.composite import open_stage
from lipsync.expression import Expression
from lipsync.index import ClipMouths
from lipsync.options import SyncOptions
from lipsync.predict import MouthTrack
from lipsync.steer import Steered
from shared.face.analyse import ClipFaces
from shared.media.reader import clip_origin, open_clip
from shared.progress import silent
from shared.types import Counts, Face, Floats, Scene
from tests.shared.media.drawn import Recipe, make_clip, shifted

FRAMES = 25
FACE = Face((8.0, 8.0, 40.0, 40.0), np.zeros((68, 2), np.float32), None, 1.0, 0)


@dataclass
class MadeFaces:
    """Stands in for the analysed faces: one in each frame, at the times of the file."""

    clip: Path
    size: tuple[int, int] = (48, 64)
    counts: Counts = field(default_factory=lambda: Counts(FRAMES, FRAMES))

    def iter(self) -> Iterator[tuple[int, float, tuple[Face, ...]]]:
        with open_clip(self.clip) as reader:
            for frame in reader.frames():
                yield frame.index, float(frame.time_s), (FACE,)

    def close(self) -> None:
        pass


@pytest.fixture
def clips(tmp_path: Path) -> tuple[Path, Path]:
    """The same clip at 0 and at 100 s."""
    now = make_clip(tmp_path / "now.ts", Recipe(frames=FRAMES, audio="mp2", audio_rate=48000))
    return now, shifted(now, tmp_path / "late.ts", 100.0)


@pytest.fixture
def shapes_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Floats]:
    """The shapes that the stage asks for, of a speech whose shape is its time."""
    asked: list[Floats] = []
    times = np.arange(300) / 100.0
    spoken = MouthTrack(
        times, np.repeat(times[:, np.newaxis], 20, axis=1).astype(np.float32), np.zeros(300, np.float32)
    )
    plain = MouthTrack.at

    def at(self: MouthTrack, time_s: float) -> Floats:
        asked.append(plain(self, time_s))
        return asked[-1]

    monkeypatch.setattr(MouthTrack, "at", at)
    monkeypatch.setattr(composite, "open_voice", lambda _: SimpleNamespace(bearing=None))
    monkeypatch.setattr(composite, "steered", lambda *_: Steered(spoken))
    monkeypatch.setattr(composite, "palette_of", lambda _: None)
    monkeypatch.setattr(composite, "Fronts", lambda *_: None)
    monkeypatch.setattr(composite, "Seats", lambda *_: None)
    made = SimpleNamespace(steadiness=None, teeth=None, plane=None)
    monkeypatch.setattr(composite, "Synthesiser", lambda *_: made)

    def run(clip: Path) -> Floats:
        asked.clear()
        options = SyncOptions(voice=Path("voice"), speech=Path("speech.wav"))
        stage = open_stage(options, cast(ClipFaces, MadeFaces(clip)), "cpu", silent)
        with open_clip(clip) as reader:
            list(stage(Scene(frame, ()) for frame in reader.frames()))
        return np.array(asked)

    return run


def test_the_mouth_of_a_late_clip_speaks_from_the_first_picture_on(
    clips: tuple[Path, Path], shapes_of: Callable[[Path], Floats]
) -> None:
    first, second = (shapes_of(clip) for clip in clips)
    np.testing.assert_allclose(first[:, 0], np.arange(FRAMES) / 25, atol=1e-4)
    np.testing.assert_allclose(second, first, atol=1e-4)


@pytest.mark.parametrize("strength", [0.0, 0.7])
def test_an_expression_begins_with_the_first_picture_too_and_none_is_followed_at_0(
    clips: tuple[Path, Path],
    shapes_of: Callable[[Path], Floats],
    monkeypatch: pytest.MonkeyPatch,
    strength: float,
) -> None:
    shapes_of(clips[0])  # with which all but the expression is as it is there
    shares = np.ones((300, 2), dtype=np.float32)
    told = Expression(np.arange(300) / 100.0, np.zeros((300, 10, 2), np.float32), shares, shares[:, 0])
    track = MouthTrack(told.times_s, np.zeros((300, 20), np.float32), np.zeros(300, np.float32))
    monkeypatch.setattr(composite, "steered", lambda *_: Steered(track, told))
    made: list[tuple[float, float]] = []
    monkeypatch.setattr(
        composite, "UpperFaces", lambda followed, _, strength: made.append((float(followed.times_s[0]), strength))
    )
    options = SyncOptions(voice=Path("voice"), speech=None, driver=Path("driver.mp4"), expression=strength)
    for clip in clips:
        open_stage(options, cast(ClipFaces, MadeFaces(clip)), "cpu", silent)
    begun = [float(clip_origin(clip)) for clip in clips]
    assert begun[1] > 1.0
    assert [at for at, _ in made] == pytest.approx(begun if strength else [])
    assert {one for _, one in made} == ({strength} if strength else set())


def test_faces_and_features_of_a_late_clip_are_on_one_clock(
    clips: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "pick_tracks", lambda *_: frozenset({0}))
    monkeypatch.setattr(index, "free_face", lambda _: None)
    monkeypatch.setattr(index, "_lies_inside", lambda *_: True)
    monkeypatch.setattr(index, "voiced_spans", lambda _: [])

    def learned(clip: Path) -> ClipMouths:
        mouths = index._mouths(clip, cast(ClipFaces, MadeFaces(clip)), "all", Counter(), "paper")
        assert mouths is not None
        return mouths

    first, second = map(learned, clips)
    np.testing.assert_allclose(first.times_s, np.arange(FRAMES) / 25, atol=1e-4)
    np.testing.assert_allclose(second.times_s, first.times_s, atol=1e-4)
    assert first.features is not None
    assert second.features is not None
    assert first.features.shape == second.features.shape == (100, 28)
