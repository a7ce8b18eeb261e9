"""One decode, the stages, one composite each, one encode, one signature.

The target is analysed once and cached. Decoding, each stage, and encoding run side by side with bounded queues
between them, so memory does not grow with the clip. Frames that no stage patches reach the writer as the decoder
gave them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from shared.errors import NoFaceError
from shared.face.analyse import AnalyseOptions, ClipFaces, analyse, tracks_of
from shared.interrupt import postponed
from shared.media.reader import ClipReader, open_clip, probe
from shared.media.sequence import place_of
from shared.picture.warp import in_this_thread
from shared.pipe import in_background
from shared.progress import Progress, silent
from shared.provenance.credentials import Action, Ingredient, Statement, prepare
from shared.render import report as reports
from shared.render.check import PICK_DEVICE, check_soon, check_space, cut_speech
from shared.render.job import RenderJob, check_job, ordered
from shared.render.outputs import (
    Outputs,
    is_there,
    named,
    open_outputs,
    remove_unsigned,
    sign_output,
    size_of,
    unsigned_path,
)
from shared.render.reorder import retimed
from shared.render.report import RenderReport, State
from shared.render.retiming import timeline_of
from shared.render.stage import DESCRIPTIONS, Tally, load, open_stage, run
from shared.render.timeline import Timeline
from shared.store.artefact import Fingerprint, cache_folder, lock
from shared.types import Frame, Scene, Stage

log = logging.getLogger(__name__)

ROOM = 4
"""Frames waiting between two steps: 12 MB each step at 1080p 4:2:0."""


@dataclass(slots=True)
class _Run:
    """What is gathered while a render runs."""

    tally: Tally
    remarks: list[str] = field(default_factory=list)
    timings_s: dict[str, float] = field(default_factory=dict)
    timeline: Timeline | None = None
    """The frames that are shown; None for the clip's own, in order."""

    def warn(self, remark: str) -> None:
        """Tell the user at once, and in the report."""
        log.warning("%s", remark)
        self.remarks.append(remark)


def quiet(text: str) -> None:
    """Say nothing: the default of library calls."""


def faces_of(job: RenderJob, progress: Progress = silent) -> ClipFaces:
    """The analysed faces of a job's clip, from the cache where they are there.

    Raises
    ------
    NoFaceError
        There is no face in any frame.
    """
    where = "cpu" if job.finder == "mesh" else str(load(PICK_DEVICE)(job.device))
    faces = analyse(job.clip, cache_folder(), AnalyseOptions(finder=job.finder, device=where), progress)
    if faces.counts.with_face == 0:
        faces.close()
        raise NoFaceError(
            f"{job.clip}: no face in any of its {faces.counts.frames} frames; nothing can be changed in it"
        )
    return faces


def chosen_tracks(job: RenderJob, faces: ClipFaces) -> frozenset[int]:
    """Tracks of the person whom the job changes.

    Raises
    ------
    NoFaceError
        That person is not in the clip.
    """
    tracks = tracks_of(faces, job.person)
    if not tracks:
        numbers = ", ".join(str(track.number) for track in faces.tracks)
        raise NoFaceError(f"{job.clip}: nobody in it fits --person {job.person}; its tracks are {numbers}")
    return tracks


def render(job: RenderJob, progress: Progress = silent, say: Callable[[str], None] = quiet) -> RenderReport:
    """Do the job and return the report, which also lies beside the output.

    Raises
    ------
    NoFaceError
        Nobody to change, told before anything is encoded.
    KeyboardInterrupt
        After leaving a playable, signed part of the output.
    """
    job = ordered(job)
    check_job(job)
    wanted = reports.job_fingerprint(job)
    done = reports.earlier(job.output, wanted, job.force)
    if done is not None and all(map(is_there, job.outputs)):
        say(f"{job.output}: already made from the same inputs; nothing to do (--force makes it again)")
        return done
    reports.check_layers_replaceable(job)
    found = _Run(Tally(keep_patches=job.layers is not None), check_soon(job))
    for remark in found.remarks:
        log.warning("%s", remark)
    with lock(place_of(job.output)):
        with _timed(found, "sign"):
            statement = _statement(job)
        for output in job.outputs:
            remove_unsigned(output)
        try:
            _make(job, found, progress, say)
        except KeyboardInterrupt:
            if all(place_of(unsigned_path(output)).exists() for output in job.outputs):
                _finish(job, wanted, statement, found, "interrupted")
                say(f"{job.output}: the first {found.tally.frames} frames are left there, playable and signed")
            raise
        with postponed() as interrupted:
            report = _finish(job, wanted, statement, found, "complete")
        if interrupted():
            say(f"{job.output}: is complete and signed")
            raise KeyboardInterrupt
        return report


def _make(job: RenderJob, found: _Run, progress: Progress, say: Callable[[str], None]) -> None:
    """Write the unsigned clip."""

    def decided(text: str) -> None:
        say(text)
        found.remarks.append(text)

    with _timed(found, "analyse"):
        analysed = faces_of(job, progress)
    with analysed as faces:
        tracks = chosen_tracks(job, faces)
        with _timed(found, "open"):
            found.timeline = timeline_of(job, faces, tracks, decided, progress)
            for remark in _to_tell(job, found.timeline, faces.counts.frames):
                found.warn(remark)
            stages = [open_stage(request, faces, job.device, progress) for request in job.stages]
        with _timed(found, "render"):
            _encode(job, faces, tracks, stages, found, progress)


