"""Footage to a pool of mouths: faces without pose, when they were seen, how they sound, and how they look.

One pass finds the faces (cached by `shared.face.analyse`), a second one cuts the lower faces out. Frames without a
face, with a broken picture, turned far aside or blurred give no texture; they are counted, never fatal.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lipsync.features import LOUDNESS_DBFS, SAMPLE_RATE_HZ, audio_features, row_times_s
from lipsync.learn import Example
from lipsync.mouth import MouthBasis, aperture_cm, free_face
from lipsync.options import VoiceOptions
from lipsync.plane import TexturePlane
from lipsync.voice import Pool, RowsWriter, lips_of
from shared.clock import resample_track
from shared.errors import NoFaceError
from shared.face.analyse import ClipFaces, PersonChoice, analyse, pick_tracks
from shared.face.pose import FacePose
from shared.media.reader import open_clip, probe
from shared.media.sound import load_sound, normalise_rms, voiced_spans
from shared.picture.planes import warp
from shared.progress import Progress, silent
from shared.types import Floats, Frame, Picture

LOG = logging.getLogger(__name__)
GAP_FRAMES = 1.75
"""Faces further apart than this many usual frame steps leave the rows between them unknown."""
PAUSE_MARGIN_S = 0.12
"""A pause begins this long after speech is last heard, and ends as long before it is heard again."""
FEWEST_PAUSES = 10
CLOSED_PERCENTILE = 30.0
BROKEN_MADS = 8.0
"""A texture whose mean colour lies this many median deviations from the footage's is a broken picture..."""
BROKEN_LEVELS = 24.0
"""...and at least this many levels of 255."""


@dataclass(frozen=True, slots=True)
class ClipMouths:
    """The speaker in one clip.

    Attributes
    ----------
    indices : (n,) int64 frame numbers with the face, rising.
    times_s : (n,) float64.
    points : (n, 68, 2) float32 canonical centimetres.
    poses : n poses.
    sharpness : (n,) float32.
    features : (T, 28) float32, None where the clip has no sound.
    voiced : (start, end) in seconds of what is speech.
    """

    path: Path
    indices: NDArray[np.int64]
    times_s: NDArray[np.float64]
    points: Floats
    poses: tuple[FacePose, ...]
    sharpness: Floats
    features: Floats | None
    voiced: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """Progress of one clip as progress of all."""

    whole: Progress
    before: int
    total: int

    def __call__(self, done: float, total: float, label: str) -> None:  # noqa: ARG002 - a Progress
        self.whole(min(self.before + done, self.total), self.total, label)


def gather(
    footage: Sequence[Path], cache: Path, person: PersonChoice, counts: Counter[str], progress: Progress = silent
) -> list[ClipMouths]:
    """Find the speaker in each clip, and hear him.

    Clips without a face are counted and passed over.

    Raises
    ------
    NoFaceError
        No clip has one.
    """
    lengths = [max(probe(path).frame_count, 1) for path in footage]
    found = []
    for number, path in enumerate(footage):
        part = _Part(progress, sum(lengths[:number]), sum(lengths))
        clip = _mouths(path, analyse(path, cache, progress=part), person, counts)
        if clip is not None:
            found.append(clip)
    progress(sum(lengths), sum(lengths), "finding faces")
    if not found:
        raise NoFaceError(f"{footage[0]}: no face in the footage; give clips in which the speaker's face is seen")
    return found


