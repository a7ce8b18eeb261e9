"""Asking a decoder how it answers what it is told of mouth and lids, before the first face of a person is drawn.

Faces like some of the clip's own, the mouth or the lids told as they are and less and more, are drawn and looked at;
what is told from then on opens the made face as far as asked (`faceswap.response`). Each person of the clip is asked
for by himself, when he is first seen.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

import numpy as np

from faceswap.calm import Read
from faceswap.guides import GAZE, POSE, column_of
from faceswap.looks import expression_of
from faceswap.model import Reading, SwapModel
from faceswap.options import EXPRESSION, SwapOptions
from faceswap.response import Response, moves, response_of
from faceswap.rows import evenly
from faceswap.steer import PointFinder, find_made
from faceswap.telling import TOGETHER, measured
from faceswap.view import Made
from models.nets import GUIDES
from shared.face.analyse import ClipFaces
from shared.face.landmarks import eye_distance
from shared.types import Face, Floats

logger = logging.getLogger(__name__)

MOST_FACES: Final = 240
"""Of a person, spread evenly over the clip: enough to know his curve."""
DRAWN: Final = 10
"""Of these, spread evenly over what is told, so many are drawn for each of mouth and lids."""
STEPS: Final = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""How much less and more each is told, in standard deviations."""
OPENINGS: Final = {"mouth gap": "mouth", "lids": "eyes"}
"""What is asked about, of the guides, and which of the looks shows how far it is open."""
TRIES: Final = 4
"""Groups of scenes that are taken to ask with, if nothing can be seen in the first."""
FEWEST: Final = 40
"""Fewer faces than this do not show a curve."""
UPPER_LIP: Final = (*range(49, 54), 61, 62, 63)
LOWER_LIP: Final = (*range(55, 60), 65, 66, 67)
WIDEST: Final = 0.3
"""A mouth that is opened so far, in distances of the eyes' corners, is wide open."""


class Asking:
    """Asks about each person of a clip once, and changes what his faces are told.

    Parameters
    ----------
    clip : whose faces show how far its people open mouth and eyes.
    """

    def __init__(self, model: SwapModel, options: SwapOptions, clip: ClipFaces, finder: PointFinder) -> None:
        self._model = model
        self._options = options
        self._clip = clip
        self._finder = finder
        self._people = {track.number: track.person for track in clip.tracks}
        self._known: dict[int | None, list[Response]] = {}
        self._tries: dict[int | None, int] = {}

    def of(self, few: Sequence[Read]) -> list[Read]:
        """Consecutive scenes with what is to be told."""
        for person in dict.fromkeys(self._person(view.face) for item in few for view in item.views):
            if not self._known.get(person) and self._tries.get(person, 0) < TRIES:
                self._ask(person, few)
        return [self._answer(item) for item in few]

    def _ask(self, person: int | None, few: Sequence[Read]) -> None:
        self._tries[person] = self._tries.get(person, 0) + 1
        first = [one for item in few if (one := self._alone(item, person)) is not None]
        self._known[person] = responses_of(first, self._model, self._options, self._faces(person), self._finder)
        if not self._known[person] and self._tries[person] == TRIES:
            logger.info("how far mouth and lids open could not be found out; they follow as they are told")

    def _answer(self, item: Read) -> Read:
        if item.reading is None or item.reading.guides is None:
            return item
        told = item.reading.guides.copy()
        for number, view in enumerate(item.views):
            for response in self._known.get(self._person(view.face), ()):
                told[number : number + 1] = response.applied(told[number : number + 1])
        same = np.array_equal(told, item.reading.guides)
        return item if same else replace(item, answer=replace(item.reading, guides=told))

    def _person(self, face: Face) -> int | None:
        return self._people.get(face.track)

    def _alone(self, item: Read, person: int | None) -> Read | None:
        """A scene with the first face of a person alone; None where he is not in it."""
        for number, view in enumerate(item.views):
            if self._person(view.face) == person and item.reading is not None and item.reading.guides is not None:
                return replace(item, views=(view,), reading=item.reading.of(number))
        return None

    def _faces(self, person: int | None) -> list[Face]:
        """Faces of a person, spread over the frames in which he is."""
        tracks = [track for track in self._clip.tracks if track.person == person]
        numbers = {track.number for track in tracks}
        places = sorted({place for track in tracks for place in range(track.first, track.last + 1)})
        faces = [face for place in evenly(places, MOST_FACES) for face in self._clip.faces_at(place)]
        return [face for face in faces if face.track in numbers and face.mesh is not None]


