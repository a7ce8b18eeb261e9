"""The swap as a stage: scenes in, each with the patches of its swapped faces out, lazily and in order."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Final

import numpy as np

from faceswap.align import HAIR
from faceswap.along import Layer
from faceswap.ask import answered
from faceswap.calm import Read, calmed
from faceswap.detail import noise_around
from faceswap.enhance import Enhance, open_enhancer
from faceswap.front import Fronts
from faceswap.gaps import bridged
from faceswap.masks import mask_parts
from faceswap.matte import PERSON_PX, person_crop
from faceswap.model import Reading, SwapModel, open_model
from faceswap.options import SwapOptions
from faceswap.steer import PointFinder, steered
from faceswap.telling import TOGETHER, Telling
from faceswap.view import Made, Shown, look_at
from shared.errors import UsageError
from shared.face.analyse import ClipFaces
from shared.face.identity import THRESHOLD, cosine
from shared.face.mesh import MeshFinder, MeshOptions
from shared.face.person import PersonFinder
from shared.picture.planes import warp
from shared.picture.warp import eight_bit, resize
from shared.pipe import in_background
from shared.progress import Progress, silent
from shared.types import Edit, Floats, Frame, Scene, Stage

logger = logging.getLogger(__name__)

LOOKS_LIKE_MARGIN: Final = 0.15
"""Difference of cosines above which the person in the clip is taken for the model's other one."""


@dataclass(frozen=True, slots=True)
class Helpers:
    """Other networks that a swap asks, each None where it does without.

    Attributes
    ----------
    finder : looks at the made faces, to steer them; without it they stay as they are made.
    people : tells the person from the background, for the mask ``person``.
    enhance : enlarges or restores the made faces.
    clip : the analysed clip, whose faces show how far its people open mouth and eyes.
    """

    finder: PointFinder | None = None
    people: PersonFinder | None = None
    enhance: Enhance | None = None
    clip: ClipFaces | None = None


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
    if model.centring == "head":
        options = replace(options, forehead=max(options.forehead, HAIR))
    finder = MeshFinder(MeshOptions(threads=1)) if options.steer > 0 or model.guides is not None else None
    parts = mask_parts(options.mask)
    people = PersonFinder() if "person" in parts else None
    enhance = None if options.enhance is None else open_enhancer(options.enhance, device)
    if "learned" in parts and not model.net.config.mask:
        raise UsageError(
            f"{options.model}: its net draws no mask, so --mask {options.mask} cannot be had; leave it out"
        )
    progress(1, 1, "loading the face-swap model")

    def stage(scenes: Iterator[Scene]) -> Iterator[tuple[Scene, Edit]]:
        return swapped(scenes, model, options, Helpers(finder, people, enhance, clip))

    return stage


def swapped(
    scenes: Iterator[Scene],
    model: SwapModel,
    options: SwapOptions,
    helpers: Helpers = Helpers(),
) -> Iterator[tuple[Scene, Edit]]:
    """Each scene with its faces swapped; a scene without faces passes through.

    At most `options.batch` scenes, five times `TOGETHER`, the few that steadying looks ahead, and those of an open gap
    are held. Faces are drawn in one thread and laid in another: each is about half of the work.
    """
    with in_background(_made(scenes, model, options, helpers), TOGETHER, "draw") as shown:
        steering = helpers.finder if options.steer > 0 else None
        whole = bridged(shown if steering is None else steered(shown, steering), options.gap_s)
        layer = Layer(options)
        while few := tuple(islice(whole, TOGETHER)):
            yield from layer.laid(few)


def _made(scenes: Iterator[Scene], model: SwapModel, options: SwapOptions, helpers: Helpers) -> Iterator[Shown]:
    """Each scene with its faces as the net draws them, some scenes at a time."""
    artist = _Artist(model, options)
    before: Frame | None = None
    read = told_faces(scenes, model, options, helpers)
    while few := tuple(islice(read, TOGETHER)):
        drawn = artist.drawn(few)
        better = iter(drawn if helpers.enhance is None or not drawn else _enhanced(drawn, helpers.enhance))
        for scene in (item.scene for item in few):
            faces = [_in_its_size(scene.frame, face) for face in islice(better, len(scene.faces))]
            if helpers.people is not None:
                faces = [replace(face, person=_person(scene.frame, face, helpers.people)) for face in faces]
            if options.grain > 0 and before is not None:
                faces = [replace(face, noise=noise_around(scene.frame, before, face.view.face)) for face in faces]
            before = scene.frame
            yield Shown(scene, tuple(faces))


