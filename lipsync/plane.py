"""The plane on which lower faces are kept: a window of the canonical face, from the nose to below the chin.

A weak-perspective pose maps a plane of the canonical face to the frame by one affine matrix
(`FacePose.frame_from_plane`), so a lower face that was cut from one frame can be laid into another at that one's pose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.face.pose import FacePose
from shared.picture.warp import invert, transform
from shared.types import Floats, Matrix

HALF_WIDTH_CM: Final = 8.4
"""The canonical face is 7.7 cm wide on either side."""
TOP_CM: Final = -0.4
"""The nose tip's height; its base lies at -2.1."""
BOTTOM_CM: Final = -13.2
"""The canonical chin lies at -9.4, a wide open one at about -11.5."""
DEPTH_CM: Final = 4.7
"""Depth of the plane: between the canonical lips (5.1 on average) and the chin (4.3)."""
FINEST: Final = 24.0
"""Most pixels a centimetre that are kept (a mouth of 120 px)."""
COARSEST: Final = 3.0


@dataclass(frozen=True, slots=True)
class TexturePlane:
    """Window and resolution of lower-face textures.

    Attributes
    ----------
    px_per_cm : pixels of the texture a canonical centimetre.
    """

    px_per_cm: float

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of a texture in pixels."""
        return round((TOP_CM - BOTTOM_CM) * self.px_per_cm), round(2 * HALF_WIDTH_CM * self.px_per_cm)

    @property
    def texture_from_plane(self) -> Matrix:
        """Canonical (x, y), y up, to texture pixels, y down."""
        s = self.px_per_cm
        return np.array([[s, 0.0, s * HALF_WIDTH_CM - 0.5], [0.0, -s, s * TOP_CM - 0.5], [0.0, 0.0, 1.0]])

    def texture_from_frame(self, pose: FacePose) -> Matrix:
        """Frame pixels to texture pixels for a head at `pose`."""
        matrix: Matrix = self.texture_from_plane @ invert(pose.frame_from_plane(DEPTH_CM))
        return matrix

    def to_texture(self, points: Floats) -> Floats:
        """Canonical (..., 2) centimetres to texture pixels."""
        return transform(self.texture_from_plane, points)


def plane_for(scales: Floats) -> TexturePlane:
    """Choose the resolution of the footage itself: the median of its heads' scales, in pixels a centimetre."""
    return TexturePlane(float(np.clip(np.median(scales), COARSEST, FINEST)))
