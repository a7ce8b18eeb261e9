"""What flows between stages: frames on a clock, the faces in them, and the pixels that a stage changes.

Conventions: points are ``(..., 2)`` float32 ``(x, y)`` pixels with (0, 0) the centre of the top-left pixel;
boxes are ``x0 y0 x1 y1`` with exclusive ends; sizes are ``(height, width)``; all coordinates are of the *upright*
picture, while the planes of a frame keep the coded orientation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Plane: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
"""One decoded plane, (H, W) uint8, or uint16 where the depth exceeds 8 bits."""
Picture: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
"""An upright cut-out, (H, W, 3) RGB, uint8 or (deep input) uint16 over the full 16-bit range."""
Floats: TypeAlias = NDArray[np.float32]
Matrix: TypeAlias = NDArray[np.float64]
"""A (3, 3) float64 homogeneous 2-D transform, named for its direction: ``crop_from_frame``."""
IntBox: TypeAlias = tuple[int, int, int, int]
FieldOrder: TypeAlias = Literal["progressive", "tff", "bff"]
ColourMatrix: TypeAlias = Literal["bt601", "bt709", "bt2020", "rgb"]


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """A planar pixel format: how the planes of a frame are to be read."""

    name: str
    """FFmpeg's name of the planar format held in memory, e.g. ``yuv420p`` or ``yuv422p10le``."""
    depth: int
    """Bits a sample, 8 to 16."""
    chroma_shift: tuple[int, int]
    """log2 of the chroma subsampling, (vertical, horizontal): (1, 1) for 4:2:0, (0, 0) for 4:4:4 and RGB."""
    kind: Literal["yuv", "gray", "rgb"]
    """``rgb`` planes are stored G, B, R (FFmpeg's gbrp)."""


@dataclass(frozen=True, slots=True)
class ColourSpec:
    """Colour tags of a stream: what the samples mean, and the raw codes to write back."""

    matrix: ColourMatrix
    full_range: bool
    matrix_code: int
    """The ITU-T H.273 codes as read, 2 where unspecified; kept so that the writer can repeat them."""
    primaries_code: int
    transfer_code: int
    range_code: int
    """FFmpeg's AVColorRange: 0 unspecified, 1 limited, 2 full."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture in the decoder's own planes, with its time.

    Planes are in coded orientation; ``quarter_turns`` counter-clockwise turns (after a horizontal mirror where
    ``mirrored``) bring them upright.
    """

    planes: tuple[Plane, ...]
    pixels: PixelFormat
    colour: ColourSpec
    index: int
    """Count of the frame in decoding order of presentation, from 0."""
    pts: int
    time_base: Fraction
    quarter_turns: int = 0
    mirrored: bool = False
    field_order: FieldOrder = "progressive"

    @property
    def time_s(self) -> Fraction:
        """Presentation time in seconds, exact."""
        return self.pts * self.time_base

    @property
    def size(self) -> tuple[int, int]:
        """Upright (height, width) in pixels."""
        height, width = self.planes[0].shape
        return (width, height) if self.quarter_turns % 2 else (height, width)


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream of a container, as listed by the reader."""

    index: int
    kind: str
    """``video``, ``audio``, ``subtitle``, ``data`` or ``attachment``."""
    codec: str
    """Empty where this installation knows none for it."""
    language: str
    duration_s: float
    """0 where unknown."""
    detail: str
    """What a person wants to read: ``1920x1080``, ``48000 Hz stereo``."""


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """What is known of a clip before its frames are decoded."""

    path: Path
    container: str
    codec: str
    size: tuple[int, int]
    """Upright (height, width)."""
    coded_size: tuple[int, int]
    pixels: PixelFormat
    native_format: str
    """The decoder's own pixel format, from which ``pixels`` is repacked without loss."""
    colour: ColourSpec
    rate: Fraction
    """Average frames a second; never used to make times, only for defaults."""
    time_base: Fraction
    start_s: Fraction
    duration_s: float
    """0 where unknown."""
    frame_count: int
    """As the container states or as estimated from duration and rate; 0 where unknown."""
    bit_rate: int
    sample_aspect: Fraction
    quarter_turns: int
    mirrored: bool
    field_order: FieldOrder
    streams: tuple[StreamInfo, ...]

    @property
    def has_audio(self) -> bool:
        """Whether any audio stream is listed that can be decoded."""
        return any(stream.kind == "audio" and stream.codec for stream in self.streams)


