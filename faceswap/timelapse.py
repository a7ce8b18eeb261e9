"""A training seen in time: numbered previews at steps that grow geometrically, and a short film of them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np

from shared.errors import from_os_error
from shared.picture.image import Rgb, read_image

GROWTH: Final = 1.15
"""Each preview is so much later than the one before: 50 previews in 1,000 steps, 100 in 1,000,000."""
RATE: Final = Fraction(8)
"""Previews a second of the film."""
LAST: Final = 16
"""Times that the last one is shown."""


def is_due(step: int) -> bool:
    """Whether the preview of `step` belongs to the film: 1, 2, 3 ... and then each `GROWTH` times later."""
    place = 1
    while place < step:
        place = max(place + 1, int(place * GROWTH))
    return place == step


def numbered(folder: Path, step: int) -> Path:
    """Where the preview of `step` lies."""
    return folder / f"step-{step:08d}.png"


def film(pictures: Sequence[Path], path: Path) -> None:
    """Write previews as an H.264 clip, in their order; all are of one size.

    Raises
    ------
    MediaError, NoSpaceError
        If it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with av.open(str(partial), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=RATE, options={"crf": "20", "preset": "veryfast"})
            stream.pix_fmt = "yuv420p"
            shown = [*pictures, *[pictures[-1]] * (LAST - 1)]
            for number, picture in enumerate(shown):
                rgb = _even(read_image(picture))
                if number == 0:
                    stream.height, stream.width = rgb.shape[:2]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
            container.mux(stream.encode(None))
        partial.replace(path)
    except (OSError, av.FFmpegError) as error:
        partial.unlink(missing_ok=True)
        raise from_os_error(OSError(error.errno, str(error)), path, "writing the time-lapse") from error


def _even(rgb: Rgb) -> Rgb:
    """The picture with its last row or column repeated where 4:2:0 needs it."""
    height, width = rgb.shape[:2]
    return np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
