"""Clips drawn from a seed come back with their own times, planes, colour and orientation, whatever ails them."""

from __future__ import annotations

import gc
import itertools
import logging
import weakref
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from av.video.stream import VideoStream

from shared.errors import MediaError
from shared.media.pixel import planar_format, planes_of
from shared.media.reader import open_clip, probe
from shared.picture.planes import cut
from tests.shared.media.drawn import Recipe, drawn_picture, make_clip, renamed_codec

VFR = [0, 512, 1024, 2048, 2049, 4608, 5120, 7000, 7777, 9999]
EIGHT_WAYS = [(a, 0, 0, d) for a in (1, -1) for d in (1, -1)]
EIGHT_WAYS += [(0, b, c, 0) for b in (1, -1) for c in (1, -1)]
"""a, b, c, d of every display matrix that maps pixels to pixels."""


def times_of(path: Path) -> list[Fraction]:
    with open_clip(path) as reader:
        return [frame.time_s for frame in reader.frames()]


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_variable_frame_rate_keeps_each_time(suffix: str, tmp_path: Path) -> None:
    path = make_clip(tmp_path / f"vfr{suffix}", Recipe(pts=VFR))
    assert times_of(path) == [pts * Fraction(1, 12800) for pts in VFR]


def test_b_frames_lose_none_and_come_in_order(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "b.mp4", Recipe(frames=40, options={"preset": "medium", "bf": "4"}))
    assert times_of(path) == [Fraction(number, 25) for number in range(40)]


def test_a_clip_of_one_frame_has_one_frame(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "one.mp4", Recipe(frames=1))
    assert times_of(path) == [Fraction(0)]


def test_ntsc_times_are_exact(tmp_path: Path) -> None:
    recipe = Recipe(frames=30, rate=Fraction(30000, 1001), time_base=Fraction(1, 30000))
    path = make_clip(tmp_path / "ntsc.mp4", recipe)
    assert times_of(path) == [Fraction(1001 * number, 30000) for number in range(30)]
    assert probe(path).rate == Fraction(30000, 1001)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p", "yuv420p10le", "gray", "yuv422p10le"])
def test_planes_are_the_decoders_own(pix_fmt: str, tmp_path: Path) -> None:
    recipe = Recipe(size=(49, 63), pix_fmt=pix_fmt, frames=3, codec="ffv1", options={})
    path = make_clip(tmp_path / "own.mkv", recipe)
    with open_clip(path) as reader:
        assert reader.info.coded_size == (49, 63)
        assert reader.info.pixels == planar_format(pix_fmt)
        for frame in reader.frames():
            drawn = planes_of(drawn_picture(recipe, frame.index), planar_format(pix_fmt))
            assert all(np.array_equal(a, b) for a, b in zip(frame.planes, drawn, strict=True))


@pytest.mark.parametrize("abcd", EIGHT_WAYS)
def test_the_display_matrix_says_what_is_upright(abcd: tuple[int, int, int, int], tmp_path: Path) -> None:
    a, b, c, d = abcd
    one = 1 << 16

    def setup(stream: VideoStream) -> None:
        stream.set_display_matrix([a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30])

    path = make_clip(tmp_path / "turned.mp4", Recipe(size=(32, 48), frames=1, setup=setup))
    with open_clip(path) as reader:
        frame = next(reader.frames())
    height, width = frame.size
    picture = cut(frame, (0, 0, width, height))
    coded = cut(replace(frame, quarter_turns=0, mirrored=False), (0, 0, 48, 32))
    # FFmpeg, libavutil/display.h: (x, y) of the coded picture is shown at (a x + c y, b x + d y), moved to start at 0.
    y, x = np.mgrid[0:32, 0:48]
    shown_x, shown_y = a * x + c * y, b * x + d * y
    shown = np.zeros_like(picture)
    shown[shown_y - shown_y.min(), shown_x - shown_x.min()] = coded
    assert reader.info.size == (height, width)
    assert np.abs(picture.astype(int) - shown).max() <= 1


