"""The command ``listen``: raw sound in, a JSON line for each row out."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from lipsync.curve import read_curve
from lipsync.live import LiveMouth, follow
from lipsync.live_cli import pcm_pieces
from lipsync.options import LiveOptions
from lipsync.recipes import fresh_model
from lipsync.voice import Voice
from shared.cli import root


@pytest.fixture
def live(voice: Voice, monkeypatch: pytest.MonkeyPatch) -> Voice:
    torch.manual_seed(0)
    opened = replace(voice, net=fresh_model("default", 20, phones=False, live=True).eval())
    monkeypatch.setattr("lipsync.voice.open_voice", lambda _: opened)
    return opened


def whole_numbers(count: int) -> bytes:
    return np.random.default_rng(0).integers(-3000, 3000, count).astype("<i2").tobytes()


def test_help_says_what_goes_in_with_an_example() -> None:
    result = CliRunner().invoke(root, ["listen", "--help"])
    assert result.exit_code == 0
    assert "16,000 a second" in result.output
    assert "lipswap listen --voice" in " ".join(result.output.split())


def test_each_row_is_a_line_that_the_mouth_s_table_takes(live: Voice, tmp_path: Path) -> None:
    sound = whole_numbers(8_100)
    result = CliRunner().invoke(root, ["listen", "--voice", "v", "--no-rest"], input=sound)
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    samples = np.frombuffer(sound, dtype="<i2").astype(np.float32) / np.float32(32768)
    tracks = list(follow(LiveMouth(live, LiveOptions(rest=False)), [samples]))
    wanted = np.concatenate([track.shapes for track in tracks])
    assert len(rows) == 51 == len(wanted)
    np.testing.assert_allclose([row["shape"] for row in rows], wanted, atol=1e-4)
    (tmp_path / "curve.json").write_text(json.dumps(rows), encoding="utf-8")
    np.testing.assert_allclose(read_curve(tmp_path / "curve.json").shapes, wanted, atol=1e-4)
    assert "143 ms late" in result.stderr


def test_a_voice_that_cannot_follow_is_refused_in_one_line(live: Voice, monkeypatch: pytest.MonkeyPatch) -> None:
    offline = replace(live, net=fresh_model("default", 20, phones=False))
    monkeypatch.setattr("lipsync.voice.open_voice", lambda _: offline)
    result = CliRunner().invoke(root, ["listen", "--voice", "v"], input=b"")
    assert result.exit_code == 2
    assert "learn --live" in result.stderr


class Trickle(io.BytesIO):
    """Gives three bytes at a time."""

    def read1(self, size: int | None = -1, /) -> bytes:
        assert size
        return super().read1(3)


def test_samples_cut_in_two_between_reads_are_put_together() -> None:
    sound = whole_numbers(50)
    pieces = list(pcm_pieces(Trickle(sound + b"\x01")))
    assert len(pieces) > 20
    np.testing.assert_array_equal(np.concatenate(pieces) * 32768, np.frombuffer(sound, dtype="<i2"))