def told_faces(scenes: Iterator[Scene], model: SwapModel, options: SwapOptions, helpers: Helpers) -> Iterator[Read]:
    """Each scene with what the decoder is told of its faces, steadied, and so that it opens mouth and eyes as asked."""
    calm = calmed(read_faces(scenes, model, options), options.steady_ms)
    return answered(calm, model, options, helpers.clip, helpers.finder)


def read_faces(scenes: Iterator[Scene], model: SwapModel, options: SwapOptions) -> Iterator[Read]:
    """Each scene with what is told of its faces, some scenes at a time."""
    read = _read(scenes, model, options.batch)
    if model.guides is None:
        yield from read
        return
    telling = Telling(model.guides, 1 if options.swap_direction else 0)
    while few := tuple(islice(read, TOGETHER)):
        yield from telling.of(few)


def _read(scenes: Iterator[Scene], model: SwapModel, batch: int) -> Iterator[Read]:
    """Each scene with what the net reads off its faces, a batch of scenes at a time."""
    while few := tuple(islice(scenes, max(1, batch))):
        views = [
            tuple(look_at(scene.frame, face, model.view_px, model.centring) for face in scene.faces) for scene in few
        ]
        every = [view for some in views for view in some]
        reading = model.read(np.stack([view.picture for view in every])) if every else None
        rows = count()
        for scene, some in zip(few, views, strict=True):
            own = [reading.of(next(rows)) for _ in some] if reading is not None else []
            yield Read(scene, some, Reading.joined(own) if own else None)


class _Artist:
    """Draws faces; remembers of each track what is usual in front."""

    def __init__(self, model: SwapModel, options: SwapOptions) -> None:
        self._person = 0 if options.swap_direction else 1
        self._model = model
        self._batch = max(1, options.batch)
        self._expression = options.expression
        self._fronts = Fronts() if options.occluders > 0 else None

    def drawn(self, few: Sequence[Read]) -> list[Made]:
        """The faces of some consecutive scenes as the net draws them, and what is in front of them."""
        views = [view for item in few for view in item.views]
        read = [item.reading for item in few if item.reading is not None]
        if not read:
            return []
        told = [item.answer or item.reading for item in few if item.reading is not None]
        pictures, masks = self._drawn([one for one in told if one is not None], self._person, self._expression)
        each: Sequence[Floats | None] = masks or [None] * len(views)
        made = [Made(view, picture, mask) for view, picture, mask in zip(views, pictures, each, strict=True)]
        if self._fronts is None:
            return made
        rebuilt, _ = self._drawn(read, 1 - self._person, 1.0)
        front = self._fronts.look(made, rebuilt)
        return [replace(one, front=mask) for one, mask in zip(made, front, strict=True)]

    def _drawn(self, readings: Sequence[Reading], person: int, far: float) -> tuple[list[Floats], list[Floats]]:
        """Pictures of a person, and their masks, none where the net draws none; so many scenes at a time."""
        pieces = [
            self._model.draw(Reading.joined(readings[first : first + self._batch]), {person: far})[0]
            for first in range(0, len(readings), self._batch)
        ]
        masks = [mask for _, some in pieces if some is not None for mask in some]
        return [picture for some, _ in pieces for picture in some], masks


def _enhanced(drawn: Sequence[Made], enhance: Enhance) -> list[Made]:
    """Made faces as the user's network improves them, perhaps larger."""
    pictures = enhance(np.stack([made.picture for made in drawn]))
    size = pictures.shape[1:3]
    masks = [None if made.mask is None else resize(made.mask, size) for made in drawn]
    return [
        replace(made, picture=picture, mask=mask) for made, picture, mask in zip(drawn, pictures, masks, strict=True)
    ]


def _in_its_size(frame: Frame, made: Made) -> Made:
    """A made face that was enlarged, with the view of the replaced one as large."""
    if made.picture.shape == made.view.picture.shape:
        return made
    return replace(made, view=look_at(frame, made.view.face, len(made.picture), made.view.centring))


def _person(frame: Frame, made: Made, people: PersonFinder) -> Floats:
    crop = warp(frame, person_crop(made.view.face), (PERSON_PX, PERSON_PX))
    return people.person(eight_bit(crop))


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
