"""The swap as a stage: scenes in, each with the patches of its swapped faces out, lazily and in order."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faceswap.lay import View, figures, lay, look_at
from faceswap.model import SwapModel, open_model
from faceswap.options import SwapOptions
from faceswap.steady import Steadied
from shared.face.analyse import ClipFaces
from shared.face.identity import THRESHOLD, cosine
from shared.progress import Progress, silent
from shared.types import Edit, Floats, Scene, Stage

logger = logging.getLogger(__name__)

LOOKS_LIKE_MARGIN: Final = 0.15
"""Difference of cosines above which the person in the clip is taken for the model's other one."""


def open_stage(options: SwapOptions, clip: ClipFaces, device: str = "auto", progress: Progress = silent) -> Stage:
    """Load the model and return the stage.

    Raises
    ------
    ArtefactError, WeightsError
        If the model cannot be used.
    """
    progress(0, 1, "loading the face-swap model")
    model = open_model(options.model, device)
    _check_direction(model, clip, options)
    progress(1, 1, "loading the face-swap model")

    def stage(scenes: Iterator[Scene]) -> Iterator[tuple[Scene, Edit]]:
        return swapped(scenes, model, options)

    return stage


def swapped(scenes: Iterator[Scene], model: SwapModel, options: SwapOptions) -> Iterator[tuple[Scene, Edit]]:
    """Each scene with its faces swapped; a scene without faces passes through.

    `options.batch` scenes are held at a time.
    """
    person = 0 if options.swap_direction else 1
    steady = Steadied(options.colour_window_s)
    while few := tuple(islice(scenes, max(1, options.batch))):
        views = [[look_at(scene.frame, face, model.view_px) for face in scene.faces] for scene in few]
        flat = [view for of_scene in views for view in of_scene]
        pictures = model.swap(np.stack([view.picture for view in flat]), person)[0] if flat else ()
        made: Iterator[Floats] = iter(pictures)
        faces = [[(view, next(made)) for view in of_scene] for of_scene in views]
        yield from _laid(few, faces, steady, options)


def _laid(
    scenes: tuple[Scene, ...], faces: list[list[tuple[View, Floats]]], steady: Steadied, options: SwapOptions
) -> Iterator[tuple[Scene, Edit]]:
    measured = [[figures(view, made) for view, made in of_scene] for of_scene in faces]
    firsts: dict[int, list[NDArray[np.float64]]] = defaultdict(list)
    for of_scene, values in zip(faces, measured, strict=True):
        for (view, _), value in zip(of_scene, values, strict=True):
            firsts[view.face.track].append(value)
    steady.start(firsts)
    for scene, of_scene, values in zip(scenes, faces, measured, strict=True):
        time_s = float(scene.frame.time_s)
        patches = tuple(
            lay(view, made, steady.add(view.face.track, time_s, value), options)
            for (view, made), value in zip(of_scene, values, strict=True)
        )
        yield scene, Edit(patches)


def _check_direction(model: SwapModel, clip: ClipFaces, options: SwapOptions) -> None:
    """Warn where the clip shows the person whose face would be laid on it."""
    if not clip.tracks:
        return
    main = max(clip.tracks, key=lambda track: track.frames * track.size_px)
    first, second = (cosine(main.embedding, known) for known in model.embeddings)
    towards = first - second if options.swap_direction else second - first
    if towards > LOOKS_LIKE_MARGIN and max(first, second) >= THRESHOLD:
        logger.warning(
            "the person in the clip looks like the one whose face will be laid on (cosine %.2f against %.2f); "
            "--swap-direction turns the swap round",
            max(first, second),
            min(first, second),
        )
