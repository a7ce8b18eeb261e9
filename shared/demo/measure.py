"""How near the rendered clip comes to what was drawn: mouth, identity, and what should not have changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.demo.film import RATE, truth_of
from shared.demo.footage import Footage
from shared.demo.script import Speech
from shared.demo.visemes import CLOSURES
from shared.face.analyse import analyse
from shared.face.identity import cosine
from shared.face.landmarks import OVAL, canonical_face, landmarks_from_mesh
from shared.face.pose import fit_pose
from shared.media.reader import open_clip
from shared.metrics.mouth import aperture, centred_lmd, closure_rate, gap_share, lmd, open_rate
from shared.metrics.picture import psnr, sharpness_ratio
from shared.metrics.track import added_lag_s
from shared.picture.planes import cut
from shared.picture.warp import box_around
from shared.progress import Progress, silent
from shared.store.artefact import cache_folder
from shared.types import Face, Floats, Frame, IntBox, JsonObject

LIP_POINTS: Final = tuple(point for point in range(48, 68) if point not in (60, 64))
"""The paper's 18 points."""
FACE_PX: Final = 512.0
"""Height of the canonical face's oval to which mouth distances are scaled."""
NAN: Final = float("nan")
EVERY: Final = 5
"""Each n-th frame is compared by its pixels."""
OUTSIDE_GROW: Final = 1.5
"""The face's box, multiplied by this, counts as inside."""


@dataclass(frozen=True, slots=True)
class Row:
    """One clip's figures; NaN where one does not apply."""

    clip: str
    frames: int
    with_face: int
    aperture_r: float
    """Pearson correlation of the detected inner-lip gap with the drawn opening of the new speech."""
    aperture_std_ratio: float
    """Standard deviation of the gap over that of the wanted clip, both detected."""
    lag_ms: float
    """By which the mouth comes after the drawn one."""
    m_lmd_px: float
    """Distance of 18 lip points to the wanted clip's, both detected, pose-free, face 512 px high."""
    m_lmd_centred_px: float
    closures: int
    """Of p, b, m, counted for `closure_share`."""
    closure_share: float
    """Closures of p, b, m within which the gap falls to 1.25% of the face's width."""
    open_in_pauses_share: float
    """Frames of the speech's pauses with a gap of more than 3% of the face's width."""
    cosine_first: float
    """SFace cosine to the first actor's footage."""
    cosine_second: float
    mouth_sharpness_ratio: float
    """Variance of the Laplacian around the mouth, over the wanted clip's."""
    psnr_outside_db: float
    """Luma against the target, outside the face's box; the encoder's own loss where nothing was changed."""


def measure(clips: dict[str, Path], footage: Footage, speech: Speech, progress: Progress = silent) -> list[Row]:
    """The figures of several clips of the target's length, among them the wanted one for a ceiling.

    Raises
    ------
    NoFaceError, MediaError : a clip cannot be read or analysed.
    """
    wanted = _Seen(footage.wanted, progress)
    first, second = (_Seen(path, progress) for path in (footage.first, footage.second))
    target = _Seen(footage.target, progress)
    opening = truth_of(footage.wanted).opening_cm
    rows = []
    for name, path in clips.items():
        seen = _Seen(path, progress)
        both = seen.known & wanted.known
        somewhere = bool(both.any())
        closed = closure_rate(seen.gaps, seen.times_s, speech.times_of(*CLOSURES))
        rows.append(
            Row(
                clip=name,
                frames=len(seen.known),
                with_face=int(seen.known.sum()),
                aperture_r=aperture(seen.gaps, opening).correlation,
                aperture_std_ratio=aperture(seen.gaps, wanted.gaps).std_ratio,
                lag_ms=_lag_ms(opening, seen.gaps),
                m_lmd_px=lmd(seen.lips[both], wanted.lips[both]) if somewhere else NAN,
                m_lmd_centred_px=centred_lmd(seen.lips[both], wanted.lips[both]) if somewhere else NAN,
                closures=closed.count,
                closure_share=closed.share,
                open_in_pauses_share=open_rate(seen.gaps, _in_pauses(seen.times_s, speech)).share,
                cosine_first=_likeness(seen, first),
                cosine_second=_likeness(seen, second),
                mouth_sharpness_ratio=_mean(_pairs(path, footage.wanted, wanted, _mouth_sharpness)),
                psnr_outside_db=_mean(_pairs(path, footage.target, target, _outside_psnr)),
            )
        )
    return rows


