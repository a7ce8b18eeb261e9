"""Layers for compositors: what is laid over each frame, with a straight matte, and the matrices behind it.

``NAME.mov`` is ProRes 4444 (10 bits, alpha of 16) with the clip's own times, size and display matrix, and
``NAME.mov.matrices.jsonl`` beside it; any other name is a folder of upright 16-bit RGBA pictures with
``matrices.jsonl`` among them. Laid over the clip, picture for picture, they give the rendered frames.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Final, Protocol

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from av.video.stream import VideoStream

from shared.errors import LipswapError, MediaError, UsageError, from_os_error
from shared.media.describe import display_matrix
from shared.media.ending import Ends, ended
from shared.media.muxer import as_media_errors, open_muxer
from shared.media.numbered import NumberedPictures
from shared.media.sequence import EFFORT, FIRST, described, is_sequence, with_colour
from shared.picture.image import encode_png
from shared.picture.layer import rgba16, stacked, yuva_planes
from shared.types import ClipInfo, ColourSpec, Face, Frame, JsonObject, Patch, PixelFormat

MATRICES: Final = "matrices.jsonl"
PATTERN: Final = "%06d.png"
ENCODER: Final = "prores_aw"
"""FFmpeg's faster ProRes encoder: at 1080p 22 core-milliseconds a frame where prores_ks takes 140, at the same size."""
PROFILE_4444: Final = "4"
YUVA: Final = "yuva444p10le"
YUV: Final = PixelFormat("yuv444p10le", 10, (0, 0), "yuv")


class LayerWriter(Ends, Protocol):
    """Open layers; see `open_layers`."""

    notes: list[str]

    def write(self, frame: Frame, patches: Sequence[Patch], faces: Sequence[Face]) -> None:
        """Write what lies over `frame`, at the frame's own time."""


def is_clip(path: Path) -> bool:
    """Whether layers of this name are a clip, not a folder of pictures."""
    return path.suffix.lower() == ".mov"


def check_layers(path: Path) -> None:
    """Refuse a name that is neither a folder nor a ``.mov``.

    Raises
    ------
    UsageError
        Saying what was expected.
    """
    if path.suffix and not is_clip(path) and not is_sequence(path):
        raise UsageError(f"{path}: layers are written as NAME.mov (ProRes 4444) or into a FOLDER (16-bit PNG)")


def matrices_path(path: Path) -> Path:
    """Where the matrices of a ``.mov`` lie: beside it."""
    return path.with_name(f"{path.name}.{MATRICES}")


def open_layers(path: Path, like: ClipInfo) -> AbstractContextManager[LayerWriter]:
    """Open `path` for what lies over the frames of the clip `like`; errors as of `shared.media.writer.open_writer`."""
    writer: LayerWriter = ClipLayers(path, like) if is_clip(path) else PictureLayers(path, like)
    return ended(writer)


def matrices_line(frame: Frame, patches: Sequence[Patch], faces: Sequence[Face]) -> JsonObject:
    """What a compositor may want to know of one frame, in upright pixels, the centre of the top-left one at (0, 0)."""
    return {
        "frame": frame.index,
        "pts": frame.pts,
        "time_s": round(float(frame.time_s), 9),
        "faces": [
            {
                "track": face.track,
                "box": [round(value, 2) for value in face.box],
                "pose_deg": [round(value, 2) for value in face.pose_deg],
                "landmarks": [[round(float(value), 3) for value in point] for point in face.landmarks],
            }
            for face in faces
        ],
        "patches": [
            {
                "track": patch.track,
                "box": list(patch.box),
                "crop_from_frame": None if patch.crop_from_frame is None else patch.crop_from_frame.tolist(),
            }
            for patch in patches
        ],
    }


class PictureLayers:
    """Layers as numbered RGBA pictures."""

    def __init__(self, path: Path, like: ClipInfo) -> None:
        self.notes: list[str] = []
        self._path, self._like = path, like
        folder, pattern = (path.parent, path.name) if is_sequence(path) else (path, PATTERN)
        self._pictures = NumberedPictures(folder, pattern)
        self._lines = (self._pictures.partial / MATRICES).open("w", encoding="utf-8")
        self._frames = 0

    def write(self, frame: Frame, patches: Sequence[Patch], faces: Sequence[Face]) -> None:
        """Write one picture and one line."""
        self._lines.write(json.dumps(matrices_line(frame, patches, faces)) + "\n")
        kept = tuple(patches)
        said = {"time_s": round(float(frame.time_s), 9), "pts": frame.pts}
        self._pictures.add(FIRST + self._frames, lambda: _layer_png(frame, kept), said)
        self._frames += 1

    def finish(self, interrupted: bool = False) -> None:
        """Let the folder appear."""
        self._lines.close()
        if not self._frames:
            self.abandon()
            if not interrupted:
                raise MediaError(f"{self._path}: no frame was given, nothing is written")
            return
        self._pictures.note(MATRICES)
        facts = {**described(self._like), "kind": "layers", "bits": 16, "alpha": "straight"}
        self._pictures.finish(facts)

    def abandon(self) -> None:
        """Remove the unfinished folder."""
        self._lines.close()
        self._pictures.abandon()


