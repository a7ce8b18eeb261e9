"""Real clips of every awkward kind through the whole render, with a stage that paints the faces found."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from shared.media.options import EncodeOptions
from shared.media.reader import open_clip, probe
from shared.picture.composite import changed_support
from shared.provenance.consent import read_consent
from shared.provenance.verify import verify
from shared.render import stage
from shared.render.job import RenderJob, StageRequest
from shared.render.once import faces_of, render
from tests.shared.render.made import LOSSLESS, PaintOptions, painted

pytestmark = [pytest.mark.footage, pytest.mark.weights, pytest.mark.usefixtures("weights")]


@pytest.fixture(autouse=True)
def painting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stage.OPENERS, "swap", "tests.shared.render.made:paint")


def job_of(clip: Path, output: Path, encode: EncodeOptions = LOSSLESS) -> RenderJob:
    consent = read_consent("Test footage, its licence allows changes.")
    return RenderJob(clip, output, consent, (StageRequest("swap", PaintOptions()),), person="all", encode=encode)


@pytest.mark.parametrize(
    "name",
    ["vfr_dropped.mp4", "odd_size_yuv444.mp4", "rotated_displaymatrix.mp4", "interlaced_25i.mpg", "ntsc_29.97.mp4"],
)
def test_times_size_and_samples_outside_the_mask_are_the_sources(footage: Path, tmp_path: Path, name: str) -> None:
    clip, output = footage / "hard" / "derived" / name, tmp_path / "out.mkv"
    report = render(job_of(clip, output))
    faces = faces_of(job_of(clip, output))
    assert report.counts["changed"] > 0
    before, after = probe(clip), probe(output)
    assert (after.size, after.coded_size, after.quarter_turns) == (before.size, before.coded_size, before.quarter_turns)
    with open_clip(clip) as old, open_clip(output) as new:
        count = 0
        for one, other in zip(old.frames(), new.frames(), strict=True):
            assert abs(one.time_s - other.time_s) <= max(one.time_base, other.time_base) / 2
            support = changed_support(one, [painted(face, 1.0) for face in faces.faces_at(one.index)])
            for a, b, inside in zip(one.planes, other.planes, support, strict=True):
                assert np.array_equal(a[~inside], b[~inside])
            count += 1
    assert count == report.counts["frames"]


def test_a_phone_clip_plays_upright_with_the_same_sound(footage: Path, tmp_path: Path) -> None:
    clip, output = footage / "hard" / "derived" / "rotated_displaymatrix.mp4", tmp_path / "out.mp4"
    render(job_of(clip, output, EncodeOptions(preset="ultrafast")))

    def sound(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    assert sound(output) == sound(clip)
    assert probe(output).quarter_turns == probe(clip).quarter_turns != 0
    assert verify(output).state == "trusted"


def test_a_face_that_leaves_is_counted_and_its_frames_pass(footage: Path, tmp_path: Path) -> None:
    clip = footage / "hard" / "derived" / "face_leaves_frame.mp4"
    counts = render(job_of(clip, tmp_path / "out.mkv")).counts
    assert counts["frames"] == 75
    assert 0 < counts["with_face"] < 75
    assert counts["untouched"] == 75 - counts["with_face"]


def test_a_clip_that_was_cut_off_renders_as_far_as_it_goes(footage: Path, tmp_path: Path) -> None:
    counts = render(
        job_of(footage / "hard" / "derived" / "truncated.mp4", tmp_path / "out.mp4", EncodeOptions())
    ).counts
    assert 0 < counts["frames"] < 75
    assert counts["damaged"] > 0
