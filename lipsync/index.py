"""Footage to what can be learned from: faces without pose, when they were seen, and how they sound.

Faces come from the cached analysis (`shared.face.analyse`); frames without one are counted, never fatal.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lipsync.crops import Example
from lipsync.features import SAMPLE_RATE_HZ, row_times_s
from lipsync.mouth import FreeFace, MouthBasis, aperture_cm, free_face
from lipsync.options import RecipeName
from lipsync.recipes import hear
from models.tensors import pick_device
from shared.clock import resample_track
from shared.errors import NoFaceError
from shared.face.analyse import AnalyseOptions, ClipFaces, PersonChoice, analyse, pick_tracks
from shared.face.detect import FinderName
from shared.media.reader import clip_origin, probe
from shared.media.sound import load_sound, voiced_spans
from shared.picture.mask import lower_face_outline
from shared.progress import Progress, silent
from shared.types import Face, Floats

LOG = logging.getLogger(__name__)
GAP_FRAMES = 1.75
"""Faces further apart than this many usual frame steps leave the rows between them unknown."""
PAUSE_MARGIN_S = 0.12
"""A pause begins this long after speech is last heard, and ends as long before it is heard again."""
FEWEST_PAUSES = 10
CLOSED_PERCENTILE = 30.0


@dataclass(frozen=True, slots=True)
class ClipMouths:
    """The speaker in one clip.

    Attributes
    ----------
    indices : (n,) int64 frame numbers with the face, rising.
    times_s : (n,) float64, 0 = the clip's first picture, as for its sound.
    faces : n faces without their pose.
    inside : (n,) bool, whether the whole lower face lies in the picture.
    sharpness : (n,) float32.
    features : (T, F) float32 as the recipe hears the clip, None where it has no sound.
    voiced : (start, end) in seconds of what is speech.
    """

    path: Path
    indices: NDArray[np.int64]
    times_s: NDArray[np.float64]
    faces: tuple[FreeFace, ...]
    inside: NDArray[np.bool_]
    sharpness: Floats
    features: Floats | None
    voiced: tuple[tuple[float, float], ...]

    @property
    def mouths(self) -> Floats:
        """(n, 102) float32, the points of each mouth."""
        return np.array([face.mouth for face in self.faces], dtype=np.float32)

    @property
    def points(self) -> Floats:
        """(n, 68, 2) float32 canonical centimetres."""
        return np.array([face.points for face in self.faces], dtype=np.float32)

    @property
    def lips(self) -> Floats:
        """(n, 36) float32, of these the lip points."""
        return np.array([face.lips for face in self.faces], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Part:
    """Progress of one clip as progress of all."""

    whole: Progress
    before: int
    total: int

    def __call__(self, done: float, total: float, label: str) -> None:  # noqa: ARG002 - a Progress
        self.whole(min(self.before + done, self.total), self.total, label)


def gather(
    footage: Sequence[Path],
    cache: Path,
    person: PersonChoice,
    counts: Counter[str],
    progress: Progress = silent,
    finder: FinderName = "mesh",
    recipe: RecipeName = "default",
) -> list[ClipMouths]:
    """Find the speaker in each clip, and hear him as a recipe does.

    Clips without a face are counted and passed over.

    Raises
    ------
    NoFaceError
        No clip has one.
    """
    lengths = [max(probe(path).frame_count, 1) for path in footage]
    found = []
    options = AnalyseOptions(finder=finder, device="cpu" if finder == "mesh" else str(pick_device("auto")))
    for number, path in enumerate(footage):
        part = _Part(progress, sum(lengths[:number]), sum(lengths))
        with analyse(path, cache, options, part) as faces:
            clip = _mouths(path, faces, person, counts, recipe)
        if clip is not None:
            found.append(clip)
    progress(sum(lengths), sum(lengths), "finding faces")
    if not found:
        raise NoFaceError(f"{footage[0]}: no face in the footage; give clips in which the speaker's face is seen")
    return found


def heard_again(clips: Sequence[ClipMouths], recipe: RecipeName, progress: Progress = silent) -> list[ClipMouths]:
    """The same clips as another recipe hears them."""
    made = []
    for number, clip in enumerate(clips):
        silent_clip = clip.features is None
        features = None if silent_clip else hear(recipe, load_sound(clip.path, SAMPLE_RATE_HZ), clip.voiced)
        made.append(replace(clip, features=features))
        progress(number + 1, len(clips), "hearing clips")
    return made


def _mouths(
    path: Path, faces: ClipFaces, person: PersonChoice, counts: Counter[str], recipe: RecipeName
) -> ClipMouths | None:
    counts["frames"] += faces.counts.frames
    counts["damaged"] += faces.counts.damaged
    if faces.counts.with_face == 0:
        counts["no-face"] += faces.counts.frames
        LOG.warning("%s: no face in any frame, nothing is learned from it", path)
        return None
    sound = load_sound(path, SAMPLE_RATE_HZ) if probe(path).has_audio else None
    tracks = pick_tracks(faces, person, sound)
    origin_s = float(clip_origin(path))
    rows = []
    for index, time_s, seen in faces.iter():
        chosen = [face for face in seen if face.track in tracks]
        if not chosen:
            counts["no-face"] += 1
            continue
        face = max(chosen, key=lambda one: one.box[2] - one.box[0])
        rows.append((index, time_s - origin_s, free_face(face), _lies_inside(face, faces.size), face.sharpness))
    if not rows:
        return None
    indices, times, frees, inside, sharpness = zip(*rows, strict=True)
    voiced = tuple(voiced_spans(sound)) if sound is not None else ()
    return ClipMouths(
        path=path,
        indices=np.array(indices, dtype=np.int64),
        times_s=np.array(times, dtype=np.float64),
        faces=tuple(frees),
        inside=np.array(inside, dtype=bool),
        sharpness=np.array(sharpness, dtype=np.float32),
        features=hear(recipe, sound, voiced) if sound is not None else None,
        voiced=voiced,
    )


def _lies_inside(face: Face, size: tuple[int, int]) -> bool:
    """Whether jaw and chin, with the margin that is laid over, lie in a picture of (height, width)."""
    edge = lower_face_outline(face.landmarks)
    return bool(edge.min() >= 0 and edge[:, 0].max() <= size[1] - 1 and edge[:, 1].max() <= size[0] - 1)


def examples_of(clips: Sequence[ClipMouths], basis: MouthBasis) -> list[Example]:
    """Pair features with shapes at the features' own times, for clips that have sound.

    Shapes are interpolated linearly between frames; rows without a face on either side are unknown.
    """
    examples = []
    for clip in clips:
        if clip.features is None:
            continue
        times = row_times_s(clip.features.shape[0])
        shapes = resample_track(basis.encode(clip.lips), clip.times_s, times)
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
    """Mean of the speaker's more closed mouths in pauses, or of all footage where it has hardly a pause: (20,).

    Nothing is known of pauses where a clip is not heard.
    """
    lips = np.concatenate([clip.lips for clip in clips])
    quiet = np.concatenate(
        [~in_spans(clip.times_s, clip.voiced, PAUSE_MARGIN_S) & (clip.features is not None) for clip in clips]
    )
    chosen = lips[quiet] if int(quiet.sum()) >= FEWEST_PAUSES else lips
    gaps = aperture_cm(chosen)
    closed = chosen[gaps <= np.percentile(gaps, CLOSED_PERCENTILE)]
    return np.asarray(basis.encode(closed).mean(axis=0), dtype=np.float32)


def speech_s(clips: Sequence[ClipMouths]) -> float:
    """Seconds of speech during which the face is seen: what can be learned from."""
    total = 0.0
    for clip in clips:
        if clip.features is None:
            continue
        times = row_times_s(clip.features.shape[0])
        total += 0.01 * int((in_spans(times, clip.voiced, 0.0) & _known(clip.times_s, times)).sum())
    return total
