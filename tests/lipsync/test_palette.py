"""The colours of a footage: all that it shows is near, under any light, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lipsync.light import Light, relight
from lipsync.palette import COLOURS, SEEN_ON, palette_of, spread_colours
from lipsync.voice import Voice
from shared.picture.warp import resize, to_float
from shared.types import Picture

DAYLIGHT = Light(np.zeros((3, 3)))
LAMP = Light(np.array([[-0.3, -0.5, -0.8], [0.2, 0.1, 0.1], [-0.1, 0.0, 0.1]]))


def test_mouths_that_the_footage_shows_are_near_and_a_box_is_far(voice: Voice, drawn: Callable[..., Picture]) -> None:
    palette = palette_of(voice)
    assert palette.colours.shape == (COLOURS, *SEEN_ON.size, 3)
    for opening in (0.0, 0.7, 2.0):
        own = resize(to_float(drawn(opening)), SEEN_ON.size)
        for seen, light in ((own, DAYLIGHT), (relight(own, LAMP), LAMP)):
            apart = palette.difference(seen, light)
            assert float(np.percentile(apart, 95)) < 2.0
            assert float(apart.max()) < 16.0  # on the hard edge of the drawn mouth
    box = np.full((*SEEN_ON.size, 3), 0.5, dtype=np.float32)
    assert float(palette.difference(box, DAYLIGHT).min()) > 20.0


def test_the_colours_kept_are_those_that_differ_most() -> None:
    pictures = np.full((40, 5, 5, 3), 0.5, dtype=np.float32)
    pictures[7, 2, 2], pictures[21, 2, 2] = (0.9, 0.1, 0.1), (0.1, 0.1, 0.9)
    kept = spread_colours(pictures).colours
    np.testing.assert_array_equal(kept[0], pictures[0])
    for pixel in ((2, 2), (1, 3)):  # a neighbour's colours count as its own
        for colour in (pictures[7, 2, 2], pictures[21, 2, 2]):
            assert np.abs(kept[:, *pixel] - colour).max(axis=-1).min() == 0.0
    assert np.ptp(kept[:, 0, 0], axis=0).max() == 0.0
