"""Training of a face-swap net: from two face sets to a model's folder, or on from where that stands.

Taken up again, a training follows the curve it would have followed: weights, averages, optimiser and random state
are in the checkpoint, and nothing that changes the curve depends on time or on how many processes share the work.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from faceswap.align import VIEW_SHARE
from faceswap.faceset import load_faceset
from faceswap.guard import Ending
from faceswap.heldout import Judge
from faceswap.model import CHECKPOINTS, best_of
from faceswap.options import TrainLimits, TrainOptions, options_for
from faceswap.rows import identity_of
from faceswap.run import Run
from faceswap.team import Team, together
from faceswap.terms import (
    Split,
    check_options,
    exists,
    make_folder,
    options_of,
    origin,
    set_aside,
    settle_faces,
    store_faces,
)
from faceswap.trainer import Trainer
from models.checkpoint import load_checkpoint, newest
from models.nets import config_of
from models.tensors import Precision, is_out_of_memory, pick_device, pick_precision
from shared.errors import UsageError, WeightsError
from shared.face.identity import Embedder
from shared.interrupt import postponed
from shared.progress import Progress, silent
from shared.store.artefact import lock
from shared.types import JsonObject

Tell = Callable[[str], None]


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
    ended: Ending
    figures: JsonObject
    """The last look: `faceswap.heldout.Look.figures` and what the log has beside them; empty in all but the first of
    several processes."""

    @property
    def psnr_db(self) -> tuple[float, float]:
        """Of held-out faces A and B, over the face's hull."""
        return self.figures["psnr_a_db"], self.figures["psnr_b_db"]

    @property
    def mean_face_db(self) -> tuple[float, float]:
        """The same for the mean face of each person's training set."""
        return self.figures["mean_face_a_db"], self.figures["mean_face_b_db"]

    @property
    def gain_db(self) -> tuple[float, float]:
        """How far each person beats the mean face."""
        return self.psnr_db[0] - self.mean_face_db[0], self.psnr_db[1] - self.mean_face_db[1]


@dataclass(frozen=True, slots=True)
class _Task:
    """What is to be trained: the arguments of `train`."""

    faces: tuple[Path, Path]
    model: Path
    options: TrainOptions | None
    start_from: Path | None
    force: bool


def train(  # noqa: PLR0913 - what is to be done, and two callbacks beside it
    faces: tuple[Path, Path],
    model: Path,
    options: TrainOptions | None = None,
    limits: TrainLimits | None = None,
    *,
    device: str = "auto",
    start_from: Path | None = None,
    force: bool = False,
    progress: Progress = silent,
    tell: Tell = lambda _: None,
) -> TrainReport:
    """Train a model on two face sets, or take its training up again.

    Parameters
    ----------
    faces : the face sets of the first person (A) and of the second (B).
    model : folder of the model.
    options : None for the model's own, and for a new one the quick net's.
    start_from : another model, or a file of its weights, that a new one begins with as far as it fits.
    force : begin anew; the model that is there is kept under another name.
    tell : gets one line for each look at the held-out faces, and for whatever the user should know.

    Raises
    ------
    ArtefactError
        If the model was made with other options or faces, or `faces` are no face sets.
    NoFaceError
        If a set has too few faces.
    LockedError
        If another run trains the same model.
    WeightsError
        If the training goes wrong again and again.
    NoSpaceError
        If the disk is full; the last checkpoint stays.
    UsageError
        If memory does not suffice for the net and the faces.
    """
    task = _Task(faces, model, options, start_from, force)
    with together(pick_device(device), (options or TrainOptions()).batch) as (team, where):
        speak = tell if team.leads else lambda _: None
        with lock(model) if team.leads else nullcontext():
            if team.leads:
                _prepare(task, speak)
            team.wait()
            try:
                return _trained(task, limits or TrainLimits(), (team, where), progress if team.leads else silent, speak)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                raise UsageError(
                    f"{model}: {options_of(model).net} and its faces need more memory than there is; choose a smaller "
                    "--net, or fewer faces"
                ) from error


