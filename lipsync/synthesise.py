"""A wanted mouth to a lower face: candidates, their weighted median, and the detail that the median loses.

Suwajanakorn et al. 2017, section 4.2. Beyond the paper, whose 17 hours hold every mouth at every pose: candidates are
also chosen by head turn, so that neck and jaw of the texture fit the frame that it is laid into. On the GRID speaker
(7,500 frames, n = 50, true shapes) that raised the PSNR of the jaw from 27.8 to 29.3 dB and of the mouth from 34.7 to
35.3 dB, and lowered flicker. And they are followed through time (`lipsync.path`), but for voices of the paper's recipe.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lipsync.looks import Looks
from lipsync.median import weighted_median
from lipsync.mouth import JAW_POINTS, LIP_POINTS, LIPS
from lipsync.options import SyncOptions
from lipsync.path import Follower, follow
from lipsync.plane import TexturePlane
from lipsync.recipes import recipe_of
from lipsync.retrieve import Candidates, RetrieveOptions, Retriever
from lipsync.teeth import Teeth
from lipsync.voice import Voice
from shared.picture.warp import gaussian, grey_of, laplacian_variance, to_float, warp_picture
from shared.types import Floats, Matrix

MOUTH = slice(48, 68)
POSE_PERCENTILES = (5.0, 95.0)
"""A target turned further than the footage asks for the footage's own ends; else only outliers would be near it."""
SAMPLES = 24
"""Frames of the pool on which the loss of detail is measured."""
OWN_S = 0.5
"""Frames this near to a sample in time are the sample itself, and left out of its median."""
AROUND = 4
"""Frames before and after a sample through which its takes are followed."""
USUAL_STEADINESS = 0.5
FURTHEST_CM = 0.3
"""Lips and jaw are warped no further than this from where the texture shows them: no shut mouth can be warped open."""
CORNERS = {60: (48, 61, 67), 64: (54, 63, 65)}
"""The inner corners move with the points around them; told by the shape they are no nearer."""
POOL_SAMPLE = 2000
"""Frames of the pool by which it is told how it wears its jaw."""
JAW_SHARE = 0.5
"""How far the jaw goes from where the candidates have it to where the shape has it: the errors of the two differ. Of 6
GRID clips, learned from 60 others, the chin found again on the picture is 1.33 mm off (root mean square), by the shape
alone 1.36 and by the candidates alone 1.37, PSNR there 36.69, 36.50 and 36.72 dB."""
UNSHARP_SIGMA_PX = 1.0
STRONGEST = 2.0
"""Largest gain of the unsharp mask."""


@dataclass(frozen=True, slots=True)
class LowerFace:
    """A synthesised lower face on the texture plane.

    Attributes
    ----------
    texture : (H, W, 3) float32 RGB in [0, 1].
    points : (68, 2) float32 canonical centimetres, the weighted mean of the candidates'; where takes are followed, the
        lips are the wanted ones, and the jaw is half-way to what the wanted shape tells of it, if it does.
    flat : (68, 2) float32 centimetres on the plane, where the texture shows them.
    teeth_sharpness : what the candidates' own teeth have (`lipsync.teeth.SpeakerTeeth`); 0 where that is not asked for.
    """

    texture: Floats
    points: Floats
    flat: Floats
    teeth_sharpness: float = 0.0


def places_of(voice: Voice, pose_weight: float) -> Floats:
    """Where each frame of the pool lies when candidates are chosen: shape and weighed head turn, (N, 23) float32."""
    return np.concatenate([voice.shapes, pose_weight * voice.pool.angles_deg], axis=1).astype(np.float32)


