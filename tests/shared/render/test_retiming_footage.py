"""A real clip under shorter and longer speech, through the whole render, with a stage that paints the face."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from shared.media.reader import open_clip
from shared.media.sound import load_sound, write_wav
from shared.picture.composite import changed_support
from shared.provenance.consent import read_consent
from shared.render import reorder, stage
from shared.render.job import RenderJob, StageRequest
from shared.render.once import faces_of, render
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
