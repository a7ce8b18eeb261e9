"""What can be told to be wrong before the long work: all that is cheap to ask."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from shared.errors import MediaError, NoSpaceError
from shared.media.encoder import choose_encoder
from shared.media.length import CUT_S, sound_length_s
from shared.media.options import EncodeOptions
from shared.media.reader import probe
from shared.media.sequence import is_sequence, place_of
from shared.provenance.credentials import EMBEDDED
from shared.render.job import Engine, RenderJob
from shared.render.stage import ARTEFACTS, load
from shared.store.artefact import open_artefact
from shared.types import ClipInfo

PICK_DEVICE = "models.tensors:pick_device"
PREDICTIVE: Final = ("h264", "hevc", "vp8", "vp9", "av1", "mpeg1video", "mpeg2video", "mpeg4", "vc1", "wmv3", "flv1")
"""Codecs of clips as they are handed round; what others hold (MJPEG, ProRes, raw) may shrink to a tenth."""
USUAL_CRF: Final = 18.0
"""Up to this the output is taken to be as large as the clip, and half as large for each 6 above: of 21 real clips it
had 0.7 to 4.8 times their bytes at crf 16, 0.34 to 2.3 at 23, 0.05 to 1.8 at 35, and 5 to 74 times without loss."""
LOSSLESS_SHARE: Final = 5.0
PNG_SHARE: Final = 0.5
"""Size of a PNG of real footage as a share of its samples: 0.3 to 0.6."""
SPACE_MARGIN: Final = 4.0
"""A render is refused where not even the estimate divided by this is free: none that would fit must be."""


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
    NoSpaceError
        The output surely finds no room.
    """
    load(PICK_DEVICE)(job.device)
    for request in job.stages:
        check_artefact(request.engine, getattr(request.options, ARTEFACTS[request.engine][0]))
    info = probe(job.clip)
    if not is_sequence(job.output):
        choose_encoder(job.output, info, job.encode)
    check_space(job.output, info, job.encode, _least_times(job, info))
    cut = [] if job.speech is None else cut_speech(job.speech, info)
    return [] if job.may_be_retimed else cut


def _least_times(job: RenderJob, like: ClipInfo) -> float:
    """How many times as many frames as the clip the output has at least, as far as that is known yet."""
    spoken_s = sound_length_s(job.speech) if job.speech is not None and job.may_be_retimed else 0.0
    return min(1.0, spoken_s / like.duration_s) if spoken_s and like.duration_s else 1.0


def cut_speech(speech: Path, like: ClipInfo) -> list[str]:
    """What to say where a speech is longer than the clip it is laid over as it is; errors as of `check_soon`."""
    spoken_s, shown_s = sound_length_s(speech), like.duration_s
    if shown_s and spoken_s > shown_s + CUT_S:
        return [f"the speech lasts {spoken_s:.1f} s, the clip {shown_s:.1f} s: it is cut where the clip ends"]
    return []


def check_artefact(engine: Engine, path: Path | None) -> None:
    """Refuse a model or voice that is none; a file two folders down in one, such as a snapshot, stands for it.

    Raises
    ------
    ArtefactError
        As of `shared.store.artefact.open_artefact`.
    """
    if path is not None:
        _, module = ARTEFACTS[engine]
        open_artefact(path.parent.parent if path.is_file() else path, load(f"{module}:KIND"), load(f"{module}:SCHEMA"))


def check_space(output: Path, like: ClipInfo, encode: EncodeOptions, times: float = 1.0) -> None:
    """Refuse a render for which there is clearly no room beside the output, where clip and signed copy grow.

    Parameters
    ----------
    times : how many times as many frames as the clip it has.

    Raises
    ------
    NoSpaceError
        Saying what is needed and what is free.
    """
    needed = times * bytes_needed(output, like, encode)
    free = shutil.disk_usage(place_of(output).absolute().parent).free
    if free < needed / SPACE_MARGIN:
        raise NoSpaceError(
            f"{output}: needs about {needed / 1e6:.0f} MB while it is made, {free / 1e6:.0f} MB are free there; "
            "free some space or choose another disk"
        )


def bytes_needed(output: Path, like: ClipInfo, encode: EncodeOptions) -> float:
    """Bytes that a render of a clip takes at its peak, layers apart, estimated from its bit rate, size and length."""
    if is_sequence(output):
        height, width = like.size
        return PNG_SHARE * like.frame_count * height * width * 3 * (1 if like.pixels.depth == 8 else 2)
    size = float(like.path.stat().st_size)
    if like.bit_rate and like.duration_s:
        size = min(size, like.bit_rate * like.duration_s / 8)
    if like.codec not in PREDICTIVE:
        size /= 10
    share = LOSSLESS_SHARE if encode.lossless else min(1.0, 2.0 ** ((USUAL_CRF - encode.crf) / 6))
    copies = 2 if output.suffix.lower() in EMBEDDED else 1  # what cannot hold a signature is not copied to sign it
    return copies * share * size


def check_heard(clip: Path) -> None:
    """Refuse to follow the sound of a clip that has none."""
    try:
        sound_length_s(clip)
    except MediaError as error:
        raise MediaError(f"{error}, by --speech") from error
