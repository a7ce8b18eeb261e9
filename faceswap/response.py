"""How a decoder answers what it is told of mouth and lids, and what it must be told so that they open as far as asked.

A decoder has learned its own person's habits: one who seldom closes his eyes on film answers half a blink with a slit,
and one who is mostly silent opens his lips only when told of a shout. So it is asked, before the first frame is drawn:
faces like some of the clip's own, the mouth or the lids told as they are and less and more, are drawn and looked at.
Between what is told and how far the made face opens there is a rising curve (isotonic regression); between what is told
and how far the clip's own face is open, another. One through the inverse of the other says what to tell.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from faceswap.calm import Read
from faceswap.guides import GAZE, NAMED, POSE
from faceswap.looks import expression_of
from faceswap.model import Reading, SwapModel
from faceswap.options import EXPRESSION, SwapOptions
from faceswap.rows import evenly
from faceswap.steer import PointFinder, find_made
from faceswap.telling import TOGETHER, measured
from faceswap.view import Made
from models.nets import GUIDES
from shared.face.analyse import ClipFaces
from shared.types import Face, Floats

logger = logging.getLogger(__name__)

Doubles = NDArray[np.float64]
MOST_FACES: Final = 240
"""Of the clip, spread evenly: enough to know its curve."""
DRAWN: Final = 10
"""Of these, spread evenly over what is told, so many are drawn for each of mouth and lids."""
STEPS: Final = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""How much less and more each is told, in standard deviations."""
BINS: Final = 8
"""A curve is drawn through the means of so many bins of equal numbers: finer ones, or bins of equal width, follow the
finder's noise, and the curve read backwards makes the more of it (eyes r .88 instead of .95 on the GRID speaker)."""
OPENINGS: Final = {"mouth gap": "mouth", "lids": "eyes"}
"""What is asked about, of the guides, and which of the looks shows how far it is open."""
TRIES: Final = 4
"""Groups of scenes that are taken to ask with, if nothing can be seen in the first."""
FEWEST: Final = 40
"""Fewer faces than this do not show a curve."""
FURTHEST: Final = 2.5
"""What is told is changed by no more than this."""
STILL: Final = 0.04
"""A face whose opening differs less than this, as a share of an eye's width or distance, does not move."""
LEAST_ANSWER: Final = 0.25
"""A decoder that opens less than this share of what is asked does not listen: it must not be shouted at."""
END: Final = 0.03
"""Share of the faces in a bin of its own at either end: eyes are seldom shut, but then it matters."""
PRICE: Final = 0.03
"""A change of what is told by one standard deviation must win more than this share of the clip's opening."""
TRIED: Final = 256
RISE: Final = 1e-6
"""Least rise of a curve, so that it can be read backwards."""
WIDE_OPEN: Final = 60.0
"""Percentile of the openings of a person's lids that counts as open."""


@dataclass(frozen=True, slots=True)
class Response:
    """What to tell of one thing.

    Attributes
    ----------
    column : of the guides.
    told, asked : (K,) rising; what was told, and what to tell in its place.
    """

    column: int
    told: Doubles
    asked: Doubles

    def applied(self, guides: Floats) -> Floats:
        """Guides (N, K) with this column as it is to be told; beyond the curve's ends as much is added as there."""
        changed = guides.copy()
        values = guides[:, self.column]
        changed[:, self.column] = values + np.interp(values, self.told, self.asked - self.told)
        return changed


def answered(
    items: Iterator[Read], model: SwapModel, options: SwapOptions, clip: ClipFaces | None, finder: PointFinder | None
) -> Iterator[Read]:
    """Change what is told so that mouth and lids open as far as asked; order is kept.

    Parameters
    ----------
    clip : whose faces show how far its people open mouth and eyes; without it, a finder, or guides nothing is changed.
    """
    usable = model.guides is not None and model.guides.basis.shape[1] + POSE == GUIDES and options.expression > 0
    if not usable or clip is None or finder is None:
        yield from items
        return
    responses: list[Response] = []
    tracks: frozenset[int] = frozenset()
    tries = TRIES
    while few := tuple(islice(items, TOGETHER)):
        if not responses and tries and any(item.views for item in few):
            tracks = _person_of(clip, few)
            first = [one for item in few if (one := _alone(item, tracks)) is not None]
            responses = responses_of(first, model, options, _faces_of(clip, tracks), finder)
            tries -= 1
            if not responses and not tries:
                logger.info("how far mouth and lids open could not be found out; they follow as they are told")
        yield from (_answer(item, responses, tracks) for item in few)


def _answer(item: Read, responses: Sequence[Response], tracks: frozenset[int]) -> Read:
    """A scene with what the faces of some tracks are told in place of what was read off them."""
    if item.reading is None or item.reading.guides is None or not responses:
        return item
    guides = item.reading.guides
    for response in responses:
        guides = response.applied(guides)
    asked = np.array([view.face.track in tracks for view in item.views])
    return replace(
        item, answer=replace(item.reading, guides=np.where(asked[:, np.newaxis], guides, item.reading.guides))
    )


