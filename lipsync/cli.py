"""The commands of the lip-sync engine: ``learn``, ``sync``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lipsync.mouth_cli import mouth_options
from lipsync.options import SyncOptions, VoiceOptions, parse_offset, parse_role
from lipsync.role_cli import role_option
from shared.errors import UsageError
from shared.render.cli import carry_out, job_of
from shared.render.terminal import (
    RenderChoices,
    Terminal,
    finder_option,
    force_option,
    person_option,
    render_options,
    retime_option,
    seed_option,
    standard_options,
)

if TYPE_CHECKING:  # it brings OpenCV, which a help text can do without
    from lipsync.options import RecipeName
    from shared.face.detect import FinderName
    from shared.render.options import RetimeChoice

FILE = click.Path(path_type=Path)
LEARNED, SYNCED = VoiceOptions(), SyncOptions(voice=Path(), speech=None)


@click.command(epilog="Example: lipswap learn interviews/*.mp4 -o voices/ada")
@click.argument("footage", nargs=-1, required=True, type=FILE, metavar="FOOTAGE...")
@click.option("-o", "--output", type=FILE, required=True, metavar="VOICE", help="Folder of the voice.")
@click.option(
    "--recipe",
    type=click.Choice(["default", "paper"]),
    default=LEARNED.recipe,
    help="Which network learns the mouth from the sound; paper is that of Synthesizing Obama, to compare with.",
)
@click.option(
    "--phones/--no-phones",
    default=LEARNED.phones,
    help="Let the default network hear phones too, by a public model of many voices.",
)
@click.option(
    "--live", is_flag=True, help="Learn a default network that can follow a stream, for lipswap listen; less exact."
)
@click.option(
    "--updates",
    type=click.IntRange(1),
    default=LEARNED.updates,
    show_default="the recipe's own",
    help="Steps of the network's training.",
)
@click.option(
    "--patience", type=click.IntRange(0), default=LEARNED.patience, help="End after so many without gain; 0: never."
)
@click.option(
    "--offset",
    default=str(LEARNED.offset),
    show_default=True,
    metavar="auto|off|MS",
    help="By how much the sound comes after the mouth, ms; auto compares the clips and corrects what is off.",
)
@role_option
@click.option("--most-frames", type=click.IntRange(1), default=LEARNED.most_frames, help="Keep at most so many mouths.")
@person_option
@finder_option
@seed_option
@force_option
@standard_options
def learn(  # noqa: PLR0913 - one argument an option
    footage: tuple[Path, ...],
    *,
    output: Path,
    recipe: RecipeName,
    phones: bool,
    live: bool,
    updates: int | None,
    patience: int,
    offset: str,
    roles: tuple[str, ...],
    most_frames: int,
    person: str,
    finder: FinderName,
    seed: int,
    force: bool,
    terminal: Terminal,
) -> None:
    """Learn from FOOTAGE how one person's mouth moves to speech, and keep the mouths.

    One or more clips of the speaker, some with their own sound; a minute works, more is better. Where clips differ in
    how sound and mouth go together, those that are surely off against the rest are put right, and it is said.

    A clip serves as sound (sound and mouth teach the network), as shapes (its mouths tell which there are), as textures
    (its pictures may be laid into a target), or several. A silent one serves no sound; one that is softer than the
    rest, or lit otherwise, no textures where a minute of others is left. What was decided is said; --role decides
    otherwise.
    """
    from shared.render.job import parse_person

    options = VoiceOptions(
        person=parse_person(person),
        finder=finder,
        recipe=recipe,
        phones=phones,
        live=live,
        updates=updates,
        patience=patience,
        offset=parse_offset(offset),
        roles=tuple(parse_role(text) for text in roles),
        most_frames=most_frames,
        seed=seed,
    )

    from lipsync.prepare import learn_voice

    facts, reused = learn_voice(footage, output, options, force=force, progress=terminal.progress, tell=terminal.say)
    if reused:
        terminal.say(f"{output}: already learned from the same footage; nothing to do (--force learns it again)")
    errors = "too little speech to hold any out"
    if facts["held_out_error_mm"] is not None:
        errors = (
            f"held-out lip error {facts['held_out_error_mm']:.2f} mm at update {facts['best_update']} "
            f"(mean mouth {facts['mean_mouth_error_mm']:.2f} mm)"
        )
    left_out = ", ".join(f"{count} {why}" for why, count in facts["frames"].items() if why != "frames" and count)
    text = (
        f"{output}: {facts['textures']} mouths of {facts['frames']['frames']} frames from {facts['clips']} clips, "
        f"{facts['speech_s']:.0f} s of speech; {errors}; teeth: {' and '.join(facts.get('teeth', ())) or 'none'}; "
        f"left out: {left_out or 'none'}"
    )
    terminal.result({"voice": str(output), "reused": reused, **facts}, text)


@click.command(
    epilog="Example: lipswap sync ada.mp4 --voice voices/ada --speech new.wav -o out.mp4 --consent consent.txt"
)
@click.argument("clip", type=FILE)
@mouth_options
@click.option("--mouth-out", type=FILE, metavar="CSV|JSON", help="Write the mouth curve that is followed.")
@retime_option
@render_options
@click.option("--candidates", type=click.IntRange(1), default=SYNCED.candidates, help="Frames behind each texture.")
@click.option(
    "--expression",
    type=click.FloatRange(0, 1),
    show_default=f"{SYNCED.expression:g}",
    help="How far brows and eyelids follow those in the --driver video.",
)
@click.option(
    "--pose-weight", type=click.FloatRange(0), default=SYNCED.pose_weight, help="Weight of head turn, cm/deg."
)
@click.option(
    "--steadiness",
    type=click.FloatRange(0, 1),
    default=SYNCED.steadiness,
    show_default="0.5; for voices of the paper's recipe its median",
    help="Less flicker for more blur: 0 is sharpest, 1 steadiest.",
)
@click.option("--sharpen/--no-sharpen", default=SYNCED.sharpen, help="Make up for the median's loss of detail.")
@click.option(
    "--teeth", type=click.FloatRange(0, 1), default=SYNCED.teeth, help="Detail of the teeth from sharp frames."
)
@click.option(
    "--match-colour", type=click.FloatRange(0, 1), default=SYNCED.match_colour, help="Follow the clip's colour."
)
@click.option(
    "--feather", type=click.FloatRange(0, 1, min_open=True), default=SYNCED.feather, help="Soft edge, in eye distances."
)
@standard_options
def sync(  # noqa: PLR0913 - one argument an option
    clip: Path,
    *,
    moved: SyncOptions,
    mouth_out: Path | None,
    retime: RetimeChoice,
    candidates: int,
    expression: float | None,
    pose_weight: float,
    steadiness: float | None,
    sharpen: bool,
    teeth: float,
    match_colour: float,
    feather: float,
    choices: RenderChoices,
    terminal: Terminal,
) -> None:
    """Re-sync the mouth in CLIP to new speech, with mouths of the person's own footage.

    The output has the new speech as its sound and is signed; a report lies beside it.

    With --mouth it follows a mouth curve where that has rows (lipswap mouth --help says what it holds); without any
    speech it rests elsewhere, and the clip keeps its sound.

    With --driver the lips follow another person's, in this person's own mouths and proportions; brows move as his do
    beside his usual ones, and eyes shut when his do and when they do in the clip. The sound is that of --speech, else
    the driver's, else the clip's own.
    """
    from shared.render.job import StageRequest, check_job
    from shared.render.prepare import sound_of

    if expression is not None and moved.driver is None:
        raise UsageError("--expression follows the face of --driver VIDEO; give one, or leave it out")
    options = replace(
        moved,
        expression=SYNCED.expression if expression is None else expression,
        candidates=candidates,
        pose_weight=pose_weight,
        steadiness=steadiness,
        sharpen=sharpen,
        teeth=teeth,
        match_colour=match_colour,
        feather=feather,
    )
    heard = sound_of(moved.speech, moved.driver)
    job = replace(job_of(clip, choices, (StageRequest("sync", options),), heard), retime=retime)
    if moved.driver is not None:
        job = replace(job, inputs=(moved.driver,))
    if mouth_out is not None:
        from lipsync.steer import write_mouth

        check_job(job)
        write_mouth(mouth_out, options, choices.force, terminal.progress)
        terminal.say(f"{mouth_out}: the mouth curve of this render")
    carry_out(job, terminal)
