"""What passes in front of a face: hands, microphones, hair; found so that it stays in front of the made face.

The model's own decoder rebuilds the replaced person's face as it has learned it, without what is in front. Where the
clip differs from that rebuilding in colour by more than usual, and over an area, there is something else. What is usual
is measured: at the start of a track, and slowly as it goes on, so that a light or a beard that the model has never
seen is not taken for a hand. Small scattered differences never count; from strong ones the region grows into weaker
ones around them (hysteresis as in Canny, PAMI 8(6), 1986).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faceswap.view import Made, View
from shared.picture.colour import lab_from_rgb
from shared.picture.mask import erode, extended_hull, mouth_mask, polygon_mask
from shared.picture.region import Region, grown, joined, parts
from shared.picture.warp import gaussian, resize, transform
from shared.types import Floats

SIDE_PX: Final = 96
"""Side at which faces are compared; all sizes in pixels below are of it."""
SOFT_PX: Final = 1.0
LIGHT_WEIGHT: Final = 1 / 1.5
"""Of L beside a and b: shadows and wrinkles change light more than colour."""
FOREHEAD: Final = 0.35
MOUTH_GROW, EYE_GROW = 1.15, 1.5
BEYOND_PX: Final = 6
"""A thing that crosses the rim is followed so far outside the hull: as far as a made face's soft edge reaches."""
RIM_PX: Final = 3
"""A hand, a microphone or hair comes from outside and crosses the face's rim, so wide; what differs inside it alone is
a tongue, a frown or pressed lips as the model has never seen them."""
LIVELY: Final = 2.5
"""By how much differences count less in mouth and eyes: teeth and glances are what a net draws last."""
WELL_REBUILT: Final = 4.4
"""In Lab units, `LEVEL_PERCENTILE` of a face's differences: above it the model does not know this person or light, and
what is usual is read off the track's first frames."""
STRANGE_LEVEL, STRANGE_SHARE = 3.4, 0.55
"""The level where it does not is at least the first, and the second as a share of what it was before the usual
difference was taken off: expressions to come will differ more than those frames do."""
LEVEL_PERCENTILE: Final = 70
LEAST_LEVEL: Final = 0.3
FLOOR: Final = 0.7
STRONG, WEAK = 2.1, 1.0
"""In units of what is usual: a region begins above the first and grows above the second."""
STRANGE: Final = 1.6
"""By how much less sure differences are where the model does not rebuild the person well."""
LEAST_AREA: Final = 0.004
"""Smaller regions, as a share of the hull, are noise."""
CLOSE_PX, GROW_PX = 5, 2
"""Gaps between fingers are closed; the soft edge of things is taken in."""
USUAL_RATE: Final = 0.01
"""Share by which what is usual moves towards each frame; a fifth of it under something in front."""
MOST_USUAL: Final = 4.0
"""What is usual may rise to so many times the level."""
MOST_TRACKS: Final = 64
"""Remembered at a time, so that memory stays flat over a long clip of many shots."""
ALL_SHARE: Final = 0.85
LIGHT_RATE: Final = 0.1
"""Share by which the light moves towards each frame's."""
NEAR_PX: Final = 8
"""A thing moves no further from frame to frame."""
CARRY: Final = 0.3
"""Share of the frame before in each frame's differences."""


@dataclass(slots=True)
class _Track:
    """What is usual along one track.

    Attributes
    ----------
    light : (3,) the usual difference of the whole face.
    level : of the differences when the track began, Lab units.
    offset : (S, S, 3) the usual difference itself; 0 where the model rebuilds well.
    usual : (S, S) the usual size of what is left.
    doubt : what differences are divided by.
    before : (S, S) the score of the frame before; None at first.
    last : (S, S) what was in front in the last frame; None at first.
    """

    light: Floats
    level: float
    offset: Floats
    usual: Floats
    doubt: float
    before: Floats | None = None
    last: Region | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """A face beside its rebuilding, at `SIDE_PX`.

    Attributes
    ----------
    difference : (S, S, 3) in weighted Lab, calmed in mouth and eyes.
    hull, inner, reach : (S, S) the face, what lies well inside it, and the face with its surroundings.
    rim : (S, S) the face's edge.
    """

    difference: Floats
    hull: NDArray[np.bool_]
    inner: NDArray[np.bool_]
    reach: NDArray[np.bool_]
    rim: NDArray[np.bool_]


class Fronts:
    """Looks for things in front of faces, track by track."""

    def __init__(self) -> None:
        self._tracks: dict[int, _Track] = {}

    def look(self, made: Sequence[Made], rebuilt: Sequence[Floats]) -> list[Floats]:
        """What is in front of each face of some consecutive frames.

        Parameters
        ----------
        rebuilt : (V, V, 3) float32 each, the view as the replaced person's own decoder draws it.

        Returns
        -------
        (S, S) float32 over the view each, 1 = in front.
        """
        seen = [_seen(one.view, own) for one, own in zip(made, rebuilt, strict=True)]
        here = dict.fromkeys(one.view.face.track for one in made)
        for track in here:
            known = self._tracks.pop(track, None)
            if known is None:
                known = _started([face for one, face in zip(made, seen, strict=True) if one.view.face.track == track])
            self._tracks[track] = known  # the last seen last
        for track in list(self._tracks)[: -max(MOST_TRACKS, len(here))]:
            del self._tracks[track]
        regions = [_front(self._tracks[one.view.face.track], face) for one, face in zip(made, seen, strict=True)]
        places: dict[int, list[int]] = defaultdict(list)
        for place, one in enumerate(made):
            places[one.view.face.track].append(place)
        lasting = list(regions)
        for track, own in places.items():
            known = self._tracks[track]
            along = [known.last, *(regions[place] for place in own), None]
            for place, before, after in zip(own, along, along[2:], strict=False):
                lasting[place] = _lasting(regions[place], [one for one in (before, after) if one is not None])
            known.last = regions[own[-1]]
        # A little narrower again than it was grown, so that the thing itself is whole and only its surroundings fade.
        soft = [np.clip(1.8 * gaussian(region.astype(np.float32), 1.0) - 0.4, 0.0, 1.0) for region in lasting]
        return [np.asarray(mask, dtype=np.float32) for mask in soft]


