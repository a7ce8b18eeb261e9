from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import ArtefactError, LockedError, MediaError, NoFaceError, NoSpaceError, UsageError
from shared.media.options import EncodeOptions
from shared.media.sound import load_sound
from shared.media.writer import open_writer
from shared.provenance import credentials
from shared.provenance.consent import read_consent
from shared.provenance.credentials import SOURCE_TYPE
from shared.provenance.verify import verify
from shared.render import once, outputs, stage
from shared.render.job import RenderJob, StageRequest
from shared.render.once import render
from shared.render.outputs import unsigned_path
from shared.render.report import report_path
from shared.store.artefact import lock
from shared.types import Edit, Frame, Scene, Stage
from tests.shared.media.drawn import shifted
from tests.shared.render.made import (
    BOX,
    FRAMES,
    WITHOUT_FACE,
    MadeFaces,
    PaintOptions,
    face,
    make_artefact,
    make_clip,
    paint,
)


def planes(path: Path) -> list[tuple[int, list[NDArray[np.uint8]]]]:
    """Time and planes of each frame, by the plainest way there is."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            parts = [
                np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width].copy()
                for plane in frame.planes
            ]
            found.append((round(frame.time * 1000), parts))
    return found


def stages_that(monkeypatch: pytest.MonkeyPatch, each: Callable[[Scene], Edit]) -> None:
    """Let every engine do `each` to each scene."""

    def opened(*_: object) -> Stage:
        def run(scenes: Iterator[Scene]) -> Iterator[tuple[Scene, Edit]]:
            for scene in scenes:
                yield scene, each(scene)

        return run

    monkeypatch.setattr(stage, "load", lambda _: opened)


def test_the_face_is_changed_and_everything_else_is_the_decoders(job: RenderJob) -> None:
    report = render(job)
    before, after = planes(job.clip), planes(job.output)
    assert [time for time, _ in after] == [time for time, _ in before]
    x0, y0, x1, y1 = BOX
    for index, ((_, old), (_, new)) in enumerate(zip(before, after, strict=True)):
        changed = [np.argwhere(one != other) for one, other in zip(old, new, strict=True)]
        if index in WITHOUT_FACE:
            assert all(len(places) == 0 for places in changed)
            continue
        assert len(changed[0]) > 0.8 * (x1 - x0) * (y1 - y0)
        for places, shrink in zip(changed, (1, 2, 2), strict=True):
            assert places.min(0)[0] >= y0 // shrink - 1
            assert places.min(0)[1] >= x0 // shrink - 1
            assert places.max(0)[0] <= y1 // shrink
            assert places.max(0)[1] <= x1 // shrink
    absent = len(WITHOUT_FACE)
    assert report.counts == {
        "frames": FRAMES,
        "with_face": FRAMES - absent,
        "changed": FRAMES - absent,
        "untouched": absent,
        "damaged": 0,
        "swap_changed": FRAMES - absent,
    }
    assert report.notes == {"no-face": absent}


def test_the_report_lies_beside_the_output_and_says_what_was_done(job: RenderJob) -> None:
    report = render(job)
    stored = json.loads(report_path(job.output).read_text())
    assert report_path(job.output).name == "out.mkv.report.json"
    assert stored["state"] == "complete"
    assert stored["counts"] == report.counts
    assert stored["settings"]["stages"][0]["options"]["red"] == 1.0
    assert stored["settings"]["consent"]["sha256"] == job.consent.sha256
    assert {"analyse", "open", "render", "sign"} == set(stored["timings_s"])
    assert {"lipswap", "torch", "av"} <= set(stored["versions"])
    assert stored["frames_per_s"] > 0
    assert stored["peak_memory_mb"] > 10


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_the_output_is_signed_with_the_consent(job: RenderJob, name: str) -> None:
    job = replace(job, output=job.output.with_name(name), encode=EncodeOptions())
    report = render(job)
    found = verify(job.output)
    assert found.state == "trusted"
    assert found.kept_in == report.signature
    assert found.consent["statement"] == "I agree"
    assert found.source_types == (SOURCE_TYPE,)
    assert found.ingredients == (job.clip.name,)


def test_both_engines_run_in_one_pass_the_mouth_first(job: RenderJob, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[float] = []

    def noted(options: PaintOptions, *rest: object) -> Stage:
        opened.append(options.red)
        return paint(options, *rest)

    monkeypatch.setattr(stage, "load", lambda _: noted)
    both = (StageRequest("swap", PaintOptions(red=1.0)), StageRequest("sync", PaintOptions(red=0.0)))
    report = render(replace(job, stages=both))
    assert opened == [0.0, 1.0]
    assert report.counts["sync_changed"] == report.counts["swap_changed"] == report.counts["changed"]
    middle = planes(job.output)[0][1]
    assert middle[2][24, 32] > 200  # V of red: the swap lies on top


def test_no_face_at_all_is_told_before_anything_is_written(
    job: RenderJob, made_faces: Callable[[MadeFaces], None]
) -> None:
    nobody = MadeFaces({})
    made_faces(nobody)
    with pytest.raises(NoFaceError, match=f"no face in any of its {FRAMES} frames"):
        render(job)
    assert nobody.closed == 1
    assert not job.output.exists()
    assert not report_path(job.output).exists()


def test_the_analysed_faces_are_closed_after_the_render(
    job: RenderJob, made_faces: Callable[[MadeFaces], None]
) -> None:
    somebody = MadeFaces({index: (face(),) for index in range(FRAMES)})
    made_faces(somebody)
    render(job)
    assert somebody.closed == 1


def test_only_the_person_asked_for_is_changed(job: RenderJob, made_faces: Callable[[MadeFaces], None]) -> None:
    tracks = tuple(SimpleNamespace(number=n, person=n, frames=1, size_px=1.0) for n in (0, 1))
    made_faces(MadeFaces({index: (face(0), face(1, (4, 4, 36, 36))) for index in range(FRAMES)}, tracks=tracks))
    render(replace(job, person=1))
    old, new = planes(job.clip)[0][1][0], planes(job.output)[0][1][0]
    assert (old != new)[8:32, 8:32].mean() > 0.8
    assert not (old != new)[BOX[1] : BOX[3], BOX[0] : BOX[2]].any()


def test_an_equal_render_is_not_done_twice(job: RenderJob) -> None:
    first = render(job)
    said: list[str] = []
    before = job.output.stat().st_mtime_ns
    again = render(job, say=said.append)
    assert again.reused
    assert again.counts == first.counts
    assert again.signature == first.signature
    assert job.output.stat().st_mtime_ns == before
    assert "nothing to do" in said[0]
    assert not render(replace(job, force=True)).reused


def test_what_lies_there_is_replaced_only_by_force(job: RenderJob) -> None:
    render(job)
    other = replace(job, stages=(StageRequest("swap", PaintOptions(red=0.5)),))
    with pytest.raises(ArtefactError, match=r"stages\.0\.options\.red differ"):
        render(other)
    render(replace(other, force=True))
    report_path(job.output).unlink()
    with pytest.raises(ArtefactError, match="exists and is not ours"):
        render(other)


def test_whatever_shapes_the_output_makes_it_another(job: RenderJob, tmp_path: Path) -> None:
    render(job)
    for part, other in (
        ("consent", replace(job, consent=read_consent("I agree to more"))),
        ("speech", replace(job, speech=make_clip(tmp_path / "speech.mp4", frames=10))),
        ("person", replace(job, person=0)),
        ("seed", replace(job, seed=1)),
        (r"encode\.crf", replace(job, encode=EncodeOptions(crf=20, lossless=True))),
        ("clip", replace(job, clip=make_clip(tmp_path / "other.mp4", frames=21))),
    ):
        with pytest.raises(ArtefactError, match=rf"was made otherwise \({part} differ\)"):
            render(other)
    assert render(replace(job, device="cpu")).reused


def test_an_output_that_was_cut_short_since_is_made_again(job: RenderJob) -> None:
    render(job)
    whole = job.output.read_bytes()
    job.output.write_bytes(whole[: len(whole) // 2])
    assert not render(job).reused
    assert len(planes(job.output)) == FRAMES


def test_an_output_whose_signature_was_deleted_is_made_again(job: RenderJob) -> None:
    render(job).signature.unlink()
    assert not render(job).reused
    assert verify(job.output).state == "trusted"


def test_a_second_run_on_the_same_output_is_locked_out(job: RenderJob) -> None:
    with lock(job.output), pytest.raises(LockedError, match="another run holds it"):
        render(job)


def test_ctrl_c_leaves_a_playable_signed_part(job: RenderJob) -> None:
    job = replace(job, output=job.output.with_name("out.mp4"), encode=EncodeOptions())

    def interrupt(done: float, total: float, label: str) -> None:
        if label.startswith("rendering") and done == 7 < total:
            raise KeyboardInterrupt

    said: list[str] = []
    threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        render(job, interrupt, said.append)
    assert threading.active_count() == threads
    assert len(planes(job.output)) == 7
    assert verify(job.output).state == "trusted"
    report = json.loads(report_path(job.output).read_text())
    assert report["state"] == "interrupted"
    assert report["counts"] == {
        "frames": 7,
        "with_face": 7,
        "changed": 7,
        "untouched": 0,
        "damaged": 0,
        "swap_changed": 7,
    }
    assert report["notes"] == {}  # the frames without a face come after them
    assert said == [f"{job.output}: the first 7 frames are left there, playable and signed"]
    assert render(job).counts["frames"] == FRAMES


def test_a_stage_that_breaks_leaves_nothing_unsigned(job: RenderJob, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(scene: Scene) -> Edit:
        if scene.frame.index == 5:
            raise RuntimeError("bug in a stage")
        return Edit()

    stages_that(monkeypatch, breaks)
    with pytest.raises(RuntimeError, match="bug in a stage"):
        render(job)
    assert not job.output.exists()


def test_a_finished_clip_that_cannot_be_signed_is_kept_hidden(job: RenderJob, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> Path:
        raise NoSpaceError("out: no room to sign it")

    monkeypatch.setattr(outputs, "sign_as", full)
    unsigned = unsigned_path(job.output)
    with pytest.raises(
        NoSpaceError, match=rf"no room to sign it; the output itself is whole, unsigned, in .*{unsigned.name}"
    ):
        render(job)
    assert not job.output.exists()
    assert len(planes(unsigned)) == FRAMES


def test_no_unsigned_clip_ever_has_the_outputs_name(job: RenderJob, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, bool]] = []
    put = credentials._put

    def watched(path_in: Path, path_out: Path, *rest: object) -> Path:
        seen.append((path_in.exists(), path_out.exists()))
        return put(path_in, path_out, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(credentials, "_put", watched)
    for name in ("out.mkv", "out.mp4"):
        render(replace(job, output=job.output.with_name(name)))
    assert seen == [(True, False)] * 2
    left = sorted(path.name for path in job.output.parent.iterdir() if path.name.startswith("."))
    assert left == []


def test_keys_and_inputs_are_tried_before_the_long_work(job: RenderJob, own_folders: Path) -> None:
    (own_folders / "config").write_text("a file where the keys' folder should be")
    begun: list[str] = []
    with pytest.raises(MediaError, match="keeping the signing key"):
        render(job, lambda _, __, label: begun.append(label))
    assert begun == []


def test_a_clip_whose_suffix_lies_is_rendered_and_signed(job: RenderJob) -> None:
    lying = job.clip.with_name("lying.mp4")
    make_clip(lying.with_suffix(".mkv")).rename(lying)
    job = replace(job, clip=lying)
    render(job)
    found = verify(job.output)
    assert (found.state, found.ingredients) == ("trusted", ("lying.mp4",))


def test_an_interrupt_while_signing_waits_for_the_signature(job: RenderJob, monkeypatch: pytest.MonkeyPatch) -> None:
    really = credentials.sign_as

    def interrupted(*arguments: object, **options: object) -> Path:
        signal.raise_signal(signal.SIGINT)
        return really(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(outputs, "sign_as", interrupted)
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        render(job, say=said.append)
    assert said == [f"{job.output}: is complete and signed"]
    assert verify(job.output).state == "trusted"
    assert render(job).reused


def test_an_earlier_output_survives_a_render_that_fails(job: RenderJob, monkeypatch: pytest.MonkeyPatch) -> None:
    render(job)
    before = job.output.read_bytes()

    def no_space(*_: object, **__: object) -> None:
        raise NoSpaceError("out.mkv: the disk is full")

    monkeypatch.setattr(outputs, "open_writer", no_space)
    with pytest.raises(NoSpaceError, match="disk is full"):
        render(replace(job, force=True))
    assert job.output.read_bytes() == before
    assert verify(job.output).state == "trusted"


def test_speech_laid_beside_a_clip_that_starts_late_starts_with_its_picture(job: RenderJob, tmp_path: Path) -> None:
    late = shifted(job.clip, tmp_path / "late.mkv", 100.0)
    speech = make_clip(tmp_path / "speech.mp4", frames=FRAMES)
    render(replace(job, clip=late, speech=speech))
    with av.open(str(job.output)) as container:
        starts = [float((each.start_time or 0) * (each.time_base or 0)) for each in container.streams]
    assert starts == pytest.approx([100.0, 100.0], abs=0.05)
    assert load_sound(job.output).duration_s == pytest.approx(FRAMES / 25, abs=0.05)


def test_new_speech_becomes_the_sound_of_the_output(job: RenderJob, tmp_path: Path) -> None:
    speech = make_clip(tmp_path / "speech.mp4", frames=10)
    render(replace(job, output=tmp_path / "out.mp4", speech=speech, encode=EncodeOptions()))
    with av.open(str(tmp_path / "out.mp4")) as container:
        seconds = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
    assert 0.3 < seconds < 0.6
    assert verify(tmp_path / "out.mp4").ingredients == ("clip.mp4", "speech.mp4")


def test_steps_hold_few_frames_at_a_time(job: RenderJob, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Frames decoded but not yet written stay few, however long the clip."""
    long = make_clip(tmp_path / "long.mp4", frames=60, sound=False)
    decoded: list[int] = []
    most = 0

    def seen(scene: Scene) -> Edit:
        decoded.append(scene.frame.index)
        return Edit()

    stages_that(monkeypatch, seen)
    write = open_writer

    class Slow:
        def __init__(self, *arguments: object) -> None:
            self._inner = write(*arguments)  # type: ignore[arg-type]

        def __enter__(self) -> Slow:
            self._writer = self._inner.__enter__()
            self.notes = self._writer.notes
            return self

        def write(self, frame: Frame) -> None:
            nonlocal most
            most = max(most, len(decoded) - frame.index)
            self._writer.write(frame)

        def __exit__(self, *error: object) -> None:
            self._inner.__exit__(*error)  # type: ignore[arg-type]

    monkeypatch.setattr(outputs, "open_writer", Slow)
    render(replace(job, clip=long))
    assert len(decoded) == 60
    assert most <= once.ROOM + 3


