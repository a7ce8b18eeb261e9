"""Whether a clip is retimed, and what a retimed render is like."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from shared.errors import NoSpaceError, UsageError
from shared.media.options import EncodeOptions
from shared.media.reader import open_clip, probe
from shared.media.sound import load_sound, write_wav
from shared.render import check, retiming
from shared.render.job import RenderJob, StageRequest, Wish, check_job
from shared.render.once import render
from shared.render.options import RetimeChoice
from shared.render.prepare import complete
from shared.render.report import report_path
from shared.render.timeline import Timeline
from shared.types import Frame, Sound
from tests.shared.render.made import BOX, FRAMES, MadeFaces, PaintOptions, face, make_clip

RATE = Fraction(25)
FIRST = np.array([*range(5, 12), 11, *range(12, 20), *range(2, 16)])
SHARE = np.zeros(len(FIRST), np.float32)
SHARE[7] = 0.5


@pytest.fixture
def spoken(job: RenderJob, tmp_path: Path) -> RenderJob:
    speech = make_clip(tmp_path / "speech.mp4", frames=len(FIRST))
    return replace(job, stages=(StageRequest("sync", PaintOptions()),), speech=speech)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Let the engine plan a made timeline; the tracks for which it was asked."""
    asked: list[object] = []

    def plan(_: object, tracks: object, *__: object) -> Timeline:
        asked.append(tracks)
        second = FIRST + (SHARE > 0)
        return Timeline(FIRST, second, SHARE, ((16, 19, 2),), RATE, ("some moments are not alike",))

    monkeypatch.setattr(retiming, "load", lambda _: plan)
    return asked


@pytest.fixture
def everywhere(made_faces: Callable[[MadeFaces], None]) -> None:
    made_faces(MadeFaces({index: (face(),) for index in range(FRAMES)}))


def read(path: Path) -> list[Frame]:
    with open_clip(path) as reader:
        return list(reader.frames())


@pytest.mark.usefixtures("planned", "everywhere")
def test_outside_the_mask_a_retimed_clip_is_exact_against_the_frames_it_shows(spoken: RenderJob) -> None:
    report = render(spoken)
    before, after = read(spoken.clip), read(spoken.output)
    assert len(after) == len(FIRST) == report.counts["frames"] == report.counts["sync_changed"]
    for index, made in enumerate(after):
        assert made.time_s == pytest.approx(Fraction(index, 25), abs=0.001)
        if SHARE[index] == 0:
            inside = np.zeros(made.planes[0].shape, np.bool_)
            inside[BOX[1] : BOX[3], BOX[0] : BOX[2]] = True
            source = before[FIRST[index]]
            for number, (one, other) in enumerate(zip(source.planes, made.planes, strict=True)):
                grown = inside if number == 0 else inside[::2, ::2]
                assert np.array_equal(one[~grown], other[~grown])
                assert not np.array_equal(one[grown], other[grown])


@pytest.mark.usefixtures("planned", "everywhere")
def test_the_report_maps_each_frame_and_tells_what_is_to_be_known(spoken: RenderJob) -> None:
    said: list[str] = []
    report = render(spoken, say=said.append)
    stored = json.loads(report_path(spoken.output).read_text())
    assert stored["retimed"]["runs"] == [[0, 6, 5], [7, 7, "flow"], [8, 15, 12], [16, 29, 2]]
    assert stored["retimed"]["jumps"] == [[16, 19, 2]]
    assert said == [
        "the clip is retimed to the speech: 30 frames out of its 20, 0:00.1-0:00.8 of 0:00.8, 1 jump "
        "(--retime off keeps its own frames)"
    ]
    assert report.remarks[:2] == (said[0], "some moments are not alike")
    assert render(spoken).reused


@pytest.mark.usefixtures("planned")
def test_notes_are_told_by_the_clip_s_frames_too(spoken: RenderJob, made_faces: Callable[[MadeFaces], None]) -> None:
    made_faces(MadeFaces({index: (face(),) for index in range(FRAMES) if index not in range(8, 12)}))
    render(spoken)
    stored = json.loads(report_path(spoken.output).read_text())
    assert stored["noted_frames"] == {"no-face": [[3, 7], [22, 25]]}
    assert stored["retimed"]["noted_clip_frames"] == {"no-face": [[8, 12]]}


@pytest.mark.usefixtures("planned", "everywhere")
def test_sound_and_picture_of_a_retimed_clip_end_together(spoken: RenderJob) -> None:
    output = spoken.output.with_name("out.mp4")
    render(replace(spoken, output=output, encode=EncodeOptions()))
    with av.open(str(output)) as container:
        stream = container.streams.video[0]
        assert stream.duration is not None
        assert stream.time_base is not None
        assert float(stream.duration * stream.time_base) == pytest.approx(len(FIRST) / 25, abs=0.001)
    assert load_sound(output).duration_s == pytest.approx(len(FIRST) / 25, abs=0.05)


