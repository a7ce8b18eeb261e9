"""What is written plays as it was: times, samples, size, colour, orientation, fields and the other streams."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from shared.errors import MediaError, NoSpaceError
from shared.media import lane
from shared.media.encoder import choose_encoder
from shared.media.lane import CopyLane
from shared.media.reader import clip_origin, open_clip, probe
from shared.media.sound import load_sound, write_wav
from shared.media.writer import EncodeOptions, open_writer
from shared.types import ClipInfo, FieldOrder, Frame, Sound
from tests.shared.media.drawn import Recipe, make_clip, shifted, tone

FAST = EncodeOptions(preset="ultrafast")
LOSSLESS = EncodeOptions(preset="ultrafast", lossless=True)
VFR = [0, 512, 1024, 2048, 2077, 4608, 5120, 7000, 7777, 9999]


def copy_clip(
    source: Path,
    target: Path,
    options: EncodeOptions = FAST,
    sound: Path | None = None,
    start_s: Fraction = Fraction(0),
) -> list[str]:
    """Read all, write all; returns the writer's notes."""
    with open_clip(source) as reader, open_writer(target, reader.info, options, sound, start_s) as writer:
        for frame in reader.frames():
            writer.write(frame)
    return writer.notes


def read(path: Path) -> tuple[ClipInfo, list[Frame]]:
    with open_clip(path) as reader:
        return reader.info, list(reader.frames())


def same_planes(first: list[Frame], second: list[Frame]) -> bool:
    return len(first) == len(second) and all(
        np.array_equal(a, b)
        for one, other in zip(first, second, strict=True)
        for a, b in zip(one.planes, other.planes, strict=True)
    )


def remux(target: Path, sources: Sequence[InputContainer]) -> None:
    """Put the first streams of some files beside each other."""
    with av.open(str(target), "w") as out:
        tracks = [(each, each.streams[0], out.add_stream_from_template(each.streams[0])) for each in sources]
        for container, stream, added in tracks:
            for packet in container.demux(stream):
                if packet.size:
                    packet.stream = added
                    out.mux(packet)


