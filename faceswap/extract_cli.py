"""The command ``extract``: clips and pictures to a face set."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from faceswap.options import ExtractOptions
from shared.render.terminal import Terminal, force_option, standard_options

if TYPE_CHECKING:  # the report brings numpy, which a help text can do without
    from faceswap.extract import ExtractReport

R = TypeVar("R")
FILE = click.Path(path_type=Path)
CUT = ExtractOptions()
SHARE = click.FloatRange(0, 1)
LEAST = click.FloatRange(0)
RIGHT = click.FloatRange(0, 90)
CHOICES: tuple[tuple[str, click.ParamType[Any], str], ...] = (
    ("finder", click.Choice(["mesh", "fan"]), "Who finds the faces; fan is the face-alignment package."),
    ("every", click.IntRange(1), "Take each n-th frame."),
    ("most", click.IntRange(1), "At most this many faces in the set, those that differ most."),
    ("alike", LEAST, "Of faces that differ less only the sharpest stays; 1 is plainly seen, 0 keeps all."),
    ("centring", click.Choice(["face", "head", "legacy"]), "What the pictures show and a net learns to make."),
    ("crop_px", click.IntRange(64, 1024), "Side of the pictures."),
    ("least_size_px", LEAST, "Drop smaller faces."),
    ("most_size_px", LEAST, "Drop larger faces; 0 for no limit."),
    ("least_sharpness", SHARE, "Drop faces below this share of the clip's median sharpness."),
    ("most_yaw_deg", RIGHT, "Drop faces turned further aside."),
    ("most_pitch_deg", RIGHT, "Drop faces tilted further."),
    ("most_roll_deg", click.FloatRange(0, 180), "Drop faces leaning further."),
    ("least_presence", SHARE, "Drop faces that the finder is less sure of."),
    ("most_misfit", LEAST, "Drop landmarks that fit a head worse, in eye distances."),
    ("least_inside", SHARE, "Drop faces of which less lies inside the picture."),
    ("most_crowd", SHARE, "Set aside faces whose view other faces cover more of."),
    ("most_tint", LEAST, "Set aside skin further from its usual colour (CIE a*b*); 0 keeps all."),
    ("least_light", click.FloatRange(0, 100), "Set aside darker skin (CIE L*)."),
    ("most_burnt", SHARE, "Set aside skin with a larger share of pure white or black."),
    ("most_covered", LEAST, "Set aside faces with more in front of them (CIE L*a*b*); 0 keeps all."),
)
"""The plain options: the field of `ExtractOptions`, what it takes, and its help."""


def _choices(command: Callable[..., R]) -> Callable[..., R]:
    """Add the plain options of an extraction, passed together as the argument `choices`."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> R:  # noqa: ANN401 - passed on
        chosen = {name: kwargs.pop(name) for name, _, _ in CHOICES}
        return command(*args, choices=chosen, **kwargs)

    made: Callable[..., R] = wrapped
    for name, kind, text in reversed(CHOICES):
        made = click.option(f"--{name.replace('_', '-')}", name, type=kind, default=getattr(CUT, name), help=text)(made)
    return made


