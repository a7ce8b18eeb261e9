"""Mouths beside mouths: units, units of the bootstrap, and each column of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from lipsync.alignment import Marks
from lipsync.figures import FIGURES, Figure, sums_of
from lipsync.gauge import Gauge, HeldClip, Judged, blocks_of, held_clip
from lipsync.index import ClipMouths
from lipsync.mouth import FACE_WIDTH_CM, FreeFace
from lipsync.voice import lips_of
from shared.face.pose import FacePose
from shared.metrics.mouth import aperture, articulation, centred_lmd, closure_rate, lmd, silence_leak
from shared.types import Floats, Sound

pytestmark = pytest.mark.usefixtures("weights")
FRAMES = 75


def lips_at(points_of: Callable[[float], Floats], openings: Floats) -> Floats:
    return lips_of(np.array([points_of(float(opening)) for opening in openings]))


def clip_at(points_of: Callable[[float], Floats], openings: Floats, name: str = "a") -> HeldClip:
    times = np.arange(len(openings)) / 25.0
    speech = (times > 0.5) & (times < 2.4)
    return HeldClip(
        path=Path(f"{name}.mp4"),
        sound=Sound(np.zeros(int(len(openings) / 25 * 16000), dtype=np.float32), 16000),
        indices=np.arange(len(openings)),
        times_s=times,
        lips=lips_at(points_of, openings),
        speech=speech,
        pause=(times < 0.3) | (times > 2.6),
        marks=Marks(closures_s=(0.6, 1.0, 1.4, 1.8, 2.2), open_s=(0.8, 1.2)),
        unheard=(times > 1.0) & (times < 1.3),
    )


def openings(seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    waves = 0.35 + 0.3 * np.sin(np.arange(FRAMES) * rng.uniform(0.5, 0.8) + seed)
    return np.asarray(np.maximum(waves + rng.normal(0, 0.1, FRAMES), 0.0), dtype=np.float32)


def test_a_clip_whose_sound_comes_late_is_put_on_its_clock() -> None:
    faces = SimpleNamespace(lips=np.zeros((FRAMES, 36), dtype=np.float32))
    clip = SimpleNamespace(
        path=Path("a.mp4"), indices=np.arange(FRAMES), times_s=np.arange(FRAMES) / 25.0, lips=faces.lips,
        points=np.zeros((FRAMES, 68, 2), dtype=np.float32), voiced=((1.0, 2.0),),
    )  # fmt: skip
    made = held_clip(cast(ClipMouths, clip), Sound(np.zeros(48_000, dtype=np.float32), 16_000), Marks(), late_s=0.06)
    assert made.late_s == 0.06
    assert made.times_s[0] == pytest.approx(0.06)
    assert made.times_s[made.speech].min() == pytest.approx(1.02)  # the frame that was shown at 0.96 s


@pytest.fixture
def gauge(points_of: Callable[[float], Floats]) -> Gauge:
    return Gauge(points_of(0.3))


@pytest.fixture
def judged(points_of: Callable[[float], Floats], gauge: Gauge) -> list[Judged]:
    """Twelve clips whose predictions are the real mouths, flattened and noisy."""
    found = []
    for seed in range(12):
        real = openings(seed)
        noisy = 0.1 + 0.7 * real + np.random.default_rng(seed + 99).normal(0, 0.05, FRAMES)
        made = lips_at(points_of, np.maximum(noisy, 0.0).astype(np.float32))
        found.append(Judged(gauge, clip_at(points_of, real, f"clip{seed}"), made))
    return found


def figure(key: str) -> Figure:
    return next(one for one in FIGURES if one.key == key)


def value(key: str, judged: list[Judged]) -> float:
    one = figure(key)
    return float(one.figure(sums_of(one, judged).sum(axis=0)))


def test_the_face_is_512_px_high_and_gaps_are_shares_of_its_width(
    points_of: Callable[[float], Floats], gauge: Gauge
) -> None:
    lips = lips_at(points_of, np.array([0.0, 1.0], dtype=np.float32))
    moved = gauge.points_px(lips)[1] - gauge.points_px(lips)[0]
    assert 25.0 < np.linalg.norm(moved, axis=1).max() < 32.0  # 1 cm of a face that is about 18 cm high
    gaps = gauge.gaps(lips)
    assert gaps[0] == pytest.approx(0.0, abs=1e-6)
    assert gaps[1] == pytest.approx(1.0 / FACE_WIDTH_CM, rel=0.03)
    lips[0] = np.nan
    assert np.isnan(gauge.gaps(lips)[0])
    assert gauge.gaps(lips[:0]).shape == (0,)


def test_lips_that_cross_are_closed_not_open(points_of: Callable[[float], Floats], gauge: Gauge) -> None:
    assert gauge.gaps(lips_at(points_of, np.array([-0.2], dtype=np.float32)))[0] == 0.0


def test_columns_are_the_metrics_of_all_frames_together(judged: list[Judged], gauge: Gauge) -> None:
    made, real = (np.concatenate([getattr(one, name) for one in judged]) for name in ("gap", "real_gap"))
    speech, pause = (np.concatenate([getattr(one.clip, name) for one in judged]) for name in ("speech", "pause"))
    assert value("aperture_r", judged) == pytest.approx(aperture(made, real).correlation, abs=1e-6)
    assert value("aperture_speech_r", judged) == pytest.approx(aperture(made, real, speech).correlation, abs=1e-6)
    new = np.concatenate([one.clip.unheard for one in judged])
    assert value("aperture_unheard_r", judged) == pytest.approx(aperture(made, real, new).correlation, abs=1e-6)
    assert value("aperture_std_ratio", judged) == pytest.approx(aperture(made, real).std_ratio, abs=1e-6)
    assert value("articulation_ratio", judged) == pytest.approx(articulation(made, real, speech), abs=1e-6)
    assert value("leak_pauses_share", judged) == pytest.approx(silence_leak(made, real, pause), abs=1e-6)
    points = [np.concatenate([gauge.points_px(lips) for lips in side]) for side in _sides(judged)]
    assert value("m_lmd_px", judged) == pytest.approx(lmd(points[0], points[1]), rel=1e-5)
    assert value("m_lmd_centred_px", judged) == pytest.approx(centred_lmd(points[0], points[1]), rel=1e-4)
    rates = [closure_rate(one.gap, one.clip.times_s, one.clip.marks.closures_s) for one in judged]
    assert value("closure_share", judged) == pytest.approx(np.mean([rate.share for rate in rates]), abs=1e-6)


def _sides(judged: list[Judged]) -> tuple[list[Floats], list[Floats]]:
    return [one._lips for one in judged], [one.clip.lips for one in judged]


def test_the_real_mouth_is_perfect(judged: list[Judged], gauge: Gauge) -> None:
    real = [Judged(gauge, one.clip, one.clip.lips) for one in judged]
    perfect = {"m_lmd_px": 0.0, "aperture_r": 1.0, "aperture_std_ratio": 1.0, "leak_pauses_share": 0.0}
    for key, wanted in perfect.items():
        assert value(key, real) == pytest.approx(wanted, abs=1e-6)
    assert value("articulation_ratio", real) == pytest.approx(1.0)
    assert value("open_closed_contrast_share", real) == pytest.approx(
        np.mean([one.at_open_vowels()[1].mean() for one in real])
        - np.mean([one.at_closures()[1].mean() for one in real]),
        abs=1e-6,
    )


def test_frames_that_a_row_lacks_are_left_out(judged: list[Judged], gauge: Gauge) -> None:
    clip, lips = judged[0].clip, judged[0]._lips.copy()
    lips[10:20] = np.nan
    part = Judged(gauge, clip, lips)
    kept = np.r_[0:10, 20:FRAMES]
    assert figure("m_lmd_px").sums(part, np.ones(FRAMES, dtype=bool)) == pytest.approx(
        [judged[0].apart_px[kept].sum(), 65], rel=1e-5
    )
    nothing = Judged(gauge, clip, np.full_like(lips, np.nan))
    assert all(np.isnan(value(one.key, [nothing])) for one in FIGURES)


def test_clips_are_the_unit_and_of_few_clips_stretches_of_three_seconds(judged: list[Judged]) -> None:
    assert sums_of(figure("m_lmd_px"), judged).shape == (12, 2)
    long = [replace(one.clip, times_s=one.clip.times_s + 10.0) for one in judged]
    assert {int(block.max()) for block in blocks_of(long)} == {0}
    few = [replace(long[0], times_s=10.0 + np.arange(FRAMES) / 5.0)]
    assert np.bincount(blocks_of(few)[0]).tolist() == [15, 15, 15, 15, 15]
    pieces = [Judged(judged[0]._gauge, few[0], judged[0]._lips)]
    for one in FIGURES:  # the pieces add up to the clip
        whole = one.sums(pieces[0], np.ones(FRAMES, dtype=bool))
        np.testing.assert_allclose(sums_of(one, pieces).sum(axis=0), whole, atol=1e-9)


def test_caller_mistakes_are_told(judged: list[Judged], gauge: Gauge) -> None:
    with pytest.raises(ValueError, match="expected lips"):
        Judged(gauge, judged[0].clip, judged[0]._lips[:-1])
    with pytest.raises(ValueError, match="68, 2"):
        Gauge(np.zeros((3, 2), dtype=np.float32))


def test_of_a_clip_s_end_only_its_frames_and_closures_count(
    points_of: Callable[[float], Floats],
    free_from: Callable[..., FreeFace],
    posed: Callable[..., FacePose],
) -> None:
    clip = ClipMouths(
        path=Path("a.mp4"),
        indices=np.arange(5, 55),
        times_s=np.arange(50) / 25.0,
        faces=(free_from(points_of(0.2), posed()),) * 50,
        inside=np.ones(50, dtype=bool),
        sharpness=np.ones(50, dtype=np.float32),
        features=None,
        voiced=((0.4, 1.5),),
    )
    sound = Sound(np.zeros(32000, dtype=np.float32), 16000)
    held = held_clip(clip, sound, Marks((0.5, 1.2), (1.4,), ((0.4, 1.1, "bin"), (1.1, 1.3, "blue"))), 1.0, ["blue"])
    assert held.indices.tolist() == list(range(30, 55))
    assert held.lips.shape == (25, 36)
    assert (held.marks.closures_s, held.marks.open_s) == ((1.2,), (1.4,))
    assert held.times_s[held.unheard].tolist() == pytest.approx([1.12, 1.16, 1.2, 1.24, 1.28])
    assert held.sound is sound
    assert held.times_s[held.speech].max() == pytest.approx(1.48)
    assert held.times_s[held.pause].min() == pytest.approx(1.64)  # 0.12 s after speech is last heard
    assert len(held_clip(clip, sound, Marks()).times_s) == 50
