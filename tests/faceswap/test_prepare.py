"""A model from two clips: taken up again, counted over all runs, made anew where it was made otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from faceswap import prepare
from faceswap.extract import ExtractReport
from faceswap.model import facts_of
from faceswap.options import options_for
from shared.progress import Progress, silent
from tests.faceswap.drawn import make_faceset

SMALL = replace(options_for("quick"), batch=1, precision="float32")


@pytest.fixture(autouse=True)
def drawn_instead_of_extracted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two drawn face sets stand in for what would be cut out of clips."""
    torch.set_num_threads(1)

    def extract(_clips: list[Path], folder: Path, *_: Any, **__: Any) -> ExtractReport:  # noqa: ANN401 - passed by
        if not folder.exists():
            make_faceset(folder, (220, 180, 150) if "target" in folder.name else (140, 100, 80), 20, seed=1)
        return ExtractReport(folder, 20, 20, 20, 0, {}, reused=False)

    monkeypatch.setattr(prepare, "extract", extract)


def made(folder: Path, minutes: float, seed: int = 0, progress: Progress = silent) -> int:
    """Steps of the model after `make_model`."""
    clips = (Path("target.mp4"), Path("source.mp4"))
    model = prepare.make_model(clips, folder, minutes, "cpu", progress, replace(SMALL, seed=seed))
    assert model == folder / "swap"
    return int(facts_of(model)["step"])


def test_minutes_count_over_all_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "LEAST_MINUTES", 1e-6)
    first = made(tmp_path, 0.005)
    assert first >= 1
    assert made(tmp_path, 0.005) == first
    assert made(tmp_path, 0.02) > first


def test_a_model_made_with_other_options_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "LEAST_MINUTES", 1e-6)
    made(tmp_path, 0.02)
    assert facts_of(tmp_path / "swap")["options"]["seed"] == 0
    made(tmp_path, 0.001, seed=5)
    assert facts_of(tmp_path / "swap")["options"]["seed"] == 5
    assert facts_of(tmp_path / "swap")["seconds"] < 0.6
