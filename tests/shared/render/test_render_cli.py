from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from shared.cli import root
from shared.face.analyse import AnalyseOptions
from shared.media.options import EncodeOptions
from shared.render import cli, once, stage
from shared.render.job import RenderJob
from shared.render.report import report_path
from tests.shared.render.made import FRAMES, MadeFaces, face, make_artefact, make_clip


@pytest.fixture
def call(job: RenderJob, tmp_path: Path) -> list[str]:
    model = make_artefact(tmp_path / "model")
    return ["render", str(job.clip), "--model", str(model), "-o", str(job.output), "--crf", "20"]


def test_one_command_renders_and_answers_in_json(call: list[str], job: RenderJob) -> None:
    result = CliRunner().invoke(root, [*call, "--consent", "I agree", "--json", "-q"])
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["counts"]["changed"] == 16
    assert answer["settings"]["encode"]["crf"] == 20.0
    assert result.stderr == ""
    checked = CliRunner().invoke(root, ["verify", str(job.output)])
    assert checked.exit_code == 0
    assert "consent     I agree" in checked.stdout


def test_a_person_reads_what_was_done_and_sees_progress(call: list[str]) -> None:
    result = CliRunner().invoke(root, [*call, "--consent", "I agree"])
    assert "20 frames, 16 changed, 4 without a face, 0 damaged" in result.stdout
    assert "rendering out.mkv: [########################] 20/20" in result.stderr


@pytest.mark.parametrize("command", ["swap", "sync", "render"])
def test_all_commands_that_render_take_the_same_choices_and_report_alike(
    command: str, job: RenderJob, tmp_path: Path
) -> None:
    model, voice = make_artefact(tmp_path / "model"), make_artefact(tmp_path / "voice")
    own = {
        "swap": ["--model", str(model)],
        "sync": ["--voice", str(voice), "--speech", str(job.clip), "--retime", "off"],
        "render": ["--model", str(model), "--voice", str(voice), "--speech", str(job.clip), "--retime", "off"],
    }[command]
    arguments = [command, str(job.clip), *own, "-o", str(job.output), "--consent", "I agree", "--person", "0"]
    result = CliRunner().invoke(root, [*arguments, "--device", "cpu", "--crf", "30", "--force"])
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"{job.output}: 20 frames, 16 changed, 4 without a face, 0 damaged")
    settings = json.loads(report_path(job.output).read_text())["settings"]
    assert (settings["person"], settings["device"], settings["encode"]["crf"], settings["force"]) == (
        0,
        "cpu",
        30.0,
        True,
    )
    assert settings["consent"]["sha256"] == job.consent.sha256
    assert settings["speech"] == (None if command == "swap" else str(job.clip))


