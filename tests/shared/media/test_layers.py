"""Layers come back from the disk as they were: colour, matte, times, orientation; and the lines beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.stream import VideoStream

from shared.errors import MediaError, UsageError
from shared.media.layers import MATRICES, check_layers, matrices_path, open_layers
from shared.media.numbered import CONTENTS
from shared.media.reader import open_clip
from shared.picture.composite import composite
from shared.picture.planes import cut
from shared.picture.warp import gaussian, to_float
from shared.types import Face, Floats, Frame, JsonObject, Patch
from tests.shared.media.drawn import Recipe, make_clip

SIZE = (96, 128)
VFR = [0, 512, 1024, 2048, 2077, 4608, 5120, 7000, 7777, 9999]
FACE = Face((30.0, 20.0, 80.0, 70.0), np.full((68, 2), 41.5, np.float32), None, 1.0, 3)


def soft_patch(number: int) -> Patch:
    """A patch of soft colours with a soft matte that wanders over the picture."""
    x0, y0 = 20 + 3 * number, 16 + number
    y, x = np.mgrid[0:48, 0:56].astype(np.float32)
    picture = np.stack([x / 56, y / 48, 0.5 + 0.3 * np.sin(x / 9 + number)], axis=2)
    disc = ((x - 28) ** 2 / 20**2 + (y - 24) ** 2 / 17**2 < 1).astype(np.float32)
    matrix = np.array([[2.0, 0, -x0], [0, 2.0, -y0], [0, 0, 1]])
    return Patch((x0, y0, x0 + 56, y0 + 48), picture.astype(np.float32), gaussian(disc, 1.5), matrix, 3)


def calm(frame: Frame) -> Frame:
    """The frame with little colour: drawn chroma lies outside what RGB can hold, where no compositor agrees."""
    luma, *chroma = frame.planes
    muted = [(plane.astype(np.float32) * 0.08 + 128 * 0.92).astype(np.uint8) for plane in chroma]
    return replace(frame, planes=(luma, *muted))


def write_layers(source: Path, target: Path, every: int = 1, turns: int = 0) -> tuple[list[Frame], list[Frame]]:
    """Layers for a clip; its frames, and the frames with the patches laid over them."""
    frames, laid = [], []
    with open_clip(source) as reader:
        info = reader.info
        if turns:
            info = replace(info, quarter_turns=turns, size=info.size[::-1])
        with open_layers(target, info) as layers:
            for read in reader.frames():
                frame = replace(calm(read), quarter_turns=turns)
                patches = [soft_patch(frame.index)] if frame.index % every == 0 else []
                layers.write(frame, patches, [FACE] if patches else [])
                frames.append(frame)
                laid.append(composite(frame, patches) if patches else frame)
    return frames, laid


def read_mov(path: Path) -> tuple[VideoStream, list[tuple[Fraction, Floats]]]:
    """The stream, and (time, RGBA in [0, 1]) of each frame in coded orientation, chroma untouched."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        found = []
        for frame in container.decode(stream):
            planes = np.stack([np.frombuffer(p, "<u2").reshape(p.height, -1)[:, : p.width] for p in frame.planes])  # type: ignore[call-overload]
            bits = 12 if "12" in frame.format.name else 10
            y, u, v, alpha = planes.astype(np.float64) / (1 << (bits - 8))
            y, u, v = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
            kr, kb = (0.299, 0.114) if int(frame.colorspace) in (2, 5, 6) else (0.2126, 0.0722)
            red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
            green = (y - kr * red - kb * blue) / (1 - kr - kb)
            top = ((1 << bits) - 1) / (1 << (bits - 8))
            time_s = (frame.pts or 0) * (frame.time_base or Fraction(1))
            found.append((time_s, np.stack([red, green, blue, alpha / top], axis=2).astype(np.float32)))
        return stream, found


def read_pictures(folder: Path) -> list[tuple[Fraction, Floats]]:
    said: JsonObject = json.loads((folder / CONTENTS).read_text())
    base = Fraction(said["time_base"])
    found = []
    for name, entry in said["files"].items():
        if name.endswith(".png"):
            stored = np.asarray(cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED), dtype=np.uint16)
            found.append((entry["pts"] * base, to_float(stored[..., [2, 1, 0, 3]])))
    return found


def whole(frame: Frame) -> Floats:
    return to_float(cut(frame, (0, 0, frame.size[1], frame.size[0])))


def lines(path: Path) -> list[JsonObject]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "in.mp4", Recipe(size=SIZE, pts=VFR, pix_fmt="yuv444p"))


def read_layers(target: Path) -> list[tuple[Fraction, Floats]]:
    return read_mov(target)[1] if target.suffix else read_pictures(target)