def test_colour_tags_and_aspect_are_read(tmp_path: Path) -> None:
    def setup(stream: VideoStream) -> None:
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, 16, 2
        context.sample_aspect_ratio = Fraction(4, 3)

    info = probe(make_clip(tmp_path / "tags.mp4", Recipe(frames=2, setup=setup)))
    colour = info.colour
    assert (colour.matrix, colour.full_range) == ("bt2020", True)
    assert (colour.matrix_code, colour.primaries_code, colour.transfer_code, colour.range_code) == (9, 9, 16, 2)
    assert info.sample_aspect == Fraction(4, 3)


def test_all_streams_are_listed(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "both.mp4", Recipe(audio="aac"))
    info = probe(path)
    assert [(stream.kind, stream.codec, stream.detail) for stream in info.streams] == [
        ("video", "h264", "64x48"),
        ("audio", "aac", "44100 Hz mono"),
    ]
    assert info.has_audio
    assert (info.codec, info.frame_count, info.rate) == ("h264", 10, Fraction(25))
    assert abs(info.duration_s - 0.4) < 1e-6


@pytest.mark.parametrize(("marked", "shown"), [((0, 0), 1), ((1, 1), 1), ((1, 0), 0), ((0, 1), 1)])
def test_the_default_and_then_the_larger_picture_is_read(marked: tuple[int, int], shown: int, tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    small, large = Recipe(size=(24, 32), frames=4), Recipe(size=(48, 64), frames=6)
    with av.open(str(path), "w", container_options={"default_mode": "passthrough"}) as out:
        streams: list[tuple[VideoStream, Recipe]] = []
        for recipe in (small, large):
            stream = out.add_stream("ffv1", rate=25)
            assert isinstance(stream, VideoStream)
            stream.codec_context.height, stream.codec_context.width = recipe.size
            stream.codec_context.pix_fmt = recipe.pix_fmt
            stream.disposition = Disposition(marked[len(streams)])
            streams.append((stream, recipe))
        for number in range(6):
            for stream, recipe in streams:
                if number < recipe.frames:
                    frame = drawn_picture(recipe, number)
                    frame.pts, frame.time_base = number, Fraction(1, 25)
                    out.mux(stream.encode(frame))
        for stream, _ in streams:
            out.mux(stream.encode(None))
    info = probe(path)
    assert info.coded_size == ((24, 32), (48, 64))[shown]
    assert [stream.detail for stream in info.streams] == ["32x24", "64x48"]
    assert len(times_of(path)) == (4, 6)[shown]


def test_times_that_are_missing_are_rebuilt_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    raw = make_clip(tmp_path / "raw.h264", Recipe(frames=6, options={"qp": "0", "bf": "0"}))
    with caplog.at_level(logging.WARNING):
        times = times_of(raw)
    assert times == [Fraction(number, 25) for number in range(6)]
    assert "rebuilt" in caplog.text


def test_times_that_do_not_grow_are_rebuilt_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # Matroska's milliseconds make the third and the fourth time one and the same.
    path = make_clip(tmp_path / "same.mkv", Recipe(frames=5, pts=[0, 512, 1024, 1025, 4000]))
    with caplog.at_level(logging.WARNING):
        times = times_of(path)
    assert len(times) == 5
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    assert "1 frame times were missing or out of order" in caplog.text


def test_a_frame_that_cannot_be_decoded_is_counted_and_passed_over(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mkv", Recipe(frames=8, codec="ffv1", options={"g": "1"}))
    hurt = tmp_path / "hurt.mkv"
    with av.open(str(whole)) as source, av.open(str(hurt), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(source.streams.video[0])):
            if packet.size:
                kept = av.Packet(b"\xff" * packet.size) if number == 3 else packet
                kept.pts, kept.dts, kept.time_base = packet.pts, packet.dts, packet.time_base
                kept.stream = stream
                out.mux(kept)
    with open_clip(hurt) as reader:
        times = [frame.time_s for frame in reader.frames()]
    assert times == [Fraction(number, 25) for number in range(8) if number != 3]
    assert reader.damaged == 1


@pytest.mark.parametrize("rate", [Fraction(1000), Fraction(12800)])
def test_a_clocks_ticks_are_not_taken_for_a_frame_rate(rate: Fraction, tmp_path: Path) -> None:
    recipe = Recipe(frames=20, rate=rate, pts=range(0, 512 * 20, 512))
    assert probe(make_clip(tmp_path / "ticks.mkv", recipe)).rate < 1000
    path = make_clip(tmp_path / "ticks.mp4", recipe)
    assert abs(probe(path).rate - 25) < 2
    assert times_of(path) == [Fraction(number, 25) for number in range(20)]


def test_a_change_of_size_is_scaled_back_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "sizes.mjpeg"
    parts = []
    for number, size in enumerate([(48, 64), (64, 96)]):
        part = tmp_path / f"part{number}.mjpeg"
        recipe = Recipe(size=size, frames=2, codec="mjpeg", pix_fmt="yuvj420p", options={}, time_base=Fraction(1, 25))
        parts.append(make_clip(part, recipe).read_bytes())
    path.write_bytes(b"".join(parts))
    with caplog.at_level(logging.WARNING), open_clip(path) as reader:
        frames = list(reader.frames())
    assert [frame.planes[0].shape for frame in frames] == [(48, 64)] * 4
    assert "size changes at frame 2" in caplog.text


@pytest.mark.parametrize("read_before", [0, 20])
def test_a_file_cut_short_gives_what_it_has_and_counts_the_rest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, read_before: int
) -> None:
    options = {"preset": "ultrafast", "qp": "10"}
    recipe = Recipe(frames=40, size=(96, 128), options=options, container_options={"movflags": "+faststart"})
    whole = make_clip(tmp_path / "whole.mp4", recipe).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) * 6 // 10])
    with caplog.at_level(logging.WARNING), open_clip(path) as reader:
        if read_before:
            first, *_ = itertools.islice(reader.frames(), read_before)
            assert reader.seek(0, first.pts)
        given = len(list(reader.frames()))
    assert 5 < given < 39
    assert reader.damaged == 40 - given
    assert f"with {given} of its 40 frames" in caplog.text


