"""Numbered pictures: what is in them, what is said of them, and that the folder is whole or not there."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from shared.errors import MediaError, NoSpaceError, UsageError
from shared.media import numbered
from shared.media.numbered import CONTENTS, NumberedPictures
from shared.media.reader import open_clip
from shared.media.sequence import check_sequence, is_sequence, open_sequence, place_of
from shared.picture.planes import cut
from shared.types import JsonObject, Picture
from tests.shared.media.drawn import Recipe, make_clip

VFR = [0, 512, 1024, 2048, 2077, 4608, 5120, 7000, 7777, 9999]


def copy_as_pictures(source: Path, target: Path) -> tuple[list[str], list[Picture]]:
    """Write a clip as pictures; the writer's notes, and each frame as it should look."""
    wanted = []
    with open_clip(source) as reader, open_sequence(target, reader.info) as writer:
        for frame in reader.frames():
            writer.write(frame)
            wanted.append(cut(frame, (0, 0, frame.size[1], frame.size[0])))
    return writer.notes, wanted


def read(path: Path) -> Picture:
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert stored is not None
    return np.asarray(stored)[..., ::-1]  # type: ignore[return-value]


def contents(folder: Path) -> JsonObject:
    said: JsonObject = json.loads((folder / CONTENTS).read_text())
    return said


@pytest.mark.parametrize(("pix_fmt", "codec", "dtype"), [("yuv420p", "libx264", "u1"), ("yuv420p10le", "ffv1", "u2")])
def test_pictures_have_the_clip_s_depth_and_hold_its_frames_in_order(
    pix_fmt: str, codec: str, dtype: str, tmp_path: Path
) -> None:
    options = {} if codec == "ffv1" else Recipe().options
    source = make_clip(tmp_path / "in.mkv", Recipe(pix_fmt=pix_fmt, codec=codec, options=options))
    notes, wanted = copy_as_pictures(source, tmp_path / "frames" / "%04d.png")
    files = sorted(path.name for path in (tmp_path / "frames").glob("*.png"))
    assert files == [f"{number:04d}.png" for number in range(1, 11)]
    for name, frame in zip(files, wanted, strict=True):
        stored = read(tmp_path / "frames" / name)
        assert stored.dtype == np.dtype(dtype)
        assert np.array_equal(stored, frame)
    assert notes == [f"{pix_fmt} written as RGB of {8 if dtype == 'u1' else 16} bits"]


def test_times_are_said_beside_the_pictures_exactly(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe(pts=VFR))
    copy_as_pictures(source, tmp_path / "frames" / "%06d.png")
    said = contents(tmp_path / "frames")
    base = Fraction(said["time_base"])
    assert [entry["pts"] * base for entry in said["files"].values()] == [Fraction(pts, 12800) for pts in VFR]
    assert list(said["files"])[:2] == ["000001.png", "000002.png"]


def test_a_turned_clip_gives_upright_pictures(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe())
    with open_clip(source) as reader, open_sequence(tmp_path / "out" / "%d.png", reader.info) as writer:
        for frame in reader.frames():
            writer.write(replace(frame, quarter_turns=1))
    with open_clip(source) as reader:
        first = next(reader.frames())
    flat = cut(first, (0, 0, 64, 48))
    assert np.array_equal(read(tmp_path / "out" / "1.png"), np.rot90(flat))


def test_colour_is_tagged_in_the_picture_and_in_the_list(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe(frames=2))
    with open_clip(source) as reader, open_sequence(tmp_path / "out" / "%d.png", reader.info) as writer:
        info = reader.info
        for frame in reader.frames():
            colour = replace(frame.colour, primaries_code=9, transfer_code=16)
            writer.write(replace(frame, colour=colour))
    assert info.colour.matrix == contents(tmp_path / "out")["colour"]["from_matrix"]
    png = (tmp_path / "out" / "1.png").read_bytes()
    assert b"\x00\x00\x00\x04cICP\x09\x10\x00\x01" in png
    with av.open(str(tmp_path / "out" / "1.png")) as container:
        picture = next(container.decode(video=0))
    assert (int(picture.color_primaries), int(picture.color_trc)) == (9, 16)


