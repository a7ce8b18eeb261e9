"""The stage: a new lower face laid into each frame, from the nose base to below the chin, cheek to cheek.

No row of the old jaw stays visible under the mask, or the result follows the old jaw and not the speech; the masks of
the old and of the new mouth are therefore laid together.

The edge is a plain feather. The paper's Laplacian pyramid (`shared.picture.blend.pyramid_blend`, 3 to 5 levels) was
tried on held-out GRID clips and on a 1080p clip in other light: no difference to be seen but a tinge of the background
on the jaw from 5 levels on, 0.5 dB less PSNR along the edge, and two to three times the time of laying over at 1080p.

What is in front of the face stays in front (`lipsync.front`); where the mouth is not seen the new one fades to the
frame as it was filmed (`lipsync.fade`), and the frame is noted.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from lipsync.borne import Borne
from lipsync.cover import cover, uncovered, without_surroundings
from lipsync.detail import Details, softened
from lipsync.ease import Manner
from lipsync.fade import MOST_COVERED, note_of
from lipsync.front import Fronts
from lipsync.inside import Insides, darkened, inside_of, region_of
from lipsync.jaw import moved_landmarks, texture_maps, with_landmarks
from lipsync.light import light_between, relight
from lipsync.mouth import FreeFace, free_face
from lipsync.options import SyncOptions
from lipsync.palette import palette_of
from lipsync.path import Follower
from lipsync.plane import TexturePlane
from lipsync.predict import MouthTrack
from lipsync.retrieve import Candidates
from lipsync.seat import Seats, faces_in
from lipsync.shade import EVERY, shade_between
from lipsync.steer import steered
from lipsync.synthesise import LowerFace, Synthesiser
from lipsync.teeth import Teeth, steady_teeth
from lipsync.textures import skin_mask
from lipsync.tint import Tints, lips_of, tinted
from lipsync.upper import STILL, UpperFaces
from lipsync.voice import open_voice
from lipsync.window import Made, Shown, Window, windows
from shared.face.analyse import ClipFaces
from shared.media.reader import clip_origin
from shared.picture.planes import warp
from shared.picture.warp import piecewise_warp, resize, to_float
from shared.pipe import in_background
from shared.progress import Progress
from shared.types import Edit, Face, Floats, Frame, Patch, Scene, Stage

ROOM: Final = 4
"""Scenes that wait between the thread that makes mouths and the one that finishes them."""
SEEN_EVERY: Final = 4
"""Detail and the colour of lips are measured in every fourth frame."""
LIGHT_PX_PER_CM: Final = 8.0
"""Light is compared on copies no finer than this."""
BLOCK, AHEAD = 8, 8
"""Takes are settled for so many pictures at a time, looking so many ahead."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the stage remembers of each track."""

    fronts: Fronts
    borne: Borne | None
    """None where the voice knows nothing of heads."""
    seats: Seats
    insides: Insides
    details: Details | None
    """None where nothing is asked to be as sharp as it was."""
    tints: Tints
    upper: UpperFaces | None = None
    """None where nobody's expression is followed."""

    def manner(self, track: int) -> Manner:
        """How the new mouth of a track is to be shown, as far as is known."""
        sharper = 0.0 if self.details is None else self.details.sharper(track)
        return Manner(self.insides.share(track), sharper, self.tints.tint(track))


@dataclass(frozen=True, slots=True)
class _Role:
    """One face, the shape that its mouth shall have, and what footage will show it."""

    face: Face
    free: FreeFace
    shape: Floats
    found: Candidates


