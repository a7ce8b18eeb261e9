"""What was made for the frames around one, and what they say together of how its mouths are shown.

Light, fading, what is in front and how sharp and bright a mouth may be are known for each frame by itself, with noise;
shown as they are they would flicker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Final

import numpy as np

from lipsync.ease import Manner, eased
from lipsync.fade import NOBODY, STEADY_COVER, Wish, faded, wish_of
from lipsync.front import Front
from lipsync.inside import Region
from lipsync.light import Light, steady_light
from lipsync.mouth import FreeFace
from lipsync.shade import steady_shade
from lipsync.synthesise import LowerFace
from lipsync.teeth import STEADY_REACH, SeenTeeth
from shared.types import Face, Floats, Scene

STEADY_FRAMES: Final = 12
"""Light is steadied over this many frames on either side."""


@dataclass(slots=True)
class Made:
    """One face with its new lower face, waiting for its teeth and its colour."""

    face: Face
    free: FreeFace
    lower: LowerFace
    teeth: SeenTeeth | None
    front: Front
    light: Light | None
    """What the clip's light is to the texture's; None where no skin can be compared."""
    shade: Floats | None
    """What that leaves, smooth; asked in some frames."""
    skin_rgb: Floats | None
    """(3,) mean colour of the clip's own lower face."""
    opening: Region | None
    """The inside of the new mouth; None where it is shut."""
    lips: Region | None
    """Its lips."""
    manner: Manner
    """What is known by now of how it is to be shown."""
    shown: Manner | None = None
    """How it was shown, once it was."""
    wish: Wish | None = None
    """What its frame wishes of it, once the frames around are known."""


@dataclass(slots=True)
class Shown:
    """A scene with what was made for it."""

    scene: Scene
    made: list[Made]

    def of(self, track: int) -> Made | None:
        """What was made for a track."""
        return next((made for made in self.made if made.face.track == track), None)


@dataclass(frozen=True, slots=True)
class Window:
    """A frame among those around it, up to `STEADY_FRAMES` on either side.

    Attributes
    ----------
    scenes : in the order they are shown.
    place : which of them it is.
    """

    scenes: Sequence[Shown]
    place: int

    def strength(self, track: int) -> Wish:
        """How strongly the new mouth of a track is shown, steadied over the frames around, and why not wholly."""
        frames, shots = [one.scene.frame for one in self.scenes], [one.scene.shot for one in self.scenes]
        return faded(frames, shots, self.place, lambda at: self._wish(track, at), STEADY_FRAMES - STEADY_COVER)

    def front(self, one: Made) -> Floats:
        """What is in front now, and softly what is so just before or after: things do not pop."""
        known = [shown.of(one.face.track) for shown in self.scenes]
        if not any(made.front.seen for made in known if made is not None):
            return one.front.mask
        near = known[max(self.place - 1, 0) : self.place + 2]
        return np.maximum(one.front.below, np.mean([made.front.below for made in near if made is not None], axis=0))

    def light(self, one: Made) -> tuple[Light | None, Floats | None, Floats | None]:
        """Light, shade and colour of the skin."""
        near = self._near(one)
        lights = [made.light for _, made in near if made.light is not None]
        if not lights:
            return None, None, None
        shades = [(made.shade, 1 - abs(away) / (STEADY_FRAMES + 1)) for away, made in near if made.shade is not None]
        skins = [made.skin_rgb for _, made in near if made.skin_rgb is not None]
        return steady_light(lights), steady_shade(shades), np.median(skins, axis=0).astype(np.float32)

    def manner(self, one: Made) -> Manner:
        """How a mouth is shown: as the frames around wish it, and hardly otherwise than just before."""
        wishes = [made.manner for _, made in self._near(one)]
        for shown in reversed(self.scenes[: self.place]):
            before = shown.of(one.face.track)
            if before is not None and before.shown is not None:
                elapsed_s = self.scenes[self.place].scene.frame.time_s - shown.scene.frame.time_s
                return eased(wishes, before.shown, float(elapsed_s))
        return eased(wishes, None, 0.0)

    def teeth(self, one: Made) -> list[tuple[int, SeenTeeth]]:
        """Teeth of the same track in the nearest frames, each with how many frames later it is."""
        return [
            (away, made.teeth) for away, made in self._near(one) if abs(away) <= STEADY_REACH and made.teeth is not None
        ]

    def _near(self, one: Made) -> list[tuple[int, Made]]:
        """What was made for the same track, each with how many frames later it is."""
        found = [(index - self.place, shown.of(one.face.track)) for index, shown in enumerate(self.scenes)]
        return [(away, made) for away, made in found if made is not None]

    def _wish(self, track: int, at: int) -> Wish:
        made = self.scenes[at].of(track)
        if made is None:
            return NOBODY
        if made.wish is None:
            near = self.scenes[max(at - STEADY_COVER, 0) : at + STEADY_COVER + 1]
            found = [shown.of(track) for shown in near if shown.scene.shot == self.scenes[at].scene.shot]
            made.wish = wish_of(made.free, [one.front.mouth for one in found if one is not None])
        return made.wish


def windows(shown: Iterable[Shown]) -> Iterator[Window]:
    """Each scene among those around it, as soon as these are there."""
    waiting: deque[Shown] = deque()
    place = 0
    for one in chain(shown, repeat(None, STEADY_FRAMES)):
        if one is not None:
            waiting.append(one)
        if len(waiting) - place > (STEADY_FRAMES if one is not None else 0):
            yield Window(tuple(waiting), place)
            place += 1
        if place > STEADY_FRAMES:
            waiting.popleft()
            place -= 1
