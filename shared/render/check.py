"""What can be told to be wrong before the long work: all that is cheap to ask."""

from __future__ import annotations

from pathlib import Path

from shared.errors import MediaError
from shared.media.encoder import choose_encoder
from shared.media.length import sound_length_s
from shared.media.reader import probe
from shared.render.job import Engine, RenderJob
from shared.render.stage import ARTEFACTS, load
from shared.store.artefact import open_artefact

PICK_DEVICE = "models.tensors:pick_device"
CUT_S = 0.2
"""Speech that lasts this much longer than its clip is cut audibly; encoders pad less."""


def check_soon(job: RenderJob) -> list[str]:
    """Refuse what the render would find out late, and return what the user should know before it.

    Raises
    ------
    UsageError
        There is no such device here.
    ArtefactError
        A model or voice is none, or of another version.
    MediaError
        The speech has no sound, or the container cannot hold the clip as it is asked to.
    """
    load(PICK_DEVICE)(job.device)
    for request in job.stages:
        check_artefact(request.engine, getattr(request.options, ARTEFACTS[request.engine][0]))
    info = probe(job.clip)
    choose_encoder(job.output, info, job.encode)
    if job.speech is None:
        return []
    spoken_s, shown_s = sound_length_s(job.speech), info.duration_s
    if shown_s and spoken_s > shown_s + CUT_S:
        return [f"the speech lasts {spoken_s:.1f} s, the clip {shown_s:.1f} s: it is cut where the clip ends"]
    return []


def check_artefact(engine: Engine, path: Path | None) -> None:
    """Refuse a model or voice that is none.

    Raises
    ------
    ArtefactError
        As of `shared.store.artefact.open_artefact`.
    """
    if path is not None:
        _, module = ARTEFACTS[engine]
        open_artefact(path, load(f"{module}:KIND"), load(f"{module}:SCHEMA"))


def check_heard(clip: Path) -> None:
    """Refuse to follow the sound of a clip that has none."""
    try:
        sound_length_s(clip)
    except MediaError as error:
        raise MediaError(f"{error}, by --speech") from error