def open_stage(
    options: SyncOptions,
    clip: ClipFaces,
    device: str,  # noqa: ARG001 - the signature that both engines share
    progress: Progress,
) -> Stage:
    """Open the engine: the voice loads and the speech is heard here, before the first frame.

    Of the analysed clip its origin is needed, with which the speech starts, where each track wears its mouth, and the
    faces that come with the scenes; a net of 60 cells runs on the CPU.

    Raises
    ------
    ArtefactError, WeightsError
        The voice is not one, or damaged.
    MediaError, UsageError, NoFaceError
        As of `lipsync.steer.steered`.
    """
    voice = open_voice(options.voice)
    told, begins_s = steered(voice, options, progress), float(clip_origin(clip.clip))
    track = replace(told.mouth, times_s=told.mouth.times_s + begins_s)
    upper = None
    if told.expression is not None and options.expression > 0.0:
        upper = UpperFaces(told.expression.later(begins_s), clip, options.expression)
    synthesiser = Synthesiser(voice, options)
    palette = palette_of(voice)
    borne = None if voice.bearing is None else Borne(voice.bearing, clip)
    seats = Seats(voice, faces_in(clip), borne)
    details = Details(options.match_colour) if options.sharpen else None
    remembered = Remembered(Fronts(voice, palette), borne, seats, Insides(), details, Tints(), upper)
    return lambda scenes: _stage(scenes, track, synthesiser, remembered, options)


def _stage(
    scenes: Iterator[Scene], track: MouthTrack, synthesiser: Synthesiser, remembered: Remembered, options: SyncOptions
) -> Iterator[tuple[Scene, Edit]]:
    """Mouths are made in one thread and finished in another: each is about half of the work."""
    with in_background(_mouths(scenes, track, synthesiser, remembered), ROOM, "make") as shown:
        for window in windows(shown):
            yield _finish(window, synthesiser.teeth, synthesiser.plane, remembered.upper, options)


def _mouths(
    scenes: Iterator[Scene], track: MouthTrack, synthesiser: Synthesiser, remembered: Remembered
) -> Iterator[Shown]:
    """Each scene with a lower face made for each of its faces."""
    for scene, cast in _cast(scenes, track, synthesiser, remembered.borne):
        yield Shown(scene, [_make(scene, role, synthesiser, remembered) for role in cast])


def _cast(
    scenes: Iterator[Scene], track: MouthTrack, synthesiser: Synthesiser, borne: Borne | None
) -> Iterator[tuple[Scene, list[_Role]]]:
    """Choose the footage frames of each face, a little ahead of what is shown where they are followed through time."""
    waiting: deque[tuple[Scene, list[_Role]]] = deque()
    followers: dict[int, Follower] = {}
    for scene in scenes:
        time_s = float(scene.frame.time_s)
        said = track.at(time_s)
        cast = []
        for face in scene.faces:
            free = free_face(face)
            shape = said if borne is None else said + borne.shift(face.track, scene.clip_index)
            cast.append(_Role(face, free, shape, synthesiser.find(shape, free.pose.angles_deg)))
            follower = followers.get(face.track) or synthesiser.follower()
            if follower is not None:
                followers[face.track] = follower
                follower.add(cast[-1].found, time_s)
        waiting.append((scene, cast))
        if synthesiser.steadiness is None or len(waiting) == BLOCK + AHEAD:
            yield from _settled(waiting, min(BLOCK, len(waiting)), followers)
    yield from _settled(waiting, len(waiting), followers)


def _settled(
    waiting: deque[tuple[Scene, list[_Role]]], count: int, followers: dict[int, Follower]
) -> Iterator[tuple[Scene, list[_Role]]]:
    first = [waiting.popleft() for _ in range(count)]
    shown = Counter(role.face.track for _, cast in first for role in cast)
    takes = {number: iter(followers[number].decide(times)) for number, times in shown.items() if number in followers}
    for number in set(followers) - set(shown) - {role.face.track for _, cast in waiting for role in cast}:
        del followers[number]  # gone from the picture
    for scene, cast in first:
        yield scene, [replace(role, found=next(takes[role.face.track])) for role in cast] if takes else cast


