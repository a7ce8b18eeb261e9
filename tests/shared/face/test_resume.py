"""An analysis that was interrupted, killed or damaged goes on, and ends as if nothing had happened."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from shared.errors import MediaError
from shared.face import analyse as analysis
from shared.face import fill as filling
from shared.face import track as tracking
from shared.face.analyse import AnalyseOptions, analyse
from shared.face.cuts import Cuts
from shared.face.detect import Detection
from shared.face.resume import UnfitError, pack, unpack
from shared.face.smooth import Seen, Window
from shared.face.state import Live, TrackState, TrackSummary
from shared.progress import Progress, silent
from shared.store.faces import FILE_NAME
from shared.store.facewriter import FaceWriter
from shared.types import Face, Floats, Frame
from tests.shared.face.staged import Actor, Namer, Script, blank

ROOT = Path(__file__).resolve().parents[3]
FRAMES = 160
TAKES = (0, 110)
"""First frames of the shots of the staged clip."""


class Fickle(Script):
    """A finder whose view depends on all that it and its tracker carry from frame to frame."""

    def detect(self, frame: Frame, thorough: bool = False) -> tuple[Detection, ...]:
        """Small actors only when thorough, the second one not under three turns."""
        if thorough:
            self.turns = (self.turns + 1) % 4
        hidden = {2: not thorough, 1: self.turns == 3}
        seen = [actor for actor in self.actors if not hidden.get(actor.name)]
        found = Script(seen).detect(frame)
        self.detections.append(frame.index)
        return found


def staged() -> Fickle:
    """Three who shake a little: one who stays, one who comes and goes, a small one whom the detector loses."""
    rng = np.random.default_rng(8)

    def places(x: float, y: float, numbers: Sequence[int]) -> dict[int, tuple[float, float]]:
        return {n: (x + n / 9 + rng.normal(0, 0.3), y + rng.normal(0, 0.3)) for n in numbers}

    return Fickle(
        [
            Actor(0, places(60, 36, range(FRAMES))),
            Actor(1, places(260, 40, [*range(8, 52), *range(70, 150)])),
            Actor(2, places(460, 30, range(FRAMES)), score=0.74, unseen=frozenset([*range(60, 90), *range(125, 160)])),
        ]
    )


def film(path: Path) -> Path:
    """The staged clip: noise that gets lighter at once in the middle, and a cut to another noise."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25, options={"qp": "0", "preset": "ultrafast"})
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = 128, 72, "yuv420p"
        for number in range(FRAMES):
            rng = np.random.default_rng(sum(number >= first for first in TAKES))
            picture = np.kron(rng.integers(20, 220, size=(9, 16)), np.ones((8, 8))) + 6 * (number >= 58)
            out.mux(
                video.encode(av.VideoFrame.from_ndarray(picture.astype(np.uint8), "gray").reformat(format="yuv420p"))
            )
        out.mux(video.encode(None))
    return path


def analysed(clip: Path, cache: Path, progress: Progress = silent, save_every_s: float = 0.0) -> Script:
    """Analyse the staged clip; the finder that was used."""
    script = staged()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analysis, "_finder", lambda _: script)
        patch.setattr(tracking, "Embedder", lambda: Namer(script, frozenset(range(90, 100))))
        patch.setattr(filling, "SAVE_EVERY_S", save_every_s)
        patch.setattr(filling, "SAVE_SHARE", float("inf"))
        analyse(clip, cache, progress=progress).close()
    return script


def stop_at(number: int, stop: Callable[[], None] | None = None) -> Progress:
    """A progress that interrupts when this many frames were analysed."""

    def progress(done: float, total: float, label: str) -> None:  # noqa: ARG001 - a Progress
        if label == "finding faces" and done == number:
            if stop is not None:
                stop()
            raise KeyboardInterrupt

    return progress


def kill_at(number: int, clip: str, cache: str) -> None:
    """In a process of its own: analyse until it is killed."""
    analysed(Path(clip), Path(cache), stop_at(number, lambda: signal.raise_signal(signal.SIGKILL)))


def store_in(cache: Path) -> dict[str, list[Any]]:
    """All rows of the one sealed store in a cache, by table, and the tables themselves."""
    (file,) = cache.glob(f"faces/[!.]*/{FILE_NAME}")
    assert sorted(path.name for path in file.parent.iterdir()) == [FILE_NAME, "manifest.json"]
    assert not list(cache.glob("faces/.*"))
    base = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    tables = base.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    rows = {name: base.execute(f"SELECT * FROM {name}").fetchall() for name, _ in tables}
    assert base.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    base.close()
    return {"tables": tables, **rows}


def left_in(cache: Path) -> Path:
    """The unfinished file in a cache."""
    (file,) = cache.glob(f"faces/.*.partial/{FILE_NAME}")
    return file


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("film") / "staged.mp4")