def test_the_order_of_fields_is_told_since_no_picture_holds_it(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe(frames=2))
    with open_clip(source) as reader:
        info = replace(reader.info, field_order="tff")
        with open_sequence(tmp_path / "out" / "%d.png", info) as writer:
            for frame in reader.frames():
                writer.write(frame)
    assert "pictures hold both fields (tff); no PNG says so" in writer.notes
    assert contents(tmp_path / "out")["field_order"] == "tff"


def test_a_failure_leaves_nothing_and_an_interrupt_leaves_the_pictures_so_far(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe())

    def stop_after_three(error: BaseException, target: Path) -> None:
        with open_clip(source) as reader, open_sequence(target, reader.info) as writer:
            for frame in reader.frames():
                if frame.index == 3:
                    raise error
                writer.write(frame)

    with pytest.raises(RuntimeError):
        stop_after_three(RuntimeError("a stage failed"), tmp_path / "failed" / "%d.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4"]
    with pytest.raises(KeyboardInterrupt):
        stop_after_three(KeyboardInterrupt(), tmp_path / "stopped" / "%d.png")
    assert len(contents(tmp_path / "stopped")["files"]) == 3
    assert len(list((tmp_path / "stopped").glob("*.png"))) == 3


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    source = make_clip(tmp_path / "in.mp4", Recipe())
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(NoSpaceError, match="disk is full"):
        copy_as_pictures(source, tmp_path / "out" / "%d.png")
    assert not (tmp_path / "out").exists()


def test_few_pictures_wait_however_slowly_they_are_written(tmp_path: Path) -> None:
    pictures = NumberedPictures(tmp_path / "out", "%d.png")
    waiting = []
    for number in range(40):
        pictures.add(number, lambda: b"picture", {})
        waiting.append(len(pictures._waiting))
    pictures.finish({})
    assert max(waiting) <= 2 * numbered.WORKERS
    assert len(contents(tmp_path / "out")["files"]) == 40


def test_nothing_written_is_an_error_and_times_must_grow(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe())
    with open_clip(source) as reader:
        frames = list(reader.frames())
        with (
            pytest.raises(MediaError, match="no frame was given"),
            open_sequence(tmp_path / "a" / "%d.png", reader.info),
        ):
            pass
        with (
            pytest.raises(ValueError, match="does not come after"),
            open_sequence(tmp_path / "b" / "%d.png", reader.info) as writer,
        ):
            writer.write(frames[1])
            writer.write(frames[0])
    assert not (tmp_path / "b").exists()


def test_names_that_number_nothing_and_folders_of_others_are_refused(tmp_path: Path) -> None:
    assert is_sequence(Path("frames/%06d.png"))
    assert not is_sequence(Path("frames/out.png"))
    assert place_of(Path("frames/%06d.png")) == Path("frames")
    assert place_of(Path("out.mp4")) == Path("out.mp4")
    for name in ("%s.png", "%d-%d.png", "%6.2d.png"):
        with pytest.raises(UsageError, match="expected one number"):
            check_sequence(tmp_path / "frames" / name)
    with pytest.raises(UsageError, match=r"name a folder .* such as frames/%06d\.png"):
        check_sequence(Path("%06d.png"))
    (tmp_path / "mine").mkdir()
    check_sequence(tmp_path / "mine" / "%d.png")
    (tmp_path / "mine" / "diary.txt").write_text("dear")
    with pytest.raises(UsageError, match=r"holds diary\.txt"):
        check_sequence(tmp_path / "mine" / "%d.png")
    for said in ('{"files": {"diary.txt": {}}}', '{"tool": "lipswap 1", "files": {"1.png": {}}}', "[]", "{", '{"a":'):
        (tmp_path / "mine" / CONTENTS).write_text(said)
        with pytest.raises(UsageError, match=r"holds (diary\.txt|contents\.json), which no render wrote"):
            check_sequence(tmp_path / "mine" / "%d.png")
    (tmp_path / "mine" / CONTENTS).write_text('{"tool": "lipswap 1", "files": {"diary.txt": {}}}')
    check_sequence(tmp_path / "mine" / "%d.png")