def packets(path: Path, kind: str) -> list[tuple[float, bytes]]:
    """(time, bytes) of each packet of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = next(each for each in container.streams if each.type == kind)
        base = stream.time_base or Fraction(1)
        return [(float((packet.pts or 0) * base), bytes(packet)) for packet in container.demux(stream) if packet.size]


def test_a_quality_or_preset_that_no_encoder_knows_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"crf must be 0 to 51, got 51\.5"):
        EncodeOptions(crf=51.5)
    with pytest.raises(ValueError, match=r"preset must be one of ultrafast, .*, got swift"):
        EncodeOptions(preset="swift")


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_the_worst_quality_is_a_quality(suffix: str, tmp_path: Path) -> None:
    copy_clip(make_clip(tmp_path / "in.mp4", Recipe()), tmp_path / f"out{suffix}", EncodeOptions(crf=51))
    assert len(read(tmp_path / f"out{suffix}")[1]) == 10


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("preset", ["ultrafast", "medium"])
def test_variable_frame_rate_stays_variable(suffix: str, preset: str, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "vfr.mp4", Recipe(pts=VFR))
    target = tmp_path / f"out{suffix}"
    notes = copy_clip(source, target, EncodeOptions(preset=preset))
    times = [frame.time_s for frame in read(target)[1]]
    wanted = [pts * Fraction(1, 12800) for pts in VFR]
    if suffix == ".mkv":
        assert max(abs(a - b) for a, b in zip(times, wanted, strict=True)) <= Fraction(1, 2000)
        uneven = sum((time * 1000).denominator != 1 for time in wanted)
        assert f"{uneven} frame times were rounded to 1/1000 s" in notes
    else:
        assert times == wanted
        assert not any("rounded" in note for note in notes)


@pytest.mark.parametrize("frames", [1, 2, 3, 61])
@pytest.mark.parametrize("codec", ["h264", "hevc", "ffv1"])
def test_no_frame_is_lost_at_the_encoders_end(frames: int, codec: str, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe(frames=frames))
    target = tmp_path / "out.mp4"
    copy_clip(source, target, EncodeOptions(codec=codec))
    info, written = read(target)
    assert [frame.time_s for frame in written] == [Fraction(number, 25) for number in range(frames)]
    assert info.frame_count == frames
    assert abs(info.duration_s - frames / 25) < 1e-6


def test_a_late_start_is_kept(tmp_path: Path) -> None:
    late = Recipe(pts=[507 + 512 * n for n in range(10)], container_options={"movie_timescale": "12800"})
    source = make_clip(tmp_path / "late.mp4", late)
    copy_clip(source, tmp_path / "out.mp4")
    assert read(tmp_path / "out.mp4")[1][0].time_s == Fraction(507, 12800)


@pytest.mark.parametrize(
    ("suffix", "pix_fmt"),
    [
        *itertools.product(
            [".mp4", ".mkv", ".mov", ".avi"], ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "bgr0"]
        ),
        *itertools.product([".mkv"], ["yuv411p", "yuv410p", "yuv440p", "gray", "yuv420p16le", "gbrp10le", "gbrp12le"]),
        *itertools.product([".webm"], ["yuv420p", "yuv444p"]),
        (".mp4", "yuv420p12le"),
    ],
)
def test_lossless_keeps_every_sample(suffix: str, pix_fmt: str, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", Recipe(pix_fmt=pix_fmt, codec="ffv1", options={}, frames=4))
    target = tmp_path / f"out{suffix}"
    copy_clip(source, target, LOSSLESS)
    before, after = read(source), read(target)
    assert after[0].pixels == before[0].pixels
    assert same_planes(before[1], after[1])


def test_grey_comes_back_as_grey(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "grey.mkv", Recipe(pix_fmt="gray", codec="ffv1", options={}, frames=3))
    copy_clip(source, tmp_path / "out.mp4", LOSSLESS)
    before, (info, after) = read(source)[1], read(tmp_path / "out.mp4")
    assert info.colour.full_range
    for old, new in zip(before, after, strict=True):
        assert np.array_equal(old.planes[0], new.planes[0])
        assert all((plane == 128).all() for plane in new.planes[1:])


@pytest.mark.parametrize("size", [(289, 361), (49, 64), (48, 63), (1, 17)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_odd_sizes_stay_odd(size: tuple[int, int], suffix: str, tmp_path: Path) -> None:
    recipe = Recipe(size=size, pix_fmt="yuv444p", frames=2, codec="ffv1", options={})
    source = make_clip(tmp_path / "odd.mkv", recipe)
    notes = copy_clip(source, tmp_path / f"out{suffix}")
    info, _ = read(tmp_path / f"out{suffix}")
    assert (info.size, info.pixels.name) == (size, "yuv444p")
    assert not any("cannot hold yuv" in note for note in notes)


def test_an_odd_size_that_h264_cannot_code_goes_to_full_chroma_and_says_so(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "odd.mkv", Recipe(size=(49, 63), codec="ffv1", options={}))
    notes = copy_clip(source, tmp_path / "out.mp4", EncodeOptions(crf=1, preset="ultrafast"))
    info, frames = read(tmp_path / "out.mp4")
    assert (info.size, info.pixels.name) == ((49, 63), "yuv444p")
    assert any("libx264 cannot hold yuv420p at 63x49: written as yuv444p" in note for note in notes)
    before = read(source)[1]
    assert np.abs(before[0].planes[0].astype(int) - frames[0].planes[0]).mean() < 1.5
    whole = copy_clip(source, tmp_path / "whole.mp4", LOSSLESS)
    assert same_planes(before, read(tmp_path / "whole.mp4")[1])
    assert not any("cannot hold" in note for note in whole)


def test_ten_bits_stay_ten_bits_when_lossy(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "deep.mkv", Recipe(pix_fmt="yuv420p10le", codec="ffv1", options={}, frames=4))
    for suffix, codec in ((".mp4", "hevc"), (".mkv", "hevc"), (".mov", "hevc")):
        copy_clip(source, tmp_path / f"out{suffix}")
        info, _ = read(tmp_path / f"out{suffix}")
        assert (info.codec, info.pixels.name) == (codec, "yuv420p10le")
    copy_clip(source, tmp_path / "named.mp4", EncodeOptions(codec="h264", preset="ultrafast"))
    assert probe(tmp_path / "named.mp4").pixels.depth == 10


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("codes", [(1, 1, 1, 1), (9, 9, 16, 1), (6, 6, 6, 2), (5, 5, 4, 1)])
def test_colour_tags_and_aspect_are_kept(suffix: str, codes: tuple[int, int, int, int], tmp_path: Path) -> None:
    def setup(stream: VideoStream) -> None:
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = codes
        context.sample_aspect_ratio = Fraction(3, 2)

    source = make_clip(tmp_path / "tags.mp4", Recipe(frames=2, setup=setup))
    copy_clip(source, tmp_path / f"out{suffix}")
    before, after = probe(source), probe(tmp_path / f"out{suffix}")
    assert after.colour == before.colour
    assert after.colour.matrix_code == codes[0]
    assert after.sample_aspect == Fraction(3, 2)


@pytest.mark.parametrize(("turns", "mirrored"), list(itertools.product(range(4), (False, True))))
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_display_matrix_is_kept(turns: int, mirrored: bool, suffix: str, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe(frames=2))
    target = tmp_path / f"out{suffix}"
    with open_clip(source) as reader:
        like = replace(reader.info, quarter_turns=turns, mirrored=mirrored)
        with open_writer(target, like, FAST) as writer:
            for frame in reader.frames():
                writer.write(frame)
    info = probe(target)
    assert (info.quarter_turns, info.mirrored, info.coded_size) == (turns, mirrored, (48, 64))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize("lossless", [False, True])
def test_interlaced_frames_keep_their_field_order(
    suffix: str, order: FieldOrder, lossless: bool, tmp_path: Path
) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe(frames=4))
    target = tmp_path / f"out{suffix}"
    with open_clip(source) as reader:
        like = replace(reader.info, field_order=order)
        with open_writer(target, like, replace(FAST, lossless=lossless)) as writer:
            frames = list(reader.frames())
            for frame in frames:
                writer.write(frame)
    info, written = read(target)
    assert info.field_order == order
    assert {frame.field_order for frame in written} == {order}
    assert not lossless or same_planes(frames, written)


@pytest.mark.parametrize(("source_suffix", "codec"), [(".mp4", "aac"), (".mkv", "flac"), (".mkv", "libopus")])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_is_copied_packet_by_packet(source_suffix: str, codec: str, suffix: str, tmp_path: Path) -> None:
    rate = 48000 if codec == "libopus" else 44100
    source = make_clip(tmp_path / f"in{source_suffix}", Recipe(frames=50, audio=codec, audio_rate=rate))
    target = tmp_path / f"out{suffix}"
    notes = copy_clip(source, target)
    before, after = packets(source, "audio"), packets(target, "audio")
    assert [data for _, data in after] == [data for _, data in before]
    assert max(abs(a[0] - b[0]) for a, b in zip(before, after, strict=True)) <= 0.0011 if suffix == ".mkv" else 1e-6
    assert any("copied" in note for note in notes)
    assert [frame.time_s for frame in read(target)[1]] == [frame.time_s for frame in read(source)[1]]


def test_sound_that_starts_late_still_does(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe(frames=50, audio="aac", audio_start=13230))
    copy_clip(source, tmp_path / "out.mp4")
    before, after = packets(source, "audio"), packets(tmp_path / "out.mp4", "audio")
    assert [time for time, _ in before] == [time for time, _ in after]
    assert before[0][0] > 0.2


@pytest.mark.parametrize(("suffix", "encoder"), [(".webm", "opus"), (".avi", "pcm_s16le")])
def test_sound_the_container_cannot_hold_is_encoded_and_said(suffix: str, encoder: str, tmp_path: Path) -> None:
    codec = "aac" if suffix == ".webm" else "libopus"
    source = make_clip(tmp_path / "in.mp4", Recipe(frames=50, audio=codec, audio_rate=48000))
    notes = copy_clip(source, tmp_path / f"out{suffix}")
    assert any("cannot hold it" in note and "encoded" in note for note in notes)
    info = probe(tmp_path / f"out{suffix}")
    assert [stream.codec for stream in info.streams if stream.kind == "audio"] == [encoder]
    assert_in_step(load_sound(source), load_sound(tmp_path / f"out{suffix}"))


def test_a_hole_in_the_sound_stays_a_hole_when_encoded(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", Recipe(frames=50, audio="flac", audio_rate=48000))
    holed = tmp_path / "holed.mkv"
    with av.open(str(source)) as container, av.open(str(holed), "w") as out:
        tracks = {stream.index: out.add_stream_from_template(stream) for stream in container.streams}
        for packet in container.demux():
            gone = packet.stream.type == "audio" and 0.5 < float((packet.pts or 0) * (packet.time_base or 0)) < 1.2
            if packet.size and not gone:
                packet.stream = tracks[packet.stream_index]
                out.mux(packet)
    copy_clip(holed, tmp_path / "out.webm")
    before, after = load_sound(holed), load_sound(tmp_path / "out.webm")
    assert np.abs(after.samples[int(0.8 * 16000) : int(1.1 * 16000)]).max() < 0.01
    assert_in_step(before, after)


def assert_in_step(first: Sound, second: Sound, correlation: float = 0.99) -> None:
    """Equal sound at equal times: the tone's phase shifts by a tenth of its period within 4 samples."""
    length = min(first.samples.size, second.samples.size)
    a, b = first.samples[1600 : length - 1600], second.samples[1600 : length - 1600]
    assert np.corrcoef(a, b)[0, 1] > correlation


