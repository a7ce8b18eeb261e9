"""The command ``cache``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from shared.cache_cli import ALL, CHOICES
from shared.cli import root
from shared.store.artefact import lock
from shared.store.cache import KINDS


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("faces/ada-01", "faces/ben-02", "prepared/voice-03", "weights/net"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "content").write_bytes(b"x" * 2_000_000)
    os.utime(tmp_path / "faces" / "ada-01", (4e9, 4e9))
    monkeypatch.setenv("LIPSWAP_CACHE", str(tmp_path))
    return tmp_path


def test_the_kinds_named_in_the_help_are_those_that_there_are() -> None:
    assert (*KINDS, ALL) == CHOICES


def test_what_lies_there_is_told_by_kind(cache: Path) -> None:
    said = CliRunner().invoke(root, ["cache"])
    assert said.exit_code == 0, said.output
    assert said.stdout.startswith(f"{cache}: 6.0 MB of at most 20.0 GB, and weights of 2.0 MB\n")
    assert "  faces        2     4.0 MB  used 2096-10-02 07:06+00:00" in said.stdout
    assert "  model        0     0.0 MB  used never" in said.stdout
    answer = json.loads(CliRunner().invoke(root, ["cache", "--json"]).stdout)
    assert answer["size_bytes"] == 6_000_000
    assert {kind["kind"]: kind["folders"] for kind in answer["kinds"]} == {
        "faces": 2,
        "model": 0,
        "voice": 1,
        "partial": 0,
    }


def test_one_kind_or_all_is_removed_but_never_the_weights_nor_what_is_held(cache: Path) -> None:
    with lock(cache / "faces" / "ben-02"):
        said = CliRunner().invoke(root, ["cache", "--clear", "faces"])
    assert said.stdout.startswith("removed 1 folders, 2.0 MB\n")
    assert f"warning: {cache / 'faces' / 'ben-02'}: another run holds it" in said.stderr
    assert not (cache / "faces" / "ada-01").exists()
    assert (cache / "prepared" / "voice-03").exists()
    answer = json.loads(CliRunner().invoke(root, ["cache", "--clear", "all", "--json"]).stdout)
    assert answer["removed_bytes"] == 4_000_000
    assert answer["size_bytes"] == 0
    assert (cache / "weights" / "net" / "content").is_file()


def test_an_empty_cache_and_a_limit_that_is_none_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIPSWAP_CACHE", str(tmp_path / "none"))
    assert "0.0 MB of at most" in CliRunner().invoke(root, ["cache"]).stdout
    monkeypatch.setenv("LIPSWAP_CACHE_GB", "plenty")
    said = CliRunner().invoke(root, ["cache"])
    assert said.exit_code == 2
    assert said.stderr.startswith("error: LIPSWAP_CACHE_GB=plenty: say how many gigabytes")
