from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shared.face.landmarks import LIPS, canonical_face
from shared.face.mesh import MeshFinder
from shared.face.pose import fit_pose
from shared.media.reader import open_clip
from shared.media.sound import load_sound
from shared.metrics.lag import SpeakingClip, fit_lag, measure_lag
from shared.types import Face, Floats, Sound

RATE = 16_000
Mouths = tuple[list[Floats], list[float]]


def mouths(path: Path, start_s: float, end_s: float) -> Mouths:
    """Lip points in the head's own frame, and their times from `start_s` on."""
    finder, canonical = MeshFinder(), canonical_face()
    known: tuple[Face, ...] = ()
    shapes: list[Floats] = []
    times: list[float] = []
    with open_clip(path) as reader:
        for frame in reader.frames():
            if frame.time_s >= end_s:
                break
            if frame.time_s < start_s:
                continue
            followed = finder.follow(frame, known[:1])
            known = tuple(face for face in followed if face) or finder.find(frame)
            mesh = known[0].mesh if known else None
            if mesh is not None:
                lips = fit_pose(mesh, canonical.vertices).to_face(mesh)[list(LIPS), :2]
                shapes.append(lips.reshape(-1).astype(np.float32))
                times.append(float(frame.time_s) - start_s)
    return shapes, times


def speaking(seen: Mouths, sound: Sound, start_s: float, basis: Floats) -> SpeakingClip:
    samples = sound.samples[int(start_s * RATE) : int((start_s + 20) * RATE)]
    return SpeakingClip(Sound(samples, RATE), np.stack(seen[0]) @ basis, np.array(seen[1]))


@pytest.mark.footage
@pytest.mark.weights
@pytest.mark.usefixtures("weights")
def test_a_mouth_that_leads_its_sound_is_found_and_a_strange_sound_is_not_believed(footage: Path) -> None:
    folder = footage / "train" / "obama_pd"
    in_sync, leading = folder / "oval2010_256_resynced.mp4", folder / "oval2010_450_orig.mp4"
    known, judged = mouths(in_sync, 20.0, 40.0), mouths(leading, 0.0, 12.0)
    shapes = np.stack(known[0])
    basis = np.linalg.svd(shapes - shapes.mean(axis=0), full_matrices=False)[2][:6].T.astype(np.float32)
    own = load_sound(in_sync, RATE)
    model = fit_lag([speaking(known, own, 20.0, basis)])
    found = measure_lag(model, [speaking(judged, load_sound(leading, RATE), 0.0, basis)])
    assert found.low_s > 0.20
    assert found.high_s < 0.30
    assert np.isnan(found.lag_s)  # less than 20 s of speech: an interval only
    assert np.isnan(measure_lag(model, [speaking(judged, own, 25.0, basis)]).low_s)
