"""Drawn frames to clips: colours, times, sound and truth survive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.demo.actor import Drawn
from shared.demo.film import COLOUR, PIXELS, RATE, film, frame_from_rgb, truth_of
from shared.media.reader import open_clip
from shared.media.sound import load_sound, write_wav
from shared.picture.planes import cut
from shared.picture.warp import gaussian
from shared.types import Sound

SIZE = (48, 64)


def _smooth(seed: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).uniform(0, 255, (*SIZE, 3)).astype(np.float32)
    soft = gaussian(noise, 4.0)
    return np.asarray(np.clip((soft - soft.mean()) * 4 + 128, 0, 255), dtype=np.uint8)


def test_a_picture_comes_back_from_its_planes() -> None:
    picture = _smooth(3)
    back = cut(frame_from_rgb(picture, 0), (0, 0, SIZE[1], SIZE[0]))
    apart = np.abs(back.astype(int) - picture)[2:-2, 2:-2]
    assert apart.mean() < 1.5
    assert apart.max() < 12


def test_grey_has_neutral_chroma_and_limited_range() -> None:
    frame = frame_from_rgb(np.full((4, 4, 3), 255, np.uint8), 7)
    assert frame.planes[0].max() == 235
    assert {int(value) for plane in frame.planes[1:] for value in plane.ravel()} == {128}
    assert frame.time_s == 7 / RATE
    assert frame.colour == COLOUR
    assert frame.pixels == PIXELS


def test_odd_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="expected even sizes, got 5x4"):
        frame_from_rgb(np.zeros((5, 4, 3), np.uint8), 0)


def test_a_filmed_clip_has_its_frames_its_sound_and_its_truth(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    tone = np.sin(np.arange(16000) * 2 * np.pi * 300 / 16000).astype(np.float32) * np.float32(0.3)
    write_wav(path.with_suffix(".wav"), Sound(tone, 16000))
    meshes = np.random.default_rng(1).uniform(0, 40, (10, 468, 3)).astype(np.float32)
    openings = np.linspace(0, 1, 10, dtype=np.float32)
    film(path, SIZE, (Drawn(_smooth(5), mesh, 0.0) for mesh in meshes), openings)
    with open_clip(path) as clip:
        frames = list(clip.frames())
        assert clip.info.rate == RATE
        assert clip.info.has_audio
    assert [frame.time_s for frame in frames] == [index / RATE for index in range(10)]
    assert np.abs(cut(frames[3], (8, 8, 40, 40)).astype(int) - _smooth(5)[8:40, 8:40]).mean() < 4
    heard = load_sound(path, 16000).samples[1600:4800]
    assert abs(np.argmax(np.abs(np.fft.rfft(heard))) * 16000 / 3200 - 300) <= 5
    truth = truth_of(path)
    assert np.array_equal(truth.mesh, meshes)
    assert np.array_equal(truth.opening_cm, openings)
    assert truth.landmarks.shape == (10, 68, 2)
