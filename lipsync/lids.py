"""Eyelids that fall: half-way by moving the frame's own pixels, shut by the clip's own shut lids.

An eye is narrowed along its own lines: between the upper lid and the brow skin is drawn out, between the lids the eye
is folded away, the lower lid stays. Beyond half of the way that draws out lashes and shadows where a lid should come to
light; there the eye is covered by that of a frame in which the person has it shut. Of a person who never blinks in
the clip, as far as it is looked through, lids fall half-way and no further. What is in front of an eye is not seen:
it would be moved with it, or covered.
"""

from __future__ import annotations

import gc
import logging
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.expression import EYES, gaps_of, shares_of
from lipsync.opening import ramp
from shared.errors import MediaError
from shared.face.analyse import ClipFaces
from shared.face.landmarks import eye_distance
from shared.media.reader import read_frame
from shared.picture.planes import cut
from shared.picture.warp import affine, box_around, box_from_frame, to_float, warp_picture
from shared.types import Face, Floats, Frame, Patch

log = logging.getLogger(__name__)

HALF: Final = 0.5
"""No lid falls further by moving pixels..."""
COVERED: Final = 0.15
"""...and at this share of its usual gap it is covered by a shut one wholly."""
SHUT: Final = 0.2
"""An eye of the clip that is open by less than this share of the usual is shut."""
MOST_LOOKS, RUN = 3000, 100
"""Frames of a person in which a shut eye is looked for, and how many of them on end: in two minutes somebody blinks
some twenty times."""
LOST_DEG: Final = 20.0
"""A head turned by so many degrees counts as much as an eye that is open as usual, when shut ones are chosen among."""
ANCHORS: Final = np.array([27, 28, 29, 36, 39, 42, 45])
"""Points by which a shut eye is laid into a frame: the nose's bridge and the corners of the eyes."""
BROWS_OF: Final = ((18, 19, 20), (23, 24, 25))
"""Points of the brow over each eye."""
LID_SKIN, MOST_SKIN = 0.6, 0.6
"""Of the way from an upper lid to the brow so much is skin, drawn out when the lid falls, at most so many widths of the
eye; above it is brow."""
RIM_UP, RIM_DOWN = 0.08, 0.15
"""What is seen of an eye reaches beyond the lines of its landmarks, shares of the gap."""
SIDE, BELOW, ABOVE = 0.75, 0.4, 0.6
"""A shut eye is laid in so far from the middle of the eye, in its widths, upwards..."""
UNDER_BROW: Final = 0.85
"""...and no further than this share of the way to the brow."""
CORE: Final = 0.6
"""Share of that ellipse that is covered wholly; outside it fades."""
LEAST_GAIN, MOST_GAIN = 0.5, 2.0
"""The clip's light on the eye may have changed by so much."""


@dataclass(frozen=True, slots=True)
class ShutEyes:
    """A cut-out of the clip in which a person's eyes are shut.

    Attributes
    ----------
    picture : (H, W, 3) float32 RGB in [0, 1].
    landmarks : (68, 2) its pixels.
    """

    picture: Floats
    landmarks: Floats


def find_shut(clip: ClipFaces, person: int) -> ShutEyes | None:
    """The eyes of a person of the clip where they are shut, in the frame most like the usual pose; None if in none."""
    tracks = [track for track in clip.tracks if track.person == person]
    places = np.concatenate([np.arange(track.first, track.last + 1) for track in tracks] or [np.zeros(0, int)])
    numbers = {track.number for track in tracks}
    seen = [(index, face) for index in _looked(places) for face in clip.faces_at(index) if face.track in numbers]
    if not seen:
        return None
    shares = shares_of(gaps_of(np.array([face.landmarks for _, face in seen]))).max(axis=1)
    poses = np.array([face.pose_deg for _, face in seen])
    turned = np.abs(poses - np.median(poses, axis=0)).sum(axis=1) / LOST_DEG
    best = int(np.argmin(np.where(shares <= SHUT, shares + turned, np.inf)))
    if shares[best] > SHUT:
        return None
    return _cut_out(clip, *seen[best])


