"""Training of a face-swap net: seeded steps, held-out faces, averaged weights, checkpoints, previews, a log.

Taken up again, a training follows the curve it would have followed: weights, averages, optimiser and random state
are in the checkpoint, and nothing that changes the curve depends on time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from faceswap.align import VIEW_SHARE
from faceswap.faceset import load_faceset
from faceswap.heldout import Look
from faceswap.model import CHECKPOINTS, CURVE, KIND, LOG, PREVIEW, SCHEMA
from faceswap.options import TrainLimits, TrainOptions
from faceswap.preview import curve, sheet
from faceswap.rows import content, identity_of
from faceswap.trainer import Trainer
from models.checkpoint import load_newest, save_checkpoint
from models.nets import config_of
from models.tensors import pick_device, pick_precision
from shared.interrupt import postponed
from shared.picture.image import write_png
from shared.progress import Progress, silent
from shared.store.artefact import Fingerprint, artefact, fingerprint, is_current, lock, write_atomically
from shared.types import JsonObject

Ending = Literal["minutes", "steps", "plateau", "interrupted"]


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What a training came to."""

    steps: int
    examples: int
    """Faces seen by the net, of both people together, over all runs."""
    seconds: float
    """Time spent training, over all runs."""
    examples_per_s: float
    """Of this run."""
    psnr_db: tuple[float, float]
    """Of held-out faces A and B, over the face's hull."""
    mean_face_db: tuple[float, float]
    """The same for the mean face of each person's training set."""
    ended: Ending

    @property
    def gain_db(self) -> tuple[float, float]:
        """How far each person beats the mean face."""
        return self.psnr_db[0] - self.mean_face_db[0], self.psnr_db[1] - self.mean_face_db[1]


def train(  # noqa: PLR0913 - two callbacks beside what is to be done
    faces: tuple[Path, Path],
    model: Path,
    options: TrainOptions | None = None,
    limits: TrainLimits | None = None,
    *,
    device: str = "auto",
    force: bool = False,
    progress: Progress = silent,
    tell: Callable[[str], None] = lambda _: None,
) -> TrainReport:
    """Train a model on two face sets, or take its training up again.

    Parameters
    ----------
    faces : the face sets of the first person (A) and of the second (B).
    model : folder of the model; one made from other faces or options is an error unless `force`.
    tell : gets one line for each look at the held-out faces.

    Raises
    ------
    ArtefactError
        If `model` was made otherwise, or `faces` are no face sets.
    NoFaceError
        If a set has too few faces.
    LockedError
        If another run trains the same model.
    """
    chosen, bounds = options or TrainOptions(), limits or TrainLimits()
    where = pick_device(device)
    with lock(model):
        _prepare_folder(faces, model, chosen, force)
        config = config_of(chosen.net)
        crop_px = 2 * round(config.output_px / VIEW_SHARE / 2)
        sets = [load_faceset(folder, crop_px, chosen.held_out, where, progress) for folder in faces]
        with closing(Trainer((sets[0], sets[1]), chosen, pick_precision(where, chosen.precision))) as trainer:
            run = _Run(trainer, model, bounds, tell)
            run.restore()
            with postponed() as interrupted:
                report = run.until_ended(progress, interrupted)
    if report.ended == "interrupted":
        tell(f"stopped and saved at step {report.steps}; run the same command to go on")
        raise KeyboardInterrupt
    return report