def clicks(path: Path, seconds: float, at_s: list[float]) -> Path:
    samples = np.zeros(round(seconds * 16000), np.float32)
    for time_s in at_s:
        samples[round(time_s * 16000)] = 0.9
    write_wav(path, Sound(samples, 16000))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".mov"])
@pytest.mark.parametrize("start_s", [Fraction(0), Fraction(1, 4)])
def test_speech_replaces_the_sound_and_ends_with_the_picture(suffix: str, start_s: Fraction, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe(frames=50, audio="aac"))
    speech = clicks(tmp_path / "speech.wav", 5.0, [0.5, 1.25])
    target = tmp_path / f"out{suffix}"
    notes = copy_clip(source, target, FAST, speech, start_s)
    info = probe(target)
    assert [stream.kind for stream in info.streams] == ["video", "audio"]
    assert any("replaced by the speech" in note for note in notes)
    sound = load_sound(target, 16000)
    # The codec's last block may reach past the end by its own length.
    assert 1.99 <= sound.duration_s <= (2.001 if suffix == ".mkv" else 2.07)
    for time_s in (0.5, 1.25):
        there = float(time_s + start_s)
        window = np.abs(sound.samples[round((there - 0.1) * 16000) : round((there + 0.1) * 16000)])
        assert abs(int(window.argmax()) - 1600) <= 16
    assert len(read(target)[1]) == 50


