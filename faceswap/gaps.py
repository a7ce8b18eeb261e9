"""Frames in which a face could not be made: filled from the frames around them, inside one track, up to a limit.

A track never crosses a cut, so a gap inside one lies inside one shot. A made face between two others is their mix,
laid where the old face has moved on its way between them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from faceswap.align import view_from_frame
from faceswap.view import Made, Shown
from shared.face.between import face_between

FILLED: Final = "face-filled"
NO_FACE: Final = "no-face"
Numbers = TypeVar("Numbers", bound=NDArray[np.floating])


@dataclass(frozen=True, slots=True)
class _Seen:
    """Where a track was last seen."""

    made: Made
    time_s: float


def bridged(items: Iterator[Shown], limit_s: float) -> Iterator[Shown]:
    """Each scene in order, its missing faces filled where the gap is at most `limit_s` long; noted either way.

    Scenes wait only while a face is missing, and never longer than the limit.
    """
    waiting: deque[Shown] = deque()
    last: dict[int, _Seen] = {}
    for shown in items:
        now = shown.time_s
        for made in shown.faces:
            before = last.get(made.view.face.track)
            if before is not None:
                _fill(waiting, before, _Seen(made, now))
            last[made.view.face.track] = _Seen(made, now)
        last = {track: seen for track, seen in last.items() if now - seen.time_s <= limit_s}
        waiting.append(shown)
        while waiting and not _may_be_filled(waiting[0], last):
            yield _noted(waiting.popleft())
    yield from map(_noted, waiting)


def _may_be_filled(shown: Shown, last: dict[int, _Seen]) -> bool:
    """Whether a track that is missing here was seen shortly before and may yet come back."""
    here = {made.view.face.track for made in shown.faces}
    return any(track not in here and seen.time_s < shown.time_s for track, seen in last.items())


def _fill(waiting: deque[Shown], before: _Seen, after: _Seen) -> None:
    """Fill the waiting scenes between two sights of a track."""
    for place, shown in enumerate(waiting):
        if before.time_s < shown.time_s < after.time_s:
            share = (shown.time_s - before.time_s) / (after.time_s - before.time_s)
            faces = (*shown.faces, between(before.made, after.made, share))
            waiting[place] = replace(shown, faces=faces, notes=(*shown.notes, FILLED))


def _noted(shown: Shown) -> Shown:
    return shown if shown.faces else replace(shown, notes=(*shown.notes, NO_FACE))


def between(first: Made, second: Made, share: float) -> Made:
    """The made face a `share` of the way from one to another, 0 to 1."""
    face = face_between(first.view.face, second.view.face, share)
    view = replace(
        first.view,
        face=face,
        view_from_frame=view_from_frame(face.landmarks, len(first.picture), first.view.centring),
        picture=_mixed(first.view.picture, second.view.picture, share),
    )
    found = first.found and second.found and face_between(first.found, second.found, share)
    return Made(
        view,
        _mixed(first.picture, second.picture, share),
        mask=_both(first.mask, second.mask, share),
        front=_both(first.front, second.front, share),
        person=_both(first.person, second.person, share),
        noise=_both(first.noise, second.noise, share),
        found=found,
    )


def _both(first: Numbers | None, second: Numbers | None, share: float) -> Numbers | None:
    return None if first is None or second is None else _mixed(first, second, share)


def _mixed(first: Numbers, second: Numbers, share: float) -> Numbers:
    return cast(Numbers, (first + first.dtype.type(share) * (second - first)).astype(first.dtype))
