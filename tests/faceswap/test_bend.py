"""Fields of places against slow ones by scipy and numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import RBFInterpolator, RegularGridInterpolator

from faceswap import bend
from faceswap.align import VIEW_SHARE
from faceswap.draw import Draw
from faceswap.options import AugmentOptions
from shared.picture.warp import similarity, transform
from tests.faceswap.drawn import face_points

CPU = torch.device("cpu")


def drawing(seed: int = 0) -> Draw:
    return Draw(torch.Generator().manual_seed(seed), CPU)


def faces(count: int, seed: int = 0, spread: float = 0.01) -> torch.Tensor:
    """Drawn faces in crop coordinates, no two alike."""
    random = np.random.default_rng(seed)
    some = [face_points((0.0, 0.05), random.uniform(0.8, 1.0), random.uniform(0.02, 0.2)) for _ in range(count)]
    return torch.from_numpy((np.stack(some) + random.normal(0, spread, (count, 68, 2))).astype(np.float32))


def centres(side: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """(side * side, 2) pixel centres of the view in crop coordinates, row by row."""
    line = ((np.arange(side) + 0.5) / side * 2 - 1) * VIEW_SHARE
    x, y = np.meshgrid(line, line)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def flat(places: torch.Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(places.flatten(2).transpose(1, 2).double().numpy(), dtype=np.float64)


def test_the_grid_warp_is_linear_between_its_points() -> None:
    moved = bend.nodes(CPU) + drawing().normal((3, 25, 2)) * 0.05
    line = np.linspace(-bend.GRID_SHARE, bend.GRID_SHARE, 5)
    for places, points in zip(flat(bend.bent(moved, 24)), moved.double().numpy(), strict=True):
        wanted = RegularGridInterpolator((line, line), points.reshape(5, 5, 2))(centres(24)[:, ::-1])
        assert np.abs(places - wanted).max() < 1e-5


def test_fit_and_straight_are_the_least_squares_similarity() -> None:
    moved = bend.nodes(CPU) * 1.1 + drawing(1).normal((4, 25, 2)) * 0.05 + 0.03
    turn, shift = bend.fit(bend.nodes(CPU), moved)
    for places, points in zip(flat(bend.straight(turn, shift, 9)), moved.double().numpy(), strict=True):
        wanted = transform(similarity(bend.nodes(CPU).double().numpy(), points), centres(9))
        assert np.abs(places - wanted).max() < 1e-5


@pytest.mark.parametrize("side", [64, 96])
def test_the_landmark_warp_is_scipys_multiquadric(side: int) -> None:
    own, others = faces(2, 1, 0.004), faces(2, 2, 0.004)
    turn, shift = bend.similarities(2, AugmentOptions(), drawing(3))
    made = flat(bend.onto_landmarks(own, others, turn, shift, side))
    placed = flat(bend.straight(turn, shift, side))
    line = np.linspace(-1, 1, bend.RING)
    ring = [(x, y) for y in line for x in line if max(abs(x), abs(y)) == 1]
    for number in range(2):
        known = np.concatenate([others[number].double().numpy(), ring])
        moves = np.concatenate([(own[number] - others[number]).double().numpy(), np.zeros((len(ring), 2))])
        smooth = bend.SLACK / bend.SMOOTH  # scipy's kernel is divided by the radius of its tip
        field = RBFInterpolator(known, moves, None, smooth, "multiquadric", 1 / bend.SMOOTH, 0)
        error = np.linalg.norm(made[number] - placed[number] - field(placed[number]), axis=1)
        # The lattice of 33 x 33 makes the rest.
        assert error.max() < 0.02
        assert error.mean() < 0.001


def test_landmarks_come_to_lie_on_those_of_the_other_face() -> None:
    own, others = faces(1, 4, spread=0.004), faces(1, 5, spread=0.004)
    still = torch.eye(2)[None], torch.zeros(1, 2)
    side = 160
    places = flat(bend.onto_landmarks(own, others, *still, side))[0].reshape(side, side, 2)
    pixel = ((others[0].double().numpy() / VIEW_SHARE + 1) * side - 1) / 2
    inside = (pixel.min(axis=1) > 1) & (pixel.max(axis=1) < side - 2)
    grid = RegularGridInterpolator((np.arange(side), np.arange(side)), places)
    read = grid(pixel[inside][:, ::-1])
    assert inside.sum() > 60
    before = np.linalg.norm(others[0].double().numpy()[inside] - own[0].double().numpy()[inside], axis=1)
    assert before.mean() > 0.01
    assert np.linalg.norm(read - own[0].double().numpy()[inside], axis=1).mean() < 0.002


def test_like_landmarks_move_nothing_and_the_edge_of_the_crop_stays() -> None:
    own = faces(2)
    turn, shift = bend.similarities(2, AugmentOptions(), drawing())
    like = bend.onto_landmarks(own, own, turn, shift, 40)
    assert torch.allclose(like, bend.straight(turn, shift, 40), atol=1e-4)
    wide = torch.eye(2).expand(2, -1, -1) / VIEW_SHARE
    whole = bend.onto_landmarks(own, faces(2, 6), wide, torch.zeros(2, 2), 40)
    away = (whole - bend.straight(wide, torch.zeros(2, 2), 40)).abs()
    assert float(away[..., :2].max()) < 0.02
    assert float(away.max()) > 0.05


def test_closed_lips_do_not_make_the_warp_singular() -> None:
    shut = torch.from_numpy(face_points((0.0, 0.05), 0.9, 0.0))[None]
    assert torch.equal(shut[:, 61, 0], shut[:, 67, 0])
    places = bend.onto_landmarks(faces(1), shut, torch.eye(2)[None], torch.zeros(1, 2), 32)
    assert float(places.abs().max()) < 1.5


def test_the_other_face_is_one_of_the_nearest_and_each_of_them_at_times() -> None:
    own, others = faces(40, 7), faces(60, 8)
    counts = np.array(bend.COUNTS)[:, None]
    distance = np.linalg.norm(((own[:, None] - others[None]).double().numpy() * counts).reshape(40, 60, -1), axis=2)
    nearest = np.argsort(distance, axis=1)[:, :3]
    ranks = set()
    chosen = bend.nearest(own, others, 3, drawing(1))
    steady = [point for point in range(68) if all(point not in gap for gap in bend.GAPS)]
    for number, face in enumerate(chosen):
        same = [bool(torch.equal(face[steady], others[candidate][steady])) for candidate in nearest[number]]
        assert any(same)
        ranks.add(same.index(True))
    assert ranks == {0, 1, 2}
    assert bend.nearest(own[:2], others[:1], 10, drawing()).shape == (2, 68, 2)


def test_a_face_may_be_nearest_to_the_mirror_image_of_another() -> None:
    own = torch.from_numpy(face_points((0.1, 0.0), 0.9, 0.1, turn=0.1))[None]
    others = torch.cat([bend.mirrored(own), faces(5)])
    assert torch.allclose(bend.nearest(own, others, 1, drawing(), mirror=True), own, atol=1e-5)
    assert not torch.allclose(bend.nearest(own, others, 1, drawing()), own, atol=1e-2)
    both = torch.cat([others, bend.mirrored(others)])
    for seed in range(6):
        one, other = (
            bend.nearest(own, others, 12, drawing(seed), mirror=True),
            bend.nearest(own, both, 12, drawing(seed)),
        )
        assert torch.allclose(one, other, atol=1e-5)


def test_lids_and_lips_are_neither_torn_open_nor_pressed_shut() -> None:
    shut, wide = faces(1, 9, 0.0), faces(1, 9, 0.0)
    for upper, lower in bend.GAPS:
        middle = (shut[:, upper] + shut[:, lower]) / 2
        shut[:, upper], shut[:, lower] = middle, middle

    def gaps(face: torch.Tensor) -> torch.Tensor:
        upper, lower = torch.tensor(bend.GAPS).T
        return (face[:, upper] - face[:, lower]).square().sum(dim=2).sqrt()

    opened, closed = (bend.nearest(one, other, 1, drawing()) for one, other in ((shut, wide), (wide, shut)))
    assert torch.allclose(gaps(opened), torch.full((1, 7), bend.LEAST_GAP), atol=1e-5)
    assert torch.allclose(gaps(closed), gaps(wide) / bend.MOST_STRETCH - bend.LEAST_GAP, atol=1e-5)
    assert torch.allclose(bend.nearest(wide, wide, 1, drawing()), wide, atol=1e-6)


def test_a_face_in_the_mirror_is_numbered_as_a_face() -> None:
    turned = torch.from_numpy(face_points((0.1, 0.0), 0.9, 0.1, turn=0.2))[None]
    expected = torch.from_numpy(face_points((-0.1, 0.0), 0.9, 0.1, turn=-0.2))[None]
    assert torch.allclose(bend.mirrored(turned), expected, atol=1e-5)
    assert torch.allclose(bend.mirrored(bend.mirrored(turned)), turned)
