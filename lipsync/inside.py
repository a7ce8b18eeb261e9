"""How bright a mouth is inside: teeth stand in the mouth's own shade, and hardly follow the light on the skin.

Of five clips of one man the skin was 1.0, 1.25, 1.3, 1.6 and .97 times as bright as in his footage, and the brightest
of his teeth .98, .93, .96, 1.2 and .93 times (90% of frames below). A gain that is right for the skin makes them white.
So what the clip itself shows between the lips, whenever it does, says how bright they may be; until then a third of the
skin's gain is believed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.light import Light, log_gain_at
from lipsync.opening import around
from lipsync.plane import TexturePlane
from shared.face.landmarks import INNER_LIP_68
from shared.picture.mask import polygon_mask
from shared.picture.warp import gaussian, grey_of
from shared.types import Floats

BRIGHT: Final = 0.9
"""The quantile of an opening that stands for its teeth."""
LEAST_OPEN_CM2: Final = 1.0
"""Openings with less area show no teeth to speak of."""
FOLLOWS: Final = 1.0 / 3.0
"""Share of the logarithm of a brightening gain that teeth follow, where nothing else is known."""
SURE_FRAMES: Final = 10.0
"""Frames with an open mouth, of the clip and of what is laid over it, that count as much as that guess."""
BELIEVED: Final = 0.7
"""Share of a difference that is taken out: what lips show between them depends on what they say, too."""
DARKEST_SHARE: Final = 0.6
SOFT_PX: Final = 1.5
MOUTH_CM: Final[Floats] = np.array([0.0, -4.5], dtype=np.float32)
"""A place between the lips: light is taken there, open or shut."""
ROOM_PX: Final = 6
"""Around the opening: as far as its edge is softened."""


@dataclass(frozen=True, slots=True)
class Region:
    """Where a texture shows something, the inside of a mouth or its lips.

    Attributes
    ----------
    part : rows and columns of the texture around it.
    mask : (h, w) float32 in [0, 1] over them, 1 = inside, soft at its edge.
    """

    part: tuple[slice, slice]
    mask: Floats


@dataclass(slots=True)
class _Level:
    """Sums of logarithms: of the light on the mouth, and of brightness over the frames in which it is open."""

    gain: float = 0.0
    frames: int = 0
    own: float = 0.0
    own_frames: int = 0
    made: float = 0.0
    made_frames: int = 0


@dataclass(slots=True)
class Insides:
    """What was seen between the lips of each track, in the clip and in what is laid over it."""

    levels: dict[int, _Level] = field(default_factory=dict)

    def see(
        self, track: int, plane: TexturePlane, own: tuple[Floats, Floats], made: tuple[Floats, Floats], light: Light
    ) -> None:
        """Look at one frame.

        Parameters
        ----------
        own, made : texture (H, W, 3) float32 in [0, 1] on the plane and the inside of its lips (H, W), the second in
            the light of its footage.
        light : brings the second to the light of the first.
        """
        level = self.levels.setdefault(track, _Level())
        gain = float(light_on_mouth(light, plane).mean())
        level.gain += gain
        level.frames += 1
        for (texture, opening), is_own in ((own, True), (made, False)):
            inside = opening > 0.5
            if inside.sum() < LEAST_OPEN_CM2 * plane.px_per_cm**2:
                continue
            bright = float(np.log(np.quantile(grey_of(texture)[inside], BRIGHT) + 1e-3))
            if is_own:
                level.own += bright
                level.own_frames += 1
            else:
                level.made += bright + gain
                level.made_frames += 1

    def share(self, track: int) -> float:
        """How bright the inside of a mouth may be, as a share of what the skin's light makes of it, [0.6, 1]."""
        level = self.levels.get(track)
        if level is None:
            return 1.0
        guess = -max(level.gain / level.frames, 0.0) * (1.0 - FOLLOWS)
        known = min(level.own_frames, level.made_frames)
        told = BELIEVED * (level.own / level.own_frames - level.made / level.made_frames) if known else 0.0
        sure = known / (known + SURE_FRAMES)
        return float(np.clip(np.exp(sure * told + (1.0 - sure) * guess), DARKEST_SHARE, 1.0))


def light_on_mouth(light: Light, plane: TexturePlane) -> NDArray[np.float64]:
    """Logarithm of the gain of each channel between the lips, (3,)."""
    return log_gain_at(light, plane.to_texture(MOUTH_CM), plane.size)


def inside_of(flat: Floats, plane: TexturePlane) -> Floats:
    """Draw the inside of the lips of a face (68, 2) on the plane: (H, W) float32 in [0, 1]."""
    return polygon_mask(plane.to_texture(flat)[INNER_LIP_68], plane.size)


def region_of(drawn: Floats) -> Region | None:
    """Soften what is drawn (H, W) at its edge, and keep the part where it is; None where nothing is."""
    part = around(drawn, ROOM_PX)
    return None if part is None else Region(part, gaussian(drawn[part], SOFT_PX))


def darkened(texture: Floats, opening: Region | None, share: float) -> Floats:
    """A texture (H, W, 3) whose opening is so much darker."""
    if share >= 1.0 or opening is None:
        return texture
    made = texture.copy()
    made[opening.part] *= 1.0 - np.float32(1.0 - share) * opening.mask[..., np.newaxis]
    return made
