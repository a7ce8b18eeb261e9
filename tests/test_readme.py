"""What the documents promise is there, and what is there is in the documents."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest

from shared.cli import COMMANDS, root

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def command_named(name: str) -> click.Command:
    command = root.get_command(click.Context(root), name)
    assert command is not None
    return command


@pytest.mark.parametrize("name", list(COMMANDS))
def test_each_command_is_in_the_readme_and_has_an_example(name: str) -> None:
    assert re.search(rf"^lipswap {name}\b", README, re.MULTILINE)
    assert f"Example: lipswap {name}" in (command_named(name).epilog or "")


def test_options_in_the_readme_s_commands_exist() -> None:
    for line in re.findall(r"^lipswap .*$", README, re.MULTILINE):
        words = line.split("#")[0].split()
        command = command_named(words[1])
        known = {option for parameter in command.params for option in parameter.opts}
        used = {word for word in words if word.startswith("-")}
        assert used <= known, line


def test_the_tree_of_the_readme_is_the_tree() -> None:
    named = re.findall(r"^(\w+)/ {2,}", README, re.MULTILINE)
    assert set(named) == {"faceswap", "lipsync", "models", "shared", "tests", "examples", "benchmarks"}
    assert all((ROOT / folder).is_dir() for folder in named)


def test_every_benchmark_is_in_its_readme() -> None:
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    files = (ROOT / "benchmarks").glob("*.py")
    programs = {path.name for path in files if "__main__" in path.read_text(encoding="utf-8")}
    assert programs == set(re.findall(r"benchmarks/(\w+\.py)", text))


def test_nothing_compiled_or_pickled_is_in_the_repository() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    bad = re.findall(
        r"^.*(?:__pycache__|\.pyc|\.pkl|\.pickle|\.pth|\.onnx|\.tflite|\.nbi|\.nbc).*$", listed.stdout, re.M
    )
    assert bad == []
