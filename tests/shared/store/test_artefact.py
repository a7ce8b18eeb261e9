from __future__ import annotations

import errno
import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from shared.errors import ArtefactError, LockedError, MediaError, NoSpaceError
from shared.store.artefact import (
    artefact,
    cache_folder,
    file_digest,
    fingerprint,
    is_current,
    lock,
    open_artefact,
    write_atomically,
)


@dataclass(frozen=True)
class Options:
    every: int = 5
    name: str = "mesh"


def make(path: Path, wanted: str, force: bool = False) -> None:
    with artefact(path, "toy", 1, wanted, force) as folder:
        (folder / "rows.txt").write_text("rows")


def test_a_fingerprint_follows_each_part_and_not_their_order(tmp_path: Path) -> None:
    clip = tmp_path / "clip"
    clip.write_bytes(b"a" * 10)
    first = fingerprint(clip=clip, options=Options())
    assert first == fingerprint(options=Options(), clip=clip)
    assert len(first) == 32
    assert first != fingerprint(clip=clip, options=replace(Options(), every=6))
    assert fingerprint(value=1) != fingerprint(value="1")
    clip.write_bytes(b"b" * 10)
    assert first != fingerprint(clip=clip, options=Options())


def test_a_byte_at_either_end_of_a_large_file_changes_its_digest(tmp_path: Path) -> None:
    import os

    path = tmp_path / "large"
    content = bytearray(200_000)
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))
    before = file_digest(path)
    for place in (0, 199_999):
        changed = bytearray(content)
        changed[place] = 1
        path.write_bytes(changed)
        os.utime(path, ns=(1, 1))
        assert file_digest(path) != before


def test_an_artefact_counts_by_what_is_in_it_and_not_by_when_it_was_made(tmp_path: Path) -> None:
    path = tmp_path / "model"
    make(path, fingerprint(a=1))
    first = file_digest(path)
    (path / "checkpoints").mkdir()
    (path / "checkpoints" / "best.safetensors").write_bytes(b"step 1")
    before = file_digest(path)
    assert before != first
    (path / "checkpoints" / "best.safetensors").write_bytes(b"step 2")
    assert file_digest(path) != before
    manifest = json.loads((path / "manifest.json").read_text())
    make(path, fingerprint(a=1), force=True)
    (path / "manifest.json").write_text(json.dumps(manifest | {"created": "another day"}))
    assert file_digest(path) == first
    (path / "rows.txt").unlink()
    assert file_digest(path) != first


def test_a_folder_that_is_no_artefact_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"a folder without manifest\.json"):
        file_digest(tmp_path)


def test_an_artefact_lost_between_two_renames_comes_back(tmp_path: Path) -> None:
    path, old = tmp_path / "made", tmp_path / ".made.old"
    make(path, fingerprint(a=1))
    path.rename(old)
    with pytest.raises(RuntimeError), artefact(path, "toy", 1, fingerprint(a=1), force=True):
        raise RuntimeError
    assert open_artefact(path, "toy", 1)
    path.rename(old)
    with lock(path):
        assert is_current(path, "toy", fingerprint(a=1))
    assert not old.exists()


def test_a_part_that_has_no_value_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be a function"):
        fingerprint(progress=make)


def test_an_artefact_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "made"
    wanted = fingerprint(options=Options())
    with pytest.raises(RuntimeError), artefact(path, "toy", 1, wanted) as folder:
        (folder / "half").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    make(path, wanted)
    assert [p.name for p in tmp_path.iterdir()] == ["made"]
    assert is_current(path, "toy", wanted)
    assert not is_current(path, "other", wanted)
    assert open_artefact(path, "toy", 1).parts["options.every"] == "5"


def test_a_resumable_artefact_gets_its_partial_folder_back(tmp_path: Path) -> None:
    path = tmp_path / "made"
    wanted = fingerprint(a=1)
    with pytest.raises(KeyboardInterrupt), artefact(path, "toy", 1, wanted, resume=True) as folder:
        (folder / "half").write_text("half")
        raise KeyboardInterrupt
    details: dict[str, object] = {}
    with artefact(path, "toy", 1, wanted, resume=True, details=details) as folder:
        assert (folder / "half").read_text() == "half"
        details["frames"] = 3
    assert open_artefact(path, "toy", 1).details == {"frames": 3}


def test_other_options_are_an_error_that_names_them_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "made"
    make(path, fingerprint(options=Options()))
    other = fingerprint(options=Options(every=9))
    with pytest.raises(ArtefactError, match=r"options\.every differ"):
        make(path, other)
    make(path, other, force=True)
    assert is_current(path, "toy", other)
    assert [p.name for p in tmp_path.iterdir()] == ["made"]


def test_a_folder_that_is_not_ours_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("mine")
    with pytest.raises(ArtefactError, match="is not an artefact"):
        make(tmp_path / "photos", fingerprint(a=1), force=True)
    assert (tmp_path / "photos" / "a.jpg").exists()


def test_opening_says_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "made"
    with pytest.raises(ArtefactError, match="no such folder"):
        open_artefact(path, "toy", 1)
    (tmp_path / "plain").mkdir()
    with pytest.raises(ArtefactError, match="not an artefact"):
        open_artefact(tmp_path / "plain", "toy", 1)
    make(path, fingerprint(a=1))
    with pytest.raises(ArtefactError, match="this is a toy artefact, a model was expected"):
        open_artefact(path, "model", 1)
    with pytest.raises(ArtefactError, match="this version reads 2"):
        open_artefact(path, "toy", 2)
    (path / "manifest.json").write_text(json.dumps({"kind": "toy"}))
    with pytest.raises(ArtefactError, match="is damaged"):
        open_artefact(path, "toy", 1)


def test_a_full_disk_is_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(NoSpaceError, match="the disk is full"), artefact(tmp_path / "made", "toy", 1, "f"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_second_run_is_locked_out_and_told_by_whom(tmp_path: Path) -> None:
    import os

    with (
        lock(tmp_path / "made"),
        pytest.raises(LockedError, match=rf"another run holds it \(process {os.getpid()}\)"),
        lock(tmp_path / "made"),
    ):
        pass
    with lock(tmp_path / "made"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_process_that_died_is_free(tmp_path: Path) -> None:
    code = (
        "import sys, os; from pathlib import Path; from shared.store.artefact import lock\n"
        "held = lock(Path(sys.argv[1])); held.__enter__(); os._exit(0)"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "made")], check=True, cwd=root)
    assert (tmp_path / ".made.lock").exists()
    with lock(tmp_path / "made"):
        pass


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIPSWAP_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("LIPSWAP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "lipswap"


def test_a_small_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    with pytest.raises(MediaError, match="no such file or folder while writing"):
        write_atomically(tmp_path / "none" / "a", b"")