def _encode(
    job: RenderJob, faces: ClipFaces, tracks: frozenset[int], stages: list[Stage], found: _Run, progress: Progress
) -> None:
    label, tally, timeline = f"rendering {place_of(job.output).name}", found.tally, found.timeline
    total = faces.counts.frames if timeline is None else len(timeline)
    with in_this_thread(), open_clip(job.clip) as reader, ExitStack() as threads:
        info = reader.info if timeline is None else replace(reader.info, rate=timeline.rate)
        given = _scenes(reader, faces, tracks, found)
        scenes = threads.enter_context(in_background(given, ROOM, "decode"))
        for request, stage in zip(job.stages, stages, strict=True):
            changed = run(stage, scenes, request.engine, tally)
            scenes = threads.enter_context(in_background(changed, ROOM, request.engine))
        outputs: Outputs | None = None
        try:
            with open_outputs(job, info, retimed=timeline is not None) as outputs:
                for scene in scenes:
                    with postponed() as interrupted:
                        outputs.write(scene.frame, tally.patches_of(scene.frame.index), scene.faces)
                        tally.written(scene.frame.index)
                    if interrupted():
                        raise KeyboardInterrupt
                    progress(tally.frames, max(total, tally.frames), label)
        finally:
            notes = outputs.notes if outputs is not None else []
            found.remarks.extend(named(job.outputs, note) for note in notes)
        tally.damaged = reader.damaged if timeline is None else faces.counts.damaged  # with those after the last good
        if tally.frames < total:
            progress(tally.frames, tally.frames, label)


def _scenes(reader: ClipReader, faces: ClipFaces, tracks: frozenset[int], found: _Run) -> Iterator[Scene]:
    """Frames with the chosen faces alone: the clip's own, or those of a timeline."""

    def scene_of(frame: Frame) -> Scene:
        return faces.scene(frame, tracks)

    scenes: Iterator[Scene] = map(scene_of, reader.frames())
    if found.timeline is not None:
        scenes = retimed(reader.info, found.timeline, scene_of, faces.time_of, found.warn)
    for scene in scenes:
        found.tally.begin(scene.frame.index, bool(scene.faces), reader.damaged)
        yield scene


def _to_tell(job: RenderJob, timeline: Timeline | None, count: int) -> Sequence[str]:
    """What is to be known at once of how long the output becomes out of a clip of `count` frames."""
    if timeline is not None:
        check_space(job.output, probe(job.clip), job.encode, len(timeline) / max(count, 1))
        return timeline.remarks
    if job.may_be_retimed and job.speech is not None:  # else it was told before the faces were looked for
        check_space(job.output, probe(job.clip), job.encode)
        return cut_speech(job.speech, probe(job.clip))
    return ()


def _statement(job: RenderJob) -> Statement:
    """All of the signature that does not need the output: keys and inputs fail before the long work, if at all."""
    parts = (Ingredient(job.clip, "parentOf"), *(Ingredient(path, "inputTo") for path in _input_files(job)))
    actions = tuple(Action(stage.engine, DESCRIPTIONS[stage.engine]) for stage in job.stages)
    return prepare(job.consent, parts, actions)


def _finish(job: RenderJob, wanted: Fingerprint, statement: Statement, found: _Run, state: State) -> RenderReport:
    counts = _counts(found.tally)
    noted = {name: tuple(runs) for name, runs in sorted(found.tally.noted_frames.items())}
    shown = None if found.timeline is None else found.timeline.as_json(counts["frames"])
    details = {"fingerprint": str(wanted), "state": state, "counts": counts, "seed": job.seed}
    if found.timeline is not None and shown is not None:
        shown["noted_clip_frames"] = {name: found.timeline.filmed(runs) for name, runs in noted.items()}
        details["retimed"] = {"as_filmed": shown["as_filmed"], "jumps": len(shown["jumps"])}
    with _timed(found, "sign"):
        signatures = [sign_output(statement, output, details) for output in reversed(job.outputs)]
    seconds = found.timings_s.get("render", 0.0)
    report = RenderReport(
        output=job.output,
        state=state,
        fingerprint=str(wanted),
        parts=wanted.parts,
        output_bytes=size_of(job.output),
        signature=signatures[-1],
        retimed=shown,
        layers=job.layers,
        counts=counts,
        notes=dict(sorted(found.tally.notes.items())),
        noted_frames=noted,
        remarks=tuple(found.remarks),
        settings=reports.settings_of(job),
        timings_s={name: round(value, 3) for name, value in found.timings_s.items()},
        frames_per_s=round(found.tally.frames / seconds, 2) if seconds else 0.0,
        peak_memory_mb=round(reports.peak_memory_mb(), 1),
        versions=reports.versions(),
    )
    reports.write_report(report)
    return report


def _counts(tally: Tally) -> dict[str, int]:
    counts = {
        "frames": tally.frames,
        "with_face": tally.with_face,
        "changed": tally.touched,
        "untouched": tally.frames - tally.touched,
        "damaged": tally.damaged,
    }
    return counts | {f"{engine}_changed": count for engine, count in tally.changed.items()}


def _input_files(job: RenderJob) -> list[Path]:
    files = [path for path in (job.speech, *job.inputs) if path is not None and path.is_file()]
    return [path for path in dict.fromkeys(files) if path != job.clip]


@contextmanager
def _timed(found: _Run, name: str) -> Iterator[None]:
    start = time.monotonic()
    try:
        yield
    finally:
        found.timings_s[name] = found.timings_s.get(name, 0.0) + time.monotonic() - start
