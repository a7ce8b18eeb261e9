"""Room for the output is asked for before any work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.errors import NoSpaceError
from shared.media.options import EncodeOptions
from shared.media.reader import probe
from shared.render import once
from shared.render.check import SPACE_MARGIN, bytes_needed, check_space
from shared.render.job import RenderJob, Wish
from shared.render.once import render
from shared.render.prepare import complete
from shared.types import ClipInfo


@pytest.fixture
def like(clip: Path) -> ClipInfo:
    """A minute at 8 Mbit/s."""
    return replace(probe(clip), path=clip, bit_rate=8_000_000, duration_s=60.0)


@pytest.fixture
def large(clip: Path, like: ClipInfo) -> ClipInfo:
    with clip.open("ab") as file:
        file.truncate(100_000_000)
    return like


def leave_free(monkeypatch: pytest.MonkeyPatch, free: float) -> list[Path]:
    asked: list[Path] = []

    def disk_usage(path: Path) -> SimpleNamespace:
        asked.append(path)
        return SimpleNamespace(free=free)

    monkeypatch.setattr("shared.render.check.shutil.disk_usage", disk_usage)
    return asked


def test_a_clip_takes_its_own_bytes_twice_where_the_signature_is_inside(large: ClipInfo) -> None:
    mp4, mkv = Path("out.mp4"), Path("out.mkv")
    assert bytes_needed(mp4, large, EncodeOptions()) == 120e6
    assert bytes_needed(mkv, large, EncodeOptions()) == 60e6
    assert bytes_needed(mkv, large, EncodeOptions(crf=30)) == 15e6
    assert bytes_needed(mkv, large, EncodeOptions(lossless=True)) == 300e6
    assert bytes_needed(mkv, replace(large, codec="prores"), EncodeOptions()) == 6e6
    assert bytes_needed(mkv, replace(large, bit_rate=0), EncodeOptions()) == 100e6


def test_a_header_that_promises_more_than_the_file_holds_is_not_believed(like: ClipInfo) -> None:
    assert bytes_needed(Path("out.mkv"), like, EncodeOptions()) == like.path.stat().st_size


def test_only_what_clearly_has_no_room_is_refused(
    large: ClipInfo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    asked = leave_free(monkeypatch, 120e6 / SPACE_MARGIN)
    check_space(output, large, EncodeOptions())
    assert asked == [tmp_path]
    leave_free(monkeypatch, 120e6 / SPACE_MARGIN - 1)
    with pytest.raises(NoSpaceError, match=r"out\.mp4: needs about 120 MB while it is made, 30 MB are free there"):
        check_space(output, large, EncodeOptions())


def test_no_room_is_told_before_anything_is_analysed_or_learned(
    job: RenderJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_free(monkeypatch, 100.0)

    def late(*_: object) -> None:
        raise AssertionError("the work began")

    monkeypatch.setattr(once, "analyse", late)
    with pytest.raises(NoSpaceError, match="0 MB are free") as told:
        render(job)
    assert told.value.exit_code == 10
    with pytest.raises(NoSpaceError):
        complete(Wish(replace(job, stages=()), speech=job.clip))
    assert list(job.output.parent.glob("*out*")) == []
