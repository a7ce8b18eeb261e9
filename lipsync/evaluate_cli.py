"""The command ``evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lipsync.evaluate_options import RECIPES, EvaluateOptions
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
@click.option(
    "--align", type=PATH, metavar="TSV", help="True times (clip start_s end_s word|phone), to measure closed lips."
)
@click.option(
    "--hold-out", type=click.IntRange(0), default=USUAL.hold_out, help="Clips kept out; 0: a fifth, at most 50."
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
    "--updates", type=click.IntRange(1), default=USUAL.updates, help="Steps of training.  [default: each recipe's own]"
)
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
    align: Path | None,
    hold_out: int,
    recipes: tuple[RecipeName, ...],
    updates: int | None,
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
        align=align,
        hold_out=hold_out,
        recipes=recipes,
        updates=updates,
        person=parse_person(person),
        finder=finder,
        seed=seed,
    )

    from lipsync import evaluate_report
    from lipsync.evaluate import evaluate as run

    found = run(footage, output, options, force=force, progress=terminal.progress, tell=terminal.say)
    answer = evaluate_report.write_report(output, found, options)
    place = output / evaluate_report.PAGE_NAME
    text = f"{evaluate_report.summary(found)}\n\n{evaluate_report.table(found)}\n\nintervals and plots: {place}"
    terminal.result(answer, text)
