"""What passes in front of a lower face: hands, microphones, boxes; found so that it stays in front of the new one.

On a coarse copy of the textures' plane each pixel of the frame is compared with the colours that the footage shows
there, mouths open and shut, under the frame's own light. Where none of them is near, and over an area, something else
is seen; from strong differences the region grows into weaker ones around them (hysteresis as in Canny, PAMI 8(6),
1986). How near is near is measured along the track, so that another day's skin, camera or grain is no hand. The light
is that of the frames before: by itself a plain box passes for skin under another lamp.

What differs between the lips alone is a tongue, or a mouth that the footage has not, and no thing; what differs under
the chin alone may be another day's collar, and is taken for a thing only where one is near in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from lipsync.jaw import skin_outline
from lipsync.light import Light, light_between
from lipsync.mouth import FreeFace
from lipsync.palette import SEEN_ON, Palette
from lipsync.textures import bare_skin
from lipsync.voice import Voice
from shared.picture.mask import erode, lower_face_outline, mouth_mask, polygon_mask
from shared.picture.planes import warp
from shared.picture.region import Region, grown, joined, parts
from shared.picture.warp import gaussian, to_float
from shared.types import Floats, Frame

LEVEL_PERCENTILE: Final = 90
"""Of the differences of bare skin: what is usual."""
LEAST_LEVEL, MOST_LEVEL = 3.0, 7.5
"""Bounds of what may be usual, Lab units. Measured: 2.4 to 4.5 on 10 clips with a voice of the same or of another day,
6.2 on one in other light and 6.1 in a dark one with noise."""
STRONG, WEAK = 2.0, 1.4
"""In times of what is usual: a thing begins above the first and reaches as far as the second. The tenth pixel of clean
faces comes to 1.1 to 1.4 (95th percentile, 13 clips), that of a drawn hand to 3.3 and more before one man's mouth, and
to 1.7 only before another's, whose lips are of its very colour."""
LIVELY: Final = 1.6
"""By how much differences count less between the lips, which move faster than they are found."""
SCORE_BLUR_PX: Final = 0.8
LEAST_PX: Final = 10
"""What is smaller (a square centimetre) is noise."""
LIPS_GROW: Final = 1.3
"""The lips with what moves around them, as a multiple of their hull."""
BEYOND_PX: Final = 12
"""A thing is followed so far outside the skin: past an open jaw and the soft edge of what is laid over."""
CLOSE_PX, GROW_PX = 4, 1
"""Gaps between fingers are closed; the soft edge of things is taken in."""
ALL_SHARE: Final = 0.6
"""Where more of the skin than this is another, the lamp may have changed; it has where a new light explains all."""
SAME: Final = 1.4
"""It explains all where no more is left than so many times what is usual: under the lamp that fits it best, a grey box
over a face is left with 1.75 to 2.3 times that, the face itself with 1.03 to 1.11 (one clip, two voices)."""
LIGHT_SHARE: Final = 0.4
"""Under things that cover more of the skin, neither the light nor what is usual is learned."""
RATE: Final = 0.1
"""Share by which the light and what is usual move towards each frame's."""
ROUNDS, TRIM = 4, 2.0
"""A light is first fitted without what differs by more than so many times the median, again and again."""
LEAST_TRIM: Final = 2.0
MOST_TRACKS: Final = 64
"""Remembered at a time, so that memory stays flat over a long clip of many shots."""


@dataclass(frozen=True, slots=True)
class Front:
    """What is in front of one face.

    Attributes
    ----------
    mask : (H, W) float32 on `SEEN_ON`, 1 = something is in front.
    below : the same, if what is seen under the chin alone is a thing too.
    mouth : share of the lips that it covers, [0, 1].
    seen : whether the mask is anything but 0.
    """

    mask: Floats
    below: Floats
    mouth: float
    seen: bool


@dataclass(slots=True)
class _Track:
    """What is known of one track: its light on the footage's skin, and what is usual, Lab units."""

    light: Light
    level: float


@dataclass(frozen=True, slots=True)
class _Seen:
    """A face on the coarse plane.

    Attributes
    ----------
    own : (H, W, 3) float32 as the frame shows it.
    bare : (H, W) float32, skin without lips, by which light is judged.
    inside, lips, around : (H, W) the face below the nose, its lips, and these with what moves around them.
    laid : (H, W) the face with the neck under its chin, that is laid over.
    lively : (H, W) float32, by how much differences count less.
    """

    own: Floats
    bare: Floats
    inside: Region
    lips: Region
    around: Region
    laid: Region
    lively: Floats

    @property
    def ring(self) -> Region:
        """The face without its lively part."""
        return np.asarray(self.inside & ~self.around, dtype=np.bool_)


