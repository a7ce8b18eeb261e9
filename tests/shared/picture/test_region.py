"""Connected regions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from shared.picture.region import grown, joined, parts


def test_only_parts_with_enough_that_is_strong_stay_and_stay_whole() -> None:
    weak = np.zeros((20, 30), dtype=np.bool_)
    weak[2:8, 2:8] = weak[12:16, 4:20] = weak[3:5, 20:24] = True
    strong = np.zeros_like(weak)
    strong[3:5, 3:5] = strong[13, 5] = True
    kept = joined(weak, strong, 3)
    assert kept[2:8, 2:8].all()
    assert kept.sum() == 36
    assert joined(weak, strong, 1).sum() == 36 + 64


def test_parts_are_those_of_scipy() -> None:
    random = np.random.default_rng(0)
    weak = random.random((40, 50)) < 0.35
    strong = weak & (random.random((40, 50)) < 0.2)
    labels, count = ndimage.label(weak, structure=np.ones((3, 3)))
    wanted = np.isin(labels, [number for number in range(1, count + 1) if strong[labels == number].sum() >= 2])
    assert np.array_equal(joined(weak, strong, 2), wanted)


def test_gaps_close_and_edges_grow_also_at_the_border() -> None:
    region = np.zeros((20, 30), dtype=np.bool_)
    region[5:15, 0:8] = region[5:15, 12:20] = True
    large = grown(region, 3, 2)
    assert large[7:13, 0:20].all()
    assert large[10, 21]
    assert not large[10, 23]
    assert not large[:, 25:].any()


def test_other_sizes_are_a_callers_mistake() -> None:
    with pytest.raises(ValueError, match="one size"):
        joined(np.zeros((2, 2), dtype=np.bool_), np.zeros((3, 2), dtype=np.bool_), 1)


def test_a_region_falls_into_its_connected_parts() -> None:
    region = np.zeros((12, 12), dtype=np.bool_)
    region[1:3, 1:3] = region[3, 3] = region[8:10, 2:9] = True
    found = parts(region)
    assert [int(part.sum()) for part in found] == [5, 14]
    assert np.array_equal(np.any(found, axis=0), region)
    assert parts(np.zeros((4, 4), dtype=np.bool_)) == []
