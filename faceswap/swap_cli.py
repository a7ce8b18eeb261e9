"""The ``swap`` command: a trained model laid over a clip."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from faceswap.masks import MASKS, mask_parts
from faceswap.options import ColourMethod, SwapOptions
from shared.render.cli import carry_out, job_of
from shared.render.terminal import RenderChoices, Terminal, render_options, standard_options

R = TypeVar("R")
FILE = click.Path(path_type=Path)
USUAL = SwapOptions(model=Path())
FIELDS = frozenset(field.name for field in dataclasses.fields(SwapOptions))
SHARE = click.FloatRange(0, 1)
MARGIN = click.FloatRange(-0.2, 0.5)
LAID = (
    click.option("--swap-direction", is_flag=True, help="The model's second person becomes the first."),
    click.option(
        "--expression",
        type=click.FloatRange(0, 2),
        default=USUAL.expression,
        help="How far lips, lids and brows move, in what the net reads.",
    ),
    click.option(
        "--steady-ms",
        type=click.FloatRange(0, 200),
        default=USUAL.steady_ms,
        help="Steady what the net reads over about this time.",
    ),
    click.option(
        "--steer", type=SHARE, default=USUAL.steer, help="Move features and jaw to where the replaced face has them."
    ),
    click.option(
        "--steer-shape", type=SHARE, default=USUAL.steer_shape, help="Of the two faces' lasting difference, move this."
    ),
    click.option(
        "--mask",
        default=USUAL.mask,
        metavar="NAME,...",
        help=f"Where the face is laid: the intersection of {', '.join(MASKS)}.",
    ),
    click.option(
        "--occluders", type=SHARE, default=USUAL.occluders, help="Keep hands and things in front of the face there."
    ),
    click.option("--erode", type=MARGIN, default=USUAL.erode, help="Shrink the mask, in face widths."),
    click.option("--erode-top", type=MARGIN, default=USUAL.erode_top, help="Further from the forehead alone."),
    click.option("--erode-bottom", type=MARGIN, default=USUAL.erode_bottom, help="Further from the chin alone."),
    click.option("--erode-left", type=MARGIN, default=USUAL.erode_left, help="Further from the picture's left."),
    click.option("--erode-right", type=MARGIN, default=USUAL.erode_right, help="Further from the picture's right."),
    click.option("--feather", type=click.FloatRange(0, 0.5), default=USUAL.feather, help="Soft edge, in face widths."),
    click.option(
        "--forehead",
        type=click.FloatRange(0, 1.5),
        default=USUAL.forehead,
        help="Reach above the brows, in brow-to-eye.",
    ),
    click.option("--colour", type=SHARE, default=USUAL.colour, help="Take the colour of the face replaced."),
    click.option(
        "--colour-method",
        type=click.Choice(get_args(ColourMethod)),
        default=USUAL.colour_method,
        help="Mean and spread, channels' distributions, best linear map, sliced transport, seamless clone, or none.",
    ),
    click.option(
        "--colour-window-s",
        type=click.FloatRange(0, 60, min_open=True),
        default=USUAL.colour_window_s,
        help="Steady colours over about this time, in seconds.",
    ),
    click.option(
        "--brightness", type=click.FloatRange(-1, 1), default=USUAL.brightness, help="Add to the new face, of white."
    ),
    click.option(
        "--contrast", type=click.FloatRange(0, 3), default=USUAL.contrast, help="Of the new face, about mid grey."
    ),
    click.option("--gamma", type=click.FloatRange(0.2, 5), default=USUAL.gamma, help="Its tone; above 1 is lighter."),
    click.option("--saturation", type=click.FloatRange(0, 3), default=USUAL.saturation, help="Of the new face."),
    click.option(
        "--enhance", type=FILE, metavar="ONNX", help="A network of yours that enlarges or restores the created face."
    ),
    click.option("--sharpen", type=SHARE, default=USUAL.sharpen, help="Match the sharpness of the face replaced."),
    click.option("--grain", type=SHARE, default=USUAL.grain, help="Match the noise of the face replaced."),
    click.option("--motion-blur", type=SHARE, default=USUAL.motion_blur, help="Match its blur by motion."),
    click.option(
        "--own-mouth",
        type=SHARE,
        default=USUAL.own_mouth,
        help="Lay in the clip's own teeth and tongue.",
    ),
    click.option(
        "--gap-s",
        type=click.FloatRange(0, 2),
        default=USUAL.gap_s,
        help="Fill frames without the face in gaps up to this long, in seconds.",
    ),
)
"""Options named as the fields of `SwapOptions`."""


def lay_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add ``--model`` and how it is laid over a clip, passed together as the argument `options`."""

    @click.option("--model", type=FILE, required=True, metavar="MODEL", help="Folder that lipswap train made.")
    @functools.wraps(command)
    def wrapped(*args: Any, **given: Any) -> R:  # noqa: ANN401 - passed on
        laid = {name: given.pop(name) for name in list(given) if name in FIELDS}
        mask_parts(laid["mask"])  # told now, not after the clip is analysed
        return command(*args, options=SwapOptions(**laid), **given)

    for option in reversed(LAID):
        wrapped = option(wrapped)
    return wrapped


@click.command(epilog="Example: lipswap swap ben.mp4 --model models/ben-to-ada -o out.mp4 --consent consent.txt")
@click.argument("clip", type=FILE)
@render_options
@lay_options
@standard_options
def swap(clip: Path, *, options: SwapOptions, choices: RenderChoices, terminal: Terminal) -> None:
    """Swap the face in CLIP with a trained model; the output is signed, and a report lies beside it."""
    from shared.render.job import StageRequest

    carry_out(job_of(clip, choices, (StageRequest("swap", options),)), terminal)
