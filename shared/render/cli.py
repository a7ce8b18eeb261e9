"""The command ``render``: both engines, or either, in one decode and one encode."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shared.render.terminal import (
    Terminal,
    consent_option,
    device_option,
    encode_options,
    force_option,
    person_option,
    seed_option,
    standard_options,
)

if TYPE_CHECKING:  # they bring numpy, which a help text can do without
    from shared.media.options import EncodeOptions
    from shared.render.report import RenderReport

FILE = click.Path(path_type=Path)


@click.command(
    epilog="Example: lipswap render clip.mp4 --face-from ada.mp4 --speech new.wav -o out.mp4 --consent consent.txt"
)
@click.argument("clip", type=FILE)
@click.option("--model", type=FILE, metavar="MODEL", help="Model of lipswap train: swap the face with it.")
@click.option("--face-from", type=FILE, metavar="CLIP2", help="Clip of the new face; a model is trained on it first.")
@click.option("--voice", type=FILE, metavar="VOICE", help="Voice of lipswap learn; without it, learned from CLIP.")
@click.option("--speech", type=FILE, metavar="AUDIO", help="What the mouth shall say; becomes the output's sound.")
@click.option("-o", "--output", type=FILE, required=True, metavar="OUT", help="Clip to write: mp4 mov mkv webm avi.")
@click.option("--train-minutes", type=float, default=20.0, help="Longest training of a missing model, minutes.")
@click.option("--swap-direction", is_flag=True, help="Use the model's other decoder: second person becomes first.")
@consent_option
@person_option
@device_option
@encode_options
@seed_option
@force_option
@standard_options
def render(  # noqa: PLR0913 - one argument an option
    clip: Path,
    *,
    model: Path | None,
    face_from: Path | None,
    voice: Path | None,
    speech: Path | None,
    output: Path,
    train_minutes: float,
    swap_direction: bool,
    consent: str | None,
    person: str,
    device: str,
    encode: EncodeOptions,
    seed: int,
    force: bool,
    terminal: Terminal,
) -> None:
    """Swap the face in CLIP, re-sync its mouth, or both, in one pass.

    What is missing is made first and kept in the cache: a model from --face-from, a voice from the speech in CLIP.
    The output is signed, and a report lies beside it.
    """
    from shared.provenance.consent import read_consent
    from shared.render.job import RenderJob, Wish, parse_person

    job = RenderJob(
        clip=clip,
        output=output,
        consent=read_consent(consent),
        person=parse_person(person),
        device=device,
        encode=encode,
        seed=seed,
        force=force,
    )
    wish = Wish(job, model, face_from, voice, speech, swap_direction, train_minutes)

    from shared.render.once import render as render_job
    from shared.render.prepare import complete

    report = render_job(complete(wish, terminal.progress, terminal.say), terminal.progress, terminal.say)
    show_report(report, terminal)


def show_report(report: RenderReport, terminal: Terminal) -> None:
    """Print what a render did."""
    from shared.render.report import as_json, report_path

    counts = report.counts
    lines = [
        f"{report.output}: {counts['frames']} frames, {counts['changed']} changed, "
        f"{counts['frames'] - counts['with_face']} without a face, {counts['damaged']} damaged, "
        f"{report.frames_per_s:.1f} frames/s; signed",
        *(f"  note     {name}: {count} frames" for name, count in report.notes.items()),
        *(f"  note     {remark}" for remark in report.remarks),
        f"  report   {report_path(report.output)}",
    ]
    terminal.result(as_json(report), "\n".join(lines))
