"""The command ``render``: both engines, or either, in one decode and one encode."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shared.render.terminal import (
    RenderChoices,
    Terminal,
    render_options,
    retime_option,
    seed_option,
    standard_options,
)

if TYPE_CHECKING:  # they bring numpy, which a help text can do without
    from shared.render.job import RenderJob, StageRequest
    from shared.render.options import RetimeChoice

FILE = click.Path(path_type=Path)


@click.command(
    epilog="Example: lipswap render clip.mp4 --face-from ada.mp4 --speech new.wav -o out.mp4 --consent consent.txt"
)
@click.argument("clip", type=FILE)
@click.option("--model", type=FILE, metavar="MODEL", help="Model of lipswap train: swap the face with it.")
@click.option("--face-from", type=FILE, metavar="CLIP2", help="Clip of the new face; a model is trained on it first.")
@click.option("--voice", type=FILE, metavar="VOICE", help="Voice of lipswap learn; without it, learned from CLIP.")
@click.option("--speech", type=FILE, metavar="AUDIO", help="What the mouth shall say; becomes the output's sound.")
@click.option("--driver", type=FILE, metavar="VIDEO", help="Another person's video whose lips, brows and lids move it.")
@retime_option
@render_options
@click.option("--train-minutes", type=float, default=20.0, help="Longest training of a missing model, minutes.")
@click.option("--swap-direction", is_flag=True, help="Use the model's other decoder: second person becomes first.")
@seed_option
@standard_options
def render(  # noqa: PLR0913 - one argument an option
    clip: Path,
    *,
    model: Path | None,
    face_from: Path | None,
    voice: Path | None,
    speech: Path | None,
    driver: Path | None,
    retime: RetimeChoice,
    train_minutes: float,
    swap_direction: bool,
    choices: RenderChoices,
    seed: int,
    terminal: Terminal,
) -> None:
    """Swap the face in CLIP, re-sync its mouth, or both, in one pass.

    What is missing is made first and kept in the cache: a model from --face-from, a voice from the speech in CLIP.
    With --driver the face does what another person's does (lipswap sync --help says how). The output is signed, and a
    report lies beside it.
    """
    from shared.render.job import Wish

    job = replace(job_of(clip, choices, seed=seed), retime=retime)
    wish = Wish(job, model, face_from, voice, speech, driver, swap_direction, train_minutes)

    from shared.render.prepare import complete

    carry_out(complete(wish, terminal.progress, terminal.say), terminal)


def job_of(
    clip: Path,
    choices: RenderChoices,
    stages: tuple[StageRequest, ...] = (),
    speech: Path | None = None,
    seed: int = 0,
) -> RenderJob:
    """The job that a command's options describe.

    Raises
    ------
    ConsentError, UsageError, MediaError
        There is no consent statement, or nobody whom ``--person`` names.
    """
    from shared.provenance.consent import read_consent
    from shared.render.job import RenderJob, parse_person

    return RenderJob(
        clip=clip,
        output=choices.output,
        consent=read_consent(choices.consent),
        stages=stages,
        speech=speech,
        person=parse_person(choices.person),
        finder=choices.finder,
        device=choices.device,
        encode=choices.encode,
        seed=seed,
        force=choices.force,
        layers=choices.layers,
    )


def carry_out(job: RenderJob, terminal: Terminal) -> None:
    """Render, and print what was done: what ``swap``, ``sync`` and ``render`` end with."""
    from shared.render.once import render as render_job
    from shared.render.report import as_json, report_path

    report = render_job(job, terminal.progress, terminal.say)
    counts = report.counts
    lines = [
        f"{report.output}: {counts['frames']} frames, {counts['changed']} changed, "
        f"{counts['frames'] - counts['with_face']} without a face, {counts['damaged']} damaged, "
        f"{report.frames_per_s:.1f} frames/s; signed",
        *(f"  note     {name}: {count} frames" for name, count in report.notes.items()),
        *(f"  note     {remark}" for remark in report.remarks),
        *([f"  layers   {report.layers}"] if report.layers else []),
        f"  report   {report_path(report.output)}",
    ]
    terminal.result(as_json(report), "\n".join(lines))
