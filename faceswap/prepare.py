"""From two clips to a model: what a render does when it is given a face and no model."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Final

from faceswap.extract import extract
from faceswap.model import KIND, SCHEMA, facts_of
from faceswap.options import ExtractOptions, TrainLimits, TrainOptions, options_for
from faceswap.terms import model_fingerprint
from faceswap.train import train
from shared.errors import ArtefactError
from shared.face.detect import FinderName
from shared.progress import Progress, silent
from shared.store.artefact import is_current

logger = logging.getLogger(__name__)

NAMES: Final = ("faces-target", "faces-source")
MODEL: Final = "swap"
MOST_FACES: Final = 1500
"""Of each person; more do not make a quick net better within minutes."""
PLATEAU_LOOKS: Final = 12
"""Nobody watches this training: it ends when so many looks bring no gain."""
LEAST_MINUTES: Final = 0.05
"""Less time than this left over is not worth taking a training up again."""


def make_model(
    clips: tuple[Path, Path],
    folder: Path,
    minutes: float = 20.0,
    device: str = "auto",
    progress: Progress = silent,
    options: TrainOptions | None = None,
    finder: FinderName = "mesh",
) -> Path:
    """Make the model that lays the face in the second clip on the person in the first, into ``folder/swap``.

    What is there from an earlier run is taken up again: `minutes` count over all runs. What an older version made
    there is made anew.

    Parameters
    ----------
    minutes : longest time for training; it ends earlier on a plateau.
    options : of the training; the quick net's defaults where None.

    Raises
    ------
    NoFaceError
        If a clip shows too few usable faces.
    """
    sets = (folder / NAMES[0], folder / NAMES[1])
    for source, target in zip(clips, sets, strict=True):
        _extract(source, target, ExtractOptions(most=MOST_FACES, finder=finder), progress)
    _train(sets, folder / MODEL, options or options_for("quick"), minutes, device, progress)
    return folder / MODEL


def _extract(clip: Path, folder: Path, chosen: ExtractOptions, progress: Progress) -> None:
    try:
        report = extract([clip], folder, chosen, progress)
    except ArtefactError as error:
        logger.info("%s: extracting anew", error)
        report = extract([clip], folder, chosen, progress, force=True)
    logger.info("%s: %d faces", clip.name, report.faces)


def _train(
    sets: tuple[Path, Path], model: Path, options: TrainOptions, minutes: float, device: str, progress: Progress
) -> None:
    current = is_current(model, KIND, model_fingerprint(sets, options), SCHEMA)
    facts = facts_of(model) if current else {}
    left = minutes - float(facts.get("seconds", 0.0)) / 60
    if facts.get("ended") == "plateau" or left < LEAST_MINUTES:
        return
    limits = TrainLimits(minutes=left, plateau_looks=PLATEAU_LOOKS)
    report = train(sets, model, options, limits, device=device, force=not current, progress=progress, tell=logger.info)
    for older in model.parent.glob(f"{model.name}.old-*"):  # a cache needs no models that were made otherwise
        shutil.rmtree(older)
    logger.info(
        "trained for %.1f minutes: %+.1f and %+.1f dB over the mean face; ended by %s",
        report.seconds / 60,
        *report.gain_db,
        report.ended,
    )