def test_speech_shorter_than_the_picture_is_left_short(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe(frames=50))
    copy_clip(source, tmp_path / "out.mp4", FAST, clicks(tmp_path / "speech.wav", 0.5, [0.2]))
    assert load_sound(tmp_path / "out.mp4").duration_s < 0.6
    assert len(read(tmp_path / "out.mp4")[1]) == 50


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_speech_beside_a_clip_that_starts_late_starts_with_its_picture(suffix: str, tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "plain.ts", Recipe(frames=50, audio="mp2", audio_rate=48000))
    source = shifted(plain, tmp_path / "late.ts", 100.0)
    speech = clicks(tmp_path / "speech.wav", 3.0, [0.5, 1.25])
    target = tmp_path / f"out{suffix}"
    copy_clip(source, target, FAST, speech, clip_origin(source))
    assert target.stat().st_size < 200_000
    sound = load_sound(target)
    assert 1.9 <= sound.duration_s <= 2.1
    for time_s in (0.5, 1.25):
        window = np.abs(sound.samples[round((time_s - 0.1) * 16000) : round((time_s + 0.1) * 16000)])
        assert abs(int(window.argmax()) - 1600) <= 16


def test_speech_taken_from_a_clip_begins_with_that_clips_picture(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe(frames=50))
    early = make_clip(tmp_path / "early.mkv", Recipe(frames=50, pts=[6400 + 512 * k for k in range(50)], audio="flac"))
    copy_clip(source, tmp_path / "out.mkv", FAST, early)
    wanted, heard = load_sound(early), load_sound(tmp_path / "out.mkv")
    assert_in_step(wanted, heard)
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert (container.streams.audio[0].start_time or 0) == 0


