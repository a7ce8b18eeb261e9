"""Pictures to look at: two clips side by side, and a sheet of frames."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from shared.demo.film import clip_info, frame_from_rgb
from shared.demo.footage import Footage
from shared.media.options import EncodeOptions
from shared.media.reader import open_clip
from shared.media.writer import open_writer
from shared.picture.image import Rgb, contact_sheet, write_png
from shared.picture.planes import cut
from shared.progress import Progress, silent
from shared.provenance.consent import read_consent
from shared.provenance.credentials import Action, Ingredient, prepare, sign_as
from shared.types import Frame

COLUMNS: Final = 8
CELL: Final = (240, 216)


def write_compare(target: Path, output: Path, path: Path, consent: str, progress: Progress = silent) -> None:
    """Target and output side by side, with the output's sound, signed."""
    with open_clip(target) as left, open_clip(output) as right:
        height, width = left.info.size
        frames = max(1, left.info.frame_count)
        like = clip_info(path, (height, 2 * width), frames)
        unsigned = path.with_name(f".{path.stem}.unsigned{path.suffix}")
        with open_writer(unsigned, like, EncodeOptions(preset="veryfast"), output) as writer:
            for index, (one, other) in enumerate(zip(left.frames(), right.frames(), strict=False)):
                pair = np.concatenate([_rgb(one), _rgb(other)], axis=1)
                writer.write(frame_from_rgb(pair, index))
                progress(index + 1, frames, f"comparing in {path.name}")
    parts = (Ingredient(target, "inputTo"), Ingredient(output, "inputTo"))
    statement = prepare(read_consent(consent), parts, (Action("compare", "two clips side by side"),))
    sign_as(statement, unsigned, path, move=True)


def write_sheet(footage: Footage, synced: Path, output: Path, path: Path) -> None:
    """Rows of frames at equal times: first actor, second actor, target, lip sync alone, both, and as drawn."""
    rows = (footage.first, footage.second, footage.target, synced, output, footage.wanted)
    write_png(path, contact_sheet([picture for row in rows for picture in _spread(row)], COLUMNS, CELL))


def _spread(path: Path) -> list[Rgb]:
    """`COLUMNS` frames spread evenly over the first seconds of a clip."""
    with open_clip(path) as clip:
        step = max(1, min(clip.info.frame_count, 175) // COLUMNS)
        return [_rgb(frame) for frame in islice(clip.frames(), step // 2, step * COLUMNS, step)]


def _rgb(frame: Frame) -> Rgb:
    height, width = frame.size
    return cut(frame, (0, 0, width, height)).astype(np.uint8)