def test_damaged_frames_are_counted_never_fatal(tmp_path: Path) -> None:
    recipe = Recipe(frames=20, size=(96, 128), codec="mpeg2video", options={}, time_base=Fraction(1, 25))
    path = make_clip(tmp_path / "hurt.mkv", recipe)
    bytes_ = bytearray(path.read_bytes())
    rng = np.random.default_rng(3)
    for start in range(len(bytes_) // 3, len(bytes_) * 2 // 3, 400):
        bytes_[start : start + 8] = rng.integers(0, 256, 8, dtype=np.uint8).tobytes()
    path.write_bytes(bytes_)
    with open_clip(path) as reader:
        times = [frame.time_s for frame in reader.frames()]
    assert len(times) >= 10
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    assert reader.damaged > 0


def test_a_whole_clip_has_no_damage(tmp_path: Path) -> None:
    with open_clip(make_clip(tmp_path / "whole.mp4", Recipe(frames=20))) as reader:
        assert len(list(reader.frames())) == 20
    assert reader.damaged == 0


def test_a_picture_of_an_unknown_codec_is_one_clear_error(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", Recipe())
    with pytest.raises(MediaError, match=r"foreign.mp4: its video is of a codec unknown to this installation"):
        probe(renamed_codec(clip, tmp_path / "foreign.mp4", b"avc1", b"zzz1"))


def test_a_stream_of_an_unknown_codec_beside_the_picture_does_no_harm(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", Recipe(audio="flac"))
    info = probe(renamed_codec(clip, tmp_path / "foreign.mkv", b"A_FLAC", b"A_ZZZZ"))
    assert [(stream.kind, stream.codec, stream.detail) for stream in info.streams] == [
        ("video", "h264", "64x48"),
        ("audio", "", ""),
    ]


def test_frames_are_given_once(tmp_path: Path) -> None:
    with open_clip(make_clip(tmp_path / "once.mp4", Recipe())) as reader:
        list(reader.frames())
        with pytest.raises(ValueError, match="given once"):
            next(reader.frames())


@pytest.mark.parametrize("read", [0, 3, 100])
def test_the_reader_of_a_closed_clip_waits_for_no_garbage_collector(tmp_path: Path, read: int) -> None:
    path = make_clip(tmp_path / "clip.mp4", Recipe(frames=10))
    gc.collect()
    gc.disable()
    try:
        with open_clip(path) as reader:
            list(itertools.islice(reader.frames(), read))
            known = weakref.ref(reader)
        del reader
        assert known() is None
    finally:
        gc.enable()


def test_frames_of_a_name_with_odd_characters_are_read(tmp_path: Path) -> None:
    path = tmp_path / "50% – ü:x?.mp4"
    make_clip(tmp_path / "plain.mp4", Recipe()).rename(path)
    assert probe(path).coded_size == (48, 64)


def test_each_unreadable_file_is_one_clear_error(tmp_path: Path) -> None:
    empty, text, sound = tmp_path / "empty.mp4", tmp_path / "text.mp4", tmp_path / "sound.wav"
    empty.touch()
    text.write_text("not a clip " * 50)
    with av.open(str(sound), "w") as out:
        out.add_stream("pcm_s16le", rate=8000)
        out.start_encoding()
    headless = tmp_path / "headless.mp4"
    whole = make_clip(tmp_path / "whole.mp4", Recipe(frames=20)).read_bytes()
    headless.write_bytes(whole[: len(whole) // 2])
    for path, message in {
        tmp_path / "none.mp4": "no such file",
        tmp_path: "is a folder",
        empty: "is empty",
        text: "not a readable media file",
        headless: "cut off before its index",
        sound: "no video stream",
    }.items():
        with pytest.raises(MediaError, match=message) as caught:
            probe(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


HARD = {
    "clips/damaged_mpeg1_sgib8n.mpg": (75, 1),
    "clips/nasa_multi_av_streams.mp4": (390, 0),
    "clips/no_face.mp4": (95, 0),
    "clips/vfr_asian_m_700.mp4": (135, 0),
    "clips/vfr_face_then_noface_hevc.mov": (169, 0),
    "derived/interlaced_25i.mpg": (75, 0),
    "derived/mjpeg_pcm8k.avi": (75, 0),
    "derived/odd_size_yuv444.mp4": (75, 0),
    "derived/one_frame.mp4": (1, 0),
    "derived/truncated.mp4": (38, 37),
    "derived/vfr_dropped.mp4": (56, 0),
    "derived/vp9_opus.webm": (75, 0),
    "images/biden.jpg": (1, 0),
}


@pytest.mark.footage
@pytest.mark.parametrize("name", HARD)
def test_hard_footage_is_read_to_its_end(name: str, footage: Path) -> None:
    with open_clip(footage / "hard" / name) as reader:
        times = [frame.time_s for frame in reader.frames()]
    assert (len(times), reader.damaged) == HARD[name]
    assert all(later > earlier for earlier, later in itertools.pairwise(times))


@pytest.mark.footage
def test_the_rotated_clip_and_the_interlaced_one_say_so(footage: Path) -> None:
    rotated = probe(footage / "hard/derived/rotated_displaymatrix.mp4")
    assert (rotated.size, rotated.coded_size, rotated.quarter_turns) == ((288, 360), (360, 288), 3)
    assert probe(footage / "hard/derived/interlaced_25i.mpg").field_order == "tff"
