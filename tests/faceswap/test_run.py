"""What happens to a training on its way: it goes wrong, memory or disk runs out, marks are passed."""

from __future__ import annotations

import errno
import itertools
import json
import os
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from faceswap import trainer as trainer_file
from faceswap.augment import Batch
from faceswap.guard import EXPLODED, FALL_DB, MOST_ROLLBACKS, Guard, restored
from faceswap.heldout import Look
from faceswap.model import CHECKPOINTS, LOG, SNAPSHOTS, TIMELAPSE, facts_of, open_model
from faceswap.objective import Share, share
from faceswap.options import TrainLimits
from faceswap.rows import usable
from faceswap.timelapse import is_due
from faceswap.train import train
from faceswap.trainer import Trainer
from models.checkpoint import BEST, load_checkpoint, load_newest
from models.nets import NETS
from shared.cli import root
from shared.errors import InstallError, NoSpaceError, UsageError, WeightsError
from shared.store.artefact import lock
from shared.types import Floats, JsonObject
from tests.faceswap.lives import EACH_STEP, OPTIONS, TINY

Shares = Callable[..., Share]


@pytest.fixture(autouse=True)
def small_and_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny net in the place of the quick one, on one thread."""
    torch.set_num_threads(1)
    monkeypatch.setitem(NETS, "quick", lambda: TINY)


def spoilt(made: Share) -> Share:
    """The same share with no number in it."""
    return Share(made.loss * np.nan, tuple(g * np.nan for g in made.shared), tuple(g * np.nan for g in made.own))


def lines(model: Path) -> list[JsonObject]:
    return [json.loads(line) for line in (model / LOG).read_text().splitlines()]


@pytest.mark.parametrize("save_every_minutes", [1e-9, 5.0])
def test_numbers_that_are_none_roll_the_training_back_with_half_the_rate(
    save_every_minutes: float, two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, said = itertools.count(), list[str]()
    monkeypatch.setattr(trainer_file, "share", lambda *a: spoilt(share(*a)) if next(calls) == 13 else share(*a))
    limits = replace(EACH_STEP, save_every_minutes=save_every_minutes, steps=12)
    train(two_sets, tmp_path / "m", OPTIONS, limits, tell=said.append)
    back = [text for text in said if "back to step" in text]
    assert len(back) == 1
    good = 6 if save_every_minutes < 1 else 0
    assert f"the loss is not a number any more at step 7: back to step {good} with" in back[0]
    assert facts_of(tmp_path / "m")["slower"] == 0.5
    assert [line["step"] for line in lines(tmp_path / "m")] == (list(range(1, 13)) if good else [4, 8, 12])
    train(two_sets, tmp_path / "m", OPTIONS, replace(limits, steps=13))
    assert facts_of(tmp_path / "m")["slower"] == 0.5  # in the next run too
    stored = load_newest(tmp_path / "m" / CHECKPOINTS)
    assert stored is not None
    assert all(bool(value.isfinite().all()) for value in stored.tensors.values())


def test_a_loss_that_explodes_rolls_the_training_back(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn, said, wild = Trainer.learn, list[str](), set(range(41, 51))

    def shaken(trainer: Trainer) -> torch.Tensor:
        losses = learn(trainer)
        if trainer.step in wild:
            wild.discard(trainer.step)
            return losses * 20
        return losses

    monkeypatch.setattr(Trainer, "learn", shaken)
    train(
        two_sets,
        tmp_path / "m",
        OPTIONS,
        replace(EACH_STEP, save_every_minutes=5.0, look_every=20, steps=52),
        tell=said.append,
    )
    assert any("the loss has exploded from" in text and "at step 50: back to step 0" in text for text in said)
    assert facts_of(tmp_path / "m")["step"] == 52


def test_a_training_that_fails_again_and_again_ends_and_its_last_good_checkpoint_stays(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, said = itertools.count(), list[str]()
    monkeypatch.setattr(trainer_file, "share", lambda *a: spoilt(share(*a)) if next(calls) > 12 else share(*a))
    with pytest.raises(WeightsError, match=r"after 3 returns to a good checkpoint; the last good one stays"):
        train(two_sets, tmp_path / "m", OPTIONS, replace(EACH_STEP, steps=12), tell=said.append)
    assert len([text for text in said if "back to step" in text]) == MOST_ROLLBACKS
    stored = load_newest(tmp_path / "m" / CHECKPOINTS)
    assert stored is not None
    assert all(bool(value.isfinite().all()) for value in stored.tensors.values())


def test_a_second_failure_goes_back_to_the_best_checkpoint_and_later_ones_are_dropped(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, looks, said, newest_at = itertools.count(), itertools.count(), list[str](), list[tuple[int, int]]()
    monkeypatch.setattr(trainer_file, "share", lambda *a: spoilt(share(*a)) if next(calls) in (13, 15) else share(*a))
    monkeypatch.setattr(Look, "level_db", property(lambda _: 30 - 0.01 * next(looks)))

    def note(text: str) -> None:
        said.append(text)
        if text.startswith("step "):
            newest_at.append((int(text.split(":", maxsplit=1)[0][5:]), facts_of(tmp_path / "m")["step"]))

    train(two_sets, tmp_path / "m", OPTIONS, replace(EACH_STEP, steps=9), tell=note)
    assert ["back to step 6" in text or "back to step 1" in text for text in said if "back to" in text] == [True, True]
    assert newest_at[-8:] == [(step, step - 1) for step in range(2, 10)]


def test_a_collapse_of_the_held_out_faces_is_seen_and_undone(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn, said, collapses = Trainer.learn, list[str](), [9]

    def broken(trainer: Trainer) -> torch.Tensor:
        losses = learn(trainer)
        if trainer.step in collapses:
            collapses.clear()
            with torch.no_grad():
                for weight in trainer._averaged:
                    weight.mul_(-3.0)
        return losses

    monkeypatch.setattr(Trainer, "learn", broken)
    train(two_sets, tmp_path / "m", OPTIONS, replace(EACH_STEP, steps=12), tell=said.append)
    assert any("the held-out faces have fallen from" in text and "back to step 8" in text for text in said)
    assert facts_of(tmp_path / "m")["step"] == 12


def test_the_guard_knows_what_is_wrong() -> None:
    guard = Guard()
    assert guard.loss_fault(0.001, steady=False) is None  # one easy batch is no level to compare with
    assert guard.loss_fault(1.0) is None
    assert guard.loss_fault(0.2) is None
    assert guard.loss_fault(0.2 * EXPLODED) is None
    assert "exploded from 0.2000" in str(guard.loss_fault(0.21 * EXPLODED))
    assert "not a number" in str(guard.loss_fault(float("inf")))
    assert guard.look_fault(15.0, 0.0) is None  # flat grey, as some nets begin
    assert guard.look_fault(16.0, 0.1) is None
    assert guard.look_fault(16.1 - FALL_DB, 0.1) is None
    assert "fallen from 16.00" in str(guard.look_fault(15.9 - FALL_DB, 0.1))
    assert "flat" in str(restored(guard.stored()).look_fault(16.0, 0.001))
    assert "no numbers" in str(guard.look_fault(float("nan"), 0.1))
    assert restored(guard.stored()) == guard
    assert restored(json.loads(json.dumps(Guard().stored()))) == Guard()


def refusing(most: int) -> Shares:
    """A share for which memory runs out above so many faces."""

    def made(net: object, person: int, batch: Batch, *rest: object) -> Share:
        if len(batch.warped) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return share(net, person, batch, *rest)  # type: ignore[arg-type]

    return made


def test_memory_that_runs_out_halves_the_batch_and_keeps_the_curve(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, limits, said = replace(OPTIONS, batch=5), replace(EACH_STEP, steps=6), list[str]()
    train(two_sets, tmp_path / "whole", options, limits)
    monkeypatch.setattr(trainer_file, "share", refusing(2))
    train(two_sets, tmp_path / "parts", options, limits, tell=said.append)
    assert [text for text in said if "memory ran out" in text] == [
        "memory ran out at step 1: each batch of 5 is now computed in 4 parts whose gradients are added up; "
        "the curve stays that of the whole batch"
    ]
    for whole, parts in zip(lines(tmp_path / "whole"), lines(tmp_path / "parts"), strict=True):
        for name in ("loss_a", "loss_b", "psnr_a_db", "psnr_b_db"):
            assert parts[name] == pytest.approx(whole[name], rel=1e-3)


def test_memory_for_not_even_one_face_is_said_so(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_file, "share", refusing(0))
    with pytest.raises(UsageError, match="even one face at a time"):
        train(two_sets, tmp_path / "m", OPTIONS, replace(EACH_STEP, steps=6))


def test_memory_that_runs_out_elsewhere_is_one_line(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8589934592 bytes.")

    monkeypatch.setattr(torch.optim.Adam, "step", refused)
    with pytest.raises(UsageError, match="quick and its faces need more memory than there is"):
        train(two_sets, tmp_path / "m", OPTIONS, replace(EACH_STEP, steps=2))


def test_other_errors_are_not_taken_for_missing_memory(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> Share:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(trainer_file, "share", failing)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        train(two_sets, tmp_path / "m", OPTIONS, replace(EACH_STEP, steps=6))


def test_a_full_disk_ends_the_training_in_one_line_and_the_last_checkpoint_stays(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, calls = os.fsync, itertools.count()

    def full(number: int) -> None:
        if next(calls) >= 30:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(number)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(NoSpaceError, match=r"the disk is full while .*; the last checkpoint is whole") as caught:
            train(two_sets, tmp_path / "m", OPTIONS, replace(EACH_STEP, steps=100))
    assert "\n" not in str(caught.value)
    reached = facts_of(tmp_path / "m")["step"]
    assert reached > 5
    report = train(two_sets, tmp_path / "m", OPTIONS, replace(EACH_STEP, steps=reached + 2))
    straight = train(two_sets, tmp_path / "straight", OPTIONS, replace(EACH_STEP, steps=reached + 2))
    assert report.psnr_db == straight.psnr_db


def test_a_second_run_on_the_same_model_is_refused(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    with lock(tmp_path / "m"):
        result = CliRunner().invoke(root, ["train", *map(str, two_sets), "-o", str(tmp_path / "m"), "--steps", "1"])
    assert result.exit_code == 9
    assert "another run holds it" in result.output


class Clock:
    """A clock that goes on by so many seconds each time it is read."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._now = 0.0

    def monotonic(self) -> float:
        self._now += self._step_s
        return self._now


