"""What stands beside a recipe in the table: predictors that any recipe must beat, and rows that none can.

A predictor maps a sound to mouths, which a voice lays where the clip's head bears its own (`lipsync.bearing`). *Mean
mouth* always answers the mean; *ridge* is a linear map of +-240 ms of cepstra. The *retrieval oracle* takes the true
shapes and answers with the mouths of the pool that `sync` would blend: the limit of the footage. *Detected again* is
the real clip itself under a finder whose crops are jittered: the noise of the measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lipsync.gauge import HeldClip
from lipsync.index import ClipMouths
from lipsync.mouth import free_face
from lipsync.options import SyncOptions
from lipsync.predict import predict_track
from lipsync.retrieve import RetrieveOptions, Retriever
from lipsync.voice import Voice, lips_of
from shared.clock import resample_track
from shared.face.analyse import ClipFaces, PersonChoice, pick_tracks
from shared.face.detect import Detection, FaceFinder, FinderName, find_all, make_finder
from shared.face.fill import fill
from shared.face.track import TrackOptions
from shared.media.sound import load_sound
from shared.metrics.lag import LagModel, SpeakingClip, fit_lag, predict_mouth
from shared.progress import Progress
from shared.store.artefact import artefact, fingerprint, is_current
from shared.store.faces import FILE_NAME, SCHEMA
from shared.types import Face, Floats, Frame, Sound

Predictor: TypeAlias = Callable[[Sound, NDArray[np.float64], Floats | None], Floats]
"""16 kHz sound, (T,) times and (T, 38) slow upper faces, or None, to lips (T, 36) float32, canonical centimetres."""
RIDGE_FRAMES: Final = 40_000
"""Frames that the regression is fitted on, of clips spread evenly (27 minutes at 25 a second)."""
SHIFT, ZOOM, TURN_DEG = 0.04, 0.04, 3.0
"""Jitter of a crop: shift in shares of the face, change of size, turn; uniform up to these, either way."""
AGAIN: Final = "faces-again"


def mean_mouth(clips: Sequence[ClipMouths]) -> Predictor:
    """The predictor that always answers the mean of the footage."""
    mean = np.concatenate([clip.lips for clip in clips]).mean(axis=0).astype(np.float32)
    return lambda _, times_s, __: np.repeat(mean[np.newaxis], len(times_s), axis=0)


def ridge_model(clips: Sequence[ClipMouths]) -> LagModel:
    """The regression from sound to lips on learned clips; it also tells the lag of every row."""
    heard = [clip for clip in clips if clip.features is not None]
    step = max(1, -(-sum(len(clip.times_s) for clip in heard) // RIDGE_FRAMES))
    chosen = heard[::step]
    return fit_lag([SpeakingClip(load_sound(clip.path), clip.lips, clip.times_s) for clip in chosen])


def ridge(model: LagModel) -> Predictor:
    """The regression as a predictor."""
    return lambda sound, times_s, _: predict_mouth(model, sound, times_s)


def by_voice(voice: Voice, bare: bool = False) -> Predictor:
    """A voice as `sync` uses it, or (`bare`) its network alone: no rest, no closing, no smoothing, no head."""
    options = SyncOptions(voice=voice.folder, speech=voice.folder)
    if bare:
        options = replace(options, rest=False, close=False, smooth_ms=0.0)

    def predict(sound: Sound, times_s: NDArray[np.float64], upper: Floats | None = None) -> Floats:
        track = predict_track(voice, sound, options)
        shapes = resample_track(track.shapes, track.times_s, times_s)
        if voice.bearing is not None and upper is not None and not bare:
            shapes = shapes + voice.bearing.shifts(upper)
        return voice.basis.lips(shapes)

    return predict


def retrieved(voice: Voice, clip: HeldClip) -> Floats:
    """Lips (T, 36) that the pool's weighted candidates give for the clip's true shapes."""
    pool, retriever = lips_of(voice.pool.points), Retriever(voice.shapes, RetrieveOptions())
    found = [retriever.find(shape) for shape in voice.basis.encode(clip.lips)]
    return np.array([one.weights @ pool[one.indices] for one in found], dtype=np.float32)


def detected_again(
    clip: HeldClip, folder: Path, person: PersonChoice, finder: FinderName, seed: int, progress: Progress
) -> Floats:
    """Lips (T, 36) of the clip's own frames, found anew with jittered crops; NaN where they are not found.

    The whole analysis runs again (`shared.face.fill`): tracking and smoothing are those of the first.
    """
    wanted = fingerprint(clip=clip.path, finder=finder, seed=seed, jitter=[SHIFT, ZOOM, TURN_DEG], schema=SCHEMA)
    place = folder / f"{clip.path.stem[:40]}-{wanted[:16]}"
    if not is_current(place, AGAIN, wanted, SCHEMA):
        with artefact(place, AGAIN, SCHEMA, wanted, force=True) as partial:
            fill(clip.path, partial / FILE_NAME, Jittered(make_finder(finder), seed), TrackOptions(), progress)
    found = {}
    with ClipFaces(place, clip.path) as faces:
        tracks = pick_tracks(faces, person, clip.sound) if faces.tracks else frozenset()
        for number, _, seen in faces.iter():
            chosen = [face for face in seen if face.track in tracks]
            if chosen:
                found[number] = free_face(max(chosen, key=lambda one: one.box[2] - one.box[0])).lips
    nowhere = np.full(clip.lips.shape[1], np.nan, dtype=np.float32)
    return np.array([found.get(int(number), nowhere) for number in clip.indices], dtype=np.float32)


class Jittered:
    """A finder whose looks begin from a place a little beside the right one.

    Parameters
    ----------
    finder : does the work.
    seed : of the jitter.
    """

    def __init__(self, finder: FaceFinder, seed: int) -> None:
        self._finder, self._random = finder, np.random.default_rng(seed)

    @property
    def turns(self) -> int:
        """The finder's own."""
        return self._finder.turns

    @turns.setter
    def turns(self, turns: int) -> None:
        self._finder.turns = turns

    def detect(self, frame: Frame, thorough: bool = False) -> tuple[Detection, ...]:
        """Where faces may be, as the finder says."""
        return self._finder.detect(frame, thorough)

    def look(self, frame: Frame, detection: Detection) -> Face | None:
        """The face at a detection whose box is moved; its points, with which the face must agree, stay."""
        corners = np.array(detection.box, dtype=np.float32).reshape(2, 2)
        (x0, y0), (x1, y1) = self._moved(corners, turn=False)
        return self._finder.look(frame, replace(detection, box=(float(x0), float(y0), float(x1), float(y1))))

    def find(self, frame: Frame) -> tuple[Face, ...]:
        """All faces of a frame, each looked for beside its place."""
        return find_all(self, frame)

    def follow(self, frame: Frame, faces: Sequence[Face]) -> tuple[Face | None, ...]:
        """Each face found again from a place beside it."""
        return self._finder.follow(frame, [self._beside(face) for face in faces])

    def _beside(self, face: Face) -> Face:
        if face.mesh is None:
            return replace(face, landmarks=self._moved(face.landmarks))
        mesh = np.concatenate([self._moved(face.mesh[:, :2]), face.mesh[:, 2:]], axis=1)
        return replace(face, mesh=np.asarray(mesh, dtype=np.float32))

    def _moved(self, points: Floats, turn: bool = True) -> Floats:
        low, high = points.min(axis=0), points.max(axis=0)
        centre, size = (low + high) / 2, float((high - low).max())
        shift = self._random.uniform(-SHIFT, SHIFT, 2) * size
        zoom = 1.0 + self._random.uniform(-ZOOM, ZOOM)
        angle = np.radians(self._random.uniform(-TURN_DEG, TURN_DEG)) if turn else 0.0
        rotation = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return np.asarray((points - centre) @ rotation.T + centre + shift, dtype=np.float32)