class Synthesiser:
    """Makes lower faces out of a voice's pool."""

    def __init__(self, voice: Voice, options: SyncOptions) -> None:
        self._voice = voice
        self._weight = options.pose_weight
        self._low, self._high = np.percentile(voice.pool.angles_deg, POSE_PERCENTILES, axis=0)
        places = places_of(voice, options.pose_weight)
        self._retriever = Retriever(places, RetrieveOptions(candidates=options.candidates))
        chosen = options.steadiness
        usual = None if recipe_of(voice.net) == "paper" else USUAL_STEADINESS
        self.steadiness = usual if chosen is None else chosen
        """How steadily takes are followed, [0, 1]; None where each picture has its candidates by itself."""
        self._looks = None if self.steadiness is None else Looks(voice.pool, voice.textures)
        self.gain = self._lost_detail() if options.sharpen else 0.0
        """Gain of the unsharp mask that makes up for the median and for being resampled twice."""
        self.teeth: Teeth | None = None
        """Lays the speaker's teeth into what is made, once its neighbours are known."""
        if voice.teeth is not None and options.teeth > 0.0:
            self.teeth = Teeth(voice.teeth, voice.pool.flat, voice.plane, options.teeth)
        self._sharpen = options.sharpen
        self._beside = _beside(voice)

    @property
    def plane(self) -> TexturePlane:
        """What its textures lie on."""
        return self._voice.plane

    def find(self, shape: Floats, angles_deg: tuple[float, float, float]) -> Candidates:
        """Find the candidates of a wanted shape (20,) for a head at the given angles."""
        return self._find(shape, np.asarray(angles_deg))

    def follower(self) -> Follower | None:
        """What follows the candidates of one face through time, if they are to be followed."""
        if self._looks is None or self.steadiness is None:
            return None
        return Follower(self._looks, self.steadiness)

    def make(self, found: Candidates, shape: Floats) -> LowerFace:
        """Make a lower face of footage frames that stand for a wanted shape (20,)."""
        points, flat = (
            np.einsum("n,npc->pc", found.weights, every[found.indices]).astype(np.float32)
            for every in (self._voice.pool.points, self._voice.pool.flat)
        )
        texture = self._median(found)
        if self.steadiness is not None:
            points = _with_mouth(points, self._voice.basis.decode(shape) - self._beside)
        teeth = self._voice.teeth if self._sharpen else None
        sharpness = 0.0 if teeth is None else teeth.sharpness_of(found.indices, found.weights)
        return LowerFace(_unsharp(to_float(texture), self.gain), points, flat, sharpness)

    def _find(
        self, shape: Floats, angles_deg: NDArray[np.floating], without: NDArray[np.intp] | None = None
    ) -> Candidates:
        turned = self._weight * np.clip(angles_deg, self._low, self._high)
        return self._retriever.find(np.concatenate([shape, turned]).astype(np.float32), without)

    def _median(self, found: Candidates) -> NDArray[np.uint8]:
        return weighted_median(self._voice.textures, found.weights, self._voice.pool.rows[found.indices])

    def _lost_detail(self) -> float:
        """Gain at which medians, once resampled, are as detailed around the mouth as the footage before its warp."""
        pool = self._voice.pool
        real = shifted = 0.0
        medians = []
        for row in np.linspace(0, pool.rows.shape[0] - 1, SAMPLES).round().astype(np.intp):
            found = self._without(int(row))
            if found is None:
                continue
            median = to_float(self._median(found))
            own = to_float(self._voice.textures[pool.rows[row]])
            window = _window(self._voice.plane.to_texture(pool.flat[row, MOUTH]), own.shape)
            real += _detail(own, window)
            shifted += _detail(_resampled(own), window)
            medians.append((median, window))
        if shifted <= 0.0:
            return 0.0
        wanted = real * real / shifted
        low, high = 0.0, STRONGEST
        for _ in range(8):
            gain = (low + high) / 2
            reached = sum(_detail(_resampled(_unsharp(picture, gain)), window) for picture, window in medians)
            low, high = (gain, high) if reached < wanted else (low, gain)
        return (low + high) / 2

    def _without(self, row: int) -> Candidates | None:
        """Frames that would stand for a frame of the footage if neither it nor those around it were there."""
        pool = self._voice.pool
        near = (np.abs(pool.times_s - pool.times_s[row]) <= OWN_S) & (pool.clips == pool.clips[row])
        own = np.flatnonzero(near)
        if own.shape[0] == near.shape[0]:
            return None
        around = AROUND if self._looks is not None else 0
        rows = np.arange(max(row - around, 0), min(row + around + 1, near.shape[0]))
        rows = rows[near[rows]]
        found = [self._find(self._voice.shapes[other], pool.angles_deg[other], own) for other in rows]
        if self._looks is not None and self.steadiness is not None:
            found = follow(self._looks, self.steadiness, found, pool.times_s[rows].tolist())
        return found[int(np.flatnonzero(rows == row)[0])]