def as_json(rows: list[Row]) -> list[JsonObject]:
    """The rows with rounded figures; NaN and infinity become None."""
    return [
        {
            key: (round(value, 4) if np.isfinite(value) else None) if isinstance(value, float) else value
            for key, value in asdict(row).items()
        }
        for row in rows
    ]


class _Seen:
    """What the finder sees of the one person in a clip; the analysis itself is closed again."""

    def __init__(self, path: Path, progress: Progress) -> None:
        times, marks, lips, known = [], [], [], []
        with analyse(path, cache_folder(), progress=progress) as clip:
            for _, time_s, faces in clip.iter():
                face = faces[0] if faces else None
                times.append(time_s)
                known.append(face is not None)
                marks.append(face.landmarks if face is not None else np.full((68, 2), np.nan, np.float32))
                lips.append(_lips_of(face))
            longest = max(clip.tracks, key=lambda track: track.frames, default=None)
        self.times_s: Floats = np.array(times, dtype=np.float32)
        self.known = np.array(known, dtype=bool)
        self.landmarks: Floats = np.stack(marks)
        self.lips: Floats = np.stack(lips)
        self.gaps: Floats = np.full(len(times), np.nan, dtype=np.float32)
        """NaN where there is no face."""
        if self.known.any():
            self.gaps[self.known] = gap_share(self.landmarks[self.known])
        self.embedding: Floats | None = longest.embedding if longest is not None else None

    def landmarks_at(self, index: int) -> Floats | None:
        """(68, 2) of one frame, None where it shows no face."""
        return self.landmarks[index] if index < len(self.known) and self.known[index] else None


def _lips_of(face: Face | None) -> Floats:
    """(18, 2) lip points without pose, the face `FACE_PX` high; NaN where there is none or it has no mesh."""
    if face is None or face.mesh is None:
        return np.full((len(LIP_POINTS), 2), np.nan, np.float32)
    canonical = canonical_face().vertices
    scale = FACE_PX / float(np.ptp(canonical[list(OVAL), 1]))
    flat = landmarks_from_mesh(fit_pose(face.mesh, canonical).to_face(face.mesh))
    return np.asarray(flat[list(LIP_POINTS)] * np.float32(scale), dtype=np.float32)


def _lag_ms(opening: Floats, gaps: Floats) -> float:
    """By which the gap comes after the drawn opening; NaN where too little of it was seen."""
    known = np.isfinite(gaps)
    if known.mean() < 0.8:
        return NAN
    places = np.arange(len(gaps))
    filled = np.interp(places, places[known], gaps[known]).astype(np.float32)
    return 1000.0 * added_lag_s(opening, filled, float(RATE))


def _likeness(one: _Seen, other: _Seen) -> float:
    if one.embedding is None or other.embedding is None:
        return NAN
    return cosine(one.embedding, other.embedding)


def _in_pauses(times_s: Floats, speech: Speech) -> NDArray[np.bool_]:
    """Frames at least 0.1 s away from any phone."""
    quiet = np.ones(len(times_s), dtype=bool)
    for phone in speech.phones:
        if phone.name != "SIL":
            quiet &= (times_s < phone.start_s - 0.1) | (times_s > phone.end_s + 0.1)
    return quiet


def _pairs(path: Path, other: Path, seen: _Seen, figure: Callable[[Frame, Frame, Floats], float]) -> Iterator[float]:
    with open_clip(path) as one, open_clip(other) as two:
        for made, real in islice(zip(one.frames(), two.frames(), strict=False), 0, None, EVERY):
            landmarks = seen.landmarks_at(real.index)
            if landmarks is not None:
                yield figure(made, real, landmarks)


def _mouth_sharpness(made: Frame, real: Frame, landmarks: Floats) -> float:
    box = box_around(landmarks[48:68], 1.2)
    return sharpness_ratio(cut(made, box), cut(real, box))


def _outside_psnr(made: Frame, real: Frame, landmarks: Floats) -> float:
    mask = np.ones(real.planes[0].shape, dtype=np.float32)
    x0, y0, x1, y1 = _within(box_around(landmarks, OUTSIDE_GROW), real.size)
    mask[y0:y1, x0:x1] = 0.0
    return psnr(_luma(made), _luma(real), mask)


def _luma(frame: Frame) -> NDArray[np.uint8]:
    return np.repeat(frame.planes[0].astype(np.uint8)[..., np.newaxis], 3, axis=2)


def _within(box: IntBox, size: tuple[int, int]) -> IntBox:
    return max(0, box[0]), max(0, box[1]), min(size[1], box[2]), min(size[0], box[3])


def _mean(values: Iterator[float]) -> float:
    usable = [value for value in values if np.isfinite(value)]
    return float(np.mean(usable)) if usable else float("nan")