@pytest.mark.parametrize("finder", ["mesh", "fan"])
def test_the_finder_asked_for_looks_for_the_faces(
    call: list[str], finder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[AnalyseOptions] = []
    faces = MadeFaces({index: (face(),) for index in range(FRAMES)})

    def analyse(_: Path, __: Path, options: AnalyseOptions, ___: object) -> MadeFaces:
        asked.append(options)
        return faces

    monkeypatch.setattr(once, "analyse", analyse)
    result = CliRunner().invoke(root, [*call, "--consent", "I agree", "--finder", finder, "--device", "cpu", "--json"])
    assert result.exit_code == 0, result.stderr
    assert {(options.finder, options.device) for options in asked} == {(finder, "cpu")}
    assert json.loads(result.stdout)["settings"]["finder"] == finder


def test_without_consent_nothing_is_rendered(call: list[str], job: RenderJob) -> None:
    result = CliRunner().invoke(root, call)
    assert result.exit_code == 8
    assert result.stderr.startswith("error: no consent statement")
    assert not job.output.exists()


def test_an_output_that_is_the_input_is_usage(call: list[str], job: RenderJob) -> None:
    call[call.index(str(job.output))] = str(job.clip)
    result = CliRunner().invoke(root, [*call, "--consent", "I agree"])
    assert result.exit_code == 2
    assert "also an input" in result.stderr


def test_a_job_file_stands_between_defaults_and_options(call: list[str], job: RenderJob, tmp_path: Path) -> None:
    file = tmp_path / "job.toml"
    file.write_text(
        f'clip = "{call[1]}"\nmodel = "{call[3]}"\noutput = "{job.output}"\nconsent = "I agree"\ncrf = 30\n'
        'lossless = true\nretime = "off"\n'
    )
    result = CliRunner().invoke(root, ["render", "--job", str(file), "--crf", "22", "--json"])
    assert result.exit_code == 0, result.stderr
    settings = json.loads(result.stdout)["settings"]
    encode = settings["encode"]
    assert settings["retime"] == "off"
    assert (encode["crf"], encode["lossless"], encode["preset"]) == (22.0, True, EncodeOptions().preset)


def test_a_job_file_that_cannot_be_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "job.toml"
    for text, said in (
        ("crff = 3", "unknown crff; known: clip, consent, crf, device"),
        ("crf = ", "not a TOML file"),
        ("clip = 'a'\noutput = 'b'\ncrf = 52", "52.0 is not in the range 0<=x<=51"),
        ("clip = 'a'\noutput = 'b'\npreset = 'fastest'", "'fastest' is not one of 'ultrafast'"),
        ("clip = 'a'\noutput = 'b'\ncrf = 'best'", "'best' is not a valid float range"),
    ):
        file.write_text(text)
        result = CliRunner().invoke(root, ["render", "--job", str(file)])
        assert result.exit_code == 2, result.output
        assert said in result.stderr
    assert CliRunner().invoke(root, ["render", "--job", str(tmp_path / "none")]).exit_code == 6


def test_a_job_file_takes_numbers_for_names_and_refuses_lists(
    call: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "job.toml"
    base = f'clip = "{call[1]}"\nmodel = "{call[3]}"\n'
    for text, said in (
        ("output = 3\nconsent = 'I agree'", "3: the output's name must end in one of"),
        ("output = 'out.mkv'\nconsent = 7", "7: a single word is no statement"),
        ("output = ['out.mkv']", "output must be a single value, not a list"),
        ("output = 'out.mkv'\nperson = { name = 'ada' }", "person must be a single value, not a dict"),
        ("output = 2026-01-01", "output must be a single value, not a date"),
    ):
        file.write_text(base + text)
        result = CliRunner().invoke(root, ["render", "--job", str(file)])
        assert said in result.stderr
        assert result.exit_code in (2, 8), result.output


def test_a_job_file_may_list_what_a_command_takes_many_of(tmp_path: Path) -> None:
    file = tmp_path / "job.toml"
    file.write_text("clips = ['none.mp4', 5]\noutput = 'faces'")
    result = CliRunner().invoke(root, ["extract", "--job", str(file)])
    assert "none.mp4: no such file" in result.stderr
    assert result.exit_code == 6


def test_defaults_come_from_the_options_themselves() -> None:
    default = {parameter.name: parameter.default for parameter in cli.render.params}
    assert default["person"] == "largest"
    assert default["train_minutes"] == 20.0
    assert default["retime"] == RenderJob.__dataclass_fields__["retime"].default
    assert default["crf"] == EncodeOptions().crf
    assert default["preset"] == EncodeOptions().preset


@pytest.mark.parametrize(
    ("changed", "said", "code"),
    [
        ({"--device": "cuda"}, "no CUDA device", 2),
        ({"--model": "voice"}, "this is a voice artefact, a paint was expected", 7),
        ({"--model": "plain"}, "not an artefact", 7),
        ({"--speech": "mute.mp4"}, "has no audio track", 6),
        ({"-o": "mine.mkv"}, "exists and is not ours", 7),
        ({"-o": "x" * 210 + ".mp4"}, "name is too long", 2),
        ({"--person": "p" * 300}, "looking for the picture", 6),
        ({"--person": ""}, "say largest, all, speaker", 2),
        ({"--speech": "plain"}, "is not a file", 6),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_analysed(
    call: list[str], tmp_path: Path, changed: dict[str, str], said: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*_: object) -> None:
        raise AssertionError("the analysis began")

    monkeypatch.setattr(once, "analyse", late)
    monkeypatch.chdir(tmp_path)
    make_artefact(tmp_path / "voice", "voice")
    (tmp_path / "plain").mkdir()
    (tmp_path / "mine.mkv").write_bytes(b"mine")
    make_clip(tmp_path / "mute.mp4", sound=False)
    for option, value in changed.items():
        call += [option, value]
    result = CliRunner().invoke(root, [*call, "--consent", "I agree"])
    assert said in result.stderr
    assert result.exit_code == code


def test_speech_longer_than_the_clip_is_told_at_once_and_in_the_report(
    call: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = make_clip(tmp_path / "long.mp4", frames=40)
    monkeypatch.setitem(stage.OPENERS, "sync", "tests.shared.render.made:paint")
    voice = make_artefact(tmp_path / "voice")
    result = CliRunner().invoke(
        root,
        [*call, "--speech", str(long), "--voice", str(voice), "--retime", "off", "--consent", "I agree", "--json"],
    )
    told = "the speech lasts 1.7 s, the clip 0.8 s: it is cut where the clip ends"
    assert f"warning: {told}" in result.stderr
    assert result.stderr.count(told) == 1
    assert told in json.loads(result.stdout)["remarks"]
