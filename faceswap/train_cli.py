"""The command ``train``.

What changes the curve belongs to the model: such an option is only passed on where it is given, so that a model that
is there keeps its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from faceswap.options import AugmentOptions, TrainLimits, TrainOptions, options_for
from models.nets import NETS
from shared.render.terminal import Terminal, device_option, standard_options

R = TypeVar("R")
FILE = click.Path(path_type=Path)
LIMITS: Final = TrainLimits()
SHARE, POSITIVE, WEIGHT = click.FloatRange(0, 1), click.FloatRange(0, min_open=True), click.FloatRange(0)

SETTINGS: Final[dict[str, tuple[click.ParamType[Any], str]]] = {
    "net": (click.Choice(list(NETS)), "Which net."),
    "mask_head": (click.BOOL, "The net draws a mask too."),
    "seed": (click.INT, "Same input and seed, same output."),
    "batch": (click.IntRange(1), "Faces of each person in a step, of all processes together."),
    "learning_rate": (POSITIVE, "Of Adam."),
    "beta1": (click.FloatRange(0, 1, max_open=True), "Of Adam."),
    "beta2": (click.FloatRange(0, 1, max_open=True), "Of Adam."),
    "warm_up": (click.IntRange(0), "Steps over which the learning rate rises."),
    "settle": (click.IntRange(0), "Step from which the learning rate falls; 0 for never."),
    "absolute": (WEIGHT, "Weight of the absolute error."),
    "squared": (WEIGHT, "Weight of the squared error."),
    "dissimilarity": (WEIGHT, "Weight of (1 - SSIM) / 2."),
    "multiscale": (WEIGHT, "Weight of 1 - MS-SSIM."),
    "edges": (WEIGHT, "Weight of the error of the differences between neighbouring pixels."),
    "surroundings": (SHARE, "Weight of pixels outside the face."),
    "priority": (click.FloatRange(1), "Weight of eyes and mouth."),
    "mask": (POSITIVE, "Weight of the mask's error, with --mask-head."),
    "guide": (POSITIVE, "Weight of the error of the pose and expression that the net reads."),
    "adversary": (WEIGHT, "Weight of a discriminator's opinion; 0 for no discriminator."),
    "features": (WEIGHT, "Weight of the error of its features, as a share of its opinion's."),
    "adversary_from": (click.IntRange(0), "Step after which the discriminator begins."),
    "warp_until": (click.IntRange(0), "Step after which pictures are no longer warped; 0 for never."),
    "average": (click.FloatRange(0, 1, max_open=True), "Share of the averaged weights kept at each step."),
    "held_out": (click.FloatRange(0.02, 0.5), "Share of each person's faces that is never trained on."),
    "precision": (click.Choice(["auto", "float32", "bfloat16"]), "Of the net's layers."),
    "warp_px": (WEIGHT, "How far the 5x5 grid is bent, in pixels of a 256 px crop."),
    "rotation_deg": (WEIGHT, "Largest turn of a training picture."),
    "zoom": (SHARE, "Largest zoom either way."),
    "shift": (SHARE, "Largest shift either way."),
    "flip": (SHARE, "Share of pictures that are mirrored."),
    "colour": (click.FloatRange(0, 0.5), "Largest change of light, tint, contrast and saturation."),
    "to_landmarks": (SHARE, "Share of pictures warped onto the other person's landmarks, not by the grid."),
    "nearest": (click.IntRange(1), "Of so many faces of like shape one lends those landmarks."),
    "clahe": (SHARE, "Share of pictures whose light is spread evenly over their parts."),
    "occluders": (SHARE, "Share of pictures with a hand or a thing pasted in front; best with --mask-head."),
}
"""Type and help of each option that belongs to the model, by its field of `TrainOptions` or `AugmentOptions`."""


def settings(command: Callable[..., R]) -> Callable[..., R]:
    """Add an option for each of `SETTINGS`; what is not given is None."""
    for name, (kind, text) in reversed(SETTINGS.items()):
        dashed = "--" + name.replace("_", "-")
        declared = f"{dashed}/--no-{dashed[2:]}" if kind is click.BOOL else dashed
        command = click.option(
            declared,
            name,
            type=None if kind is click.BOOL else kind,
            default=None,
            show_default=_usual(name),
            help=text,
        )(command)
    return command


def _usual(name: str) -> str:
    """The default of an option as the help says it."""
    usual = options_for("quick")
    moved = name in {entry.name for entry in fields(AugmentOptions)}
    value = getattr(usual.augment if moved else usual, name)
    return str(value) if name in ("net", "seed") else f"by net; quick: {value}"


@click.command(epilog="Example: lipswap train faces/ben faces/ada -o models/ben-to-ada --minutes 20")
@click.argument("faces_a", type=FILE)
@click.argument("faces_b", type=FILE)
@click.option("-o", "--output", type=FILE, required=True, metavar="MODEL", help="Folder of the model.")
@click.option("--minutes", type=POSITIVE, default=LIMITS.minutes, help="Longest time of this run.")
@click.option("--steps", type=click.IntRange(0), default=LIMITS.steps, help="Last step; 0 for no limit.")
@click.option(
    "--plateau-looks",
    type=click.IntRange(0),
    default=LIMITS.plateau_looks,
    help="End after so many looks without gain; 0 for never.",
)
@click.option("--plateau-db", type=WEIGHT, default=LIMITS.plateau_db, help="What counts as gain.")
@click.option(
    "--look-every", type=click.IntRange(1), default=LIMITS.look_every, help="Steps between looks at held-out faces."
)
@click.option(
    "--judged",
    type=click.IntRange(0),
    default=LIMITS.judged,
    help="Swapped faces of each person whose identity a look measures.",
)
@click.option("--save-every-minutes", type=POSITIVE, default=LIMITS.save_every_minutes, help="Between two checkpoints.")
@click.option(
    "--snapshot-minutes",
    type=click.IntRange(0),
    default=LIMITS.snapshot_minutes,
    help="Keep the weights each time so many more minutes were trained; 0 for never.",
)
@click.option("--tensorboard", is_flag=True, help="Write the figures for TensorBoard too (an extra).")
@click.option(
    "--start-from", type=FILE, metavar="MODEL", help="Begin with what fits of another model's weights, or a snapshot's."
)
@settings
@device_option
@click.option("--force", is_flag=True, help="Begin anew; a model that is there is kept under another name.")
@click.option("--check", is_flag=True, help="Only say what the two sets have in common and what footage is missing.")
@standard_options
def train(  # noqa: PLR0913 - one argument an option
    faces_a: Path,
    faces_b: Path,
    *,
    output: Path,
    check: bool,
    start_from: Path | None,
    device: str,
    force: bool,
    terminal: Terminal,
    **given: Any,  # noqa: ANN401 - the options of `TrainLimits` and `SETTINGS`
) -> None:
    """Train a model that turns the person of FACES_A into the one of FACES_B, and back.

    Ctrl-C saves; the same command goes on where it stopped, and so does one without the model's own options. Look at
    MODEL/preview.png: source, rebuilt, swapped. --force begins anew and keeps what was there as MODEL.old-1.
    """
    from faceswap.faces_cli import compared
    from faceswap.overlap import compare
    from faceswap.team import rank
    from faceswap.terms import wanted_options
    from faceswap.train import train as train_model

    if check:
        terminal.result(*compared(faces_a, faces_b, None, terminal))
        return
    if rank() == 0:
        terminal.say(compare(faces_a, faces_b, terminal.progress).summary)
    limits = TrainLimits(**{entry.name: given.pop(entry.name) for entry in fields(TrainLimits)})
    options: TrainOptions = wanted_options(output, given, anew=force)
    report = train_model(
        (faces_a, faces_b),
        output,
        options,
        limits,
        device=device,
        start_from=start_from,
        force=force,
        progress=terminal.progress,
        tell=terminal.say,
    )
    if rank() > 0:
        return
    answer = {
        "model": str(output),
        **report.figures,
        "steps": report.steps,
        "examples": report.examples,
        "seconds": round(report.seconds, 1),
        "examples_per_s": round(report.examples_per_s, 1),
        "ended": report.ended,
    }
    text = (
        f"{output}: {report.steps} steps, {report.examples} faces, {report.examples_per_s:.0f} EG/s; held-out PSNR "
        f"{report.psnr_db[0]:.2f} and {report.psnr_db[1]:.2f} dB, {report.gain_db[0]:+.2f} and "
        f"{report.gain_db[1]:+.2f} over the mean face; ended by {report.ended}"
    )
    terminal.result(answer, text)
