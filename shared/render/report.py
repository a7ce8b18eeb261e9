"""What a render did: a JSON file beside the output, from which a later run knows that nothing is left to do."""

from __future__ import annotations

import dataclasses
import json
import platform
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from shared.errors import ArtefactError
from shared.media.sequence import is_sequence, place_of
from shared.render.job import RenderJob
from shared.render.outputs import is_there, size_of
from shared.store.artefact import Fingerprint, fingerprint, tool_version, write_atomically
from shared.store.corrections import corrections_digest
from shared.types import JsonObject

SCHEMA = 1
State: TypeAlias = Literal["complete", "interrupted"]


@dataclass(frozen=True, slots=True)
class RenderReport:
    """What was made, from what, and what was seen on the way."""

    output: Path
    state: State
    fingerprint: str
    parts: dict[str, str]
    """The named parts of the fingerprint."""
    output_bytes: int
    signature: Path
    """The file that holds the signature: the output itself, or its sidecar."""
    counts: dict[str, int]
    """frames, with_face, changed, untouched, damaged, and for each engine ENGINE_changed; damaged frames are the
    clip's, of a retimed one all that it has, shown or not."""
    notes: dict[str, int]
    """Marks of the stages (``held``, ``face-filled``...), with the number of frames."""
    noted_frames: dict[str, tuple[tuple[int, int], ...]]
    """Which frames of the output those are: first and last of each run; those of the clip are in `retimed`."""
    remarks: tuple[str, ...]
    """What the writer and the render did that the user should know."""
    settings: JsonObject
    timings_s: dict[str, float]
    frames_per_s: float
    peak_memory_mb: float
    versions: dict[str, str]
    retimed: JsonObject | None = None
    """Which frame of the clip each output frame shows (`shared.render.timeline.Timeline.as_json`), and which frames
    of the clip the notes are about (``noted_clip_frames``); None where these are the clip's own, in order."""
    layers: Path | None = None
    """What was laid over the clip, as layers for a compositor."""
    reused: bool = False
    """An equal render lay there already; nothing was done."""
    schema: int = SCHEMA


def report_path(output: Path) -> Path:
    """Where the report of an output lies: ``OUT.mp4.report.json``, ``FOLDER.report.json``."""
    place = place_of(output)
    return place.with_name(place.name + ".report.json")


def job_fingerprint(job: RenderJob) -> Fingerprint:
    """Everything that decides what the output looks like; not the device, nor where it is written."""
    return fingerprint(
        clip=job.clip,
        stages=job.stages,
        speech=job.speech,
        person=job.person,
        finder=job.finder,
        encode=replace(job.encode, threads=0),
        seed=job.seed,
        consent=job.consent.sha256,
        suffix=job.output.suffix,
        layers=None if job.layers is None else _naming(job.layers),
        retime=job.retime,
        tool=tool_version(),
        **({"pattern": job.output.name} if is_sequence(job.output) else {}),
        **({"corrections": told} if (told := corrections_digest(job.clip)) else {}),
    )


def _naming(output: Path) -> str:
    """What of an output's name decides what is written: how pictures are called, or what kind of file it is."""
    return output.name if is_sequence(output) else output.suffix


def as_json(report: RenderReport) -> JsonObject:
    """The report as JSON values; keys carry their units."""
    answer: JsonObject = json.loads(json.dumps(dataclasses.asdict(report), default=str))
    return answer


def write_report(report: RenderReport) -> Path:
    """Write the report beside its output, atomically."""
    path = report_path(report.output)
    write_atomically(path, (json.dumps(as_json(report), indent=1, ensure_ascii=False) + "\n").encode())
    return path


def settings_of(job: RenderJob) -> JsonObject:
    """The job as JSON values, without the consent's text (that is in the signature)."""
    stated = {"sha256": job.consent.sha256, "who": job.consent.who, "when": job.consent.when}
    values = dataclasses.asdict(job) | {"consent": stated}
    answer: JsonObject = json.loads(json.dumps(values, default=str))
    return answer


def earlier(output: Path, wanted: Fingerprint, force: bool) -> RenderReport | None:
    """The report of an equal, complete render that already lies at `output`; None where there is work to do.

    Raises
    ------
    ArtefactError
        Something else lies there, and `force` is not set.
    """
    place = place_of(output)
    if not is_there(output) or force:
        return None
    found = _stored(output)
    if found.fingerprint == wanted:
        beside = place if place.is_dir() else place.parent
        signature = beside / Path(found.signature).name  # both may have been moved together
        if found.state != "complete" or found.output_bytes != size_of(output) or not signature.is_file():
            return None
        return replace(found, reused=True, output=output, signature=signature, remarks=tuple(found.remarks))
    names = sorted(n for n in {*wanted.parts, *found.parts} if wanted.parts.get(n) != found.parts.get(n))
    raise ArtefactError(
        f"{output}: was made otherwise ({', '.join(names)} differ); choose another name, or --force replaces it"
    )


def check_replaceable(output: Path, force: bool) -> None:
    """Refuse an output that is not ours, before it is known what exactly shall lie there.

    Raises
    ------
    ArtefactError
        Something lies there that no render made, and `force` is not set.
    """
    if is_there(output) and not force:
        _stored(output)


def check_layers_replaceable(job: RenderJob) -> None:
    """Refuse layers that the last render of this output did not write.

    Raises
    ------
    ArtefactError
        Something else lies there, and the job does not force its way.
    """
    if job.layers is None or job.force or not is_there(job.layers):
        return
    ours = is_there(job.output) and str(_stored(job.output).layers) == str(job.layers)
    if not ours:
        raise ArtefactError(f"{job.layers}: exists and is not ours; choose another name, or --force replaces it")


def _stored(output: Path) -> RenderReport:
    try:
        stored: JsonObject = json.loads(report_path(output).read_text(encoding="utf-8"))
        names = [entry.name for entry in dataclasses.fields(RenderReport)]
        return RenderReport(**{name: stored[name] for name in names})
    except (OSError, ValueError, KeyError, TypeError):
        raise ArtefactError(f"{output}: exists and is not ours; choose another name, or --force replaces it") from None


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, MB; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0.0
    import resource  # noqa: PLC0415 - absent on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def versions() -> dict[str, str]:
    """Versions of what the picture depends on."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slow to import

    found = {"lipswap": tool_version(), "python": platform.python_version()}
    for name in ("torch", "numpy", "opencv-python", "av", "ai-edge-litert", "c2pa-python"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
