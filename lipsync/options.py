"""What can be chosen when a voice is learned and when a clip is re-synced; light, so that the commands can show it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from shared.errors import UsageError

if TYPE_CHECKING:
    from shared.face.detect import FinderName
    from shared.render.job import PersonChoice

RecipeName: TypeAlias = Literal["default", "paper"]
OffsetChoice: TypeAlias = Literal["auto", "off"] | float
RoleName: TypeAlias = Literal["sound", "shapes", "textures"]
Roles: TypeAlias = frozenset[RoleName]
LARGEST_OFFSET_MS = 10_000.0
ROLES: Final[tuple[RoleName, ...]] = get_args(RoleName)
"""What a clip can serve as: its sound and mouth teach the network; its mouths tell which shapes there are; its pictures
may be laid into a target."""


def parse_offset(text: str) -> OffsetChoice:
    """Read ``--offset``.

    Raises
    ------
    UsageError
        It is no word and no number of milliseconds up to `LARGEST_OFFSET_MS`.
    """
    if text == "auto":
        return "auto"
    if text == "off":
        return "off"
    try:
        late_ms = float(text)
    except ValueError:
        late_ms = math.nan
    if not abs(late_ms) <= LARGEST_OFFSET_MS:
        raise UsageError(
            f"--offset {text}: say auto, off, or milliseconds between -{LARGEST_OFFSET_MS:g} and {LARGEST_OFFSET_MS:g}"
        )
    return late_ms


@dataclass(frozen=True, slots=True)
class RoleRule:
    """What some clips serve as, whatever is found of them."""

    pattern: str
    """A path or the end of one, with ``*`` and ``?`` as in file names: ``b-roll/*``."""
    roles: Roles
    """At least one."""

    def fits(self, path: Path) -> bool:
        """Whether a clip is one of these."""
        return str(path) == self.pattern or path.match(self.pattern)


def parse_role(text: str) -> RoleRule:
    """Read ``--role``.

    Raises
    ------
    UsageError
        It is not a pattern, ``=``, and some of `ROLES` with commas between them.
    """
    pattern, equals, names = text.rpartition("=")
    wanted = [name.strip() for name in names.split(",")]
    if not equals or not Path(pattern).name:
        raise UsageError(f"--role {text}: say PATTERN=ROLES, as in --role 'b-roll/*=shapes,textures'")
    if unknown := [name for name in wanted if name not in ROLES]:
        raise UsageError(f"--role {text}: unknown role '{unknown[0]}'; give some of {', '.join(ROLES)}")
    return RoleRule(pattern, frozenset(role for role in ROLES if role in wanted))


def listed(roles: Iterable[RoleName]) -> str:
    """Roles in words, in their own order."""
    wanted = set(roles)
    *most, last = [role for role in ROLES if role in wanted]
    return f"{', '.join(most)} and {last}" if most else last


@dataclass(frozen=True, slots=True)
class VoiceOptions:
    """How a voice is learned."""

    person: PersonChoice = "largest"
    """Whose mouth."""
    finder: FinderName = "mesh"
    """Who finds the faces: ``mesh``, or ``fan``, the face-alignment package."""
    recipe: RecipeName = "default"
    """Which network learns the mouth from the sound: ``paper`` is that of Synthesizing Obama, constant by constant."""
    phones: bool = True
    """Whether the default network hears phones too, by a public model of many voices that is fetched on first use."""
    live: bool = False
    """Whether the default network is one that can follow a stream; the paper's can in any case."""
    updates: int | None = None
    """Optimiser steps of the network, >= 1; None for the recipe's own. The best validation checkpoint is kept."""
    offset: OffsetChoice = "auto"
    """By how many milliseconds the sound comes after the mouth in all of the footage; ``auto`` compares the clips with
    each other and corrects those that are surely off, ``off`` takes all as they are."""
    roles: tuple[RoleRule, ...] = ()
    """What clips serve as; of several rules that fit a clip the last counts. Of the others it is found out."""
    most_frames: int = 30_000
    """Frames kept as textures; of more footage evenly spread ones. >= 1."""
    largest_yaw_deg: float = 30.0
    """Frames that look further aside than this give no texture, degrees."""
    largest_pitch_deg: float = 25.0
    least_sharpness: float = 0.4
    """Frames less sharp than this share of the footage's median give no texture, [0, 1]."""
    patience: int = 0
    """End the training after so many updates without a better held-out error; 0 for never."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """How a mouth is re-synced."""

    voice: Path
    """Folder made by ``lipswap learn``."""
    speech: Path | None
    """Any file with sound; it starts with the clip's first picture. None where something else moves the mouth."""
    driver: Path | None = None
    """A video whose largest face moves mouth, brows and lids, instead of the speech; it starts with the clip's first
    picture."""
    expression: float = 1.0
    """How far brows and lids follow the driver's, [0, 1]; 0 leaves the clip's own."""
    mouth: Path | None = None
    """A table of the mouth curve (`lipsync.curve`) that is laid over what the speech asks for."""
    blend_ms: float = 80.0
    """A row of that table counts this far around its time, milliseconds, >= 10."""
    opening: float = 1.0
    """How far the mouth opens beyond its opening at rest, against what the speech asks for, >= 0; 1 leaves it."""
    rest: bool = True
    """Close the mouth where voice activity hears no speech (the network alone opens it by luck)."""
    close: bool = True
    """Shut lips that the network leaves a little open, as often as the speaker shuts them."""
    smooth_ms: float | None = None
    """Standard deviation of the Gaussian over shapes, milliseconds, >= 0; 0 leaves them as they are. None is 15 for a
    driver's lips and a voice of the paper's recipe, and 5 for others, which move smoothly by themselves."""
    candidates: int = 50
    """Frames of the footage behind each texture (the paper's n), >= 1; small pools use fewer."""
    pose_weight: float = 0.1
    """How much a degree of head turn counts against a centimetre of lip distance when candidates are chosen, >= 0;
    0 is the paper's choice by shape alone."""
    steadiness: float | None = None
    """What counts for more, [0, 1]: 0 takes the nearest mouth for each frame by itself, sharpest, but it flickers; 1
    keeps to footage that moves evenly and lays many takes over one another, steadiest and softest. None is 0.5, and for
    a voice of the paper's recipe the paper's median of all candidates."""
    sharpen: bool = True
    """Bring the detail that the median loses back to the footage's own level, or the clip's where that is lower."""
    teeth: float = 1.0
    """How far teeth get detail of the speaker's teeth proxies and, with `sharpen`, the footage's sharpness, [0, 1]; 0
    leaves them as the median has them."""
    match_colour: float = 1.0
    """How far the texture's colour is moved to the clip's own lower face, [0, 1]."""
    feather: float = 0.22
    """Width of the mask's soft edge, in distances between the outer eye corners, > 0."""


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How a mouth follows a stream."""

    rest: bool = True
    """Hold a mouth of the paper's recipe at rest until voice is heard; others rest by themselves."""
    close: bool = True
    """Shut lips that the network leaves a little open, as often as the speaker shuts them."""
