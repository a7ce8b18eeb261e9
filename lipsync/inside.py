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

from lipsync.light import Light, gain_of
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
"""Frames with an open mouth that count as much as that guess."""
BELIEVED: Final = 0.7
"""Share of a difference that is taken out: what lips show between them depends on what they say, too."""
DARKEST_SHARE: Final = 0.6
SOFT_PX: Final = 1.5
ROOM_PX: Final = 6
"""Around the opening: as far as its edge is softened."""


@dataclass(slots=True)
class _Level:
    """Sums of logarithms of brightness over the frames with an open mouth."""

    own: float = 0.0
    own_frames: int = 0
    made: float = 0.0
    gain: float = 0.0
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
        own, made : texture (H, W, 3) float32 in [0, 1] on the plane and face (68, 2) on it, the second in the light of
            its footage.
        light : brings the second to the light of the first.
        """
        level = self.levels.setdefault(track, _Level())
        for (texture, flat), is_own in ((own, True), (made, False)):
            inside = polygon_mask(plane.to_texture(flat)[INNER_LIP_68], plane.size) > 0.5
            if inside.sum() < LEAST_OPEN_CM2 * plane.px_per_cm**2:
                continue
            bright = float(np.log(np.quantile(grey_of(texture)[inside], BRIGHT) + 1e-3))
            if is_own:
                level.own += bright
                level.own_frames += 1
            else:
                gain = float(np.log(gain_of(light, plane.size)[inside]).mean())
                level.made += bright + gain
                level.gain += gain
                level.made_frames += 1

    def share(self, track: int) -> float:
        """How bright the inside of a mouth may be, as a share of what the skin's light makes of it, [0.6, 1]."""
        level = self.levels.get(track)
        if level is None or level.made_frames == 0:
            return 1.0
        made, gain = level.made / level.made_frames, level.gain / level.made_frames
        guess = -max(gain, 0.0) * (1.0 - FOLLOWS)
        told = BELIEVED * (level.own / level.own_frames - made) if level.own_frames else 0.0
        sure = level.own_frames / (level.own_frames + SURE_FRAMES)
        return float(np.clip(np.exp(sure * told + (1.0 - sure) * guess), DARKEST_SHARE, 1.0))


def darkened(texture: Floats, flat: Floats, plane: TexturePlane, share: float) -> Floats:
    """A texture (H, W, 3) whose opening is so much darker, softly at its edge."""
    if share >= 1.0:
        return texture
    inside = polygon_mask(plane.to_texture(flat)[INNER_LIP_68], plane.size)
    part = around(inside, ROOM_PX)
    if part is None:
        return texture
    made = texture.copy()
    made[part] *= 1.0 - np.float32(1.0 - share) * gaussian(inside[part], SOFT_PX)[..., np.newaxis]
    return made
