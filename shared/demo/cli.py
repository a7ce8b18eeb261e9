"""The command ``demo``: the main job on actors that the program makes itself."""

from __future__ import annotations

from pathlib import Path

import click

from shared.demo.options import DemoOptions
from shared.render.terminal import Terminal, device_option, force_option, seed_option, standard_options

USUAL = DemoOptions()


@click.command(epilog="Example: lipswap demo -o demo/")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), default=Path("demo"), help="Folder to fill."
)
@click.option(
    "--train-minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=USUAL.train_minutes,
    help="Longest training of the swap net, minutes.",
)
@device_option
@seed_option
@force_option
@standard_options
def demo(*, output: Path, train_minutes: float, device: str, seed: int, force: bool, terminal: Terminal) -> None:
    """Make two synthetic actors, swap and re-sync one, and measure the result.

    Needs no footage and no screen. Leaves out.mp4, compare.mp4, contact_sheet.png and report.html in the folder; what
    an earlier run made there is used again.
    """
    from shared.demo.measure import as_json
    from shared.demo.page import LEGEND, table
    from shared.demo.run import run_demo

    options = DemoOptions(train_minutes=train_minutes, device=device, seed=seed, force=force)
    report = run_demo(output, options, terminal.progress, terminal.say)
    rows = as_json(report.rows)
    answer = {
        "output": str(report.output),
        "compare": str(report.compare),
        "sheet": str(report.sheet),
        "page": str(report.page),
        "cast": report.cast,
        "rows": rows,
        "timings_s": report.timings_s,
        "total_s": report.total_s,
    }
    lines = [table(rows), LEGEND, f"{report.output}: made in {report.total_s:.0f} s; look at {report.page}"]
    terminal.result(answer, "\n".join(lines))
