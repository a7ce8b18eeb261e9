"""A decoder is asked about each person of a clip, and then told so that mouth and lids open as far as they should."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from faceswap import ask
from faceswap.ask import DRAWN, LOWER_LIP, UPPER_LIP, answered, parted
from faceswap.calm import Read
from faceswap.guides import Guides, fit_guides
from faceswap.looks import expression_of
from faceswap.model import Reading, SwapModel
from faceswap.options import SwapOptions
from faceswap.steer import PointFinder
from faceswap.telling import measured
from faceswap.view import Made, look_at
from models.autoencoder import Code, Decoded
from models.nets import GUIDES, config_of
from models.tensors import Precision
from shared.face.analyse import ClipFaces
from shared.face.landmarks import mouth_opening
from shared.types import Counts, Face, Floats, Frame, Scene
from tests.faceswap.drawn import draw_face, face_of, face_points, frame_of
from tests.faceswap.test_guides import GAP, person

OPTIONS = SwapOptions(Path("model"))
FINDER = cast(PointFinder, object())
FLAT = 0.2
"""Of what the made mouths below open when told the least."""


class Talker:
    """A net whose picture is as light as its mouth would be open: it answers with a part of what it is told."""

    def __init__(self) -> None:
        self.config = config_of("quick")
        self.own = torch.nn.ModuleList()
        self.calls = 0

    def encode(self, pictures: Tensor) -> Code:
        return Code(pictures, torch.zeros(len(pictures), GUIDES))

    def decode(self, code: Code, person: int) -> Decoded:  # noqa: ARG002 - one person answers as the other
        assert code.guides is not None
        self.calls += 1
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


def model_of(net: Talker, guides: Guides) -> SwapModel:
    empty = np.zeros(128, dtype=np.float32)
    return SwapModel(net, Precision(torch.device("cpu"), False), Path("model"), (empty, empty), guides=guides)


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
    monkeypatch.setattr(ask, "find_made", found_made)
    net = Talker()
    model = model_of(net, guides)
    clip = cast(ClipFaces, Faces(200))
    given = list(scenes(guides))
    told = list(answered(iter(given), model, OPTIONS, clip, FINDER))
    assert [item.scene for item in told] == [item.scene for item in given]
    assert net.calls == 2 * DRAWN  # for mouth and lids, once
    wanted = [expression_of(item.views[0].face.landmarks)["mouth"] for item in given]
    answers = [[opened(model, item, reading) for reading in (item.answer, item.reading)] for item in told]
    apart, before = np.abs(np.array(answers) - np.array(wanted)[:, np.newaxis]).mean(axis=0)
    assert apart < 0.35 * before


def test_without_a_clip_a_finder_or_guides_nothing_is_changed(guides: Guides) -> None:
    net = Talker()
    model = model_of(net, guides)
    given = list(scenes(guides, 10))
    assert list(answered(iter(given), model, OPTIONS, None, FINDER)) == given
    assert list(answered(iter(given), model, OPTIONS, cast(ClipFaces, Faces(200)), None)) == given
    assert not net.calls


def test_each_person_is_asked_for_when_he_is_first_seen_and_changed_by_his_own_curve(
    guides: Guides, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask, "find_made", found_made)
    faces = Faces(200)
    model = model_of(Talker(), guides)
    both = []
    for index, item in enumerate(scenes(guides)):
        assert item.reading is not None
        (view,) = item.views
        other = replace(view, face=replace(view.face, track=2))
        beside = index >= 8 and index % 3 == 0
        both.append(replace(item, views=(other, view), reading=Reading.joined([item.reading] * 2)) if beside else item)
    told = list(answered(iter(both), model, OPTIONS, cast(ClipFaces, faces), FINDER))
    assert cast(Talker, model.net).calls == 2 * 2 * DRAWN  # for mouth and lids of either
    for item in told:
        assert item.reading is not None
        assert item.answer is not None
        assert item.reading.guides is not None
        assert item.answer.guides is not None
        changed = item.answer.guides - item.reading.guides
        assert (np.abs(changed).max(axis=1) > 0).all()
        if len(changed) > 1:  # what is read is the same of both, what is asked is not
            assert not np.allclose(changed[0], changed[1])


def test_a_mouth_that_is_still_in_the_clip_is_asked_for_all_the_same(
    guides: Guides, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask, "find_made", found_made)
    monkeypatch.setattr(Faces, "faces_at", lambda self, index: (speaking(0.02, index % 2),))  # noqa: ARG005
    model = model_of(Talker(), guides)
    given = list(scenes(guides))  # as another engine lets him speak
    told = list(answered(iter(given), model, OPTIONS, cast(ClipFaces, Faces(200)), FINDER))
    wanted = [expression_of(item.views[0].face.landmarks)["mouth"] for item in given]
    answers = [[opened(model, item, reading) for reading in (item.answer, item.reading)] for item in told]
    apart, before = np.abs(np.array(answers) - np.array(wanted)[:, np.newaxis]).mean(axis=0)
    assert apart < 0.5 * before


def test_lips_part_by_what_is_said_and_nothing_else_moves() -> None:
    face = speaking(0.02)
    wide = parted(face, 0.3)
    assert mouth_opening(wide.landmarks) - mouth_opening(face.landmarks) == pytest.approx(0.3, abs=0.02)
    others = [point for point in range(68) if point not in (*UPPER_LIP, *LOWER_LIP)]
    assert np.array_equal(wide.landmarks[others], face.landmarks[others])


def test_a_clip_too_short_to_show_a_curve_is_tried_a_few_times_and_then_left_alone(
    guides: Guides, caplog: pytest.LogCaptureFixture
) -> None:
    net = Talker()
    model = model_of(net, guides)
    faces = Faces(10)
    faces.tracks = (Track(0, 0, 0, 9), Track(1, 0, 0, 9), Track(2, 1, 0, 9))
    given = list(scenes(guides, 40))
    with caplog.at_level("INFO", logger="faceswap.ask"):
        told = list(answered(iter(given), model, OPTIONS, cast(ClipFaces, faces), FINDER))
    assert told == given
    assert not net.calls
    assert sum("mouth and lids" in record.message for record in caplog.records) == 1
