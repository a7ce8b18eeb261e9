"""Training on drawn faces: it learns, it goes on where it stopped, it ends when it should."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from faceswap.model import CHECKPOINTS, CURVE, LOG, PREVIEW, TIMELAPSE, facts_of, open_model
from faceswap.objective import face_mask, learning_rate, loss_weight
from faceswap.options import AugmentOptions, TrainLimits, TrainOptions, options_for
from faceswap.terms import options_of, wanted_options
from faceswap.train import train
from faceswap.trainer import AVERAGE, NET
from models.checkpoint import BEST, load_newest
from models.nets import NETS
from shared.errors import ArtefactError, WeightsError
from shared.picture.image import read_image
from shared.types import JsonObject
from tests.faceswap.lives import TINY

SMALL = replace(options_for("quick"), batch=2, precision="float32", average=0.9, warm_up=5)
QUIET = TrainLimits(minutes=5.0, look_every=4, save_every_minutes=5.0, plateau_looks=0, judged=0)


@pytest.fixture(autouse=True)
def small_and_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny net in the place of the quick one; small batches are fastest, and sums in one order, on one thread."""
    torch.set_num_threads(1)
    monkeypatch.setitem(NETS, "quick", lambda: TINY)


def weights(model: Path, part: str) -> dict[str, torch.Tensor]:
    stored = load_newest(model / CHECKPOINTS)
    assert stored is not None
    return stored.part(part)