def test_a_clip_that_starts_late_fills_no_avi_with_empty_frames(tmp_path: Path) -> None:
    source = make_clip(
        tmp_path / "late.mkv",
        Recipe(frames=8, pts=[64000 + 512 * k for k in range(8)], audio="pcm_s16le", audio_start=5 * 44100),
    )
    notes = copy_clip(source, tmp_path / "out.avi")
    info, frames = read(tmp_path / "out.avi")
    assert len(frames) == info.frame_count == 8
    assert [frame.time_s for frame in frames] == [Fraction(k, 25) for k in range(8)]
    assert any("5.000 s earlier" in note for note in notes)
    assert_in_step(load_sound(source), load_sound(tmp_path / "out.avi"))


def test_speech_from_an_mp3_starts_at_once(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe(frames=50))
    wav, speech = clicks(tmp_path / "speech.wav", 1.9, [0.5]), tmp_path / "speech.mp3"
    with av.open(str(wav)) as sound, av.open(str(speech), "w") as out:
        stream = out.add_stream("libmp3lame", rate=16000, layout="mono")
        assert isinstance(stream, AudioStream)
        for frame in sound.decode(audio=0):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    copy_clip(source, tmp_path / "out.mp4", FAST, speech)
    heard = load_sound(tmp_path / "out.mp4", 16000)
    assert abs(int(np.abs(heard.samples).argmax()) - 8000) <= 16


def test_subtitles_are_copied_or_their_loss_is_said(tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "plain.mp4", Recipe(frames=50))
    text = tmp_path / "words.srt"
    text.write_text("1\n00:00:00,200 --> 00:00:01,000\nlay red\n\n2\n00:00:01,100 --> 00:00:01,900\nwith p nine\n")
    source = tmp_path / "titled.mkv"
    with av.open(str(plain)) as picture, av.open(str(text)) as words:
        remux(target=source, sources=(picture, words))
    assert any("subtitle stream 1 (subrip) copied" in note for note in copy_clip(source, tmp_path / "out.mkv"))
    before, after = packets(source, "subtitle"), packets(tmp_path / "out.mkv", "subtitle")
    assert [data for _, data in before] == [data for _, data in after]
    assert any("subtitle stream 1 (subrip) dropped" in note for note in copy_clip(source, tmp_path / "out.mp4"))


def test_subtitles_of_a_retimed_clip_are_left_out_since_its_frames_are_at_other_times(tmp_path: Path) -> None:
    text, source, target = tmp_path / "words.srt", tmp_path / "titled.mkv", tmp_path / "out.mkv"
    text.write_text("1\n00:00:00,200 --> 00:00:01,000\nlay red\n\n")
    with av.open(str(make_clip(tmp_path / "plain.mp4", Recipe(frames=50)))) as picture, av.open(str(text)) as words:
        remux(target=source, sources=(picture, words))
    with open_clip(source) as reader, open_writer(target, reader.info, FAST, retimed=True) as writer:
        writer.write(next(reader.frames()))
    with av.open(str(target)) as container:
        assert not container.streams.subtitles
    assert any("subtitle stream 1 (subrip) dropped: it keeps time with the clip's own" in note for note in writer.notes)


def test_two_subtitles_that_begin_together_are_both_kept(tmp_path: Path) -> None:
    plain, words = make_clip(tmp_path / "plain.mp4", Recipe(frames=50)), tmp_path / "words.ass"
    lines = ["0:00:00.20,0:00:01.00,Ann,Lay red", "0:00:00.20,0:00:01.00,Bob,Set blue", "0:00:01.20,0:00:01.80,Ann,No"]
    head = "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname\nStyle: Default,Arial\n\n"
    columns = "[Events]\nFormat: Layer, Start, End, Style, Name, Text\n"
    rows = [
        f"Dialogue: 0,{start},{end},Default,{who},{what}\n" for start, end, who, what in (x.split(",") for x in lines)
    ]
    words.write_text(head + columns + "".join(rows))
    source = tmp_path / "titled.mkv"
    with av.open(str(plain)) as picture, av.open(str(words)) as text, av.open(str(source), "w") as out:
        tracks = [(each, out.add_stream_from_template(each.streams[0])) for each in (picture, text)]
        for container, target in tracks:
            for packet in container.demux(container.streams[0]):
                if packet.size:
                    packet.stream = target
                    out.mux(packet)
    copy_clip(source, tmp_path / "out.mkv")
    before, after = packets(source, "subtitle"), packets(tmp_path / "out.mkv", "subtitle")
    assert len(before) == 3
    assert after == before