def _looked(places: NDArray[np.int_]) -> list[int]:
    """Of the frames of a person those that are looked at: all, or runs of `RUN`, evenly spread."""
    if len(places) <= MOST_LOOKS:
        return [int(place) for place in places]
    starts = np.linspace(0, len(places) - RUN, MOST_LOOKS // RUN).round().astype(int)
    return [int(place) for start in starts for place in places[start : start + RUN]]


def _cut_out(clip: ClipFaces, index: int, face: Face) -> ShutEyes | None:
    margin = eye_distance(face.landmarks)
    x0, y0, x1, y1 = box_around(face.landmarks[36:48])
    box = (int(x0 - margin / 2), int(y0 - margin / 2), int(x1 + margin / 2), int(y1 + margin / 2))
    try:
        frame = read_frame(clip.clip, index, clip.time_of(index))
    except MediaError:
        frame = None
    if frame is None:
        log.warning("%s: frame %d, where eyes are shut, cannot be sought; they fall half-way", clip.clip, index)
        return None
    picture = to_float(cut(frame, box))
    del frame
    gc.collect()  # a closed reader's pictures wait for that, see `ClipReader.close`
    return ShutEyes(picture, face.landmarks - np.array(box[:2], dtype=np.float32))


def shut_patches(frame: Frame, face: Face, shut: ShutEyes, lids: Floats) -> list[Patch]:
    """What covers eyes that are more than half shut.

    Parameters
    ----------
    lids : (2,) shares of their usual gap.
    """
    patches = []
    frame_from_shut = affine(shut.landmarks[ANCHORS], face.landmarks[ANCHORS])
    for points, brow, share in zip(EYES, BROWS_OF, lids.tolist(), strict=True):
        strength = float(np.clip((HALF - share) / (HALF - COVERED), 0.0, 1.0))
        if strength <= 0.0:
            continue
        eye = Eye.of(face.landmarks[list(points)], face.landmarks[list(brow)])
        middle = eye.corner + eye.width / 2 * eye.along
        reach = int(SIDE * eye.width) + 2
        x, y = (round(float(place)) for place in middle)
        box = (x - reach, y - reach, x + reach + 1, y + reach + 1)
        mask = _ellipse(eye, middle - np.array(box[:2], dtype=np.float32), 2 * reach + 1)
        laid = warp_picture(shut.picture, box_from_frame(box) @ frame_from_shut, mask.shape)
        own = to_float(cut(frame, box))
        edge = mask * (1.0 - mask)
        gain = (edge[..., np.newaxis] * own).sum((0, 1)) / np.maximum((edge[..., np.newaxis] * laid).sum((0, 1)), 1e-6)
        laid = np.clip(laid * np.clip(gain, LEAST_GAIN, MOST_GAIN), 0.0, 1.0).astype(np.float32)
        patches.append(Patch(box, laid, mask * np.float32(strength), track=face.track))
    return patches


def _ellipse(eye: Eye, middle: Floats, size: int) -> Floats:
    """Where a shut eye is laid in, (size, size), 0 on the border."""
    places = np.arange(size, dtype=np.float32)
    away_x, away_y = places - middle[0], places[:, np.newaxis] - middle[1]
    along = away_x * eye.along[0] + away_y * eye.along[1]
    up = away_x * eye.up[0] + away_y * eye.up[1]
    above = min(ABOVE * eye.width, UNDER_BROW * eye.brow)
    radius = np.hypot(along / (SIDE * eye.width), up / np.where(up > 0.0, above, BELOW * eye.width))
    mask = ramp(radius, (1.0, CORE))
    mask[[0, -1]] = mask[:, [0, -1]] = 0.0
    return mask


@dataclass(frozen=True, slots=True)
class Eye:
    """One eye, whose lids can be drawn together or apart.

    Attributes
    ----------
    corner : (2,) frame pixels, where its own axes begin: along to the other corner, and up across that.
    along, up : (2,) of length 1.
    width : pixels from corner to corner.
    upper, lower : (2,) by which a lid stands ``u (1 - u) (a + b u)`` over the line of the corners, u along it in
        [0, 1].
    brow : pixels from the line of the corners up to the brow.
    skin : pixels over the upper lid that are drawn out with it.
    """

    corner: Floats
    along: Floats
    up: Floats
    width: float
    upper: Floats
    lower: Floats
    brow: float
    skin: float

    @classmethod
    def of(cls, points: Floats, brow: Floats) -> Eye:
        """The eye of its six landmarks (6, 2), under points of its brow (3, 2)."""
        corner, axis = points[0], points[3] - points[0]
        width = max(float(np.linalg.norm(axis)), 1.0)
        along = (axis / np.float32(width)).astype(np.float32)
        up = np.array([along[1], -along[0]], dtype=np.float32)
        lids: list[Floats] = []
        for pair in ((1, 2), (5, 4)):
            away = points[list(pair)] - corner
            u, v = np.clip(away @ along / width, 0.05, 0.95), away @ up
            forms = (u * (1.0 - u))[:, np.newaxis] * np.stack([np.ones(2), u], axis=1)
            apart = abs(float(u[1] - u[0])) > 0.05
            curve = np.linalg.solve(forms, v) if apart else np.array([v.mean() / (u * (1.0 - u)).mean(), 0.0])
            lids.append(curve.astype(np.float32))
        gap = lids[0] - lids[1]
        upper, lower = lids[0] + np.float32(RIM_UP) * gap, lids[1] - np.float32(RIM_DOWN) * gap
        height = float(np.mean((brow - corner) @ up))
        free = height - float(_height(upper, np.float32(0.5)))
        skin = float(np.clip(LID_SKIN * free, 0.1 * width, MOST_SKIN * width))
        return cls(corner, along, up, width, upper, lower, max(height, 0.2 * width), skin)

    def landed(self, point: Floats, left: float) -> Floats:
        """Where a landmark of the upper lid comes to lie with so much of the gap left, (2,) frame pixels."""
        away = point - self.corner
        u = np.float32(np.clip(away @ self.along / self.width, 0.0, 1.0))
        lower, upper, height = float(_height(self.lower, u)), float(_height(self.upper, u)), float(away @ self.up)
        other = lower + RIM_DOWN / (1.0 + RIM_UP + RIM_DOWN) * (upper - lower)
        landed = max(lower + left * (height - lower), min(other, height))
        return np.asarray(point + (landed - height) * self.up, dtype=np.float32)

    def narrow(self, map_x: Floats, map_y: Floats, corner: Floats, left: float) -> None:
        """Change where pixels are read, so that the lids are where they shall be; in place.

        Parameters
        ----------
        corner : (2,) of the box, whose pixels the maps are of.
        left : share of the gap that is left.
        """
        if left == 1.0:
            return
        ends = np.stack([self.corner, self.corner + self.width * self.along]) - corner
        reach = self.skin + self.width / 2
        low = np.maximum(np.floor(ends.min(axis=0) - reach).astype(int), 0)
        high = np.minimum(np.ceil(ends.max(axis=0) + reach).astype(int), map_x.shape[::-1])
        part = slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))
        away_x, away_y = map_x[part] + corner[0] - self.corner[0], map_y[part] + corner[1] - self.corner[1]
        u = (away_x * self.along[0] + away_y * self.along[1]) / np.float32(self.width)
        v = away_x * self.up[0] + away_y * self.up[1]
        inside = np.clip(u, 0.0, 1.0)
        lower, upper = _height(self.lower, inside), _height(self.upper, inside)
        gap = np.maximum(upper - lower, 0.0)
        share, skin = np.float32(left), np.float32(self.skin)
        lid, end = lower + share * gap, lower + gap + skin
        over = lower + gap + (v - lid) * (skin / (end - lid))
        between = lower + (v - lower) / share
        read = np.where(v >= end, v, np.where(v >= lid, over, np.where(v >= lower, between, v)))
        change = np.where((u > 0.0) & (u < 1.0), read - v, 0.0).astype(np.float32)
        map_x[part] += change * self.up[0]
        map_y[part] += change * self.up[1]


def _height(lid: Floats, u: Floats | np.float32) -> Floats:
    return np.asarray(u * (1.0 - u) * (lid[0] + lid[1] * u), dtype=np.float32)
