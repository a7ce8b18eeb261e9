"""The swap as a stage: order, absence, steadiness."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from faceswap.along import Layer
from faceswap.calm import LONGER, REACH
from faceswap.convert import swapped
from faceswap.model import SwapModel
from faceswap.options import SwapOptions
from faceswap.telling import TOGETHER
from faceswap.view import Made, Shown, look_at
from models.autoencoder import Code, Decoded
from models.nets import config_of
from models.tensors import Precision
from shared.types import Floats, Scene
from tests.faceswap.drawn import draw_face, face_of, face_points, frame_of

EMBEDDING: Floats = np.zeros(128, dtype=np.float32)


class Echo:
    """A net that gives back what it sees: the first person dark, the second as it is."""

    def __init__(self) -> None:
        self.config = config_of("quick")
        self.own = torch.nn.ModuleList()
        self.batches: list[int] = []

    def encode(self, pictures: Tensor) -> Code:
        self.batches.append(len(pictures))
        return Code(pictures)

    def decode(self, code: Code, person: int) -> Decoded:
        large = torch.nn.functional.interpolate(code.values, size=(128, 128), mode="bilinear")
        return Decoded(large * (0.5 if person == 0 else 1.0))

    def start_from(self, mean_faces: Tensor) -> None:
        """Nothing to start from."""


def model() -> tuple[SwapModel, Echo]:
    net = Echo()
    return SwapModel(net, Precision(torch.device("cpu"), False), Path("model"), (EMBEDDING, EMBEDDING)), net


def scene(index: int, tracks: tuple[int, ...], light: float = 1.0) -> Scene:
    faces = []
    picture = np.full((120, 240, 3), 90, dtype=np.uint8)
    for place, track in enumerate(tracks):
        points = face_points((60 + 120 * place, 60), 50)
        half = draw_face((120, 240), points, (200, 150, 120))
        picture[:, 120 * place : 120 * place + 120] = half[:, 120 * place : 120 * place + 120]
        faces.append(face_of(points, track))
    return Scene(frame_of(np.asarray(picture * light, dtype=np.uint8), index), tuple(faces))


def options(batch: int = 4, direction: bool = False, colour: float = 1.0, gap_s: float = 0.0) -> SwapOptions:
    # What `Echo` reads is the picture itself: steadied it would be blurred in time.
    plain = SwapOptions(Path("model"), swap_direction=direction, batch=batch, colour=colour)
    return replace(plain, gap_s=gap_s, steady_ms=0.0)


def test_scenes_come_back_in_order_with_a_patch_for_each_face() -> None:
    given = [scene(0, (1,)), scene(1, ()), scene(2, (1, 2)), scene(3, ()), scene(4, (2,))]
    swap, net = model()
    results = list(swapped(iter(given), swap, options(batch=2)))
    assert [before.frame.index for before, _ in results] == [0, 1, 2, 3, 4]
    assert all(before is expected for (before, _), expected in zip(results, given, strict=True))
    assert [len(edit.patches) for _, edit in results] == [1, 0, 2, 0, 1]
    assert net.batches == [1, 2, 1]


def test_a_face_that_is_lost_for_a_moment_is_filled_in_and_noted() -> None:
    given = [scene(0, (1,)), scene(1, ()), scene(2, (1,)), *(scene(index, ()) for index in range(3, 12))]
    results = list(swapped(iter(given), model()[0], options(gap_s=0.2)))
    assert [len(edit.patches) for _, edit in results] == [1, 1, 1, *[0] * 9]
    assert [edit.notes for _, edit in results[:4]] == [(), ("face-filled",), (), ("no-face",)]


@pytest.mark.parametrize("steady_ms", [0.0, 36.0])
def test_no_more_scenes_are_held_than_a_batch_and_three_times_those_that_start_together(steady_ms: float) -> None:
    taken = []

    def counted() -> Iterator[Scene]:
        for index in range(90):
            taken.append(index)
            yield scene(index, ())

    results = swapped(counted(), model()[0], replace(options(batch=2), steady_ms=steady_ms))
    next(results)
    time.sleep(0.5)  # the thread that draws runs ahead as far as it may
    ahead = math.ceil(REACH * LONGER * steady_ms / 1000 * 25) + 1 if steady_ms else 0
    assert len(taken) <= 2 + 3 * TOGETHER + 1 + ahead


def test_how_many_faces_are_decoded_at_once_changes_nothing() -> None:
    given = [scene(index, (1,), 0.8 + 0.02 * index) for index in range(12)]
    made = [list(swapped(iter(given), model()[0], options(batch=batch))) for batch in (1, 5, 12)]
    for other in made[1:]:
        for (_, one), (_, two) in zip(made[0], other, strict=True):
            np.testing.assert_allclose(one.patches[0].picture, two.patches[0].picture, atol=1e-6)
            np.testing.assert_allclose(one.patches[0].mask, two.patches[0].mask, atol=1e-6)


def test_the_direction_chooses_the_decoder() -> None:
    dark = next(swapped(iter([scene(0, (0,))]), model()[0], options(direction=True, colour=0.0)))[1].patches[0]
    light = next(swapped(iter([scene(0, (0,))]), model()[0], options(direction=False, colour=0.0)))[1].patches[0]
    inside = light.mask == 1.0
    assert dark.picture[inside].mean() < 0.7 * light.picture[inside].mean()


def test_one_flashing_frame_does_not_make_the_new_face_flash_more_than_the_old_one() -> None:
    lights = [1.0] * 12 + [0.6] + [1.0] * 7
    given = [scene(index, (0,), light) for index, light in enumerate(lights)]
    results = list(swapped(iter(given), model()[0], options(batch=8)))
    levels = np.array([edit.patches[0].picture[edit.patches[0].mask == 1.0].mean() for _, edit in results])
    after = np.abs(levels[13:] / levels[:12].mean() - 1)
    assert after.max() < 0.05


def test_wrong_views_are_a_callers_mistake() -> None:
    swap, _ = model()
    try:
        swap.swap(cast(Floats, np.zeros((1, 64, 64, 3), dtype=np.float32)), 0)
    except ValueError as error:
        assert "expected (N, 128, 128, 3)" in str(error)
    else:
        raise AssertionError("64 px views were taken by a 128 px net")


def test_what_hides_a_face_does_not_tint_it_when_it_comes_out_again() -> None:
    layer = Layer(options())
    lit = scene(0, (0,))
    face = look_at(lit.frame, lit.faces[0], 64)
    dark = replace(face, picture=np.full_like(face.picture, 0.1))
    covered = np.ones((64, 64), dtype=np.float32)
    levels = []
    for index in range(60):
        hidden = 20 <= index < 50
        made = Made(dark if hidden else face, face.picture, front=covered if hidden else 1 - covered)
        shown = Shown(scene(index, (0,)), (made,))
        patch = next(layer.laid([shown]))[1].patches[0]
        levels.append(float(patch.picture.mean()))
    assert levels[50] == pytest.approx(levels[19], abs=2e-3)
