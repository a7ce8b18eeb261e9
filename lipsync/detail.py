"""How detailed a new mouth may be: as the clip that it is laid into, and never more.

A voice is as detailed as its own footage. Laid into a clip that was filmed, scaled or coded softer, its lips are the
sharpest thing in the picture. So lips and the skin around them are compared in both, on the clip's own pixels and over
many frames, since they say different things; a mouth that has more is softened to what the clip has, one that has less
stays. What lies between the lips, and their edge to it, follows the words, so it is not compared; nor is it softened:
teeth have a sharpness of their own (`lipsync.teeth`).

Noise and the marks of coding are no detail. The Laplacian is that of a slightly blurred picture, and of its square is
taken off what fine noise makes of it: white noise of up to 8 levels of 255 moved the result by less than 6% on eleven
clips. With a voice from the same camera's footage, new lips had 1.2 to 1.4 times the detail of clips coded as that was,
and 1.4 to 1.6 times that of clips coded softer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.inside import Region, light_on_mouth
from lipsync.light import Light
from lipsync.mouth import FreeFace
from lipsync.plane import DEPTH_CM, TexturePlane
from lipsync.synthesise import MOUTH, UNSHARP_SIGMA_PX, LowerFace
from shared.face.landmarks import INNER_LIP_68
from shared.picture.grain import LEAST_SIDE, noise_variances
from shared.picture.mask import erode, mouth_mask, polygon_mask
from shared.picture.planes import warp
from shared.picture.warp import box_around, gaussian, grey_of, invert, laplacian, to_float, transform, warp_picture
from shared.types import Floats, Frame, Matrix

AROUND_LIPS: Final = 1.5
"""The skin around the lips reaches so many times as far as they do."""
INNER_EDGE_PX: Final = 2.0
"""Width of the inner edge of the lips that is left out: as far as what lies between them reaches."""
ROOM_PX: Final = 4
"""Around what is measured, so that nothing of its Laplacian is the border's."""
ALIKE: Final = 1.1
"""Detail (its square) above the clip's that is let be: the clip's noise, which medians lose, hides it."""
SOFTEST: Final = -0.8
"""Gain of the unsharp mask that softens most; -1 is its whole blur."""
FEWEST_PIXELS: Final = 60
"""A mouth that is smaller shows no detail to compare."""
LEAST_GAIN: Final = -0.01
"""Less softening is not seen."""
PROBE: Final = -0.5
"""Gain at which it is measured what softening takes."""
HALF_S: Final = 4.0
"""What was seen so long ago counts half."""
SURE_FRAMES: Final = 1.0
"""Frames measured that count as much as what is held without any: that clip and mouth are alike."""
BAND_PX: Final = 0.7
"""Blur of what is compared: a Laplacian by itself is mostly noise."""
NOISE_KEPT: Final = 0.78
"""Mean square that white noise of variance 1 has after blur and Laplacian."""


@dataclass(slots=True)
class _Level:
    """Sums over the frames measured, weighed by how long ago they were."""

    own: float = 0.0
    made: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    """Of a parabola: the made mouth's detail by the gain of the unsharp mask."""
    frames: float = 0.0
    last_s: float = 0.0


@dataclass(slots=True)
class Details:
    """How much detail was seen around the mouth of each track, in the clip and in what is laid over it.

    Attributes
    ----------
    strength : how far what is laid over is brought to the light of the clip, [0, 1].
    """

    strength: float = 1.0
    levels: dict[int, _Level] = field(default_factory=dict)

    def see(self, track: int, frame: Frame, free: FreeFace, made: tuple[LowerFace, TexturePlane], light: Light) -> None:
        """Look at one frame.

        Parameters
        ----------
        made : what will be laid over it, in the light of its footage, and the plane of its texture.
        light : brings it to the light of the frame.
        """
        plane = made[1]
        seen = _Seen(frame, free, *made)
        own, parabola = seen.own(), seen.made()
        if own is None or parabola is None:
            return
        gain = self.strength * float(light_on_mouth(light, plane).mean())
        level, time_s = self.levels.setdefault(track, _Level()), float(frame.time_s)
        kept = 0.5 ** (max(time_s - level.last_s, 0.0) / HALF_S)
        level.own = kept * level.own + own
        level.made = kept * level.made + np.exp(2.0 * gain) * parabola
        level.frames, level.last_s = kept * level.frames + 1.0, time_s

    def sharper(self, track: int) -> float:
        """Gain of the unsharp mask with which the new mouth is as detailed as the clip, [-0.8, 0]."""
        level = self.levels.get(track)
        if level is None:
            return 0.0
        rest, half, square = level.made
        excess = rest - ALIKE * level.own
        if excess <= 0.0 or square <= 0.0:
            return 0.0
        root = half * half - square * excess
        gain = (-half + np.sqrt(root)) / square if root >= 0.0 else SOFTEST
        return float(np.clip(gain, SOFTEST, 0.0)) * level.frames / (level.frames + SURE_FRAMES)