class Fronts:
    """Looks for things in front of faces, track by track, in the order of the frames."""

    def __init__(self, voice: Voice, palette: Palette) -> None:
        self._palette = palette
        usual = SEEN_ON.to_texture(np.asarray(voice.pool.flat[:: max(1, len(voice.pool.flat) // 100)]).mean(axis=0))
        self._skin = polygon_mask(skin_outline(usual), SEEN_ON.size) > 0.5
        """Where the footage shows a face: beside it stands its background, of which nothing is said."""
        self._neck = polygon_mask(lower_face_outline(usual), SEEN_ON.size) > 0.5
        self._tracks: dict[int, _Track] = {}

    def look(self, frame: Frame, track: int, free: FreeFace) -> Front:
        """What is in front of the lower face of one frame."""
        seen = self._seen(frame, free)
        known = self._tracks.pop(track, None) or self._started(seen)
        if known is None:
            nothing = np.zeros(SEEN_ON.size, dtype=np.float32)
            return Front(nothing, nothing, 0.0, seen=False)
        self._tracks[track] = known  # the last seen last
        for other in list(self._tracks)[:-MOST_TRACKS]:
            del self._tracks[other]
        apart, region = self._region(known, seen)
        covered = float((region & seen.lips).sum()) / max(float(seen.lips.sum()), 1.0)
        wide = grown(region, 0, GROW_PX)
        self._learn(known, seen, wide, apart)
        below = grown(region | _found(apart, seen, known.level, seen.laid), 0, GROW_PX)
        return Front(wide.astype(np.float32), below.astype(np.float32), covered, bool(wide.any()))

    def _seen(self, frame: Frame, free: FreeFace) -> _Seen:
        size, flat = SEEN_ON.size, SEEN_ON.to_texture(free.flat)
        own = to_float(warp(frame, SEEN_ON.texture_from_frame(free.pose), size))
        face = polygon_mask(skin_outline(flat), size)
        inside = (face > 0.5) & self._skin
        lips, around = (mouth_mask(flat, size, grow) > 0.5 for grow in (1.0, LIPS_GROW))
        laid = inside | ((polygon_mask(lower_face_outline(flat), size) > 0.5) & self._neck)
        lively = 1.0 + (LIVELY - 1.0) * gaussian(lips.astype(np.float32), 1.0)
        return _Seen(own, bare_skin(face, flat) * self._skin, inside, lips, around, laid, lively)

    def _started(self, seen: _Seen) -> _Track | None:
        """What is usual by the first frame of a track; None where it shows no skin."""
        light = self._fitted(seen)
        if light is None or not seen.ring.any():
            return None
        return _Track(light, _level(self._palette.difference(seen.own, light)[seen.ring]))

    def _fitted(self, seen: _Seen) -> Light | None:
        """The light of a frame by itself, by what fits best."""
        light, bare = None, seen.bare
        for _ in range(ROUNDS):
            better = light_between(self._palette.usual, seen.own, bare)
            if better is None:
                break
            light = better
            apart = self._palette.difference(seen.own, light)
            limit = max(TRIM * float(np.median(apart[bare > 0])), LEAST_TRIM)
            bare = np.asarray(seen.bare * (apart <= limit), dtype=np.float32)
        return light

    def _region(self, known: _Track, seen: _Seen) -> tuple[Floats, Region]:
        """Differences under the track's light, and what is in front by them; another lamp is a new light."""
        apart = self._palette.difference(seen.own, known.light)
        region = _found(apart, seen, known.level, seen.inside)
        if (region & seen.ring).sum() <= ALL_SHARE * seen.ring.sum():
            return apart, region
        light = self._fitted(seen)
        if light is None:
            return apart, region
        again = self._palette.difference(seen.own, light)
        left = _found(again, seen, known.level, seen.inside)
        if np.percentile(again[seen.ring], LEVEL_PERCENTILE) > SAME * known.level or (left & seen.ring).any():
            return apart, region
        known.light = light
        return again, left

    def _learn(self, known: _Track, seen: _Seen, region: Region, apart: Floats) -> None:
        """Move towards this frame's light and differences, where enough of the skin is bare."""
        free = seen.ring & ~region
        if free.sum() < (1.0 - LIGHT_SHARE) * seen.ring.sum() or not free.any():
            return
        light = light_between(self._palette.usual, seen.own, np.asarray(seen.bare * ~region, dtype=np.float32))
        if light is not None:
            known.light = Light(known.light.terms + RATE * (light.terms - known.light.terms))
        # By the light before this frame's, which differs from the next by a tenth of what changed.
        known.level += RATE * (_level(apart[free]) - known.level)


def _level(apart: Floats) -> float:
    return float(np.clip(np.percentile(apart, LEVEL_PERCENTILE), LEAST_LEVEL, MOST_LEVEL))


def _found(apart: Floats, seen: _Seen, level: float, where: Region) -> Region:
    """The region that is in front, by differences (H, W) in Lab units; it begins where it is told to."""
    score = gaussian(np.asarray(apart / (seen.lively * level), dtype=np.float32), SCORE_BLUR_PX)
    strong = where & (score > STRONG)
    if not strong.any():
        return strong
    reach = erode(seen.inside.astype(np.float32), -BEYOND_PX) > 0.5
    region = joined(reach & (score > WEAK), strong, LEAST_PX)
    for part in parts(region):
        if (part & where & ~seen.around).sum() < LEAST_PX:
            region &= ~part
    if not region.any():
        return region
    near = erode((region & where).astype(np.float32), -BEYOND_PX) > 0.5
    return grown(region & near, CLOSE_PX, 0)