@pytest.mark.usefixtures("planned", "everywhere")
def test_both_engines_see_the_retimed_frames(spoken: RenderJob) -> None:
    both = (*spoken.stages, StageRequest("swap", PaintOptions(red=0.5)))
    counts = render(replace(spoken, stages=both)).counts
    assert counts["sync_changed"] == counts["swap_changed"] == len(FIRST)


def test_one_person_alone_is_retimed_by_itself(spoken: RenderJob, planned: list[object]) -> None:
    render(spoken)
    assert planned == [frozenset({0})]


@pytest.mark.parametrize(
    ("choice", "frames", "retimed"), [("auto", 15, False), ("auto", 1, True), ("on", 15, True), ("off", 1, False)]
)
def test_with_somebody_else_in_the_clip_it_is_not_but_where_asked_for(
    spoken: RenderJob,
    planned: list[object],
    made_faces: Callable[[MadeFaces], None],
    choice: RetimeChoice,
    frames: int,
    retimed: bool,
) -> None:
    tracks = tuple(
        SimpleNamespace(number=n, person=n, frames=count, size_px=48.0) for n, count in ((0, FRAMES), (1, frames))
    )
    made_faces(MadeFaces({index: (face(),) for index in range(FRAMES)}, tracks=tracks))
    said: list[str] = []
    report = render(replace(spoken, retime=choice), say=said.append)
    assert bool(planned) == retimed == (report.retimed is not None)
    assert report.counts["frames"] == (len(FIRST) if retimed else FRAMES)
    if choice == "auto" and not retimed:
        assert said == [
            "the clip keeps its own frames: 1 more person is in it, who may speak (--retime on retimes it all the same)"
        ]
        cut = "the speech lasts 1.3 s, the clip 0.8 s: it is cut where the clip ends"
        assert report.remarks[:2] == (said[0], cut)


@pytest.mark.parametrize(("size_px", "retimed"), [(15.0, True), (17.0, False)])
def test_somebody_small_in_the_background_is_nobody_who_speaks(
    spoken: RenderJob, planned: list[object], made_faces: Callable[[MadeFaces], None], size_px: float, retimed: bool
) -> None:
    sizes = (48.0, size_px)
    tracks = tuple(SimpleNamespace(number=n, person=n, frames=FRAMES, size_px=size) for n, size in enumerate(sizes))
    made_faces(MadeFaces({index: (face(),) for index in range(FRAMES)}, tracks=tracks))
    render(spoken)
    assert bool(planned) == retimed


@pytest.mark.parametrize(("choice", "retimed"), [("auto", False), ("on", True)])
def test_a_clip_cut_from_several_shots_is_left_as_it_is_but_where_asked_for(
    spoken: RenderJob,
    planned: list[object],
    made_faces: Callable[[MadeFaces], None],
    choice: RetimeChoice,
    retimed: bool,
) -> None:
    made_faces(MadeFaces({index: (face(),) for index in range(FRAMES)}, shots=3))
    said: list[str] = []
    report = render(replace(spoken, retime=choice), say=said.append)
    assert bool(planned) == retimed
    assert (said[0] == "the clip keeps its own frames: it has 3 shots (--retime on retimes it all the same)") != retimed
    assert report.remarks[0] == said[0]


@pytest.mark.parametrize(("length_s", "retimed"), [(0.28, True), (0.32, False), (0.98, False), (1.02, True)])
def test_speech_as_long_as_the_clip_was_made_to_its_picture(
    spoken: RenderJob, planned: list[object], tmp_path: Path, length_s: float, retimed: bool
) -> None:
    """The clip lasts 0.8 s."""
    said: list[str] = []
    speech = tmp_path / "other.wav"
    write_wav(speech, Sound(np.full(round(16000 * length_s), 0.1, np.float32), 16000))
    render(replace(spoken, speech=speech), say=said.append)
    assert bool(planned) == retimed
    assert ("as if made to its picture" in said[0]) != retimed


@pytest.mark.usefixtures("everywhere")
def test_what_lies_beside_a_clip_frame_by_frame_keeps_it_as_it_is_but_where_asked_for(
    spoken: RenderJob, planned: list[object], tmp_path: Path
) -> None:
    layered = replace(spoken, layers=tmp_path / "layers")
    numbered = replace(spoken, output=tmp_path / "frames" / "%06d.png", encode=EncodeOptions())
    for job, names in ((layered, "the layers"), (numbered, "the numbered pictures")):
        assert f"own frames: {names} are to fit it frame by frame" in render(job).remarks[0]
        assert planned == []
        report = render(replace(job, retime="on", force=True))
        assert f"{names} fit the retimed frames, not the clip's own" in report.remarks
        assert planned.pop()