def softened(texture: Floats, opening: Region | None, gain: float) -> Floats:
    """A texture (H, W, 3) or (H, W) with a gain of the unsharp mask below 0, but not between the lips."""
    if gain > LEAST_GAIN:
        return texture
    blur = gaussian(texture, UNSHARP_SIGMA_PX)
    blur -= texture
    blur *= np.float32(-gain)
    if opening is not None:
        blur[opening.part] *= 1.0 - opening.mask[..., np.newaxis]
    blur += texture
    return blur


class _Seen:
    """Lips and the skin around them in one frame, on its own pixels, but no finer than the texture's."""

    def __init__(self, frame: Frame, free: FreeFace, lower: LowerFace, plane: TexturePlane) -> None:
        self._frame, self._lower, self._plane, self._free = frame, lower, plane, free
        frame_from_plane = free.pose.frame_from_plane(DEPTH_CM)
        faces = [transform(frame_from_plane, flat) for flat in (free.flat, lower.flat)]
        x0, y0, x1, y1 = box_around(np.concatenate([face[MOUTH] for face in faces]), AROUND_LIPS)
        self._corner: Matrix = np.array([[1.0, 0.0, ROOM_PX - x0], [0.0, 1.0, ROOM_PX - y0], [0.0, 0.0, 1.0]])
        self._box_size = y1 - y0 + 2 * ROOM_PX, x1 - x0 + 2 * ROOM_PX
        finer = max(1.0, free.pose.scale / plane.px_per_cm)
        self._seen_from_box: Matrix = np.diag([1.0 / finer, 1.0 / finer, 1.0])
        self._size = int(self._box_size[0] / finer), int(self._box_size[1] / finer)
        self._rings = [self._ring(transform(self._seen_from_box @ self._corner, face)) for face in faces]

    def own(self) -> float | None:
        """Detail of the clip's own mouth; None where too little of it is seen."""
        ring = self._rings[0]
        if ring.sum() < FEWEST_PIXELS or min(self._size) < LEAST_SIDE:
            return None
        seen = self._seen(grey_of(to_float(warp(self._frame, self._corner, self._box_size))))
        noise = NOISE_KEPT * float(noise_variances(seen)[0])
        return max(float((_edges(seen)[ring] ** 2).mean()) - noise, 0.0)

    def made(self) -> NDArray[np.float64] | None:
        """Detail of the new one by the gain of the unsharp mask: constant, half of the slope, and square."""
        ring = self._rings[1]
        if ring.sum() < FEWEST_PIXELS or min(self._size) < LEAST_SIDE:
            return None
        now, soft = (_edges(grey)[ring] for grey in self._laid())
        more = (soft - now) / np.float32(PROBE)
        return np.array([(now * now).mean(), (now * more).mean(), (more * more).mean()], dtype=np.float64)

    def _ring(self, face: Floats) -> NDArray[np.bool_]:
        inside = erode(polygon_mask(face[INNER_LIP_68], self._size), -INNER_EDGE_PX)
        return np.asarray(mouth_mask(face, self._size, AROUND_LIPS) - inside > 0.5)

    def _laid(self) -> list[Floats]:
        """The texture as it is and softened, grey, as they come out on the clip's pixels."""
        points = self._plane.to_texture(np.concatenate([self._free.flat[MOUTH], self._lower.flat[MOUTH]]))
        x0, y0, x1, y1 = box_around(points, AROUND_LIPS)
        height, width = self._plane.size
        x0, y0, x1, y1 = max(x0 - ROOM_PX, 0), max(y0 - ROOM_PX, 0), min(x1 + ROOM_PX, width), min(y1 + ROOM_PX, height)
        grey = grey_of(np.ascontiguousarray(self._lower.texture[y0:y1, x0:x1]))
        both = np.stack([grey, softened(grey, None, PROBE)], axis=2)
        texture_from_part: Matrix = np.array([[1.0, 0.0, x0], [0.0, 1.0, y0], [0.0, 0.0, 1.0]])
        box_from_texture = self._corner @ invert(self._plane.texture_from_frame(self._free.pose))
        laid = self._seen(warp_picture(both, box_from_texture @ texture_from_part, self._box_size))
        return [np.ascontiguousarray(laid[..., channel]) for channel in range(2)]

    def _seen(self, box: Floats) -> Floats:
        """Pixels of the clip as they are compared."""
        return box if self._size == self._box_size else warp_picture(box, self._seen_from_box, self._size)


def _edges(grey: Floats) -> Floats:
    """What of a picture counts as detail, signed."""
    return laplacian(gaussian(grey, BAND_PX))
