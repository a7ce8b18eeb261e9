"""The public acoustic model is read as it was written, anything else is refused, and it hears phones in any voice."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from lipsync.recipes import fresh_model, hear
from lipsync.sphinx import LOG_STEP, load_mixtures, read_gaussians, read_weights
from models.ear import DENSITIES, PHONES, STATES
from models.mouthnet import MouthNet
from shared.demo.voice import Speaker, speak
from shared.errors import WeightsError
from shared.media.sound import voiced_spans

SIZES = (42, 3, 128)
HEAD = b"s3\nversion 1.0\nendhdr\n" + struct.pack("<I3i3ii", 0x11223344, *SIZES, 13, 13, 13, 42 * 3 * 128 * 13)
DUMP = b"codebook_count 1\0feature_count 3\0\0\0\0\0"


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_gaussians_are_read_codebook_after_codebook(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(*SIZES, 13)).astype("<f4")
    read = read_gaussians(written(tmp_path / "means", HEAD + values.tobytes()))
    np.testing.assert_array_equal(read, values)


def test_weights_are_read_density_after_density_and_states_with_context_left_out(tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (3, DENSITIES, 500), dtype=np.uint8)
    path = written(tmp_path / "sendump", DUMP + struct.pack("<ii", DENSITIES, 500) + stored.tobytes())
    weights = read_weights(path)
    assert weights.shape == (3, DENSITIES, STATES * len(PHONES))
    np.testing.assert_allclose(weights, np.exp(-LOG_STEP * stored[..., :126].astype(np.float64)), rtol=1e-5)


@pytest.mark.parametrize("content", [b"", b"something else", HEAD, HEAD[:30], HEAD.replace(b"\x44\x33", b"\x00\x00")])
def test_other_means_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(WeightsError, match="means: not the acoustic model"):
        read_gaussians(written(tmp_path / "means", content))


@pytest.mark.parametrize("content", [b"", b"else", DUMP, DUMP + struct.pack("<ii", 128, 9), DUMP + b"\x80\0\0\0"])
def test_other_weights_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(WeightsError, match="sendump: not the acoustic model"):
        read_weights(written(tmp_path / "sendump", content))


def test_the_weights_of_a_state_are_shares_of_one() -> None:
    # Stored in 1024 steps of a logarithm to the base 1.0001, and cut off below: not quite 1.
    np.testing.assert_allclose(load_mixtures().weights.sum(dim=1).numpy(), 1.0, atol=0.1)


@pytest.mark.parametrize("speaker", [Speaker("en-US"), Speaker("en-GB", pitch=1.2)])
def test_lips_that_meet_are_heard_in_voices_that_nobody_showed_it(speaker: Speaker) -> None:
    """P, b or m is the likeliest phone many times as often in "mama, papa, bob" as in "see the key"."""
    net = fresh_model("default", 20)
    assert isinstance(net, MouthNet)
    assert net.ear is not None
    meeting = [PHONES.index(name) for name in ("P", "B", "M")]
    shares = []
    for text in ("mama, papa, bob, my baby", "see, the key is easy, he sees"):
        sound = speak(text, speaker)
        heard = torch.from_numpy(hear("default", sound, voiced_spans(sound)))
        likeliest = net.ear(heard[None], 2)[0].argmax(dim=1)
        shares.append(float(torch.isin(likeliest, torch.tensor(meeting)).float().mean()))
    assert shares[0] > 3 * shares[1]
