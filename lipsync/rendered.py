"""The second step of an evaluation: held-out clips rendered, and the pictures measured.

Each clip is re-synced to its own sound with the mouths of the learned clips, laid into its own frames and compared
with them before any encoding; the mouth is detected again on the result. The retrieval oracle is rendered from the
true shapes with the last recipe's voice: what its picture side alone loses. Of a clip whose sound comes late, all rows
are put on the clock of its pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from lipsync.composite import open_stage
from lipsync.controls import controls_of
from lipsync.curve import write_curve
from lipsync.gauge import HeldClip
from lipsync.mouth import free_face
from lipsync.options import SyncOptions
from lipsync.picture_figures import Rgb, Shot, add_shot, clip_sums
from lipsync.plane import TexturePlane
from lipsync.predict import MouthTrack, predict_track
from lipsync.synthesise import MOUTH
from lipsync.voice import Voice
from models.tensors import pick_device
from shared.clock import FEATURE_RATE_HZ, resample_track
from shared.face.analyse import AnalyseOptions, PersonChoice, analyse, pick_tracks
from shared.face.detect import FaceFinder, FinderName, make_finder
from shared.media.reader import open_clip
from shared.metrics.picture import largest_difference_outside
from shared.metrics.pooled import Sums
from shared.picture.composite import changed_support, composite
from shared.picture.planes import cut, warp
from shared.picture.warp import box_around, eight_bit, resize
from shared.progress import silent
from shared.store.artefact import cache_folder
from shared.types import Face, Floats, Frame, Scene

POOL_SAMPLE: Final = 2000
"""Mouths of the pool by which the window around all of them is found."""
STRIP: Final = 10
"""Pictures of each clip that the report shows, evenly spread."""
STRIP_PX: Final = 150
LOWER_FACE: Final = (*range(3, 14), *range(31, 36), *range(48, 68))
"""iBUG points that a picture of the strip shows: jaw, base of the nose, lips."""
PICTURE_SIDE: Final[dict[str, dict[str, Any]]] = {"paper": {"pose_weight": 0.0}}
"""How the pictures of a recipe are made where that is not as usual: the paper chooses candidates by shape alone."""
REAL: Final = "real"
ORACLE: Final = "retrieval oracle"


@dataclass(frozen=True, slots=True)
class ClipPictures:
    """One rendered clip.

    Attributes
    ----------
    sums : by the keys of `PICTURES`; empty for the real row.
    lips : (T, 36) float32, detected on the made frames without smoothing; NaN where there are none.
    strip : pictures of the lower face, evenly spread over the clip.
    outside : largest sample difference outside of what was to change.
    """

    sums: dict[str, Sums]
    lips: Floats
    strip: tuple[Rgb, ...]
    outside: int


class Renderer:
    """Renders held-out clips with learned voices and measures them.

    Parameters
    ----------
    voices : by the names of their rows.
    folder : where the curves of mouths go.
    """

    def __init__(self, voices: dict[str, Voice], folder: Path, person: PersonChoice, finder: FinderName) -> None:
        self._voices, self._folder = voices, folder
        self._person, self._finder_name = person, finder
        self._finder: FaceFinder = make_finder(finder)
        self._pool = list(voices.values())[-1]

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the rows, in order."""
        return REAL, ORACLE, *self._voices

    def render(self, row: str, clip: HeldClip) -> ClipPictures:
        """Render one clip as one row says, and measure it."""
        voice = self._voices.get(row, self._pool)
        shots = self._shots(clip, None if row == REAL else self._options(row, voice, clip))
        return _measured(clip, shots, _Window(voice), self._finder, pictures=row != REAL)

    def _options(self, row: str, voice: Voice, clip: HeldClip) -> SyncOptions:
        """What `sync` is told: a curve on the clock of the clip's pictures, beside which its sound may be late."""
        usual = SyncOptions(voice=voice.folder, speech=clip.path)
        if row == ORACLE:
            shapes, heard_s = voice.basis.encode(clip.lips), clip.times_s
            if voice.bearing is not None and clip.upper is not None:  # the stage bears them as the head does
                shapes = shapes - voice.bearing.shifts(clip.upper)
        else:
            made = predict_track(voice, clip.sound, usual)
            shapes, heard_s = made.shapes, made.times_s
        seen_s = heard_s - clip.late_s
        times_s = np.arange(max(int(float(seen_s[-1]) * FEATURE_RATE_HZ), 0) + 1) / FEATURE_RATE_HZ
        track = MouthTrack(times_s, resample_track(shapes, seen_s, times_s), np.zeros(len(times_s), dtype=np.float32))
        self._folder.mkdir(parents=True, exist_ok=True)
        place = self._folder / f"{clip.path.stem}.csv"
        write_curve(place, track, controls_of(voice), voice.basis, force=True)
        return replace(usual, speech=None, mouth=place, **PICTURE_SIDE.get(row, {}))

    def _shots(self, clip: HeldClip, options: SyncOptions | None) -> Iterator[Shot]:
        device = "cpu" if self._finder_name == "mesh" else str(pick_device("auto"))
        with (
            analyse(clip.path, cache_folder(), AnalyseOptions(finder=self._finder_name, device=device)) as faces,
            open_clip(clip.path) as reader,
        ):
            tracks = pick_tracks(faces, self._person, clip.sound)

            def scenes() -> Iterator[Scene]:
                for frame in reader.frames():
                    if frame.index < clip.indices[0]:
                        continue
                    yield faces.scene(frame, tracks)

            if options is None:
                yield from (Shot(one.frame, one.frame, one.faces[0], ()) for one in scenes() if one.faces)
                return
            for scene, edit in open_stage(options, faces, "cpu", silent)(scenes()):
                if scene.faces and edit.patches:
                    yield Shot(scene.frame, composite(scene.frame, edit.patches), scene.faces[0], edit.patches)