def test_snapshots_are_kept_at_their_minutes_and_can_be_opened(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faceswap.run.time", Clock(4.0))
    limits = TrainLimits(minutes=100, steps=12, look_every=5, save_every_minutes=100, judged=0, snapshot_minutes=1)
    model = tmp_path / "m"
    train(two_sets, model, OPTIONS, limits)
    first = sorted(path.name for path in (model / SNAPSHOTS).iterdir())
    assert first[:2] == ["minutes-0001.safetensors", "minutes-0002.safetensors"]
    views = np.random.default_rng(0).random((2, 32, 32, 3), dtype=np.float32)
    early, _ = open_model(model / SNAPSHOTS / first[0], "cpu").swap(views, 1)
    late, _ = open_model(model, "cpu").swap(views, 1)
    assert float(np.abs(early - late).max()) > 1e-4
    train(two_sets, model, OPTIONS, replace(limits, steps=30))
    assert len(list((model / SNAPSHOTS).iterdir())) > len(first)


def test_checkpoints_are_written_by_time_not_by_looks(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faceswap.run.time", Clock(10.0))
    limits = TrainLimits(minutes=100, steps=9, look_every=1000, save_every_minutes=1, judged=0)
    train(two_sets, tmp_path / "m", OPTIONS, limits)
    assert len(list((tmp_path / "m" / CHECKPOINTS).glob("step-*"))) == 2
    steps = [line["step"] for line in lines(tmp_path / "m")]
    assert len(steps) > 2
    assert steps[-1] == 9


def test_numbered_previews_grow_rarer_and_become_a_film(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    due = [step for step in range(1, 2000) if is_due(step)]
    assert due[:8] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert len(due) < 60
    assert all(later <= max(earlier + 1, 1.15 * earlier) for earlier, later in itertools.pairwise(due))
    train(two_sets, tmp_path / "m", OPTIONS, replace(EACH_STEP, save_every_minutes=5.0, steps=6))
    assert sorted(path.name for path in (tmp_path / "m" / TIMELAPSE).iterdir()) == [
        f"step-{step:08d}.png" for step in range(1, 7)
    ]
    with closing(av.open(str(tmp_path / "m" / f"{TIMELAPSE}.mp4"))) as film:
        assert sum(1 for _ in film.decode(video=0)) == 6 + 15


def test_a_look_tells_who_is_seen_in_the_swapped_faces(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[tuple[int, ...], Floats]] = []

    def embed(picture: Floats, landmarks: Floats) -> Floats:
        seen.append((picture.shape, landmarks))
        return np.array([0.6, 0.8] + [0.0] * 126, dtype=np.float32)

    monkeypatch.setattr("faceswap.train.Embedder", lambda: SimpleNamespace(embed_picture=embed))
    said: list[str] = []
    report = train(two_sets, tmp_path / "m", OPTIONS, replace(EACH_STEP, steps=1, judged=2), tell=said.append)
    assert [report.figures[f"identity_to_{who}_{p}"] for who in ("source", "target") for p in "ab"] == [0.6] * 4
    assert "A as B identity +0.60 to source, +0.60 to target; B as A" in said[0]
    assert len(seen) == 4
    shape, landmarks = seen[0]
    assert shape == (32, 32, 3)
    left, right = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)
    in_crop = next(row.landmarks for row in usable(two_sets[0]))  # of 96 px, of which the view shows 62.5%
    apart = np.linalg.norm(in_crop[42:48].mean(axis=0) - in_crop[36:42].mean(axis=0))
    assert np.linalg.norm(right - left) == pytest.approx(apart * 32 / 60, rel=0.05)
    assert (left + right)[0] / 2 == pytest.approx(15.5, abs=1.5)


def test_tensorboard_that_is_not_installed_is_named(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InstallError, match=r"pip install 'lipswap\[tensorboard\]'"):
        train(two_sets, tmp_path / "m", OPTIONS, replace(EACH_STEP, steps=1, tensorboard=True))


def test_a_film_that_cannot_be_made_does_not_fail_the_training(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise av.error.ExternalError(542398533, "no such encoder")

    monkeypatch.setattr("faceswap.timelapse.av.open", failing)
    said: list[str] = []
    assert train(two_sets, tmp_path / "m", OPTIONS, replace(EACH_STEP, steps=2), tell=said.append).steps == 2
    assert any("no time-lapse was made: " in text for text in said)


def test_each_stage_of_the_schedule_is_measured_by_itself(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    options = replace(OPTIONS, warp_until=4, adversary=0.1, adversary_from=8, learning_rate=1e-12)
    said: list[str] = []
    limits = replace(EACH_STEP, look_every=1, steps=14, plateau_looks=2)  # flat from the start, which ends nothing here
    report = train(two_sets, tmp_path / "m", options, limits, tell=said.append)
    assert report.ended == "steps"
    assert [text for text in said if "pictures are" in text] == [
        "step 5: pictures are no longer warped",
        "step 9: pictures are no longer warped, and a discriminator judges them",
    ]
    last = load_checkpoint(tmp_path / "m" / CHECKPOINTS / BEST)
    assert last.facts["step"] == 14
    assert last.part("critic")
    flat = train(two_sets, tmp_path / "flat", replace(options, adversary=0.0), limits)
    assert (flat.ended, flat.steps) == ("plateau", 7)


def test_a_training_with_a_discriminator_goes_on_as_it_would_have(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    options = replace(OPTIONS, adversary=0.1, adversary_from=2)
    train(two_sets, tmp_path / "straight", options, replace(EACH_STEP, steps=8))
    train(two_sets, tmp_path / "twice", options, replace(EACH_STEP, steps=5))
    train(two_sets, tmp_path / "twice", options, replace(EACH_STEP, steps=8))
    straight, twice = (load_checkpoint(tmp_path / name / CHECKPOINTS / BEST).tensors for name in ("straight", "twice"))
    assert straight.keys() == twice.keys()
    assert all(torch.equal(straight[name], twice[name]) for name in straight)
