"""What a model is trained on: faces that come and go, weights to start from."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from faceswap.model import FACES, SNAPSHOTS, best_of, open_model
from faceswap.rows import PICTURES
from faceswap.terms import settle_faces
from faceswap.train import train
from faceswap.trainer import AVERAGE, NET
from models.autoencoder import as_module
from models.checkpoint import load_checkpoint, save_file
from models.nets import NETS
from shared.errors import ArtefactError, UsageError, WeightsError
from tests.faceswap.drawn import make_faceset
from tests.faceswap.lives import EACH_STEP, OPTIONS, TINY

ONE = replace(EACH_STEP, steps=1)


@pytest.fixture(autouse=True)
def small_and_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny net in the place of the quick one, on one thread."""
    torch.set_num_threads(1)
    monkeypatch.setitem(NETS, "quick", lambda: TINY)


@pytest.fixture
def sets(two_sets: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """Copies that a test may change."""
    first, second = (Path(shutil.copytree(folder, tmp_path / folder.name)) for folder in two_sets)
    return first, second


def held(model: Path) -> dict[str, bool]:
    """Which faces of A are held out."""
    return {name: apart for name, (_, apart) in json.loads((model / FACES).read_text())["a"].items()}


def test_faces_deleted_and_added_are_told_and_none_changes_sides(sets: tuple[Path, Path], tmp_path: Path) -> None:
    model, said = tmp_path / "m", list[str]()
    train(sets, model, OPTIONS, ONE, tell=said.append)
    before = held(model)
    assert not any("going on with them" in text for text in said)
    gone = [list(before)[place] for place in (3, 4, 31)]  # 30 and 31 are held out
    assert [before[name] for name in gone] == [False, False, True]
    for name in gone:
        (sets[0] / PICTURES / name).unlink()
    train(sets, model, None, replace(EACH_STEP, steps=2), tell=said.append)
    assert f"{sets[0]}: 0 faces added and 3 gone since the last run; going on with them" in said
    assert held(model).items() < before.items()

    shutil.rmtree(sets[0])
    make_faceset(sets[0], (220, 180, 150), 60, seed=1)
    train(sets, model, None, replace(EACH_STEP, steps=3), tell=said.append)
    assert f"{sets[0]}: 23 faces added and 0 gone since the last run; going on with them" in said
    after = held(model)
    assert len(after) == 60
    assert all(after[name] == apart for name, apart in before.items())  # those that came back too, by their neighbours
    assert not any(after[name] for name in list(after)[40:])  # a second after a face that was trained on


def test_held_out_faces_that_are_all_gone_are_chosen_again_and_that_is_said(
    sets: tuple[Path, Path], tmp_path: Path
) -> None:
    model, said = tmp_path / "m", list[str]()
    train(sets, model, OPTIONS, ONE)
    for name, apart in held(model).items():
        if apart:
            (sets[0] / PICTURES / name).unlink()
    train(sets, model, None, replace(EACH_STEP, steps=2), tell=said.append)
    assert any("its held-out faces are all gone" in text for text in said)
    assert any(held(model).values())


def test_new_faces_far_from_known_ones_are_held_out_in_spans(sets: tuple[Path, Path], tmp_path: Path) -> None:
    model = tmp_path / "m"
    train(sets, model, OPTIONS, ONE)
    shutil.rmtree(sets[0])
    make_faceset(sets[0], (220, 180, 150), 240, seed=1)  # 25 a second: the last 150 lie beyond two seconds
    split, _ = settle_faces(sets, model, 0.1)
    late = split.held[90:]
    assert 5 <= int(late.sum()) <= 30


def test_a_damaged_list_of_faces_is_one_line(sets: tuple[Path, Path], tmp_path: Path) -> None:
    train(sets, tmp_path / "m", OPTIONS, ONE)
    (tmp_path / "m" / FACES).write_text("{")
    with pytest.raises(ArtefactError, match="remove it, and the faces are split anew"):
        train(sets, tmp_path / "m", OPTIONS, ONE)


def test_a_model_starts_from_the_weights_of_another_and_keeps_to_it(sets: tuple[Path, Path], tmp_path: Path) -> None:
    first, second, said = tmp_path / "first", tmp_path / "second", list[str]()
    train(sets, first, OPTIONS, replace(EACH_STEP, steps=5))
    asleep = replace(OPTIONS, learning_rate=1e-12, seed=3)
    train(sets[::-1], second, asleep, ONE, start_from=first, tell=said.append)
    assert any("began with" in text and str(first) in text for text in said)
    name = "bottleneck.narrow.weight"
    taken, given = (load_checkpoint(best_of(folder)) for folder in (second, first))
    assert torch.allclose(taken.part(NET)[name], given.part(AVERAGE)[name], atol=1e-6)
    assert train(sets[::-1], second, None, replace(EACH_STEP, steps=2), start_from=first).steps == 2
    assert train(sets[::-1], second, None, replace(EACH_STEP, steps=3)).steps == 3
    with pytest.raises(ArtefactError, match="did not start from"):
        train(sets, first, None, replace(EACH_STEP, steps=9), start_from=second)


def test_beginning_anew_leaves_the_model_where_it_is_when_it_cannot_begin(
    sets: tuple[Path, Path], tmp_path: Path
) -> None:
    model = tmp_path / "m"
    train(sets, model, OPTIONS, ONE)
    for start in (model, best_of(model)):
        with pytest.raises(UsageError, match="choose another --output"):
            train(sets, model, OPTIONS, ONE, force=True, start_from=start)
    with pytest.raises(ArtefactError, match="no such folder"):
        train(sets, model, OPTIONS, ONE, force=True, start_from=tmp_path / "none")
    assert best_of(model).is_file()
    assert not (tmp_path / "m.old-1").exists()


def test_weights_of_which_none_fit_are_refused(sets: tuple[Path, Path], tmp_path: Path) -> None:
    train(sets, tmp_path / "m", OPTIONS, ONE)
    path = tmp_path / "m" / SNAPSHOTS / "other.safetensors"
    save_file(path, {f"{AVERAGE}.other": torch.ones(3)}, {})
    with pytest.raises(WeightsError, match="none of its weights fit quick"):
        train(sets, tmp_path / "new", OPTIONS, ONE, start_from=path)


def test_what_does_not_fit_another_net_is_left_as_it_was(
    sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    train(sets, tmp_path / "m", OPTIONS, ONE)
    monkeypatch.setitem(NETS, "quick", lambda: replace(TINY, code=24))
    train(sets, tmp_path / "wider", OPTIONS, ONE, start_from=tmp_path / "m", tell=said.append)
    share = next(text for text in said if "began with" in text).split("%")[0].rsplit(maxsplit=1)[-1]
    assert 20 < int(share) < 100
    net = as_module(open_model(tmp_path / "wider", "cpu").net)
    assert net.state_dict()["bottleneck.narrow.weight"].shape[0] == 24


def test_a_model_of_another_version_is_set_aside_and_anything_else_left_alone(
    sets: tuple[Path, Path], tmp_path: Path
) -> None:
    model = tmp_path / "m"
    train(sets, model, OPTIONS, ONE)
    manifest = json.loads((model / "manifest.json").read_text())
    (model / "manifest.json").write_text(json.dumps(manifest | {"schema": 99}))
    with pytest.raises(ArtefactError, match="layout 99"):
        train(sets, model, OPTIONS, ONE)
    assert train(sets, model, OPTIONS, ONE, force=True).steps == 1
    assert (tmp_path / "m.old-1" / "log.jsonl").is_file()
    with pytest.raises(ArtefactError, match="this is a faceset artefact"):
        train(sets, sets[0], OPTIONS, ONE, force=True)
    assert (sets[0] / "manifest.json").is_file()
