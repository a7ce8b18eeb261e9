"""One run of a training: its limits, its looks, what it saves, and how it comes back when it has gone wrong."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

from faceswap.guard import CHECK_EVERY, ENDINGS, MOST_ROLLBACKS, Ending, Guard, Plateau, Verdict, restored
from faceswap.heldout import Judge, Look
from faceswap.model import CHECKPOINTS, SNAPSHOTS
from faceswap.options import TrainLimits
from faceswap.record import Record, in_words, memory_in_words, stage_in_words
from faceswap.sums import Sums
from faceswap.timelapse import is_due
from faceswap.trainer import SLOWER, Trainer
from models.checkpoint import (
    BEST,
    Checkpoint,
    drop_after,
    load_checkpoint,
    load_newest,
    mend,
    save_checkpoint,
    save_file,
)
from shared.errors import MediaError, NoSpaceError, WeightsError
from shared.progress import Progress
from shared.types import JsonObject


class Run:
    """One run of a training; every process of a team has one, only the first looks, decides and writes."""

    def __init__(
        self,
        trainer: Trainer,
        model: Path,
        limits: TrainLimits,
        judge: Judge | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._trainer = trainer
        self._model = model
        self._folder = model / CHECKPOINTS
        self._limits = limits
        self._judge = judge
        self._tell = tell
        self._record = Record(model, limits.tensorboard) if trainer.team.leads else None
        self._begin_stage()
        self._losses = Sums(trainer.precision.device)
        self._recent = Sums(trainer.precision.device)
        self._fault = ""
        self._failed_at = self._rollbacks = 0
        self._parts = trainer.parts
        self._began = self._saved = time.monotonic()
        self._earlier_s = 0.0
        self._first = 0

    @property
    def examples_per_s(self) -> float:
        """Faces a second in this run."""
        return (self._trainer.step - self._first) * self._trainer.faces_a_step / max(self._ran_s, 1e-6)

    @property
    def figures(self) -> JsonObject:
        """The last line of the log."""
        return self._record.lines[-1] if self._record is not None and self._record.lines else {}

    def restore(self) -> bool:
        """Take the newest checkpoint up, if there is one; else the start becomes the first, so that none is missing."""
        if self._record is not None:
            mend(self._folder)
        self._trainer.team.wait()
        stored = load_newest(self._folder)
        if stored is not None:
            self._take(stored)
        self._trainer.team.wait()
        return stored is not None

    def until_ended(self, progress: Progress, interrupted: Callable[[], bool]) -> Ending:
        """Step until a limit is reached, looking and saving on the way.

        Raises
        ------
        WeightsError
            If the training goes wrong again and again.
        NoSpaceError
            If the disk is full; the last checkpoint stays.
        """
        trainer = self._trainer
        self._began = self._saved = time.monotonic()
        self._earlier_s, self._first = trainer.seconds, trainer.step
        try:
            if self._record is not None and trainer.step == 0:
                self._record.go_back(0)
                self._save(None, None)
            verdict = Verdict.STEPS if 0 < self._limits.steps <= trainer.step else Verdict.GO_ON
            if verdict == Verdict.STEPS and not self.figures and self._record is not None:
                self._looked(regular=False)
            while verdict not in ENDINGS:
                losses = trainer.learn()
                self._losses.add(losses)
                self._recent.add(losses)
                verdict = self._decide(interrupted()) if self._record is not None else Verdict.GO_ON
                verdict = Verdict(trainer.team.agreed(verdict, trainer.precision.device))
                if verdict == Verdict.ROLL_BACK:
                    self._roll_back()
                self._report(progress)
            if self._record is not None:
                self._finish(self._record)
        except NoSpaceError as error:
            raise NoSpaceError(f"{error}; the last checkpoint is whole: the same command goes on from it") from error
        return ENDINGS[verdict]

    @property
    def _ran_s(self) -> float:
        return time.monotonic() - self._began

    def _finish(self, record: Record) -> None:
        """Make the film; a training that is saved does not fail for want of one."""
        try:
            record.finish(self._trainer.step)
        except MediaError as error:
            self._tell(f"no time-lapse was made: {error}")

    def _decide(self, interrupted: bool) -> Verdict:
        """Look, save, and say how to go on, after a step of the first process."""
        trainer, limits = self._trainer, self._limits
        before, trainer.seconds = trainer.seconds, self._earlier_s + self._ran_s
        self._warn_of_memory()
        if trainer.stage != self._stage:
            self._begin_stage()
            self._tell(f"step {trainer.step}: {stage_in_words(self._stage)}")
        verdict = self._limit(interrupted)
        regular = trainer.step % limits.look_every == 0
        every_s = limits.snapshot_minutes * 60
        snapshot = every_s > 0 and trainer.seconds // every_s > before // every_s
        save = verdict != Verdict.GO_ON or time.monotonic() - self._saved > limits.save_every_minutes * 60
        preview = is_due(trainer.step)
        if regular or save or snapshot or preview or trainer.step % CHECK_EVERY == 0:
            whole = self._recent.count >= CHECK_EVERY
            self._fault = self._guard.loss_fault(self._recent.mean(), steady=whole and not self._stage.judged) or ""
            if whole:
                self._recent.clear()
        if not self._fault and (regular or save or snapshot):
            look = self._looked(regular)
            if not self._fault and regular and self._flat(look) and verdict == Verdict.GO_ON:
                verdict, save = Verdict.PLATEAU, True
            if not self._fault and save:
                self._save(look, ENDINGS.get(verdict))
            if not self._fault and snapshot:
                self._snap(int(trainer.seconds // every_s) * limits.snapshot_minutes, look)
        if self._record is not None and not self._fault and preview:
            self._record.show(trainer.show(), trainer.step)
        return Verdict.ROLL_BACK if self._fault else verdict

    def _begin_stage(self) -> None:
        """Forget what was reached under another stage of the schedule: the losses are others."""
        self._stage = self._trainer.stage
        self._guard = Guard()
        self._plateau = Plateau()
        self._best_db = -math.inf

    def _flat(self, look: Look) -> bool:
        """Whether the curve has become flat, and nothing is left that could change that.

        Next to a discriminator the PSNR does not tell whether pictures become better (Blau, Michaeli, "The
        perception-distortion tradeoff", CVPR 2018); so it neither ends a training then nor chooses the best checkpoint.
        """
        reached = self._plateau.reached(look.level_db, self._limits)
        return reached and not self._stage.judged and self._stage == self._trainer.last_stage

    def _limit(self, interrupted: bool) -> Verdict:
        """Which limit is reached."""
        if interrupted:
            return Verdict.INTERRUPTED
        if self._limits.steps and self._trainer.step >= self._limits.steps:
            return Verdict.STEPS
        return Verdict.MINUTES if self._ran_s >= self._limits.minutes * 60 else Verdict.GO_ON

    def _looked(self, regular: bool) -> Look:
        """Measure, log and draw, unless the look finds a fault; the loss is the mean since the last regular look."""
        trainer = self._trainer
        look = trainer.look(self._judge)
        self._fault = self._guard.look_fault(look.level_db, look.spread) or ""
        if self._fault or self._record is None:
            return look
        first, second = self._losses.means()
        line: JsonObject = {
            "step": trainer.step,
            "examples": trainer.step * trainer.faces_a_step,
            "seconds": round(trainer.seconds, 2),
            "examples_per_s": round(self.examples_per_s, 1),
            "eta_s": round(self._left_s()),
            "learning_rate": float(f"{trainer.rate:.6g}"),
            "loss_a": round(first, 5),
            "loss_b": round(second, 5),
            **look.figures,
        }
        if regular:
            self._losses.clear()
        self._record.add(line, look)
        self._tell(in_words(line))
        return look

    def _save(self, look: Look | None, ended: Ending | None) -> None:
        """Write a checkpoint; the best one is kept apart."""
        best = look is not None and (self._stage.judged or look.level_db >= self._best_db)
        if look is not None:
            self._best_db = max(self._best_db, look.level_db)
        tensors, facts = self._trainer.checkpoint()
        facts |= {
            "guard": self._guard.stored(),
            "losses": self._losses.stored(),
            "recent": self._recent.stored(),
            "stale_looks": self._plateau.stale_looks,
            "ended": ended,
            "figures": look.figures if look is not None else {},
        }
        levels = {"level_db": self._plateau.level_db, "best_db": self._best_db}
        facts |= {name: level for name, level in levels.items() if math.isfinite(level)}
        save_checkpoint(self._folder, self._trainer.step, tensors, facts, best)
        self._saved = time.monotonic()
        if self._trainer.step >= self._failed_at:
            self._rollbacks = 0

    def _snap(self, minutes: int, look: Look) -> None:
        """Keep the weights that swap as they are now."""
        tensors, facts = self._trainer.snapshot()
        path = self._model / SNAPSHOTS / f"minutes-{minutes:04d}.safetensors"
        save_file(path, tensors, {**facts, "figures": look.figures})
        self._tell(f"kept the weights after {minutes} minutes as {path}")

    def _roll_back(self) -> None:
        """Go back to the last good checkpoint and on from there, more slowly.

        Raises
        ------
        WeightsError
            If that was of no use several times in a row.
        """
        trainer, failed = self._trainer, self._trainer.step
        self._rollbacks = trainer.team.agreed(self._rollbacks + 1, trainer.precision.device)
        self._failed_at = max(self._failed_at, failed)
        why = self._fault or "the training has gone wrong"
        best = self._folder / BEST
        stored = load_checkpoint(best) if self._rollbacks > 1 and best.is_file() else load_newest(self._folder)
        if stored is None or self._rollbacks > MOST_ROLLBACKS:
            raise WeightsError(
                f"{self._model}: {why} at step {failed}, after {MOST_ROLLBACKS} returns to a good checkpoint; the last "
                "good one stays; train anew with a lower --learning-rate, or with --precision float32"
            )
        slower = trainer.slower * SLOWER
        trainer.team.wait()
        self._take(stored)
        trainer.slower = slower
        if self._record is not None:
            drop_after(self._folder, trainer.step)
        self._tell(f"{why} at step {failed}: back to step {trainer.step} with a learning rate of {trainer.rate:.2e}")

    def _take(self, stored: Checkpoint) -> None:
        """Take over the state of a checkpoint."""
        facts = stored.facts
        self._trainer.restore(stored, self._model)
        self._stage = self._trainer.stage
        self._plateau = Plateau(float(facts.get("level_db", -math.inf)), int(facts.get("stale_looks", 0)))
        self._best_db = float(facts.get("best_db", -math.inf))
        self._guard = restored(facts.get("guard", {}))
        self._losses.restore(facts.get("losses", {}))
        self._recent.restore(facts.get("recent", {}))
        self._fault = ""
        if self._record is not None:
            self._record.go_back(self._trainer.step)

    def _warn_of_memory(self) -> None:
        """Say so when the trainer had to halve its batch."""
        trainer = self._trainer
        if trainer.parts != self._parts:
            self._parts = trainer.parts
            self._tell(memory_in_words(trainer.step, trainer.options.batch, trainer.parts))

    def _left_s(self) -> float:
        """Seconds until the nearest limit, at the rate of this run."""
        left = self._limits.minutes * 60 - self._ran_s
        if self._limits.steps:
            done = self._trainer.step - self._first
            left = min(left, (self._limits.steps - self._trainer.step) * self._ran_s / max(done, 1))
        return max(left, 0.0)

    def _report(self, progress: Progress) -> None:
        """Tell the faces seen in this run, of those that it will see if it lasts as long as it may."""
        done = (self._trainer.step - self._first) * self._trainer.faces_a_step
        total = done + self._left_s() * self.examples_per_s
        progress(done, max(total, done), "training")
