"""Textures: which frames give one, and one light for all clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lipsync import textures as module
from lipsync.index import ClipMouths
from lipsync.mouth import FreeFace
from lipsync.options import VoiceOptions
from lipsync.plane import TexturePlane
from lipsync.textures import _unbroken, lower_faces, write_textures
from lipsync.voice import map_rows
from shared.errors import NoFaceError
from shared.face.pose import FacePose
from shared.types import Floats, Frame, Picture


class StagedReader:
    """Stands for an open clip: gives the frames it was made of."""

    def __init__(self, frames: list[Frame]) -> None:
        self._frames = frames

    def __enter__(self) -> StagedReader:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def frames(self) -> list[Frame]:
        return self._frames


@pytest.fixture
def staged(
    monkeypatch: pytest.MonkeyPatch,
    points_of: Callable[[float], Floats],
    free_from: Callable[..., FreeFace],
    posed: Callable[..., FacePose],
    framed: Callable[..., Frame],
) -> Callable[..., ClipMouths]:
    """Clips whose frames are even pictures of the given levels."""
    clips: dict[Path, list[Frame]] = {}
    monkeypatch.setattr(module, "open_clip", lambda path: StagedReader(clips[path]))

    def make(name: str, levels: list[int], yaw_deg: float = 0.0, sharpness: float = 1.0) -> ClipMouths:
        count = len(levels)
        pictures: list[Picture] = [np.full((200, 170, 3), level, dtype=np.uint8) for level in levels]
        clips[Path(name)] = [framed(picture, index) for index, picture in enumerate(pictures)]
        return ClipMouths(
            path=Path(name),
            indices=np.arange(count),
            times_s=np.arange(count) / 25.0,
            faces=tuple(free_from(points_of(0.1 * k), posed(yaw_deg)) for k in range(count)),
            inside=np.ones(count, dtype=bool),
            sharpness=np.full(count, sharpness, dtype=np.float32),
            features=None,
            voiced=(),
        )

    return make


def written(
    clips: list[ClipMouths], folder: Path, plane: TexturePlane, options: VoiceOptions | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.int64], Counter[str]]:
    counts: Counter[str] = Counter()
    pool = write_textures(clips, plane, options or VoiceOptions(), folder / "t.safetensors", counts)
    return map_rows(folder / "t.safetensors"), pool.rows, counts


def test_each_usable_frame_gives_its_lower_face(
    staged: Callable[..., ClipMouths], tmp_path: Path, plane: TexturePlane
) -> None:
    textures, rows, counts = written([staged("a.mp4", [100, 101, 102])], tmp_path, plane)
    assert textures.shape == (3, *plane.size, 3)
    np.testing.assert_array_equal(textures[rows].reshape(3, -1).mean(axis=1), [100, 101, 102])
    assert sum(counts.values()) == 0


def test_turned_and_blurred_frames_are_counted_and_left_out(
    staged: Callable[..., ClipMouths], tmp_path: Path, plane: TexturePlane
) -> None:
    clips = [staged("a.mp4", [100] * 5), staged("b.mp4", [100] * 2, yaw_deg=40.0), staged("c.mp4", [100] * 2, 0.0, 0.1)]
    _, rows, counts = written(clips, tmp_path, plane)
    assert len(rows) == 5
    assert (counts["turned-away"], counts["blurred"]) == (2, 2)


def test_a_clip_under_another_lamp_comes_to_the_first_one_s_light(
    staged: Callable[..., ClipMouths], tmp_path: Path, plane: TexturePlane
) -> None:
    textures, rows, _ = written([staged("a.mp4", [100] * 30), staged("b.mp4", [130] * 30)], tmp_path, plane)
    assert len(rows) == 60
    np.testing.assert_allclose(textures[rows[45]], 100, atol=2)


def test_a_broken_picture_is_left_out(staged: Callable[..., ClipMouths], tmp_path: Path, plane: TexturePlane) -> None:
    textures, rows, counts = written([staged("a.mp4", [100] * 20 + [180])], tmp_path, plane)
    assert textures.shape[0] == 21
    assert counts["broken"] == 1
    assert 20 not in rows


def test_no_more_of_a_clip_is_read_than_is_wanted(
    staged: Callable[..., ClipMouths], monkeypatch: pytest.MonkeyPatch, plane: TexturePlane
) -> None:
    clip, read = staged("a.mp4", [100] * 10), list[int]()
    given = StagedReader.frames

    def counted(self: StagedReader) -> Iterator[Frame]:
        for frame in given(self):
            read.append(frame.index)
            yield frame

    monkeypatch.setattr(StagedReader, "frames", counted)
    assert [row for _, row in lower_faces(clip, np.array([1, 4]), plane)] == [1, 4]
    assert read == [0, 1, 2, 3, 4]


def test_long_footage_is_thinned_evenly(staged: Callable[..., ClipMouths], tmp_path: Path, plane: TexturePlane) -> None:
    clips = [staged("a.mp4", list(range(100, 110))), staged("b.mp4", list(range(100, 110)))]
    textures, _, counts = written(clips, tmp_path, plane, VoiceOptions(most_frames=5))
    assert textures.shape[0] == 5
    assert counts["thinned"] == 15


def test_no_usable_frame_names_the_footage(
    staged: Callable[..., ClipMouths], tmp_path: Path, plane: TexturePlane
) -> None:
    with pytest.raises(NoFaceError, match=r"a\.mp4: no frame of the footage shows the face well enough"):
        written([staged("a.mp4", [100] * 3, yaw_deg=50.0)], tmp_path, plane)


def test_small_changes_of_exposure_are_not_broken() -> None:
    means = np.tile(np.linspace(100, 120, 40)[:, np.newaxis], 3)
    assert _unbroken(means).all()
