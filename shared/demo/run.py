"""The demo: two synthetic actors are filmed, one face is swapped and one mouth re-synced, and the result is measured.

Everything is done by the same functions as the commands; engines are named by strings, as in `shared.render`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.demo.cast import Cast, make_cast
from shared.demo.footage import KIND, SCHEMA, Footage, film_all, footage_fingerprint, footage_in
from shared.demo.measure import Row, as_json, measure
from shared.demo.options import DemoOptions
from shared.demo.page import write_page
from shared.demo.portraits import PORTRAITS
from shared.demo.script import Script, make_script
from shared.demo.sheets import write_compare, write_sheet
from shared.demo.steps import Steps
from shared.errors import WeightsError, from_os_error
from shared.face.detect import make_finder
from shared.face.identity import THRESHOLD, Embedder
from shared.progress import Progress, silent
from shared.provenance.consent import read_consent
from shared.render.job import RenderJob, StageRequest
from shared.render.once import quiet, render
from shared.render.prepare import MAKE_MODEL, MAKE_VOICE, TRAIN_OPTIONS
from shared.render.stage import OPTIONS, load
from shared.store.artefact import artefact, fingerprint, is_current, lock, write_atomically
from shared.types import JsonObject

CONSENT: Final = "Synthetic actors made by this program; no real person is shown or heard."
ANIMATED: Final = (
    "Animated portraits, made by this program from {portraits}: a face embedding still recognises one of them."
)
_FILM, _LEARN, _TRAIN, _RENDER, _MEASURE = (
    "filming two synthetic actors",
    "learning how the first one's mouth moves",
    "training a net on both faces",
    "rendering new speech and the new face",
    "measuring against what was drawn",
)


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What the demo made and how good it is."""

    output: Path
    compare: Path
    sheet: Path
    page: Path
    cast: JsonObject
    rows: list[Row]
    timings_s: dict[str, float]
    total_s: float


def run_demo(
    folder: Path,
    options: DemoOptions,
    progress: Progress = silent,
    say: Callable[[str], None] = quiet,
) -> DemoReport:
    """Make the demo in a folder; parts that an earlier run made there are used again.

    Raises
    ------
    InstallError : there is no speech synthesiser on this platform.
    WeightsError : a network or portrait cannot be fetched.
    ArtefactError : the folder holds something else.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, folder, "making the demo's folder") from error
    plan = {_FILM: 25.0, _LEARN: 60.0, _TRAIN: 60.0 * options.train_minutes + 30.0, _RENDER: 30.0, _MEASURE: 20.0}
    steps = Steps(plan, progress, say)
    with lock(folder):
        with steps.step(_FILM) as shown:
            script, footage, cast = _film(folder / "footage", options, shown, say)
        consent = str(cast["statement"])
        say(consent)
        if options.force:
            for made in ("voice", "model"):
                shutil.rmtree(folder / made, ignore_errors=True)
        with steps.step(_LEARN) as shown:
            voice = load(MAKE_VOICE)([footage.first], folder / "voice", options.device, shown, options.seed)
        with steps.step(_TRAIN) as shown:
            model = _model(footage, folder / "model", options, shown, say)
        sync = StageRequest("sync", load(OPTIONS["sync"])(voice=voice, speech=footage.speech))
        swap = StageRequest("swap", load(OPTIONS["swap"])(model=model))
        with steps.step(_RENDER) as shown:
            output, synced = folder / "out.mp4", folder / "sync_only.mp4"
            for path, stages in ((synced, (sync,)), (output, (sync, swap))):
                render(_job(footage, path, stages, options, consent), shown, say)
            write_compare(footage.target, output, folder / "compare.mp4", consent, shown)
        with steps.step(_MEASURE) as shown:
            clips = {
                "target as filmed": footage.target,
                "lip sync only": synced,
                "swap and lip sync": output,
                "as drawn (ceiling)": footage.wanted,
            }
            rows = measure(clips, footage, script.new, shown)
            write_sheet(footage, synced, output, folder / "contact_sheet.png")
        report = DemoReport(
            output, folder / "compare.mp4", folder / "contact_sheet.png", folder / "report.html", cast, rows,
            steps.timings_s, steps.total_s,
        )  # fmt: skip
        _write(folder, report)
        return report


def _film(
    folder: Path, options: DemoOptions, progress: Progress, say: Callable[[str], None]
) -> tuple[Script, Footage, JsonObject]:
    """The script, the clips and who is in them; filmed now, or by an earlier run."""
    script = make_script(seed=options.seed)
    wanted = footage_fingerprint(options.seed)
    told = folder / "cast.json"
    if not options.force and is_current(folder, KIND, wanted, SCHEMA):
        say(f"{folder}: filmed before; used again")
    else:
        progress(0, 0, "blending the actors' faces")
        cast = make_cast(make_finder(), Embedder(), progress)
        with artefact(folder, KIND, SCHEMA, wanted, options.force) as partial:
            film_all(cast, script, partial, options.seed, progress)
            write_atomically(partial / "cast.json", json.dumps(_facts(cast), indent=1).encode())
    try:
        return script, footage_in(folder), json.loads(told.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{told}: damaged ({error}); run again with --force") from error


def _model(
    footage: Footage, folder: Path, options: DemoOptions, progress: Progress, say: Callable[[str], None]
) -> Path:
    """The swap model; one that was trained before for as long, on the same footage, is used again."""
    note = folder / "trained.json"
    wanted = {"footage": fingerprint(first=footage.first, second=footage.second), "minutes": options.train_minutes}
    if note.is_file():
        said = json.loads(note.read_text(encoding="utf-8"))
        if said["footage"] == wanted["footage"] and said["minutes"] >= options.train_minutes:
            say(f"{folder}: trained before; used again")
            return folder / str(said["model"])
    chosen = load(TRAIN_OPTIONS)("quick", options.seed)
    model: Path = load(MAKE_MODEL)(
        (footage.first, footage.second), folder, options.train_minutes, options.device, progress, chosen
    )
    write_atomically(note, json.dumps(wanted | {"model": str(model.relative_to(folder))}).encode())
    return model


def _facts(cast: Cast) -> JsonObject:
    statement = CONSENT if cast.is_nobody else ANIMATED.format(portraits=", ".join(PORTRAITS))
    return {
        "statement": statement,
        "is_nobody": cast.is_nobody,
        "threshold_cosine": THRESHOLD,
        "first_cosine_to_portraits": dict(cast.likeness[0]),
        "second_cosine_to_portraits": dict(cast.likeness[1]),
        "first_cosine_to_second": cast.between,
    }


def _job(
    footage: Footage, output: Path, stages: tuple[StageRequest, ...], options: DemoOptions, consent: str
) -> RenderJob:
    return RenderJob(
        clip=footage.target,
        output=output,
        consent=read_consent(consent),
        stages=stages,
        speech=footage.speech,
        inputs=(footage.first, footage.second),
        device=options.device,
        seed=options.seed,
        force=True,
        retime="off",  # measured frame by frame against what was drawn
    )


def _write(folder: Path, report: DemoReport) -> None:
    answer = {
        "cast": report.cast,
        "rows": as_json(report.rows),
        "timings_s": report.timings_s,
        "total_s": report.total_s,
    }
    write_atomically(folder / "report.json", (json.dumps(answer, indent=1, default=str) + "\n").encode())
    write_page(report.page, answer)