def _person_of(clip: ClipFaces, few: Sequence[Read]) -> frozenset[int]:
    """Tracks of the person who is seen most in some scenes."""
    people = {one.number: one.person for one in clip.tracks}
    seen = Counter(people.get(view.face.track) for item in few for view in item.views)
    most = seen.most_common(1)[0][0]
    return frozenset(number for number, person in people.items() if person == most)


def _alone(item: Read, tracks: frozenset[int]) -> Read | None:
    """A scene with the first face of some tracks alone; None where there is none."""
    for number, view in enumerate(item.views):
        if view.face.track in tracks and item.reading is not None and item.reading.guides is not None:
            return replace(item, views=(view,), reading=item.reading.of(number))
    return None


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
    told = measured(model.guides, 1 - decoder, faces, model.centring)
    own = [item.reading.guides for item in first if item.reading is not None and item.reading.guides is not None]
    seen = measured(model.guides, 1 - decoder, [view.face for item in first for view in item.views], model.centring)
    told = told + (np.concatenate(own) - seen).mean(axis=0)
    found = []
    for name, looks in OPENINGS.items():
        column = POSE + list(NAMED).index(name)
        chosen = told[np.argsort(told[:, column])[np.linspace(0, len(told) - 1, DRAWN).round().astype(int)]]
        drawn = _drawn(first, model, {decoder: options.expression}, (chosen, column), finder)
        if len(drawn) >= FEWEST // 2:
            wanted = np.array([expression_of(face.landmarks)[looks] for face in faces])
            made = np.array([(value, expression_of(face.landmarks)[looks]) for value, face in drawn])
            clip, answer = (told[:, column].astype(np.float64), wanted), (made[:, 0], made[:, 1])
            found.append(response_of(column, clip, answer, options.expression / EXPRESSION))
    return [response for response in found if response is not None]


def response_of(
    column: int, clip: tuple[Doubles, Doubles], made: tuple[Doubles, Doubles], strength: float
) -> Response | None:
    """Curves of the clip and of the decoder, the one read through the other backwards.

    Lids shall be shut where the clip's are, and as open as the decoder's own person keeps them where they are open; the
    mouth as open as the clip's.

    Parameters
    ----------
    clip, made : what is told, and how open the clip's and the made faces are, (N,) each.
    strength : how far beyond what is asked, 1 for just so far.

    Returns
    -------
    None where the clip's face does not move, or the decoder does not answer.
    """
    told, wanted = _curve(*clip)
    values, opened = _curve(*made)
    if column == POSE + list(NAMED).index("lids"):
        wide = np.percentile(clip[1], WIDE_OPEN)
        wanted = wanted * np.interp(np.percentile(clip[0], WIDE_OPEN), values, opened) / max(wide, RISE)
        wanted = wanted[-1] + strength * (wanted - wanted[-1])
    else:
        wanted = strength * wanted
    moves, answers = wanted[-1] - wanted[0], opened[-1] - opened[0]
    if moves < STILL or answers < LEAST_ANSWER * moves:
        return None
    return Response(column, told, _asked(told, wanted, (values, opened)))


def _asked(told: Doubles, wanted: Doubles, answer: tuple[Doubles, Doubles]) -> Doubles:
    """What to tell in place of `told` so that a decoder opens as far as wanted, changed no further than it pays.

    Lips that are shut stay so whatever less they are told: told of far less than they know they only wrinkle.
    """
    values, opened = answer
    tried = np.linspace(values[0], values[-1], TRIED)
    misses = (np.interp(tried, values, opened) - wanted[:, np.newaxis]) / (wanted[-1] - wanted[0])
    change = tried - told[:, np.newaxis]
    cost = misses**2 + (PRICE * change) ** 2 + np.where(np.abs(change) > FURTHEST, np.inf, 0.0)
    kept = np.isfinite(cost).any(axis=1)  # else the decoder was never asked anything near it
    best = np.where(kept, tried[cost.argmin(axis=1)], told)
    return np.asarray(isotonic_regression(best).x + RISE * np.arange(len(best)))


def _curve(values: Doubles, openings: Doubles) -> tuple[Doubles, Doubles]:
    """What is told, and how open that is, both rising: means over bins, made to rise by isotonic regression."""
    order = np.argsort(values, kind="stable")
    ends = max(2, round(END * len(order)))
    middle = np.array_split(order[ends:-ends], min(BINS, max(1, len(order) - 2 * ends)))
    bins = [some for some in (order[:ends], *middle, order[-ends:]) if len(some)]
    told = np.array([values[some].mean() for some in bins]) + RISE * np.arange(len(bins))
    means = isotonic_regression([openings[some].mean() for some in bins], weights=[len(some) for some in bins]).x
    return told, np.asarray(means + RISE * np.arange(len(bins)))


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


def _faces_of(clip: ClipFaces, tracks: frozenset[int]) -> list[Face]:
    """Faces of some tracks, spread over the frames in which they are."""
    spans = [range(one.first, one.last + 1) for one in clip.tracks if one.number in tracks]
    places = sorted({place for span in spans for place in span})
    faces = [face for place in evenly(places, MOST_FACES) for face in clip.faces_at(place) if face.track in tracks]
    return [face for face in faces if face.mesh is not None]
