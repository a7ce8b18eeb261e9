"""Guides tell what a face does, and not whose face it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from faceswap.augment import augment
from faceswap.bend import mirrored, seen_through, unit_points
from faceswap.faceset import load_faceset
from faceswap.guides import GAZE, POSE, Guides, column_of, fit_guides, guides_from, mirrored_poses, moving
from faceswap.model import SwapModel
from faceswap.objective import share
from faceswap.options import AugmentOptions, options_for
from faceswap.trainer import Trainer
from models.autoencoder import Code, build
from models.checkpoint import Checkpoint
from models.nets import GUIDES, config_of
from models.tensors import Precision
from shared.errors import WeightsError
from shared.face.landmarks import CORNERS_68, LANDMARKS
from tests.faceswap.drawn import face_points

EXACT = Precision(torch.device("cpu"), False)
GAP = column_of("mouth gap")
DEPTH = 0.4 - 0.4 * torch.from_numpy(face_points((0.0, 0.0), 1.0))[:, :1].abs()
"""Of the points of a drawn face, which a turn moves."""


def person(seed: int, wide: float, count: int = 300) -> tuple[Tensor, Tensor, Tensor]:
    """Landmarks in crop coordinates, poses, and how far the mouth is open, of one drawn person."""
    random = torch.Generator().manual_seed(seed)
    opening = torch.rand(count, generator=random) * 0.3
    poses = torch.randn(count, 2, generator=random) * torch.tensor([8.0, 5.0])
    drawn = torch.stack([torch.from_numpy(face_points((0.0, 0.0), 1.0, float(one))) for one in opening])
    drawn[..., 0] *= wide
    turned = (drawn + DEPTH * torch.deg2rad(poses)[:, None]).float()
    return looking(torch.cat([turned, irises(turned)], dim=1), seed), poses, opening


def looking(points: Tensor, seed: int) -> Tensor:
    """The points with irises that wander."""
    random = torch.Generator().manual_seed(seed)
    moved = points.clone()
    moved[:, LANDMARKS:] += 0.02 * torch.randn(len(points), 1, 2, generator=random)
    return moved


def irises(landmarks: Tensor) -> Tensor:
    """Irises halfway between the corners of the eyes, (N, 2, 2)."""
    return torch.stack([landmarks[:, [36, 39]].mean(dim=1), landmarks[:, [42, 45]].mean(dim=1)], dim=1)


@pytest.fixture
def guides() -> Guides:
    return fit_guides([person(0, 1.0)[:2], person(1, 1.3)[:2]])


def test_the_same_expression_of_two_people_has_the_same_guides(guides: Guides) -> None:
    read = []
    for number, wide in enumerate((1.0, 1.3)):
        landmarks, poses, opening = person(5, wide)
        order = opening.argsort()
        read.append(guides.of(number, landmarks, poses)[order])
    assert read[0].shape == (300, GUIDES)
    assert float((read[0] - read[1]).abs().mean()) < 0.12 * float(read[0].std(dim=0).mean())
    gap = read[0][:, GAP]
    assert float(gap[-30:].mean() - gap[:30].mean()) > 2.5


def test_turning_the_head_changes_the_pose_and_not_the_expression(guides: Guides) -> None:
    landmarks, poses, _ = person(5, 1.0)
    same = landmarks[:1, :68] + DEPTH * torch.deg2rad(poses - poses[:1])[:, None]
    read = guides.of(0, torch.cat([same, irises(same)], dim=1), poses)
    assert torch.allclose(read[:, :2], poses / 15.0)
    assert float(read[:, 2:].std(dim=0).max()) < 0.1


def test_a_gaze_across_is_the_same_for_one_who_always_looks_aside() -> None:
    people = []
    for seed, aside in ((0, 0.0), (1, 0.05)):
        points, poses, _ = person(seed, 1.0)
        random = torch.Generator().manual_seed(seed)
        points[:, 68:, 0] += aside - 0.002 * poses[:, :1] + 0.01 * torch.randn(len(points), 1, generator=random)
        people.append((points, poses + torch.tensor([4.0 * seed, 0.0])))
    made = fit_guides(people)
    assert made.gaze
    points, poses, _ = person(5, 1.0, 50)
    for shift in (0.0, 0.03):
        points[:, 68:, 0] = points[:, [36, 42], 0] / 2 + points[:, [39, 45], 0] / 2 + shift
        told = [made.of(number, points, poses)[:, GAZE.start] for number in (0, 1)]
        assert torch.allclose(told[0], told[1], atol=1e-3)
        assert torch.allclose(told[0], told[0][:1].expand(50), atol=1e-3)
        assert (float(told[0][0]) > 0.5) == (shift > 0)


@pytest.mark.parametrize("which", [0, 1])
def test_no_gaze_is_told_where_one_person_s_irises_are_unknown(which: int) -> None:
    people = [person(seed, 1.0)[:2] for seed in (0, 1)]
    points, poses = people[which]
    people[which] = torch.cat([points[:, :LANDMARKS], irises(points[:, :LANDMARKS])], dim=1), poses
    made = fit_guides(people)
    assert not made.gaze
    glance, poses, _ = person(5, 1.0, 50)
    assert torch.equal(made.of(0, glance, poses)[:, GAZE], torch.zeros(50, 2))
    again = fit_guides(people, fit_guides([person(0, 1.0)[:2], person(1, 1.0)[:2]]).basis)
    assert not again.gaze


def test_in_a_mirror_the_gaze_goes_the_other_way_and_each_iris_stays_in_its_eye(guides: Guides) -> None:
    points, poses, _ = person(5, 1.0, 50)
    turned, back = guides.of(0, points, poses), guides.of(0, mirrored(points), mirrored_poses(poses))
    assert torch.allclose(turned[:, GAZE.start], -back[:, GAZE.start], atol=1e-3)
    assert torch.allclose(turned[:, GAZE.start + 1], back[:, GAZE.start + 1], atol=0.1)
    seen = mirrored(points)
    for iris, corners in zip((LANDMARKS, LANDMARKS + 1), CORNERS_68, strict=True):
        assert float((seen[:, iris] - seen[:, list(corners)].mean(dim=1)).abs().max()) < 0.1


def test_the_lids_and_the_mouth_are_told_apart(guides: Guides) -> None:
    points, poses, _ = person(5, 1.0, 50)
    before = guides.of(0, points, poses)
    points[:, [37, 38, 43, 44], 1] -= 0.02
    after = guides.of(0, points, poses)
    lids = column_of("lids")
    assert float((after - before)[:, lids].min()) > 1.0
    assert torch.allclose(after[:, GAP], before[:, GAP], atol=0.05)


def test_models_of_before_the_gaze_was_told_are_read_as_they_were() -> None:
    points, poses, _ = person(5, 1.0, 20)
    old = Guides(torch.zeros(2, 6, 136), torch.randn(136, 12))
    assert not old.gaze
    assert torch.equal(old.of(0, points, poses), old.of(0, points[:, :68], poses))
    assert old.of(0, points, poses).shape == (20, 14)


def test_a_mirrored_target_has_the_guides_of_the_mirrored_face() -> None:
    landmarks, poses, _ = person(2, 1.1, 4)
    landmarks = landmarks * 0.3
    flipped = torch.diag(torch.tensor([-1.0, 1.0])).expand(4, 2, 2)
    seen, mirror = seen_through(landmarks, flipped, torch.zeros(4, 2))
    assert mirror.all()
    assert torch.allclose(seen, mirrored(landmarks))
    assert torch.equal(mirrored_poses(poses)[:, 0], -poses[:, 0])
    turned = torch.tensor([[0.0, -2.0], [2.0, 0.0]]).expand(4, 2, 2)
    shift = torch.tensor([0.1, -0.2])
    seen, mirror = seen_through(landmarks @ turned[0].T + shift, turned, shift.expand(4, 2))
    assert not mirror.any()
    assert torch.allclose(seen, landmarks, atol=1e-6)


def test_the_batch_says_where_its_targets_have_the_landmarks(two_sets: tuple[Path, Path]) -> None:
    loaded = load_faceset(two_sets[0], 154)
    side = loaded.crops.shape[-1]
    points = unit_points(loaded.training_points, side)[:8]
    options = AugmentOptions(warp_px=0.0, flip=1.0, colour=0.0, rotation_deg=0.0, zoom=0.0, shift=0.0)
    random = torch.Generator().manual_seed(0)
    batch = augment(loaded.training[:8], loaded.training_points[:8], None, (64, 96), options, random)
    assert batch.mirrored.all()
    assert torch.allclose(batch.points, mirrored(points), atol=1e-5)


def test_decoders_obey_what_they_are_told() -> None:
    torch.manual_seed(0)
    net = build(config_of("quick"))
    code = net.encode(torch.rand(2, 3, 64, 64))
    assert code.guides is not None
    assert code.guides.shape == (2, GUIDES)
    told = replace(code, guides=code.guides + 3.0)
    assert not torch.equal(net.decode(code, 0).picture, net.decode(told, 0).picture)


def test_what_is_read_wrongly_costs_its_squared_error(two_sets: tuple[Path, Path]) -> None:
    sets = load_faceset(two_sets[0], 154), load_faceset(two_sets[1], 154)
    options = options_for("quick96")
    torch.manual_seed(0)
    net = build(config_of("quick96"))
    random = torch.Generator().manual_seed(0)
    landmarks = sets[0].training_landmarks(sets[0].crops.shape[-1])[:4]
    batch = augment(sets[0].training[:4], landmarks, None, (64, 96), options.augment, random)
    with torch.inference_mode():
        read = net.encode(batch.warped).guides
    assert read is not None
    told = replace(batch, guides=torch.zeros(4, GUIDES))
    losses = [float(share(net, 0, told, replace(options, guide=weight), EXACT).loss) for weight in (0.5, 1.0)]
    assert losses[1] - losses[0] == pytest.approx(0.5 * float(read.square().mean()), rel=1e-3)


def test_a_training_that_goes_on_keeps_its_guides_and_one_that_starts_from_it_their_meaning(
    two_sets: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = load_faceset(two_sets[0], 154), load_faceset(two_sets[1], 154)
    made = Trainer((first, second), options_for("quick96"), EXACT)
    other = Trainer((second, first), options_for("quick96"), EXACT)
    fewer = Trainer((first, first), options_for("quick96"), EXACT)
    parts, facts = made.checkpoint()
    known = guides_from(Checkpoint(parts, facts).part("guides"), torch.device("cpu"))
    for trainer in (made, other, fewer):
        trainer.close()
    stored = Checkpoint(parts, facts)
    other.restore(stored, tmp_path)
    fewer.start_from(stored)
    again, begun = (Checkpoint(*one.checkpoint()).part("guides") for one in (other, fewer))
    assert all(torch.equal(again[name], known.tensors()[name]) for name in again)
    assert torch.equal(begun["basis"], known.basis)
    assert torch.equal(begun["by_pose"][0], known.by_pose[0])
    assert not torch.equal(begun["by_pose"][1], known.by_pose[1])


def test_models_told_less_are_begun_from_but_not_trained_further(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    sets = load_faceset(two_sets[0], 154), load_faceset(two_sets[1], 154)
    trainer = Trainer(sets, options_for("quick96"), EXACT)
    assert trainer.blind  # drawn faces have no irises
    own = Checkpoint(*trainer.checkpoint()).part("guides")
    parts, facts = trainer.checkpoint()
    old = {**parts, "guides.basis": torch.randn(136, 12), "guides.by_pose": torch.zeros(2, 6, 136)}
    trainer.start_from(Checkpoint(old, facts))
    assert torch.equal(Checkpoint(*trainer.checkpoint()).part("guides")["basis"], own["basis"])
    trainer.learn()
    before = {**facts, "config": {**facts["config"], "guides": 14}}
    with pytest.raises(WeightsError, match=r"model: an earlier version .* not trained further"):
        trainer.restore(Checkpoint(parts, before), tmp_path / "model")
    trainer.close()


def test_a_stronger_expression_leaves_the_pose_alone() -> None:
    torch.manual_seed(0)
    net = build(config_of("quick"))
    code = net.encode(torch.rand(2, 3, 64, 64))
    assert code.guides is not None
    strong = moving(code, 1.5).guides
    assert strong is not None
    assert torch.equal(strong[:, : GAZE.stop], code.guides[:, : GAZE.stop])
    assert torch.allclose(strong[:, GAZE.stop :], 1.5 * code.guides[:, GAZE.stop :])
    older = moving(Code(code.values, code.guides[:, :14]), 1.5).guides
    assert older is not None
    assert torch.allclose(older[:, POSE:], 1.5 * code.guides[:, POSE:14])
    plain = Code(code.values)
    assert moving(plain, 1.5) is plain


def test_a_model_moves_the_faces_it_makes_as_far_as_asked(tmp_path: Path) -> None:
    torch.manual_seed(0)
    empty = np.zeros(128, dtype=np.float32)
    model = SwapModel(build(config_of("quick96")), EXACT, tmp_path, (empty, empty))
    views = np.random.default_rng(0).random((2, 96, 96, 3), dtype=np.float32)
    (once, _), (own, _) = model.draw(model.read(views), {1: 2.0, 0: 1.0})
    assert np.array_equal(once, model.swap(views, 1, 2.0)[0])
    assert not np.array_equal(once, model.swap(views, 1)[0])
    assert np.array_equal(own, model.swap(views, 0)[0])
