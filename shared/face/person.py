"""Who stands before the background: MediaPipe's selfie segmentation in LiteRT, without the mediapipe package."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.face.litert import Net
from shared.store.weights import weights_path
from shared.types import Floats

CROP_PX: Final = 256


class PersonFinder:
    """Tells the person from the background in upright crops of head and shoulders; one instance serves one thread."""

    def __init__(self) -> None:
        self._net = Net(weights_path("selfie_segmentation").read_bytes(), 1)

    def person(self, crop: NDArray[np.uint8]) -> Floats:
        """The person in a (256, 256, 3) RGB crop, (256, 256) float32 in [0, 1], 1 = person."""
        if crop.shape != (CROP_PX, CROP_PX, 3):
            raise ValueError(f"expected a ({CROP_PX}, {CROP_PX}, 3) crop, got {crop.shape}")
        found = self._net.run(crop[np.newaxis].astype(np.float32) / np.float32(255.0))[0]
        return found.reshape(CROP_PX, CROP_PX)