def _beside(voice: Voice) -> Floats:
    """By how much shapes tell the jaws of the pool beside where they are, as `MouthBasis.decode` has it.

    Shapes tell jaws as all footage wears them; textures, and what `lipsync.seat` compares, may be of some clips alone.
    """
    every = slice(None, None, max(1, len(voice.shapes) // POOL_SAMPLE))
    beside = np.zeros_like(voice.basis.mean)
    if beside.size > LIPS:
        told = voice.basis.decode(voice.shapes[every]).mean(axis=0)
        jaw = voice.pool.points[every][:, list(JAW_POINTS)].mean(axis=0).reshape(-1)
        beside[-jaw.size :] = told[-jaw.size :] - jaw
    return beside


def _with_mouth(points: Floats, mouth: Floats) -> Floats:
    """Points (68, 2) with lips and jaw of a wanted mouth (36,) or (102,), or with what lies `FURTHEST_CM` on the way.

    What takes give up for steadiness, at most a part of a millimetre where the footage holds the shape, the texture's
    warp onto its landmarks brings back: 0.5 dB of PSNR around the mouth (6 GRID clips, true shapes).
    """
    moved, wanted = points.copy(), mouth.reshape(-1, 2)
    moved[list(LIP_POINTS)] += _bounded(wanted[: len(LIP_POINTS)] - points[list(LIP_POINTS)])
    if mouth.size > LIPS:
        moved[list(JAW_POINTS)] += JAW_SHARE * _bounded(wanted[-len(JAW_POINTS) :] - points[list(JAW_POINTS)])
    for corner, near in CORNERS.items():
        moved[corner] += (moved[list(near)] - points[list(near)]).mean(axis=0)
    return moved


def _bounded(shift: Floats) -> Floats:
    """Shifts (N, 2) centimetres, all smaller alike so that none is larger than `FURTHEST_CM`."""
    furthest = float(np.linalg.norm(shift, axis=1).max())
    return np.asarray(shift * min(1.0, FURTHEST_CM / max(furthest, FURTHEST_CM)), dtype=np.float32)


def _unsharp(picture: Floats, gain: float) -> Floats:
    if gain <= 0.0:
        return picture
    sharp = picture - gaussian(picture, UNSHARP_SIGMA_PX)
    sharp *= np.float32(gain)
    sharp += picture
    return np.clip(sharp, 0.0, 1.0, out=sharp)


def _resampled(picture: Floats) -> Floats:
    """Shift by a quarter pixel both ways: the loss of an average linear warp."""
    shift: Matrix = np.array([[1.0, 0.0, 0.25], [0.0, 1.0, 0.25], [0.0, 0.0, 1.0]])
    return warp_picture(picture, shift, (picture.shape[0], picture.shape[1]))


def _window(points: Floats, size: tuple[int, ...]) -> tuple[slice, slice]:
    low = np.clip(np.floor(points.min(axis=0)).astype(int) - 2, 0, None)
    high = np.ceil(points.max(axis=0)).astype(int) + 3
    return slice(int(low[1]), max(min(int(high[1]), size[0]), int(low[1]) + 4)), slice(
        int(low[0]), max(min(int(high[0]), size[1]), int(low[0]) + 4)
    )


def _detail(picture: Floats, window: tuple[slice, slice]) -> float:
    return laplacian_variance(np.ascontiguousarray(grey_of(picture)[window]))