def test_unfit_jobs_are_refused_before_any_work(job: RenderJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "analyse", None)
    with pytest.raises(UsageError, match="also an input"):
        render(replace(job, output=job.clip))
    with pytest.raises(MediaError, match="no such file"):
        render(replace(job, clip=job.clip.with_name("none.mp4")))


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_command_leaves_a_signed_part_and_code_130(tmp_path: Path, sent: signal.Signals) -> None:
    """The whole program, interrupted from outside while a slow stage runs."""
    code = (
        "import time, sys\n"
        "from shared import cli\n"
        "from shared.render import once, stage\n"
        "from tests.shared.render import made\n"
        "once.analyse = lambda *_: made.MadeFaces({i: (made.face(),) for i in range(300)}, 300)\n"
        "paint = made.paint\n"
        "def slow(*a):\n"
        "    return lambda scenes: ((time.sleep(0.02), pair)[1] for pair in paint(*a)(scenes))\n"
        "made.slow = slow\n"
        "stage.OPENERS['swap'], stage.OPTIONS['swap'] = [f'tests.shared.render.made:{n}' for n in "
        "('slow', 'PaintOptions')]\n"
        "stage.ARTEFACTS['swap'] = ('model', 'tests.shared.render.made')\n"
        "cli.main(sys.argv[1:])"
    )
    clip, out = make_clip(tmp_path / "clip.mp4", frames=300, sound=False), tmp_path / "out.mp4"
    make_artefact(tmp_path / "model")
    call = ["render", str(clip), "--model", str(tmp_path / "model"), "-o", str(out), "--consent", "I agree"]
    run = subprocess.Popen([sys.executable, "-c", code, *call], stderr=subprocess.PIPE, text=True)
    assert run.stderr is not None
    said = run.stderr.readline()
    assert said.startswith("rendering")
    time.sleep(0.5)
    run.send_signal(sent)
    rest = run.stderr.read()
    run.stderr.close()
    assert run.wait(30) == 130
    assert "frames are left there, playable and signed" in rest
    assert rest.endswith("interrupted\n")
    assert 0 < len(planes(out)) < 300
    assert verify(out).state == "trusted"
