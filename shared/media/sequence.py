"""Frames as numbered PNG pictures in a folder of their own, with times, colour and hashes in a JSON file among them.

The pictures are upright RGB of 8 bits, or 16 where the clip has more than 8. The folder grows under a temporary name
and is renamed when it is whole. An interrupt (Ctrl-C) ends it early, under its final name; any other failure leaves
nothing behind.
"""

from __future__ import annotations

import re
import zlib
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from typing import Final

from shared.errors import MediaError, UsageError
from shared.media.ending import ended
from shared.media.numbered import NumberedPictures, check_own
from shared.picture.image import encode_png
from shared.picture.planes import cut
from shared.types import ClipInfo, ColourSpec, Frame, JsonObject

FIRST: Final = 1
"""Number of the first picture, as FFmpeg numbers them."""
EFFORT: Final = 1
"""Of zlib, 0 to 9: more makes files a few percent smaller in several times the time."""
PATTERN: Final = re.compile(r"[^%/]*%(?:0\d{1,2})?d[^%/]*\.png", re.IGNORECASE)
UNSPECIFIED: Final = 2
IHDR_END: Final = 33
"""Bytes of a PNG's signature and header chunk: what follows may be a chunk of ours."""


def is_sequence(path: Path) -> bool:
    """Whether an output's name asks for numbered pictures: ``FOLDER/%06d.png``."""
    return "%" in path.name and path.suffix.lower() == ".png"


def place_of(path: Path) -> Path:
    """What appears on the disk for an output: the folder of numbered pictures, else the file itself."""
    return path.parent if is_sequence(path) else path


def check_sequence(path: Path) -> None:
    """Refuse a name that does not number pictures, or no folder of their own.

    Raises
    ------
    UsageError
        Saying what was expected.
    ArtefactError, MediaError
        The folder holds what no sequence holds.
    """
    if not PATTERN.fullmatch(path.name):
        raise UsageError(f"{path}: expected one number in the pictures' name, such as FOLDER/%06d.png")
    if path.parent == Path() or path.parent.name in ("", "..", "."):
        raise UsageError(f"{path}: name a folder for the pictures, such as frames/{path.name}")
    check_own(path.parent)


class SequenceWriter:
    """Open numbered pictures; see `open_sequence`."""

    def __init__(self, path: Path, like: ClipInfo) -> None:
        self.path, self._like = path, like
        self.frames = 0
        """Frames written."""
        self.notes = ["an image sequence holds no sound and no subtitles"] if len(like.streams) > 1 else []
        if like.pixels.kind == "yuv":
            self.notes.append(f"{like.pixels.name} written as RGB of {_bits(like)} bits")
        if like.field_order != "progressive":
            self.notes.append(f"pictures hold both fields ({like.field_order}); no PNG says so")
        self._last_s: Fraction | None = None
        self._pictures = NumberedPictures(path.parent, path.name)

    def write(self, frame: Frame) -> None:
        """Write one frame at its own time; times must grow.

        Raises
        ------
        ValueError : wrong format, or a time not after the last frame's.
        MediaError, NoSpaceError : the picture cannot be written.
        """
        if frame.pixels != self._like.pixels:
            raise ValueError(f"frames must be {self._like.pixels.name}, got {frame.pixels.name}")
        if self._last_s is not None and frame.time_s <= self._last_s:
            raise ValueError(f"frame {frame.index} at {float(frame.time_s):.6f} s does not come after the last one")
        self._last_s = frame.time_s
        said = {"time_s": round(float(frame.time_s), 9), "pts": frame.pts}
        self._pictures.add(FIRST + self.frames, lambda: frame_png(frame), said)
        self.frames += 1

    def finish(self, interrupted: bool = False) -> None:
        """Write the contents and let the folder appear."""
        if self.frames == 0:
            self.abandon()
            if not interrupted:
                raise MediaError(f"{self.path}: no frame was given, nothing is written")
            return
        self._pictures.finish({"kind": "image sequence", **described(self._like), "alpha": "none"})
        if interrupted:
            self.notes.append(f"interrupted: {self.path.parent} ends after {self.frames} frames")

    def abandon(self) -> None:
        """Remove the unfinished folder."""
        self._pictures.abandon()


def open_sequence(path: Path, like: ClipInfo) -> AbstractContextManager[SequenceWriter]:
    """Open ``FOLDER/%06d.png`` for frames that look like those of the clip `like`; errors as of `open_writer`."""
    return ended(SequenceWriter(path, like))


def described(like: ClipInfo) -> JsonObject:
    """What all pictures of a sequence share, as JSON values."""
    colour = like.colour
    return {
        "clip": like.path.name,
        "orientation": "upright",
        "height": like.size[0],
        "width": like.size[1],
        "bits": _bits(like),
        "colour": {
            "model": "RGB, full range, as gamma-coded as the clip",
            "from_matrix": colour.matrix,
            "primaries_h273": colour.primaries_code,
            "transfer_h273": colour.transfer_code,
        },
        "field_order": like.field_order,
        "sample_aspect": str(like.sample_aspect),
        "rate": str(like.rate),
        "time_base": str(like.time_base),
        "start_s": round(float(like.start_s), 9),
    }


def frame_png(frame: Frame) -> bytes:
    """A frame as an upright PNG with its colour tags."""
    height, width = frame.size
    return with_colour(encode_png(cut(frame, (0, 0, width, height)), EFFORT), frame.colour)


def with_colour(png: bytes, colour: ColourSpec) -> bytes:
    """The picture with a ``cICP`` chunk (PNG, third edition, 11.3.2.6), where the clip says primaries and transfer."""
    if UNSPECIFIED in (colour.primaries_code, colour.transfer_code):
        return png
    said = b"cICP" + bytes([colour.primaries_code, colour.transfer_code, 0, 1])
    chunk = (len(said) - 4).to_bytes(4, "big") + said + zlib.crc32(said).to_bytes(4, "big")
    return png[:IHDR_END] + chunk + png[IHDR_END:]


def _bits(like: ClipInfo) -> int:
    return 8 if like.pixels.depth == 8 else 16
