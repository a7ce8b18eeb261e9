"""Which clips are held out, and the recordings that lie there twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lipsync.features import audio_features
from lipsync.index import ClipMouths
from lipsync.mouth import FreeFace
from lipsync.splits import (
    any_heard,
    before,
    parts_of,
    seconds_of,
    speech_windows,
    split_clips,
    split_ends,
    write_before,
)
from shared.errors import UsageError
from shared.face.pose import FacePose
from shared.media.reader import open_clip
from shared.media.sound import load_sound
from shared.types import Floats, Sound
from tests.shared.render.made import make_clip

RATE = 16_000


def babble(seed: int, seconds: float) -> Floats:
    """Sound whose spectrum wanders as that of speech does."""
    rng = np.random.default_rng(seed)
    out = np.zeros(int(seconds * RATE))
    for low in (200, 500, 1000, 2000, 3500):
        spectrum = np.fft.rfft(rng.standard_normal(len(out)))
        frequencies = np.fft.rfftfreq(len(out), 1 / RATE)
        spectrum[(frequencies < low) | (frequencies > 1.5 * low)] = 0
        steps = np.arange(0, seconds + 0.1, 0.08)
        loud = np.interp(np.arange(len(out)) / RATE, steps, rng.uniform(-2.5, 2.5, len(steps)))
        out += np.fft.irfft(spectrum, len(out)) * np.exp(loud)
    return np.asarray(0.1 * out / out.std(), dtype=np.float32)


def clip_of(samples: Floats | None, name: str = "a") -> ClipMouths:
    spans: tuple[tuple[float, float], ...] = ()
    features = None
    if samples is not None:
        features = audio_features(Sound(samples, RATE))
        spans = ((0.0, len(samples) / RATE),)
    nothing = np.zeros(0)
    return ClipMouths(
        path=Path(f"{name}.mp4"),
        indices=nothing.astype(np.int64),
        times_s=nothing,
        faces=(),
        inside=nothing.astype(bool),
        sharpness=nothing.astype(np.float32),
        features=features,
        voiced=spans,
    )


@pytest.fixture(scope="module")
def clips() -> list[ClipMouths]:
    return [clip_of(babble(seed, 3.0), f"clip{seed}") for seed in range(8)]


def test_each_clip_is_on_one_side_and_the_seed_chooses(clips: list[ClipMouths]) -> None:
    split = split_clips(clips, 3, [True] * 8, seed=1)
    assert len(split.held) == 3
    assert sorted((*split.learn, *split.held)) == list(range(8))
    assert split.shared == ()
    assert split == split_clips(clips, 3, [True] * 8, seed=1)
    assert {split_clips(clips, 3, [True] * 8, seed=seed).held for seed in range(5)} != {split.held}


def test_a_fifth_is_held_out_where_no_number_is_given(clips: list[ClipMouths]) -> None:
    assert len(split_clips(clips, 0, [True] * 8, seed=0).held) == 2


def test_only_clips_that_may_be_and_have_sound_are_held_out(clips: list[ClipMouths]) -> None:
    mixed = [clip_of(None, "silent"), *clips[:3]]
    assert split_clips(mixed, 2, [True, True, False, True], seed=0).held == (1, 3)
    for hold_out, able in ((3, [True, True, False, True]), (4, [True] * 4)):
        with pytest.raises(UsageError, match="cannot be held out"):
            split_clips(mixed, hold_out, able, seed=0)


def test_the_same_recording_shifted_quieter_and_noisy_is_learned_from_nowhere(clips: list[ClipMouths]) -> None:
    rng = np.random.default_rng(3)
    again = babble(5, 3.0)
    late = np.concatenate([babble(99, 1.3), again * 0.2, babble(98, 0.7)])
    late += (0.0005 * rng.standard_normal(len(late))).astype(np.float32)
    every = [*clips, clip_of(late.astype(np.float32), "copy")]
    split = split_clips(every, 1, [number == 5 for number in range(9)], seed=0)
    assert (split.held, split.shared) == ((5,), (8,))
    assert 8 not in split.learn


def test_the_correlation_is_that_of_the_slow_way(clips: list[ClipMouths]) -> None:
    window = speech_windows(clips[0])[1]
    features = clips[0].features
    assert features is not None
    rows = features[:, 1:13].astype(np.float64)
    best = -1.0
    for start in range(len(rows) - 150 + 1):
        pair = [(one - one.mean(axis=0)) / window.std(axis=0) for one in (window, rows[start : start + 150])]
        best = max(best, float((pair[0] * pair[1]).sum() / np.sqrt((pair[0] ** 2).sum() * (pair[1] ** 2).sum())))
    assert best == pytest.approx(1.0)
    assert any_heard([window], clips[0])
    assert not any_heard([window], clips[1])
    assert not any_heard([window], clip_of(None))
    assert not any_heard([window], clip_of(babble(0, 1.0)))


def test_a_stretch_that_hardly_changes_is_like_nothing(clips: list[ClipMouths]) -> None:
    window = speech_windows(clips[0])[0]
    features = clips[1].features
    assert features is not None
    still = features.copy()
    still[:150, 1:13] = 0.05 * (window - window.mean(axis=0))  # near silence, by chance of the same form
    assert not any_heard([window], replace(clips[1], features=still))
    still[:150, 1:13] = window + np.float32(2.0)  # another microphone
    assert any_heard([window], replace(clips[1], features=still))


def test_clips_that_must_not_teach_are_on_no_side(clips: list[ClipMouths]) -> None:
    may = [number % 2 == 0 for number in range(8)]
    split = split_clips(clips, 2, may, seed=0, may_be_learned=[not one for one in may])
    assert split.learn == (1, 3, 5, 7)
    assert len(split.held) == len(split.barred) == 2
    assert {*split.held, *split.barred} == {0, 2, 4, 6}


def test_where_all_say_the_same_nothing_is_left_to_learn(clips: list[ClipMouths]) -> None:
    with pytest.raises(UsageError, match="other speech"):
        split_clips([clips[0], clips[0]], 1, [True, True], seed=0)


def seen(clip: ClipMouths, face: FreeFace, seconds: float) -> ClipMouths:
    """The clip with a face in each of its frames."""
    count = round(25 * seconds)
    return replace(
        clip,
        indices=np.arange(count),
        times_s=np.arange(count) / 25.0,
        faces=(face,) * count,
        inside=np.ones(count, dtype=bool),
        sharpness=np.ones(count, dtype=np.float32),
    )


@pytest.fixture
def face(
    points_of: Callable[[float], Floats], free_from: Callable[..., FreeFace], posed: Callable[..., FacePose]
) -> FreeFace:
    return free_from(points_of(0.2), posed())


def test_the_ends_of_long_clips_are_held_out_and_what_is_before_them_is_learned(face: FreeFace) -> None:
    long = [seen(clip_of(babble(seed, 12.0), f"long{seed}"), face, 12.0) for seed in (20, 21)]
    short = seen(clip_of(babble(22, 6.0), "short"), face, 6.0)
    split = split_ends([long[0], short, long[1]], 4.0, [True] * 3)
    assert (split.learn, split.held, split.shared) == ((0, 1, 2), (0, 2), ())
    assert split.cut_s == pytest.approx({0: 7.96, 2: 7.96})
    part = before(long[0], split.cut_s[0])
    assert float(part.times_s[-1]) == pytest.approx(7.44)
    assert len(part.faces) == len(part.indices) == len(part.inside) == len(part.sharpness) == 187
    assert part.features is not None
    assert part.features.shape == (746, 28)
    assert part.voiced[0] == pytest.approx((0.0, 7.46))
    assert split_ends(long, 4.0, [False, True]).held == (1,)
    for hold_out_s, able in ((5.0, [True, True]), (4.0, [False, False])):
        with pytest.raises(UsageError, match="s long"):
            split_ends(long, hold_out_s, able)


def test_speech_of_a_held_out_end_is_learned_from_no_other_clip(face: FreeFace) -> None:
    sound = babble(30, 12.0)
    first = seen(clip_of(sound, "first"), face, 12.0)
    end_again = seen(clip_of(np.concatenate([sound[9 * RATE :], babble(31, 2.0)]), "again"), face, 5.0)
    start_again = seen(clip_of(sound[: 4 * RATE], "start"), face, 4.0)
    split = split_ends([first, end_again, start_again], 4.0, [True] * 3)
    assert (split.learn, split.held, split.shared) == ((0, 2), (0,), (1,))


def test_what_lies_before_a_cut_is_written_without_loss_and_once(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=50)
    made = write_before(clip, 1.5, tmp_path / "parts")
    with open_clip(clip) as whole, open_clip(made) as part:
        pairs = list(zip(whole.frames(), part.frames(), strict=False))
    assert len(pairs) == 25  # half a second before the cut
    for one, other in pairs:
        assert one.time_s == other.time_s
        for plane, same in zip(one.planes, other.planes, strict=True):
            np.testing.assert_array_equal(plane, same)
    assert load_sound(made, RATE).duration_s == pytest.approx(1.0, abs=0.1)
    written = made.stat().st_mtime_ns
    assert write_before(clip, 1.5, tmp_path / "parts") == made
    assert made.stat().st_mtime_ns == written
    assert write_before(clip, 1.2, tmp_path / "parts") != made


def test_less_footage_is_whole_clips_each_part_within_the_next(face: FreeFace) -> None:
    clips = [seen(clip_of(None, f"{number}"), face, 6.0) for number in range(10)]
    assert seconds_of(clips) == pytest.approx(60.0)
    parts = parts_of(clips, (0.5, 0.2, 0.21, 1.0, 3.0), seed=0)
    assert [round(seconds_of(part)) for part in parts] == [12, 18, 30]
    names = [[clip.path.name for clip in part] for part in parts]
    assert names[0] == names[1][:2] == names[2][:2]
    assert names[2] != [clip.path.name for clip in clips][:5]
    assert parts_of(clips, (), seed=0) == []


def test_only_the_paper_s_features_tell_what_two_clips_share() -> None:
    """Bands of log-mel power are alike in all speech: they once barred 800 of 900 sentences."""
    clip = replace(clip_of(babble(0, 3.0)), features=np.zeros((300, 40), dtype=np.float32))
    with pytest.raises(ValueError, match="paper's features"):
        speech_windows(clip)
