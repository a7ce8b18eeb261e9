"""The speaker is looked for on the clip's own clock, wherever its file starts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shared.face import analyse as module
from shared.face.analyse import ClipFaces, pick_tracks
from shared.media import sound as sound_module
from shared.store.faces import FILE_NAME, StoredTrack
from shared.store.facewriter import FaceWriter
from shared.types import Face, Floats, Sound
from tests.shared.media.drawn import Recipe, make_clip

START_S = 36000


def test_mouths_of_a_clip_that_starts_at_ten_hours_are_compared_with_its_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(frames=10, time_base=10 * Recipe.time_base, pts=[START_S * 1280 + 51 * k for k in range(10)])
    clip = make_clip(tmp_path / "late.mkv", recipe)
    face = Face((0.0, 0.0, 9.0, 9.0), np.zeros((68, 2), np.float32), None, 1.0, 0)
    with FaceWriter(tmp_path / FILE_NAME) as writer:
        for number in range(10):
            writer.add(number, number, START_S + number / 25, 0, [(face, 0.1 * number)])
        writer.finish(
            [StoredTrack(0, 0, 0, 0, 9, 10, 9.0, 1.0, 1.0, np.zeros(128, np.float32))],
            {"frames": 10, "with_face": 10, "damaged": 0, "height": 48, "width": 64},
        )
    seen: list[Floats] = []

    def speaking(times_s: Floats, *_: object) -> float:
        seen.append(times_s)
        return 1.0

    monkeypatch.setattr(module, "speaking", speaking)
    monkeypatch.setattr(sound_module, "voiced_spans", lambda _: [(0.0, 0.4)])
    assert pick_tracks(ClipFaces(tmp_path, clip), "speaker", Sound(np.zeros(6400, np.float32), 16000)) == {0}
    np.testing.assert_allclose(seen[0], np.arange(10) / 25, atol=1e-4)
