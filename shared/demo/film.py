"""Drawn frames and their sound to a clip, with the truth about them beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from safetensors.numpy import load_file, save_file

from shared.clock import time_of_frame
from shared.demo.actor import Drawn
from shared.face.landmarks import landmarks_from_mesh
from shared.media.options import EncodeOptions
from shared.media.writer import open_writer
from shared.picture.image import Rgb
from shared.picture.yuv import samples_from_rgb
from shared.progress import Progress, silent
from shared.types import ClipInfo, ColourSpec, Floats, Frame, PixelFormat

RATE: Final = Fraction(25)
PIXELS: Final = PixelFormat(name="yuv420p", depth=8, chroma_shift=(1, 1), kind="yuv")
COLOUR: Final = ColourSpec(
    matrix="bt709", full_range=False, matrix_code=1, primaries_code=1, transfer_code=1, range_code=1
)
ENCODE: Final = EncodeOptions(crf=14.0, preset="veryfast")
"""Near to what a camera writes, and quick."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What was drawn.

    Attributes
    ----------
    mesh : (T, 468, 3) float32 vertices in frame pixels.
    opening_cm : (T,) float32, gap of the inner lips asked for.
    """

    mesh: Floats
    opening_cm: Floats

    @property
    def landmarks(self) -> Floats:
        """(T, 68, 2) float32 frame pixels."""
        return landmarks_from_mesh(self.mesh)


def film(
    path: Path, size: tuple[int, int], frames: Iterable[Drawn], openings_cm: Floats, progress: Progress = silent
) -> Truth:
    """Write a clip of drawn frames at `RATE`, and the truth about it as ``NAME.safetensors``.

    Parameters
    ----------
    path : the clip; where a ``.wav`` of the same name lies beside it, that becomes its sound.
    size : (height, width) of the frames, even.
    openings_cm : (T,) as drawn.

    Raises
    ------
    MediaError, NoSpaceError : it cannot be written.
    """
    wav = path.with_suffix(".wav")
    meshes = []
    with open_writer(path, clip_info(path, size, len(openings_cm)), ENCODE, wav if wav.exists() else None) as writer:
        for index, drawn in enumerate(frames):
            writer.write(frame_from_rgb(drawn.picture, index))
            meshes.append(drawn.mesh)
            progress(index + 1, len(openings_cm), f"filming {path.name}")
    truth = Truth(np.stack(meshes).astype(np.float32), openings_cm.astype(np.float32))
    save_file({"mesh": truth.mesh, "opening_cm": truth.opening_cm}, path.with_suffix(".safetensors"))
    return truth


def truth_of(path: Path) -> Truth:
    """The truth that lies beside a filmed clip."""
    stored = load_file(path.with_suffix(".safetensors"))
    return Truth(stored["mesh"], stored["opening_cm"])


def clip_info(path: Path, size: tuple[int, int], frames: int) -> ClipInfo:
    """What a clip of this size will be: H.264, 4:2:0, BT.709, square pixels, 25 frames a second."""
    return ClipInfo(
        path=path,
        container="mp4",
        codec="h264",
        size=size,
        coded_size=size,
        pixels=PIXELS,
        native_format=PIXELS.name,
        colour=COLOUR,
        rate=RATE,
        time_base=1 / RATE,
        start_s=Fraction(0),
        duration_s=float(time_of_frame(frames, RATE)),
        frame_count=frames,
        bit_rate=0,
        sample_aspect=Fraction(1),
        quarter_turns=0,
        mirrored=False,
        field_order="progressive",
        streams=(),
    )


def frame_from_rgb(picture: Rgb, index: int) -> Frame:
    """A frame of `PIXELS` and `COLOUR` from a picture; chroma sited left, averaged over the samples around.

    Parameters
    ----------
    picture : (H, W, 3) uint8, even sizes.
    """
    height, width = picture.shape[:2]
    if height % 2 or width % 2:
        raise ValueError(f"expected even sizes, got {height}x{width}")
    matrix = samples_from_rgb(COLOUR, PIXELS).astype(np.float32)
    luma = _weighted(picture.astype(np.float32), matrix[0])
    # Red, green and blue averaged onto the chroma grid: rows in pairs, columns 1 2 1 about the even ones.
    tall = picture[0::2].astype(np.float32) + picture[1::2]
    left = np.concatenate([tall[:, :1], tall[:, 1:-1:2]], axis=1)
    small = np.float32(0.125) * (left + 2 * tall[:, 0::2] + tall[:, 1::2])
    planes = tuple(
        np.clip(np.rint(plane), 0, 255).astype(np.uint8)
        for plane in (luma, _weighted(small, matrix[1]), _weighted(small, matrix[2]))
    )
    return Frame(planes, PIXELS, COLOUR, index=index, pts=index, time_base=1 / RATE)


def _weighted(picture: Floats, row: Floats) -> Floats:
    """One plane; plain sums, since a threaded matrix product of three columns waits more than it works."""
    red, green, blue = (picture[..., channel] * (row[channel] / np.float32(255.0)) for channel in range(3))
    return np.asarray(red + green + blue + row[3], dtype=np.float32)