def _mouths(path: Path, faces: ClipFaces, person: PersonChoice, counts: Counter[str]) -> ClipMouths | None:
    counts["frames"] += faces.counts.frames
    counts["damaged"] += faces.counts.damaged
    if faces.counts.with_face == 0:
        counts["no-face"] += faces.counts.frames
        LOG.warning("%s: no face in any frame, nothing is learned from it", path)
        return None
    sound = load_sound(path, SAMPLE_RATE_HZ) if probe(path).has_audio else None
    tracks = pick_tracks(faces, person, sound)
    rows = []
    for index, time_s, seen in faces.iter():
        chosen = [face for face in seen if face.track in tracks]
        if not chosen:
            counts["no-face"] += 1
            continue
        face = max(chosen, key=lambda one: one.box[2] - one.box[0])
        free = free_face(face)
        rows.append((index, time_s, free.points, free.pose, face.sharpness))
    faces.close()
    if not rows:
        return None
    indices, times, points, poses, sharpness = zip(*rows, strict=True)
    voiced = tuple(voiced_spans(sound)) if sound is not None else ()
    heard = audio_features(normalise_rms(sound, LOUDNESS_DBFS, voiced)) if sound is not None else None
    return ClipMouths(
        path=path,
        indices=np.array(indices, dtype=np.int64),
        times_s=np.array(times, dtype=np.float64),
        points=np.array(points, dtype=np.float32),
        poses=tuple(poses),
        sharpness=np.array(sharpness, dtype=np.float32),
        features=heard,
        voiced=voiced,
    )


def examples_of(clips: Sequence[ClipMouths], basis: MouthBasis) -> list[Example]:
    """Pair features with shapes at the features' own times, for clips that have sound.

    Shapes are interpolated linearly between frames; rows without a face on either side are unknown.
    """
    examples = []
    for clip in clips:
        if clip.features is None or clip.features.shape[0] == 0:
            continue
        times = row_times_s(clip.features.shape[0])
        shapes = resample_track(basis.encode(lips_of(clip.points)), clip.times_s, times)
        examples.append(Example(clip.features, shapes, _known(clip.times_s, times)))
    return examples


