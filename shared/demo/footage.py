"""The demo's footage: both actors speaking, the clip to be changed, and what it should become."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np

from shared.clock import frame_at, time_of_frame, time_of_sample
from shared.demo.actor import Actor, ActorOptions
from shared.demo.cast import FIRST, FIRST_VOICE, SECOND, SECOND_VOICE, SIZE, Cast
from shared.demo.film import RATE, film
from shared.demo.script import Script, Speech
from shared.demo.visemes import MouthCurve, mouth_curve
from shared.demo.words import FIRST_SPEECH, NEW_SPEECH, SECOND_SPEECH, TARGET_SPEECH
from shared.face.landmarks import canonical_face
from shared.media.sound import write_wav
from shared.progress import Progress, silent
from shared.store.artefact import Fingerprint, fingerprint

KIND: Final = "demo-footage"
SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class Footage:
    """The filmed clips, each with its truth beside it."""

    first: Path
    """The first actor, to learn his mouth and his face from."""
    second: Path
    """The second actor, to learn her face from."""
    target: Path
    """The first actor saying something that nothing learns from: the clip to be changed."""
    wanted: Path
    """The first actor in the same pose, saying the new speech: how the re-synced clip should look."""
    speech: Path
    """Sound of the new speech."""


def footage_in(folder: Path) -> Footage:
    """The names of the clips in a footage folder."""
    names = {field.name: folder / f"{field.name}.mp4" for field in fields(Footage)}
    return Footage(**(names | {"speech": folder / "wanted.wav"}))


def footage_fingerprint(seed: int) -> Fingerprint:
    """Everything that decides what the footage looks like."""
    return fingerprint(
        recipes=(FIRST, SECOND),
        voices=(FIRST_VOICE, SECOND_VOICE),
        texts=(*FIRST_SPEECH, *SECOND_SPEECH, TARGET_SPEECH, NEW_SPEECH),
        size=SIZE,
        seed=seed,
        schema=SCHEMA,
    )


def film_all(cast: Cast, script: Script, folder: Path, seed: int, progress: Progress = silent) -> Footage:
    """Film everything into a folder.

    Raises
    ------
    MediaError, NoSpaceError : it cannot be written.
    """
    footage = footage_in(folder)
    canonical = canonical_face()
    first = Actor(cast.first, canonical, ActorOptions(SIZE))
    second = Actor(cast.second, canonical, ActorOptions(SIZE))
    for path, actor, speech, number in (
        (footage.first, first, script.first, 1),
        (footage.second, second, script.second, 2),
        (footage.target, first, script.target, 3),
    ):
        write_wav(path.with_suffix(".wav"), speech.sound)
        curve = curve_of(speech)
        frames = actor.perform(curve, seed * 10 + number)
        film(path, actor.size, frames, curve.opening_cm.astype(np.float32), progress)
    write_wav(footage.speech, script.new.sound)
    spoken = curve_of(script.target)
    curve = mouth_curve(script.new.phones, spoken.times_s)
    frames = first.perform_motion(curve, first.motion(spoken, seed * 10 + 3), seed * 10 + 3)
    film(footage.wanted, first.size, frames, curve.opening_cm.astype(np.float32), progress)
    return footage


def curve_of(speech: Speech) -> MouthCurve:
    """The mouth at each frame of a clip of this speech."""
    count = frame_at(time_of_sample(speech.sound.samples.size, speech.sound.rate_hz), RATE)
    return mouth_curve(speech.phones, np.array([float(time_of_frame(index, RATE)) for index in range(count)]))
