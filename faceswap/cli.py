"""The command ``train``: two face sets to a model that turns one person's face into the other's."""

from __future__ import annotations

from pathlib import Path

import click

from faceswap.options import RATES, TrainLimits, options_for
from shared.render.terminal import (
    Terminal,
    device_option,
    force_option,
    seed_option,
    standard_options,
)

FILE = click.Path(path_type=Path)
TRAINING, LIMITS = options_for("quick"), TrainLimits()


@click.command(epilog="Example: lipswap train faces/ben faces/ada -o models/ben-to-ada --minutes 20")
@click.argument("faces_a", type=FILE)
@click.argument("faces_b", type=FILE)
@click.option("-o", "--output", type=FILE, required=True, metavar="MODEL", help="Folder of the model.")
@click.option("--net", type=click.Choice(list(RATES)), default="quick", help="Which net.")
@click.option(
    "--minutes", type=click.FloatRange(0, min_open=True), default=LIMITS.minutes, help="Longest time of this run."
)
@click.option("--steps", type=click.IntRange(0), default=LIMITS.steps, help="Last step; 0 for no limit.")
@click.option("--batch", type=click.IntRange(1), default=TRAINING.batch, help="Faces of each person in a step.")
@click.option(
    "--learning-rate", type=click.FloatRange(0, min_open=True), default=None, help="Of Adam.", show_default="by net"
)
@click.option(
    "--look-every", type=click.IntRange(1), default=LIMITS.look_every, help="Steps between looks at held-out faces."
)
@click.option(
    "--save-every-minutes",
    type=click.FloatRange(0, min_open=True),
    default=LIMITS.save_every_minutes,
    help="Between two checkpoints.",
)
@click.option(
    "--plateau-looks",
    type=click.IntRange(0),
    default=LIMITS.plateau_looks,
    help="End after so many looks without gain; 0 for never.",
)
@device_option
@seed_option
@force_option
@standard_options
def train(  # noqa: PLR0913 - one argument an option
    faces_a: Path,
    faces_b: Path,
    *,
    output: Path,
    net: str,
    minutes: float,
    steps: int,
    batch: int,
    learning_rate: float | None,
    look_every: int,
    save_every_minutes: float,
    plateau_looks: int,
    device: str,
    seed: int,
    force: bool,
    terminal: Terminal,
) -> None:
    """Train a model that turns the person of FACES_A into the one of FACES_B, and back.

    Ctrl-C saves; the same command goes on where it stopped. Look at MODEL/preview.png: source, rebuilt, swapped.
    """
    from dataclasses import replace

    options = replace(options_for(net, seed), batch=batch)
    options = replace(options, learning_rate=learning_rate) if learning_rate is not None else options
    limits = TrainLimits(minutes, steps, look_every, save_every_minutes, plateau_looks)

    from faceswap.train import train as train_model

    report = train_model(
        (faces_a, faces_b),
        output,
        options,
        limits,
        device=device,
        force=force,
        progress=terminal.progress,
        tell=terminal.say,
    )
    answer = {
        "model": str(output),
        "steps": report.steps,
        "examples": report.examples,
        "seconds": round(report.seconds, 1),
        "examples_per_s": round(report.examples_per_s, 1),
        "psnr_a_db": report.psnr_db[0],
        "psnr_b_db": report.psnr_db[1],
        "mean_face_a_db": report.mean_face_db[0],
        "mean_face_b_db": report.mean_face_db[1],
        "ended": report.ended,
    }
    text = (
        f"{output}: {report.steps} steps, {report.examples} faces, {report.examples_per_s:.0f} EG/s; held-out PSNR "
        f"{report.psnr_db[0]:.2f} and {report.psnr_db[1]:.2f} dB, {report.gain_db[0]:+.2f} and "
        f"{report.gain_db[1]:+.2f} over the mean face; ended by {report.ended}"
    )
    terminal.result(answer, text)
