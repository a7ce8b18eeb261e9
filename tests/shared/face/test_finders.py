"""Both face finders keep one promise; the second one runs on a stand-in network with known heat maps."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from shared.errors import InstallError, UsageError, WeightsError
from shared.face.detect import FaceFinder, make_finder, overlap
from shared.face.fan import CROP_PX, MAP_PX, SIDE_FROM_POINTS, FanFinder, points_from_maps
from shared.face.landmarks import canonical_face, eye_distance
from shared.face.litert import without_chatter
from shared.face.mesh import MeshFinder, MeshOptions
from shared.media.reader import open_clip
from shared.types import Floats, Frame, Plane
from tests.shared.face.staged import blank

pytestmark = pytest.mark.usefixtures("weights")
CLIP = "train/grid_s1/hq/bbaf2n.mp4"
PAIR = "hard/derived/two_people_right_speaks.mp4"


class StandIn(torch.nn.Module):
    """Gives the heat maps in its checkpoint wherever the crop shows anything at all."""

    def __init__(self, num_modules: int = 1) -> None:
        super().__init__()
        del num_modules
        self.register_buffer("maps", torch.zeros(68, MAP_PX, MAP_PX))

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """The known maps, flat for a plain crop."""
        maps = self.get_buffer("maps")
        return [torch.stack([maps * float(one[:, 96:160, 96:160].std() > 0.02) for one in pixels])]


def maps_of(points: Floats) -> torch.Tensor:
    """Heat maps with a Gaussian of one cell's width at points given in pixels of the crop."""
    cells = (points + 0.5) / (CROP_PX / MAP_PX) - 0.5
    grid = np.arange(MAP_PX)
    across = np.exp(-0.5 * (grid[None, None, :] - cells[:, None, None, 0]) ** 2)
    down = np.exp(-0.5 * (grid[None, :, None] - cells[:, None, None, 1]) ** 2)
    return torch.from_numpy((across * down).astype(np.float32))


def face_in_crop() -> Floats:
    """The average face where a crop laid around its own points would show it."""
    points = canonical_face().landmarks[:, :2] * (1, -1)
    points = (points - (points.min(axis=0) + points.max(axis=0)) / 2).astype(np.float32)
    spread = points.max(axis=0) - points.min(axis=0)
    points *= CROP_PX / SIDE_FROM_POINTS / float(spread.sum())
    middle = (CROP_PX - 1) / 2
    return np.asarray(points + np.array([middle, middle + 0.12 * np.ptp(points[:, 1])]), dtype=np.float32)


@pytest.fixture
def fan_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint of the stand-in in torch's cache, named by its hash as torch does."""
    api = pytest.importorskip("face_alignment.api", reason="face-alignment is not installed")
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save({"maps": maps_of(face_in_crop())}, folder / "new")
    digest = hashlib.sha256((folder / "new").read_bytes()).hexdigest()
    path = (folder / "new").rename(folder / f"2DFAN4-{digest[:10]}.pth.tar")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(api, "FAN", StandIn)
    monkeypatch.setitem(api.models_urls, "2DFAN-4", f"https://example.org/{path.name}")
    return path


@pytest.fixture(params=["mesh", "fan"])
def finder(request: pytest.FixtureRequest) -> FaceFinder:
    if request.param == "fan":
        request.getfixturevalue("fan_weights")
    return make_finder(request.param)


def frames(path: Path, count: int = 1) -> Iterator[Frame]:
    with open_clip(path) as clip:
        for frame, _ in zip(clip.frames(), range(count), strict=False):
            yield frame


@pytest.mark.footage
def test_a_face_is_found_where_it_is(finder: FaceFinder, footage: Path) -> None:
    (frame,) = frames(footage / CLIP)
    (face,) = finder.find(frame)
    assert face.landmarks.shape == (68, 2)
    assert face.landmarks.dtype == np.float32
    assert face.track == -1
    assert 0.5 <= face.presence <= 1
    assert overlap(face.box, (115.0, 95.0, 220.0, 235.0)) > 0.5
    x0, y0, x1, y1 = face.box
    assert np.all(face.landmarks > (x0 - 1, y0 - 1))
    assert np.all(face.landmarks < (x1 + 1, y1 + 1))
    assert eye_distance(face.landmarks) == pytest.approx(68, abs=20)
    assert face.sharpness > 5
    assert max(abs(angle) for angle in face.pose_deg) < 20
    if face.mesh is not None:
        assert face.mesh.shape == (478, 3)


@pytest.mark.footage
def test_two_people_are_two_faces_the_larger_first(finder: FaceFinder, footage: Path) -> None:
    (frame,) = frames(footage / PAIR)
    faces = finder.find(frame)
    assert len(faces) == 2
    assert overlap(faces[0].box, faces[1].box) == 0
    areas = [(f.box[2] - f.box[0]) * (f.box[3] - f.box[1]) for f in faces]
    assert areas == sorted(areas, reverse=True)


@pytest.mark.footage
def test_find_is_detect_and_look(finder: FaceFinder, footage: Path) -> None:
    (frame,) = frames(footage / PAIR)
    looked = [finder.look(frame, one) for one in finder.detect(frame, thorough=True)]
    assert {f.box for f in looked if f is not None} == {f.box for f in finder.find(frame)}


