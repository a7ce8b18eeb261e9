"""A mouth that follows a stream: the rows of the whole sound, in time, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lipsync import listening
from lipsync.closure import Closure, close_lips
from lipsync.features import SAMPLE_RATE_HZ, row_times_s
from lipsync.listening import Listener
from lipsync.live import LiveMouth, follow
from lipsync.mouth import aperture_cm
from lipsync.options import LiveOptions, RecipeName
from lipsync.predict import CLOSING_S, OPENING_S, TRAIL_S, MouthTrack
from lipsync.recipes import fresh_model, recipe_of
from lipsync.voice import Voice
from shared.errors import UsageError
from shared.types import Floats

RECIPES: tuple[RecipeName, ...] = ("default", "paper")
NET_ALONE = LiveOptions(rest=False, close=False)


class Detector:
    """Voice is what is loud."""

    window = 512

    def hear(self, windows: Floats) -> list[float]:
        return [float(np.abs(window).max() > 0.01) for window in windows]


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "VoiceDetector", Detector)


@pytest.fixture(params=RECIPES)
def live(request: pytest.FixtureRequest, voice: Voice) -> Voice:
    torch.manual_seed(0)
    net = fresh_model(request.param, 20, phones=False, live=True).eval()
    net.normalise_by(6.0 + 3.0 * torch.randn(500, net.config.inputs), torch.randn(500, 20))
    return replace(voice, net=net)


def speech(seconds: float, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    count = round(seconds * SAMPLE_RATE_HZ) + 57
    swell = 0.5 + 0.5 * np.sin(6 * np.pi * np.arange(count) / SAMPLE_RATE_HZ)
    return (0.05 * swell * rng.standard_normal(count)).astype(np.float32)


def pieces(samples: Floats, size: int) -> Iterator[Floats]:
    yield from (samples[start : start + size] for start in range(0, len(samples), size))


def joined(tracks: Iterator[MouthTrack]) -> MouthTrack:
    found = list(tracks)
    return MouthTrack(*(np.concatenate([getattr(one, name) for one in found]) for name in MouthTrack.__slots__))


def arrays_in(kept: object) -> Iterator[NDArray[Any]]:
    """All that a mouth keeps of its stream; voice and network are no part of it."""
    if isinstance(kept, Tensor):
        yield kept.numpy()
    elif isinstance(kept, np.ndarray):
        yield kept
    elif isinstance(kept, bool | int | float):
        yield np.zeros(1)
    elif isinstance(kept, str) or kept is None or isinstance(kept, Voice | nn.Module):
        return
    else:
        for one in kept if hasattr(kept, "__iter__") else vars(kept).values() if hasattr(kept, "__dict__") else ():
            yield from arrays_in(one)


@pytest.mark.parametrize("size", [1, 160, 333, 16_000])
def test_pieces_of_any_size_give_what_the_network_makes_of_the_whole(live: Voice, size: int) -> None:
    samples = speech(0.5 if size == 1 else 1.5)
    track = joined(follow(LiveMouth(live, NET_ALONE), pieces(samples, size)))
    features, _ = Listener(recipe_of(live.net)).feed(samples, last=True)
    whole = live.net.shapes_of(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(track.shapes, whole, atol=1e-4)
    np.testing.assert_allclose(track.times_s, row_times_s(len(whole)), atol=1e-9)
    np.testing.assert_array_equal(track.resting, 0.0)


def closing_of(voice: Voice) -> Closure:
    return Closure(
        np.array([0.0, 0.6, 1.4], dtype=np.float32), np.array([0.0, 0.0, 1.4], dtype=np.float32), voice.shapes[-1] / 2.0
    )


@pytest.mark.parametrize("size", [160, 16_000])
def test_rest_and_closing_do_not_hang_on_the_pieces_either(live: Voice, size: int) -> None:
    samples = np.concatenate([speech(0.6), np.zeros(40_000, dtype=np.float32), speech(0.5)])
    closing = replace(live, closure=closing_of(live))
    one, other = (joined(follow(LiveMouth(closing), pieces(samples, count))) for count in (size, 777))
    np.testing.assert_allclose(one.shapes, other.shapes, atol=1e-4)
    np.testing.assert_array_equal(one.resting, other.resting)
    assert set(one.resting.tolist()) >= ({0.0, 1.0} if recipe_of(live.net) == "paper" else {0.0})


def test_a_shape_comes_no_later_than_the_latency_and_some_no_sooner(live: Voice) -> None:
    mouth, samples, waits, steps = LiveMouth(live, NET_ALONE), speech(1.0), [], 16
    for number, piece in enumerate(pieces(samples, steps), 1):
        waits += [number * steps / SAMPLE_RATE_HZ - time_s for time_s in mouth.feed(piece).times_s]
    assert mouth.latency_s - 0.001 < max(waits) <= mouth.latency_s + steps / SAMPLE_RATE_HZ
    assert mouth.latency_s == pytest.approx({"default": 0.1428, "paper": 0.2228}[recipe_of(live.net)], abs=1e-4)


def test_with_phones_it_waits_a_row_longer(voice: Voice) -> None:
    mouth = LiveMouth(replace(voice, net=fresh_model("default", 20, live=True).eval()))
    assert mouth.latency_s == pytest.approx(0.1528, abs=1e-4)


def test_what_is_kept_does_not_grow(live: Voice) -> None:
    mouth, sizes = LiveMouth(live), []
    for _ in range(24):
        mouth.feed(speech(0.5))
        sizes.append(sum(one.nbytes for one in arrays_in(mouth)))
    assert max(sizes[12:]) <= 1.1 * max(sizes[:12]) < 1e6


def in_quiet(live: Voice) -> MouthTrack:
    """Three seconds of silence, one of speech, three of silence."""
    quiet = np.zeros(3 * SAMPLE_RATE_HZ, dtype=np.float32)
    return joined(follow(LiveMouth(live), pieces(np.concatenate([quiet, speech(1.0), quiet]), 500)))


@pytest.mark.parametrize("live", ["paper"], indirect=True)
def test_a_mouth_of_the_paper_rests_until_voice_is_heard_and_soon_after_it(live: Voice) -> None:
    track = in_quiet(live)
    times, resting = track.times_s, track.resting
    lead = LiveMouth(live).latency_s - 0.07  # a detector's window, and that no voice ends on its edge
    assert resting[times < 3.0 - 0.25].min() == 1.0
    assert resting[(times > 3.0 - lead + OPENING_S) & (times < 4.0 + TRAIL_S)].max() == 0.0
    assert resting[times > 4.0 + TRAIL_S + CLOSING_S + 0.07].min() == 1.0
    assert 0.0 < np.abs(np.diff(resting)).max() < 0.12
    np.testing.assert_allclose(track.shapes[times < 2.5], np.tile(live.rest, (int((times < 2.5).sum()), 1)), atol=1e-5)


@pytest.mark.parametrize("live", ["default"], indirect=True)
def test_a_live_network_is_believed_in_pauses_too(live: Voice) -> None:
    np.testing.assert_array_equal(in_quiet(live).resting, 0.0)


def test_lips_close_as_in_a_whole_recording(live: Voice) -> None:
    closing = replace(live, closure=closing_of(live))
    plain, closed = (
        joined(follow(LiveMouth(closing, LiveOptions(rest=False, close=close)), pieces(speech(1.0), 500)))
        for close in (False, True)
    )
    np.testing.assert_allclose(closed.shapes, close_lips(plain.shapes, live.basis, closing.closure), atol=1e-6)
    gaps = [aperture_cm(live.basis.decode(track.shapes)) for track in (plain, closed)]
    assert np.abs(gaps[0] - gaps[1]).max() > 0.01


def test_no_sound_at_all_has_no_rows(live: Voice) -> None:
    assert list(follow(LiveMouth(live), [])) == []


def test_a_voice_that_hears_to_the_end_is_refused_with_the_way_out(voice: Voice) -> None:
    with pytest.raises(UsageError, match="learn --live"):
        LiveMouth(replace(voice, net=fresh_model("default", 20, phones=False)))


def test_what_is_no_mono_stream_is_refused(live: Voice) -> None:
    mouth = LiveMouth(live)
    with pytest.raises(ValueError, match=r"\(160, 2\)"):
        mouth.feed(np.zeros((160, 2), dtype=np.float32))
    mouth.end()
    with pytest.raises(ValueError, match="has ended"):
        mouth.feed(np.zeros(160, dtype=np.float32))