@click.command(epilog="Example: lipswap extract ada.mp4 photos/ada -o faces/ada --every 2")
@click.argument("clips", nargs=-1, required=True, type=FILE, metavar="CLIP|FOLDER...")
@click.option("-o", "--output", type=FILE, required=True, metavar="FACES", help="Folder of the face set.")
@click.option(
    "--person",
    multiple=True,
    default=("largest",),
    metavar="largest|all|speaker|N|PICTURE",
    help="Whose faces: of the one seen largest and longest, everybody, who speaks, a track of the first clip, or as in "
    "a picture (or a folder of them; may be given several times).",
)
@click.option("--not-person", multiple=True, type=FILE, metavar="PICTURE", help="Somebody who must not be in the set.")
@click.option(
    "--region",
    nargs=4,
    type=SHARE,
    default=CUT.region,
    metavar="LEFT TOP RIGHT BOTTOM",
    help="Where the middle of a face must lie, as shares of the picture.",
)
@_choices
@click.option("--append", "adding", is_flag=True, help="Add to the set that is there; what is in it stays.")
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would be dropped, and why.")
@force_option
@standard_options
def extract(  # noqa: PLR0913 - one argument an option
    clips: tuple[Path, ...],
    *,
    output: Path,
    person: tuple[str, ...],
    not_person: tuple[Path, ...],
    region: tuple[float, float, float, float],
    choices: dict[str, Any],
    adding: bool,
    dry_run: bool,
    force: bool,
    terminal: Terminal,
) -> None:
    """Cut the faces of one person out of clips and folders of pictures.

    The set is a folder of aligned pictures. Of several people the one seen largest and longest is taken; what spoils a
    training lies in FACES/aside by its reason, and what is there already is left out. Look at contact_sheet.png and
    coverage.png, and delete any picture that does not belong; lipswap faces does more.

    Interrupted, the same command goes on where it stopped.
    """
    from faceswap.extract import append, rehearse
    from faceswap.extract import extract as extract_faces
    from shared.errors import UsageError

    if adding and force:
        raise UsageError("--append keeps what is in the set, --force throws it away; give one of them")
    options = ExtractOptions(person=_whose(person), not_person=not_person, region=region, **choices)
    if dry_run:
        report = rehearse(clips, output, options, terminal.progress, adding)
    elif adding:
        report = append(clips, output, options, terminal.progress)
    else:
        report = extract_faces(clips, output, options, terminal.progress, force)
    if report.reused:
        again = "every clip is in it" if adding else "already made from the same clips and options"
        terminal.say(f"{output}: {again}; nothing to do" + ("" if adding else " (--force makes it again)"))
    terminal.result(_answer(report, dry_run), _text(report, dry_run))


def _whose(person: tuple[str, ...]) -> Any:  # noqa: ANN401 - a FaceChoice, which mypy would have to be told of in parts
    from shared.errors import UsageError
    from shared.render.job import WORDS, parse_person

    if len(person) == 1 and not Path(person[0]).is_dir():
        return parse_person(person[0])
    for one in person:
        if one in WORDS or not Path(one).exists():
            raise UsageError(f"--person {one}: of several, each must be a picture or a folder of pictures")
    return tuple(Path(one) for one in person)


def _answer(report: ExtractReport, dry_run: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "folder": str(report.folder),
        "faces": report.faces,
        "frames": report.frames,
        "frames_with_face": report.with_face,
        "frames_damaged": report.damaged,
        "dropped": report.dropped,
        "people_faces": list(report.people),
        "reused": report.reused,
    }
    if dry_run:
        answer["dry_run"] = True
        answer["dropped_faces"] = [
            {"clip": row.clip, "frame": row.frame, "time_s": row.time_s, "track": row.track, "why": row.why}
            for row in report.rows
            if not row.kept
        ]
    return answer


def _text(report: ExtractReport, dry_run: bool) -> str:
    dropped = ", ".join(f"{count} {why}" for why, count in report.dropped.items()) or "none"
    lines = [
        f"{report.folder}: {'would have ' if dry_run else ''}{report.faces} faces; {report.with_face} of "
        f"{report.frames} frames show a face, {report.damaged} damaged; dropped: {dropped}"
    ]
    if len(report.people) > 1:
        lines.append(f"  {len(report.people)} people, by faces: {', '.join(map(str, report.people))}")
    if dry_run:
        for why in report.dropped:
            frames = [(row.clip, row.frame) for row in report.rows if row.why == why and not row.kept]
            lines.append(f"  {why:10} {_spans(frames)}")
    return "\n".join(lines)


def _spans(frames: list[tuple[int, int]], most: int = 8) -> str:
    """Clips and frames in words: ``clip 0: 3-17, 40; clip 1: 5``."""
    spans: dict[int, list[list[int]]] = {}
    for clip, frame in sorted(set(frames)):
        mine = spans.setdefault(clip, [])
        if mine and frame <= mine[-1][1] + 1:
            mine[-1][1] = frame
        else:
            mine.append([frame, frame])
    parts = []
    for clip, mine in spans.items():
        named = [str(a) if a == b else f"{a}-{b}" for a, b in mine[:most]]
        parts.append(f"clip {clip}: {', '.join(named)}{' ...' if len(mine) > most else ''}")
    return "; ".join(parts[:most]) + (" ..." if len(parts) > most else "")
