"""The swap as a stage: scenes in, each with the patches of its swapped faces out, lazily and in order."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faceswap.front import Fronts
from faceswap.lay import figures, lay
from faceswap.matte import PERSON_PX, mask_parts, person_crop
from faceswap.model import SwapModel, open_model
from faceswap.options import SwapOptions
from faceswap.steady import Steadied
from faceswap.steer import Field, PointFinder, field_of, misses, mixed, steered
from faceswap.view import Made, Shown, View, look_at
from shared.errors import UsageError
from shared.face.analyse import ClipFaces
from shared.face.identity import THRESHOLD, cosine
from shared.face.mesh import MeshFinder, MeshOptions
from shared.face.person import PersonFinder
from shared.picture.planes import warp
from shared.picture.warp import eight_bit
from shared.progress import Progress, silent
from shared.types import Edit, Floats, Frame, Scene, Stage

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
    finder = MeshFinder(MeshOptions(threads=1)) if options.steer > 0 else None
    parts = mask_parts(options.mask)
    people = PersonFinder() if "person" in parts else None
    if "learned" in parts and not model.net.config.mask:
        raise UsageError(
            f"{options.model}: its net draws no mask, so --mask {options.mask} cannot be had; leave it out"
        )
    progress(1, 1, "loading the face-swap model")

    def stage(scenes: Iterator[Scene]) -> Iterator[tuple[Scene, Edit]]:
        return swapped(scenes, model, options, finder, people)

    return stage


def swapped(
    scenes: Iterator[Scene],
    model: SwapModel,
    options: SwapOptions,
    finder: PointFinder | None = None,
    people: PersonFinder | None = None,
) -> Iterator[tuple[Scene, Edit]]:
    """Each scene with its faces swapped; a scene without faces passes through.

    At most twice `options.batch` scenes, and the few that steadying looks ahead, are held at a time.

    Parameters
    ----------
    finder : looks at the made faces, to steer them; None leaves them as they are made.
    people : tells the person from the background, for the mask ``person``.
    """
    shown = _made(scenes, model, options, people)
    if finder is not None and options.steer > 0:
        shown = steered(shown, finder)
    steady = _Steadied(Steadied(options.colour_window_s), Steadied(options.steer_window_s))
    while few := tuple(islice(shown, max(1, options.batch))):
        yield from _laid(few, steady, options)


def _made(
    scenes: Iterator[Scene], model: SwapModel, options: SwapOptions, people: PersonFinder | None
) -> Iterator[Shown]:
    """Each scene with its faces as the net draws them, a batch of scenes at a time."""
    fronts = Fronts()
    while few := tuple(islice(scenes, max(1, options.batch))):
        views = [look_at(scene.frame, face, model.view_px) for scene in few for face in scene.faces]
        made = iter(_drawn(views, model, fronts, options) if views else ())
        for scene in few:
            faces = list(islice(made, len(scene.faces)))
            if people is not None:
                faces = [replace(face, person=_person(scene.frame, face, people)) for face in faces]
            yield Shown(scene, tuple(faces))


def _drawn(views: Sequence[View], model: SwapModel, fronts: Fronts, options: SwapOptions) -> list[Made]:
    person = 0 if options.swap_direction else 1
    seen = np.stack([view.picture for view in views])
    (pictures, masks), *rebuilt = model.draw(seen, (person,) if options.occluders <= 0 else (person, 1 - person))
    each = [None] * len(views) if masks is None else list(masks)
    made = [Made(view, picture, mask) for view, picture, mask in zip(views, pictures, each, strict=True)]
    if not rebuilt:
        return made
    front = fronts.look(made, list(rebuilt[0][0]))
    return [replace(one, front=mask) for one, mask in zip(made, front, strict=True)]


def _person(frame: Frame, made: Made, people: PersonFinder) -> Floats:
    crop = warp(frame, person_crop(made.view.face), (PERSON_PX, PERSON_PX))
    return people.person(eight_bit(crop))


@dataclass(frozen=True, slots=True)
class _Steadied:
    """What is steadied along tracks, each over its own window."""

    colour: Steadied
    shape: Steadied


def _laid(few: Sequence[Shown], steady: _Steadied, options: SwapOptions) -> Iterator[tuple[Scene, Edit]]:
    measured = [[(figures(made, options), misses(made)) for made in shown.faces] for shown in few]
    colours: dict[int, list[NDArray[np.float64]]] = defaultdict(list)
    shapes: dict[int, list[NDArray[np.float64]]] = defaultdict(list)
    for shown, of_scene in zip(few, measured, strict=True):
        for made, (colour, miss) in zip(shown.faces, of_scene, strict=True):
            colours[made.view.face.track].append(colour)
            if miss is not None:
                shapes[made.view.face.track].append(miss)
    steady.colour.start(colours)
    steady.shape.start(shapes)
    for shown, of_scene in zip(few, measured, strict=True):
        patches = []
        for made, (colour, miss) in zip(shown.faces, of_scene, strict=True):
            known = steady.colour.add(made.view.face.track, shown.time_s, colour)
            patches.append(lay(made, known, options, _field(made, miss, shown.time_s, steady.shape, options)))
        yield shown.scene, Edit(tuple(patches), notes=shown.notes)


def _field(
    made: Made, miss: NDArray[np.float64] | None, time_s: float, steady: Steadied, options: SwapOptions
) -> Field | None:
    """How a made face is to be warped; where the finder lost it, by what is usual along its track."""
    track = made.view.face.track
    usual = steady.known(track) if miss is None else steady.add(track, time_s, miss)
    if usual is None:
        return None
    undone = mixed(usual if miss is None else miss, usual, options.steer, options.steer_shape)
    return field_of(made.view.face, made.view.view_from_frame, len(made.picture), undone)


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
