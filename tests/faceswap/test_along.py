"""Made faces along a track: what one frame takes from those before it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceswap import along
from faceswap.along import Layer
from faceswap.lay import Setting, lay
from faceswap.options import SwapOptions
from faceswap.view import Made, Shown, look_at
from shared.face.landmarks import INNER_GAP_68, INNER_LIP_68
from shared.types import Patch, Scene
from tests.faceswap.drawn import draw_face, face_of, face_points, frame_of

OPTIONS = SwapOptions(Path("unused"), steer_shape=0.0)
UPPER, LOWER = np.array(INNER_GAP_68).T


def shown(index: int, opening: float, further: float) -> Shown:
    """A mouth open by a share of the face's width; the made face's stands further open by another."""
    points = face_points((150, 130), 90, opening=opening)
    frame = replace(frame_of(draw_face((260, 320), points, (210, 160, 130))), index=index, pts=index)
    own = points.copy()
    own[LOWER, 1] += further * 90
    view = look_at(frame, face_of(points), 96)
    return Shown(Scene(frame, (view.face,)), (Made(view, view.picture, found=face_of(own)),))


def test_what_is_kept_of_a_made_mouth_s_opening_goes_as_the_clip_s_mouth_shuts(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Setting] = []

    def noted(made: Made, *others: object) -> Patch:
        given.append(others[-1])  # type: ignore[arg-type]
        return lay(made, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(along, "lay", noted)
    layer = Layer(OPTIONS)
    # It begins wider open than it usually is: what is usual is told by all of the first frames.
    for few in ([shown(0, 0.3, 0.05), *(shown(k, 0.15, 0.05) for k in range(1, 8))], [shown(8, 0.0, 0.05)]):
        list(layer.laid(few))
    kept = []
    for setting in given:
        assert setting.lips is not None
        first = INNER_LIP_68.start
        kept.append(float((setting.lips[LOWER - first, 1] - setting.lips[UPPER - first, 1]).mean()))
    assert kept[1] > 0.02
    assert min(kept[1:8]) > 0.8 * kept[0]
    assert abs(kept[8]) < 0.1 * kept[0]