def answered(
    items: Iterator[Read], model: SwapModel, options: SwapOptions, clip: ClipFaces | None, finder: PointFinder | None
) -> Iterator[Read]:
    """Change what is told so that mouth and lids open as far as asked; order is kept.

    Without a clip, a finder, or guides nothing is changed.
    """
    usable = model.guides is not None and model.guides.basis.shape[1] + POSE == GUIDES and options.expression > 0
    if not usable or clip is None or finder is None:
        yield from items
        return
    asking = Asking(model, options, clip, finder)
    while few := tuple(islice(items, TOGETHER)):
        yield from asking.of(few)


def responses_of(
    first: Sequence[Read], model: SwapModel, options: SwapOptions, faces: Sequence[Face], finder: PointFinder
) -> list[Response]:
    """Ask the decoder; none for what cannot be seen.

    Parameters
    ----------
    first : scenes with one face each, whose codes and surroundings are taken.
    faces : some of the same person.
    """
    if model.guides is None or not first or len(faces) < FEWEST:
        return []
    decoder = 0 if options.swap_direction else 1
    own = [item.reading.guides for item in first if item.reading is not None and item.reading.guides is not None]
    seen = measured(model.guides, 1 - decoder, [view.face for item in first for view in item.views], model.centring)
    level = (np.concatenate(own) - seen).mean(axis=0)
    found = []
    for name, looks in OPENINGS.items():
        column, shown = column_of(name), faces
        openings = np.array([expression_of(face.landmarks)[looks] for face in shown])
        if looks == "mouth" and not moves(openings):
            # Nobody speaks in the clip; but another engine may let him.
            shown = [parted(face, WIDEST * number / len(faces)) for number, face in enumerate(faces)]
            openings = np.array([expression_of(face.landmarks)[looks] for face in shown])
        told = measured(model.guides, 1 - decoder, shown, model.centring) + level
        chosen = told[np.argsort(told[:, column])[np.linspace(0, len(told) - 1, DRAWN).round().astype(int)]]
        drawn = _drawn(first, model, {decoder: options.expression}, (chosen, column), finder)
        if len(drawn) >= FEWEST // 2:
            made = np.array([(value, expression_of(face.landmarks)[looks]) for value, face in drawn])
            clip, answer = (told[:, column].astype(np.float64), openings), (made[:, 0], made[:, 1])
            found.append(response_of(column, clip, answer, options.expression / EXPRESSION))
    return [response for response in found if response is not None]


def parted(face: Face, by: float) -> Face:
    """The same face with its lips further apart, by so many distances of the eyes' corners."""
    points = face.landmarks.copy()
    away = points[8] - points[27]  # from between the eyes to the chin
    step = away / max(float(np.linalg.norm(away)), 1e-6) * (by * eye_distance(points) / 2)
    points[list(UPPER_LIP)] -= step
    points[list(LOWER_LIP)] += step
    return replace(face, landmarks=points)


def _drawn(
    first: Sequence[Read],
    model: SwapModel,
    people: dict[int, float],
    asked: tuple[Floats, int],
    finder: PointFinder,
) -> list[tuple[float, Face]]:
    """What was told in a column, with the face that was made of it."""
    chosen, column = asked
    found = []
    for number, guides in enumerate(chosen):
        item = first[number % len(first)]
        if item.reading is None or item.reading.guides is None:
            continue
        one = item.reading.of(0)
        told = np.tile(guides, (len(STEPS), 1))
        told[:, : GAZE.stop] = item.reading.guides[0, : GAZE.stop]
        told[:, column] += STEPS
        code = Reading(one.values.expand(len(STEPS), *one.values.shape[1:]), told.astype(np.float32))
        for value, picture in zip(told[:, column], model.draw(code, people)[0][0], strict=True):
            face = find_made(item.scene.frame, Made(item.views[0], picture), finder)
            if face is not None and np.isfinite(face.landmarks).all():
                found.append((float(value), face))
    return found
