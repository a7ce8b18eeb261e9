from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shared.errors import MediaError
from shared.media.length import sound_length_s
from shared.media.sound import write_wav
from shared.types import Sound


@pytest.mark.parametrize("seconds", [0.25, 3.0])
def test_the_length_of_a_sound_file_is_that_of_its_samples(tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "speech.wav"
    write_wav(path, Sound(np.zeros(int(16000 * seconds), np.float32), 16000))
    assert sound_length_s(path) == pytest.approx(seconds)


def test_what_has_no_sound_says_so(tmp_path: Path) -> None:
    path = tmp_path / "notes.srt"
    path.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    with pytest.raises(MediaError, match="has no audio track"):
        sound_length_s(path)
