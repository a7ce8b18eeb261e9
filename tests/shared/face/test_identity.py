"""Tracks are gathered into people by their embeddings, and those seen together are kept apart."""

from __future__ import annotations

import numpy as np
import pytest

from shared.face.identity import THRESHOLD, cosine, people_of, unit
from shared.types import Floats

NOBODY: frozenset[int] = frozenset()


def near(axis: int, seed: int) -> Floats:
    vector = np.random.default_rng(seed).normal(scale=0.02, size=128)
    vector[axis] += 1.0
    return unit(vector.astype(np.float32))


def test_two_people_in_five_tracks() -> None:
    tracks = [near(0, 1), near(7, 2), near(0, 3), near(7, 4), near(0, 5)]
    assert people_of(tracks, [NOBODY] * 5) == [0, 1, 0, 1, 0]


def test_tracks_seen_at_the_same_time_are_two_people_however_alike() -> None:
    twins = [near(0, 1), near(0, 2), near(0, 3)]
    people = people_of(twins, [frozenset({1}), frozenset({0}), NOBODY])
    assert people[0] != people[1]
    assert people[2] in people[:2]


def test_what_joins_one_group_stays_apart_from_what_that_group_must_not_meet() -> None:
    tracks = [near(0, 1), near(0, 2), near(0, 3)]
    people = people_of(tracks, [frozenset({2}), NOBODY, frozenset({0})])
    assert people[0] != people[2]


def test_an_empty_clip_has_no_people_and_a_zero_vector_is_somebody_else() -> None:
    assert people_of([], []) == []
    assert people_of([near(0, 1), np.zeros(128, np.float32)], [NOBODY, NOBODY]) == [0, 1]


def test_cosine_is_that_of_the_vectors() -> None:
    one, other = np.zeros(128, np.float32), np.zeros(128, np.float32)
    one[:2], other[0] = (3, 4), 2
    assert cosine(one, other) == pytest.approx(0.6)


@pytest.mark.parametrize("seed", range(8))
def test_people_are_those_of_the_plain_clustering(seed: int) -> None:
    random = np.random.default_rng(seed)
    middles = random.normal(size=(4, 128))
    tracks = [unit((middles[n % 4] + random.normal(size=128) * 1.1).astype(np.float32)) for n in range(30)]
    apart = [frozenset({(n + 4) % 30}) if n % 7 == 0 else NOBODY for n in range(30)]
    assert people_of(tracks, apart) == _slowly(tracks, apart)


def _slowly(tracks: list[Floats], apart: list[frozenset[int]]) -> list[int]:
    """Average linkage as it is written down: each time the two groups with the largest mean cosine of all pairs."""
    groups = [[number] for number in range(len(tracks))]
    forbidden = {(one, other) for one, others in enumerate(apart) for other in others}
    forbidden |= {(other, one) for one, other in forbidden}

    def likeness(one: list[int], other: list[int]) -> float:
        if any((a, b) in forbidden for a in one for b in other):
            return -np.inf
        return float(np.mean([float(np.dot(tracks[a], tracks[b])) for a in one for b in other]))

    while len(groups) > 1:
        pairs = [(likeness(groups[i], groups[j]), i, j) for i in range(len(groups)) for j in range(i + 1, len(groups))]
        best, i, j = max(pairs, key=lambda pair: pair[0])
        if best < THRESHOLD:
            break
        groups[i] += groups.pop(j)
    people = {track: person for person, group in enumerate(sorted(groups, key=min)) for track in group}
    return [people[number] for number in range(len(tracks))]
