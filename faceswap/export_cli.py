"""The command ``export``: a trained model for the tools that swap faces live."""

from __future__ import annotations

from pathlib import Path

import click

from faceswap.export_options import ExportOptions
from shared.render.terminal import Terminal, consent_option, force_option, standard_options

FILE = click.Path(path_type=Path)
WRITTEN = ExportOptions(model=Path())


@click.command(epilog="Example: lipswap export models/ben-to-ada -o ada.dfm --check --consent consent.txt")
@click.argument("model", type=FILE)
@click.option("-o", "--output", type=FILE, required=True, metavar="OUT", help="File to write: .dfm or .onnx.")
@click.option("--swap-direction", is_flag=True, help="The model's second person becomes the first.")
@click.option(
    "--coverage",
    type=click.FloatRange(1.8, 4),
    default=WRITTEN.coverage,
    help="The face coverage set in the live tool, in its units.",
)
@click.option(
    "--expression",
    type=click.FloatRange(0, 2),
    default=WRITTEN.expression,
    help="How far lips, lids and brows move, in what the net reads.",
)
@click.option("--check", is_flag=True, help="Run the file in onnxruntime and compare it with the model.")
@consent_option
@force_option
@standard_options
def export(  # noqa: PLR0913 - one argument an option
    model: Path,
    *,
    output: Path,
    swap_direction: bool,
    coverage: float,
    expression: float,
    check: bool,
    consent: str | None,
    force: bool,
    terminal: Terminal,
) -> None:
    """Write MODEL as ONNX in the DFM convention, for tools that swap faces live.

    The file says in its own metadata what crop of a face it takes, that its pictures are synthetic, and the consent; a
    sidecar signs it. Needs the packages of pip install 'lipswap[export]'.
    """
    from shared.provenance.consent import read_consent

    agreed = read_consent(consent)

    from faceswap.export import export as export_model

    options = ExportOptions(model, swap_direction, expression, coverage)
    made = export_model(options, output, agreed, check=check, force=force)
    if made.reused:
        terminal.say(f"{output}: already made from the same model and options; nothing to do (--force makes it again)")
    answer = {
        "file": str(made.output),
        "signature": str(made.signature),
        "net": made.net,
        "side_px": made.side_px,
        "coverage": made.coverage,
        "masks": made.mask,
        "max_difference": made.max_difference,
        "reused": made.reused,
    }
    lines = [
        f"{made.output}: {made.net}, crops of {made.side_px} px, coverage {made.coverage:g}; signed",
        f"  masks      {made.mask}",
        f"  signature  {made.signature}",
    ]
    if made.max_difference is not None:
        lines.append(f"  checked    differs from the model by at most {made.max_difference:.1e} of full scale")
    terminal.result(answer, "\n".join(lines))