def test_sound_that_changes_its_channels_midway_is_encoded_to_the_end(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe(frames=50))
    joined = b""
    for layout in ("mono", "stereo"):
        part = tmp_path / f"{layout}.aac"
        with av.open(str(part), "w") as out:
            stream = out.add_stream("aac", rate=48000, layout=layout)
            assert isinstance(stream, AudioStream)
            wave = np.tile(tone(48000, 0, 48000).T, (1, len(stream.layout.channels))).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave), format="s16", layout=layout)
            frame.sample_rate = 48000
            out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        joined += part.read_bytes()
    (tmp_path / "joined.aac").write_bytes(joined)
    copy_clip(source, tmp_path / "out.mkv", FAST, tmp_path / "joined.aac")
    wanted, heard = load_sound(tmp_path / "joined.aac"), load_sound(tmp_path / "out.mkv")
    assert heard.duration_s == pytest.approx(2.0, abs=0.05)
    assert_in_step(wanted, heard)


def test_a_long_gap_in_the_sound_is_filled_in_small_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    early, late = tmp_path / "early.mka", tmp_path / "gap.mka"
    clicks(tmp_path / "tick.wav", 1.0, [0.5])
    with av.open(str(tmp_path / "tick.wav")) as tick, av.open(str(early), "w") as out:
        stream = out.add_stream("flac", rate=16000, layout="mono")
        assert isinstance(stream, AudioStream)
        for frame in tick.decode(audio=0):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with av.open(str(early)) as source, av.open(str(late), "w") as out:
        target = out.add_stream_from_template(source.streams.audio[0])
        kept = [packet for packet in source.demux(audio=0) if packet.size]
        for packet in kept:
            again = av.Packet(bytes(packet))
            again.time_base, later = packet.time_base, 0 if (packet.pts or 0) * (packet.time_base or 0) < 0.2 else 90000
            again.pts = again.dts = (packet.pts or 0) + later
            again.stream = target
            out.mux(again)
    pieces: list[float] = []
    silence = lane._silence

    def weighed(like: av.AudioFrame, seconds: float) -> av.AudioFrame:
        pieces.append(seconds)
        return silence(like, seconds)

    monkeypatch.setattr(lane, "_silence", weighed)
    clip = make_clip(tmp_path / "in.mp4", Recipe(frames=46, rate=Fraction(1, 2), time_base=Fraction(1, 100)))
    copy_clip(clip, tmp_path / "out.mp4", FAST, late)
    assert max(pieces) <= 1.0
    assert sum(pieces) == pytest.approx(90.0, abs=0.1)
    heard = load_sound(tmp_path / "out.mp4")
    assert int(np.abs(heard.samples).argmax()) / 16000 == pytest.approx(90.5, abs=0.01)


def test_an_interrupt_leaves_a_playable_file_under_its_name(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe(frames=50, audio="aac"))
    target = tmp_path / "out.mp4"
    with (
        open_clip(source) as reader,
        pytest.raises(KeyboardInterrupt),
        open_writer(target, reader.info, EncodeOptions(preset="medium")) as writer,
    ):
        for frame in reader.frames():
            writer.write(frame)
            if frame.index == 19:
                raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []
    assert len(read(target)[1]) == 20
    assert 0.75 <= load_sound(target).duration_s <= 0.85
    assert any("interrupted" in note and "20 frames" in note for note in writer.notes)


