"""Tracts: a stretched voice is found to be one, brought back, and trusted as far as there is of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lipsync.features import band_centres_mel
from lipsync.tract import BLOCK, FACTORS, TRUST_S, brought, clearness, factor_to, stretched, strong_rows, tract_of
from models.ear import CEPSTRA, DENSITIES, PHONES, STATES, STREAMS, Ear, Mixtures
from shared.types import Floats

ROWS = 600


def speech(rows: int = ROWS, seed: int = 0) -> Floats:
    """Rows of a few vowels: three humps over the bands, that stay for a while each."""
    rng = np.random.default_rng(seed)
    bands = np.arange(40.0)
    vowels = []
    for _ in range(6):
        places, heights = np.sort(rng.uniform(6.0, 32.0, 3)), rng.uniform(2.0, 5.0, 3)
        vowels.append((heights[:, None] * np.exp(-((bands - places[:, None]) ** 2) / 12.0)).sum(axis=0))
    chosen = np.repeat(rng.integers(0, 6, rows // 15 + 1), 15)[:rows]
    return (np.array(vowels)[chosen] + 10.0 + rng.normal(0.0, 0.2, (rows, 40))).astype(np.float32)


def in_pauses(rows: Floats) -> Floats:
    """The same with a third of a second of silence in each."""
    quieter = rows.copy()
    quieter[np.arange(len(rows)) % 100 < 34] -= 10.0
    return quieter


@pytest.fixture(scope="module")
def ear() -> Ear:
    """An acoustic model of just these vowels."""
    plain = Ear(torch.from_numpy(band_centres_mel()))
    draw = np.random.default_rng(1)
    rows = torch.from_numpy(speech())
    padded = np.pad(rows.numpy(), ((0, 0), (1, 1)), mode="edge")
    rows = torch.from_numpy(((padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4).astype(np.float32))
    cepstra = rows @ plain.cepstra
    static = cepstra - plain.centre(rows[None])[0]
    streams = [static, torch.zeros_like(static), torch.zeros_like(static)]
    means = torch.stack([one[torch.from_numpy(draw.integers(0, ROWS, DENSITIES))] for one in streams])
    means = means[None].repeat(len(PHONES), 1, 1, 1)
    weights = torch.full((STREAMS, DENSITIES, STATES * len(PHONES)), 1.0 / DENSITIES)
    variances = torch.full((len(PHONES), STREAMS, DENSITIES, CEPSTRA), 4.0)
    return Ear(torch.from_numpy(band_centres_mel()), Mixtures(means, variances, weights))


@pytest.mark.parametrize("factor", [0.88, 1.0, 1.12])
def test_a_voice_with_another_tract_is_brought_back(ear: Ear, factor: float) -> None:
    plain, other = tract_of(ear, [speech()]), tract_of(ear, [stretched(speech()[None], np.array([factor]))[0]])
    assert other * factor == pytest.approx(plain, abs=0.03)
    assert plain == pytest.approx(1.0, abs=0.03)


def test_stretching_back_undoes_it() -> None:
    there = stretched(speech()[None], np.array([1.1]))
    back = stretched(there, np.array([1 / 1.1]))[0]
    middle = slice(5, 33)
    assert np.abs(back - speech())[:, middle].mean() < 0.4 * np.abs(there[0] - speech())[:, middle].mean()


def test_the_speaker_s_own_tract_stays_and_another_is_believed_by_its_length(ear: Ear) -> None:
    own = tract_of(ear, [speech()])
    assert factor_to(ear, in_pauses(speech(1500)), own) == pytest.approx(1.0, abs=0.01)
    far = own / 1.1
    for seconds in (2, 60):
        sound = in_pauses(speech(100 * seconds))
        strong_s = strong_rows(sound).sum() / 100
        assert 0.2 * seconds < strong_s < 0.9 * seconds
        told = np.log(factor_to(ear, sound, far))
        assert told == pytest.approx(np.log(1.1) * strong_s / (strong_s + TRUST_S), abs=0.03)
        assert told > 0.01


def test_strong_rows_are_vowels_whatever_clicks_beside_them() -> None:
    sound = in_pauses(speech(2000))
    plain = strong_rows(sound)
    assert not plain[np.arange(2000) % 100 < 34].any()
    for place in (0, 1000, 1999):
        clicking = sound.copy()
        clicking[place] += 6.0
        assert (strong_rows(clicking) == plain).mean() > 0.97
    assert strong_rows(sound[:1]).tolist() == [True]


def test_a_long_sound_is_brought_in_blocks_that_fit() -> None:
    sound = speech(BLOCK + 1234)
    np.testing.assert_array_equal(brought(sound, 1.05), stretched(sound[None], np.array([1.05]))[0])


def test_a_noise_that_is_always_there_is_not_heard_as_a_tract(ear: Ear) -> None:
    sound = in_pauses(stretched(speech(3000)[None], np.array([1 / 1.1]))[0])
    quiet, loud = (np.logaddexp(sound, level).astype(np.float32) for level in (4.0, 13.0))
    assert clearness(quiet, strong_rows(quiet)) == 1.0
    assert factor_to(ear, quiet, 1.0) == pytest.approx(factor_to(ear, sound, 1.0), abs=0.02)
    assert factor_to(ear, sound, 1.0) > 1.05
    assert clearness(loud, strong_rows(loud)) < 0.4
    assert abs(np.log(factor_to(ear, loud, 1.0))) < 0.4 * abs(np.log(tract_of(ear, [loud]))) + 1e-6


def test_of_a_long_sound_parts_from_all_over_it_are_judged(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    plain = Ear.likelihood

    def noted(self: Ear, rows: torch.Tensor, chosen: torch.Tensor, most: int) -> float:
        seen.append(rows.shape[1])
        return plain(self, rows, chosen, most)

    monkeypatch.setattr(Ear, "likelihood", noted)
    near, far = speech(9000), stretched(speech(9000)[None], np.array([1.12]))[0]
    late = np.concatenate([near, far])
    assert tract_of(ear, [near]) > tract_of(ear, [late]) > tract_of(ear, [far])
    assert set(seen) == {6000}


def test_many_sounds_are_heard_together_and_none_tells_nothing(ear: Ear) -> None:
    other = [stretched(speech(60, 0)[None], np.array([1.12]))[0] for _ in range(80)]
    assert tract_of(ear, other) * 1.12 == pytest.approx(1.0, abs=0.05)
    empty = np.zeros((0, 40), dtype=np.float32)
    assert tract_of(ear, []) == tract_of(ear, [empty]) == 1.0
    assert factor_to(ear, empty, 1.1) == 1.0
    assert brought(empty, 1.1).shape == (0, 40)


@pytest.mark.parametrize("rows", [1, 3, 20])
def test_short_and_silent_sounds_have_a_tract_too(ear: Ear, rows: int) -> None:
    for sound in (speech(rows), np.full((rows, 40), -3.0, dtype=np.float32)):
        assert FACTORS[0] - 1e-6 <= tract_of(ear, [sound]) <= FACTORS[-1] + 1e-6
        assert 0.0 <= clearness(sound, strong_rows(sound)) <= 1.0
        assert np.isfinite(brought(sound, factor_to(ear, sound, 1.0))).all()
