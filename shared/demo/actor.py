"""A talking head drawn from one portrait: lips, jaw, lids and head move; what is drawn is known exactly.

The picture around and in the face is a triangle mesh with depth. Each frame moves the vertices (`shared.demo.rig`,
`shared.demo.motion`), paints where in the portrait each pixel comes from, and draws the mouth's inside into the hole
between the lips. So the landmarks returned with a frame are those that it was drawn from, not a detection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.demo.interior import draw_interior, make_interior
from shared.demo.motion import Motion, MotionOptions, make_motion
from shared.demo.paint import Surround, identity_maps, paint, spread, surround
from shared.demo.portraits import Portrait
from shared.demo.rig import INNER_UPPER, LOWER_SHARE, MOVES, Rig, make_rig
from shared.demo.visemes import MouthCurve
from shared.face.landmarks import INNER_LIP, LIPS, OVAL, CanonicalFace, landmarks_from_mesh
from shared.face.pose import fit_pose, rotation_from_angles
from shared.picture.image import Rgb
from shared.picture.mask import polygon_mask
from shared.picture.warp import affine, box_around, gaussian, piecewise_warp, to_float, to_uint8
from shared.types import Floats, Matrix

NECK: Final = (0.0, -9.0, -5.0)
"""Where the head turns, canonical centimetres."""
TEETH_BEHIND_CM: Final = 0.7
"""Depth of the teeth behind the lips."""
LINE_PX: Final = 0.3
"""Half the thickness of the dark line between closed lips."""
LINE_ALPHA: Final = 0.75
NOISE_TILES: Final = 8


@dataclass(frozen=True, slots=True)
class ActorOptions:
    """How an actor is drawn."""

    size: tuple[int, int] = (480, 432)
    """(height, width) of the frames, pixels; the portrait may be larger."""
    grain: float = 1.2
    """Standard deviation of the sensor noise, 8-bit units; it changes from frame to frame."""
    grid_px: float = 22.0
    """Distance of the mesh's points outside the face."""
    motion: MotionOptions = field(default_factory=MotionOptions)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One frame and the truth about it.

    Attributes
    ----------
    picture : (H, W, 3) uint8 RGB.
    mesh : (468, 3) float32 vertices in frame pixels, z away from the camera positive.
    blink : 0 open to 1 closed.
    """

    picture: Rgb
    mesh: Floats
    blink: float

    @property
    def landmarks(self) -> Floats:
        """(68, 2) float32 iBUG points."""
        return landmarks_from_mesh(self.mesh)

    @property
    def lips(self) -> Floats:
        """(40, 2) float32, outer and inner ring in the order of `shared.face.landmarks.LIPS`."""
        return np.ascontiguousarray(self.mesh[list(LIPS), :2])

    @property
    def aperture_px(self) -> float:
        """Gap of the inner lips at their middle."""
        return float(np.linalg.norm(self.mesh[14, :2] - self.mesh[13, :2]))


class Actor:
    """Draws one person; holds the portrait, its rig and what can be computed once."""

    def __init__(self, portrait: Portrait, canonical: CanonicalFace, options: ActorOptions | None = None) -> None:
        self._options = options or ActorOptions()
        height, width = self._options.size
        self._picture = portrait.picture
        self._zoom = portrait.picture.shape[1] / width
        mesh = portrait.mesh.astype(np.float64) / self._zoom
        mesh[:, :2] = (portrait.mesh[:, :2] + 0.5) / self._zoom - 0.5
        self._pose = fit_pose(mesh.astype(np.float32), canonical.vertices)
        self._rig: Rig = make_rig(self._pose.to_face(mesh.astype(np.float32)).astype(np.float64), canonical)
        self._ring: Surround = surround(mesh[:, :2], (height, width), self._options.grid_px)
        self._rest = self._frame_places(mesh)
        self._moves = {name: self._with_ring(self._rig.moves[name], mesh) for name in MOVES}
        self._stay = self._followers(mesh)
        # Eyeballs are painted first, at vertices of their own that never blink; skin and lids cover them.
        count = len(self._rest)
        self._triangles = np.concatenate([self._ring.triangles, self._rig.hole, self._rig.eyes + count, self._rig.skin])
        sources = np.concatenate([mesh[:, :2], self._ring.points])
        sources = (sources + 0.5) * self._zoom - 0.5
        self._sources = np.concatenate([sources, sources])
        self._interior = make_interior()
        self._identity = (identity_maps((height, width)) + np.float32(0.5)) * np.float32(self._zoom) - np.float32(0.5)
        self._mouth_cm = 0.5 * (self._rig.rest[13] + self._rig.rest[14])

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the frames."""
        return self._options.size

    def motion(self, curve: MouthCurve, seed: int) -> Motion:
        """The head motion that `perform` would give to a curve."""
        return make_motion(curve.times_s, curve.opening_cm, self._options.motion, seed)

    def perform(self, curve: MouthCurve, seed: int = 0) -> Iterator[Drawn]:
        """Draw the frames at the curve's times, head motion and grain from the seed."""
        yield from self.perform_motion(curve, self.motion(curve, seed), seed)

    def perform_motion(self, curve: MouthCurve, motion: Motion, seed: int = 0) -> Iterator[Drawn]:
        """Draw the frames of a mouth under a given motion of the head."""
        random = np.random.default_rng(seed)
        height, width = self._options.size
        noise = random.normal(scale=max(self._options.grain, 0.0), size=(NOISE_TILES, height, width, 1))
        tiles = np.rint(noise).astype(np.int16)
        for index, row in enumerate(curve.rows):
            drawn = self._draw(row, motion, index)
            grainy = drawn.picture + np.roll(tiles[random.integers(NOISE_TILES)], int(random.integers(width)), axis=1)
            yield Drawn(np.clip(grainy, 0, 255).astype(np.uint8), drawn.mesh, drawn.blink)

    def _draw(self, row: NDArray[np.float64], motion: Motion, index: int) -> Drawn:
        opening_cm, wide, rounding, tuck, tongue = (float(value) for value in row)
        blink = float(motion.blink[index])
        strengths = {
            "jaw": LOWER_SHARE * opening_cm,
            "upper": (1.0 - LOWER_SHARE) * opening_cm,
            "width": wide,
            "rounding": rounding,
            "tuck": tuck,
            "brow": 0.25 * opening_cm,
        }
        face = self._rest + sum(strengths[name] * self._moves[name] for name in strengths)
        turn = rotation_from_angles(*motion.angles_deg[index].tolist())
        shift = motion.shift_cm[index]
        eyes = self._to_frame(face, turn, shift)
        places = self._to_frame(face + blink * self._moves["blink"], turn, shift) if blink > 0 else eyes
        maps = self._identity.copy()
        paint(np.concatenate([places[:, :2], eyes[:, :2]]), self._triangles, self._sources, maps)
        picture = piecewise_warp(self._picture, maps[..., 0], maps[..., 1])
        jaw = strengths["jaw"] * self._rig.moves["jaw"][14]
        self._draw_mouth(picture, places[:468, :2], (turn, shift), jaw, 0.55 * tongue)
        return Drawn(picture, places[:468].astype(np.float32), blink)

    def _to_frame(
        self, face: NDArray[np.float64], turn: NDArray[np.float64], shift: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Frame positions (N, 3) of all vertices after the head's motion, which those far from it follow less."""
        moved = (face - NECK) @ turn.T + NECK + shift
        followed = face + self._stay[:, np.newaxis] * (moved - face)
        return self._pose.to_frame(followed.astype(np.float32)).astype(np.float64)

    def _draw_mouth(
        self,
        picture: Rgb,
        places: NDArray[np.float64],
        head: tuple[NDArray[np.float64], NDArray[np.float64]],
        jaw_cm: NDArray[np.float64],
        tongue_cm: float,
    ) -> None:
        lips = places[list(INNER_LIP)]
        x0, y0, x1, y1 = box_around(lips)
        x0, y0 = max(0, x0 - 3), max(0, y0 - 3)
        x1, y1 = min(picture.shape[1], x1 + 3), min(picture.shape[0], y1 + 3)
        if x1 - x0 < 2 or y1 - y0 < 2:
            return
        ring = lips - (x0, y0)
        # Along the upper lip up, along the lower one down, so that closed lips still show a dark line.
        thicker = ring + np.outer(_side_of_ring(), (0.0, LINE_PX))
        mask = gaussian(polygon_mask(thicker, (y1 - y0, x1 - x0)), 0.5) * np.float32(LINE_ALPHA)
        gap = polygon_mask(ring, (y1 - y0, x1 - x0))
        mask = np.maximum(mask, gap)
        upper = places[[78, *INNER_UPPER, 308]] - (x0, y0)
        edge = np.interp(np.arange(x1 - x0), upper[:, 0], upper[:, 1])
        depth = (np.arange(y1 - y0)[:, np.newaxis] - edge[np.newaxis]) / self._pose.scale
        inside = draw_interior(
            self._interior,
            self._box_from_plane(head, np.zeros(3), (x0, y0)),
            self._box_from_plane(head, jaw_cm, (x0, y0)),
            tongue_cm,
            depth.astype(np.float32),
        )
        old = to_float(picture[y0:y1, x0:x1])
        picture[y0:y1, x0:x1] = to_uint8(old + mask[..., np.newaxis] * (inside - old))

    def _box_from_plane(
        self,
        head: tuple[NDArray[np.float64], NDArray[np.float64]],
        moved_cm: NDArray[np.float64],
        corner: tuple[int, int],
    ) -> Matrix:
        """The map from the teeth's plane, origin at the middle of the closed lips, to pixels of the mouth's box."""
        turn, shift = head
        flat = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        points = np.concatenate([flat, np.full((3, 1), -TEETH_BEHIND_CM)], axis=1) + self._mouth_cm + moved_cm
        turned = (points - NECK) @ turn.T + NECK + shift
        return affine(flat, self._pose.to_frame(turned)[:, :2] - corner)

    def _frame_places(self, mesh: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 3) canonical positions of all vertices: the closed face, then the ring at the depth of the oval."""
        depth = np.full((len(self._ring.points), 1), mesh[list(OVAL), 2].mean())
        ring = self._pose.to_face(np.concatenate([self._ring.points, depth], axis=1).astype(np.float32))
        return np.concatenate([self._rig.rest, ring.astype(np.float64)])

    def _with_ring(self, move: NDArray[np.float64], mesh: NDArray[np.float64]) -> NDArray[np.float64]:
        """A move of the face that the skin around it follows a little way."""
        reach = 0.16 * float(np.ptp(mesh[list(OVAL), 0]))
        ring = spread(move[list(OVAL)], mesh[list(OVAL), :2], self._ring.points, reach)
        return np.concatenate([move, ring])

    def _followers(self, mesh: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) how far each vertex follows the head: 1 on face and hair, falling to 0 on shoulders and border."""
        oval = mesh[list(OVAL), :2]
        width, height = np.ptp(oval[:, 0]), np.ptp(oval[:, 1])
        centre = (oval.min(axis=0) + oval.max(axis=0)) / 2
        away = self._ring.points - centre
        away[:, 0] /= 0.62 * width
        away[:, 1] /= np.where(away[:, 1] < 0, 0.8, 0.55) * height
        radius = np.linalg.norm(away, axis=1)
        follow = 1.0 - np.clip((radius - 1.0) / 0.75, 0.0, 1.0)
        follow = follow * follow * (3.0 - 2.0 * follow)
        rows, columns = self._options.size
        border = (self._ring.points <= 0.5).any(axis=1) | (self._ring.points >= (columns - 1.5, rows - 1.5)).any(axis=1)
        follow[border] = 0.0
        return np.concatenate([np.ones(468), follow])


def _side_of_ring() -> NDArray[np.float64]:
    """(20,) 1 along the lower lip, -1 along the upper one, 0 at the corners, in the order of `INNER_LIP`."""
    side = np.ones(len(INNER_LIP))
    side[11:] = -1.0
    side[[0, 10]] = 0.0
    return side
