"""Feature rows of a stream: those of the sound at the loudness heard so far, whatever pieces it comes in."""

from __future__ import annotations

import numpy as np
import pytest

from lipsync import listening as module
from lipsync.features import HOP, LOUDNESS_DBFS, SAMPLE_RATE_HZ, WINDOW
from lipsync.listening import EXPECTED_S, MEMORY_S, Listener, Loudness
from lipsync.options import RecipeName
from lipsync.recipes import FEATURES
from shared.types import Floats, Sound

RECIPES: tuple[RecipeName, ...] = ("default", "paper")
SIZE = 512


class Detector:
    """Voice is what is loud."""

    window = SIZE

    def hear(self, windows: Floats) -> list[float]:
        return [float(np.abs(window).max() > 0.01) for window in windows]


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VoiceDetector", Detector)


def speech(seconds: float = 1.2, dbfs: float = -35.0) -> Floats:
    """Noise that comes and goes, silent at first."""
    rng = np.random.default_rng(0)
    count = round(seconds * SAMPLE_RATE_HZ) + 57
    swell = np.sin(2 * np.pi * np.arange(count) / SAMPLE_RATE_HZ) > -0.5
    samples = 10 ** (dbfs / 20) * swell * rng.standard_normal(count)
    samples[:3000] *= 0.01
    return samples.astype(np.float32)


def fed(recipe: RecipeName, samples: Floats, piece: int) -> tuple[Floats, Floats]:
    listener = Listener(recipe)
    parts = [listener.feed(samples[start : start + piece]) for start in range(0, len(samples), piece)]
    parts.append(listener.feed(samples[:0], last=True))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]).astype(np.float32)


def slow_features(recipe: RecipeName, samples: Floats) -> tuple[Floats, Floats]:
    """The whole sound at each row's own gain, of which that row alone is kept."""
    power = windows = 0.0
    gains, voices = [1.0], [0.0]
    fading = np.exp(-SIZE / SAMPLE_RATE_HZ / MEMORY_S)
    for window in samples[: len(samples) // SIZE * SIZE].reshape(-1, SIZE).astype(np.float64):
        voices.append(float(np.abs(window).max() > 0.01))
        if voices[-1]:
            power, windows = fading * power + np.mean(window**2), fading * windows + 1.0
        heard_s = windows * SIZE / SAMPLE_RATE_HZ
        level = 10 * np.log10(power / windows) if windows else LOUDNESS_DBFS
        level = (EXPECTED_S * LOUDNESS_DBFS + heard_s * level) / (EXPECTED_S + heard_s)
        gains.append(10 ** ((LOUDNESS_DBFS - level) / 20))
    rows = -(-len(samples) // HOP)
    at = [min((k * HOP + WINDOW) // SIZE, len(gains) - 1) for k in range(rows)]
    made = {gain: FEATURES[recipe](Sound(samples * np.float32(gain), SAMPLE_RATE_HZ)) for gain in set(gains)}
    features = np.array([made[gains[place]][k] for k, place in enumerate(at)])
    if recipe == "paper":  # whose differences are of rows at their own gains
        features[:, 14:] = np.diff(features[:, :14], axis=0, append=features[-1:, :14])
    return features, np.array([voices[place] for place in at], dtype=np.float32)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("piece", [37, 160, 1000, 100_000])
def test_rows_are_those_of_the_sound_at_the_gain_heard_so_far(recipe: RecipeName, piece: int) -> None:
    samples = speech()
    features, voiced = fed(recipe, samples, piece)
    wanted, voices = slow_features(recipe, samples)
    np.testing.assert_allclose(features, wanted, atol=2e-3)
    np.testing.assert_array_equal(voiced, voices)
    assert 0 < voiced.mean() < 1


@pytest.mark.parametrize("count", [0, 1, 159, 160, 161, 409, 410])
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_short_sound_has_a_row_for_each_ten_milliseconds_begun(recipe: RecipeName, count: int) -> None:
    features, voiced = fed(recipe, speech()[5000 : 5000 + count], 100)
    assert len(features) == len(voiced) == -(-count // HOP)
    assert features.dtype == np.float32


def test_a_row_comes_with_the_last_sample_of_its_window() -> None:
    for recipe, late in zip(RECIPES, (0, 1), strict=True):
        listener = Listener(recipe)
        assert listener.late == late
        assert len(listener.feed(np.zeros(WINDOW + late * HOP - 1, dtype=np.float32))[0]) == 0
        assert len(listener.feed(np.zeros(1, dtype=np.float32))[0]) == 1


@pytest.mark.parametrize("dbfs", [-50.0, -35.0, -15.0])
def test_a_voice_of_any_level_comes_to_the_usual_one(dbfs: float) -> None:
    loudness = Loudness(0.032)
    assert loudness.gain == 1.0
    off_db = []
    for _ in range(300):
        loudness.add(10 ** (dbfs / 10))
        off_db.append(abs(dbfs + 20 * np.log10(loudness.gain) - LOUDNESS_DBFS) / abs(dbfs - LOUDNESS_DBFS))
    assert off_db[21] == pytest.approx(0.3, abs=0.03)  # 0.7 s
    assert off_db[93] == pytest.approx(0.1, abs=0.02)  # 3 s
    assert off_db == sorted(off_db, reverse=True)


def test_a_softer_voice_is_got_used_to() -> None:
    loudness = Loudness(0.032)
    for level, count in ((-20.0, 1000), (-40.0, 3000)):
        for _ in range(count):
            loudness.add(10 ** (level / 10))
    assert -40.0 + 20 * np.log10(loudness.gain) == pytest.approx(LOUDNESS_DBFS, abs=1.0)


def test_silence_that_is_called_voice_is_not_raised_without_end() -> None:
    loudness = Loudness(0.032)
    loudness.add(0.0)
    assert np.isfinite(loudness.gain)
