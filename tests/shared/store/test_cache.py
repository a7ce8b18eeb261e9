"""The cache: what lies in it, what makes room, what stays."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import pytest

from shared.errors import ArtefactError, UsageError
from shared.store.artefact import lock
from shared.store.cache import LIMIT, check_base, discard, entries, limit_bytes, make_room, throw_away

DAY_S = 86400.0


def put(cache: Path, name: str, kilobytes: int, days_ago: float) -> Path:
    folder = cache / name
    folder.mkdir(parents=True)
    (folder / "content").write_bytes(b"x" * 1000 * kilobytes)
    age(folder, days_ago)
    return folder


def age(folder: Path, days_ago: float) -> None:
    then = time.time() - days_ago * DAY_S
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (then, then))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    for name, kilobytes, days_ago in (
        ("faces/ada-01", 400, 9.0),
        ("faces/ben-02", 300, 3.0),
        ("prepared/model-03", 200, 5.0),
        ("prepared/voice-04", 100, 0.0),
        ("weights/some", 5000, 99.0),
        ("faces/.eve-05.0123456789ab.partial", 50, 8.0),
        ("faces/.eve-06.0123456789ab.partial", 50, 6.0),
        ("elsewhere/mine", 5000, 99.0),
    ):
        put(tmp_path, name, kilobytes, days_ago)
    return tmp_path


def names(cache: Path) -> set[str]:
    return {entry.path.name for entry in entries(cache)}


def test_each_folder_is_listed_with_its_kind_size_and_last_use(cache: Path) -> None:
    found = {entry.path.name: entry for entry in entries(cache)}
    assert {name: entry.kind for name, entry in found.items()} == {
        "ada-01": "faces",
        "ben-02": "faces",
        "model-03": "model",
        "voice-04": "voice",
        ".eve-05.0123456789ab.partial": "partial",
        ".eve-06.0123456789ab.partial": "partial",
    }
    assert found["ada-01"].size_bytes == 400_000
    assert time.time() - found["model-03"].used_s == pytest.approx(5 * DAY_S, abs=60)
    assert entries(cache / "none") == []


def test_what_was_used_least_lately_goes_first_and_weights_stay(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, "0.0007")
    assert [entry.path.name for entry in make_room(cache)] == [".eve-05.0123456789ab.partial", "ada-01"]
    assert names(cache) == {"ben-02", "model-03", "voice-04", ".eve-06.0123456789ab.partial"}
    monkeypatch.setenv(LIMIT, "0.0004")
    assert [entry.path.name for entry in make_room(cache)] == ["model-03", "ben-02"]
    assert (cache / "weights" / "some" / "content").is_file()
    assert (cache / "elsewhere" / "mine" / "content").is_file()


def test_only_forgotten_unfinished_work_goes_below_the_limit(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LIMIT, raising=False)
    assert [entry.path.name for entry in make_room(cache)] == [".eve-05.0123456789ab.partial"]
    assert make_room(cache) == ()


def test_what_is_locked_or_was_just_used_stays(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, "0")
    with lock(cache / "faces" / "ada-01"), lock(cache / "faces" / "eve-05"):
        assert [entry.path.name for entry in make_room(cache)] == ["model-03", "ben-02"]
    assert names(cache) == {
        "ada-01",
        "voice-04",
        ".eve-05.0123456789ab.partial",
        ".eve-06.0123456789ab.partial",
    }
    assert [entry.path.name for entry in make_room(cache)] == [".eve-05.0123456789ab.partial", "ada-01"]


def test_an_artefact_lost_between_two_renames_is_not_taken_for_unfinished_work(cache: Path) -> None:
    old = put(cache, "faces/.zoe-07.old", 10, 30.0)
    (old / "manifest.json").write_text("{}")
    age(old, 30.0)
    make_room(cache)
    assert (cache / "faces" / "zoe-07" / "content").is_file()


def test_a_clip_whose_name_begins_with_a_point_is_no_unfinished_work(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(LIMIT, raising=False)
    put(cache, "faces/.clip-0123456789abcdef", 10, 30.0)
    half = put(cache, "faces/..clip-99.0123456789ab.partial", 10, 30.0)
    found = {entry.path.name: entry for entry in entries(cache)}
    assert found[".clip-0123456789abcdef"].kind == "faces"
    with lock(cache / "faces" / ".clip-99"):
        assert not discard(found[half.name])
    make_room(cache)
    assert not half.exists()
    assert ".clip-0123456789abcdef" in names(cache)
    assert discard(found[".clip-0123456789abcdef"])


@pytest.mark.parametrize("said", ["much", "-1", "nan"])
def test_a_limit_that_is_no_size_is_refused(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, said)
    with pytest.raises(UsageError, match=f"LIPSWAP_CACHE_GB={said}: say how many gigabytes"):
        limit_bytes()
    monkeypatch.setenv(LIMIT, "1.5")
    assert limit_bytes() == 1.5e9
    monkeypatch.delenv(LIMIT)
    assert limit_bytes() == 20e9


def test_a_folder_that_another_run_removed_meanwhile_is_no_fault(cache: Path) -> None:
    entry = next(entry for entry in entries(cache) if entry.path.name == "ada-01")
    assert discard(entry)
    assert not discard(entry)
    throw_away(entry.path)


def test_a_base_is_checked_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "a #1?.sqlite"
    base = sqlite3.connect(file)
    base.execute("CREATE TABLE words (word TEXT)")
    base.executemany("INSERT INTO words VALUES (?)", [("word" * 100,)] * 200)
    base.commit()
    base.close()
    check_base(file)
    content = file.read_bytes()
    file.write_bytes(content[:-8192])
    with pytest.raises(ArtefactError, match=r"damaged|unreadable"):
        check_base(file)
    with pytest.raises(ArtefactError, match="unable to open"):
        check_base(tmp_path / "none.sqlite")
    assert not (tmp_path / "none.sqlite").exists()
