"""A decoder that answers too little is told more, and one that answers well is told the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from faceswap import response
from faceswap.calm import Read
from faceswap.guides import NAMED, POSE, Guides, fit_guides
from faceswap.looks import expression_of
from faceswap.model import Reading, SwapModel
from faceswap.options import SwapOptions
from faceswap.response import DRAWN, FURTHEST, Response, answered, response_of
from faceswap.steer import PointFinder
from faceswap.telling import measured
from faceswap.view import Made, look_at
from models.autoencoder import Code, Decoded
from models.nets import GUIDES, config_of
from models.tensors import Precision
from shared.face.analyse import ClipFaces
from shared.types import Counts, Face, Floats, Frame, Scene
from tests.faceswap.drawn import draw_face, face_of, face_points, frame_of
from tests.faceswap.test_guides import GAP, person

LIDS = POSE + list(NAMED).index("lids")
OPTIONS = SwapOptions(Path("model"))
FLAT = 0.2
"""Of what the made mouths below open when told the least."""


def line(low: float, high: float) -> NDArray[np.float64]:
    return np.linspace(low, high, 400)


def lazy(told: ArrayLike) -> NDArray[np.float64]:
    """A mouth that stays shut until it is told of a good deal."""
    return np.asarray(0.1 * np.maximum(0.0, np.asarray(told, dtype=np.float64) - 0.5))


def test_a_lazy_mouth_opens_as_far_as_the_clips() -> None:
    told = line(-1.0, 2.0)
    clip = 0.05 * (told + 1.0)
    found = response_of(GAP, (told, clip), (line(-3.0, 4.0), lazy(line(-3.0, 4.0))), 1.0)
    assert found is not None
    guides = np.zeros((50, GUIDES), dtype=np.float32)
    guides[:, GAP] = np.linspace(-0.7, 1.7, 50)
    wanted = 0.05 * (guides[:, GAP] + 1.0)
    asked = found.applied(guides)
    assert float(np.abs(lazy(guides[:, GAP]) - wanted).mean()) > 0.03
    assert float(np.abs(lazy(asked[:, GAP]) - wanted).mean()) < 0.005
    others = np.arange(GUIDES) != GAP
    assert np.array_equal(asked[:, others], guides[:, others])
    weak = response_of(GAP, (told, clip), (line(-3.0, 4.0), lazy(line(-3.0, 4.0))), 0.5)
    assert weak is not None
    assert float(np.abs(lazy(weak.applied(guides)[:, GAP]) - wanted / 2).mean()) < 0.01


def test_lids_shut_with_the_clips_and_are_open_as_their_own_persons() -> None:
    told = np.concatenate([np.full(16, -4.0), line(-0.5, 0.5)])  # 4% of the time
    clip = 0.08 * (told + 4.0)  # 0 to .36, usually .32
    values = line(-7.0, 3.0)
    found = response_of(LIDS, (told, clip), (values, 0.06 * (values + 7.0)), 1.0)
    assert found is not None
    guides = np.zeros((2, GUIDES), dtype=np.float32)
    guides[:, LIDS] = (-4.0, 0.1)
    shut, wide = 0.06 * (found.applied(guides)[:, LIDS] + 7.0)
    own = 0.06 * (np.percentile(told, 60) + 7.0)
    assert shut < 0.2 * own
    assert wide == pytest.approx(own, rel=0.05)


def test_who_does_not_move_or_answer_is_left_alone() -> None:
    told = line(-1.0, 2.0)
    assert response_of(GAP, (told, np.full(400, 0.1)), (told, lazy(told)), 1.0) is None
    assert response_of(GAP, (told, 0.05 * (told + 1.0)), (told, np.full(400, 0.1)), 1.0) is None
    noise = np.random.default_rng(0).normal(0, 1e-3, 400)
    assert response_of(GAP, (told, 0.05 * (told + 1.0)), (told, 0.1 + noise), 1.0) is None


def test_beyond_its_ends_a_response_goes_on_and_never_too_far() -> None:
    known = Response(GAP, np.array([-1.0, 1.0]), np.array([-1.5, 2.0]))
    guides = np.zeros((3, GUIDES), dtype=np.float32)
    guides[:, GAP] = (-3.0, 0.0, 3.0)
    np.testing.assert_allclose(known.applied(guides)[:, GAP], (-3.5, 0.25, 4.0))
    told = line(-1.0, 1.0)
    far = response_of(
        GAP, (told, 0.2 * (told + 1.0)), (line(-9.0, 9.0), 0.1 * np.maximum(0.0, line(-9.0, 9.0) - 5)), 1.0
    )
    assert far is not None
    assert float(np.abs(far.asked - far.told).max()) <= FURTHEST


class Talker:
    """A net whose picture is as light as its mouth would be open: it answers with a part of what it is told."""

    def __init__(self) -> None:
        self.config = config_of("quick")
        self.own = torch.nn.ModuleList()
        self.told: list[Tensor] = []

    def encode(self, pictures: Tensor) -> Code:
        return Code(pictures, torch.zeros(len(pictures), GUIDES))

    def decode(self, code: Code, person: int) -> Decoded:  # noqa: ARG002 - one person answers as the other
        assert code.guides is not None
        self.told.append(code.guides)
        light = (FLAT + 0.05 * (code.guides[:, GAP] / OPTIONS.expression)).clamp(0, 1)
        return Decoded(light[:, None, None, None].expand(-1, 3, 128, 128))

    def start_from(self, mean_faces: Tensor) -> None:
        """Nothing to start from."""


@dataclass(frozen=True)
class Track:
    number: int
    person: int
    first: int = 0
    last: int = 199


class Faces:
    """An analysed clip whose mouth opens and closes."""

    def __init__(self, count: int) -> None:
        self.tracks = (Track(0, 0), Track(1, 0), Track(2, 1))
        self.counts = Counts(frames=count)

    def faces_at(self, index: int) -> tuple[Face, ...]:
        return (speaking(0.15 * (1 + np.sin(index)), index % 2), speaking(0.9, 2))


def speaking(opening: float, track: int = 0) -> Face:
    points = face_points((160, 130), 110, opening=opening)
    mesh = np.zeros((478, 3), dtype=np.float32)
    mesh[:, :2] = points.mean(axis=0)
    return replace(face_of(points, track), mesh=mesh)


def found_made(frame: Frame, made: Made, finder: object) -> Face:  # noqa: ARG001 - takes the place of `find_made`
    return speaking(float(made.picture.mean()))


def opened(model: SwapModel, item: Read, reading: Reading | None) -> float:
    """How far the mouth is open that is made of a reading."""
    assert reading is not None
    picture = model.draw(reading, {1: OPTIONS.expression})[0][0][0]
    return expression_of(found_made(item.scene.frame, Made(item.views[0], picture), None).landmarks)["mouth"]


@pytest.fixture
def guides() -> Guides:
    return fit_guides([person(0, 1.0)[:2], person(1, 1.3)[:2]])


def scenes(guides: Guides, count: int = 20) -> Iterator[Read]:
    for index in range(count):
        face = speaking(0.15 * (1 + np.sin(index)))
        view = look_at(frame_of(draw_face((260, 320), face.landmarks, (210, 160, 130)), index), face, 128)
        read = measured(guides, 0, [face], "face").astype(np.float32)
        yield Read(Scene(frame_of(np.zeros((8, 8, 3), dtype=np.uint8), index), (face,)), (view,), reading_of(read))


def reading_of(read: Floats) -> Reading:
    return Reading(torch.zeros(len(read), 128, 8, 8), read)


def test_the_clips_own_faces_say_what_is_asked_and_made_ones_what_is_answered(
    guides: Guides, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response, "find_made", found_made)
    empty = np.zeros(128, dtype=np.float32)
    net = Talker()
    model = SwapModel(net, Precision(torch.device("cpu"), False), Path("model"), (empty, empty), guides=guides)
    clip = cast(ClipFaces, Faces(200))
    given = list(scenes(guides))
    told = list(answered(iter(given), model, OPTIONS, clip, cast(PointFinder, object())))
    assert [item.scene for item in told] == [item.scene for item in given]
    drawn = len(net.told)
    assert drawn == 2 * DRAWN  # for mouth and lids, once
    wanted = [expression_of(item.views[0].face.landmarks)["mouth"] for item in given]
    answers = [[opened(model, item, reading) for reading in (item.answer, item.reading)] for item in told]
    apart, before = np.abs(np.array(answers) - np.array(wanted)[:, np.newaxis]).mean(axis=0)
    assert apart < 0.35 * before


def test_without_a_clip_a_finder_or_guides_nothing_is_changed(guides: Guides) -> None:
    empty = np.zeros(128, dtype=np.float32)
    net = Talker()
    model = SwapModel(net, Precision(torch.device("cpu"), False), Path("model"), (empty, empty), guides=guides)
    given = list(scenes(guides, 10))
    assert list(answered(iter(given), model, OPTIONS, None, cast(PointFinder, object()))) == given
    assert list(answered(iter(given), model, OPTIONS, cast(ClipFaces, Faces(200)), None)) == given
    assert not net.told


def test_of_two_people_only_the_one_seen_most_is_asked_for_and_changed(
    guides: Guides, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response, "find_made", found_made)
    empty = np.zeros(128, dtype=np.float32)
    model = SwapModel(Talker(), Precision(torch.device("cpu"), False), Path("model"), (empty, empty), guides=guides)
    both = []
    for index, item in enumerate(scenes(guides)):
        assert item.reading is not None
        (view,) = item.views
        other = replace(view, face=replace(view.face, track=2))
        beside = index % 3 == 0
        both.append(replace(item, views=(other, view), reading=Reading.joined([item.reading] * 2)) if beside else item)
    told = list(answered(iter(both), model, OPTIONS, cast(ClipFaces, Faces(200)), cast(PointFinder, object())))
    for item in told:
        assert item.reading is not None
        assert item.answer is not None
        assert item.reading.guides is not None
        assert item.answer.guides is not None
        changed = np.abs(item.answer.guides - item.reading.guides).max(axis=1) > 0
        assert [bool(one) for one in changed] == [view.face.track == 0 for view in item.views]


def test_a_clip_too_short_to_show_a_curve_is_tried_a_few_times_and_then_left_alone(
    guides: Guides, caplog: pytest.LogCaptureFixture
) -> None:
    empty = np.zeros(128, dtype=np.float32)
    net = Talker()
    model = SwapModel(net, Precision(torch.device("cpu"), False), Path("model"), (empty, empty), guides=guides)
    faces = Faces(10)
    faces.tracks = (Track(0, 0, 0, 9), Track(1, 0, 0, 9), Track(2, 1, 0, 9))
    given = list(scenes(guides, 40))
    with caplog.at_level("INFO"):
        told = list(answered(iter(given), model, OPTIONS, cast(ClipFaces, faces), cast(PointFinder, object())))
    assert told == given
    assert not net.told
    assert sum("mouth and lids" in record.message for record in caplog.records) == 1