@pytest.fixture(scope="module")
def whole(weights: None, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:  # noqa: ARG001
    cache = tmp_path_factory.mktemp("whole")
    analysed(clip, cache, save_every_s=1e9)
    return store_in(cache)


def test_the_staged_clip_has_all_that_a_state_must_carry(whole: dict[str, list[Any]]) -> None:
    assert len(whole["frames"]) == FRAMES
    assert {shot for *_, shot in whole["frames"]} == {0, 1}
    assert len(whole["tracks"]) >= 4
    assert {why for *_, why in whole["faces"]} == {"", "lost", "unsure"}


@pytest.mark.parametrize("seed", range(6))
def test_an_interrupted_analysis_ends_with_the_same_rows(
    whole: dict[str, list[Any]], clip: Path, tmp_path: Path, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    for number in sorted(rng.choice(np.arange(1, FRAMES), size=3, replace=False).tolist()):
        with pytest.raises(KeyboardInterrupt):
            analysed(clip, tmp_path, stop_at(number))
    assert analysed(clip, tmp_path).detections[0] > number - 20, "it did not begin anew"
    assert store_in(tmp_path) == whole


def test_many_interrupts_in_a_row_change_nothing(whole: dict[str, list[Any]], clip: Path, tmp_path: Path) -> None:
    for number in range(25, FRAMES + 1, 15):
        with pytest.raises(
            KeyboardInterrupt, match=r"staged\.mp4: the faces of its first \d+ frames are kept; the same"
        ):
            analysed(clip, tmp_path, stop_at(number))
    analysed(clip, tmp_path)
    assert store_in(tmp_path) == whole


def test_before_anything_is_saved_there_is_nothing_to_promise(
    whole: dict[str, list[Any]], clip: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        analysed(clip, tmp_path, stop_at(100), save_every_s=1e9)
    assert not caught.value.args
    assert analysed(clip, tmp_path).detections[0] == 0
    assert store_in(tmp_path) == whole


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("number", [37, 121])
def test_a_killed_analysis_ends_with_the_same_rows(
    whole: dict[str, list[Any]], clip: Path, tmp_path: Path, number: int
) -> None:
    code = f"from tests.shared.face.test_resume import kill_at; kill_at({number}, {str(clip)!r}, {str(tmp_path)!r})"
    killed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert left_in(tmp_path).with_name(f"{FILE_NAME}-wal").exists()
    assert analysed(clip, tmp_path).detections[0] > number - 20
    assert store_in(tmp_path) == whole


@pytest.mark.parametrize(("took_s", "next_s"), [(0.005, 2.0), (0.5, 50.0)])
def test_where_saving_is_slow_it_is_done_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, took_s: float, next_s: float
) -> None:
    clock = iter([100.0, 100.0 + took_s])
    with FaceWriter(tmp_path / FILE_NAME) as writer, monkeypatch.context() as patch:
        patch.setattr("time.monotonic", lambda: next(clock))
        assert filling._save(writer, TrackState()) == pytest.approx(100.0 + took_s + next_s)


def test_the_way_back_is_told_and_nothing_is_analysed_twice(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt, match=r"first 11\d frames"):
        analysed(clip, tmp_path, stop_at(112))
    told: list[tuple[str, float]] = []
    analysed(clip, tmp_path, lambda done, _, label: told.append((label, done)))
    back = [done for label, done in told if label.startswith("returning to frame 11")]
    found = [done for label, done in told if label == "finding faces"]
    assert back == list(range(1, len(back) + 1))
    assert found == list(range(len(back) + 1, FRAMES + 1))


@pytest.mark.parametrize("harm", ["cut short", "emptied", "no database", "a page of noise", "state of noise"])
def test_a_file_that_is_damaged_is_analysed_anew(
    whole: dict[str, list[Any]], clip: Path, tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KeyboardInterrupt):
        analysed(clip, tmp_path, stop_at(140))
    file = left_in(tmp_path)
    content = file.read_bytes()
    if harm == "state of noise":
        with sqlite3.connect(file) as base:
            base.execute("UPDATE unfinished SET arrays = ?", (b"noise" * 500,))
        base.close()
    elif harm == "a page of noise":
        file.write_bytes(content[:4096] + bytes(range(256)) * 16 + content[8192:])
    else:
        file.write_bytes({"cut short": content[: len(content) // 2], "emptied": b""}.get(harm, b"no database" * 1000))
    assert analysed(clip, tmp_path).detections[0] == 0
    assert store_in(tmp_path) == whole
    assert "beginning anew" in caplog.text or harm == "emptied"


def test_a_clip_that_cannot_be_read_leaves_nothing_in_the_cache(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no pictures")
    with pytest.raises(MediaError):
        analysed(tmp_path / "clip.mp4", tmp_path / "cache")
    assert not list((tmp_path / "cache" / "faces").iterdir())


def test_a_state_of_another_layout_is_not_taken_up(whole: dict[str, list[Any]], clip: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        analysed(clip, tmp_path, stop_at(140))
    with sqlite3.connect(left_in(tmp_path)) as base:
        base.execute("""UPDATE unfinished SET facts = REPLACE(facts, '"layout": ', '"layout": 9')""")
    base.close()
    assert analysed(clip, tmp_path).detections[0] == 0
    assert store_in(tmp_path) == whole


def test_a_run_that_ended_before_its_folder_was_sealed_is_only_sealed(
    whole: dict[str, list[Any]], clip: Path, tmp_path: Path
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.store.artefact._write_manifest", fail)
        with pytest.raises(KeyboardInterrupt):
            analysed(clip, tmp_path)
    assert not analysed(clip, tmp_path).detections
    assert store_in(tmp_path) == whole


def full_state(seed: int = 3) -> TrackState:
    """A state in which no field is what it is at first."""
    rng = np.random.default_rng(seed)

    def vector() -> Floats:
        return rng.normal(size=128).astype(np.float32)

    def face() -> Face:
        points = rng.normal(size=(478, 3)).astype(np.float32)
        shapes = rng.uniform(size=52).astype(np.float32)
        box, pose = (tuple(rng.normal(size=4).tolist()), tuple(rng.normal(size=3).tolist()))
        return Face(box, points[:68, :2], points, rng.uniform(), 1, pose, shapes, rng.uniform())

    summaries = [
        TrackSummary(number, 2, vector(), 3, 4, rng.uniform(), rng.uniform(), 17, 1, [(3, 9), (11, 12)])
        for number in range(2)
    ]
    live, lost = (Live(one, face(), rng.uniform(), rng.uniform(), rng.uniform()) for one in summaries)
    seen = [Seen(blank(index), [face(), replace(face(), mesh=None, blendshapes=None)], 2) for index in range(26, 31)]
    return TrackState(
        cuts=Cuts(rng.uniform(size=(36, 64)).astype(np.float32), rng.uniform()),
        shot=2,
        last=30,
        live=[live],
        lost=[lost],
        summaries=summaries,
        detected_s=rng.uniform(),
        searched_s=float("-inf"),
        turns=3,
        window=Window(deque(seen), 2),
    )


def same(one: object, other: object) -> bool:
    """Whether two values are equal to the last bit, part by part."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and bool((one == other).all())
    if is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)
        )
    if isinstance(one, list | tuple | deque) and isinstance(other, list | tuple | deque):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def test_a_state_comes_back_to_the_last_bit() -> None:
    state, first = full_state(), TrackState()
    untouched = [field.name for field in fields(first) if same(getattr(first, field.name), getattr(state, field.name))]
    assert untouched == ["searched_s", "pending"]
    back = unpack(pack(state), map(blank, range(100)))
    assert same(back, state)
    assert not same(back, full_state(4))
    assert back.live[0].summary is back.summaries[0]
    assert back.lost[0].summary is back.summaries[1]
    assert same(unpack(pack(TrackState(last=0)), [blank(0)]), TrackState(last=0))


def test_a_state_is_taken_up_only_with_the_frames_it_was_saved_with() -> None:
    saved = pack(full_state())
    with pytest.raises(UnfitError, match="the clip ends before frame 30"):
        unpack(saved, map(blank, range(20)))
    with pytest.raises(UnfitError, match="other times"):
        unpack(saved, (replace(blank(index), pts=2 * index) for index in range(100)))
    with pytest.raises(UnfitError, match="not a state of layout"):
        unpack(replace(saved, facts=json.dumps({"layout": 1, "state": {}})), map(blank, range(100)))
    with pytest.raises(ValueError, match="no frame is pending, got 1"):
        pack(replace(full_state(), pending=[Seen(blank(31), [], 2)]))


@pytest.mark.footage
@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize(
    ("name", "stops"),
    [
        ("derived/two_people_right_speaks.mp4", (18, 44)),
        ("derived/rotated_no_metadata.mp4", (30,)),
        ("clips/damaged_mpeg1_sgib8n.mpg", (41,)),
    ],
)
def test_real_footage_too_ends_with_the_same_rows(
    footage: Path, tmp_path: Path, name: str, stops: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = AnalyseOptions(blendshapes=True)
    clip = footage / "hard" / name
    analyse(clip, tmp_path / "whole", options).close()
    monkeypatch.setattr(filling, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(filling, "SAVE_SHARE", float("inf"))
    for number in stops:
        with pytest.raises(KeyboardInterrupt, match="are kept"):
            analyse(clip, tmp_path / "parts", options, stop_at(number))
    analyse(clip, tmp_path / "parts", options).close()
    assert store_in(tmp_path / "parts") == store_in(tmp_path / "whole")