@pytest.mark.footage
def test_a_face_is_followed_in_order_and_stays_itself(finder: FaceFinder, footage: Path) -> None:
    first, second = frames(footage / PAIR, 2)
    faces = finder.find(first)
    for order in (faces, faces[::-1]):
        followed = finder.follow(second, order)
        assert len(followed) == len(order)
        for before, after in zip(order, followed, strict=True):
            assert after is not None
            assert overlap(before.box, after.box) > 0.7


@pytest.mark.footage
def test_a_face_that_is_gone_is_none(finder: FaceFinder, footage: Path) -> None:
    (frame,) = frames(footage / CLIP)
    plain = blank(0, size=frame.size)
    assert finder.follow(plain, finder.find(frame)) == (None,)


def test_a_plain_frame_has_no_face(finder: FaceFinder) -> None:
    assert finder.find(blank(0, size=(288, 360))) == ()
    assert finder.follow(blank(0), ()) == ()


@pytest.mark.footage
def test_equal_frames_give_equal_faces(finder: FaceFinder, footage: Path) -> None:
    (frame,) = frames(footage / CLIP)
    one, other = finder.find(frame)[0], finder.find(frame)[0]
    np.testing.assert_array_equal(one.landmarks, other.landmarks)


def changed(frame: Frame, change: Callable[[Plane], Plane]) -> Frame:
    """The frame with each plane changed."""
    return replace(frame, planes=tuple(change(plane) for plane in frame.planes))


@pytest.mark.footage
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_mesh_finds_a_face_that_lies_on_its_side_or_head(footage: Path, turns: int) -> None:
    (frame,) = frames(footage / CLIP)
    finder = MeshFinder()
    upright, (face,) = (
        finder.find(frame)[0].landmarks,
        finder.find(changed(frame, lambda plane: np.rot90(plane, turns).copy())),
    )
    height, width = frame.planes[0].shape
    for _ in range(turns):
        upright = np.stack([upright[:, 1], width - 1 - upright[:, 0]], axis=1)
        height, width = width, height
    assert np.abs(face.landmarks - upright).max() < 0.05 * eye_distance(upright)


@pytest.mark.footage
def test_the_mesh_has_no_bias_to_one_side(footage: Path) -> None:
    (frame,) = frames(footage / CLIP)
    finder = MeshFinder()
    mirrored = changed(frame, lambda plane: plane[:, ::-1].copy())
    one, other = finder.find(frame)[0].landmarks, finder.find(mirrored)[0].landmarks
    middle = [27, 28, 29, 30, 33, 51, 57, 62, 66, 8]
    offset = (one[middle, 0] - (frame.size[1] - 1 - other[middle, 0])).mean()
    assert abs(offset) < 0.01 * eye_distance(one)


@pytest.mark.footage
def test_blendshapes_tell_an_open_jaw(footage: Path) -> None:
    finder = MeshFinder(MeshOptions(blendshapes=True))
    opening, jaw = [], []
    for frame in frames(footage / "train/faceswap_B_audun/cap13_edit2.mp4", 200):
        if frame.index % 10:
            continue
        (face,) = finder.find(frame)
        assert face.blendshapes is not None
        assert face.blendshapes.shape == (52,)
        points = face.landmarks
        opening.append(float(points[66, 1] - points[62, 1]))
        jaw.append(float(face.blendshapes[25]))  # jawOpen in ARKit's order
    assert np.corrcoef(opening, jaw)[0, 1] > 0.7


def test_known_heat_maps_give_known_points() -> None:
    wanted = np.random.default_rng(7).uniform(20, 235, size=(68, 2)).astype(np.float32)
    points, peaks = points_from_maps(maps_of(wanted).numpy())
    assert np.abs(points - wanted).max() < 0.6
    assert peaks.min() > 0.75


@pytest.mark.footage
@pytest.mark.usefixtures("fan_weights")
def test_the_stand_in_s_points_land_where_its_maps_say(footage: Path) -> None:
    (frame,) = frames(footage / CLIP)
    finder = FanFinder()
    (face,) = finder.find(frame)
    width, height = np.ptp(face.landmarks, axis=0)
    wanted = face_in_crop()
    scale = width / np.ptp(wanted[:, 0])
    placed = (wanted - wanted.mean(axis=0)) * scale + face.landmarks.mean(axis=0)
    assert height == pytest.approx(np.ptp(wanted[:, 1]) * scale, rel=0.02)
    assert np.abs(face.landmarks - placed).max() < 0.6 * scale + 0.1


def test_fan_weights_that_are_missing_are_named_with_their_place(fan_weights: Path) -> None:
    fan_weights.unlink()
    with pytest.raises(WeightsError, match=r"missing: fetch https://example.org/2DFAN4-.* into .*checkpoints"):
        make_finder("fan")


def test_fan_weights_with_another_hash_are_never_loaded(fan_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fan_weights.write_bytes(fan_weights.read_bytes() + b" ")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("an unchecked file was unpickled"))
    with pytest.raises(WeightsError, match="sha256"):
        make_finder("fan")


def test_without_the_package_the_fan_finder_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "face_alignment", None)
    with pytest.raises(InstallError, match=r"pip install 'lipswap\[fan\]'"):
        make_finder("fan")


def test_an_unknown_finder_is_a_usage_error() -> None:
    build: Callable[..., FaceFinder] = make_finder
    with pytest.raises(UsageError, match="choose mesh or fan"):
        build("dlib")


def test_a_closed_stderr_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_: int) -> int:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(os, "dup", closed)
    done = []
    with without_chatter():
        done.append(True)
    assert done