def _known(seen_s: NDArray[np.float64], times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    if seen_s.shape[0] < 2:
        return np.zeros(times_s.shape, dtype=bool)
    steps = np.diff(seen_s)
    usual = float(np.median(steps))
    right = np.searchsorted(seen_s, times_s)
    inside = (right > 0) & (right < seen_s.shape[0])
    gap = steps[np.clip(right - 1, 0, steps.shape[0] - 1)]
    known: NDArray[np.bool_] = inside & (gap <= GAP_FRAMES * usual)
    # A frame is shown until the next one: rows just outside the first and the last face belong to these.
    known |= (np.abs(times_s - seen_s[0]) < usual / 2) | (np.abs(times_s - seen_s[-1]) < usual)
    return known


def in_spans(times_s: NDArray[np.float64], spans: Sequence[tuple[float, float]], margin_s: float) -> NDArray[np.bool_]:
    """Which times lie in one of the spans, each grown by a margin on both sides."""
    inside = np.zeros(times_s.shape, dtype=bool)
    for start, end in spans:
        inside |= (times_s >= start - margin_s) & (times_s <= end + margin_s)
    return inside


def rest_shape(clips: Sequence[ClipMouths], basis: MouthBasis) -> Floats:
    """Mean of the speaker's more closed mouths in pauses, or of all footage where it has hardly a pause: (20,)."""
    lips = np.concatenate([lips_of(clip.points) for clip in clips])
    quiet = np.concatenate([~in_spans(clip.times_s, clip.voiced, PAUSE_MARGIN_S) for clip in clips])
    chosen = lips[quiet] if int(quiet.sum()) >= FEWEST_PAUSES else lips
    gaps = aperture_cm(chosen)
    closed = chosen[gaps <= np.percentile(gaps, CLOSED_PERCENTILE)]
    return np.asarray(basis.encode(closed).mean(axis=0), dtype=np.float32)


def write_textures(
    clips: Sequence[ClipMouths],
    plane: TexturePlane,
    options: VoiceOptions,
    path: Path,
    counts: Counter[str],
    progress: Progress = silent,
) -> Pool:
    """Cut the lower faces of the usable frames into a texture file, streaming, and list those that are sound.

    Raises
    ------
    NoFaceError
        No frame can be used.
    """
    chosen = _usable(clips, options, counts)
    total = sum(rows.shape[0] for rows in chosen)
    means, kept = [], []
    with RowsWriter(path, "textures", (*plane.size, 3)) as writer:
        for number, (clip, rows) in enumerate(zip(clips, chosen, strict=True)):
            for frame, row in _frames(clip, rows):
                texture = _eight_bit(warp(frame, plane.texture_from_frame(clip.poses[row]), plane.size))
                writer.add(texture)
                means.append(texture.reshape(-1, 3).mean(axis=0))
                kept.append((number, row))
                progress(writer.rows, total, "keeping mouths")
    if not kept:
        raise NoFaceError(f"{clips[0].path}: no frame of the footage shows the face well enough to take a mouth from")
    sound = _unbroken(np.array(means))
    counts["broken"] += int((~sound).sum())
    rows_of_file = np.flatnonzero(sound)
    picked = [kept[k] for k in rows_of_file]
    return Pool(
        points=np.array([clips[n].points[row] for n, row in picked], dtype=np.float32),
        angles_deg=np.array([clips[n].poses[row].angles_deg for n, row in picked], dtype=np.float32),
        times_s=np.array([clips[n].times_s[row] for n, row in picked], dtype=np.float64),
        clips=np.array([n for n, _ in picked], dtype=np.int32),
        rows=rows_of_file.astype(np.int64),
    )


def _usable(clips: Sequence[ClipMouths], options: VoiceOptions, counts: Counter[str]) -> list[NDArray[np.intp]]:
    """Rows of each clip that give a texture, evenly thinned to `most_frames` of the footage."""
    least = options.least_sharpness * float(np.median(np.concatenate([clip.sharpness for clip in clips])))
    chosen = []
    for clip in clips:
        angles = np.abs(np.array([pose.angles_deg for pose in clip.poses]))
        frontal = (angles[:, 0] <= options.largest_yaw_deg) & (angles[:, 1] <= options.largest_pitch_deg)
        clear = clip.sharpness >= least
        counts["turned-away"] += int((~frontal).sum())
        counts["blurred"] += int((frontal & ~clear).sum())
        chosen.append(np.flatnonzero(frontal & clear))
    total = sum(rows.shape[0] for rows in chosen)
    if total > options.most_frames:
        counts["thinned"] += total - options.most_frames
        keep = np.zeros(total, dtype=bool)
        keep[np.linspace(0, total - 1, options.most_frames).round().astype(np.intp)] = True
        ends = np.cumsum([rows.shape[0] for rows in chosen])[:-1]
        chosen = [rows[part] for rows, part in zip(chosen, np.split(keep, ends), strict=True)]
    return chosen


def _frames(clip: ClipMouths, rows: NDArray[np.intp]) -> Iterator[tuple[Frame, int]]:
    wanted = {int(clip.indices[row]): int(row) for row in rows}
    if not wanted:
        return
    with open_clip(clip.path) as reader:
        for frame in reader.frames():
            row = wanted.get(frame.index)
            if row is not None:
                yield frame, row


def _unbroken(means: NDArray[np.float64]) -> NDArray[np.bool_]:
    middle = np.median(means, axis=0)
    distance = np.abs(means - middle).max(axis=1)
    limit = max(BROKEN_MADS * float(np.median(distance)), BROKEN_LEVELS)
    return np.asarray(distance <= limit, dtype=np.bool_)


def _eight_bit(picture: Picture) -> NDArray[np.uint8]:
    if picture.dtype == np.uint8:
        return picture.astype(np.uint8, copy=False)
    return ((picture.astype(np.uint32) + 128) // 257).astype(np.uint8)


def speech_s(clips: Sequence[ClipMouths]) -> float:
    """Seconds of speech during which the face is seen: what can be learned from."""
    total = 0.0
    for clip in clips:
        if clip.features is None:
            continue
        times = row_times_s(clip.features.shape[0])
        total += 0.01 * int((in_spans(times, clip.voiced, 0.0) & _known(clip.times_s, times)).sum())
    return total
