from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from shared.render.stage import Tally, load, run
from shared.types import ColourSpec, Edit, Frame, Patch, PixelFormat, Scene

PIXELS = PixelFormat("gray", 8, (0, 0), "gray")
COLOUR = ColourSpec("bt709", True, 1, 1, 1, 2)


def scenes(count: int) -> Iterator[Scene]:
    for index in range(count):
        plane = np.full((16, 16), 100, np.uint8)
        yield Scene(Frame((plane,), PIXELS, COLOUR, index, index, Fraction(1, 25)), ())


def patch() -> Patch:
    mask = np.zeros((8, 8), np.float32)
    mask[1:-1, 1:-1] = 1
    return Patch((4, 4, 12, 12), np.ones((8, 8, 3), np.float32), mask)


def test_only_patched_frames_are_new_objects_and_counted() -> None:
    def every_other(given: Iterator[Scene]) -> Iterator[tuple[Scene, Edit]]:
        for scene in given:
            odd = scene.frame.index % 2
            yield scene, Edit((patch(),) if odd else (), notes=("held",) if odd else ())

    tally = Tally()
    before = list(scenes(6))
    after = list(run(every_other, iter(before), "swap", tally))
    assert [new.frame is old.frame for new, old in zip(after, before, strict=True)] == [True, False] * 3
    assert tally.changed == {}
    for index in range(6):
        tally.written(index)
    assert tally.changed == {"swap": 3}
    assert tally.notes == {"held": 3}
    assert tally.noted_frames == {"held": [(1, 1), (3, 3), (5, 5)]}
    assert (tally.frames, tally.touched) == (6, 3)


def test_only_what_is_written_counts() -> None:
    tally = Tally()
    for index in range(5):
        tally.begin(index, with_face=index != 1, damaged=2 * (index > 2))
        tally.add("sync", index, Edit((patch(),)))
        tally.add("swap", index, Edit((patch(),) if index == 2 else (), notes=("faded",)))
    for index in range(3):
        tally.written(index)
    assert (tally.frames, tally.with_face, tally.touched, tally.damaged) == (3, 2, 3, 0)
    assert tally.changed == {"sync": 3, "swap": 1}
    assert tally.notes == {"faded": 3}
    assert len(tally.noted_frames["faded"]) == 1
    tally.written(3)
    assert tally.damaged == 2


def test_new_faces_reach_the_next_stage() -> None:
    def blind(given: Iterator[Scene]) -> Iterator[tuple[Scene, Edit]]:
        for scene in given:
            yield scene, Edit(faces=())

    given = (replace(scene, shot=2) for scene in scenes(3))
    assert [(scene.faces, scene.shot) for scene in run(blind, given, "sync", Tally())] == [((), 2)] * 3


def test_a_stage_that_loses_or_swaps_frames_is_found_out() -> None:
    def loses(given: Iterator[Scene]) -> Iterator[tuple[Scene, Edit]]:
        for scene in given:
            if scene.frame.index < 2:
                yield scene, Edit()

    def reorders(given: Iterator[Scene]) -> Iterator[tuple[Scene, Edit]]:
        for scene in reversed(list(given)):
            yield scene, Edit()

    with pytest.raises(ValueError, match="lost 1 frames"):
        list(run(loses, scenes(3), "swap", Tally()))
    with pytest.raises(ValueError, match="gave frame 2 out of order"):
        list(run(reorders, scenes(3), "swap", Tally()))


def test_a_string_names_what_is_loaded() -> None:
    assert load("shared.render.stage:load") is load
