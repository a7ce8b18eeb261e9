"""How a command speaks: its result on stdout, everything else on stderr; and the options that commands share.

A command takes `standard_options` and gets a `Terminal`; nothing below the commands prints.
"""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from shared.errors import UsageError, from_os_error
from shared.media.options import PRESETS, WORST_CRF, EncodeOptions
from shared.progress import Progress, TerminalProgress, silent
from shared.render.options import RETIME, RETIME_CHOICES

if TYPE_CHECKING:  # the types bring numpy, which a help text can do without
    from shared.face.detect import FinderName
    from shared.types import JsonObject

P = ParamSpec("P")
R = TypeVar("R")
OWN_LOGGERS = ("shared", "models", "faceswap", "lipsync")


@dataclass(frozen=True, slots=True)
class RenderChoices:
    """What every command that renders a clip is told beside its own options."""

    output: Path
    consent: str | None
    """The statement or the name of a file that holds it."""
    person: str
    finder: FinderName
    device: str
    encode: EncodeOptions
    force: bool
    layers: Path | None = None


class Terminal:
    """What a command may say, and how loudly.

    Parameters
    ----------
    as_json : print results as one JSON object.
    loudness : -1 quiet, 0 normal, 1 also information, 2 also debugging.
    """

    def __init__(self, as_json: bool = False, loudness: int = 0) -> None:
        self.as_json = as_json
        self.loudness = loudness
        self._bar = TerminalProgress()

    @property
    def progress(self) -> Progress:
        """Where long work reports to: a bar, or nothing when quiet."""
        if self.loudness < 0:
            return silent
        return self._bar

    def say(self, text: str) -> None:
        """Tell what is being done, on stderr; nothing when quiet."""
        if self.loudness >= 0:
            self._bar.close()
            click.echo(text, err=True)

    def warn(self, text: str) -> None:
        """Tell what the user should know even when quiet, on stderr."""
        self._bar.close()
        click.echo(f"warning: {text}", err=True)

    def result(self, answer: JsonObject, text: str) -> None:
        """Print the result on stdout: `answer` as one JSON object where asked for, else `text`."""
        self._bar.close()
        click.echo(json.dumps(answer, ensure_ascii=False, default=str) if self.as_json else text)

    def listen(self) -> None:
        """Bring the log messages of our own packages to stderr, each once."""
        level = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}.get(self.loudness, logging.DEBUG)
        for name in OWN_LOGGERS:
            logger = logging.getLogger(name)
            for old in [h for h in logger.handlers if isinstance(h, _ToTerminal)]:
                logger.removeHandler(old)
            logger.addHandler(_ToTerminal(self))
            logger.setLevel(level)


class _ToTerminal(logging.Handler):
    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self._terminal.warn(record.getMessage())
        else:
            self._terminal.say(record.getMessage())


def standard_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add ``--json``, ``-v``, ``-q`` and ``--job``, and pass the `Terminal` as the argument `terminal`."""

    @click.option(
        "--job",
        type=click.Path(path_type=Path),
        metavar="FILE.toml",
        is_eager=True,
        expose_value=False,
        callback=_read_job,
        help="Take options from a TOML file, by their names here; those given here win.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
    @click.option("-v", "--verbose", count=True, help="Say more; -vv says all.")
    @click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors and the result.")
    @functools.wraps(command)
    def wrapped(*args: Any, as_json: bool, verbose: int, quiet: bool, **kwargs: Any) -> R:  # noqa: ANN401 - passed on
        terminal = Terminal(as_json, -1 if quiet else verbose)
        terminal.listen()
        return command(*args, terminal=terminal, **kwargs)

    return wrapped


def _read_job(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Let the options of a job file stand where none is given on the command line."""
    if path is None:
        return
    import tomllib  # noqa: PLC0415 - few commands come with a job file

    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise from_os_error(error, path, "reading the job file") from error
    except ValueError as error:
        raise UsageError(f"{path}: not a TOML file ({error})") from error
    known = {
        name.lstrip("-"): parameter
        for parameter in context.command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
        if parameter.name not in (None, "job", "help") and len(name.lstrip("-")) > 1
    }
    if unknown := [key for key in given if key not in known]:
        raise UsageError(f"{path}: unknown {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    context.default_map = {
        str(known[key].name): _job_value(path, key, value, known[key]) for key, value in given.items()
    }