class _Run:
    """One run of a training: its limits, its log, and what it has seen of a plateau."""

    def __init__(self, trainer: Trainer, model: Path, limits: TrainLimits, tell: Callable[[str], None]) -> None:
        self._trainer = trainer
        self._model = model
        self._limits = limits
        self._tell = tell
        self._log: list[JsonObject] = []
        self._level_db = float("-inf")
        self._stale_looks = 0
        self._best_db = float("-inf")

    def restore(self) -> None:
        """Take the newest checkpoint up, if there is one."""
        stored = load_newest(self._model / CHECKPOINTS)
        if stored is None:
            return
        self._trainer.restore(stored, self._model)
        self._level_db, self._stale_looks = float(stored.facts["level_db"]), int(stored.facts["stale_looks"])
        self._best_db = float(stored.facts["best_db"])
        lines = (self._model / LOG).read_text(encoding="utf-8").splitlines() if (self._model / LOG).is_file() else []
        self._log = [line for line in map(json.loads, lines) if line["step"] <= self._trainer.step]
        self._tell(f"taken up again at step {self._trainer.step}")

    def until_ended(self, progress: Progress, interrupted: Callable[[], bool]) -> TrainReport:
        """Step until a limit is reached, looking and saving on the way."""
        trainer, limits = self._trainer, self._limits
        began, earlier_s, first = time.monotonic(), trainer.seconds, trainer.step
        saved, ended = began, None
        losses = torch.zeros(2, device=trainer.precision.device)
        since = rate = 0.0
        while ended is None:
            losses += trainer.learn()
            since += 1
            now = time.monotonic()
            trainer.seconds = earlier_s + now - began
            rate = (trainer.step - first) * trainer.faces_a_step / max(now - began, 1e-6)
            ended = _ending(trainer.step, limits, now - began, interrupted())
            regular = trainer.step % limits.look_every == 0
            if regular or ended is not None:
                look = self._look((losses / since).tolist(), rate)
                ended = self._plateau(look.level_db) if regular and ended is None else ended
                losses.zero_()
                since = 0.0
                if ended is not None or now - saved > limits.save_every_minutes * 60:
                    self._save(look, ended)
                    saved = now
            _report(progress, trainer, limits, first, now - began)
        return self._summary(ended, rate)

    def _look(self, losses: list[float], rate: float) -> Look:
        """Measure and log."""
        trainer = self._trainer
        look = trainer.look()
        line: JsonObject = {
            "step": trainer.step,
            "examples": trainer.step * trainer.faces_a_step,
            "seconds": round(trainer.seconds, 2),
            "examples_per_s": round(rate, 1),
            "loss_a": round(losses[0], 5),
            "loss_b": round(losses[1], 5),
            **look.figures,
        }
        self._log = [old for old in self._log if old["step"] < trainer.step] + [line]
        self._tell(_in_words(line))
        return look

    def _plateau(self, level_db: float) -> Ending | None:
        """Note the level of a regular look; whether the curve has become flat."""
        if level_db > self._level_db + self._limits.plateau_db:
            self._level_db, self._stale_looks = level_db, 0
        else:
            self._stale_looks += 1
        return "plateau" if 0 < self._limits.plateau_looks <= self._stale_looks else None

    def _save(self, look: Look, ended: Ending | None) -> None:
        """Write checkpoint, log, sheet and curves."""
        best = look.level_db >= self._best_db
        self._best_db = max(self._best_db, look.level_db)
        tensors, facts = self._trainer.checkpoint()
        facts |= {
            "level_db": self._level_db,
            "stale_looks": self._stale_looks,
            "best_db": self._best_db,
            "ended": ended,
            "figures": look.figures,
        }
        save_checkpoint(self._model / CHECKPOINTS, self._trainer.step, tensors, facts, best)
        text = "".join(json.dumps(line) + "\n" for line in self._log)
        write_atomically(self._model / LOG, text.encode())
        write_png(self._model / PREVIEW, sheet(look.faces, look.rebuilt, look.swapped))
        write_png(self._model / CURVE, curve(self._log))

    def _summary(self, ended: Ending, rate: float) -> TrainReport:
        last = self._log[-1]
        return TrainReport(
            steps=self._trainer.step,
            examples=last["examples"],
            seconds=self._trainer.seconds,
            examples_per_s=rate,
            psnr_db=(last["psnr_a_db"], last["psnr_b_db"]),
            mean_face_db=(last["mean_face_a_db"], last["mean_face_b_db"]),
            ended=ended,
        )


def model_fingerprint(faces: tuple[Path, Path], options: TrainOptions) -> Fingerprint:
    """What a model depends on: the faces that are in both sets now, and the options."""
    inputs = {name: str(content(folder)) for name, folder in zip(("faces_a", "faces_b"), faces, strict=True)}
    return fingerprint(**inputs, options=options, schema=SCHEMA)


def _prepare_folder(faces: tuple[Path, Path], model: Path, options: TrainOptions, force: bool) -> None:
    """Make the model's folder, unless it is there for the same faces and options."""
    wanted = model_fingerprint(faces, options)
    if is_current(model, KIND, wanted, SCHEMA) and not force:
        return
    people = [{"name": folder.name, "embedding": identity_of(folder)} for folder in faces]
    with artefact(model, KIND, SCHEMA, wanted, force, details={"people": people, "net": options.net}):
        pass


def _ending(step: int, limits: TrainLimits, ran_s: float, interrupted: bool) -> Ending | None:
    if interrupted:
        return "interrupted"
    if limits.steps and step >= limits.steps:
        return "steps"
    return "minutes" if ran_s >= limits.minutes * 60 else None


def _report(progress: Progress, trainer: Trainer, limits: TrainLimits, first: int, ran_s: float) -> None:
    """Tell the faces seen in this run, of those that it will see if it lasts as long as it may."""
    done = (trainer.step - first) * trainer.faces_a_step
    total = done * limits.minutes * 60 / max(ran_s, 1e-6)
    if limits.steps:
        total = min(total, (limits.steps - first) * trainer.faces_a_step)
    progress(done, max(total, done), "training")


def _in_words(line: JsonObject) -> str:
    return (
        f"step {line['step']}: loss {line['loss_a']:.4f} {line['loss_b']:.4f}, held-out PSNR "
        f"{line['psnr_a_db']:.2f} {line['psnr_b_db']:.2f} dB (mean face {line['mean_face_a_db']:.2f} "
        f"{line['mean_face_b_db']:.2f}), {line['examples_per_s']:.0f} EG/s"
    )
