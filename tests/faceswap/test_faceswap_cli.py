"""The commands: help, and errors before any work."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from faceswap.options import AugmentOptions, TrainOptions
from faceswap.train_cli import SETTINGS
from shared.cli import root
from tests.faceswap.drawn import make_faceset


def called(*arguments: object) -> Result:
    return CliRunner().invoke(root, [str(argument) for argument in arguments])


@pytest.mark.parametrize("name", ["extract", "train", "swap"])
def test_each_command_has_help_with_an_example(name: str) -> None:
    result = called(name, "--help")
    assert result.exit_code == 0
    assert f"Example: lipswap {name} " in result.output


def test_a_training_runs_from_the_command_line(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    command = ("train", *two_sets, "-o", tmp_path / "m", "--steps", 1, "--batch", 1)
    result = called(*command)
    assert result.exit_code == 0, result.output
    assert "over the mean face; ended by steps" in result.output


def test_missing_faces_and_missing_consent_own_their_exit_codes(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    missing = called("train", tmp_path / "nowhere", two_sets[1], "-o", tmp_path / "m")
    assert missing.exit_code == 7
    assert "no such folder" in missing.output
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"")
    unspoken = called("swap", clip, "--model", tmp_path / "m", "-o", tmp_path / "out.mp4")
    assert unspoken.exit_code == 8


def test_too_few_faces_are_exit_code_3(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    few = make_faceset(tmp_path / "few", (200, 150, 120), 5, seed=1)
    result = called("train", few, two_sets[1], "-o", tmp_path / "m")
    assert result.exit_code == 3
    assert "at least 16 are needed" in result.output


def test_all_that_changes_the_curve_is_an_option_of_train() -> None:
    named = {entry.name for entry in (*fields(TrainOptions), *fields(AugmentOptions))} - {"augment"}
    assert named == set(SETTINGS)


def test_an_unknown_mask_is_told_before_any_work(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"")
    result = called("swap", clip, "--model", tmp_path / "m", "-o", tmp_path / "o.mp4", "--mask", "hull,beard")
    assert result.exit_code == 2
    assert "no mask is called beard; choose of hull, extended, learned, person" in result.output
