"""The lower faces of the footage, cut out on their plane into one file, in constant memory.

Frames that are turned far aside, cut off by the picture's edge, blurred, or of a broken picture give no texture; they
are counted. Clips that were lit otherwise than the first one are brought to its light, so that a median over frames of
several clips mixes mouths and not lamps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lipsync.index import ClipMouths
from lipsync.jaw import skin_outline
from lipsync.light import Light, light_between, relight
from lipsync.options import VoiceOptions
from lipsync.plane import TexturePlane
from lipsync.voice import Pool, RowsWriter
from shared.errors import NoFaceError
from shared.media.reader import open_clip
from shared.picture.mask import mouth_mask, polygon_mask
from shared.picture.planes import warp
from shared.picture.warp import eight_bit, to_float, to_uint8
from shared.progress import Progress, silent
from shared.types import Floats

LIGHT_FRAMES = 25
"""Frames at a clip's start that its light is judged by."""
SAME_LIGHT = 0.03
"""Logarithm of the gain below which two clips count as lit alike."""
BROKEN_MADS = 8.0
"""A texture whose mean colour lies this many median deviations from the footage's is a broken picture..."""
BROKEN_LEVELS = 24.0
"""...and at least this many levels of 255."""


def write_textures(
    clips: Sequence[ClipMouths],
    plane: TexturePlane,
    options: VoiceOptions,
    path: Path,
    counts: Counter[str],
    progress: Progress = silent,
) -> Pool:
    """Cut the lower faces of the usable frames into a texture file, and list those that are sound.

    Raises
    ------
    NoFaceError
        No frame can be used.
    """
    chosen = usable_rows(clips, options, counts)
    total = sum(rows.shape[0] for rows in chosen)
    means, kept = [], []
    lamp = _Lamp(plane)
    with RowsWriter(path, "textures", (*plane.size, 3)) as writer:
        for number, (clip, rows) in enumerate(zip(clips, chosen, strict=True)):
            for texture, row in lamp.evened(lower_faces(clip, rows, plane), clip):
                writer.add(texture)
                means.append(texture.reshape(-1, 3).mean(axis=0))
                kept.append((number, row))
                progress(writer.rows, total, "keeping mouths")
    if not kept:
        raise NoFaceError(f"{clips[0].path}: no frame of the footage shows the face well enough to take a mouth from")
    sound = _unbroken(np.array(means))
    counts["broken"] += int((~sound).sum())
    rows_of_file = np.flatnonzero(sound)
    return _pool(clips, [kept[k] for k in rows_of_file], rows_of_file)


def _pool(clips: Sequence[ClipMouths], picked: Sequence[tuple[int, int]], rows: NDArray[np.intp]) -> Pool:
    faces = [clips[number].faces[row] for number, row in picked]
    return Pool(
        points=np.array([face.points for face in faces], dtype=np.float32),
        flat=np.array([face.flat for face in faces], dtype=np.float32),
        angles_deg=np.array([face.pose.angles_deg for face in faces], dtype=np.float32),
        times_s=np.array([clips[number].times_s[row] for number, row in picked], dtype=np.float64),
        clips=np.array([number for number, _ in picked], dtype=np.int32),
        rows=rows.astype(np.int64),
    )


def usable_rows(clips: Sequence[ClipMouths], options: VoiceOptions, counts: Counter[str]) -> list[NDArray[np.intp]]:
    """Rows of each clip that show the mouth well, evenly thinned to `most_frames` of all; others are counted."""
    least = options.least_sharpness * float(np.median(np.concatenate([clip.sharpness for clip in clips])))
    chosen = []
    for clip in clips:
        frontal = _frontal(clip, options)
        clear = clip.sharpness >= least
        counts["turned-away"] += int((~frontal).sum())
        counts["cut-off"] += int((frontal & ~clip.inside).sum())
        counts["blurred"] += int((frontal & clip.inside & ~clear).sum())
        chosen.append(np.flatnonzero(frontal & clip.inside & clear))
    total = sum(rows.shape[0] for rows in chosen)
    if total > options.most_frames:
        counts["thinned"] += total - options.most_frames
        keep = np.zeros(total, dtype=bool)
        keep[np.linspace(0, total - 1, options.most_frames).round().astype(np.intp)] = True
        ends = np.cumsum([rows.shape[0] for rows in chosen])[:-1]
        chosen = [rows[part] for rows, part in zip(chosen, np.split(keep, ends), strict=True)]
    return chosen