def _seen(view: View, rebuilt: Floats) -> _Seen:
    size = (SIDE_PX, SIDE_PX)
    scale = SIDE_PX / len(view.picture)
    points = (transform(view.view_from_frame, view.face.landmarks) + 0.5) * scale - 0.5
    hull = extended_hull(points, size, FOREHEAD)
    inner = erode(hull, 4) > 0.5
    inner = inner if inner.any() else np.ones(size, dtype=np.bool_)
    seen, own = (lab_from_rgb(gaussian(resize(picture, size), SOFT_PX)) for picture in (view.picture, rebuilt))
    apart = (seen - own) * np.array([LIGHT_WEIGHT, 1.0, 1.0], dtype=np.float32)
    lively_parts = [mouth_mask(points, size, MOUTH_GROW)]
    for eye in (points[36:42], points[42:48]):
        lively_parts.append(polygon_mask(eye.mean(axis=0) + EYE_GROW * (eye - eye.mean(axis=0)), size))
    lively = gaussian(np.max(lively_parts, axis=0), SOFT_PX)[..., np.newaxis]
    difference = np.asarray(apart / (1 + (LIVELY - 1) * lively), dtype=np.float32)
    rim = (hull > 0.5) & (erode(hull, RIM_PX) < 0.5)
    return _Seen(difference, hull > 0.5, inner, erode(hull, -BEYOND_PX) > 0.5, rim)


def _started(faces: Sequence[_Seen]) -> _Track:
    """What is usual by the first frames of a track."""
    light = np.median([_light(face.difference, face.inner) for face in faces], axis=0).astype(np.float32)
    first = [(face.difference - _light(face.difference, face.inner), face.inner) for face in faces]
    offset = np.zeros((SIDE_PX, SIDE_PX, 3), dtype=np.float32)
    level = _level(first, offset)
    doubt = 1.0
    if level > WELL_REBUILT:
        offset = gaussian(np.median(np.stack([d for d, _ in first]), axis=0).astype(np.float32), SOFT_PX)
        level, doubt = max(_level(first, offset), STRANGE_LEVEL, STRANGE_SHARE * level), STRANGE
    return _Track(light, level, offset, np.full((SIDE_PX, SIDE_PX), level, dtype=np.float32), doubt)


def _level(first: Sequence[tuple[Floats, NDArray[np.bool_]]], offset: Floats) -> float:
    sizes = [np.percentile(np.linalg.norm(d - offset, axis=-1)[inner], LEVEL_PERCENTILE) for d, inner in first]
    return max(LEAST_LEVEL, float(np.median(sizes)))


def _light(difference: Floats, where: NDArray[np.bool_]) -> Floats:
    return np.asarray(np.median(difference[where], axis=0), dtype=np.float32)


def _lasting(region: Region, near: Sequence[Region]) -> Region:
    """What of a region touches what is in front in a frame beside it: a thing is never there for one frame alone."""
    if not near or not region.any():
        return region
    around = erode(np.max(near, axis=0).astype(np.float32), -NEAR_PX) > 0.5
    kept = np.zeros_like(region)
    for part in parts(region):
        if (part & around).any():
            kept |= part
    return kept


def _front(track: _Track, seen: _Seen) -> Region:
    """What is in front in one frame."""
    # The light of the frames before: what covers half the face must not pass for its light. Where it leaves nothing
    # of the face the light itself has changed, as in a flash.
    difference = seen.difference
    size, score, region = _found(track, seen, track.light)
    if (region & seen.hull).sum() > ALL_SHARE * seen.hull.sum():
        size, score, region = _found(track, seen, _light(difference, seen.inner))
    track.before = score
    free = seen.inner & ~region
    if free.any():
        track.light = track.light + np.float32(LIGHT_RATE) * (_light(difference, free) - track.light)
    wanted = np.clip(gaussian(size, 1.5), 0.5 * track.level, MOST_USUAL * track.level)
    track.usual += USUAL_RATE * np.where(region, 0.2, 1.0).astype(np.float32) * (wanted - track.usual)
    return region


def _found(track: _Track, seen: _Seen, light: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Size of the differences under a light, their score, and the region that is in front."""
    hull = seen.hull
    size = np.linalg.norm(seen.difference - light - track.offset, axis=-1).astype(np.float32)
    score = gaussian(size / (track.doubt * track.usual + np.float32(FLOOR)), 1.5)
    score = score if track.before is None else (1 - CARRY) * score + CARRY * track.before
    region = joined(seen.reach & (score > WEAK), hull & (score > STRONG), round(LEAST_AREA * float(hull.sum())))
    for part in parts(region):
        if not (part & seen.rim).any():
            region &= ~part
    return size, score, grown(region, CLOSE_PX, GROW_PX)
