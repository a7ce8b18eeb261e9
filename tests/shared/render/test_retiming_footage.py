"""A real clip under shorter and longer speech, through the whole render, with a stage that paints the face."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from shared.media.options import EncodeOptions
from shared.media.reader import open_clip, probe
from shared.media.sound import load_sound, write_wav
from shared.picture.composite import changed_support
from shared.provenance.consent import read_consent
from shared.render import reorder, stage
from shared.render.job import RenderJob, StageRequest
from shared.render.once import faces_of, render
from shared.render.options import RetimeChoice
from shared.types import JsonObject, Sound
from tests.shared.render.made import LOSSLESS, PaintOptions, painted

pytestmark = [pytest.mark.footage, pytest.mark.weights, pytest.mark.usefixtures("weights")]


@pytest.fixture(autouse=True)
def painting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stage.OPENERS, "sync", "tests.shared.render.made:paint")
    monkeypatch.setattr(reorder, "FAR", 20)  # so that frames of a short clip are sought too


def shown(retimed: JsonObject) -> list[int | None]:
    """The clip's frame of each output frame, None where it is flow."""
    frames: list[int | None] = []
    for first, last, source in retimed["runs"]:
        assert first == len(frames)
        frames += [None if source == "flow" else source + step for step in range(last - first + 1)]
    return frames


@pytest.mark.parametrize(("length_s", "jumps"), [(2.2, False), (9.0, True)])
def test_a_retimed_clip_lasts_as_long_as_its_speech_and_is_exact_where_it_shows_the_clip(
    footage: Path, tmp_path: Path, length_s: float, jumps: bool
) -> None:
    clip = sorted((footage / "train" / "grid_s1" / "hq").glob("*.mp4"))[0]
    spoken = load_sound(footage / "train" / "obama_pd" / "oval2010_450_resynced.mp4")
    speech, output = tmp_path / "speech.wav", tmp_path / "out.mkv"
    write_wav(speech, Sound(spoken.samples[: round(length_s * spoken.rate_hz)], spoken.rate_hz))
    consent = read_consent("Test footage, its licence allows changes.")
    stages = (StageRequest("sync", PaintOptions()),)
    job = RenderJob(clip, output, consent, stages, speech, encode=LOSSLESS)
    report = render(job)
    assert report.counts["frames"] == round(length_s * 25) == report.counts["with_face"]
    assert report.retimed is not None
    assert bool(report.retimed["jumps"]) == jumps
    frames = shown(report.retimed)
    as_filmed = [frame for frame in frames if frame is not None]
    assert len(as_filmed) == report.retimed["as_filmed"] > len(frames) / 2
    if not jumps:
        assert all(0 < after - before <= 2 for before, after in pairwise(as_filmed))
    with open_clip(clip) as reader:
        filmed = list(reader.frames())
    with faces_of(job) as faces, open_clip(output) as reader:
        for index, made in enumerate(reader.frames()):
            assert abs(float(made.time_s) - index / 25) < 0.001
            source = frames[index]
            if source is not None:
                support = changed_support(filmed[source], [painted(face, 1.0) for face in faces.faces_at(source)])
                for old, new, inside in zip(filmed[source].planes, made.planes, support, strict=True):
                    assert np.array_equal(old[~inside], new[~inside])
    assert abs(load_sound(output).duration_s - length_s) < 0.05


@pytest.mark.parametrize(
    ("name", "retime", "is_retimed"),
    [
        ("derived/vfr_dropped.mp4", "auto", True),
        ("derived/face_leaves_frame.mp4", "auto", True),
        ("derived/interlaced_25i.mpg", "auto", True),
        ("derived/rotated_displaymatrix.mp4", "auto", True),
        ("derived/ntsc_29.97.mp4", "auto", True),
        ("derived/odd_size_yuv444.mp4", "auto", True),
        ("derived/mjpeg_pcm8k.avi", "auto", True),
        ("derived/truncated.mp4", "auto", True),
        ("derived/one_frame.mp4", "auto", True),
        ("derived/two_people_right_speaks.mp4", "auto", False),
        ("derived/two_people_right_speaks.mp4", "on", True),
    ],
)
def test_awkward_clips_are_retimed_to_longer_speech(
    footage: Path, tmp_path: Path, name: str, retime: RetimeChoice, is_retimed: bool
) -> None:
    clip, speech = footage / "hard" / name, tmp_path / "speech.wav"
    output = tmp_path / f"out{'.mp4' if clip.suffix == '.mpg' else clip.suffix}"
    spoken = load_sound(footage / "train" / "obama_pd" / "oval2010_450_resynced.mp4")
    write_wav(speech, Sound(spoken.samples[: 4 * spoken.rate_hz], spoken.rate_hz))
    consent = read_consent("Test footage, its licence allows changes.")
    stages = (StageRequest("sync", PaintOptions()),)
    quick = EncodeOptions(preset="ultrafast")
    report = render(RenderJob(clip, output, consent, stages, speech, encode=quick, retime=retime))
    before = probe(clip)
    assert (report.retimed is not None) == is_retimed
    with open_clip(output) as reader:
        times = np.array([float(frame.time_s) for frame in reader.frames()])
        assert (reader.info.size, reader.info.quarter_turns) == (before.size, before.quarter_turns)
    assert len(times) == report.counts["frames"]
    if is_retimed and report.retimed is not None:
        rate = float(Fraction(report.retimed["rate"]))
        assert len(times) == math.ceil(4 * rate - 0.1)
        np.testing.assert_allclose(times - times[0], np.arange(len(times)) / rate, atol=1.5 * float(before.time_base))
    assert report.counts["changed"] == report.counts["with_face"] > 0
