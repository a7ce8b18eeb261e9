"""An interrupt while a writer finishes finds everything there that was written."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import av
import pytest

from shared.media.ending import ended
from shared.media.layers import ClipLayers, open_layers
from shared.media.numbered import CONTENTS, NumberedPictures
from shared.media.reader import open_clip
from shared.media.sequence import open_sequence
from shared.media.writer import ClipWriter, open_writer
from tests.shared.media.drawn import Recipe, make_clip

FRAMES = 10


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Hear Ctrl-C as a terminal's program does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt_within(monkeypatch: pytest.MonkeyPatch, finishing: type, inner: tuple[object, str]) -> None:
    """Let Ctrl-C be pressed at the first call of `inner` while `finishing` is finished."""
    left: list[int] = []
    finish, step = finishing.finish, getattr(*inner)  # type: ignore[attr-defined]

    def finishes(self: object, *args: object, **named: object) -> None:
        left.append(1)
        finish(self, *args, **named)

    def interrupted(*args: object, **named: object) -> object:
        if left and left.pop():
            left.clear()
            signal.raise_signal(signal.SIGINT)
        return step(*args, **named)

    monkeypatch.setattr(finishing, "finish", finishes)
    monkeypatch.setattr(*inner, interrupted)


def test_a_clip_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe())
    interrupt_within(monkeypatch, ClipWriter, (ClipWriter, "_mux"))
    with (
        pytest.raises(KeyboardInterrupt),
        open_clip(source) as reader,
        open_writer(tmp_path / "out.mkv", reader.info) as writer,
    ):
        for frame in reader.frames():
            writer.write(frame)
    with av.open(str(tmp_path / "out.mkv")) as written:
        assert len(list(written.decode(video=0))) == FRAMES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mkv"]


def test_no_picture_drops_out_of_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe())
    interrupt_within(monkeypatch, NumberedPictures, (Future, "result"))
    with (
        pytest.raises(KeyboardInterrupt),
        open_clip(source) as reader,
        open_sequence(tmp_path / "out" / "%d.png", reader.info) as writer,
    ):
        for frame in reader.frames():
            writer.write(frame)
    listed = json.loads((tmp_path / "out" / CONTENTS).read_text())["files"]
    assert sorted(listed) == sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert len(listed) == FRAMES


def test_layers_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_clip(tmp_path / "in.mp4", Recipe())
    interrupt_within(monkeypatch, ClipLayers, (Path, "replace"))
    with (
        pytest.raises(KeyboardInterrupt),
        open_clip(source) as reader,
        open_layers(tmp_path / "layers.mov", reader.info) as writer,
    ):
        for frame in reader.frames():
            writer.write(frame, (), ())
    with av.open(str(tmp_path / "layers.mov")) as written:
        assert len(list(written.decode(video=0))) == FRAMES


class Impatient:
    """A writer at whose end Ctrl-C is pressed `times` times."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.calls: list[str] = []

    def finish(self, interrupted: bool = False) -> None:
        self.calls.append("early" if interrupted else "whole")
        for _ in range(self.times):
            signal.raise_signal(signal.SIGINT)

    def abandon(self) -> None:
        self.calls.append("abandoned")


@pytest.mark.parametrize(("times", "calls"), [(0, ["whole"]), (1, ["whole"]), (2, ["whole", "abandoned"])])
def test_the_second_ctrl_c_gives_up_what_the_first_one_waits_for(times: int, calls: list[str]) -> None:
    writer = Impatient(times)
    try:
        with ended(writer):
            pass
    except KeyboardInterrupt:
        assert times
    else:
        assert not times
    assert writer.calls == calls


def test_an_early_end_is_not_cut_short_by_one_more_ctrl_c() -> None:
    writer = Impatient(1)
    with pytest.raises(KeyboardInterrupt), ended(writer):
        signal.raise_signal(signal.SIGINT)
    assert writer.calls == ["early"]
