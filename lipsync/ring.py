"""The lip vertices between iBUG's points: with these a mouth has the mesh's two rings of 20.

A face that was found by its 68 points has no such vertices. There each lies where the canonical face has it: at its
share of the way between its two neighbours among the 68, off the line between them by as much.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shared.types import Floats

_TABLE: Final = (  # vertex, iBUG point before it on its ring, after it, share of the way, centimetres off the line
    *((146, 48, 59, 0.265, -0.04, -0.05), (91, 48, 59, 0.575, -0.03, -0.05)),
    *((321, 55, 54, 0.425, 0.03, -0.05), (375, 55, 54, 0.735, 0.04, -0.05)),
    *((409, 54, 53, 0.250, 0.09, 0.08), (270, 54, 53, 0.579, 0.05, 0.05)),
    *((40, 49, 48, 0.421, -0.05, 0.05), (185, 49, 48, 0.750, -0.09, 0.08)),
    *((95, 60, 67, 0.218, -0.02, -0.07), (88, 60, 67, 0.400, -0.01, -0.05), (178, 60, 67, 0.675, -0.01, -0.02)),
    *((402, 65, 64, 0.325, 0.01, -0.02), (318, 65, 64, 0.600, 0.01, -0.05), (324, 65, 64, 0.782, 0.02, -0.07)),
    *((415, 64, 63, 0.212, 0.04, 0.12), (310, 64, 63, 0.440, 0.03, 0.12), (311, 64, 63, 0.707, 0.02, 0.09)),
    *((81, 61, 60, 0.293, -0.02, 0.09), (80, 61, 60, 0.560, -0.03, 0.12), (191, 61, 60, 0.788, -0.04, 0.12)),
)
BETWEEN: Final = tuple(entry[0] for entry in _TABLE)
"""20 mesh vertices: those of `shared.face.landmarks.LIPS` that are no iBUG point."""
_BEFORE: Final = [entry[1] for entry in _TABLE]
_AFTER: Final = [entry[2] for entry in _TABLE]
_SHARE: Final = np.array([[entry[3]] for entry in _TABLE], dtype=np.float32)
_OFF: Final = np.array([entry[4:] for entry in _TABLE], dtype=np.float32)


def between(points: Floats) -> Floats:
    """Where they lie by the 68 points alone: (..., 68, 2) to (..., 20, 2) canonical centimetres."""
    line = points[..., _BEFORE, :] * (1 - _SHARE) + points[..., _AFTER, :] * _SHARE
    return np.asarray(line + _OFF, dtype=np.float32)
