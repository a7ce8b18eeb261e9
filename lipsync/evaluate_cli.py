"""The command ``evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lipsync.evaluate_options import RECIPES, EvaluateOptions
from lipsync.options import parse_role
from lipsync.role_cli import role_option
from shared.render.terminal import Terminal, finder_option, force_option, person_option, seed_option, standard_options

if TYPE_CHECKING:  # they bring OpenCV, which a help text can do without
    from lipsync.options import RecipeName
    from shared.face.detect import FinderName

PATH = click.Path(path_type=Path)
USUAL = EvaluateOptions()


@click.command(epilog="Example: lipswap evaluate interviews/*.mp4 -o evaluations/ada --hold-out 5")
@click.argument("footage", nargs=-1, required=True, type=PATH, metavar="FOOTAGE...")
@click.option("-o", "--output", type=PATH, required=True, metavar="FOLDER", help="Where report, JSON and voices go.")
@click.option("--also", type=PATH, metavar="FOLDER", help="Folder of further clips to learn from, never held out.")
@click.option("--others", type=PATH, metavar="FOLDER", help="Folder of clips of other speakers, to compare openings.")
@click.option(
    "--align", type=PATH, metavar="TSV", help="True times (clip start_s end_s word|phone), to measure closed lips."
)
@click.option("--leave-out", multiple=True, metavar="WORD", help="Word to keep out of learning; needs --align.")
@click.option(
    "--hold-out", type=click.IntRange(0), default=USUAL.hold_out, help="Clips kept out; 0: a fifth, at most 50."
)
@click.option(
    "--hold-out-s",
    type=click.FloatRange(0),
    default=USUAL.hold_out_s,
    help="Instead: the last seconds of each clip that is two and a half times as long; 0: whole clips.",
)
@click.option(
    "--recipe",
    "recipes",
    type=click.Choice(RECIPES),
    multiple=True,
    default=USUAL.recipes,
    help="What is learned and compared; may be given again.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    multiple=True,
    help="Learn from so many minutes alone too; may be given again.",
)
@click.option(
    "--updates", type=click.IntRange(1), default=USUAL.updates, help="Steps of training.  [default: each recipe's own]"
)
@click.option(
    "--render", type=click.IntRange(0), default=USUAL.render, help="Held-out clips to render too, and measure pictures."
)
@role_option
@person_option
@finder_option
@seed_option
@force_option
@standard_options
def evaluate(  # noqa: PLR0913 - one argument an option
    footage: tuple[Path, ...],
    *,
    output: Path,
    also: Path | None,
    others: Path | None,
    align: Path | None,
    leave_out: tuple[str, ...],
    hold_out: int,
    hold_out_s: float,
    recipes: tuple[RecipeName, ...],
    minutes: tuple[float, ...],
    updates: int | None,
    render: int,
    roles: tuple[str, ...],
    person: str,
    finder: FinderName,
    seed: int,
    force: bool,
    terminal: Terminal,
) -> None:
    """Measure how well mouths learned from FOOTAGE re-create clips of it that were kept out.

    Prints a table and writes it with intervals and plots to FOLDER/report.html and FOLDER/evaluation.json. Learned
    voices stay in FOLDER; the same command goes on from what is there.
    """
    from shared.render.job import parse_person

    options = EvaluateOptions(
        also=also,
        others=others,
        align=align,
        leave_out=leave_out,
        hold_out=hold_out,
        hold_out_s=hold_out_s,
        recipes=recipes,
        minutes=minutes,
        updates=updates,
        render=render,
        roles=tuple(parse_role(text) for text in roles),
        person=parse_person(person),
        finder=finder,
        seed=seed,
    )

    from lipsync.evaluate import evaluate as run
    from lipsync.evaluate_report import PAGE_NAME, write_report
    from lipsync.evaluate_table import other_cells, rendered_cells, shape_cells, summary, text_of

    found = run(footage, output, options, force=force, progress=terminal.progress, tell=terminal.say)
    answer = write_report(output, found, options)
    texts = [summary(found), text_of(shape_cells(found))]
    if found.rendered is not None:
        texts.append(text_of(rendered_cells(found.rendered)))
    if found.others:
        texts += ["other speakers", text_of(other_cells(found))]
    terminal.result(answer, "\n\n".join([*texts, f"intervals and plots: {output / PAGE_NAME}"]))