@dataclass(frozen=True, slots=True)
class Sound:
    """Mono sound, float32 in [-1, 1]; sample k is at ``k / rate_hz`` seconds on the clip's own clock."""

    samples: Floats
    rate_hz: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return float(self.samples.shape[0]) / self.rate_hz


@dataclass(frozen=True, slots=True)
class Face:
    """One face of one frame; absent parts are None."""

    box: tuple[float, float, float, float]
    landmarks: Floats
    """(68, 2) float32, iBUG 68, upright frame pixels."""
    mesh: Floats | None
    """(478, 3) float32 MediaPipe mesh, x y in upright frame pixels, z in the same unit, towards the camera negative."""
    presence: float
    """Confidence that this is a face, [0, 1]."""
    track: int = -1
    """Track number inside the clip, -1 before tracking."""
    pose_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """(yaw, pitch, roll) in degrees; 0, 0, 0 looks into the camera, positive yaw to the picture's right, positive
    pitch up, positive roll clockwise in the picture."""
    blendshapes: Floats | None = None
    """(52,) float32 in [0, 1], or None where the finder gives none."""
    sharpness: float = 0.0
    """Variance of the Laplacian of the grey face at a size of 128 px, 8-bit units."""
    outline: Floats | None = None
    """(N, 2) float32 corners of the face's area as drawn by hand, upright frame pixels; None where nobody did."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A frame with the faces seen in it: what travels from stage to stage.

    Attributes
    ----------
    shot : number of the shot of the clip that the frame lies in.
    clip_index : number of the frame of the clip that is shown, where frames are shown in another order too.
    """

    frame: Frame
    faces: tuple[Face, ...]
    shot: int = 0
    clip_index: int = 0


@dataclass(frozen=True, slots=True)
class Patch:
    """Pixels to lay over an upright frame.

    Attributes
    ----------
    box : integer box in the upright frame; parts outside the frame are cut off.
    picture : (H, W, 3) float32 RGB in [0, 1] (gamma-coded, as the frame is).
    mask : (H, W) float32 in [0, 1], 1 = the patch; exactly 0 on the border.
    crop_from_frame : (3, 3), into the crop that the picture was made in; None where there was none.
    track : of the face that it lies on, -1 where it lies on none.
    """

    box: IntBox
    picture: Floats
    mask: Floats
    crop_from_frame: Matrix | None = None
    track: int = -1

    def __post_init__(self) -> None:
        expected = (self.box[3] - self.box[1], self.box[2] - self.box[0])
        if self.picture.shape != (*expected, 3) or self.mask.shape != expected:
            raise ValueError(
                f"patch of box {self.box} needs picture {(*expected, 3)} and mask {expected}, "
                f"got {self.picture.shape} and {self.mask.shape}"
            )


@dataclass(frozen=True, slots=True)
class Edit:
    """What a stage did to one scene."""

    patches: tuple[Patch, ...] = ()
    faces: tuple[Face, ...] | None = None
    """The faces after the edit where their shape changed (the next stage sees these), else None."""
    notes: tuple[str, ...] = ()
    """Short machine-readable marks for the report: ``no-face``, ``held``, ``covered``."""


Stage: TypeAlias = Callable[[Iterator[Scene]], Iterator[tuple[Scene, Edit]]]
"""An engine as the render sees it: scenes in, each scene with its edit out, lazily and in order."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Frames seen by a pass, for reports and exit codes."""

    frames: int = 0
    with_face: int = 0
    damaged: int = 0
    notes: dict[str, int] = field(default_factory=dict)


JsonObject: TypeAlias = dict[str, Any]