def _prepare(task: _Task, tell: Tell) -> None:
    """Make the model's folder, unless it is there with the same options; where that fails, all stays as it was."""
    if task.force and task.start_from is not None and _lies_in(task.start_from, task.model):
        raise UsageError(
            f"{task.start_from}: --force gives {task.model} another name, so nothing there can be started from; choose "
            "another --output"
        )
    aside = set_aside(task.model) if task.force else None
    try:
        if not exists(task.model):
            make_folder(task.faces, task.model, task.options or options_for("quick"), task.start_from)
    except BaseException:
        if aside is not None and not task.model.exists():
            aside.rename(task.model)
        raise
    if aside is not None:
        tell(f"{task.model}: begun anew; the model that was there is now {aside}")
    if task.options is not None:
        check_options(task.model, task.options)
    origin(task.model, task.start_from)


def _lies_in(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _trained(
    task: _Task, limits: TrainLimits, place: tuple[Team, torch.device], progress: Progress, tell: Tell
) -> TrainReport:
    """Load the faces, and train until a limit is reached."""
    team, where = place
    options = options_of(task.model)
    splits = settle_faces(task.faces, task.model, options.held_out)
    _tell_changes(task, splits, tell)
    crop_px = 2 * round(config_of(options.net).output_px / VIEW_SHARE / 2)
    first, second = (
        load_faceset(folder, crop_px, split.held, where, progress)
        for folder, split in zip(task.faces, splits, strict=True)
    )
    measured = pick_precision(where, options.precision)
    how = Precision(where, bool(team.agreed(int(measured.bfloat16), where)))
    with closing(Trainer((first, second), options, how, team)) as trainer:
        judge = _judge(task.faces, limits, tell) if team.leads else None
        run = Run(trainer, task.model, limits, judge, tell)
        if run.restore():
            tell(f"taken up again at step {trainer.step}")
        else:
            _begin(task, trainer, tell)
            if trainer.blind:
                tell("a face set does not say where irises are: the net is not told the gaze; extract it with --force")
        if team.leads:
            store_faces(task.model, splits)
        with postponed() as interrupted:
            ended = run.until_ended(progress, interrupted)
        report = TrainReport(
            trainer.step,
            trainer.step * trainer.faces_a_step,
            trainer.seconds,
            run.examples_per_s,
            ended,
            run.figures,
        )
    if ended == "interrupted":
        tell(f"stopped and saved at step {report.steps}; run the same command to go on")
        raise KeyboardInterrupt
    return report


def _begin(task: _Task, trainer: Trainer, tell: Tell) -> None:
    """Take over what fits of the model to start from, if there is one."""
    other = origin(task.model, task.start_from)
    if other is not None:
        share = trainer.start_from(load_checkpoint(other if other.is_file() else best_of(other)))
        if share == 0:
            raise WeightsError(f"{other}: none of its weights fit {trainer.options.net}; leave --start-from out")
        tell(f"began with {share:.0%} of the weights from {other}")


def _tell_changes(task: _Task, splits: tuple[Split, Split], tell: Tell) -> None:
    """Say what came and went in the face sets since the last run."""
    if newest(task.model / CHECKPOINTS) is None:
        return
    for folder, split in zip(task.faces, splits, strict=True):
        if split.added or split.deleted:
            tell(f"{folder}: {split.added} faces added and {split.deleted} gone since the last run; going on with them")
        if split.anew:
            tell(f"{folder}: its held-out faces are all gone; others, trained on before, now measure it too well")


def _judge(faces: tuple[Path, Path], limits: TrainLimits, tell: Tell) -> Judge | None:
    """What tells who is seen in swapped faces; None where it is not wanted, or its weights are not there."""
    if limits.judged == 0:
        return None
    try:
        embedder = Embedder()
    except WeightsError as error:
        tell(f"who is seen in the swapped faces is not measured: {error}")
        return None
    first, second = (np.asarray(identity_of(folder), dtype=np.float32) for folder in faces)
    return Judge(embedder.embed_picture, (first, second), limits.judged)
