"""What each clip of the footage serves as: sound, shapes, textures, or several of them.

*Sound*: what is heard and the mouth that says it teach the network. *Shapes*: its mouths tell which mouth shapes there
are, how the mouth rests and how far it opens. *Textures*: its pictures may be laid into a target, found by the mouths
they show. What is given counts; of other clips it is found out. A clip in which nobody is heard serves no sound: a
mouth that moves to nothing would unteach the rest. A clip that is softer than the rest, or lit otherwise, serves no
textures, for as long as `ENOUGH` frames that are neither are left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipsync.index import ClipMouths
from lipsync.options import ROLES, RoleName, RoleRule, Roles, VoiceOptions, listed
from lipsync.survey import View, survey
from shared.errors import NoFaceError, UsageError
from shared.media.reader import probe
from shared.progress import Progress, silent
from shared.types import JsonObject

ENOUGH: Final = 1500
"""Frames with which a pool gives the full number of candidates (`lipsync.retrieve.candidate_count`): a minute at 25 a
second."""
SOFT: Final = 0.9
"""Share of the detail of the others under which a clip is soft."""
OTHER_LIGHT: Final = 0.2
"""Logarithm of the gain, root mean square over the lower face and the colours, from which the light is another. Clips
of one session of a GRID speaker differ by up to 0.08, those of two days by 0.34 to 0.41."""
ALL: Final[Roles] = frozenset(ROLES)
NAMED: Final = 3
"""Clips that serve alike are named, up to so many."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What one clip serves as.

    Attributes
    ----------
    given : whether that was asked for.
    why : what was found that keeps it from the other roles.
    """

    roles: Roles
    given: bool = False
    why: tuple[str, ...] = ()


def given_roles(footage: Sequence[Path], rules: Sequence[RoleRule]) -> dict[Path, Roles]:
    """What is asked of which clips; the last rule that fits a clip counts.

    Raises
    ------
    UsageError
        A rule fits no clip, asks for sound where there is none, or no clip is left for a role.
    """
    given: dict[Path, Roles] = {}
    for rule in rules:
        fitting = [path for path in footage if rule.fits(path)]
        if not fitting:
            raise UsageError(f"--role {rule.pattern}: fits no clip of the footage; give a path or the end of one")
        given |= dict.fromkeys(fitting, rule.roles)
    for path, roles in given.items():
        if "sound" in roles and not probe(path).has_audio:
            raise UsageError(f"{path}: has no sound to serve as; leave sound out of the --role that fits it")
    missing = [role for role in ROLES if all(role not in given.get(path, ALL) for path in footage)]
    if missing:
        raise UsageError(f"--role leaves no clip of the footage for {listed(missing)}; give that role to some")
    return given


def roles_part(footage: Sequence[Path], given: Mapping[Path, Roles]) -> dict[str, list[str]]:
    """What asked-for roles add to a fingerprint of footage: nothing where none are."""
    if not given:
        return {}
    return {"roles": [listed(given[path]) if path in given else "found out" for path in footage]}


def rules_of(given: Mapping[Path, Roles]) -> tuple[RoleRule, ...]:
    """Rules that fit just these clips."""
    return tuple(RoleRule(str(path), roles) for path, roles in given.items())


def decide(
    clips: Sequence[ClipMouths], given: Mapping[Path, Roles], options: VoiceOptions, progress: Progress = silent
) -> list[Serving]:
    """Find out what each clip serves as, but for those of which it is given."""
    asked = [given.get(clip.path) for clip in clips]
    reasons = _against_textures(clips, [roles is None or "textures" in roles for roles in asked], options, progress)
    return [
        Serving(roles, given=True) if roles is not None else _found(clip, reason)
        for clip, roles, reason in zip(clips, asked, reasons, strict=True)
    ]


def _found(clip: ClipMouths, against_textures: str) -> Serving:
    against: dict[RoleName, str] = {}
    if clip.features is None:
        against["sound"] = "no sound"
    elif not clip.voiced:
        against["sound"] = "nobody is heard"
    if against_textures:
        against["textures"] = against_textures
    return Serving(frozenset(ALL - against.keys()), why=tuple(against.values()))


def _against_textures(
    clips: Sequence[ClipMouths], may: Sequence[bool], options: VoiceOptions, progress: Progress
) -> list[str]:
    """For each clip what is found against its pictures, empty where nothing is."""
    reasons = [""] * len(clips)
    numbers = [number for number in range(len(clips)) if may[number]]
    if len(numbers) < 2 or sum(len(clips[number].faces) for number in numbers) <= ENOUGH:
        return reasons
    views = dict(zip(numbers, survey([clips[number] for number in numbers], options, progress), strict=True))
    for number in _lit_otherwise(views):  # first, since the noise of a dark room looks like detail
        reasons[number] = "lit otherwise"
        del views[number]
    for number in _soft(views):
        reasons[number] = "softer than the others"
    return reasons


def _soft(views: Mapping[int, View]) -> list[int]:
    """Clips with less detail than the sharpest that are enough."""
    numbers = sorted(views, key=lambda number: -views[number].detail)
    last = numbers[_enough([views[number].frames for number in numbers])]
    return [number for number in numbers if views[number].frames and views[number].detail < SOFT * views[last].detail]


def _lit_otherwise(views: Mapping[int, View]) -> list[int]:
    """Clips whose light is further from the most usual one than that of the nearest that are enough."""
    numbers = [number for number, view in views.items() if view.frames]
    if not numbers:
        return []
    frames = np.array([views[number].frames for number in numbers])
    lights = np.array([_over_the_face(views[number].light) for number in numbers])
    squares = (lights**2).sum(axis=1)
    apart = np.sqrt(np.maximum(squares[:, np.newaxis] + squares - 2.0 * lights @ lights.T, 0.0))
    from_usual = apart[int((apart @ frames).argmin())]
    order = np.argsort(from_usual, kind="stable")
    limit = max(OTHER_LIGHT, float(from_usual[order[_enough(frames[order])]]))
    return [number for number, distance in zip(numbers, from_usual, strict=True) if distance > limit]


def _over_the_face(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Terms (3, 3) of a light as a place (9,): two places lie as far apart as their gains do, root mean square."""
    spread = np.array([1.0, 1.0 / 3.0, 1.0 / 3.0])[:, np.newaxis]  # of 1, x and y over the face
    return np.asarray((light * np.sqrt(spread / light.shape[1])).reshape(-1), dtype=np.float64)


