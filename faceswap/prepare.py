"""From two clips to a model: what a render does when it is given a face and no model."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from faceswap.extract import extract
from faceswap.faceset import usable
from faceswap.model import facts_of
from faceswap.options import ExtractOptions, TrainLimits, TrainOptions, options_for
from faceswap.train import train
from shared.progress import Progress, silent

logger = logging.getLogger(__name__)

NAMES: Final = ("faces-target", "faces-source")
MODEL: Final = "swap"
LEAST_MINUTES: Final = 1e-3
"""A run always has a step, since training also looks whether the model is that of these faces and options."""
MOST_FACES: Final = 1500
"""Of each person; more do not make a quick net better within minutes."""


def make_model(
    clip: Path,
    face_from: Path,
    folder: Path,
    minutes: float = 20.0,
    device: str = "auto",
    progress: Progress = silent,
    options: TrainOptions | None = None,
) -> Path:
    """Make the model that lays the face of `face_from` on the person in `clip`, into ``folder/swap``.

    What is there from an interrupted run is taken up again.

    Parameters
    ----------
    minutes : longest time for training, that of earlier runs included; it ends earlier on a plateau.
    options : of the training; the quick net's defaults where None.

    Raises
    ------
    NoFaceError
        If a clip shows too few usable faces.
    """
    chosen = ExtractOptions(most=MOST_FACES)
    sets = (folder / NAMES[0], folder / NAMES[1])
    for source, target in zip((clip, face_from), sets, strict=True):
        report = extract([source], target, chosen, progress)
        logger.info("%s: %d faces", source.name, report.faces)
    model = folder / MODEL
    left = minutes - float(facts_of(model).get("seconds", 0.0)) / 60
    limits = TrainLimits(minutes=max(left, LEAST_MINUTES))
    report_of_training = train(sets, model, options or options_for("quick"), limits, device=device, progress=progress)
    logger.info(
        "trained on %d and %d faces: %.1f and %.1f dB over the mean face, %s reached",
        *(len(usable(one)) for one in sets),
        *report_of_training.gain_db,
        report_of_training.ended,
    )
    return model