def test_all_that_speaks_against_retiming_is_told_in_one_line(
    spoken: RenderJob, planned: list[object], made_faces: Callable[[MadeFaces], None], tmp_path: Path
) -> None:
    tracks = tuple(SimpleNamespace(number=n, person=n, frames=FRAMES, size_px=48.0) for n in (0, 1))
    made_faces(MadeFaces({index: (face(),) for index in range(FRAMES)}, tracks=tracks, shots=2))
    remark = render(replace(spoken, layers=tmp_path / "layers")).remarks[0]
    assert "layers are to fit it frame by frame; 1 more person is in it, who may speak; it has 2 shots" in remark
    assert planned == []


def test_several_changed_people_are_not_retimed(
    spoken: RenderJob, planned: list[object], made_faces: Callable[[MadeFaces], None]
) -> None:
    tracks = tuple(SimpleNamespace(number=n, person=n, frames=FRAMES, size_px=48.0) for n in (0, 1))
    made_faces(MadeFaces({index: (face(),) for index in range(FRAMES)}, tracks=tracks))
    said: list[str] = []
    render(replace(spoken, person="all"), say=said.append)
    assert planned == []
    assert said[0].startswith("the clip keeps its own frames: 2 people are changed")


def test_without_speech_or_a_mouth_to_re_sync_there_is_nothing_to_decide(
    spoken: RenderJob, planned: list[object]
) -> None:
    said: list[str] = []
    render(replace(spoken, speech=None), say=said.append)
    render(replace(spoken, stages=(StageRequest("swap", PaintOptions()),), force=True), say=said.append)
    assert planned == said == []


def test_retiming_to_no_speech_is_refused(spoken: RenderJob) -> None:
    for job in (
        replace(spoken, speech=None, retime="on"),
        replace(spoken, stages=(StageRequest("swap", PaintOptions()),), retime="on"),
    ):
        with pytest.raises(UsageError, match="--retime on fits a clip to the speech"):
            check_job(job)
    with pytest.raises(UsageError, match="--retime on fits a clip to the speech"):
        complete(Wish(replace(spoken, stages=(), speech=None, retime="on"), model=spoken.clip))


@pytest.mark.usefixtures("planned", "everywhere")
def test_room_is_asked_for_as_many_frames_as_are_made(spoken: RenderJob, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = check.bytes_needed(spoken.output, probe(spoken.clip), spoken.encode)
    free = SimpleNamespace(free=1.2 * needed / check.SPACE_MARGIN)
    monkeypatch.setattr("shutil.disk_usage", lambda _: free)
    with pytest.raises(NoSpaceError, match="MB are free"):
        render(spoken)
    monkeypatch.setattr(free, "free", 1.6 * needed / check.SPACE_MARGIN)
    assert render(spoken).counts["frames"] == len(FIRST)


@pytest.mark.usefixtures("planned")
def test_no_room_is_asked_for_frames_that_short_speech_does_not_need(
    spoken: RenderJob, monkeypatch: pytest.MonkeyPatch, made_faces: Callable[[MadeFaces], None], tmp_path: Path
) -> None:
    speech = tmp_path / "short.wav"
    write_wav(speech, Sound(np.full(3200, 0.1, np.float32), 16000))
    short = replace(spoken, speech=speech)
    needed = check.bytes_needed(short.output, probe(short.clip), short.encode)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0.5 * needed / check.SPACE_MARGIN))
    monkeypatch.setattr(retiming, "load", lambda _: lambda *_: Timeline(FIRST[:5], FIRST[:5], SHARE[:5], (), RATE))
    assert render(short).counts["frames"] == 5
    made_faces(MadeFaces({index: (face(),) for index in range(FRAMES)}, shots=2))
    with pytest.raises(NoSpaceError, match="MB are free"):
        render(replace(short, force=True))


@pytest.mark.usefixtures("planned", "everywhere")
def test_an_interrupted_retimed_render_tells_what_was_written(spoken: RenderJob) -> None:
    def interrupt(done: float, total: float, label: str) -> None:
        if label.startswith("rendering") and done == 10 < total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(spoken, interrupt)
    stored = json.loads(report_path(spoken.output).read_text())
    assert stored["retimed"]["runs"] == [[0, 6, 5], [7, 7, "flow"], [8, 9, 12]]
