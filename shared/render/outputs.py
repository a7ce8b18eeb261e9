"""What a render leaves on the disk: a clip or numbered pictures, and layers beside them, hidden until signed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.errors import LipswapError, from_os_error
from shared.media.layers import LayerWriter, is_clip, matrices_path, open_layers
from shared.media.numbered import LITTER
from shared.media.reader import clip_origin
from shared.media.sequence import SequenceWriter, is_sequence, open_sequence, place_of
from shared.media.writer import ClipWriter, open_writer
from shared.provenance.credentials import Statement, file_sha256, sign_as
from shared.provenance.folder import sign_folder
from shared.render.job import RenderJob
from shared.types import ClipInfo, Face, Frame, JsonObject, Patch


@dataclass(frozen=True, slots=True)
class Outputs:
    """The open writers of a render."""

    picture: ClipWriter | SequenceWriter
    layers: LayerWriter | None

    @property
    def notes(self) -> list[str]:
        """What the writers did that the user should know."""
        return [*self.picture.notes, *(self.layers.notes if self.layers is not None else [])]

    def write(self, frame: Frame, patches: Sequence[Patch], faces: Sequence[Face]) -> None:
        """Write a finished frame, and what was laid over it."""
        self.picture.write(frame)
        if self.layers is not None:
            self.layers.write(frame, patches, faces)


@contextmanager
def open_outputs(job: RenderJob, info: ClipInfo, *, retimed: bool = False) -> Iterator[Outputs]:
    """Open the unsigned outputs of a job whose clip is as `info` says; errors name the final ones."""
    paths = [path for path in (job.output, job.layers) if path is not None]
    with _naming(paths), ExitStack() as opened:
        unsigned = unsigned_path(job.output)
        picture: ClipWriter | SequenceWriter
        if is_sequence(job.output):
            picture = opened.enter_context(open_sequence(unsigned, info))
        else:
            writer = open_writer(unsigned, info, job.encode, job.speech, clip_origin(job.clip), retimed)
            picture = opened.enter_context(writer)
        layers = opened.enter_context(open_layers(unsigned_path(job.layers), info)) if job.layers else None
        yield Outputs(picture, layers)


def unsigned_path(output: Path) -> Path:
    """Where an output grows, and stays until it is signed: hidden, beside it."""
    place = place_of(output)
    hidden = place.with_name(f".{place.stem}.unsigned{place.suffix}")
    return hidden / output.name if is_sequence(output) else hidden


def remove_unsigned(output: Path) -> None:
    """Remove what an earlier run left there unsigned."""
    place = place_of(unsigned_path(output))
    try:
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
            matrices_path(place).unlink(missing_ok=True)
    except OSError as error:
        raise from_os_error(error, place, "removing what an earlier run left") from error


def sign_output(statement: Statement, output: Path, details: JsonObject) -> Path:
    """Sign a grown output and let it appear; the file that holds the signature comes back.

    Raises
    ------
    MediaError, NoSpaceError
        It cannot be signed; it stays where it is, and is named.
    """
    unsigned, place = unsigned_path(output), place_of(output)
    hidden = place_of(unsigned)
    try:
        if not hidden.is_dir():
            return _sign_clip(statement, unsigned, output, details)
        sidecar = sign_folder(statement, hidden, details)
        old = place.with_name(f".{place.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if place.is_dir():
            place.rename(old)
        hidden.rename(place)
        shutil.rmtree(old, ignore_errors=True)
        return place / sidecar.name
    except OSError as error:
        raise from_os_error(error, place, "letting it appear") from error
    except LipswapError as error:
        # Nothing changed goes about unsigned under its own name, and no hours of work are thrown away.
        raise type(error)(f"{error}; the output itself is whole, unsigned, in {hidden}") from error


def size_of(output: Path) -> int:
    """Bytes of an output, of all its pictures where it is a folder."""
    place = place_of(output)
    if place.is_dir():
        return sum(path.stat().st_size for path in place.iterdir() if path.name not in LITTER)
    return place.stat().st_size


def is_there(output: Path) -> bool:
    """Whether anything lies where an output goes; an empty folder is nothing."""
    place = place_of(output)
    return place.exists() and not (place.is_dir() and all(path.name in LITTER for path in place.iterdir()))


def named(outputs: Sequence[Path], text: str) -> str:
    """A text about unsigned outputs, as one about the final ones."""
    for output in outputs:
        text = text.replace(str(place_of(unsigned_path(output))), str(place_of(output)))
    return text


def _sign_clip(statement: Statement, unsigned: Path, output: Path, details: JsonObject) -> Path:
    lines = matrices_path(unsigned)
    if is_clip(output) and lines.is_file():
        details = {**details, "matrices_sha256": file_sha256(lines)}
        lines.replace(matrices_path(output))
    return sign_as(statement, unsigned, output, details, move=True)


@contextmanager
def _naming(outputs: Sequence[Path]) -> Iterator[None]:
    """Let errors about the unsigned outputs name the final ones."""
    try:
        yield
    except LipswapError as error:
        if named(outputs, str(error)) == str(error):
            raise
        raise type(error)(named(outputs, str(error))) from error