def test_a_short_training_beats_the_mean_face(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    still = AugmentOptions(warp_px=1.0, rotation_deg=1.0, zoom=0.01, shift=0.01, colour=0.02)
    options = replace(options_for("quick96"), batch=4, precision="float32", average=0.9, warm_up=5, augment=still)
    report = train(two_sets, tmp_path / "m", options, replace(QUIET, steps=60, look_every=20))
    assert report.steps == 60
    assert report.examples == 60 * 8
    assert report.ended == "steps"
    assert min(report.gain_db) > 0.5
    lines = [json.loads(line) for line in (tmp_path / "m" / LOG).read_text().splitlines()]
    assert [line["step"] for line in lines] == [20, 40, 60]
    first, last = lines[0], lines[-1]
    assert last["loss_a"] < first["loss_a"]
    assert last["ssim_a"] > first["ssim_a"] + 0.005 > 0.005  # after 30 steps it hardly rises any more
    assert first["eta_s"] >= last["eta_s"] == 0
    assert read_image(tmp_path / "m" / PREVIEW).shape[1] > 500
    assert read_image(tmp_path / "m" / CURVE).std() > 0


def test_a_training_taken_up_again_follows_the_same_curve(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    train(two_sets, tmp_path / "straight", SMALL, replace(QUIET, steps=10))
    train(two_sets, tmp_path / "twice", SMALL, replace(QUIET, steps=6))
    train(two_sets, tmp_path / "twice", SMALL, replace(QUIET, steps=10))
    for part in (NET, AVERAGE):
        straight, twice = weights(tmp_path / "straight", part), weights(tmp_path / "twice", part)
        assert all(torch.equal(straight[name], twice[name]) for name in straight)
    last = [json.loads((tmp_path / name / LOG).read_text().splitlines()[-1]) for name in ("straight", "twice")]
    assert last[0]["psnr_a_db"] == last[1]["psnr_a_db"]


def test_a_training_that_has_all_its_steps_makes_no_more(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    model = tmp_path / "m"
    first = train(two_sets, model, SMALL, replace(QUIET, steps=6))
    (model / f"{TIMELAPSE}.mp4").unlink()
    again = train(two_sets, model, SMALL, replace(QUIET, steps=4))
    assert (again.steps, again.ended, again.psnr_db) == (6, "steps", first.psnr_db)
    assert facts_of(model)["step"] == 6
    assert (model / f"{TIMELAPSE}.mp4").is_file()  # the film of the previews that are there
    (model / LOG).unlink()
    assert train(two_sets, model, SMALL, replace(QUIET, steps=6)).psnr_db == first.psnr_db


def test_an_interrupt_saves_and_is_taken_up_again(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    def press(text: str) -> None:
        if text.startswith("step 4:"):
            signal.raise_signal(signal.SIGINT)

    model = tmp_path / "m"
    with pytest.raises(KeyboardInterrupt):
        train(two_sets, model, SMALL, replace(QUIET, steps=50), tell=press)
    assert facts_of(model)["step"] == 5
    assert facts_of(model)["ended"] == "interrupted"
    said: list[str] = []
    report = train(two_sets, model, SMALL, replace(QUIET, steps=8), tell=said.append)
    assert said[0] == "taken up again at step 5"
    assert report.steps == 8
    straight = train(two_sets, tmp_path / "straight", SMALL, replace(QUIET, steps=8))
    assert straight.psnr_db == report.psnr_db


def test_one_seed_gives_one_model_and_another_seed_another(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(two_sets, tmp_path / name, replace(SMALL, seed=seed), replace(QUIET, steps=2))
    first, second, other = (weights(tmp_path / name, NET)["bottleneck.narrow.weight"] for name in "abc")
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_two_threads_make_the_same_model_as_one(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    for threads in (1, 2):
        torch.set_num_threads(threads)
        train(two_sets, tmp_path / str(threads), SMALL, replace(QUIET, steps=3))
        assert torch.get_num_threads() == threads
    alone, together = weights(tmp_path / "1", NET), weights(tmp_path / "2", NET)
    assert all(torch.equal(alone[name], together[name]) for name in alone)


def test_a_flat_curve_ends_the_training(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    asleep = replace(SMALL, learning_rate=1e-12)
    report = train(two_sets, tmp_path / "m", asleep, replace(QUIET, look_every=2, plateau_looks=2))
    assert report.ended == "plateau"
    assert report.steps == 6  # the first look sets the level


def test_time_ends_the_training(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    report = train(two_sets, tmp_path / "m", SMALL, replace(QUIET, minutes=1e-4))
    assert report.ended == "minutes"
    assert report.steps == 1
    assert (tmp_path / "m" / CHECKPOINTS / BEST).is_file()


def test_a_model_keeps_its_options_and_another_value_is_refused_by_name(
    two_sets: tuple[Path, Path], tmp_path: Path
) -> None:
    model = tmp_path / "m"
    train(two_sets, model, SMALL, replace(QUIET, steps=1))
    assert train(two_sets, model, None, replace(QUIET, steps=2)).steps == 2
    assert options_of(model) == SMALL
    with pytest.raises(ArtefactError, match=r"trained with --seed 0, not 9; --shift 0.01, not 0.2; leave that out"):
        moved = replace(SMALL.augment, shift=0.2)
        train(two_sets, model, replace(SMALL, seed=9, augment=moved), replace(QUIET, steps=3))
    assert facts_of(model)["step"] == 2


def test_options_asked_for_stand_on_the_model_s_own_or_on_the_net_s(
    two_sets: tuple[Path, Path], tmp_path: Path
) -> None:
    model = tmp_path / "m"
    asked = wanted_options(model, {"net": "light", "batch": None, "flip": 0.0})
    assert (asked.learning_rate, asked.batch, asked.augment.flip) == (5e-5, 16, 0.0)
    train(two_sets, model, SMALL, replace(QUIET, steps=1))
    assert wanted_options(model, {"net": None, "batch": 2}) == SMALL
    assert wanted_options(model, {"batch": 3}).batch == 3
    assert wanted_options(model, {}, anew=True).batch == 16


def test_other_faces_are_refused_and_beginning_anew_keeps_the_old_model(
    two_sets: tuple[Path, Path], tmp_path: Path
) -> None:
    model, said = tmp_path / "m", list[str]()
    train(two_sets, model, SMALL, replace(QUIET, steps=1))
    before = weights(model, NET)["bottleneck.narrow.weight"]
    with pytest.raises(ArtefactError, match="holds none of the faces that"):
        train(two_sets[::-1], model, SMALL, replace(QUIET, steps=2))
    for number in (1, 2):
        report = train(two_sets[::-1], model, SMALL, replace(QUIET, steps=1), force=True, tell=said.append)
        assert report.steps == 1
        assert any(f"m.old-{number}" in text for text in said)
    assert torch.equal(weights(tmp_path / "m.old-1", NET)["bottleneck.narrow.weight"], before)


def test_a_trained_model_opens_and_makes_faces_in_range(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    train(two_sets, tmp_path / "m", SMALL, replace(QUIET, steps=2))
    model = open_model(tmp_path / "m", "cpu")
    views = np.random.default_rng(0).random((3, 32, 32, 3), dtype=np.float32)
    (first, mask), (second, _) = model.swap(views, 0), model.swap(views, 1)
    assert mask is None
    assert first.shape == (3, 32, 32, 3)
    assert first.dtype == np.float32
    assert float(np.abs(first - second).mean()) > 0.05


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_model_swaps_on_the_cpu_in_the_precision_it_was_trained_in(
    precision: Literal["float32", "bfloat16"], two_sets: tuple[Path, Path], tmp_path: Path
) -> None:
    train(two_sets, tmp_path / "m", replace(SMALL, precision=precision), replace(QUIET, steps=1))
    assert open_model(tmp_path / "m", "cpu").precision.bfloat16 is (precision == "bfloat16")


def test_a_model_whose_manifest_lacks_its_people_is_refused(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    train(two_sets, tmp_path / "m", SMALL, replace(QUIET, steps=1))
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
    broken: tuple[JsonObject, ...] = ({}, {"people": [{}, {}]}, {"people": 3})
    for details in broken:
        (tmp_path / "m" / "manifest.json").write_text(json.dumps(manifest | {"details": details}))
        with pytest.raises(WeightsError, match="made by another version or damaged"):
            open_model(tmp_path / "m", "cpu")


def test_the_classic_recipe_trains_too(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    options = replace(options_for("light"), batch=1, precision="float32")
    report = train(two_sets, tmp_path / "m", options, replace(QUIET, steps=2, look_every=1))
    assert report.steps == 2
    assert weights(tmp_path / "m", AVERAGE) == {}
    assert open_model(tmp_path / "m", "cpu").view_px == 64


def test_the_rate_rises_stays_and_falls() -> None:
    options = TrainOptions(learning_rate=1.0, warm_up=10, settle=100)
    rates = [learning_rate(options, step) for step in (1, 5, 10, 50, 100, 400)]
    assert rates == pytest.approx([0.1, 0.5, 1.0, 1.0, 1.0, 0.5])


def test_surroundings_face_and_its_parts_weigh_as_asked() -> None:
    options = TrainOptions(surroundings=0.1, priority=3.0)
    weight = torch.tensor([0.0, 0.25, 0.5, 1.0]).view(1, 1, 1, 4)
    assert loss_weight(weight, options).ravel().tolist() == pytest.approx([0.1, 0.55, 1.0, 3.0])
    assert face_mask(weight).ravel().tolist() == pytest.approx([0.0, 0.5, 1.0, 1.0])
