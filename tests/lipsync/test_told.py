"""Predictions and footage are compared on the clock of each clip's sound, whatever that is beside its pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from lipsync import told
from lipsync.bearing import TOLD
from lipsync.closure import lips_from
from lipsync.crops import Example
from lipsync.features import row_times_s
from lipsync.index import ClipMouths
from lipsync.learn import Fit
from lipsync.mouth import FreeFace, fit_basis
from lipsync.voice import Voice, lips_of
from shared.clock import resample_track
from shared.face.pose import FacePose
from shared.types import Floats


def test_heads_are_asked_for_what_a_network_leaves_over_at_the_time_of_each_picture(
    voice: Voice,
    points_of: Callable[[float], Floats],
    posed: Callable[..., FacePose],
    free_from: Callable[..., FreeFace],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Floats] = []
    monkeypatch.setattr(told, "fit_bearing", lambda uppers, left, _: seen.extend([*uppers, *left]))
    late_s, times_s = 0.08, np.arange(50) / 25.0
    openings = 1.0 + 0.8 * np.sin(6.0 * times_s)
    points = np.array([points_of(float(one)) for one in openings])
    basis = fit_basis(lips_of(points))
    faces = tuple(free_from(one, posed()) for one in points)
    clip = ClipMouths(
        Path("a.mp4"), np.arange(50), times_s, faces, np.ones(50, bool), np.ones(50, np.float32), None, ()
    )
    # The network says of each sound just the mouth that was 80 ms before it.
    rows_s = row_times_s(210)
    made = resample_track(basis.encode(lips_of(points)), times_s + late_s, rows_s)
    example = Example(np.zeros((210, 40), np.float32), made, np.ones(210, dtype=bool))
    late = told.Told(clip, example, late_s, np.zeros(210, dtype=bool), made)
    told.bearing_of([late], basis, lips_from(basis, voice.rest))
    upper, left = seen
    assert upper.shape == (50, TOLD)
    spread = float(np.abs(basis.encode(lips_of(points))).max())
    assert float(np.abs(left[5:45]).max()) < 0.03 * spread
    early = told.Told(clip, example, -late_s, np.zeros(210, dtype=bool), made)
    told.bearing_of([early], basis, lips_from(basis, voice.rest))
    assert float(np.abs(seen[-1][5:45]).max()) > 0.3 * spread


def test_clips_without_sound_tell_nothing(voice: Voice) -> None:
    net = SimpleNamespace(shapes_of=lambda features: features)
    fit = SimpleNamespace(net=net, late_s=(), held=())
    silent = cast(ClipMouths, SimpleNamespace(features=None))
    assert told.told_of(cast(Fit, fit), [silent], []) == []
    assert voice.bearing is None
