from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from faceswap import prepare
from faceswap.options import TrainLimits


@pytest.mark.parametrize(("trained_s", "left"), [(0.0, 20.0), (900.0, 5.0), (1500.0, prepare.LEAST_MINUTES)])
def test_minutes_of_earlier_runs_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained_s: float, left: float
) -> None:
    given: list[TrainLimits] = []

    def train(*arguments: TrainLimits, **_: object) -> SimpleNamespace:
        given.append(arguments[3])
        return SimpleNamespace(gain_db=(0.0, 0.0), ended="minutes")

    monkeypatch.setattr(prepare, "train", train)
    monkeypatch.setattr(prepare, "extract", lambda *_: SimpleNamespace(faces=10))
    monkeypatch.setattr(prepare, "usable", lambda _: [])
    monkeypatch.setattr(prepare, "facts_of", lambda _: {"seconds": trained_s} if trained_s else {}, raising=False)
    prepare.make_model(tmp_path / "ben.mp4", tmp_path / "ada.mp4", tmp_path, 20.0)
    assert given[0].minutes == pytest.approx(left)
