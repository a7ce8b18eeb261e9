"""The free portraits that the demo's actors are blended from: fetched, decoded, and their faces measured."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import NoFaceError
from shared.face.detect import FaceFinder
from shared.face.landmarks import CANONICAL_POINTS, OVAL
from shared.picture.blend import alpha_blend
from shared.picture.image import Rgb, read_image
from shared.picture.warp import gaussian, to_float, to_uint8, warp_picture
from shared.progress import Progress, silent
from shared.store.weights import weights_path
from shared.types import ColourSpec, Face, Frame, PixelFormat

PORTRAITS: Final = ("astronaut", "ffhq_00002", "ffhq_00004", "official")
"""Names in the table of `shared.store.weights`, without ``portrait_``."""

RGB_PIXELS: Final = PixelFormat(name="gbrp", depth=8, chroma_shift=(0, 0), kind="rgb")
RGB_COLOUR: Final = ColourSpec(
    matrix="rgb", full_range=True, matrix_code=0, primaries_code=1, transfer_code=13, range_code=2
)


@dataclass(frozen=True, slots=True)
class Portrait:
    """A picture of one face and its mesh.

    Attributes
    ----------
    name : of the picture, for notes.
    picture : (H, W, 3) uint8 RGB.
    mesh : (468, 3) float32, x y in pixels of `picture`, z in the same unit, away from the camera positive.
    """

    name: str
    picture: Rgb
    mesh: NDArray[np.float32]

    @property
    def face_width_px(self) -> float:
        """Width of the face's oval."""
        return float(np.ptp(self.mesh[list(OVAL), 0]))


def load_portraits(finder: FaceFinder, progress: Progress = silent) -> dict[str, Portrait]:
    """All portraits, fetched on first use.

    Raises
    ------
    WeightsError : one cannot be fetched.
    NoFaceError : no face is found in one (a damaged finder).
    """
    loaded = {}
    for name in PORTRAITS:
        picture = read_image(weights_path(f"portrait_{name}", progress))
        loaded[name] = portrait_of(name, picture, finder)
    return loaded


def portrait_of(name: str, picture: Rgb, finder: FaceFinder) -> Portrait:
    """The largest face of a picture as a portrait.

    Raises
    ------
    NoFaceError : there is none, or the finder gives no mesh.
    """
    mesh = largest_face(name, picture, finder).mesh
    if mesh is None:
        raise NoFaceError(f"{name}: the face finder gives no mesh; use the default finder")
    return Portrait(name, picture, np.ascontiguousarray(mesh[:CANONICAL_POINTS]))


def largest_face(name: str, picture: Rgb, finder: FaceFinder) -> Face:
    """The largest face of a picture.

    Raises
    ------
    NoFaceError : there is none.
    """
    faces = finder.find(frame_of(picture))
    if not faces:
        raise NoFaceError(f"{name}: no face found in this picture; take another one")
    return faces[0]


def frame_of(picture: Rgb, index: int = 0, rate: Fraction = Fraction(25)) -> Frame:
    """A picture as a frame with planes G, B, R at frame number `index` of a constant rate."""
    planes = tuple(np.ascontiguousarray(picture[..., channel]) for channel in (1, 2, 0))
    return Frame(planes, RGB_PIXELS, RGB_COLOUR, index=index, pts=index, time_base=1 / rate)


def scaled(portrait: Portrait, scale: float, centre: tuple[float, float], size: tuple[int, int]) -> Portrait:
    """A portrait on a canvas of its own: scaled, with the middle of its oval at `centre`.

    Outside the picture its edge is repeated, blurred so that no streaks are seen.

    Parameters
    ----------
    scale : canvas pixels a picture pixel.
    centre : (x, y) in canvas pixels.
    size : (height, width) of the canvas.
    """
    oval = portrait.mesh[list(OVAL), :2]
    middle = (oval.min(axis=0) + oval.max(axis=0)) / 2
    canvas_from_picture = np.array(
        [[scale, 0, centre[0] - scale * middle[0]], [0, scale, centre[1] - scale * middle[1]], [0, 0, 1.0]]
    )
    mesh = portrait.mesh * np.float32(scale)
    mesh[:, :2] += canvas_from_picture[:2, 2].astype(np.float32)
    picture = to_float(warp_picture(portrait.picture, canvas_from_picture, size))
    covered = np.ones(portrait.picture.shape[:2], dtype=np.float32)
    sharp = gaussian(warp_picture(covered, canvas_from_picture, size, "zero"), 2.0)
    sharp = np.clip(2.0 * sharp - 1.0, 0.0, 1.0).astype(np.float32)
    soft = gaussian(picture, 0.02 * size[1])
    return Portrait(portrait.name, to_uint8(alpha_blend(picture, soft, sharp)), mesh)
