from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from lipsync.silences import made_silences
from shared.media.sound import loudness_dbfs, voiced_spans
from shared.types import Floats


def slope_db(samples: Floats) -> float:
    """Change of the spectrum in dB an octave, between 300 and 4000 Hz."""
    frequencies, power = signal.welch(samples, 16000, nperseg=4096)
    inside = (frequencies > 300) & (frequencies < 4000)
    return float(np.polyfit(np.log2(frequencies[inside]), 10 * np.log10(power[inside]), 1)[0])


def test_silences_are_as_loud_and_as_coloured_as_they_say() -> None:
    made = made_silences(0)
    assert [round(loudness_dbfs(made[name])) for name in ("zeros", "room", "pink")] == [-120, -50, -26]
    assert slope_db(made["pink"].samples) == pytest.approx(-3.0, abs=0.4)
    assert slope_db(made["room"].samples) == pytest.approx(-6.0, abs=0.6)
    assert all(len(sound.samples) == 30 * 16000 for sound in made.values())
    assert max(float(np.abs(sound.samples).max()) for sound in made.values()) < 0.5
    np.testing.assert_array_equal(made["pink"].samples, made_silences(0)["pink"].samples)


def test_nobody_is_heard_in_them() -> None:
    assert all(sum(end - start for start, end in voiced_spans(sound)) < 1.0 for sound in made_silences(1).values())
