"""The commands: help with an example, and the doors."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from click.testing import CliRunner

from lipsync.options import SyncOptions, VoiceOptions, listed
from lipsync.predict import MouthTrack
from lipsync.prepare import _learning
from shared.cli import root
from shared.errors import UsageError
from shared.render.job import RenderJob
from tests.shared.render.made import make_clip


@pytest.mark.parametrize("command", ["learn", "mouth", "sync"])
def test_help_has_an_example(command: str) -> None:
    result = CliRunner().invoke(root, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example: lipswap {command}" in " ".join(result.output.split())


def test_sync_without_consent_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    arguments = ["sync", "a.mp4", "--voice", "v", "--speech", "s.wav", "-o", str(tmp_path / "o.mp4")]
    result = CliRunner().invoke(root, arguments)
    assert result.exit_code == 8


def test_learning_from_a_file_that_is_not_there_names_it(tmp_path: Path) -> None:
    result = CliRunner().invoke(root, ["learn", str(tmp_path / "gone.mp4"), "-o", str(tmp_path / "voice")])
    assert result.exit_code == 6
    assert "gone.mp4" in result.output


def test_the_fan_finder_without_its_weights_says_which_file_goes_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("face_alignment")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    clip = make_clip(tmp_path / "clip.mp4", frames=5)
    result = CliRunner().invoke(root, ["learn", str(clip), "-o", str(tmp_path / "voice"), "--finder", "fan"])
    assert result.exit_code == 5, result.output
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: the fan finder's weights are missing: fetch https://")
    assert last.endswith(f"into {tmp_path / 'hub' / 'checkpoints'}")


def test_learning_needs_footage(tmp_path: Path) -> None:
    assert CliRunner().invoke(root, ["learn", "-o", str(tmp_path / "voice")]).exit_code == 2


def test_the_paper_s_network_is_live_as_it_is(tmp_path: Path) -> None:
    result = CliRunner().invoke(root, ["learn", "a.mp4", "-o", str(tmp_path / "v"), "--recipe", "paper", "--live"])
    assert result.exit_code == 2
    assert "leave --live out" in result.stderr


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> list[VoiceOptions]:
    """What was asked to be learned; nothing is."""
    asked: list[VoiceOptions] = []

    def learn(_: object, __: object, options: VoiceOptions, **___: object) -> None:
        asked.append(options)
        raise UsageError("enough")

    monkeypatch.setattr("lipsync.prepare.learn_voice", learn)
    return asked


def test_live_is_asked_of_the_network(tmp_path: Path, learned: list[VoiceOptions]) -> None:
    CliRunner().invoke(root, ["learn", "a.mp4", "-o", str(tmp_path / "v"), "--live"])
    CliRunner().invoke(root, ["learn", "a.mp4", "-o", str(tmp_path / "v")])
    assert [(one.live, _learning(one).live) for one in learned] == [(True, True), (False, False)]


def test_an_offset_that_is_none_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(root, ["learn", "a.mp4", "-o", str(tmp_path / "voice"), "--offset", "early"])
    assert result.exit_code == 2
    assert "--offset early" in result.stderr


@pytest.mark.parametrize("command", ["learn", "evaluate"])
def test_an_unknown_role_is_refused_before_anything_is_read(tmp_path: Path, command: str) -> None:
    arguments = [command, "gone.mp4", "-o", str(tmp_path / "voice"), "--role", "*=sound,mouths"]
    result = CliRunner().invoke(root, arguments)
    assert result.exit_code == 2
    assert result.stderr == (
        "error: --role *=sound,mouths: unknown role 'mouths'; give some of sound, shapes, textures\n"
    )


def test_roles_reach_the_learning_in_their_order(tmp_path: Path, learned: list[VoiceOptions]) -> None:
    given = ["--role", "*=shapes,textures", "--role", "a.mp4=sound"]
    CliRunner().invoke(root, ["learn", "a.mp4", "b.mp4", "-o", str(tmp_path / "voice"), *given])
    assert [(rule.pattern, listed(rule.roles)) for rule in learned[0].roles] == [
        ("*", "shapes and textures"),
        ("a.mp4", "sound"),
    ]


SYNC = ["sync", "clip.mp4", "--voice", "voice", "--consent", "They agree."]


def test_a_mouth_that_nothing_moves_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(root, [*SYNC, "-o", str(tmp_path / "out.mp4")])
    assert result.exit_code == 2
    assert "--speech" in result.stderr
    assert "--mouth" in result.stderr


def test_the_mouth_curve_is_written_before_the_render(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[object, ...]] = []
    monkeypatch.setattr("lipsync.steer.write_mouth", lambda *given: done.append(given))
    monkeypatch.setattr("lipsync.cli.carry_out", lambda job, _: done.append((job.stages[0].options, job.speech)))
    monkeypatch.setattr("shared.render.job.check_job", lambda _: None)
    curve = tmp_path / "new.json"
    given = ["--mouth", "old.csv", "--mouth-out", str(curve), "--opening", "1.3", "--mouth-blend-ms", "50", "--force"]
    result = CliRunner().invoke(root, [*SYNC, "-o", str(tmp_path / "out.mp4"), *given])
    assert result.exit_code == 0, result.output
    (path, options, force, _), (rendered, speech) = done
    assert (path, force, speech) == (curve, True, None)
    wanted = SyncOptions(voice=Path("voice"), speech=None, mouth=Path("old.csv"), blend_ms=50.0, opening=1.3)
    assert options == rendered == wanted


def test_a_mouth_curve_of_another_kind_is_refused_before_the_render(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=5)
    given = ["sync", str(clip), "--voice", str(tmp_path), "--consent", "They agree.", "--mouth", "old.csv"]
    result = CliRunner().invoke(root, [*given, "-o", str(tmp_path / "out.mp4"), "--mouth-out", str(tmp_path / "c.txt")])
    assert result.exit_code == 2
    assert ".csv or .json" in result.stderr


@pytest.mark.parametrize(
    ("has_audio", "speech", "heard"), [(True, None, "driver.mp4"), (False, None, None), (True, "s.wav", "s.wav")]
)
def test_the_sound_is_the_speech_else_the_driver_s_else_the_clip_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_audio: bool, speech: str | None, heard: str | None
) -> None:
    jobs: list[RenderJob] = []
    monkeypatch.setattr("lipsync.cli.carry_out", lambda job, _: jobs.append(job))
    monkeypatch.setattr("shared.render.prepare.probe", lambda _: SimpleNamespace(has_audio=has_audio))
    given = ["--driver", "driver.mp4", *(["--speech", speech] if speech else [])]
    result = CliRunner().invoke(root, [*SYNC, "-o", str(tmp_path / "out.mp4"), *given])
    assert result.exit_code == 0, result.output
    assert jobs[0].speech == (Path(heard) if heard else None)
    assert jobs[0].inputs == (Path("driver.mp4"),)
    assert jobs[0].stages[0].options == SyncOptions(
        voice=Path("voice"), speech=Path(speech) if speech else None, driver=Path("driver.mp4")
    )


@pytest.mark.parametrize(("given", "strength"), [((), 1.0), (("--expression", "0.25"), 0.25)])
def test_an_expression_is_followed_as_far_as_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...], strength: float
) -> None:
    jobs: list[RenderJob] = []
    monkeypatch.setattr("lipsync.cli.carry_out", lambda job, _: jobs.append(job))
    monkeypatch.setattr("shared.render.prepare.probe", lambda _: SimpleNamespace(has_audio=False))
    arguments = [*SYNC, "-o", str(tmp_path / "out.mp4"), "--driver", "driver.mp4", *given]
    result = CliRunner().invoke(root, arguments)
    assert result.exit_code == 0, result.output
    assert cast(SyncOptions, jobs[0].stages[0].options).expression == strength


def test_an_expression_without_a_driver_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        root, [*SYNC, "-o", str(tmp_path / "o.mp4"), "--speech", "s.wav", "--expression", "0.5"]
    )
    assert result.exit_code == 2
    assert "--expression follows the face of --driver VIDEO" in result.stderr


def test_a_mouth_curve_is_written_without_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    track = MouthTrack(np.arange(4) / 100, np.zeros((4, 20), np.float32), np.array([0, 0, 0, 1], np.float32))
    given: list[tuple[object, ...]] = []

    def write(*these: object) -> MouthTrack:
        given.append(these)
        return track

    monkeypatch.setattr("lipsync.steer.write_mouth", write)
    arguments = ["mouth", "--voice", "v", "--speech", "s.wav", "--opening", "0.5", "-o", "c.csv", "--json"]
    result = CliRunner().invoke(root, arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"mouth": "c.csv", "rows": 4, "resting_share": 0.25}
    assert given[0][:3] == (Path("c.csv"), SyncOptions(voice=Path("v"), speech=Path("s.wav"), opening=0.5), False)