def frontal_rows(clip: ClipMouths, options: VoiceOptions) -> NDArray[np.intp]:
    """Rows of a clip whose whole lower face is seen nearly from the front, however sharp."""
    return np.flatnonzero(_frontal(clip, options) & clip.inside)


def _frontal(clip: ClipMouths, options: VoiceOptions) -> NDArray[np.bool_]:
    angles = np.abs(np.array([face.pose.angles_deg for face in clip.faces]))
    return np.asarray(
        (angles[:, 0] <= options.largest_yaw_deg) & (angles[:, 1] <= options.largest_pitch_deg), dtype=np.bool_
    )


def lower_faces(
    clip: ClipMouths, rows: NDArray[np.intp], plane: TexturePlane
) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """Textures (H, W, 3) of some rows of a clip, and which row each is of; no more of the clip is decoded."""
    wanted = {int(clip.indices[row]): int(row) for row in rows}
    if not wanted:
        return
    with open_clip(clip.path) as reader:
        for frame in reader.frames():
            row = wanted.pop(frame.index, None)
            if row is not None:
                yield eight_bit(warp(frame, plane.texture_from_frame(clip.faces[row].pose), plane.size)), row
            if not wanted:
                return


class _Lamp:
    """Brings each clip to the light of the first one."""

    def __init__(self, plane: TexturePlane) -> None:
        self._plane = plane
        self._mean: Floats | None = None
        self._skin: Floats | None = None

    def evened(
        self, textures: Iterator[tuple[NDArray[np.uint8], int]], clip: ClipMouths
    ) -> Iterator[tuple[NDArray[np.uint8], int]]:
        """Yield the textures of a clip under the common light."""
        first = list(islice(textures, LIGHT_FRAMES))
        if not first:
            return
        light = self._light(first, clip)
        for group in (first, textures):
            for texture, row in group:
                yield (texture if light is None else to_uint8(relight(to_float(texture), light))), row

    def _light(self, first: Sequence[tuple[NDArray[np.uint8], int]], clip: ClipMouths) -> Light | None:
        mean = np.mean([to_float(texture) for texture, _ in first], axis=0).astype(np.float32)
        flat = self._plane.to_texture(np.mean([clip.faces[row].flat for _, row in first], axis=0).astype(np.float32))
        skin = skin_mask(flat, self._plane.size)
        if self._mean is None or self._skin is None:
            self._mean, self._skin = mean, skin
            return None
        light = light_between(mean, self._mean, np.minimum(skin, self._skin))
        return None if light is None or float(np.abs(light.terms).max()) < SAME_LIGHT else light


def skin_mask(flat: Floats, size: tuple[int, int]) -> Floats:
    """Cheeks and chin without lips, nose and the jaw's edge, (H, W) float32.

    Parameters
    ----------
    flat : (68, 2) texture pixels.
    """
    return bare_skin(polygon_mask(skin_outline(flat), size), flat)


def bare_skin(face: Floats, flat: Floats) -> Floats:
    """What `skin_mask` tells, where the inside (H, W) of the skin's outline is drawn already."""
    lips = mouth_mask(flat, (face.shape[0], face.shape[1]), grow=1.25)
    return np.asarray(np.clip(face - lips, 0.0, 1.0), dtype=np.float32)


def _unbroken(means: NDArray[np.float64]) -> NDArray[np.bool_]:
    middle = np.median(means, axis=0)
    distance = np.abs(means - middle).max(axis=1)
    limit = max(BROKEN_MADS * float(np.median(distance)), BROKEN_LEVELS)
    return np.asarray(distance <= limit, dtype=np.bool_)