def _job_value(path: Path, key: str, value: object, parameter: click.Parameter) -> object:
    """A value of a job file as the option's own type takes it: text where it wants a name, a path or a word."""
    if (parameter.nargs != 1 or parameter.multiple) and isinstance(value, list):
        return [_one_job_value(path, key, one, parameter) for one in value]
    return _one_job_value(path, key, value, parameter)


def _one_job_value(path: Path, key: str, value: object, parameter: click.Parameter) -> object:
    if not isinstance(value, str | int | float):
        raise UsageError(f"{path}: {key} must be a single value, not a {type(value).__name__}")
    wants_text = isinstance(parameter.type, click.Path | click.Choice) or parameter.type is click.STRING
    return str(value) if wants_text else value


def device_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add ``--device``."""
    return click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        help="Where networks run; auto takes a GPU if there is one.",
    )(command)


def seed_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add ``--seed``."""
    return click.option("--seed", type=int, default=0, help="Same input and seed, same output.")(command)


def force_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add ``--force``."""
    return click.option("--force", is_flag=True, help="Replace what was made from other inputs.")(command)


def retime_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add ``--retime``."""
    return click.option(
        "--retime",
        type=click.Choice(RETIME_CHOICES),
        default=RETIME,
        help="Choose the clip's frames anew, so that the head rests where the speech does and the clip lasts as long; "
        "auto: where the speech becomes its whole sound and is not already as long as the clip, one person is changed "
        "and nobody else is in it for more than a twentieth of it, it is one shot, and no layers or numbered pictures "
        "are to fit it; what was decided is told, and why.",
    )(command)


def consent_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add ``--consent``; its absence is a `ConsentError`, raised by `read_consent`."""
    return click.option(
        "--consent",
        metavar="TEXT|FILE",
        help="Statement in which the persons shown and heard agree; needed, and signed into the output.",
    )(command)


def person_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add ``--person``."""
    return click.option(
        "--person",
        default="largest",
        metavar="largest|all|speaker|N|PICTURE",
        help="Whose face: the largest, everybody's, the one who speaks, a track number, or as in a picture.",
    )(command)


def finder_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add ``--finder``."""
    return click.option(
        "--finder",
        type=click.Choice(["mesh", "fan"]),
        default="mesh",
        help="Who finds the faces; fan is the face-alignment package, for footage and clip alike.",
    )(command)


def encode_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add ``--crf``, ``--preset`` and ``--lossless``, passed together as the argument `encode`."""
    usual = EncodeOptions()

    @click.option(
        "--crf", type=click.FloatRange(0, WORST_CRF), default=usual.crf, help="Quality; lower is better, and larger."
    )
    @click.option(
        "--preset", type=click.Choice(PRESETS), default=usual.preset, help="Speed of x264 and x265; slower is smaller."
    )
    @click.option("--lossless", is_flag=True, help="Keep every sample; large files.")
    @functools.wraps(command)
    def wrapped(*args: Any, crf: float, preset: str, lossless: bool, **kwargs: Any) -> R:  # noqa: ANN401 - passed on
        return command(*args, encode=EncodeOptions(crf=crf, preset=preset, lossless=lossless), **kwargs)

    return wrapped


def render_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add what every command that renders takes, passed together as the argument `choices`."""

    @click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path),
        required=True,
        metavar="OUT",
        help="Clip to write: mp4 mov mkv webm avi; or FOLDER/%06d.png for pictures.",
    )
    @click.option(
        "--layers",
        type=click.Path(path_type=Path),
        metavar="NAME.mov|FOLDER",
        help="Also write what is laid over the clip, with a straight matte: ProRes 4444, or 16-bit PNG in a folder.",
    )
    @consent_option
    @person_option
    @finder_option
    @device_option
    @encode_options
    @force_option
    @functools.wraps(command)
    def wrapped(*args: Any, **given: Any) -> R:  # noqa: ANN401 - passed on
        choices = RenderChoices(**{field.name: given.pop(field.name) for field in fields(RenderChoices)})
        return command(*args, choices=choices, **given)

    return wrapped