def test_a_failure_leaves_nothing_and_an_older_file_as_it_was(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe())
    target = tmp_path / "out.mp4"
    target.write_bytes(b"older")
    with (
        open_clip(source) as reader,
        pytest.raises(RuntimeError, match="a bug"),
        open_writer(target, reader.info, FAST) as writer,
    ):
        writer.write(next(reader.frames()))
        raise RuntimeError("a bug")
    assert target.read_bytes() == b"older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_a_clip_may_be_written_over_itself(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "self.mp4", Recipe(frames=30, audio="aac"))
    before, sound = read(path)[1], packets(path, "audio")
    copy_clip(path, path, LOSSLESS)
    assert same_planes(before, read(path)[1])
    assert packets(path, "audio") == sound


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this system")
    source = make_clip(tmp_path / "in.mp4", Recipe())
    real_unlink = Path.unlink

    def unlink_then_link(path: Path, missing_ok: bool = False) -> None:
        real_unlink(path, missing_ok)
        if not (tmp_path / "done").exists():
            (tmp_path / "done").touch()
            path.symlink_to(full)

    monkeypatch.setattr(Path, "unlink", unlink_then_link)
    with pytest.raises(NoSpaceError, match="disk is full"):
        copy_clip(source, tmp_path / "out.mkv")
    assert not (tmp_path / "out.mkv").exists()


def test_a_writer_without_frames_is_an_error(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "in.mp4", Recipe()))
    with pytest.raises(MediaError, match="no frame was given"), open_writer(tmp_path / "out.mp4", info, FAST):
        pass
    assert not (tmp_path / "out.mp4").exists()


def test_a_clip_whose_file_is_gone_is_written_without_sound(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe(audio="aac"))
    info, frames = read(source)
    source.unlink()
    with open_writer(tmp_path / "out.mp4", info, FAST) as writer:
        for frame in frames:
            writer.write(frame)
    assert not probe(tmp_path / "out.mp4").has_audio


def test_doors_of_the_writer(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe())
    info, frames = read(source)
    for path, options, message in [
        (tmp_path / "out.gif", FAST, "cannot write .gif; use .mp4"),
        (tmp_path / "out", FAST, "cannot write a file without suffix"),
        (tmp_path / "out.mp4", EncodeOptions(codec="h266"), "no such encoder"),
        (tmp_path / "out.mp4", EncodeOptions(codec="prores", lossless=True), "never lossless"),
        (tmp_path / "no" / "out.mp4", FAST, "no such file or folder"),
    ]:
        with pytest.raises(MediaError, match=message), open_writer(path, info, options):
            pass
    with (
        pytest.raises(MediaError, match="has no audio track"),
        open_writer(tmp_path / "out.mp4", info, FAST, source),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
    with open_writer(tmp_path / "out.mp4", info, FAST) as writer:
        writer.write(frames[0])
        with pytest.raises(ValueError, match="does not come after"):
            writer.write(frames[0])
        with pytest.raises(ValueError, match="frames must be yuv420p"):
            writer.write(replace(frames[1], pixels=replace(frames[1].pixels, name="yuv422p")))
        with pytest.raises(ValueError, match="plane 0 of yuv420p must be"):
            writer.write(replace(frames[1], planes=tuple(plane[1:] for plane in frames[1].planes)))


def test_avi_refuses_a_rate_it_cannot_hold(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "vfr.mp4", Recipe(pts=VFR))
    with pytest.raises(MediaError, match="cannot hold the clip's variable frame rate"):
        copy_clip(source, tmp_path / "out.avi")
    steady = make_clip(tmp_path / "steady.mp4", Recipe(frames=30, audio="aac"))
    copy_clip(steady, tmp_path / "steady.avi", LOSSLESS)
    assert same_planes(read(steady)[1], read(tmp_path / "steady.avi")[1])
    assert [frame.time_s for frame in read(tmp_path / "steady.avi")[1]] == [Fraction(n, 25) for n in range(30)]


def test_the_least_loss_is_chosen_where_nothing_fits(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "in.mp4", Recipe()))

    def chosen(pix_fmt: str, depth: int, shift: tuple[int, int], name: str = "out.mp4") -> str:
        pixels = replace(info.pixels, name=pix_fmt, depth=depth, chroma_shift=shift)
        return choose_encoder(tmp_path / name, replace(info, pixels=pixels), FAST).pix_fmt

    assert chosen("yuv411p", 8, (0, 2)) == "yuv422p"
    assert chosen("yuv440p", 8, (1, 0)) == "yuv444p"
    assert chosen("yuv422p14le", 14, (0, 1)) == "yuv422p12le"
    deep = replace(info, pixels=replace(info.pixels, name="yuv420p10le", depth=10))
    assert choose_encoder(tmp_path / "out.mp4", deep, FAST).encoder == "libx265"
    fields = choose_encoder(tmp_path / "out.mp4", replace(deep, field_order="tff"), FAST)
    assert (fields.encoder, fields.interlaced) == ("libx264", True)
    with pytest.raises(MediaError, match="no lossless codec of this container"):
        choose_encoder(
            tmp_path / "out.webm",
            replace(info, pixels=replace(info.pixels, name="yuv420p10le", depth=10)),
            LOSSLESS,
        )