def _enough(frames: Sequence[int] | NDArray[np.int_]) -> int:
    """The place, of clips in order, with which they are `ENOUGH`, or the last."""
    return min(int(np.searchsorted(np.cumsum(frames), ENOUGH)), len(frames) - 1)


def with_role(role: RoleName, clips: Sequence[ClipMouths], servings: Sequence[Serving]) -> list[ClipMouths]:
    """The clips that serve as something.

    Raises
    ------
    NoFaceError
        There is none.
    """
    chosen = [clip for clip, serving in zip(clips, servings, strict=True) if role in serving.roles]
    if not chosen:
        raise NoFaceError(f"{clips[0].path}: no face in the clips that --role leaves for {role}; give it to others too")
    return chosen


def muted(clips: Sequence[ClipMouths], roles: Sequence[Roles]) -> list[ClipMouths]:
    """All clips, without the sound of those that do not serve as it."""
    return [
        clip if "sound" in serves else replace(clip, features=None, voiced=())
        for clip, serves in zip(clips, roles, strict=True)
    ]


def facts_of(servings: Sequence[Serving], clips: Sequence[ClipMouths]) -> list[JsonObject]:
    """What was decided, for a manifest."""
    return [
        {
            "clip": clip.path.name,
            "roles": [role for role in ROLES if role in serving.roles],
            "given": serving.given,
            "why": list(serving.why),
        }
        for clip, serving in zip(clips, servings, strict=True)
    ]


def lines_of(servings: Sequence[Serving], clips: Sequence[ClipMouths]) -> list[str]:
    """The same in words, one line for all clips that serve alike."""
    groups: dict[Serving, list[str]] = {}
    for serving, clip in zip(servings, clips, strict=True):
        groups.setdefault(serving, []).append(clip.path.name)
    lines = []
    for serving, names in groups.items():
        who = ", ".join(names) if len(names) <= NAMED else f"{names[0]} and {len(names) - 1} others"
        why = ", ".join(serving.why) or "as given" * serving.given
        lines.append(f"{who}: {listed(serving.roles)}{f' ({why})' if why else ''}")
    return lines
