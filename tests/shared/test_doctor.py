from __future__ import annotations

import ctypes
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from shared import doctor
from shared.cli import root
from shared.doctor import Finding, examine


def test_the_doctor_examines_each_topic(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIPSWAP_CACHE", str(tmp_path))
    findings = examine()
    topics = {finding.topic for finding in findings}
    assert {"Versions", "Machine", "Networks run on", "Codecs that can be written", "Weights", "Folders"} <= topics
    found = {finding.name: finding for finding in findings}
    assert found["torch"].state == "ok"
    assert "libx264" in found["video"].value
    assert "sha256 8f2383e4dd3c" in found["yunet"].value
    assert found["yunet"].advice.endswith("lipswap weights fetch")
    assert not list(tmp_path.iterdir())


def test_what_needs_care_always_comes_with_advice() -> None:
    assert all(finding.advice for finding in examine() if finding.state != "ok")


def test_a_missing_libgl_names_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise OSError("cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    monkeypatch.setattr(doctor, "_works", lambda module: module != "cv2")
    found = next(f for f in doctor._libraries() if f.name == "libGL.so.1")
    assert found.state == "broken"
    assert "install libgl1 (Debian" in found.advice
    assert "mesa-libGL (Fedora" in found.advice


def test_a_package_that_only_metrics_need_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    own = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name in ("librosa", "torch") else own(name))
    found = {finding.name: finding for finding in doctor._versions()}
    assert (found["librosa"].state, found["librosa"].value) == ("note", "missing; only the measure of lag needs it")
    assert found["librosa"].advice == "pip install librosa"
    assert found["torch"].state == "broken"


def test_something_broken_is_exit_code_4_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "shared.cli.examine", lambda: [Finding("Versions", "torch", "missing", "broken", "pip install torch")]
    )
    result = CliRunner().invoke(root, ["doctor", "--json"])
    assert result.exit_code == 4
    assert json.loads(result.stdout)["broken_count"] == 1
    assert result.stderr == "error: 1 of these must be put right: torch\n"
    assert "-> pip install torch" in CliRunner().invoke(root, ["doctor"]).stdout
