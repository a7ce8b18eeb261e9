"""Steadied points keep still where the face is still, and lose neither time nor height where it moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shared.face.landmarks import canonical_face, landmarks_from_mesh, mouth_opening
from shared.face.pose import FacePose, rotation_from_angles
from shared.face.smooth import Seen, SmoothOptions, smooth
from shared.types import Face, Floats
from tests.shared.face.staged import blank

pytestmark = pytest.mark.usefixtures("weights")
NOISE_PX = 0.1
OPTIONS = SmoothOptions()


def clip(openings: Floats, steps_px: Floats | None = None, noise_px: float = NOISE_PX, seed: int = 1) -> list[Seen]:
    """A face of 80 px between the eyes (flat points only) that opens its mouth and moves to the right."""
    rng = np.random.default_rng(seed)
    pose = FacePose(9.0, rotation_from_angles(5.0, 3.0, 2.0), np.array([200.0, 150.0, 0.0]))
    still = pose.to_frame(canonical_face().landmarks)[:, :2]
    seen = []
    for index, opening in enumerate(openings):
        points = still.copy()
        points[65:68, 1] += opening * 80
        points[55:60, 1] += opening * 80
        points[5:12, 1] += opening * 60
        points[:, 0] += 0.0 if steps_px is None else steps_px[index]
        points += rng.normal(scale=noise_px, size=points.shape)
        low, high = points.min(axis=0), points.max(axis=0)
        face = Face((low[0], low[1], high[0], high[1]), points.astype(np.float32), None, 1.0, 0)
        seen.append(Seen(blank(index), [face], 0))
    return seen


def points_of(seen: list[Seen]) -> Floats:
    return np.stack([one.faces[0].landmarks for one in seen])


def jitter(points: Floats) -> float:
    return float((points[2:] - 2 * points[1:-1] + points[:-2]).std())


def steady(seen: list[Seen], options: SmoothOptions = OPTIONS) -> list[Seen]:
    return list(smooth(iter(seen), options))


def test_frames_and_faces_stay_in_order() -> None:
    out = steady(clip(np.zeros(20, np.float32)))
    assert [one.frame.index for one in out] == list(range(20))
    assert [one.faces[0].track for one in out] == [0] * 20


def test_a_still_face_shakes_less_than_half_as_much() -> None:
    seen = clip(np.zeros(60, np.float32))
    assert jitter(points_of(steady(seen))) < 0.5 * jitter(points_of(seen))


def test_without_noise_a_still_face_and_an_even_motion_pass_unchanged() -> None:
    for steps in (np.zeros(20), np.linspace(0, 2, 20)):
        seen = clip(np.zeros(20, np.float32), steps.astype(np.float32), noise_px=0.0)
        np.testing.assert_allclose(points_of(steady(seen)), points_of(seen), atol=2e-3)


def test_the_mouth_opens_as_wide_and_at_the_same_time() -> None:
    speech = (0.1 * np.maximum(0, np.sin(np.arange(120) * 2 * np.pi / 7.3))).astype(np.float32)
    seen = clip(speech, noise_px=0.0)
    before = np.array([mouth_opening(one.faces[0].landmarks) for one in seen])
    after = np.array([mouth_opening(one.faces[0].landmarks) for one in steady(seen)])
    peaks = [i for i in range(3, 117) if before[i] > 0.06 and before[i] == before[i - 2 : i + 3].max()]
    assert len(peaks) >= 12
    assert (after[peaks] / before[peaks]).mean() > 0.97
    lags = [float(np.dot(before[5:-5] - before.mean(), np.roll(after, -k)[5:-5] - after.mean())) for k in (-1, 0, 1)]
    shift = (lags[0] - lags[2]) / 2 / (lags[0] - 2 * lags[1] + lags[2])
    assert abs(shift * 40) < 10, "ms at 25 frames a second"


def test_a_blink_does_not_loosen_the_mouth() -> None:
    seen = clip(np.zeros(60, np.float32))
    for one in seen[20:24]:
        one.faces[0].landmarks[[37, 38, 43, 44], 1] += 6
    calm = points_of(steady(clip(np.zeros(60, np.float32))))
    np.testing.assert_allclose(points_of(steady(seen))[:, 48:], calm[:, 48:], atol=0.15)


def test_nothing_is_mixed_across_a_cut_a_gap_or_a_jump() -> None:
    calm = clip(np.zeros(20, np.float32), noise_px=0.0)
    moved = clip(np.zeros(20, np.float32), np.full(20, 60.0, np.float32), noise_px=0.0)
    cut = [one if one.frame.index < 10 else replace(other, shot=1) for one, other in zip(calm, moved, strict=True)]
    jump = [one if one.frame.index < 10 else other for one, other in zip(calm, moved, strict=True)]
    gap = [replace(one, faces=[]) if one.frame.index == 10 else one for one in jump]
    for seen in (cut, jump, gap):
        for before, after in zip(seen, steady(seen), strict=True):
            for one, other in zip(before.faces, after.faces, strict=True):
                np.testing.assert_allclose(other.landmarks, one.landmarks, atol=2e-3)


def test_two_tracks_are_steadied_each_by_itself() -> None:
    one, other = clip(np.zeros(30, np.float32)), clip(np.zeros(30, np.float32), np.full(30, 300.0, np.float32), seed=2)
    both = [
        replace(
            a,
            faces=[replace(b.faces[0], track=1), a.faces[0]]
            if a.frame.index % 2
            else [a.faces[0], replace(b.faces[0], track=1)],
        )
        for a, b in zip(one, other, strict=True)
    ]
    alone = points_of(steady(one))
    for index, scene in enumerate(steady(both)):
        (found,) = [face for face in scene.faces if face.track == 0]
        np.testing.assert_allclose(found.landmarks, alone[index], atol=1e-4)


def test_one_frame_alone_is_left_as_it_is() -> None:
    seen = clip(np.zeros(1, np.float32))
    np.testing.assert_array_equal(points_of(steady(seen)), points_of(seen))


def test_a_mesh_is_steadied_with_its_points_box_and_pose() -> None:
    rng = np.random.default_rng(4)
    pose = FacePose(9.0, rotation_from_angles(12.0, 3.0, 2.0), np.array([200.0, 150.0, 0.0]))
    canonical = canonical_face().vertices
    whole = np.concatenate([canonical, np.repeat(canonical[[33, 263]], 5, axis=0)])
    seen = []
    for index in range(15):
        mesh = (pose.to_frame(whole) + rng.normal(scale=NOISE_PX, size=whole.shape)).astype(np.float32)
        seen.append(Seen(blank(index), [Face((0, 0, 1, 1), landmarks_from_mesh(mesh), mesh, 1.0, 0)], 0))
    out = steady(seen)
    face = out[7].faces[0]
    assert face.mesh is not None
    assert float(np.abs(face.mesh - pose.to_frame(whole)).std()) < 0.6 * NOISE_PX
    assert face.pose_deg == pytest.approx((12.0, 3.0, 2.0), abs=0.3)
    np.testing.assert_allclose(face.box[:2], face.mesh[:, :2].min(axis=0), atol=1e-3)