@pytest.mark.parametrize(("name", "colour_step", "matte_step"), [("out.mov", 6 / 255, 1 / 500), ("out", 1e-4, 1e-4)])
def test_colour_matte_and_times_come_back(
    name: str, colour_step: float, matte_step: float, source: Path, tmp_path: Path
) -> None:
    frames, _ = write_layers(source, tmp_path / name)
    found = read_layers(tmp_path / name)
    assert [time_s for time_s, _ in found] == [frame.time_s for frame in frames]
    for number, (_, rgba) in enumerate(found):
        patch = soft_patch(number)
        x0, y0, x1, y1 = patch.box
        assert float(np.abs(rgba[y0:y1, x0:x1, 3] - patch.mask).max()) < matte_step
        inside = patch.mask > 0.02
        assert float(np.abs(rgba[y0:y1, x0:x1, :3] - patch.picture)[inside].max()) < colour_step
        outside = rgba[..., 3].copy()
        outside[y0:y1, x0:x1] = 0
        assert not outside.any()


@pytest.mark.parametrize(("name", "step"), [("out.mov", 6 / 255), ("out", 3 / 255)])
@pytest.mark.parametrize("pix_fmt", ["yuv444p", "yuv420p"])
def test_the_layer_over_the_clip_is_the_rendered_frame(name: str, step: float, pix_fmt: str, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe(size=SIZE, pix_fmt=pix_fmt))
    frames, laid = write_layers(source, tmp_path / name, every=2)
    for (_, rgba), frame, wanted in zip(read_layers(tmp_path / name), frames, laid, strict=True):
        alpha = rgba[..., 3:]
        over = rgba[..., :3] * alpha + whole(frame) * (1 - alpha)
        difference = np.abs(np.clip(over, 0, 1) - whole(wanted))
        # On subsampled chroma the render averages the matte over 2x2 pixels, which shows on its edge alone.
        assert float(difference.mean()) < step / 4
        assert float(difference.max()) < (24 / 255 if pix_fmt == "yuv420p" else step)
        if wanted is not frame:
            assert float(np.abs(whole(wanted) - whole(frame)).max()) > 0.2


def test_a_turned_clip_has_turned_layers_in_a_clip_and_upright_ones_as_pictures(source: Path, tmp_path: Path) -> None:
    write_layers(source, tmp_path / "out.mov", turns=1)
    write_layers(source, tmp_path / "out", turns=1)
    with open_clip(tmp_path / "out.mov") as reader:
        assert reader.info.quarter_turns == 1
        assert reader.info.coded_size == SIZE
    coded, upright = read_layers(tmp_path / "out.mov")[0][1], read_layers(tmp_path / "out")[0][1]
    assert upright.shape[:2] == SIZE[::-1]
    assert float(np.abs(np.rot90(coded[..., 3]) - upright[..., 3]).max()) < 1 / 500


def test_the_lines_hold_matrices_landmarks_and_times(source: Path, tmp_path: Path) -> None:
    write_layers(source, tmp_path / "out.mov", every=2)
    write_layers(source, tmp_path / "out", every=2)
    about, *from_mov = lines(matrices_path(tmp_path / "out.mov"))
    assert about["about"]["alpha"] == "straight"
    assert from_mov == lines(tmp_path / "out" / MATRICES)
    first, second = from_mov[:2]
    assert (first["pts"], second["pts"]) == (VFR[0], VFR[1])
    assert first["patches"][0]["crop_from_frame"] == [[2.0, 0.0, -20.0], [0.0, 2.0, -16.0], [0.0, 0.0, 1.0]]
    assert first["faces"][0]["track"] == 3
    assert first["faces"][0]["landmarks"] == [[41.5, 41.5]] * 68
    assert second["patches"] == second["faces"] == []


@pytest.mark.parametrize("name", ["out.mov", "out"])
def test_a_failure_leaves_nothing_and_an_interrupt_what_there_is(name: str, source: Path, tmp_path: Path) -> None:
    def stop(error: BaseException, frames: Sequence[Frame], target: Path) -> None:
        with open_clip(source) as reader, open_layers(target, reader.info) as layers:
            for frame in frames:
                layers.write(frame, [soft_patch(0)], [])
            raise error

    with open_clip(source) as reader:
        frames = list(reader.frames())[:4]
    before = sorted(tmp_path.iterdir())
    with pytest.raises(RuntimeError):
        stop(RuntimeError("a stage failed"), frames, tmp_path / name)
    with pytest.raises(KeyboardInterrupt):
        stop(KeyboardInterrupt(), [], tmp_path / name)
    assert sorted(tmp_path.iterdir()) == before
    with pytest.raises(KeyboardInterrupt):
        stop(KeyboardInterrupt(), frames, tmp_path / name)
    assert len(read_layers(tmp_path / name)) == 4


def test_an_installation_without_the_encoder_is_told_and_leaves_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.media.layers.ENCODER", "prores_none")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(MediaError, match="write layers into a folder"):
        write_layers(source, tmp_path / "out.mov")
    assert sorted(tmp_path.iterdir()) == before


def test_names_of_other_clips_are_refused() -> None:
    for name in ("layers", "layers.mov", "layers/%06d.png"):
        check_layers(Path(name))
    with pytest.raises(UsageError, match=r"NAME\.mov \(ProRes 4444\) or into a FOLDER"):
        check_layers(Path("layers.mp4"))