class _Window:
    """The part of the textures' plane that any mouth of the pool lies in: pictures of one size, without pose."""

    def __init__(self, voice: Voice) -> None:
        self._plane: TexturePlane = voice.plane
        some = voice.pool.flat[:: max(1, len(voice.pool.flat) // POOL_SAMPLE), MOUTH]
        low, high = (np.quantile(some, share, axis=(0, 1)) for share in (0.001, 0.999))
        x0, y0, x1, y1 = box_around(voice.plane.to_texture(np.array([low, high], dtype=np.float32)), 1.2)
        height, width = voice.plane.size
        self._rows, self._columns = slice(max(y0, 0), min(y1, height)), slice(max(x0, 0), min(x1, width))

    def of(self, frame: Frame, face: Face) -> Rgb:
        """The mouth of a frame under the pose of its real face."""
        whole = warp(frame, self._plane.texture_from_frame(free_face(face).pose), self._plane.size)
        return np.ascontiguousarray(eight_bit(whole)[self._rows, self._columns])


def _measured(
    clip: HeldClip, shots: Iterator[Shot], window: _Window, finder: FaceFinder, pictures: bool
) -> ClipPictures:
    lists: dict[str, list[float]] = {}
    views: tuple[list[Rgb], list[Rgb]] = ([], [])
    found: dict[int, Floats] = {}
    wanted = {int(clip.indices[row]) for row in np.linspace(0, len(clip.indices) - 1, STRIP).round().astype(int)}
    strip: list[Rgb] = []
    outside = 0
    for shot in shots:
        (again,) = finder.follow(shot.made, [shot.face])
        if again is not None:
            found[shot.real.index] = free_face(again).lips
        if shot.real.index in wanted:
            strip.append(_strip_picture(shot))
        if not pictures:
            continue
        for side, frame in zip(views, (shot.made, shot.real), strict=True):
            side.append(window.of(frame, shot.face))
        add_shot(lists, shot)
        changed = changed_support(shot.real, shot.patches)
        outside = max(outside, largest_difference_outside(shot.made.planes, shot.real.planes, changed))
    nowhere = np.full(clip.lips.shape[1], np.nan, dtype=np.float32)
    lips = np.array([found.get(int(number), nowhere) for number in clip.indices], dtype=np.float32)
    return ClipPictures(clip_sums(lists, *views) if pictures else {}, lips, tuple(strip), outside)


def _strip_picture(shot: Shot) -> Rgb:
    x0, y0, x1, y1 = box_around(shot.face.landmarks[list(LOWER_FACE)], 1.1)
    side = max(x1 - x0, y1 - y0)
    middle_x, middle_y = (x0 + x1) // 2, (y0 + y1) // 2
    box = (middle_x - side // 2, middle_y - side // 2, middle_x - side // 2 + side, middle_y - side // 2 + side)
    return np.asarray(resize(eight_bit(cut(shot.made, box)), (STRIP_PX, STRIP_PX)), dtype=np.uint8)