class ClipLayers:
    """Layers as a ProRes 4444 clip."""

    def __init__(self, path: Path, like: ClipInfo) -> None:
        self.notes: list[str] = []
        if like.field_order != "progressive":
            self.notes.append(f"layers are marked progressive; the clip is {like.field_order}")
        self._path, self._like = path, like
        self._colour = _prores_colour(like.colour)
        self._partial = path.with_name(f".{path.stem}.partial{path.suffix}")
        self._lines_partial = matrices_path(self._partial)
        self._last_pts: int | None = None
        self._output = open_muxer(self._partial, "mov", like)
        try:
            self._stream = self._add_stream()
            self._lines = self._lines_partial.open("w", encoding="utf-8")
        except (LipswapError, OSError) as error:
            with suppress(av.FFmpegError, OSError, ValueError):
                self._output.close()
            self._partial.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise from_os_error(error, path, "opening the layers") from error
            raise
        about = {"clip": like.path.name, "alpha": "straight", "orientation": "upright", "size": list(like.size)}
        self._lines.write(json.dumps({"about": about}) + "\n")

    def write(self, frame: Frame, patches: Sequence[Patch], faces: Sequence[Face]) -> None:
        """Encode one frame, and write one line."""
        pts = math.floor(frame.time_s / self._like.time_base + Fraction(1, 2))
        if self._last_pts is not None and pts <= self._last_pts:
            raise ValueError(f"frame {frame.index} at {float(frame.time_s):.6f} s does not come after the last one")
        self._last_pts = pts
        planes = yuva_planes(stacked(patches, frame.size), frame, self._colour, YUV)
        picture = av.VideoFrame(planes[0].shape[1], planes[0].shape[0], YUVA)
        for plane, values in zip(picture.planes, planes, strict=True):
            rows = np.frombuffer(plane, dtype="<u2").reshape(plane.height, -1)  # type: ignore[call-overload]
            rows[:, : values.shape[1]] = values
        picture.pts, picture.time_base = pts, self._like.time_base
        picture.colorspace, picture.color_range = self._colour.matrix_code, self._colour.range_code
        picture.color_primaries, picture.color_trc = self._colour.primaries_code, self._colour.transfer_code
        with as_media_errors(self._path):
            self._output.mux(self._stream.encode(picture))
            self._lines.write(json.dumps(matrices_line(frame, patches, faces)) + "\n")

    def finish(self, interrupted: bool = False) -> None:
        """Flush, sync and rename."""
        if self._last_pts is None:
            self.abandon()
            if not interrupted:
                raise MediaError(f"{self._path}: no frame was given, nothing is written")
            return
        with as_media_errors(self._path):
            self._output.mux(self._stream.encode(None))
            self._output.close()
            self._lines.close()
            for written in (self._partial, self._lines_partial):
                with written.open("rb+") as file:
                    os.fsync(file.fileno())
            self._lines_partial.replace(matrices_path(self._path))
            self._partial.replace(self._path)

    def abandon(self) -> None:
        """Remove the unfinished files."""
        self._lines.close()
        with suppress(av.FFmpegError, OSError, ValueError):
            self._output.close()
        self._partial.unlink(missing_ok=True)
        self._lines_partial.unlink(missing_ok=True)

    def _add_stream(self) -> VideoStream:
        like, colour = self._like, self._colour
        try:
            stream = self._output.add_stream(ENCODER, rate=like.rate, options={"profile": PROFILE_4444})
        except UnknownCodecError as error:
            raise MediaError(f"{ENCODER}: this installation has no such encoder; write layers into a folder") from error
        if not isinstance(stream, VideoStream):
            raise MediaError(f"{ENCODER} is no video encoder; write layers into a folder")
        context = stream.codec_context
        context.height, context.width = like.coded_size
        context.pix_fmt = YUVA
        context.time_base = stream.time_base = like.time_base
        context.sample_aspect_ratio = like.sample_aspect
        context.colorspace, context.color_range = colour.matrix_code, colour.range_code
        context.color_primaries, context.color_trc = colour.primaries_code, colour.transfer_code
        context.thread_count = 0
        if like.quarter_turns or like.mirrored:
            stream.set_display_matrix(display_matrix(like))
        with as_media_errors(self._path):
            self._output.start_encoding()
        return stream


def _layer_png(frame: Frame, patches: Sequence[Patch]) -> bytes:
    return with_colour(encode_png(rgba16(stacked(patches, frame.size), frame.size), EFFORT), frame.colour)


def _prores_colour(colour: ColourSpec) -> ColourSpec:
    """The clip's colour in limited range, which ProRes is always of; BT.709 for clips of RGB."""
    if colour.matrix == "rgb":
        return replace(colour, matrix="bt709", matrix_code=1, full_range=False, range_code=1)
    return replace(colour, full_range=False, range_code=1)