def all_frames(path: Path) -> Iterator[Frame]:
    with open_clip(path) as reader:
        yield from reader.frames()


@pytest.mark.footage
@pytest.mark.parametrize(
    "name",
    [
        "derived/vfr_dropped.mp4",
        "derived/odd_size_yuv444.mp4",
        "derived/rotated_displaymatrix.mp4",
        "derived/truncated.mp4",
        "derived/one_frame.mp4",
        "derived/vp9_opus.webm",
        "derived/interlaced_25i.mpg",
        "derived/mjpeg_pcm8k.avi",
        "clips/damaged_mpeg1_sgib8n.mpg",
        "clips/nasa_multi_av_streams.mp4",
        "clips/vfr_asian_m_700.mp4",
    ],
)
def test_hard_footage_survives_a_lossless_copy(name: str, footage: Path, tmp_path: Path) -> None:
    source, target = footage / "hard" / name, tmp_path / "out.mp4"
    copy_clip(source, target, LOSSLESS)
    before, after = probe(source), probe(target)
    assert (after.size, after.pixels, after.sample_aspect) == (before.size, before.pixels, before.sample_aspect)
    assert (after.quarter_turns, after.mirrored) == (before.quarter_turns, before.mirrored)
    assert (after.field_order, after.colour.full_range) == (before.field_order, before.colour.full_range)
    for old, new in zip(all_frames(source), all_frames(target), strict=True):
        assert old.time_s == new.time_s
        assert all(np.array_equal(a, b) for a, b in zip(old.planes, new.planes, strict=True))
    if before.has_audio:
        sound, copied = packets(source, "audio"), packets(target, "audio")
        assert b"".join(data for _, data in copied) == b"".join(data for _, data in sound)
        assert abs(copied[0][0] - sound[0][0]) < 1e-4


def test_the_sound_of_every_stream_is_kept(tmp_path: Path) -> None:
    first = make_clip(tmp_path / "one.mkv", Recipe(frames=25, audio="flac"))
    source = tmp_path / "two.mkv"
    with av.open(str(first)) as container, av.open(str(source), "w") as out:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        targets = [out.add_stream_from_template(stream) for stream in (picture, sound, sound)]
        assert isinstance(targets[2], AudioStream)
        for packet in container.demux(picture, sound):
            if packet.size:
                for target in targets[1:] if packet.stream.type == "audio" else targets[:1]:
                    packet.stream = target
                    out.mux(packet)
    copy_clip(source, tmp_path / "out.mkv")
    assert [stream.kind for stream in probe(tmp_path / "out.mkv").streams] == ["video", "audio", "audio"]


def test_a_packet_whose_time_goes_back_is_dropped_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe(frames=25, audio="aac"))
    with av.open(str(source)) as container, av.open(str(tmp_path / "out.mka"), "w") as out:
        copied = CopyLane(out, container.streams.audio[0])
        kept = [packet for packet in container.demux(container.streams.audio[0]) if packet.size]
        for packet in (*kept[:10], kept[4], *kept[10:]):
            again = av.Packet(bytes(packet))
            again.pts, again.dts, again.time_base = packet.pts, packet.dts, packet.time_base
            copied.feed(again)
    assert "out of order" in caplog.text
    assert len(packets(tmp_path / "out.mka", "audio")) == len(kept)