def _make(scene: Scene, role: _Role, synthesiser: Synthesiser, remembered: Remembered) -> Made:
    face, free = role.face, role.free
    lower = remembered.seats.seated(synthesiser.make(role.found, role.shape), face.track)
    plane = TexturePlane(min(LIGHT_PX_PER_CM, synthesiser.plane.px_per_cm))
    front = remembered.fronts.look(scene.frame, face.track, free)
    own = to_float(warp(scene.frame, plane.texture_from_frame(free.pose), plane.size))
    old, new = (skin_mask(plane.to_texture(flat), plane.size) for flat in (free.flat, lower.flat))
    # Under a thing that hides the mouth the points of the jaw are guesses, and so is what would be taken for skin.
    bare = 1.0 - resize(front.mask, plane.size) if front.mouth < MOST_COVERED else np.float32(0.0)
    skin = np.asarray(np.minimum(old, new) * bare, dtype=np.float32)
    texture = resize(lower.texture, plane.size)
    light = light_between(texture, own, skin)
    told = None if scene.frame.index % EVERY else light
    shade = None if told is None else shade_between(texture, own, skin, told)
    inside = inside_of(lower.flat, synthesiser.plane)
    if light is not None and front.mouth < MOST_COVERED:
        own_inside, made_inside = inside_of(free.flat, plane), resize(inside, plane.size)
        remembered.insides.see(face.track, plane, (own, own_inside), (texture, made_inside), light)
        if scene.frame.index % SEEN_EVERY == 0:
            own_lips, made_lips = lips_of(free.flat, own_inside, plane), lips_of(lower.flat, made_inside, plane)
            remembered.tints.see(face.track, plane, (own, own_lips), (texture, made_lips), light)
            if remembered.details is not None:
                remembered.details.see(face.track, scene.frame, free, (lower, synthesiser.plane), light)
    mean = None if light is None else np.asarray(np.tensordot(skin, own, 2) / skin.sum(), dtype=np.float32)
    teeth = None if synthesiser.teeth is None else synthesiser.teeth.see(lower.texture, lower.flat)
    manner = remembered.manner(face.track)
    lips = region_of(lips_of(lower.flat, inside, synthesiser.plane, 0.0))
    return Made(face, free, lower, teeth, front, light, shade, mean, region_of(inside), lips, manner)


def _finish(
    window: Window, teeth: Teeth | None, plane: TexturePlane, upper: UpperFaces | None, options: SyncOptions
) -> tuple[Scene, Edit]:
    scene, made = window.scenes[window.place].scene, window.scenes[window.place].made
    if not made:
        return scene, Edit(notes=("no-face",))
    patches: list[Patch] = []
    faces, notes = [], []
    for one in made:
        shown = window.strength(one.face.track)
        note = note_of(shown)
        notes += [note] if note is not None else []
        moved = STILL if upper is None else upper.moved(scene.frame, one.face, one.free)
        patches += moved.patches
        if shown.strength <= 0.0:
            is_moved = moved.shifts.any()
            faces.append(with_landmarks(one.face, one.face.landmarks + moved.shifts) if is_moved else one.face)
            continue
        light, shade, skin = window.light(one)
        one.shown = window.manner(one)
        lower = replace(one.lower, texture=softened(one.lower.texture, one.opening, one.shown.sharper))
        if teeth is not None:
            steady = steady_teeth(window.teeth(one))
            lower = replace(lower, texture=teeth.lay(lower.texture, steady, lower.teeth_sharpness))
        if light is not None and options.match_colour > 0.0:
            texture = relight(lower.texture, light, options.match_colour, shade)
            texture = darkened(texture, one.opening, one.shown.inside**options.match_colour)
            red, green, blue = (options.match_colour * level for level in one.shown.tint)
            lower = replace(lower, texture=tinted(texture, one.lips, (red, green, blue)))
        landmarks = moved_landmarks(one.face, one.free, lower.points)
        patch = _patch(scene.frame, one, lower, landmarks, plane, skin, options.feather)
        front = window.front(one)
        if front.any():
            patch = replace(patch, mask=uncovered(patch.mask, patch.box, front, one.free.pose))
            notes.append("in-front")
        patches.append(replace(patch, mask=patch.mask * np.float32(shown.strength)))
        faces.append(with_landmarks(one.face, landmarks + moved.shifts))
    return scene, Edit(tuple(patches), tuple(faces), tuple(notes))


def _patch(
    frame: Frame, one: Made, lower: LowerFace, landmarks: Floats, plane: TexturePlane, skin: Floats | None, soft: float
) -> Patch:
    box, mask = cover(frame, one.face.landmarks, landmarks, skin, soft)
    maps = texture_maps(plane, one.free.pose, lower.flat, landmarks, box)
    mask = without_surroundings(mask, lower.texture, maps, landmarks - np.array(box[:2], dtype=np.float32))
    made_in = plane.texture_from_frame(one.free.pose)
    return Patch(box, piecewise_warp(lower.texture, *maps), mask, made_in, one.face.track)
